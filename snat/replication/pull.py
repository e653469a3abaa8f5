"""A pull, on the side that asked for it: another device's entries are merged into our table, never swept."""

from dataclasses import dataclass, field
from typing import Final

from snat.nat.entry import FLAGS, INSIDE_GLOBAL, INSIDE_LOCAL, OUTSIDE_GLOBAL, OUTSIDE_LOCAL, Flag
from snat.nat.table import NatTable, records_in
from snat.nat.tracking import CLASSES
from snat.replication.digest import FeedDigest
from snat.replication.receiver import REQUEST_TIME, changes_of
from snat.wire.actions import DumpBegin, DumpEnd, DumpKind, DumpRequest
from snat.wire.header import Feed, Message, Position

TRIES: Final = 2
"""Requests that brought nothing before a pull is given up."""


def merge(table: NatTable, records: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Add what has no entry of ours in its way: the added, and the losers, whose place ours have.

    An entry that is in the table already, in whatever state, is neither: ours stays.
    """
    added: list[bytes] = []
    losers: list[bytes] = []
    for record in records:
        if table.current(record) is not None:
            continue
        inside = table.from_inside(record[INSIDE_LOCAL], record[OUTSIDE_LOCAL])
        (losers if inside is not None or _is_taken(table, record) else added).append(record)
    table.add(added)
    return added, losers


def _is_taken(table: NatTable, record: bytes) -> bool:
    """Whether the inside-global endpoint stands for another inside host, whoever it speaks with.

    Without ports, hosts share an address and differ in whom they speak with (:mod:`snat.nat.pool`).
    """
    if record[FLAGS] & Flag.EXTENDED and record[22] not in CLASSES:
        return table.from_outside(record[INSIDE_GLOBAL], record[OUTSIDE_GLOBAL]) is not None
    slot = table.outside.get(record[INSIDE_GLOBAL])
    return slot is not None and any(one[INSIDE_LOCAL] != record[INSIDE_LOCAL] for one in records_in(slot))


@dataclass(slots=True)
class Pull:
    """The entries of one feed that one neighbor was asked for."""

    feed: Feed
    table: NatTable
    number: int = 0
    tries: int = 0
    added: int = 0
    losers: list[bytes] = field(default_factory=list)
    """Entries of the neighbor that had a key of ours."""
    at: Position | None = None
    """Where the neighbor stood when it began to answer."""
    _asked: float | None = None
    _shown: FeedDigest | None = None

    def due(self, now: float) -> bool:
        """Whether to ask, again if nothing came for REQUEST_TIME."""
        return self._asked is None or now - self._asked >= REQUEST_TIME

    def request(self, number: int, now: float) -> DumpRequest:
        """What is asked for now: all there is."""
        self.number = number
        self.tries += 1
        self._asked = now
        self._shown = None
        return DumpRequest(number, self.feed, DumpKind.PULL, Position())

    def begin(self, dump: DumpBegin, now: float) -> None:
        """The answer begins."""
        if dump.number == self.number and dump.kind == DumpKind.PULL:
            self.at, self._asked, self._shown = dump.position, now, FeedDigest()
            self.losers = []  # an earlier answer that was cut short showed them too

    def take(self, message: Message, now: float) -> None:
        """A slice. Raises WireError for a malformed message, before any of it is taken."""
        runs = changes_of(message, self.feed)
        if self._shown is None:
            return
        self._asked = now
        records = [record for _, listed in runs for record in listed]
        self._shown.change([], records)
        added, losers = merge(self.table, records)
        self.added += len(added)
        self.losers += losers

    def end(self, dump: DumpEnd) -> bool:
        """Whether all of it came."""
        return dump.number == self.number and self._shown == FeedDigest(dump.count, dump.digest)
