"""The connection queues of a link (334, Fig. 5A, 12A, 12B), bounded in bytes.

Outbound messages are shared: one encoding serves the queues of all neighbors. A neighbor that does not keep
up loses its queue and *needs resync*; it never delays another neighbor or the data path. Inbound messages
wait here until they are applied, a slice at a time; while too many wait, nothing more is read.
"""

from collections import deque
from typing import Final

from snat.wire.header import SIZE, Message

DEFAULT_LIMIT: Final = 4 << 20
"""Bytes; about 80 000 changes. More than this behind, a dump is the shorter way."""
INBOUND_LIMIT: Final = 1 << 20
"""Bytes that may wait to be applied before the link is no longer read."""


class ConnectionQueue:
    """Messages (502) to one neighbor, first in first out."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._messages: deque[bytes] = deque()
        self._limit = limit
        self.size = 0
        """Bytes queued."""
        self.needs_resync = False
        """The queue overflowed and was dropped: what the neighbor knows has a gap."""
        self.overflows = 0

    @property
    def room(self) -> int:
        """Bytes that can be queued before it overflows."""
        return self._limit - self.size

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


class InboundQueue:
    """Messages from one neighbor that were received and not yet applied, first in first out."""

    def __init__(self, limit: int = INBOUND_LIMIT) -> None:
        self._messages: deque[Message] = deque()
        self._limit = limit
        self.size = 0
        """Bytes that wait."""

    def __bool__(self) -> bool:
        return bool(self._messages)

    @property
    def full(self) -> bool:
        """Whether nothing more should be read for now."""
        return self.size > self._limit

    def put(self, message: Message) -> None:
        """Queue a message; the reader stops while the queue is full, so one read is the most beyond it."""
        self._messages.append(message)
        self.size += SIZE + len(message.body)

    def take(self) -> Message:
        """The next message. Raises IndexError if there is none."""
        message = self._messages.popleft()
        self.size -= SIZE + len(message.body)
        return message

    def clear(self) -> None:
        """Drop all: what follows a refused message is not looked at."""
        self._messages.clear()
        self.size = 0
