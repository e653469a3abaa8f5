"""The connection queue (334, Fig. 5A): messages on their way to one neighbor, bounded in bytes.

Messages are shared: one encoding serves the queues of all neighbors. A neighbor that does not keep up loses
its queue and *needs resync*; it never delays another neighbor or the data path.
"""

from collections import deque
from typing import Final

DEFAULT_LIMIT: Final = 4 << 20
"""Bytes; about 80 000 changes. More than this behind, a dump is the shorter way."""


class ConnectionQueue:
    """Messages (502) of one link, first in first out."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._messages: deque[bytes] = deque()
        self._limit = limit
        self.size = 0
        """Bytes queued."""
        self.needs_resync = False
        """The queue overflowed and was dropped: what the neighbor knows has a gap."""
        self.overflows = 0

    def put(self, message: bytes) -> None:
        """Queue a message, unless the neighbor needs a resync first."""
        if self.needs_resync:
            return
        if self.size + len(message) > self._limit:
            self._messages.clear()
            self.size = 0
            self.needs_resync = True
            self.overflows += 1
            return
        self._messages.append(message)
        self.size += len(message)

    def take(self, most: int) -> list[bytes]:
        """Messages from the front, at least one if there is any, until ``most`` bytes."""
        taken: list[bytes] = []
        messages, size = self._messages, 0
        while messages and (not taken or size + len(messages[0]) <= most):
            taken.append(messages.popleft())
            size += len(taken[-1])
        self.size -= size
        return taken
