"""The message header (602-606 in Fig. 6, and what feeds need). 32 bytes, big-endian::

     0         1       2               4                8
     | version | flags | header length | message length |
     8                16               24               32
     | process ID | mapping ID | term number | term NAT ID | sequence |

``message length`` counts the header. Sequence 0: the message is unnumbered, and its feed and term are
those that its items speak of, or zero.
"""

import struct
from enum import IntFlag
from typing import Final, NamedTuple

from snat.wire.errors import ErrorCode, WireError

VERSION: Final = 1
LAYOUT: Final = struct.Struct("!BBHIIIIIQ")
SIZE: Final = LAYOUT.size
MAXIMUM_HEADER: Final = 256
"""A later version may lengthen the header; it stays far below a message."""
MAXIMUM_MESSAGE: Final = 65536
"""Bytes of a message, header included; what a stranger can make us buffer."""


class HeaderFlag(IntFlag):
    """Bits of the flag field (604)."""

    AUTHENTICATED = 1
    """Set once both sides have authenticated."""


class Feed(NamedTuple):
    """The stream of changes of one unit of management (710, 712 in Fig. 7)."""

    process_id: int
    """0 in role groups; the owner's NAT ID among peers."""
    mapping_id: int


class Term(NamedTuple):
    """One management of a feed. Terms are ordered; they number managements and do not choose the manager."""

    number: int
    nat_id: int
    """The device that took it."""


NO_FEED: Final = Feed(0, 0)
NO_TERM: Final = Term(0, 0)


class Position(NamedTuple):
    """How far a feed was applied. Ordered."""

    term: Term = NO_TERM
    sequence: int = 0


class Message(NamedTuple):
    """A whole message: its header's meaning, and the bytes of its items."""

    flags: int
    feed: Feed
    term: Term
    sequence: int
    body: bytes


def encode(
    body: bytes, feed: Feed = NO_FEED, term: Term = NO_TERM, sequence: int = 0, flags: int = 1
) -> bytes:
    """A message around the bytes of its items."""
    return LAYOUT.pack(VERSION, flags, SIZE, SIZE + len(body), *feed, *term, sequence) + body


def lengths(buffer: bytes | bytearray, offset: int, maximum: int) -> tuple[int, int]:
    """Header and message length of the header at ``offset``, of which 8 bytes are there.

    Raises WireError VERSION, MALFORMED or OVERLONG: no length is believed before this.
    """
    version, _flags, header, message = struct.unpack_from("!BBHI", buffer, offset)
    if version != VERSION:
        raise WireError(ErrorCode.VERSION, f"version {version}; this device speaks {VERSION}")
    if not SIZE <= header <= MAXIMUM_HEADER or message < header:
        raise WireError(ErrorCode.MALFORMED, f"header length {header} of a message of {message} bytes")
    if message > maximum:
        raise WireError(ErrorCode.OVERLONG, f"message of {message} bytes; at most {maximum}")
    return header, message


def decode(buffer: bytes | bytearray, offset: int, header: int, message: int) -> Message:
    """The message at ``offset``, whole, its lengths checked by :func:`lengths`."""
    fields = LAYOUT.unpack_from(buffer, offset)
    body = bytes(memoryview(buffer)[offset + header : offset + message])
    return Message(fields[1], Feed(*fields[4:6]), Term(*fields[6:8]), fields[8], body)
