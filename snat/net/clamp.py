"""The nft table ``snatmss``: ``ip tcp adjust-mss`` lowers the MSS of SYNs that cross an interface.

A packet that is translated crosses the router twice, from an interface to a TUN and from a TUN to an
interface, so that each real interface sees it once. The kernel never raises an MSS by such a rule; the match
says so too.
"""

from collections.abc import Mapping
from typing import Any, Final

from snat.net import nft

TABLE: Final = "snatmss"

_PLACE: Final = {"family": "ip", "table": TABLE}
_MANGLE: Final = -150
"""Priority of the hook: nft's name for where packets are changed."""
_OPTION: Final = {"tcp option": {"name": "maxseg", "field": "size"}}
_SYN: Final = {
    "match": {
        "op": "==",
        "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["syn", "rst"]]},
        "right": "syn",
    }
}


def read() -> dict[str, int]:
    """The interfaces whose rules are in the kernel, with their bytes; -1: not as we set them."""
    found: dict[str, set[tuple[str, int]]] = {}
    for rule in nft.rules(TABLE) or ():
        key, name, size = _said(rule["expr"])
        found.setdefault(name, set()).add((key, size))
    return {name: _whole(said) for name, said in found.items()}


def put(clamps: Mapping[str, int]) -> bool:
    """Make it so for exactly these interfaces, by name, in bytes; False, and nothing done, if it is so."""
    if read() == dict(clamps):
        return False
    if not clamps:
        nft.remove(TABLE)
        return True
    hook = {**_PLACE, "name": "clamp", "type": "filter", "hook": "forward", "prio": _MANGLE}
    chain = {"chain": {**hook, "policy": "accept"}}
    nft.replace(TABLE, [chain, *(_rule(*c, key) for c in clamps.items() for key in ("iifname", "oifname"))])
    return True


def _rule(interface: str, size: int, key: str) -> dict[str, Any]:
    larger = {"match": {"op": ">", "left": _OPTION, "right": size}}
    lowered = {"mangle": {"key": _OPTION, "value": size}}
    expression = [nft.match("==", key, interface), _SYN, larger, lowered]
    return {"rule": {**_PLACE, "chain": "clamp", "expr": expression}}


def _said(expression: list[dict[str, Any]]) -> tuple[str, str, int]:
    """Direction, interface and bytes of a rule, whoever wrote it."""
    key, name, size = "", "", -1
    for statement in expression:
        left = statement.get("match", {}).get("left", {})
        if "meta" in left:
            key, name = str(left["meta"]["key"]), str(statement["match"]["right"])
        elif "mangle" in statement:
            size = int(statement["mangle"]["value"])
    return key, name, size


def _whole(said: set[tuple[str, int]]) -> int:
    sizes = {size for _, size in said}
    return sizes.pop() if {key for key, _ in said} == {"iifname", "oifname"} and len(sizes) == 1 else -1
