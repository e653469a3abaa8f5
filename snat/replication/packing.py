"""Runs of changes become the bodies of messages: as few as the limits on entries and bytes allow."""

import sys
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from snat.nat.entry import PLAIN_SIZE, REFERENCE_SIZE
from snat.replication.snat_queue import Run
from snat.wire.actions import ITEM, Action, item

_SHORTEST: Final = {Action.ADD: PLAIN_SIZE, Action.UPDATE: PLAIN_SIZE, Action.DELETE: REFERENCE_SIZE}
"""The least data of an action; nearly always that is its length."""
_HEADS: Final = {action: ITEM.pack(action, 0, size) for action, size in _SHORTEST.items()}


def pack(runs: Iterable[Run], maximum_entries: int, maximum_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Bodies of at most ``maximum_entries`` (0: any number of) items and ``maximum_bytes``, and their items.

    An item that is longer goes alone. The order is that of the runs.
    """
    entries = maximum_entries or sys.maxsize
    parts: list[bytes] = []
    count = size = 0
    for action, data, _, _ in runs:
        at = 0
        while at < len(data):
            taken = _fitting(action, data, at, entries - count, maximum_bytes - size)
            if not taken and not count:
                taken = data[at : at + 1]
            if taken:
                parts.append(_items(action, taken))
                at, count, size = at + len(taken), count + len(taken), size + len(parts[-1])
            else:
                yield b"".join(parts), count
                parts, count, size = [], 0, 0
    if parts:
        yield b"".join(parts), count


def _fitting(action: Action, data: list[bytes], at: int, entries: int, room: int) -> list[bytes]:
    """As many from ``at`` on as fit into so many entries and bytes."""
    most = min(entries, room // (ITEM.size + _SHORTEST[action]))
    taken = data[at : at + max(most, 0)]
    if sum(map(len, taken)) + len(taken) * ITEM.size <= room:
        return taken
    return taken[: sum(end <= room for end in accumulate(ITEM.size + len(one) for one in taken))]


def _items(action: Action, data: list[bytes]) -> bytes:
    """The items of one action, by one join if all have the one length."""
    head = _HEADS[action]
    items = head + head.join(data)
    if len(items) == len(data) * (ITEM.size + _SHORTEST[action]):
        return items
    return b"".join([item(action, one) for one in data])
