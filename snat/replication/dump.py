"""A dump: all entries of a feed, cut into slices while the feed goes on.

The endpoints are listed once, at the beginning; each slice holds what their entries are *when it is cut*.
The caller drains the SNAT queue before it cuts a slice, and before it begins and ends: so what a slice
shows was never contradicted by an earlier message of the feed, and entries made later arrive as changes.
"""

from dataclasses import dataclass, field

from snat.nat.table import NatTable
from snat.replication.feed import FeedState, holds
from snat.wire.actions import Action, DumpBegin, DumpEnd, control, item
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
        parts: list[bytes] = []
        size = 0
        while size < self.slice_size and (self._rest or self._at < len(self._endpoints)):
            if not self._rest:
                self._rest = [
                    one for one in self.table.at(self._endpoints[self._at]) if holds(self.feed, one)
                ]
                self._at += 1
            elif (record := self.table.current(self._rest.pop())) is not None:
                parts.append(item(Action.ADD, record))
                size += len(parts[-1])
        return b"".join(parts)
