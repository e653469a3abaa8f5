"""Pools whose addresses many inside hosts share (``overload``), and the ports of their addresses.

A port is free only if no entry of any owner uses it, which the table's outside index knows. What the pool
keeps beside it are its own marks, so that a nearly full address is searched fast, and the quarantine.

Ports (and ICMP identifiers) fall in 16 slots, slot = (port >> 1) mod 16, dealt to the members; a device
allocates from its own slots only, so ports never collide, pairs stay together and parity survives (design
section 8). The marks of one address and protocol are a bytearray permuted so that each combination of
slot, parity and class (below 1024 or not) is contiguous: ``find`` searches it in C.

A flow of a protocol without ports has an address alone, which no other host may have towards the same outside
host. There is no port in it that slots could be of. In a group of which one device manages, who manages gives
it; after a split the merge finds those that both sides gave away. Among peers, which all give at once, an
address is the one's whose slot is its place in the pool mod 16, as in a pool without overload.
"""

import random
from collections import OrderedDict
from collections.abc import Container, Iterator, Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

from snat.nat.addresses import Addresses, jump_hash, same_host
from snat.nat.parking import Parking

SLOTS: Final = 16
QUARANTINE: Final = 120.0
"""Seconds before a port without connection tracking is used again (RFC 6888 REQ-8)."""
NO_PORT: Final = bytes(2)
"""In an endpoint of a protocol without ports. Port 0 is never given out."""
_LOW: Final = 1024
_GROUPS: Final = 32
"""Slots times parities."""
_LOW_SIZE: Final = _LOW // _GROUPS
_HIGH_SIZE: Final = (65536 - _LOW) // _GROUPS
_HOSTS: Final = 65536
"""Inside hosts whose address is remembered; it can be computed again."""
_NEIGHBORS: Final = 16
"""Addresses that are tried for a host whose own has no port left, where that is allowed."""


def member_slots(nat_id: int, members: Sequence[int]) -> tuple[int, ...]:
    """The slots of one member: dealt evenly over the sorted NAT IDs."""
    order = sorted(set(members))
    return tuple(slot for slot in range(SLOTS) if order[slot % len(order)] == nat_id)


def position(port: int) -> int:
    """Where a port is in the marks."""
    group, index = port & 31, port >> 5
    if port < _LOW:
        return group * _LOW_SIZE + index
    return _LOW + group * _HIGH_SIZE + index - _LOW_SIZE


