"""Where things are in an IPv4 packet, behind the virtio header that every buffer begins with.

A capture's packets are put into the same place, with ten zero bytes before them.
"""

import struct
from enum import IntEnum
from typing import Final

START: Final = 10
"""Where the packet begins: behind ``virtio_net_hdr``."""
NEEDS_CHECKSUM: Final = 1
"""Flag in byte 0: the checksum field holds the sum of the pseudo header only (nat-behaviour 3.3)."""
GSO_TYPE: Final = 1
"""Byte of the virtio header: not 0 in a super-packet, which is to be segmented later."""
GSO_SIZE: Final = 4
"""There: bytes of payload in a segment, 2 bytes in native order."""
HEADER: Final = struct.Struct("!BxHxxHBBH12s")
"""At START: version and length, total length, fragment, TTL, protocol, checksum, addresses and ports."""
TOTAL_LENGTH: Final = START + 2
IDENTIFICATION: Final = START + 4
FRAGMENT_WORD: Final = START + 6
TTL: Final = START + 8
PROTOCOL: Final = START + 9
CHECKSUM: Final = START + 10
ADDRESSES: Final = START + 12
TRANSPORT: Final = START + 20
"""Where the transport header is when there are no options."""
TCP_FLAGS: Final = TRANSPORT + 13
PLAIN: Final = 0x45
"""Version 4, no options."""
DONT_FRAGMENT: Final = 0x4000
MORE_FRAGMENTS: Final = 0x2000
OFFSET: Final = 0x1FFF
"""In units of 8 bytes."""
FRAGMENT: Final = MORE_FRAGMENTS | OFFSET
"""More fragments, or an offset."""
ECHO_REPLY: Final = 0
ECHO_REQUEST: Final = 8
TIMESTAMP: Final = 13
TIMESTAMP_REPLY: Final = 14
REQUESTS: Final = frozenset({ECHO_REQUEST, TIMESTAMP})
"""ICMP queries that are translated by their identifier (RFC 5508 REQ-1)."""
QUERIES: Final = REQUESTS | {ECHO_REPLY, TIMESTAMP_REPLY}
"""And the replies to them. Information and address mask requests are obsolete (RFC 6918)."""
DCCP: Final = 33
AH: Final = 51
"""Authentication header: it covers the addresses, so its receiver refuses what was translated."""
UDP_LITE: Final = 136
WITH_PORTS: Final = frozenset({6, 17, 1})
"""Protocols whose ports, or identifiers, are translated; of all others only the addresses are."""
MINIMUM: Final = {6: 20, 17: 8, 1: 8, DCCP: 12, UDP_LITE: 8}
"""Bytes of the transport header, by protocol, as far as anything in it is changed."""
CHECKSUM_AT: Final = {6: 16, 17: 6, 1: 2, DCCP: 6, UDP_LITE: 6}
"""Offset of the checksum in the transport header. That of ICMP does not cover the addresses."""


class Verdict(IntEnum):
    """Where the packet in a buffer goes now. A fragment that waits for its datagram's first goes nowhere."""

    DROP = 0
    TO_OUTSIDE = 1
    TO_INSIDE = 2
    ELSEWHERE = 3
    """It does not go on as it is: what became of it is among the further packets, now or later."""
