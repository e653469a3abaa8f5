"""What H.323 wraps its messages in on TCP: TPKT (RFC 1006 section 6), and Q.931 within (H.225.0 7.2)."""

from collections.abc import Callable, Iterator
from typing import Final

HEADER: Final = 4
_VERSION: Final = 3
_Q931: Final = 8
"""Protocol discriminator of a Q.931 message."""
_USER_USER: Final = 0x7E
"""The element that has the H.225.0 message; only of this one the length has 2 bytes."""
_X208: Final = 5
"""How it begins: what follows is in ASN.1."""
_SINGLE: Final = 0x80
"""Elements of one byte have this bit."""
SETUP: Final = 5


class Tpkt:
    """One direction of a connection: its messages, as far as they come whole.

    A header may come alone, as NetMeeting sends it: the message begins behind it.
    """

    def __init__(self) -> None:
        self.lost = False
        """Taken over, maybe within a message: what does not begin with one is passed until something does."""
        self.broken = False
        """This is not TPKT."""
        self._begun = b""
        """The first bytes of a header."""
        self._left = 0
        """Bytes to come of a message that began in bytes that have passed."""
        self._next = 0
        """Length of a message whose header came alone."""

    def messages(self, data: bytes, count: Callable[[str], None]) -> Iterator[tuple[int, bytes]]:
        """The messages that are whole in the next bytes, and where they are; what is not is counted."""
        at = min(self._left, len(data))
        self._left -= at
        while at < len(data):
            if not self._next:
                head = self._begun + data[at : at + HEADER - len(self._begun)]
                at += len(head) - len(self._begun)
                self._begun = head
                if not _may_begin(head):
                    self._refuse(count)
                    return
                if len(head) < HEADER:
                    return
                self._begun, self._next = b"", (head[2] << 8 | head[3]) - HEADER
                self.lost = False
                continue
            length, self._next = self._next, 0
            if at + length > len(data):
                count("split message")
                self._left = at + length - len(data)
                return
            yield at, data[at : at + length]
            at += length

    def _refuse(self, count: Callable[[str], None]) -> None:
        self._begun = b""
        if self.lost:
            count("unknown place after takeover")
        else:
            count("no TPKT")
            self.broken = True


def _may_begin(head: bytes) -> bool:
    """Whether bytes can be the first ones of a header: version 3, a length that covers the header."""
    if len(head) == HEADER and (head[2] << 8 | head[3]) < HEADER:
        return False
    return head[:2] == bytes((_VERSION, 0))[: len(head)]


def user_user(message: bytes) -> tuple[int, int, int] | None:
    """The type of a Q.931 message, and from where to where in it there is ASN.1; None: there is none."""
    if len(message) < 3 or message[0] != _Q931 or message[1] > 15:
        return None
    at = 2 + message[1]
    if at >= len(message):
        return None
    kind = message[at]
    at += 1
    while at + 1 < len(message):
        element = message[at]
        if element & _SINGLE:
            at += 1
        elif element != _USER_USER:
            at += 2 + message[at + 1]
        else:
            start = at + 3
            end = start + int.from_bytes(message[at + 1 : start], "big")
            if start >= end or end > len(message) or message[start] != _X208:
                return None
            return kind, start + 1, end
    return None
