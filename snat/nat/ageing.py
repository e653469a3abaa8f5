"""Incremental expiry: coarse buckets of records by deadline, never a timer per entry.

A record in a bucket only says "look at this entry then": who looks decides by when it was really last used,
and puts it into a later bucket if it was.
"""

from collections import defaultdict
from typing import Final

GRANULARITY: Final = 1.0
"""Seconds a bucket spans; expiry is at most this late."""

_NEVER: Final = float("inf")


class Wheel:
    """Records by the second in which they are to be looked at."""

    def __init__(self, now: float) -> None:
        self._buckets: defaultdict[int, list[bytes]] = defaultdict(list)
        self._reached = self._bucket(now)

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def put(self, record: bytes, deadline: float) -> None:
        """Look at ``record`` once ``deadline`` has passed; an infinite one never comes."""
        if deadline != _NEVER:
            bucket = int(deadline // GRANULARITY) + 1
            self._buckets[max(self._reached, bucket)].append(record)

    def due(self, now: float, most: int) -> list[bytes]:
        """Up to ``most`` records to look at; there may be more if it returns that many."""
        found: list[bytes] = []
        until = self._bucket(now)
        while self._reached <= until:
            bucket = self._buckets.get(self._reached)
            if bucket is None and until - self._reached > len(self._buckets):  # time leapt, as in captures
                self._reached = min(until + 1, min(self._buckets, default=until + 1))
                continue
            if bucket:
                room = most - len(found)
                found += bucket[-room:]
                del bucket[-room:]
                if len(found) >= most:
                    break
            self._buckets.pop(self._reached, None)
            self._reached += 1
        return found

    def next_deadline(self) -> float:
        """When the next bucket is due; infinite if there is none."""
        return self._reached * GRANULARITY if self._buckets else float("inf")

    @staticmethod
    def _bucket(at: float) -> int:
        return int(at // GRANULARITY)
