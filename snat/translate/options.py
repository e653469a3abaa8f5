"""IPv4 options: which may pass, and packets without them for whoever looks at fixed places (RFC 791 3.1).

Options that carry addresses would tell the outside what the inside is called, or lead around the NAT:
they are not translated, so packets with them do not pass (RFC 3022 4.6, RFC 5508 7.3, RFC 7126).
"""

from enum import IntEnum
from struct import Struct
from typing import Final

from snat.translate.checksum import checksum_of
from snat.translate.packet import CHECKSUM, NEEDS_CHECKSUM, PLAIN, START, TRANSPORT

END: Final = 0
NO_OPERATION: Final = 1
RECORD_ROUTE: Final = 7
TIMESTAMP: Final = 68
TRACEROUTE: Final = 82
"""RFC 1393: the address of who asked."""
LOOSE_SOURCE_ROUTE: Final = 131
STRICT_SOURCE_ROUTE: Final = 137
_WITH_ADDRESSES: Final = frozenset({RECORD_ROUTE, TRACEROUTE, LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE})
_TIMES_ONLY: Final = 0
"""Flag of a timestamp option: no addresses beside the times."""
_ROOM: Final = 64
"""More than any header that is looked for behind a short packet."""
_CHECKSUM_START: Final = Struct("=H")
"""In the virtio header at byte 6, in the machine's own order."""


class Options(IntEnum):
    """What is to be thought of the options of a header."""

    HARMLESS = 0
    ADDRESSES = 1
    """At least one carries addresses."""
    BROKEN = 2
    """A length that cannot be."""


def judge(options: bytes) -> Options:
    """Look through the options of a header, what stands behind its first 20 bytes."""
    found, at = Options.HARMLESS, 0
    while at < len(options) and options[at] != END:
        kind = options[at]
        if kind == NO_OPERATION:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2 or at + size > len(options) or (kind == TIMESTAMP and size < 4):
            return Options.BROKEN
        if kind in _WITH_ADDRESSES or (kind == TIMESTAMP and options[at + 3] & 15 != _TIMES_ONLY):
            found = Options.ADDRESSES
        at += size
    return found


def without_options(buffer: bytearray, total: int) -> bytearray:
    """A copy of the packet with a header of 20 bytes; its virtio header says so too.

    ``total`` is the packet's length; its header is whole. Behind the copy there is room, as in a buffer that
    packets are read into.
    """
    size = (buffer[START] & 15) * 4
    plain = buffer[: START + 20] + buffer[START + size : START + total]
    plain[START] = PLAIN
    plain[START + 2 : START + 4] = (total - size + 20).to_bytes(2, "big")
    if plain[0] & NEEDS_CHECKSUM:
        start = _CHECKSUM_START.unpack_from(plain, 6)[0] - size + 20
        _CHECKSUM_START.pack_into(plain, 6, max(0, start))
    _sum_header(plain, 20)
    return plain + bytes(_ROOM)


def take_over(buffer: bytearray, total: int, plain: bytearray) -> None:
    """Make the packet what became of its copy without options, which has the same payload length."""
    size = (buffer[START] & 15) * 4
    buffer[START + 4 : START + 20] = plain[START + 4 : START + 20]
    buffer[START + size : START + total] = plain[TRANSPORT : TRANSPORT + total - size]
    _sum_header(buffer, size)


def _sum_header(buffer: bytearray, size: int) -> None:
    """Its checksum was looked at before, so to compute it anew hides nothing."""
    buffer[CHECKSUM : CHECKSUM + 2] = bytes(2)
    buffer[CHECKSUM : CHECKSUM + 2] = checksum_of(bytes(buffer[START : START + size])).to_bytes(2, "big")
