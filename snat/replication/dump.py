"""A dump: all entries of a feed, cut into slices while the feed goes on.

The endpoints are listed once, at the beginning; each slice holds what their entries are *when it is cut*.
The caller drains the SNAT queue before it cuts a slice, and before it begins and ends: so what a slice
shows was never contradicted by an earlier message of the feed, and entries made later arrive as changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from snat.nat.table import NatTable, Slot, records_in
from snat.replication.feed import FeedState, belongs_to
from snat.wire.actions import ITEM, Action, DumpBegin, DumpEnd, control
from snat.wire.header import Feed, encode


@dataclass(slots=True)
class Dump:
    """One dump on one link, on the side that has the entries."""

    number: int
    state: FeedState
    table: NatTable
    slice_size: int
    """Bytes of items in a slice, about."""
    _endpoints: list[bytes] = field(default_factory=list)
    _at: int = 0
    _rest: list[bytes] = field(default_factory=list)
    """Entries of the last endpoint that no slice has shown: it may have more than one holds."""
    _begun: bool = False
    _belongs: Callable[[bytes], bool] = field(init=False)

    def __post_init__(self) -> None:
        self._belongs = belongs_to(self.state.feed)

    @property
    def feed(self) -> Feed:
        """What is dumped."""
        return self.state.feed

    def next_message(self) -> tuple[bytes, bool]:
        """The next message, and whether it is the last. The feed's queue must be drained."""
        if not self._begun:
            self._begun = True
            self._endpoints = self.table.endpoints()
            return encode(control(DumpBegin(self.number, self.feed, self.state.position))), False
        body = self._cut()
        if body:
            return encode(body, self.feed, self.state.position.term), False
        digest = self.state.digest
        end = DumpEnd(self.number, self.feed, self.state.position, digest.count, digest.value)
        return encode(control(end)), True

    def _cut(self) -> bytes:
        """The items of the next slice; empty when there are no more."""
        parts: list[bytes] = []
        size, inside, belongs = 0, self.table.inside, self._belongs
        while size < self.slice_size:
            if self._rest:
                slot: Slot | None = self.table.current(self._rest.pop())
            elif self._at < len(self._endpoints):
                slot = inside.get(self._endpoints[self._at])
                self._at += 1
            else:
                break
            if isinstance(slot, dict):
                self._rest = list(records_in(slot))
            elif slot is not None and belongs(slot):
                parts.append(_head(len(slot)) + slot)
                size += len(parts[-1])
        return b"".join(parts)


@cache
def _head(length: int) -> bytes:
    """The item header of an add; nearly always of the one length without context."""
    return ITEM.pack(Action.ADD, 0, length)
