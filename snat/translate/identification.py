"""IPv4 identifications of what leaves for many hosts under one address (RFC 6864 5.3.1, RFC 7857 section 10).

Whoever puts a datagram together again tells its fragments by source, destination, protocol and
identification. Behind one address two hosts may use the same, so what may be a fragment, or become one on its
way, gets a new one from a sequence; an atomic datagram (DF set and no fragment) keeps what it has, which
nobody reads.

The sequences are few, and a salted hash chooses: memory is bounded whatever the number of destinations, and
all datagrams of one source, destination and protocol are numbered by the same one, so that an identification
comes again after 65,536 datagrams at the earliest if the sequence is theirs alone.
"""

import struct
from collections.abc import Callable
from typing import Final

from snat.translate.packet import GSO_SIZE, GSO_TYPE, IDENTIFICATION, TOTAL_LENGTH

SEQUENCES: Final = 2048

_NATIVE: Final = struct.Struct("=H")

Renewal = Callable[[bytearray, int], int]
"""Sees to the identification of the packet in a buffer: from its header's checksum to the one it has then."""


class Sequence:
    """Identifications one after the other."""

    __slots__ = ("_last",)

    def __init__(self, start: int) -> None:
        self._last = start

    def renew(self, buffer: bytearray, checksum: int) -> int:
        """Give the packet in ``buffer`` the next one; its header's checksum after that.

        That is RFC 1624 Eqn 3 without complements, the shortest way: a header's words never sum up to 0, so
        its checksum is never 0xFFFF, and a remainder of 65535 is right.
        """
        self._last = new = self._last + 1 & 0xFFFF
        if buffer[GSO_TYPE]:
            self._last += _segments(buffer) - 1
        checksum += (buffer[IDENTIFICATION] << 8 | buffer[IDENTIFICATION + 1]) - new
        buffer[IDENTIFICATION] = new >> 8
        buffer[IDENTIFICATION + 1] = new & 0xFF
        return checksum % 0xFFFF


class Identifications:
    """The sequences of a device. Where each begins differs from run to run, as Python salts hashes."""

    def __init__(self) -> None:
        self._sequences: list[Sequence | None] = [None] * SEQUENCES

    def of(self, before: bytes, after: bytes, protocol: int) -> Renewal:
        """What sees to datagrams from and to these addresses, source first, before and after translation.

        Who sends under its own address has numbered its datagrams itself.
        """
        if before[:4] == after[:4]:
            return _keep
        chosen = hash((after[:8], protocol))
        at = chosen % SEQUENCES
        sequence = self._sequences[at]
        if sequence is None:
            sequence = self._sequences[at] = Sequence((chosen // SEQUENCES) & 0xFFFF)
        return sequence.renew


def _keep(_buffer: bytearray, checksum: int) -> int:
    return checksum


def _segments(buffer: bytearray) -> int:
    """How many packets a super-packet becomes, or one more; their identifications follow each other."""
    (size,) = _NATIVE.unpack_from(buffer, GSO_SIZE)
    total = buffer[TOTAL_LENGTH] << 8 | buffer[TOTAL_LENGTH + 1]
    return int(total // size + 1) if size else 1
