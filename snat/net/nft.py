"""Tables of ours in nftables, family ``ip``: read, replaced in one transaction, removed.

nft is called by its own command, with JSON. Nothing may be named ``snat``: a keyword.
"""

import json
import subprocess
from collections.abc import Iterable
from typing import Any, Final

from snat.net.refused import KernelRefused

SECONDS: Final = 10.0
"""nft answers in 20 ms; a kernel that needs longer than this is stuck."""


def rules(table: str) -> list[dict[str, Any]] | None:
    """The rules of a table, or None if there is no such table.

    Raises :class:`KernelRefused` if nft is missing or fails, as all of this module does.
    """
    tables = _nft("-j", "list", "tables", "ip")["nftables"]
    if not any(item.get("table", {}).get("name") == table for item in tables):
        return None
    listing = _nft("-j", "list", "table", "ip", table)["nftables"]
    return [item["rule"] for item in listing if "rule" in item]


def replace(table: str, items: Iterable[dict[str, Any]]) -> None:
    """Put a table with these chains and rules in the place of what is there, in one transaction."""
    named = _named(table)
    # Adding a table that exists is no error, deleting one that does not is: hence add, delete, add.
    _change([{"add": named}, {"delete": named}, {"add": named}, *({"add": item} for item in items)])


def remove(table: str) -> None:
    """Take a table away; no error if there is none."""
    _change([{"add": _named(table)}, {"delete": _named(table)}])


def match(operator: str, key: str, value: int | str | dict[str, list[str]]) -> dict[str, Any]:
    """A match on something of the packet's way: ``iifname``, ``oifgroup``; a set is ``{"set": [...]}``."""
    return {"match": {"op": operator, "left": {"meta": {"key": key}}, "right": value}}


def _named(table: str) -> dict[str, Any]:
    return {"table": {"family": "ip", "name": table}}


def _change(commands: list[dict[str, Any]]) -> None:
    _nft("-j", "-f", "-", stdin=json.dumps({"nftables": commands}))


def _nft(*arguments: str, stdin: str = "") -> dict[str, Any]:
    try:
        done = subprocess.run(
            ["nft", *arguments], input=stdin, capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except FileNotFoundError as error:
        raise KernelRefused("nft is missing", where="PATH", remedy="apt-get install nftables") from error
    except subprocess.TimeoutExpired as error:
        raise KernelRefused(
            "nft does not answer",
            where=f"nft {' '.join(arguments)}",
            remedy=f"it took more than {SECONDS:.0f} s; try it by hand",
        ) from error
    except subprocess.CalledProcessError as error:
        raise KernelRefused(
            "nft failed",
            where=f"nft {' '.join(arguments)}",
            remedy=f"it said: {error.stderr.strip() or error.returncode}; it needs root and nf_tables",
        ) from error
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
    return answer
