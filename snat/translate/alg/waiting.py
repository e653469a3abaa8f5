"""Packets that wait: for a segment before them, or until other routers know how they were edited."""

from collections import deque
from typing import Final, NamedTuple

from snat.translate.alg.application import MOST_HELD, MOST_HELD_BYTES, Application
from snat.translate.counters import TranslateCounters
from snat.translate.packet import Verdict

HELD_FOR: Final = 2.0
"""Seconds that a segment waits for one before it; its sender repeats both meanwhile."""
MOST_HELD_IN_ALL: Final = 4 << 20
"""Bytes of segments that wait, of all flows."""
MOST_DELAYED: Final = 1024
"""Packets that wait for other routers; when there are more the first goes."""


class _Segment(NamedTuple):
    until: float
    application: Application
    from_outside: bool
    packet: bytearray
    start: int


class HeldSegments:
    """Segments that came before others, of all flows that are read; each flow has its own by number."""

    def __init__(self, counters: TranslateCounters) -> None:
        self.size = 0
        """Bytes of all of them."""
        self._counters = counters
        self._queue: deque[_Segment] = deque()
        """In the order in which they came; some have gone since."""

    def put(
        self, application: Application, from_outside: bool, packet: bytearray, start: int, now: float
    ) -> None:
        """Keep a segment that begins at a number, unless there is no room; counted either way."""
        held = application.held[from_outside]
        waiting = sum(map(len, held.values()))
        if start in held or len(held) >= MOST_HELD or waiting + len(packet) > MOST_HELD_BYTES:
            self._counters.read_crowded += 1
            return
        while self.size + len(packet) > MOST_HELD_IN_ALL:
            self._evict()
        held[start] = packet
        self.size += len(packet)
        self._queue.append(_Segment(now + HELD_FOR, application, from_outside, packet, start))
        self._counters.read_held += 1

    def take(self, application: Application, from_outside: bool, start: int) -> bytearray:
        """One whose turn it is."""
        packet = application.held[from_outside].pop(start)
        self.size -= len(packet)
        self._counters.read_released += 1
        return packet

    def expire(self, now: float) -> None:
        """Forget those that waited in vain."""
        while self._queue and self._queue[0].until <= now:
            self._evict()

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do; infinite: nothing waits."""
        return self._queue[0].until if self._queue else float("inf")

    def _evict(self) -> None:
        one = self._queue.popleft()
        held = one.application.held[one.from_outside]
        if held.get(one.start) is one.packet:
            del held[one.start]
            self.size -= len(one.packet)
            self._counters.read_evicted += 1


class DelayedPackets:
    """Packets that leave a little later, and where they go."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Verdict, bytes]] = []

    def put(self, at: float, goes: Verdict, packet: bytes) -> tuple[Verdict, bytes] | None:
        """Let one wait; the oldest leaves now if there are too many."""
        self._waiting.append((at, goes, packet))
        return self._waiting.pop(0)[1:] if len(self._waiting) > MOST_DELAYED else None

    def due(self, now: float) -> list[tuple[Verdict, bytes]]:
        """Those whose time has come, in their order."""
        if not self._waiting:
            return []
        due = [one[1:] for one in self._waiting if one[0] <= now]
        if due:
            self._waiting = [one for one in self._waiting if one[0] > now]
        return due

    def all(self) -> list[tuple[Verdict, bytes]]:
        """All that wait, in their order; none does any more."""
        waiting, self._waiting = self._waiting, []
        return [one[1:] for one in waiting]

    def next_deadline(self) -> float:
        """When the next one leaves; infinite: none waits."""
        return min((one[0] for one in self._waiting), default=float("inf"))
