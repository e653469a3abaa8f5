"""GRE packets of PPTP calls (RFC 2637 section 4.1), told apart by their call IDs.

A packet has one call ID, its receiver's. So it has port 0 where it comes from and its call ID where it goes,
and a call has two entries: one to (0, the other ID), whose packets go out, and one from (the own ID, 0),
whose packets come in; that one the gateway of PPTP opens, and there the ID changes. All other GRE, and this
too where that gateway is not on, is translated by addresses alone.
"""

from typing import Final

from snat.nat.tracking import GRE as GRE

CALL_ID: Final = 6
"""Offset of the call ID in the GRE header."""
_SIZE: Final = 8
"""Bytes of the header that every packet has."""
_KEY_AND_VERSION: Final = 0x2001
_SEQUENCE: Final = 0x1080
"""Whether the packet has a number, and acknowledges one."""
_PPP: Final = 0x880B
_NO_PORTS: Final = bytes(4)


def ports_of_call(buffer: bytearray, at: int, end: int) -> bytes:
    """The ports of a GRE packet whose header is at ``at``; zeros if it is not of a call."""
    if at + _SIZE > end:
        return _NO_PORTS
    flags = buffer[at] << 8 | buffer[at + 1]
    if flags & ~_SEQUENCE != _KEY_AND_VERSION or buffer[at + 2] << 8 | buffer[at + 3] != _PPP:
        return _NO_PORTS
    return b"\0\0" + buffer[at + CALL_ID : at + CALL_ID + 2]
