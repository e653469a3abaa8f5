"""Ports that nobody uses, among peers: one of them may have an entry of which this device has not heard.

A host keeps its outside port whichever router its next flow goes by (RFC 4787 REQ-1), so a peer makes
entries with ports that are ours to give. Until all have told us what they made before they knew that a port
was freed, it is not given to another host. That takes three rounds with peers that are heard; a round begins
when all are up to date, at least a hold time after the last one. What a lost peer knew, waits for it.
"""

from collections import deque
from typing import Final

_ROUNDS: Final = 3
"""They hear of it; so what they made before is told; and that has arrived."""


class Parking:
    """Inside-global endpoints that wait."""

    def __init__(self) -> None:
        self._rounds: deque[set[bytes]] = deque((set() for _ in range(_ROUNDS)), maxlen=_ROUNDS)
        self._lost: set[bytes] = set()

    def __len__(self) -> int:
        return sum(map(len, self._rounds)) + len(self._lost)

    def __contains__(self, endpoint: bytes) -> bool:
        return endpoint in self._lost or any(endpoint in one for one in self._rounds)

    def put(self, endpoint: bytes, *, lost: bool) -> None:
        """It has no entry any more. ``lost``: of its last one a peer knew that is lost now."""
        (self._lost if lost else self._rounds[0]).add(endpoint)

    def round(self) -> set[bytes]:
        """All peers that are heard are up to date; the endpoints that have waited long enough."""
        done = self._rounds[-1]
        self._rounds.appendleft(set())
        return done

    def met(self) -> None:
        """Nobody is lost any more."""
        self._rounds[0] |= self._lost
        self._lost = set()