class Pool:
    """The addresses of one pool, and this device's share of their ports."""

    def __init__(
        self,
        name: str,
        ranges: Sequence[tuple[int, int]],
        slots: Sequence[int],
        choice: random.Random,
        *,
        match_host: int = 0,
        paired: bool = True,
    ) -> None:
        """``ranges``: first and last address of each. ``match_host``: prefix length of a pool of that type.

        ``paired``: a host whose address has no port left gets none of another one (RFC 4787 REQ-2, RFC 7857
        section 4).
        """
        self.name = name
        self.misses = 0
        """Requests for a port that found none free."""
        self.missed_at = float("-inf")
        """When the last one was."""
        self.parking: Parking | None = None
        """Of a pool from which peers give while we do."""
        self._addresses = Addresses(ranges)
        self.ranges = tuple(ranges)
        self._match_host = match_host
        self._paired = paired
        self._reserved: Container[bytes] = frozenset()
        self._choice = choice
        self._marks: dict[bytes, bytearray] = {}
        """By protocol and address: ports that are known to be in use, or are not to be used."""
        self._address_of: dict[bytes, bytes | None] = {}
        self._quarantine: OrderedDict[bytes, float] = OrderedDict()
        """When each freed inside-global endpoint may be used again, soonest first. Apart from the marks,
        because a standby frees ports of addresses that it has no marks for."""
        self.deal(slots)

    def __contains__(self, address: bytes) -> bool:
        return address in self._addresses

    def deal(self, slots: Sequence[int]) -> None:
        """Take another share of the ports; entries keep the ports that they have."""
        self._slots = tuple(slots)
        self._ours = tuple(slot in self._slots for slot in range(SLOTS))

    def reserve(self, reserved: Container[bytes]) -> None:
        """Hand out no more of these: protocols with ports, 3 bytes. Entries keep what they have."""
        if reserved != self._reserved:
            self._reserved = reserved
            self.forget()  # what was reserved is marked, and may not be any more

    def forget(self) -> None:
        """Know nothing of what is in use: it was not told for a while. What is used, the table knows."""
        self._marks.clear()

    @property
    def quarantined(self) -> int:
        """Freed ports that wait."""
        return max(len(self._quarantine), len(self.parking) if self.parking is not None else 0)

    def address_for(self, host: bytes) -> bytes | None:
        """The pool address that an inside host keeps (RFC 4787 REQ-2), the same on every member.

        None: the pool has no address with the host's part, and its type asks for that.
        """
        if host in self._address_of:
            return self._address_of[host]
        if len(self._address_of) >= _HOSTS:
            self._address_of.clear()
        if self._match_host:
            same = same_host(self.ranges, self._match_host, host)
            address = same if same in self._addresses else None
        else:
            address = self._addresses.at(self._place(host))
        self._address_of[host] = address
        return address

    def allocate(
        self, protocol: int, host: bytes, port: int, used: Container[bytes], now: float
    ) -> bytes | None:
        """The inside-global endpoint for an inside one; None when there is no port left for the host.

        ``used`` holds inside-global endpoints. The inside port is kept where it can be; otherwise class and
        parity are, parity last (RFC 4787 REQ-3, REQ-4). Where it changes it is hard to guess (RFC 6056).
        """
        if self._quarantine:
            self._end_quarantines(now)
        address = self._address_of.get(host) or self.address_for(host)
        if address is not None:
            found = self._allocate_at(protocol, address, port, used)
            if found is None and not self._paired:
                others = (self._allocate_at(protocol, one, port, used) for one in self._others(host))
                found = next((one for one in others if one is not None), None)
            if found is not None:
                return found
        self.misses += 1
        self.missed_at = now
        return None

    def allocate_at(
        self, protocol: int, address: bytes, port: int, used: Container[bytes], now: float
    ) -> bytes | None:
        """As :meth:`allocate`, at one address of the pool."""
        if self._quarantine:
            self._end_quarantines(now)
        return self._allocate_at(protocol, address, port, used)

    def without_port(self, host: bytes) -> Iterator[bytes]:
        """Addresses for a flow without ports, best first: the host's own, and others where that is allowed.

        Whether flows of other hosts are in the way, the caller knows. The order is always the same.
        """
        own = self.address_for(host)
        for address in () if own is None else (own,) if self._paired else (own, *self._others(host)):
            if self.parking is None or self._is_ours(address):
                yield address

    def is_others(self, endpoint: bytes) -> bool:
        """Whether an inside-global endpoint of this pool is another device's to give."""
        return self.parking is not None and not self._ours[endpoint[6] >> 1 & 15]

    def free(self, endpoint: bytes, now: float, quarantine: bool, *, lost: bool = False) -> None:
        """An inside-global endpoint has no entry any more; ``lost``: see :meth:`Parking.put`."""
        self._end_quarantines(now)
        if endpoint[5:] == NO_PORT:  # of a protocol without ports: what has none cannot be freed
            return
        if self.parking is not None:
            self.parking.put(endpoint, lost=lost)
        if quarantine:
            self._quarantine[endpoint] = now + QUARANTINE
            self._quarantine.move_to_end(endpoint)
        elif self.parking is None:
            self._unmark(endpoint)

    def peers_know(self) -> None:
        """All peers that are heard are up to date: ports that waited for that may be given again."""
        for endpoint in self.parking.round() if self.parking is not None else ():
            if endpoint not in self._quarantine:
                self._unmark(endpoint)

    # Inside

    def _allocate_at(self, protocol: int, address: bytes, port: int, used: Container[bytes]) -> bytes | None:
        prefix = bytes((protocol,)) + address
        if port and self._ours[port >> 1 & 15]:
            # Not marked: whoever searches finds it in use then, and marks it.
            wanted = prefix + port.to_bytes(2, "big")
            if wanted not in used and not self._waits(wanted):
                return wanted
        marks = self._marks.get(prefix)
        if marks is None:
            marks = self._marks[prefix] = bytearray(65536)
            marks[0] = 1  # port 0 is never handed out
        while (found := self._search(marks, port)) >= 0:
            endpoint = prefix + found.to_bytes(2, "big")
            if endpoint not in used and not self._waits(endpoint):
                return endpoint
        return None

    def _waits(self, endpoint: bytes) -> bool:
        """Whether a port that no entry uses is not to be used nevertheless."""
        if self.parking is not None and endpoint in self.parking:
            return True
        return endpoint in self._quarantine or (
            bool(self._reserved) and endpoint[:1] + endpoint[5:] in self._reserved
        )

    def _is_ours(self, address: bytes) -> bool:
        """Whether an address as a whole is this device's to give, while others give too."""
        place = self._addresses.place(address)
        return place is not None and self._ours[place % SLOTS]

    def _place(self, host: bytes) -> int:
        return jump_hash(xxh3_64_intdigest(host), self._addresses.size)

    def _others(self, host: bytes) -> Iterator[bytes]:
        first = 0 if self._match_host else self._place(host)
        for step in range(1, min(self._addresses.size, _NEIGHBORS)):
            yield self._addresses.at((first + step) % self._addresses.size)

    def _end_quarantines(self, now: float) -> None:
        while self._quarantine and next(iter(self._quarantine.values())) <= now:
            endpoint = self._quarantine.popitem(last=False)[0]
            if self.parking is None or endpoint not in self.parking:
                self._unmark(endpoint)

    def _unmark(self, endpoint: bytes) -> None:
        marks = self._marks.get(endpoint[:5])
        if marks is not None:
            marks[position(int.from_bytes(endpoint[5:], "big"))] = 0

    def _search(self, marks: bytearray, port: int) -> int:
        """The best unmarked port, by chance among those that are as good, and marks it; -1: there is none."""
        slots = self._slots
        if not slots:  # more members than slots: this one allocates nothing
            return -1
        base, size, skipped = (0, _LOW_SIZE, 0) if port < _LOW else (_LOW, _HIGH_SIZE, _LOW_SIZE)
        chance = self._choice.getrandbits(32)
        first, within = chance % len(slots), (chance >> 8) % size
        for parity in (port & 1, port & 1 ^ 1):
            for step in range(first, first + len(slots)):
                group = slots[step % len(slots)] << 1 | parity
                begin = base + group * size
                middle = begin + within
                at = marks.find(0, middle, begin + size)
                if at < 0:
                    at = marks.find(0, begin, middle)
                if at >= 0:
                    marks[at] = 1
                    return (at - begin + skipped) << 5 | group
        return -1
