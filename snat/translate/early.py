"""Packets from outside that come before the entry which a peer is making (design section 7, Fig. 2C).

The flow left by another router, and its answer came here faster than the entry. Such a packet waits for it a
moment; then it is looked at as any other. Only a port that is a peer's to give can have such an entry.
"""

from collections.abc import Callable
from typing import Final

from snat.translate.counters import TranslateCounters
from snat.translate.packet import START, TOTAL_LENGTH

PATIENCE: Final = 0.02
"""Seconds that a packet waits at most."""
MOST: Final = 128
"""Packets that wait; strangers can send more, which are dropped as if nobody was to ask."""

Arrived = Callable[[bytes, int], bool]
"""Whether there is an entry for the 5-tuple and protocol of a packet from outside."""


class EarlyPackets:
    """Those of the last 20 ms, the oldest first."""

    def __init__(self, counters: TranslateCounters) -> None:
        self.open = False
        """Whether packets wait at all (``as-queuing``)."""
        self._counters = counters
        self._waiting: list[tuple[float, bytes, int, bytes]] = []
        """Until when; 5-tuple and protocol; the packet behind its virtio header."""

    def hold(self, key: bytes, protocol: int, buffer: bytearray, now: float) -> bool:
        """Whether a packet waits now."""
        if not self.open:
            return False
        if len(self._waiting) >= MOST:
            self._counters.early_full += 1
            return False
        total = int.from_bytes(buffer[TOTAL_LENGTH : TOTAL_LENGTH + 2], "big")
        self._waiting.append((now + PATIENCE, key, protocol, bytes(buffer[: START + total])))
        self._counters.early_held += 1
        return True

    def next_deadline(self) -> float:
        """When :meth:`due` has something to give; infinite if nothing waits."""
        return self._waiting[0][0] if self._waiting else float("inf")

    def due(self, now: float, arrived: Arrived) -> list[bytes]:
        """The packets whose entry ``arrived``, or whose time is over, in the order in which they came."""
        found, rest = [], []
        for waiting in self._waiting:
            until, key, protocol, packet = waiting
            if arrived(key, protocol):
                self._counters.early_released += 1
                found.append(packet)
            elif until <= now:
                found.append(packet)
            else:
                rest.append(waiting)
        self._waiting = rest
        return found
