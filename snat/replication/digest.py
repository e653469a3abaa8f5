"""The digest of a feed: how many entries, and the sum mod 2^64 of a hash of each record without its tail.

A sum, because entries come and go in any order; xxh3 and not a CRC under XOR, which is linear: entries that
swapped ports would cancel out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from xxhash import xxh3_64_intdigest

from snat.nat.entry import TAIL

_MODULUS: Final = 1 << 64
_covered: Final = itemgetter(slice(-TAIL.size))


def total(records: Iterable[bytes]) -> int:
    """The sum of the hashes, not yet reduced."""
    return sum(map(xxh3_64_intdigest, map(_covered, records)))


@dataclass(slots=True)
class FeedDigest:
    """Count and digest of the records of one feed."""

    count: int = 0
    value: int = 0

    def change(self, removed: list[bytes], added: list[bytes]) -> None:
        """Account for one batch."""
        self.count += len(added) - len(removed)
        less = total(removed) if removed else 0
        self.value = (self.value + total(added) - less) % _MODULUS
