"""Where things are in an IPv4 packet, behind the virtio header that every buffer begins with.

A capture's packets are put into the same place, with ten zero bytes before them.
"""

import struct
from typing import Final

START: Final = 10
"""Where the packet begins: behind ``virtio_net_hdr``."""
NEEDS_CHECKSUM: Final = 1
"""Flag in byte 0: the checksum field holds the sum of the pseudo header only (nat-behaviour 3.3)."""
HEADER: Final = struct.Struct("!BxHxxHBBH12s")
"""At START: version and length, total length, fragment, TTL, protocol, checksum, addresses and ports."""
TTL: Final = START + 8
CHECKSUM: Final = START + 10
ADDRESSES: Final = START + 12
TRANSPORT: Final = START + 20
"""Where the transport header is when there are no options."""
TCP_FLAGS: Final = TRANSPORT + 13
PLAIN: Final = 0x45
"""Version 4, no options."""
DONT_FRAGMENT: Final = 0x4000
FRAGMENT: Final = 0x3FFF
"""More fragments, or an offset."""
ECHO_REPLY: Final = 0
ECHO_REQUEST: Final = 8
MINIMUM: Final = {6: 20, 17: 8, 1: 8}
"""Bytes of the transport header, by protocol."""
CHECKSUM_AT: Final = {6: 16, 17: 6, 1: 2}
"""Offset of the checksum in the transport header."""
