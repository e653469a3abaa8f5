"""A dump: all entries of a feed, or a selection of them, cut into slices while the feed goes on.

The endpoints are listed once, at the beginning; each slice holds what their entries are *when it is cut*.
The caller drains the SNAT queue before it cuts a slice, and before it begins and ends: so what a slice
shows was never contradicted by an earlier message of the feed, and entries made later arrive as changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from snat.nat.entry import PLAIN_SIZE
from snat.nat.table import NatTable, Slot, records_in
from snat.replication.digest import FeedDigest
from snat.replication.feed import FeedState, belongs_to
from snat.wire.actions import Action, DumpBegin, DumpEnd, DumpKind, DumpRequest
from snat.wire.header import encode
from snat.wire.items import ADD_PLAIN, ITEM, are_plain_adds, control


@dataclass(slots=True)
class Dump:
    """One dump on one link, on the side that has the entries."""

    request: DumpRequest
    state: FeedState
    table: NatTable
    slice_size: int
    """Bytes of items in a slice, about."""
    _endpoints: list[bytes] = field(default_factory=list)
    _at: int = 0
    _rest: list[bytes] = field(default_factory=list)
    """Entries of the last endpoint that no slice has shown: it may have more than one holds."""
    _begun: bool = False
    _shown: FeedDigest = field(default_factory=FeedDigest)
    """Of a pull: what the slices held."""
    _belongs: Callable[[bytes], bool] = field(init=False)

    def __post_init__(self) -> None:
        self._belongs = selected(self.request) if self._pulled else belongs_to(self.state.feed)

    @property
    def _pulled(self) -> bool:
        return self.request.kind == DumpKind.PULL

    def next_message(self) -> tuple[bytes, bool]:
        """The next message, and whether it is the last. The feed's queue must be drained."""
        if not self._begun:
            self._begun = True
            self._endpoints = self.table.endpoints()
            kind = DumpKind.PULL if self._pulled else DumpKind.FEED
            begin = DumpBegin(self.request.number, self.state.feed, kind, self.state.position)
            history = () if self._pulled else self.state.history()
            return encode(control(begin) + b"".join(map(control, history))), False
        body = self._cut_plain()
        if body:
            return encode(body, self.state.feed, self.state.position.term), False
        records = self._cut()
        if records:
            if self._pulled:
                self._shown.change([], records)
            body = b"".join([_head(len(record)) + record for record in records])
            return encode(body, self.state.feed, self.state.position.term), False
        digest = self._shown if self._pulled else self.state.digest
        end = DumpEnd(self.request.number, self.state.feed, self.state.position, digest.count, digest.value)
        return encode(control(end)), True

    def _cut_plain(self) -> bytes:
        """The items of the next slice, if the next endpoints have a plain entry of the feed each: most have.

        Empty where that is not so, and :meth:`_cut` looks at each. Twice as fast, with a million to show.
        """
        if self._pulled or self._rest:
            return b""
        at, most = self._at, self.slice_size // (ITEM.size + PLAIN_SIZE)
        slots = list(map(self.table.inside.get, self._endpoints[at : at + most]))
        records = [slot for slot in slots if isinstance(slot, bytes) and len(slot) == PLAIN_SIZE]
        body = ADD_PLAIN + ADD_PLAIN.join(records)
        if len(records) < len(slots) or not are_plain_adds(body, self.state.feed):
            return b""
        self._at += len(slots)
        return body

    def _cut(self) -> list[bytes]:
        """The records of the next slice; none when there are no more."""
        records: list[bytes] = []
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
                records.append(slot)
                size += len(slot) + ITEM.size
        return records


def selected(request: DumpRequest) -> Callable[[bytes], bool]:
    """Whether a record is one that a pull asks for: of the feed, of an owner, of an inside network."""
    belongs = belongs_to(request.feed)
    owner = request.owner.to_bytes(4, "big") if request.owner else b""
    shift = 32 - min(request.prefix_length, 32)
    network = request.inside >> shift
    return lambda record: (
        belongs(record)
        and record[:4].startswith(owner)
        and int.from_bytes(record[16:20], "big") >> shift == network
    )


@cache
def _head(length: int) -> bytes:
    """The item header of an add; nearly always of the one length without context."""
    return ITEM.pack(Action.ADD, 0, length)
