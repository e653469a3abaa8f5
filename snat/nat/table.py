"""The NAT table: two dicts over records, keyed by endpoint.

``inside`` finds what an inside host's packet needs, by inside-local endpoint; ``outside`` what a packet
from outside needs, by inside-global endpoint. A slot holds the record itself while an endpoint has one
flow, and a small dict by outside endpoint once it has several. So endpoint-independent mapping, filtering
and "is this port free" are one look-up.

Two devices that created entries for one key (after a split) form a chain, the lowest id first: it leads
outbound, the others still translate inbound. A chain is a tuple in the place of the record.

Listeners hear of every batch of changes once, after it was made: ``changed(removed, added)``. An update is
a removal of the old record and an addition of the new one in the same batch. Most batches are one new record:
who only cares for what goes is not told of these.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from snat.nat.entry import (
    FLAGS,
    ID,
    INSIDE_GLOBAL,
    INSIDE_LOCAL,
    LOCAL_NAT_ID,
    MAPPING,
    NAT_ID,
    OUTSIDE_GLOBAL,
    OUTSIDE_LOCAL,
    PLAIN_SIZE,
    REFERENCE,
    Flag,
)

COLLIDED: Final = 256
"""Collisions that wait to be reported; more are only counted."""

Chain = bytes | tuple[bytes, ...]
"""A record, or several of different devices for the same key."""
Slot = bytes | dict[bytes, Chain]
"""A record, or chains by outside endpoint."""
Index = dict[bytes, Slot]
_MANY: Final = 32
"""Records from which on it is faster to add them in bulk than one by one."""


class Listener(Protocol):
    """Whoever must know what changes in the table."""

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Called once per batch; must not change the table."""
        ...


