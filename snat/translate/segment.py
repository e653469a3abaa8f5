"""What is kept of the last TCP segment of a direction, and whether a reset belongs to its connection.

A reset shortens the life of an entry only if an off-path attacker could not have guessed its sequence number
(RFC 7857 2.2, RFC 5961 3.2). That is stricter than the receiver's window, which would have to be learnt from
both SYNs, and a device that took over has seen neither.
"""

from struct import Struct
from typing import Final

from snat.nat.tracking import ACK, FIN, SYN
from snat.translate.packet import TOTAL_LENGTH, TRANSPORT

SEGMENT: Final = slice(TOTAL_LENGTH, TRANSPORT + 14)
"""Of a packet without options in its buffer: from the total length to the flags of TCP."""
IN_FLIGHT: Final = 1 << 20
"""Bytes that a sender is believed to have under way. Who guesses must hit this, and then the very number."""
_WORDS: Final = Struct("!H20xIIBB").unpack
_MODULUS: Final = 1 << 32


def end_of(segment: bytes | bytearray) -> int:
    """The sequence number that follows a segment."""
    total, sequence, _, offset, flags = _WORDS(segment)
    occupied = total - 20 - (offset >> 4) * 4 + bool(flags & SYN) + bool(flags & FIN)
    return int(sequence + occupied) % _MODULUS


def belongs(reset: bytearray, own: bytearray | None, other: bytearray | None) -> bool:
    """Whether a reset is from who is at an end of the connection.

    ``own`` is the last segment before it in its direction, ``other`` the last one that its receiver sent;
    None: none was seen here. It belongs where the receiver expects the next byte (RFC 5961), or follows what
    its sender has just sent. Who refuses a connection says which SYN it means.
    """
    _, sequence, acknowledged, _, flags = _WORDS(reset)
    follows = own is not None and sequence == end_of(own)
    if other is None:
        return follows
    _, began, expected, _, other_flags = _WORDS(other)
    if not other_flags & ACK:
        return follows or bool(flags & ACK and acknowledged in ((began + 1) % _MODULUS, end_of(other)))
    ahead = (sequence - expected) % _MODULUS
    return ahead == 0 or (follows and ahead <= IN_FLIGHT)
