"""``show access-lists`` and ``show route-map`` (ios-cli.md 4.5).

IOS also counts what matched; this version does not, and prints no number that it has not counted.
"""

from collections.abc import Iterable, Iterator

from cli.commands.list_lines import body, values_of
from cli.grammar import written
from snat.config.access import EVERY_BIT, STEP
from snat.config.model import AccessLine, AccessList, ListKind, RouteMap, RouteMapEntry


def access_lists(lists: Iterable[AccessList]) -> Iterator[str]:
    """Every list with its lines and their numbers; remarks are not shown."""
    for one in lists:
        yield f"{one.kind.capitalize()} IP access list {one.name}"
        for number, line in enumerate(one.lines, start=1):
            yield f"    {line.sequence or number * STEP} {_line(line, one.kind)}"


def _line(line: AccessLine, kind: ListKind) -> str:
    if kind is ListKind.EXTENDED:
        return written(body(kind), values_of(line, kind)).replace("deny  ", "deny", 1)
    action = "permit" if line.permit else "deny  "
    source = "any" if line.wildcard == EVERY_BIT else str(line.address)
    bits = "" if int(line.wildcard) == 0 or line.wildcard == EVERY_BIT else f", wildcard bits {line.wildcard}"
    return f"{action} {source}{bits}{' log' if line.log else ''}"


def route_maps(maps: Iterable[RouteMap]) -> Iterator[str]:
    """Every entry with what it compares."""
    for one in maps:
        for entry in one.entries:
            action = "permit" if entry.permit else "deny"
            yield f"route-map {one.name}, {action}, sequence {entry.sequence}"
            yield "  Match clauses:"
            yield from _clauses(entry)
            yield "  Set clauses:"


def _clauses(entry: RouteMapEntry) -> Iterator[str]:
    if entry.lists:
        yield f"    ip address (access-lists): {' '.join(entry.lists)} "
    if entry.interfaces:
        yield f"    interface {' '.join(entry.interfaces)} "
