"""The nft table ``snatguard``: nothing crosses from inside to outside untranslated, whatever else is flushed.

Routing rules keep untranslated packets in; this table is the second lock, for when another program
flushes them (systemd-networkd does on restart). It also remembers, as comments of rules in a chain
that no hook calls, which sysctls we changed and what they were: that memory lives exactly as long
as what it is about, and ``nft list ruleset`` shows it to the operator.

nft is called by its own command, with JSON. Nothing in it may be named ``snat``: a keyword.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from snat.net.refused import KernelRefused

TABLE: Final = "snatguard"
NFT_SECONDS: Final = 10.0
"""nft answers in 20 ms; a kernel that needs longer than this is stuck."""

_ADDRESS: Final = {"family": "ip", "table": TABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The guard as it is in the kernel."""

    before: Mapping[str, str]
    """Sysctls we changed, by path below ``net``, with the value each had before."""
    dropped: int = 0
    """Packets it stopped since it was installed."""


def read() -> Guard | None:
    """The installed guard, or None. Raises :class:`KernelRefused` if nft is missing or fails."""
    tables = _nft("-j", "list", "tables", "ip")["nftables"]
    if not any(item.get("table", {}).get("name") == TABLE for item in tables):
        return None
    listing = _nft("-j", "list", "table", "ip", TABLE)["nftables"]
    rules = [item["rule"] for item in listing if "rule" in item]
    return Guard(before=_remembered(rules), dropped=sum(map(_dropped, rules)))


def install(
    *, inside_group: int, outside_group: int, inside_tun: str, outside_tun: str, before: Mapping[str, str]
) -> None:
    """Put the guard in place, or replace it, in one transaction; ``before`` is what it shall remember."""
    drop = [
        _match("==", "iifgroup", inside_group),
        _match("==", "oifgroup", outside_group),
        _match("!=", "iifname", inside_tun),
        _match("!=", "oifname", outside_tun),
        {"counter": None},
        {"drop": None},
    ]
    table = {"table": {"family": "ip", "name": TABLE}}
    hook = {**_ADDRESS, "name": "guard", "type": "filter", "hook": "forward", "prio": -1, "policy": "accept"}
    memory = [
        {"rule": {**_ADDRESS, "chain": "before", "comment": f"{name}={value}", "expr": [{"return": None}]}}
        for name, value in sorted(before.items())
    ]
    new = [
        table,
        {"chain": hook},
        {"rule": {**_ADDRESS, "chain": "guard", "expr": drop}},
        {"chain": {**_ADDRESS, "name": "before"}},
        *memory,
    ]
    # Adding a table that exists is no error, deleting one that does not is: hence add, delete, add.
    _change([{"add": table}, {"delete": table}, *({"add": item} for item in new)])


def remove() -> None:
    """Take the guard away; no error if there is none."""
    table = {"table": {"family": "ip", "name": TABLE}}
    _change([{"add": table}, {"delete": table}])


def _match(operator: str, key: str, value: int | str) -> dict[str, Any]:
    return {"match": {"op": operator, "left": {"meta": {"key": key}}, "right": value}}


def _remembered(rules: list[dict[str, Any]]) -> dict[str, str]:
    comments = (rule.get("comment", "") for rule in rules if rule["chain"] == "before")
    return dict(comment.split("=", 1) for comment in comments if "=" in comment)


def _dropped(rule: dict[str, Any]) -> int:
    return sum(int(statement["counter"]["packets"]) for statement in rule["expr"] if "counter" in statement)


def _change(commands: list[dict[str, Any]]) -> None:
    _nft("-j", "-f", "-", stdin=json.dumps({"nftables": commands}))


def _nft(*arguments: str, stdin: str = "") -> dict[str, Any]:
    try:
        done = subprocess.run(
            ["nft", *arguments], input=stdin, capture_output=True, text=True, timeout=NFT_SECONDS, check=True
        )
    except FileNotFoundError as error:
        raise KernelRefused("nft is missing", where="PATH", remedy="apt-get install nftables") from error
    except subprocess.TimeoutExpired as error:
        raise KernelRefused(
            "nft does not answer",
            where=f"nft {' '.join(arguments)}",
            remedy=f"it took more than {NFT_SECONDS:.0f} s; try it by hand",
        ) from error
    except subprocess.CalledProcessError as error:
        raise KernelRefused(
            "nft failed",
            where=f"nft {' '.join(arguments)}",
            remedy=f"it said: {error.stderr.strip() or error.returncode}; it needs root and nf_tables",
        ) from error
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
    return answer