class NatTable:
    """All entries of a device (326 in Fig. 3)."""

    def __init__(self) -> None:
        self.inside: Index = {}
        self.outside: Index = {}
        self.collisions = 0
        """Times that an entry met another device's entry for the same key, inside or outside."""
        self.collided: list[bytes] = []
        """Those entries, for whoever reports them and then clears the list; at most COLLIDED."""
        self.peak = 0
        """The most entries there ever were, or since somebody set it anew."""
        self._count = 0
        self._listeners: tuple[Listener, ...] = ()
        self._told_of_new: tuple[Listener, ...] = ()
        """Those of them who hear of batches that remove nothing, too. Both are replaced, not changed: a
        listener may leave while it is told."""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        """All records; not to be used across changes, see :meth:`endpoints`."""
        for slot in self.inside.values():
            yield from records_in(slot)

    def listen(self, listener: Listener, *, new: bool = True) -> None:
        """Tell ``listener`` of every batch from now on; without ``new``, of those that remove something."""
        self._listeners += (listener,)
        if new:
            self._told_of_new += (listener,)

    def unlisten(self, listener: Listener) -> None:
        """Tell ``listener`` no more."""
        self._listeners = tuple(one for one in self._listeners if one is not listener)
        self._told_of_new = tuple(one for one in self._told_of_new if one is not listener)

    def records(self) -> list[bytes]:
        """All records, as of now; 30 ms for a million."""
        slots = list(self.inside.values())
        plain = [slot for slot in slots if isinstance(slot, bytes)]
        if len(plain) < len(slots):
            plain += [one for slot in slots if isinstance(slot, dict) for one in records_in(slot)]
        return plain

    def endpoints(self) -> list[bytes]:
        """The inside-local endpoints, as of now: a walk over them in slices survives any change."""
        return list(self.inside)

    def at(self, inside_local: bytes) -> Iterator[bytes]:
        """The records of an inside-local endpoint."""
        slot = self.inside.get(inside_local)
        return iter(()) if slot is None else records_in(slot)

    def from_inside(self, inside_local: bytes, outside_local: bytes) -> bytes | None:
        """The leading record for a packet from inside, by its source and destination."""
        return _leading(self.inside.get(inside_local), OUTSIDE_LOCAL, outside_local)

    def from_outside(self, inside_global: bytes, outside_global: bytes) -> bytes | None:
        """The leading record for a packet from outside, by its destination and source."""
        return _leading(self.outside.get(inside_global), OUTSIDE_GLOBAL, outside_global)

    def current(self, record: bytes) -> bytes | None:
        """The record that now has the id, mapping and keys of ``record`` (or of its reference), or None."""
        slot = self.inside.get(record[INSIDE_LOCAL])
        if slot is None:
            return None
        wanted = record[REFERENCE]
        chain = slot.get(record[OUTSIDE_LOCAL], ()) if isinstance(slot, dict) else slot
        for known in (chain,) if isinstance(chain, bytes) else chain:
            if known[REFERENCE] == wanted:
                return known
        return None

    def add(self, records: Iterable[bytes]) -> list[bytes]:
        """Add records, or replace those with the same id and key; one batch. The replaced records.

        Listeners hear of the net change: an entry that comes twice in a batch, as its last record.
        """
        added = records if isinstance(records, list) else list(records)
        replaced: list[bytes] = []
        if len(added) < _MANY or not self._add_strangers(added):
            self._add_each(added, replaced)
        self._count += len(added) - len(replaced)
        if self._count > self.peak:
            self.peak = self._count
        if not replaced or set(replaced).isdisjoint(added):
            self._tell(replaced, added)
        else:
            self._tell(_less(replaced, added), _less(added, replaced))
        return replaced

    def insert(self, record: bytes) -> None:
        """Add one record: as :meth:`add`, faster."""
        near, far = record[16:23], record[22:29]
        if near in self.inside or far in self.outside:
            self.add([record])
            return
        self.inside[near] = self.outside[far] = record
        self._count += 1
        if self._count > self.peak:
            self.peak = self._count
        for listener in self._told_of_new:
            listener.changed([], [record])

    def remove(self, references: Iterable[bytes]) -> list[bytes]:
        """Remove what records or references name, where all of it matches; one batch. The removed."""
        removed = []
        for reference in references:
            record = self.current(reference)
            if record is not None:
                _leave(self.inside, INSIDE_LOCAL, OUTSIDE_LOCAL, record)
                _leave(self.outside, INSIDE_GLOBAL, OUTSIDE_GLOBAL, record)
                removed.append(record)
        self._count -= len(removed)
        if removed:
            self._tell(removed, [])
        return removed

    def clear(self, mapping_id: int, owner: int = LOCAL_NAT_ID) -> list[bytes]:
        """Remove all entries of a mapping, or those of it that ``owner`` made; one batch. The removed.

        Local entries stay, whatever their mapping.
        """
        mapping, made_by = mapping_id.to_bytes(4, "big"), owner.to_bytes(4, "big")
        if owner == LOCAL_NAT_ID:
            chosen = [one for one in self.records() if one[MAPPING] == mapping and one[NAT_ID] != made_by]
        else:
            chosen = [one for one in self.records() if one[MAPPING] == mapping and one[NAT_ID] == made_by]
        if len(chosen) < self._count:
            return self.remove(chosen)
        self.inside.clear()
        self.outside.clear()
        self._count = 0
        if chosen:
            self._tell(chosen, [])
        return chosen

    def _add_strangers(self, added: list[bytes]) -> bool:
        """Add records of which none meets another one; False, and nothing done, if one does."""
        places = [(self.inside, _cut(added, INSIDE_LOCAL)), (self.outside, _cut(added, INSIDE_GLOBAL))]
        if not all(index.keys().isdisjoint(keys) for index, keys in places):
            return False
        sizes = [len(index) + len(added) for index, _ in places]
        for index, keys in places:
            index.update(zip(keys, added, strict=True))
        if [len(index) for index, _ in places] == sizes:
            return True
        for index, keys in places:  # two of them met: take all of them back
            for key in set(keys):
                del index[key]
        return False

    def _add_each(self, added: list[bytes], replaced: list[bytes]) -> None:
        inside, outside = self.inside, self.outside
        for record in added:  # the slices are INSIDE_LOCAL and INSIDE_GLOBAL, written out: 0.1 us an entry
            key = record[16:23]
            if key in inside:
                self._crowd_inside(record, replaced)
            else:
                inside[key] = record
            key = record[22:29]
            if key in outside:
                self._crowd_outside(record, replaced)
            else:
                outside[key] = record

    def _crowd_inside(self, record: bytes, replaced: list[bytes]) -> None:
        old = _crowd(self.inside, INSIDE_LOCAL, OUTSIDE_LOCAL, record)
        if old is None:
            self._collide(record, _is_chain(self.inside[record[INSIDE_LOCAL]], record[OUTSIDE_LOCAL]))
            return
        replaced.append(old)
        if old[REFERENCE] != record[REFERENCE]:  # an id never changes its keys; if it does, leave no ghost
            _leave(self.outside, INSIDE_GLOBAL, OUTSIDE_GLOBAL, old)

    def _crowd_outside(self, record: bytes, replaced: list[bytes]) -> None:
        old = _crowd(self.outside, INSIDE_GLOBAL, OUTSIDE_GLOBAL, record)
        if old is None:
            self._collide(record, _is_chain(self.outside[record[INSIDE_GLOBAL]], record[OUTSIDE_GLOBAL]))
        elif old[REFERENCE] != record[REFERENCE]:
            replaced.append(old)
            _leave(self.inside, INSIDE_LOCAL, OUTSIDE_LOCAL, old)

    def _collide(self, record: bytes, collides: bool) -> None:
        if record[FLAGS] & Flag.STATIC:
            return  # several static rules may have one host
        self.collisions += collides
        if collides and len(self.collided) < COLLIDED:
            self.collided.append(record)

    def _tell(self, removed: list[bytes], added: list[bytes]) -> None:
        for listener in self._listeners if removed else self._told_of_new:
            listener.changed(removed, added)


