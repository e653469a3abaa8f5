"""Address pools and the ports of their addresses.

A port is free only if no entry of any owner uses it, which the table's outside index knows. What the pool
keeps beside it are its own marks, so that a nearly full address is searched fast, and the quarantine.

Ports (and ICMP identifiers) fall in 16 slots, slot = (port >> 1) mod 16, dealt to the members; a device
allocates from its own slots only, so ports never collide, pairs stay together and parity survives (design
section 8). The marks of one address and protocol are a bytearray permuted so that each combination of
slot, parity and class (below 1024 or not) is contiguous: ``find`` searches it in C.
"""

import random
from collections import OrderedDict
from collections.abc import Container, Iterator, Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

SLOTS: Final = 16
QUARANTINE: Final = 120.0
"""Seconds before a port without connection tracking is used again (RFC 6888 REQ-8)."""
_LOW: Final = 1024
_GROUPS: Final = 32
"""Slots times parities."""
_LOW_SIZE: Final = _LOW // _GROUPS
_HIGH_SIZE: Final = (65536 - _LOW) // _GROUPS
_HOSTS: Final = 65536
"""Inside hosts whose address is remembered; it can be computed again."""


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


def port_at(at: int) -> int:
    """The port at a position of the marks."""
    if at < _LOW:
        group, index = divmod(at, _LOW_SIZE)
    else:
        group, index = divmod(at - _LOW, _HIGH_SIZE)
        index += _LOW_SIZE
    return index << 5 | group


class Pool:
    """The addresses of one pool, and this device's share of their ports."""

    def __init__(
        self, name: str, ranges: Sequence[tuple[int, int]], slots: Sequence[int], choice: random.Random
    ) -> None:
        """``ranges``: first and last address of each."""
        self.name = name
        self._ranges = tuple(ranges)
        self._slots = tuple(slots)
        self._choice = choice
        self._marks: dict[bytes, bytearray] = {}
        """By protocol and address."""
        self._address_of: dict[bytes, bytes] = {}
        self._quarantine: OrderedDict[bytes, float] = OrderedDict()
        """When each freed inside-global endpoint may be used again, soonest first. Apart from the marks,
        because a standby frees ports of addresses that it has no marks for."""

    def deal(self, slots: Sequence[int]) -> None:
        """Give out ports of these slots from now on; what was given out stays."""
        self._slots = tuple(slots)

    def __contains__(self, address: bytes) -> bool:
        value = int.from_bytes(address, "big")
        return any(first <= value <= last for first, last in self._ranges)

    @property
    def quarantined(self) -> int:
        """Freed ports that wait."""
        return len(self._quarantine)

    def address_for(self, host: bytes) -> bytes:
        """The pool address that an inside host keeps (RFC 4787 REQ-2), the same on every member."""
        address = self._address_of.get(host)
        if address is None:
            if len(self._address_of) >= _HOSTS:
                self._address_of.clear()
            candidates = (
                value.to_bytes(4, "big") for first, last in self._ranges for value in range(first, last + 1)
            )
            address = max(candidates, key=lambda one: xxh3_64_intdigest(host + one))
            self._address_of[host] = address
        return address

    def allocate(
        self, protocol: int, host: bytes, port: int, used: Container[bytes], now: float
    ) -> tuple[bytes, int] | None:
        """An address and port for an inside endpoint; None when the address has none left.

        ``used`` holds inside-global endpoints. The inside port is kept where it can be; otherwise class and
        parity are, parity last (RFC 4787 REQ-3, REQ-4). Where it changes it is hard to guess (RFC 6056).
        """
        self._end_quarantines(now)
        address = self.address_for(host)
        prefix = bytes((protocol,)) + address
        marks = self._marks.get(prefix)
        if marks is None:
            marks = self._marks[prefix] = bytearray(65536)
            marks[0] = 1  # port 0 is never handed out
        for at in self._candidates(marks, port):
            marks[at] = 1
            found = port_at(at)
            endpoint = prefix + found.to_bytes(2, "big")
            if endpoint not in used and endpoint not in self._quarantine:
                return address, found
        return None

    def free(self, endpoint: bytes, now: float, quarantine: bool) -> None:
        """An inside-global endpoint has no entry any more."""
        self._end_quarantines(now)
        if quarantine:
            self._quarantine[endpoint] = now + QUARANTINE
            self._quarantine.move_to_end(endpoint)
        else:
            self._unmark(endpoint)

    def _end_quarantines(self, now: float) -> None:
        while self._quarantine and next(iter(self._quarantine.values())) <= now:
            self._unmark(self._quarantine.popitem(last=False)[0])

    def _unmark(self, endpoint: bytes) -> None:
        marks = self._marks.get(endpoint[:5])
        if marks is not None:
            marks[position(int.from_bytes(endpoint[5:], "big"))] = 0

    def _candidates(self, marks: bytearray, port: int) -> Iterator[int]:
        """Unmarked positions, best first. Whoever takes one marks it before asking for the next."""
        wanted = position(port)
        if (port >> 1) % SLOTS in self._slots and not marks[wanted]:
            yield wanted
        if not self._slots:  # more members than slots: this one allocates nothing
            return
        base, size = (0, _LOW_SIZE) if port < _LOW else (_LOW, _HIGH_SIZE)
        for parity in (port & 1, ~port & 1):
            first = self._choice.randrange(len(self._slots))
            for slot in self._slots[first:] + self._slots[:first]:
                begin = base + (slot << 1 | parity) * size
                middle = begin + self._choice.randrange(size)
                for low, high in ((middle, begin + size), (begin, middle)):
                    while (at := marks.find(0, low, high)) >= 0:
                        yield at
