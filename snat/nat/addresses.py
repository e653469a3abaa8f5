"""The addresses of a pool: several ranges, counted through."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

_MASK: Final = (1 << 64) - 1


class Addresses:
    """IPv4 addresses in ranges that do not overlap, each with a place from 0 on."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        """``ranges``: first and last address of each, as integers, none empty."""
        self._ranges = tuple(ranges)
        sizes = [last - first + 1 for first, last in ranges]
        self._places = [0, *accumulate(sizes)]
        self._spans = Spans(ranges)
        self.size = sum(sizes)

    def __contains__(self, address: bytes) -> bool:
        return address in self._spans

    def at(self, place: int) -> bytes:
        """The address at a place."""
        number = bisect_right(self._places, place) - 1
        return (self._ranges[number][0] + place - self._places[number]).to_bytes(4, "big")

    def place(self, address: bytes) -> int | None:
        """The place of an address; None: it is not one of these."""
        value = int.from_bytes(address, "big")
        for (first, last), places in zip(self._ranges, self._places, strict=False):
            if first <= value <= last:
                return places + value - first
        return None


class Spans:
    """A set of addresses, in ranges; it costs the same to look into however large they are."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(last, merged[-1][1])
            else:
                merged.append((first, last))
        # In bytes as they come in packets, whose order is that of the numbers.
        self._firsts = [first.to_bytes(4, "big") for first, _ in merged]
        self._lasts = [last.to_bytes(4, "big") for _, last in merged]

    def __contains__(self, address: bytes) -> bool:
        at = bisect_right(self._firsts, address)
        return at > 0 and address <= self._lasts[at - 1]


def jump_hash(key: int, buckets: int) -> int:
    """One of so many buckets, evenly by a 64-bit key; one bucket more moves no key but into it.

    Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", in integers.
    """
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) & _MASK
        following = (bucket + 1 << 31) // ((key >> 33) + 1)
    return bucket


def same_host(ranges: Sequence[tuple[int, int]], prefix_length: int, host: bytes) -> bytes:
    """The address in the network of a pool that has the host part of an inside host (``type match-host``)."""
    hosts = (1 << 32 - prefix_length) - 1
    network = ranges[0][0] & ~hosts
    return (network | int.from_bytes(host, "big") & hosts).to_bytes(4, "big")
