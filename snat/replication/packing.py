"""Runs of changes become the bodies of messages: as few as the limits on entries and bytes allow."""

import sys
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from snat.nat.entry import PLAIN_SIZE, REFERENCE_SIZE
from snat.replication.snat_queue import Run
from snat.wire.actions import Action
from snat.wire.items import ITEM, item

_HEADS: Final = {
    action: (ITEM.pack(action, 0, size), ITEM.size + size)
    for action, size in (
        (Action.ADD, PLAIN_SIZE),
        (Action.UPDATE, PLAIN_SIZE),
        (Action.DELETE, REFERENCE_SIZE),
    )
}
"""Header and length of the shortest item of an action: nearly all are the shortest."""


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
            taken, items = _fill(action, data, at, entries - count, maximum_bytes - size)
            if not taken and not count:
                taken, items = 1, item(action, data[at])
            if taken:
                parts.append(items)
                at, count, size = at + taken, count + taken, size + len(items)
            else:
                yield b"".join(parts), count
                parts, count, size = [], 0, 0
    if parts:
        yield b"".join(parts), count


def _fill(action: Action, data: list[bytes], at: int, entries: int, room: int) -> tuple[int, bytes]:
    """As many items from ``at`` on as fit into so many entries and bytes; how many, and their bytes."""
    head, shortest = _HEADS[action]
    most = min(entries, room // shortest)
    if most <= 0:
        return 0, b""
    taken = data[at : at + most]
    items = head + head.join(taken)
    if len(items) == len(taken) * shortest:
        return len(taken), items
    ends = accumulate(ITEM.size + len(one) for one in taken)
    fitting = taken[: sum(end <= room for end in ends)]
    return len(fitting), b"".join([item(action, one) for one in fitting])
