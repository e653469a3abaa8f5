"""The table's snapshot: what a device that comes back alone knows of the flows it had. Big-endian::

     0       8         10      12      16     24        32
     | magic | version | zeros | feeds | date | entries |
     per feed   | process ID 4 | mapping ID 4 | term number 4 | term NAT ID 4 | sequence 8 |
     per entry  | length 2 | record (snat/nat/entry.py) |
     at the end | xxh3_64 of everything before, 8 |

``date`` is the wall clock's, in Unix seconds: no other survives a restart. A record's remaining seconds are
as of then. A feed's position is the one at which the table was last proved whole, zeros for never.

A snapshot is taken while packets change the table, so each record is as it was at some moment of the walk,
not before ``date``. Static entries are left out: they come from the configuration.
"""

import struct
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from xxhash import xxh3_64, xxh3_64_intdigest

from snat.nat.entry import (
    ID,
    INSIDE_GLOBAL,
    LOCAL_NAT_ID,
    MAPPING,
    MAXIMUM_SIZE,
    NAT_ID,
    NEVER,
    OUTSIDE_GLOBAL,
    PLAIN_SIZE,
    STATE,
    TAIL,
    Flag,
)
from snat.nat.table import NatTable, records_in
from snat.replication.feed import FeedState, belongs_to
from snat.wire.header import Feed, Position, Term

MAGIC: Final = b"snat tbl"
VERSION: Final = 1
HEADER: Final = struct.Struct("!8sHxxIQQ")
KEPT: Final = struct.Struct("!IIIIQ")
LENGTH: Final = struct.Struct("!H")
HASH: Final = struct.Struct("!Q")
MAXIMUM_BYTES: Final = 1 << 30
"""Bytes of a snapshot: about 20 million entries, far beyond the table that a router can hold."""
MAXIMUM_FEEDS: Final = 1 << 16

_LOCAL: Final = LOCAL_NAT_ID.to_bytes(4, "big")
_FLAGS: Final = STATE - 1
"""The low byte of an entry's flags."""
_STATIC: Final = int(Flag.STATIC)
_PLAIN: Final = LENGTH.pack(PLAIN_SIZE)
_PLAIN_LENGTH: Final = struct.Struct(f"!2s{PLAIN_SIZE}x")
_PLAIN_RECORD: Final = struct.Struct(f"!2x{PLAIN_SIZE}s")


class SnapshotDamagedError(ValueError):
    """Bytes that are no snapshot of ours. Its text says what is wrong with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a device begins with."""

    records: list[bytes]
    positions: dict[Feed, Position] = field(default_factory=dict)
    """At which the table was last proved whole, as far as it ever was."""
    date: int = 0
    """When the records' remaining seconds were counted, in Unix seconds."""
    age: int = 0
    """Seconds that have been subtracted from them since."""
    expired: int = 0
    """Entries that had no time left then."""

    def aged(self, date: int) -> "Snapshot":
        """As it is at another date, in Unix seconds: what has aged out is gone. No time passes backwards."""
        elapsed = max(0, date - self.date)
        at, pack, size = TAIL.unpack_from, TAIL.pack, TAIL.size
        records = []
        for record in self.records:
            (left,) = at(record, len(record) - size)
            if left == NEVER:
                records.append(record)
            elif left > elapsed:
                records.append(record[:-size] + pack(left - elapsed))
        expired = self.expired + len(self.records) - len(records)
        return replace(
            self, records=records, date=self.date + elapsed, age=self.age + elapsed, expired=expired
        )


class SnapshotEncoder:
    """Makes a snapshot in slices, between which packets change the table."""

    def __init__(
        self,
        table: NatTable,
        positions: Mapping[Feed, Position],
        remaining: Callable[[bytes, float], int],
        *,
        date: int,
        now: float,
    ) -> None:
        """``remaining`` is :meth:`snat.translate.flows.Flows.remaining`, and ``now`` its time at ``date``."""
        self.entries = 0
        self.size = HEADER.size + len(positions) * KEPT.size + HASH.size
        """Bytes so far, those that every snapshot has included."""
        self._walk = _walk(table)
        self._positions = dict(positions)
        self._remaining = remaining
        self._date = date
        self._now = now
        self._parts: list[bytes] = []

    def step(self, most: int) -> bool:
        """Look at ``most`` more entries; whether there may be others behind them."""
        seen = list(islice(self._walk, most))
        now, remaining, pack, size = self._now, self._remaining, TAIL.pack, TAIL.size
        items = [
            _head(record) + record[:-size] + pack(remaining(record, now))
            for record in seen
            if not record[_FLAGS] & _STATIC
        ]
        self.entries += len(items)
        self._parts.append(b"".join(items))
        self.size += len(self._parts[-1])
        return len(seen) == most

    def parts(self) -> Iterator[bytes]:
        """The whole snapshot, piece by piece; touches no table, so any thread may ask for it."""
        whole = xxh3_64()
        for part in (self._begin(), *self._parts):
            whole.update(part)
            yield part
        yield HASH.pack(whole.intdigest())

    def _begin(self) -> bytes:
        header = HEADER.pack(MAGIC, VERSION, len(self._positions), self._date, self.entries)
        kept = [
            KEPT.pack(*feed, *position.term, position.sequence) for feed, position in self._positions.items()
        ]
        return header + b"".join(kept)


