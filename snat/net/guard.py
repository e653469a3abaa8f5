"""The nft table ``snatguard``: nothing crosses from inside to outside untranslated, whatever else is flushed.

Routing rules keep untranslated packets in; this table is the second lock, for when another program
flushes them (systemd-networkd does on restart). It also remembers, as comments of rules in a chain
that no hook calls, which sysctls we changed and what they were: that memory lives exactly as long
as what it is about, and ``nft list ruleset`` shows it to the operator.

It knows inside interfaces by their link group, which the daemon sets, and by their names, which hold from
boot on, before there are any interfaces (``snat kernel guard``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from snat.net import nft

TABLE: Final = "snatguard"

_MANGLE: Final = -150
"""Priority of the hook: nft's name for where packets are changed."""
_ADDRESS: Final = {"family": "ip", "table": TABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The guard as it is in the kernel."""

    before: Mapping[str, str]
    """Sysctls we changed, by path below ``net``, with the value each had before."""
    dropped: int = 0
    """Packets it stopped since it was installed."""
    inside: frozenset[str] = frozenset()
    """The inside interfaces that it knows by name."""
    whole: bool = True
    """Whether it stops what crosses by link groups, and marks: somebody may have flushed its rules."""


def read() -> Guard | None:
    """The installed guard, or None. Raises :class:`KernelRefused` if nft is missing or fails."""
    rules = nft.rules(TABLE)
    if rules is None:
        return None
    drops = [rule for rule in rules if rule["chain"] == "guard"]
    return Guard(
        before=_remembered(rules),
        dropped=sum(map(_dropped, drops)),
        inside=frozenset(name for rule in drops for name in _inside(rule)),
        whole=any(not _inside(rule) for rule in drops) and any(one["chain"] == "errors" for one in rules),
    )


def install(
    *,
    inside: Iterable[str],
    inside_group: int,
    outside_group: int,
    inside_tun: str,
    outside_tun: str,
    mark: int,
    before: Mapping[str, str],
) -> None:
    """Put the guard in place, or replace it, in one transaction; ``before`` is what it shall remember.

    ``inside``: names of inside interfaces, whether they exist yet or not. ``mark``: what packets out of
    ``inside_tun`` get, so that the kernel's errors about them are found.
    """
    names = sorted(inside)
    by_name = [
        nft.match("==", "iifname", {"set": names}),
        nft.match("!=", "oifname", {"set": [*names, inside_tun]}),
        {"counter": None},
        {"drop": None},
    ]
    by_group = [
        nft.match("==", "iifgroup", inside_group),
        nft.match("==", "oifgroup", outside_group),
        nft.match("!=", "iifname", inside_tun),
        nft.match("!=", "oifname", outside_tun),
        {"counter": None},
        {"drop": None},
    ]
    hook = {**_ADDRESS, "name": "guard", "type": "filter", "hook": "forward", "prio": -1, "policy": "accept"}
    memory = [
        {"rule": {**_ADDRESS, "chain": "before", "comment": f"{name}={value}", "expr": [{"return": None}]}}
        for name, value in sorted(before.items())
    ]
    errors = {**_ADDRESS, "name": "errors", "type": "filter", "hook": "prerouting", "prio": _MANGLE}
    marking = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": mark}}
    marked = [nft.match("==", "iifname", inside_tun), marking]
    new: list[dict[str, Any]] = [
        {"chain": {**errors, "policy": "accept"}},
        {"rule": {**_ADDRESS, "chain": "errors", "expr": marked}},
        {"chain": hook},
        *(
            {"rule": {**_ADDRESS, "chain": "guard", "expr": drop}}
            for drop in ((by_group, by_name) if names else (by_group,))
        ),
        {"chain": {**_ADDRESS, "name": "before"}},
        *memory,
    ]
    nft.replace(TABLE, new)


def remove() -> None:
    """Take the guard away; no error if there is none."""
    nft.remove(TABLE)


def _remembered(rules: list[dict[str, Any]]) -> dict[str, str]:
    comments = (rule.get("comment", "") for rule in rules if rule["chain"] == "before")
    return dict(comment.split("=", 1) for comment in comments if "=" in comment)


def _inside(rule: dict[str, Any]) -> list[str]:
    """The names of a rule by names; those of one by groups have another operator."""
    for statement in rule["expr"]:
        match = statement.get("match", {})
        if match.get("op") == "==" and match["left"] == {"meta": {"key": "iifname"}}:
            names = match["right"]
            return [names] if isinstance(names, str) else list(names["set"])
    return []


def _dropped(rule: dict[str, Any]) -> int:
    return sum(int(statement["counter"]["packets"]) for statement in rule["expr"] if "counter" in statement)
