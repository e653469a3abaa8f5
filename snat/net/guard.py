"""The nft table ``snatguard``: nothing crosses from inside to outside untranslated, whatever else is flushed.

Routing rules keep untranslated packets in; this table is the second lock, for when another program
flushes them (systemd-networkd does on restart). It marks what we write to ``snat-i``, so that ICMP errors
about it lead back to us (:mod:`snat.net.kernel_plan`). It also remembers, as comments of rules in a chain
that no hook calls, which sysctls we changed and what they were: that memory lives exactly as long
as what it is about, and ``nft list ruleset`` shows it to the operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from snat.net import nft
from snat.net.kernel_plan import INSIDE_GROUP, INSIDE_TUN, MARK, OUTSIDE_GROUP, OUTSIDE_TUN

TABLE: Final = "snatguard"

_ADDRESS: Final = {"family": "ip", "table": TABLE}
_PREROUTING: Final = -150
"""The priority at which packets are mangled."""

_GUARD: Final = (
    nft.match("==", "iifgroup", INSIDE_GROUP),
    nft.match("==", "oifgroup", OUTSIDE_GROUP),
    nft.match("!=", "iifname", INSIDE_TUN),
    nft.match("!=", "oifname", OUTSIDE_TUN),
    {"counter": None},
    {"drop": None},
)
_REFLECT: Final = (
    nft.match("==", "iifname", INSIDE_TUN),
    {"mangle": {"key": {"meta": {"key": "mark"}}, "value": MARK}},
)
_CHAINS: Final = {"guard": _GUARD, "reflect": _REFLECT}
"""Each of the chains that hooks call has one rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The guard as it is in the kernel."""

    before: Mapping[str, str]
    """Sysctls we changed, by path below ``net``, with the value each had before."""
    dropped: int = 0
    """Packets it stopped since it was installed."""
    whole: bool = True
    """Whether its rules are those that :func:`install` made."""


def read() -> Guard | None:
    """The installed guard, or None. Raises :class:`KernelRefused` if nft is missing or fails."""
    rules = nft.rules(TABLE)
    if rules is None:
        return None
    return Guard(before=_remembered(rules), dropped=sum(map(_dropped, rules)), whole=_is_whole(rules))


def install(before: Mapping[str, str]) -> None:
    """Put the guard in place, or replace it, in one transaction; ``before`` is what it shall remember."""
    memory = [
        {"rule": {**_ADDRESS, "chain": "before", "comment": f"{name}={value}", "expr": [{"return": None}]}}
        for name, value in sorted(before.items())
    ]
    new: list[dict[str, Any]] = [
        {"chain": _hooked("guard", hook="forward", priority=-1)},
        {"chain": _hooked("reflect", hook="prerouting", priority=_PREROUTING)},
        *({"rule": {**_ADDRESS, "chain": name, "expr": [*rule]}} for name, rule in _CHAINS.items()),
        {"chain": {**_ADDRESS, "name": "before"}},
        *memory,
    ]
    nft.replace(TABLE, new)


def remove() -> None:
    """Take the guard away; no error if there is none."""
    nft.remove(TABLE)


def _hooked(name: str, *, hook: str, priority: int) -> dict[str, Any]:
    return {**_ADDRESS, "name": name, "type": "filter", "hook": hook, "prio": priority, "policy": "accept"}


def _is_whole(rules: list[dict[str, Any]]) -> bool:
    found: dict[str, list[list[Any]]] = {name: [] for name in _CHAINS}
    for rule in rules:
        if rule["chain"] in found:
            found[rule["chain"]].append([_uncounted(one) for one in rule["expr"]])
    return found == {name: [[*rule]] for name, rule in _CHAINS.items()}


def _uncounted(statement: dict[str, Any]) -> dict[str, Any]:
    return {"counter": None} if "counter" in statement else statement


def _remembered(rules: list[dict[str, Any]]) -> dict[str, str]:
    comments = (rule.get("comment", "") for rule in rules if rule["chain"] == "before")
    return dict(comment.split("=", 1) for comment in comments if "=" in comment)


def _dropped(rule: dict[str, Any]) -> int:
    return sum(int(statement["counter"]["packets"]) for statement in rule["expr"] if "counter" in statement)