def records_in(slot: Slot) -> Iterator[bytes]:
    """Every record of a slot."""
    for chain in slot.values() if isinstance(slot, dict) else (slot,):
        if isinstance(chain, bytes):
            yield chain
        else:
            yield from chain


def _cut(records: list[bytes], part: slice) -> Sequence[bytes]:
    """A part of each; records without context, all of one length then, are cut in one go."""
    whole = b"".join(records)
    if len(whole) == len(records) * PLAIN_SIZE:
        layout = f"{part.start}x{part.stop - part.start}s{PLAIN_SIZE - part.stop}x"
        return struct.unpack(layout * len(records), whole)
    return [record[part] for record in records]


def _less(records: list[bytes], others: list[bytes]) -> list[bytes]:
    """Records that are not matched by an equal one of the others."""
    return list((Counter(records) - Counter(others)).elements())


def _is_chain(slot: Slot, outside: bytes) -> bool:
    return isinstance(slot, dict) and isinstance(slot[outside], tuple)


def _leading(slot: Slot | None, far: slice, outside: bytes) -> bytes | None:
    if slot is None:
        return None
    if isinstance(slot, bytes):
        return slot if slot[far] == outside else None
    chain = slot.get(outside)
    return chain[0] if isinstance(chain, tuple) else chain


def _crowd(index: Index, key: slice, far: slice, record: bytes) -> bytes | None:
    """Put ``record`` into a slot that is taken; the record with the same id that it replaced, if any."""
    near, outside = record[key], record[far]
    slot = index[near]
    if isinstance(slot, bytes):
        if slot[ID] == record[ID] and slot[far] == outside:
            index[near] = record
            return slot
        slot = index[near] = {slot[far]: slot}
    known = slot.get(outside)
    chain = () if known is None else (known,) if isinstance(known, bytes) else known
    replaced = next((one for one in chain if one[ID] == record[ID]), None)
    chain = tuple(sorted([one for one in chain if one is not replaced] + [record]))
    slot[outside] = chain[0] if len(chain) == 1 else chain
    return replaced


def _leave(index: Index, key: slice, far: slice, record: bytes) -> None:
    """Take ``record``, which is there, out of its slot."""
    near, outside = record[key], record[far]
    slot = index[near]
    if isinstance(slot, bytes):
        del index[near]
        return
    known = slot[outside]
    if isinstance(known, bytes):
        del slot[outside]
    else:
        chain = tuple(one for one in known if one[ID] != record[ID])
        slot[outside] = chain[0] if len(chain) == 1 else chain
    if len(slot) == 1:
        # Back to the plain form, unless what is left is a chain.
        (left,) = slot.values()
        if isinstance(left, bytes):
            index[near] = left
