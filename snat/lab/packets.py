"""IPv4 packets of the capture demonstration, built and read with nothing of the router's own.

The laboratory judges the translator, so it does its own arithmetic; it is about clarity, not speed.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct
from typing import Final

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
PROTOCOL_NAMES: Final = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}

SYN: Final = 0x02
PUSH: Final = 0x08
ACK: Final = 0x10

_ECHO_REQUEST: Final = 8
_ECHO_REPLY: Final = 0
_DONT_FRAGMENT: Final = 0x4000
_IP: Final = Struct(">BBHHHBBH4s4s")
_TCP: Final = Struct(">HHIIBBHHH")
_UDP: Final = Struct(">HHHH")
_ICMP: Final = Struct(">BBHHH")
_PSEUDO: Final = Struct(">4s4sBBH")
_CHECKSUM_AT: Final = {ICMP: 2, TCP: 16, UDP: 6}
"""Where the checksum stands in the header of each protocol."""


class PacketError(Exception):
    """A packet that should not have left a router: what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A TCP segment, UDP datagram, or ICMP echo (which has its identifier for both ports)."""

    protocol: int
    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes = b""
    sequence: int = 0
    acknowledgment: int = 0
    flags: int = 0
    reply: bool = False
    """An echo reply, not a request."""


def build(packet: Packet) -> bytes:
    """The bytes of ``packet``, with right checksums."""
    source, destination = (IPv4Address(end[0]).packed for end in (packet.source, packet.destination))
    body = bytearray(_header(packet) + packet.payload)
    at = _CHECKSUM_AT[packet.protocol]
    body[at : at + 2] = _sum(_pseudo(packet.protocol, source, destination, len(body)) + body).to_bytes(2)
    length = _IP.size + len(body)
    fields = (0x45, 0, length, 0, _DONT_FRAGMENT, 64, packet.protocol)
    header = _IP.pack(*fields, _sum(_IP.pack(*fields, 0, source, destination)), source, destination)
    return header + bytes(body)


def parse(data: bytes) -> Packet:
    """Read what :func:`build` builds, or a router made of it. Raises :class:`PacketError`."""
    if len(data) < _IP.size or data[0] != 0x45:
        raise PacketError("not a plain IPv4 packet")
    _, _, length, _, _, _, protocol, _, source, destination = _IP.unpack_from(data)
    body = data[_IP.size :]
    if length != len(data) or protocol not in _CHECKSUM_AT:
        raise PacketError(f"length {length} of {len(data)}, protocol {protocol}")
    if _sum(data[: _IP.size]):
        raise PacketError("wrong IPv4 checksum")
    if _sum(_pseudo(protocol, source, destination, len(body)) + body):
        raise PacketError(f"wrong {PROTOCOL_NAMES[protocol]} checksum")
    return _READERS[protocol](str(IPv4Address(source)), str(IPv4Address(destination)), body)


def _header(packet: Packet) -> bytes:
    """The transport header with a checksum of zero."""
    sport, dport = packet.source[1], packet.destination[1]
    if packet.protocol == TCP:
        offset = _TCP.size // 4 << 4
        return _TCP.pack(
            sport, dport, packet.sequence, packet.acknowledgment, offset, packet.flags, 0xFFFF, 0, 0
        )
    if packet.protocol == UDP:
        return _UDP.pack(sport, dport, _UDP.size + len(packet.payload), 0)
    return _ICMP.pack(_ECHO_REPLY if packet.reply else _ECHO_REQUEST, 0, 0, sport, packet.sequence)


def _read_tcp(source: str, destination: str, body: bytes) -> Packet:
    sport, dport, sequence, acknowledgment, offset, flags, *_ = _TCP.unpack_from(body)
    return Packet(
        protocol=TCP,
        source=(source, sport),
        destination=(destination, dport),
        sequence=sequence,
        acknowledgment=acknowledgment,
        flags=flags,
        payload=body[(offset >> 4) * 4 :],
    )


def _read_udp(source: str, destination: str, body: bytes) -> Packet:
    sport, dport, *_ = _UDP.unpack_from(body)
    return Packet(
        protocol=UDP, source=(source, sport), destination=(destination, dport), payload=body[_UDP.size :]
    )


def _read_icmp(source: str, destination: str, body: bytes) -> Packet:
    kind, _, _, identifier, sequence = _ICMP.unpack_from(body)
    return Packet(
        protocol=ICMP,
        source=(source, identifier),
        destination=(destination, identifier),
        sequence=sequence,
        reply=kind == _ECHO_REPLY,
        payload=body[_ICMP.size :],
    )


_READERS: Final = {TCP: _read_tcp, UDP: _read_udp, ICMP: _read_icmp}


def _pseudo(protocol: int, source: bytes, destination: bytes, length: int) -> bytes:
    """The pseudo-header of TCP and UDP (RFC 9293 3.1); ICMP has none."""
    return b"" if protocol == ICMP else _PSEUDO.pack(source, destination, 0, protocol, length)


def _sum(data: bytes | bytearray) -> int:
    """The Internet checksum (RFC 1071); 0 over data that carry a right one."""
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0")) for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
