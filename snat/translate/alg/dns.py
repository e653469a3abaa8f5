"""DNS (RFC 2694), for static mappings only: addresses in answers, and names of addresses.

What has no static mapping is left alone: a name that is answered with an address of somebody's flow would be
wrong as soon as that is gone. Messages that are signed (DNSSEC, TSIG) pass as they are. Nothing is opened.
"""

import struct
from collections.abc import Iterator
from typing import ClassVar, Final

from snat.translate.alg.dns_message import HEADER, Left, Message
from snat.translate.alg.gateway import Conversation, Doors, Edit, Gateway

PORT: Final = 53
UDP: Final = 17
PLAIN: Final = 512
"""Bytes of a datagram that everybody takes (RFC 1035 section 4.2.1); how many more, only its asker knows."""

_PREFIX: Final = 2
"""Over TCP the length of a message goes before it."""
_LONGEST: Final = 0xFFFF
_CONTEXT: Final = struct.Struct("!HH")
"""Of one direction: bytes of a message that are to come; 256 and the first byte of a length, or 0."""


class _Stream:
    """Where one direction is."""

    __slots__ = ("begun", "left", "prefix")

    def __init__(self) -> None:
        self.left = 0
        """Bytes to come of a message that began in bytes that have passed."""
        self.begun = b""
        """The first byte of a length."""
        self.prefix = 0
        """The length of a message that is to begin: it came alone."""


class Dns(Gateway):
    """Questions and answers of one client."""

    name: ClassVar[str] = "dns"

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        self._streams = _Stream(), _Stream()

    def take(self, from_outside: bool, data: bytes) -> list[Edit]:
        """What of the messages in ``data`` becomes what."""
        if self.conversation.protocol == UDP:
            edits = self._message(data, from_outside)
            longer = sum(len(text) - (end - start) for start, end, text in edits)
            if longer > 0 and len(data) + longer > PLAIN:
                self.doors.count("message too long")
                return []
        else:
            edits = list(self._stream(from_outside, data))
        for _ in edits:
            self.doors.count("edit")
        return edits

    def context(self) -> bytes:
        """Where both directions are: nothing between messages."""
        if not any(stream.left or stream.begun or stream.prefix for stream in self._streams):
            return b""
        return b"".join(
            _CONTEXT.pack(stream.left or stream.prefix, 256 + stream.begun[0] if stream.begun else 0)
            for stream in self._streams
        )

    def restore(self, context: bytes) -> bool:
        """Go on there. What was about to begin is left alone."""
        if not context:
            return True
        if len(context) != 2 * _CONTEXT.size:
            return False
        states = list(_CONTEXT.iter_unpack(context))
        if any(begun and not 256 <= begun < 512 for _, begun in states):
            return False
        for stream, (left, begun) in zip(self._streams, states, strict=True):
            stream.left, stream.begun = left, bytes((begun - 256,)) if begun else b""
        return True

    def _stream(self, from_outside: bool, data: bytes) -> Iterator[Edit]:
        stream = self._streams[from_outside]
        at = min(stream.left, len(data))
        stream.left -= at
        while at < len(data):
            start = at
            if stream.prefix:
                length, stream.prefix = stream.prefix, 0
            else:
                head = stream.begun + data[at : at + _PREFIX - len(stream.begun)]
                if len(head) < _PREFIX:
                    stream.begun = head
                    return
                length = head[0] << 8 | head[1]
                at += _PREFIX - len(stream.begun)
                stream.begun = b""
            if length < HEADER:
                self.doors.count("no DNS message")
                self.ended = True
                return
            if at == len(data):
                stream.prefix = length
                return
            end = at + length
            if end > len(data):
                self.doors.count("split message")
                stream.left = end - len(data)
                return
            yield from self._prefixed(data[at:end], at, at - start == _PREFIX, from_outside)
            at = end

    def _prefixed(self, message: bytes, at: int, has_prefix: bool, from_outside: bool) -> list[Edit]:
        """The edits of a message at ``at``, behind its length; none if that had to change and is gone."""
        edits = self._message(message, from_outside)
        longer = sum(len(text) - (end - start) for start, end, text in edits)
        if longer and not has_prefix:
            self.doors.count("split message")
            return []
        edits = [Edit(at + start, at + end, text) for start, end, text in edits]
        if longer:
            edits.insert(0, Edit(at - _PREFIX, at, (len(message) + longer).to_bytes(2, "big")))
        return edits

    def _message(self, data: bytes, from_outside: bool) -> list[Edit]:
        self.doors.count("message")
        try:
            return Message(data).edits(lambda address: self.doors.named(address, from_outside=from_outside))
        except Left as reason:
            self.doors.count(str(reason))
            return []