def decode(data: bytes) -> Snapshot:
    """The snapshot, as of its date. Raises SnapshotDamagedError for bytes that are none."""
    if not HEADER.size + HASH.size <= len(data) <= MAXIMUM_BYTES:
        raise SnapshotDamagedError(f"{len(data)} bytes are no snapshot")
    magic, version, feeds, date, entries = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise SnapshotDamagedError("it does not begin as a snapshot does")
    if version != VERSION:
        raise SnapshotDamagedError(f"it has format {version}; this router reads {VERSION}")
    end = len(data) - HASH.size
    if xxh3_64_intdigest(memoryview(data)[:end]) != HASH.unpack_from(data, end)[0]:
        raise SnapshotDamagedError("its checksum is wrong: it was cut short or changed")
    if feeds > min(MAXIMUM_FEEDS, (end - HEADER.size) // KEPT.size):
        raise SnapshotDamagedError(f"it cannot hold {feeds} feeds")
    at = HEADER.size + feeds * KEPT.size
    if entries > (end - at) // (LENGTH.size + PLAIN_SIZE):
        raise SnapshotDamagedError(f"it cannot hold {entries} entries")
    positions = _positions(data, HEADER.size, feeds)
    return Snapshot(records=_records(data, at, end, entries), positions=positions, date=date)


def fill(table: NatTable, snapshot: Snapshot, mapping_ids: Container[int]) -> int:
    """Put into an empty table what belongs to these mappings or is local; how many entries do not.

    Of two entries of one device for one flow from outside, the older ended while the snapshot was taken.
    """
    kept = [record for record in snapshot.records if _belongs(record, mapping_ids)]
    table.add(kept)
    if table.collisions:
        table.remove(_outlived(kept))
    return len(snapshot.records) - len(kept)


def account(positions: Mapping[Feed, Position], table: NatTable, states: Iterable[FeedState]) -> None:
    """Let the feeds know of the table they begin with: its digests, and where it was last proved whole."""
    by_mapping: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for record in table:
        by_mapping[record[MAPPING]].append(record)
    for state in states:
        belongs = belongs_to(state.feed)
        records = by_mapping[state.feed.mapping_id.to_bytes(4, "big")]
        state.digest.change([], [record for record in records if belongs(record)])
        state.kept = positions.get(state.feed, Position())
        state.heard(state.kept.term)


def _walk(table: NatTable) -> Iterator[bytes]:
    """The records of the endpoints that there are now, each as it is when its endpoint is reached."""
    for endpoint in table.endpoints():
        slot = table.inside.get(endpoint)
        if isinstance(slot, bytes):
            yield slot
        elif slot is not None:
            yield from list(records_in(slot))


def _head(record: bytes) -> bytes:
    return _PLAIN if len(record) == PLAIN_SIZE else LENGTH.pack(len(record))


def _positions(data: bytes, at: int, count: int) -> dict[Feed, Position]:
    rows = KEPT.iter_unpack(memoryview(data)[at : at + count * KEPT.size])
    positions = {Feed(*row[:2]): Position(Term(*row[2:4]), row[4]) for row in rows}
    if len(positions) != count:
        raise SnapshotDamagedError("a feed comes twice in it")
    return positions


def _records(data: bytes, at: int, end: int, count: int) -> list[bytes]:
    """The records; nearly always all of the length without context, and then cut by two passes in C."""
    if end - at == count * _PLAIN_RECORD.size:
        items = memoryview(data)[at:end]
        if all(length == _PLAIN for (length,) in _PLAIN_LENGTH.iter_unpack(items)):
            return [record for (record,) in _PLAIN_RECORD.iter_unpack(items)]
    records: list[bytes] = []
    for _ in range(count):
        length = int.from_bytes(data[at : at + LENGTH.size], "big")
        at += LENGTH.size
        if not PLAIN_SIZE <= length <= min(MAXIMUM_SIZE, end - at):
            raise SnapshotDamagedError(f"entry {len(records) + 1} of {count} has a length of {length} bytes")
        records.append(data[at : at + length])
        at += length
    if at != end:
        raise SnapshotDamagedError(f"{end - at} bytes follow its last entry")
    return records


def _belongs(record: bytes, mapping_ids: Container[int]) -> bool:
    mapping_id = int.from_bytes(record[MAPPING], "big")
    return mapping_id in mapping_ids if record[NAT_ID] != _LOCAL else mapping_id == 0


def _outlived(records: Iterable[bytes]) -> list[bytes]:
    """Those whose owner gave the same outside key to a later entry; numbers grow."""
    newest: dict[bytes, bytes] = {}
    outlived = []
    for record in records:
        key = record[NAT_ID] + record[INSIDE_GLOBAL] + record[OUTSIDE_GLOBAL]
        older, newer = sorted((newest.get(key, record), record))
        newest[key] = newer
        if older[ID] != newer[ID]:
            outlived.append(older)
    return outlived
