"""What this device tells the manager of entries that are another's (design section 7).

A router that translates by an entry which it does not manage runs no timer for it. It tells who does what it
saw: that the entry is used, four times in its time-out at most, and the TCP segments that change its state.
A path that nothing used for that long goes; the next packet makes it anew, and is told.
"""

from collections.abc import Callable
from typing import Final

from snat.nat.ageing import GRANULARITY, Wheel
from snat.nat.entry import REFERENCE
from snat.nat.tracking import ACK, FIN, RST, SYN, Closing
from snat.translate.flow_cache import FlowCache, Path
from snat.wire.actions import Hint, Seen

MOST: Final = 4096
"""Hints that wait to be sent; more are only counted: what is in use will be told again."""
_SLICE: Final = 1000
"""Paths looked at in one turn: a millisecond."""
_SHARE: Final = 4
"""Times in its time-out that an entry is told to be used."""
_TELLING: Final = SYN | FIN | RST

IdleTime = Callable[[bytes], float]
"""Seconds without a packet after which an entry goes; infinite for what does not age."""


class Hints:
    """The hints of one device, as long as they wait to be sent."""

    def __init__(self, cache: FlowCache, manages: Callable[[bytes], bool], now: float) -> None:
        """``manages``: whether this device itself ages an entry."""
        self.waiting: list[Hint] = []
        self.dropped = 0
        self.retain = float("inf")
        """Seconds without use after which others may let an entry go, whatever its time-out."""
        self._cache = cache
        self._manages = manages
        self._wheel = Wheel(now)
        self._left: list[Path] = []
        """Paths made while this device managed their entries."""

    def begin(self, path: Path, idle: float, now: float) -> None:
        """A path was made: its entry is used here. If it is another's, its manager shall know."""
        if not self._manages(path.record):
            self._tell(Hint(path.record[REFERENCE], 0, 0, 0, 0))
            self._look(path.record, idle, now)

    def leave(self) -> None:
        """This device manages less than before: the paths that there are may be of others' entries now."""
        self._left = self._cache.paths()

    def segment(self, path: Path, from_outside: bool, flags: int, payload: int, after: int, ack: int) -> None:
        """A TCP segment passed: ``after`` is the sequence number that follows it, ``ack`` its ACK number.

        Only what the manager cannot do without is told: that something begins, ends, or an end is known.
        """
        if flags & (SYN | ACK) == SYN:  # another connection begins where one has ended
            path.closing = path.other.closing = None
        if flags & (FIN | RST) and path.closing is None:
            path.closing = path.other.closing = Closing()
        learnt = path.closing is not None and path.closing.see(from_outside, flags, after, ack)
        if flags & _TELLING or learnt:
            seen = (Seen.FROM_OUTSIDE if from_outside else 0) | (Seen.DATA if payload else 0)
            self._tell(Hint(path.record[REFERENCE], seen, flags, after, ack))

    def drain(self) -> list[Hint]:
        """What is to be told now."""
        drained, self.waiting = self.waiting, []
        return drained

    def expire(self, now: float, idle: IdleTime) -> None:
        """Look at the paths that are due, in a bounded slice."""
        for left in self._left[-_SLICE:]:
            if not self._manages(left.record):
                self._look(left.record, idle(left.record), now)
        del self._left[-_SLICE:]
        for record in self._wheel.due(now, _SLICE):
            path = self._cache.of(record)
            if path is None or self._manages(path.record):
                continue
            seconds = idle(path.record)
            if max(path.seen, path.other.seen) > now - self._share(seconds) - GRANULARITY:
                self._tell(Hint(path.record[REFERENCE], 0, 0, 0, 0))
                self._look(path.record, seconds, now)
            else:
                self._cache.drop(path)

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        return float("-inf") if self._left else self._wheel.next_deadline()

    def _look(self, record: bytes, idle: float, now: float) -> None:
        self._wheel.put(record, now + self._share(idle))

    def _share(self, idle: float) -> float:
        """Seconds between two looks at an entry."""
        return min(idle, self.retain) / _SHARE

    def _tell(self, hint: Hint) -> None:
        if len(self.waiting) < MOST:
            self.waiting.append(hint)
        else:
            self.dropped += 1
