"""Pools whose addresses are given as a whole, each to one host, with all ports and protocols.

Which host has which address is known from the entries alone, of whoever made them: an address is free when
no entry has it and its quarantine is over. Of a pool that members share, each gives away the addresses of its
own slots, slot = place mod 16, so that two that manage at once never give one address away twice.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

from snat.nat.addresses import Addresses, jump_hash, same_host
from snat.nat.pool import QUARANTINE, SLOTS

_NEVER: Final = float("-inf")


class AddressPool:
    """The addresses of one pool, and which host has which.

    The hosts of an inside pool are inside-local addresses, those of an outside pool outside-global ones.
    """

    def __init__(
        self, name: str, ranges: Sequence[tuple[int, int]], slots: Sequence[int], *, match_host: int = 0
    ) -> None:
        """``ranges``: first and last address of each. ``match_host``: the prefix length of that type."""
        self.name = name
        self.misses = 0
        """Requests for an address that found none free."""
        self.missed_at = _NEVER
        """When the last one was."""
        self._addresses = Addresses(ranges)
        self.ranges = tuple(ranges)
        self._match_host = match_host
        self._slots = tuple(slots)
        self._address_of: dict[bytes, bytes] = {}
        self._hosts: dict[bytes, dict[bytes, int]] = {}
        """Entries of each host, by address: only after a split an address has two."""
        self._changed_at: dict[bytes, float] = {}
        self._quarantine: OrderedDict[bytes, float] = OrderedDict()
        self._taken = [bytearray(-(-(self._addresses.size - slot) // SLOTS)) for slot in range(SLOTS)]
        """By slot: 1 at every 16th place whose address is held or in quarantine."""

    def __contains__(self, address: bytes) -> bool:
        return address in self._addresses

    def deal(self, slots: Sequence[int]) -> None:
        """Take another share of the addresses; hosts keep those that they have."""
        self._slots = tuple(slots)

    def forget(self) -> None:
        """Know of no entries: all that there are will be told."""
        self._address_of.clear()
        self._hosts.clear()
        self._changed_at.clear()
        for taken in self._taken:
            taken[:] = bytes(len(taken))
        for address in self._quarantine:
            self._mark(address, 1)

    @property
    def quarantined(self) -> int:
        """Freed addresses that wait."""
        return len(self._quarantine)

    def host_of(self, address: bytes) -> bytes | None:
        """Who has an address."""
        hosts = self._hosts.get(address)
        return None if hosts is None else next(iter(hosts))

    def entries_of(self, address: bytes) -> int:
        """Entries that have an address."""
        return sum(self._hosts.get(address, {}).values())

    def changed_at(self, address: bytes) -> float:
        """When the last entry of an address came or went."""
        return self._changed_at.get(address, _NEVER)

    def assign(self, host: bytes, now: float) -> bytes | None:
        """The address that a host has, or one that it may have; it has it once it has an entry."""
        address = self._address_of.get(host)
        if address is not None:
            return address
        self._end_quarantines(now)
        address = self._same(host) if self._match_host else self._free_one(host)
        if address is None:
            self.misses += 1
            self.missed_at = now
        return address

    def hold(self, address: bytes, host: bytes, now: float) -> None:
        """There is one entry more of a host with an address."""
        hosts = self._hosts.setdefault(address, {})
        hosts[host] = hosts.get(host, 0) + 1
        self._address_of.setdefault(host, address)
        self._changed_at[address] = now
        self._quarantine.pop(address, None)
        self._mark(address, 1)

    def release(self, address: bytes, host: bytes, now: float) -> None:
        """There is one entry less."""
        hosts = self._hosts.get(address, {})
        if host not in hosts:
            return
        hosts[host] -= 1
        self._changed_at[address] = now
        if hosts[host]:
            return
        del hosts[host]
        if self._address_of.get(host) == address:
            del self._address_of[host]
        if not hosts:
            del self._hosts[address], self._changed_at[address]
            self._quarantine[address] = now + QUARANTINE

    # Inside

    def _same(self, host: bytes) -> bytes | None:
        """The one address with the host's part, whose slot does not matter: no other host may have it."""
        address = same_host(self.ranges, self._match_host, host)
        free = address in self._addresses and address not in self._hosts and address not in self._quarantine
        return address if free else None

    def _free_one(self, host: bytes) -> bytes | None:
        """A free address of our slots, from where the host's hash points on."""
        first = jump_hash(xxh3_64_intdigest(host), self._addresses.size)
        begin, slot = divmod(first, SLOTS)
        for step in range(SLOTS):
            one = (slot + step) % SLOTS
            taken = self._taken[one]
            if one not in self._slots or not taken:
                continue
            at = taken.find(0, min(begin, len(taken)))
            if at < 0:
                at = taken.find(0)
            if at >= 0:
                return self._addresses.at(at * SLOTS + one)
        return None

    def _mark(self, address: bytes, taken: int) -> None:
        place = self._addresses.place(address)
        if place is not None:
            self._taken[place % SLOTS][place // SLOTS] = taken

    def _end_quarantines(self, now: float) -> None:
        while self._quarantine and next(iter(self._quarantine.values())) <= now:
            self._mark(self._quarantine.popitem(last=False)[0], 0)
