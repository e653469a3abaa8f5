"""Cutting a stream into messages. Bounded: what is buffered is at most one message and one read."""

from collections.abc import Iterator

from snat.wire.header import MAXIMUM_MESSAGE, Message, decode, lengths

_LENGTHS = 8
"""Bytes that must be there before a length can be read."""


class Framing:
    """The messages of one stream, however it is cut."""

    def __init__(self, maximum: int = MAXIMUM_MESSAGE) -> None:
        self._buffer = bytearray()
        self._maximum = maximum

    def feed(self, data: bytes) -> None:
        """Take bytes off the link."""
        self._buffer += data

    @property
    def pending(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._buffer)

    def messages(self) -> Iterator[Message]:
        """Every whole message. Raises WireError at the first bytes that cannot begin one."""
        buffer, offset = self._buffer, 0
        try:
            while len(buffer) - offset >= _LENGTHS:
                header, length = lengths(buffer, offset, self._maximum)
                if len(buffer) - offset < length:
                    break
                message = decode(buffer, offset, header, length)
                offset += length
                yield message
        finally:
            del buffer[:offset]
