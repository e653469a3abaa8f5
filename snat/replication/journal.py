"""The journal of a feed: its recent messages, made here or received, with the begins of terms between them.

A member that was away for a moment is told what it missed, and nothing else: the messages after its position,
as they were. Whoever manages has them, because members write the journal too.
"""

from collections import deque
from itertools import islice
from typing import Final

from snat.wire.actions import TermBegin
from snat.wire.header import Feed, Position, Term, encode
from snat.wire.items import control

DEFAULT_LIMIT: Final = 2 << 20
"""Bytes; some 40 000 changes. Half of what a connection queue holds, so it can be sent at once."""
TOTAL_LIMIT: Final = 16 << 20
"""Bytes of the journals of one group: with many feeds, each has less."""
_OVERHEAD: Final = 300
"""Bytes that a message costs beside its items."""


class Journal:
    """What led from one position of a feed to the present one, without a gap; the oldest goes first."""

    def __init__(self, feed: Feed, limit: int = DEFAULT_LIMIT) -> None:
        self._feed = feed
        self.limit = limit
        """Bytes that are kept at most, see :meth:`bound`."""
        self._steps: deque[tuple[Position, bytes]] = deque()
        """Where one stands after it, and the items; at sequence 0 a term begins."""
        self._from = Position()
        """Where the oldest step starts."""
        self.size = 0
        """Bytes kept."""

    def __len__(self) -> int:
        return len(self._steps)

    def bound(self, limit: int) -> None:
        """Keep at most ``limit`` bytes from now on."""
        self.limit = limit
        self._forget()

    def restart(self, position: Position) -> None:
        """What came before ``position`` is not known here."""
        self._steps.clear()
        self.size = 0
        self._from = position

    def put(self, position: Position, body: bytes) -> None:
        """A message of changes; it leads to ``position``."""
        self._steps.append((position, body))
        self.size += len(body) + _OVERHEAD
        self._forget()

    def begin(self, term: Term, base: Position) -> None:
        """A term began at ``base``."""
        self.put(Position(term, 0), control(TermBegin(self._feed, term, base)))

    def since(self, position: Position) -> list[bytes] | None:
        """The messages that lead on from ``position``, oldest first; None if not all of them are here."""
        for back, (reached, _) in enumerate(reversed(self._steps)):
            if reached == position:
                return self._encoded(len(self._steps) - back)
        return self._encoded(0) if position == self._from else None

    def _forget(self) -> None:
        while self.size > self.limit:
            self._from, oldest = self._steps.popleft()
            self.size -= len(oldest) + _OVERHEAD

    def _encoded(self, first: int) -> list[bytes]:
        return [
            encode(body, self._feed, at.term, at.sequence) if at.sequence else encode(body)
            for at, body in islice(self._steps, first, None)
        ]
