"""Flows that a gateway expects (nat-behaviour.md 2.9): entries without traffic, bound to a peer, for once.

Such an entry is replicated as any other, so what was opened stays open when another router takes over. It
holds the port at the inside-global address, and lets in one flow, by which it goes. Port 0 of its outside
endpoint keeps it apart from flows; which port the peer must come from, its application context says. One
whose inside endpoints have port 0 is for a flow that the inside host will begin, to the outside endpoint
that it has.
"""

from typing import Final

from snat.nat.entry import FIXED_SIZE, FLAGS, INSIDE_GLOBAL, REFERENCE, TAIL, Flag, context_of
from snat.nat.pool import NO_PORT
from snat.nat.table import records_in
from snat.nat.tracking import in_record
from snat.translate.alg.context import Expected, decode, encode
from snat.translate.counters import TranslateCounters
from snat.translate.entries import EXPECTED, EXTENDED, OCTETS, Entries

MOST: Final = 4096
"""Flows that are expected at once, in all,"""
MOST_OF_HOST: Final = 64
"""and of an inside host."""
ANYBODY: Final = bytes(4)
"""The address of a peer whom nobody knows: IRC does not tell who will call."""
_TRIES: Final = 64
"""Ports that are looked at for a pair."""


class ExpectedFlows(Entries):
    """Makes such entries, finds them, and lets them go."""

    follows = ""
    """The gateway that is to read the flow that came last, as far as it was expected."""

    @property
    def counters(self) -> TranslateCounters:
        """What happened to packets and entries."""
        return self._counters

    def manages(self, mapping_id: int) -> bool:
        """Whether this device makes the entries of a mapping."""
        return mapping_id in self._managed.makes

    def is_full(self, host: bytes, more: int) -> bool:
        """Whether so many more flows may not be expected of an inside host."""
        self._forget_gone()
        of_host = sum(1 for reference in self._expected if reference[16:20] == host)
        return of_host + more > MOST_OF_HOST or len(self._expected) + more > MOST

    def expect(
        self,
        mapping_id: int,
        inside_local: bytes,
        inside_global: bytes,
        peer: tuple[bytes, bytes],
        expected: Expected,
        now: float,
    ) -> None:
        """Make an entry for a flow to come. ``peer``: its endpoint (6 bytes) for the inside, and its own.

        One that is there for the same ends is replaced.
        """
        self._now = now
        known = self._table.from_inside(inside_local, peer[0])
        if known is not None and known[FLAGS] & EXPECTED:
            self.forget_expected([known])
        record = self._create(
            mapping_id, inside_local, inside_global, *peer, EXPECTED, encode(expected), expected.life
        )
        self._expected[record[REFERENCE]] = now + expected.life

    def expected_from(self, inside_global: bytes, source: bytes) -> bytes | None:
        """The entry by which an outside endpoint (6 bytes) may begin a flow to an inside-global one."""
        for peer in (source[:4], ANYBODY):
            record = self._table.from_outside(inside_global, peer + NO_PORT)
            if record is not None and self._fits(record, source):
                return record
        return None

    def expected_to(self, host: bytes, protocol: int, called: bytes) -> bytes | None:
        """The entry that says that an inside host will call an outside-local endpoint (6 bytes)."""
        inside_local = host + NO_PORT + OCTETS[protocol]
        if inside_local not in self._table.inside:
            return None
        record = self._table.from_inside(inside_local, called)
        return record if record is not None and self._fits(record, called) else None

    def expected_at(self, inside_local: bytes) -> list[bytes]:
        """The entries that expect flows to an inside endpoint."""
        return [one for one in self._table.at(inside_local) if one[FLAGS] & EXPECTED]

    def forget_expected(self, records: list[bytes]) -> None:
        """They are expected no more."""
        if records:
            self._table.remove(records)
            for record in records:
                self._expected.pop(record[REFERENCE], None)

    def came(self, record: bytes) -> None:
        """A flow that was expected has begun."""
        self.follows = follows_of(record)
        self.forget_expected([record])

    def arrived(self, record: bytes) -> bytes:
        """A packet of a flow that was expected with all of its ends, as calls of GRE are: its entry now.

        That of another router's mapping stays as it is.
        """
        if self._managed.since(record) is None:
            return record
        self._expected.pop(record[REFERENCE], None)
        flags = record[FLAGS] & ~EXPECTED | EXTENDED
        flow = record[:FLAGS] + OCTETS[flags] + record[FLAGS + 1 : FIXED_SIZE]
        timeout = self.timeouts.of_record(flow + bytes(TAIL.size))
        flow += TAIL.pack(in_record(timeout))
        self._table.add([flow])
        self._wheel.put(flow, self._now + timeout)
        return flow

    def entries_at(self, inside_local: bytes) -> list[bytes]:
        """All entries of an inside endpoint."""
        return list(self._table.at(inside_local))

    def entry_from(self, inside_global: bytes, outside_global: bytes) -> bytes | None:
        """The entry of just these ends."""
        return self._table.from_outside(inside_global, outside_global)

    def is_taken(self, inside_global: bytes) -> bool:
        """Whether an inside-global endpoint is anybody's."""
        return inside_global in self._table.outside

    def global_of(self, inside_local: bytes, address: bytes) -> bytes | None:
        """The inside-global endpoint at an address that an inside one has, by a flow or an expected one."""
        slot = self._table.inside.get(inside_local)
        for record in () if slot is None else records_in(slot):
            if record[23:27] == address and record[FLAGS] & (EXPECTED | Flag.EXTENDED):
                return record[INSIDE_GLOBAL]
        return None

    def allocated(self, inside_local: bytes, address: bytes, now: float, *, pair: bool) -> bytes | None:
        """A free inside-global endpoint at an address; of a pair, the even one. None: there is none."""
        self._now = now
        pool = self.rules.pool_of(address)
        port = int.from_bytes(inside_local[4:6], "big")
        for _ in range(_TRIES if pair else 1):
            if pool is not None:
                found = pool.allocate_at(inside_local[6], address, port, self._table.outside, now)
            else:
                found = self._unpooled(inside_local[6:] + address, port)
            if found is None or not pair:
                return found
            if not found[6] & 1 and not self.is_taken(found[:6] + bytes((found[6] + 1,))):
                return found
            port = int.from_bytes(found[5:], "big") + 2 & 0xFFFE
            port = max(port, 1024)
        return None

    def _unpooled(self, place: bytes, port: int) -> bytes | None:
        """A port at an address that only static rules have; the inside port, or one near it."""
        for step in range(0, 2 * _TRIES, 2):
            wanted = place + (1024 + (port - 1024 + step) % 64512).to_bytes(2, "big")
            free = next(self.rules.statics.of_global(wanted[1:], place[0]), None) is None
            if free and not self.is_taken(wanted):
                return wanted
        return None

    def expected_until(self, record: bytes) -> float:
        """When nobody waits any more. Who takes over waits in full."""
        since = self._managed.since(record)
        return self._expected.get(
            record[REFERENCE], (self._now if since is None else since) + life_of(record)
        )

    def _fits(self, record: bytes, peer: bytes) -> bool:
        if not record[FLAGS] & EXPECTED:
            return False
        context = decode(context_of(record))
        return isinstance(context, Expected) and context.port in (0, int.from_bytes(peer[4:6], "big"))

    def _forget_gone(self) -> None:
        if len(self._expected) >= MOST_OF_HOST:
            self._expected = {one: at for one, at in self._expected.items() if self._table.current(one)}


def life_of(record: bytes) -> float:
    """Seconds that a flow is expected."""
    context = decode(context_of(record))
    return context.life if isinstance(context, Expected) else 0.0


def follows_of(record: bytes) -> str:
    """The gateway that reads the flow that was expected; empty: none."""
    context = decode(context_of(record))
    return context.name if isinstance(context, Expected) else ""
