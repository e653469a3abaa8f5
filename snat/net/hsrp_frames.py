"""Frames of HSRP as they are on the wire: hellos from any MAC address, and ARP for virtual addresses.

UDP of the kernel sends from the interface's own MAC address; an active router's hellos come from the virtual
one, which teaches switches where it is. So they are made here, and sent through a packet socket.
"""

import struct
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from snat.redundancy.hsrp_message import PORT, TTL
from snat.translate.checksum import checksum_of

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
_ETHERNET: Final = struct.Struct("!6s6sH")
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_UDP: Final = struct.Struct("!HHHH")
_PSEUDO: Final = struct.Struct("!4s4sxBH")
_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET_IPV4: Final = 1, ETHERTYPE_IPV4, 6, 4
_REQUEST, _REPLY = 1, 2
_MULTICAST: Final = bytes((0x01, 0x00, 0x5E))
_INTERNETWORK_CONTROL: Final = 0xC0
"""Service class 6, as routing protocols have it."""
_UDP_PROTOCOL: Final = 17


class ArpRequest(NamedTuple):
    """Who asks for an address."""

    mac_address: bytes
    address: bytes
    wanted: bytes
    """4 bytes."""


def hello_frame(data: bytes, source: IPv4Address, destination: IPv4Address, mac_address: bytes) -> bytes:
    """A datagram of HSRP to a multicast group (RFC 1112 6.4)."""
    to = _MULTICAST + bytes((destination.packed[1] & 0x7F,)) + destination.packed[2:]
    size = _UDP.size + len(data)
    pseudo = _PSEUDO.pack(source.packed, destination.packed, _UDP_PROTOCOL, size)
    checksum = checksum_of(pseudo + _UDP.pack(PORT, PORT, size, 0) + data) or 0xFFFF
    header = [0x45, _INTERNETWORK_CONTROL, _IPV4.size + size, 0, 0, TTL, _UDP_PROTOCOL, 0]
    ends = source.packed, destination.packed
    header[7] = checksum_of(_IPV4.pack(*header, *ends))
    return (
        _ETHERNET.pack(to, mac_address, ETHERTYPE_IPV4)
        + _IPV4.pack(*header, *ends)
        + _UDP.pack(PORT, PORT, size, checksum)
        + data
    )


def asked(frame: bytes) -> ArpRequest | None:
    """Whoever asks by ARP; None: it is no request for an IPv4 address, or broken."""
    if len(frame) < _ETHERNET.size + _ARP.size:
        return None
    *kind, operation, mac_address, address, _, wanted = _ARP.unpack_from(frame, _ETHERNET.size)
    if (*kind, operation) != (*_ETHERNET_IPV4, _REQUEST):
        return None
    return ArpRequest(mac_address, address, wanted)


def arp_reply(request: ArpRequest, mac_address: bytes) -> bytes:
    """That the address is at ``mac_address``, to who asked."""
    arp = _ARP.pack(
        *_ETHERNET_IPV4, _REPLY, mac_address, request.wanted, request.mac_address, request.address
    )
    return _ETHERNET.pack(request.mac_address, mac_address, ETHERTYPE_ARP) + arp
