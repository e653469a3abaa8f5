"""Packets for tests, built by scapy, an independent oracle, in the buffers that the translator sees."""

import struct
from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from scapy.layers.inet import ICMP, IP, TCP, UDP, in4_chksum
from scapy.layers.l2 import GRE_PPTP
from scapy.packet import Packet, Raw

from snat.translate.packet import START


def udp(source: str, sport: int, destination: str, dport: int, payload: bytes = b"x", **ip: object) -> Packet:
    return (
        IP(**{"src": source, "dst": destination, "flags": "DF", **ip})
        / UDP(sport=sport, dport=dport)
        / payload
    )


def tcp(
    source: str,
    sport: int,
    destination: str,
    dport: int,
    flags: str = "S",
    payload: bytes = b"",
    **fields: int,
) -> Packet:
    segment = TCP(sport=sport, dport=dport, flags=flags, **fields)
    return IP(src=source, dst=destination, flags="DF") / segment / payload


def echo(source: str, destination: str, identifier: int, reply: bool = False) -> Packet:
    return IP(src=source, dst=destination) / ICMP(type=0 if reply else 8, id=identifier, seq=1) / b"ping"


def timestamp(source: str, destination: str, identifier: int, reply: bool = False) -> Packet:
    asked = ICMP(type=14 if reply else 13, id=identifier, seq=1, ts_ori=1000, ts_rx=2000, ts_tx=3000)
    return IP(src=source, dst=destination) / asked


def bare(
    source: str, destination: str, protocol: int, payload: bytes = b"any bytes, no ports", **ip: object
) -> Packet:
    """Of a protocol that is looked no further into; the sums of DCCP and UDP-Lite are made right."""
    packet = IP(src=source, dst=destination, proto=protocol, **ip) / Raw(payload)
    return recomputed(packet)


def udp_lite(coverage: int, payload: bytes) -> bytes:
    """A datagram of UDP-Lite (RFC 3828) without its checksum: ports 7000 and 7001."""
    return struct.pack("!HHHH", 7000, 7001, coverage, 0) + payload


def dccp(coverage: int, payload: bytes) -> bytes:
    """A DCCP-Request (RFC 4340 5.1) without its checksum: ports 7000 and 7001, service code "snat"."""
    head = struct.pack("!HHBBHBBHI", 7000, 7001, 5, coverage, 0, 1, 0, 1, 2)
    return head + b"snat" + payload


def buffer(packet: Packet | bytes, room: int = 65600) -> tuple[bytearray, int]:
    """The packet behind a zeroed virtio header, and its end."""
    data = bytes(packet)
    filled = bytearray(room)
    filled[START : START + len(data)] = data
    return filled, START + len(data)


def parse(filled: bytearray, end: int) -> Packet:
    """The packet of a buffer, with its checksums as they stand."""
    return IP(bytes(filled[START:end]))


def recomputed(packet: Packet) -> Packet:
    """The packet with all checksums computed by scapy; a UDP checksum of 0 stays."""
    fresh = IP(bytes(packet))
    for layer in (IP, TCP, UDP, ICMP):
        if layer in fresh and not (layer is UDP and packet[UDP].chksum == 0):
            del fresh[layer].chksum
    if packet.proto in _COVERED and not packet.frag:
        _sum_covered(fresh)
    return IP(bytes(fresh))


def _sum_covered(packet: Packet) -> None:
    """Compute the checksum of a packet of DCCP or UDP-Lite, which covers part of the data only."""
    data = bytes(packet.payload)
    covered = data[: _COVERED[packet.proto](data)]
    plain = covered[:6] + bytes(2) + covered[8:] + bytes(len(data) - len(covered))
    total = in4_chksum(packet.proto, packet, plain)
    if packet.proto == 136:
        total = total or 0xFFFF
    packet.payload = Raw(data[:6] + total.to_bytes(2, "big") + data[8:])


def _covered_by_dccp(data: bytes) -> int:
    """RFC 4340 9.2: all, or the header and some words of the data behind it."""
    words = data[5] & 15
    return data[4] * 4 + (words - 1) * 4 if words else len(data)


_COVERED: Final[dict[int, Callable[[bytes], int]]] = {
    33: _covered_by_dccp,
    136: lambda data: int.from_bytes(data[4:6], "big") or len(data),
}
"""How much a checksum covers, by protocol; beside the pseudo header, which has the whole length."""


def checksums_are_right(packet: Packet) -> bool:
    """Whether scapy would compute the same checksums."""
    return bytes(recomputed(packet)) == bytes(packet)


def addressed(packet: Packet, *, as_in: Packet, ttl: int) -> Packet:
    """The packet with another's addresses, ports and identifiers: what a translation should make of it.

    With another source, what may become a fragment has another identification too.
    """
    fresh = IP(bytes(packet))
    if fresh.src != as_in.src and "DF" not in fresh.flags:
        fresh.id = as_in.id
    fresh.src, fresh.dst, fresh.ttl = as_in.src, as_in.dst, ttl
    for layer in (TCP, UDP):
        if layer in fresh:
            fresh[layer].sport, fresh[layer].dport = as_in[layer].sport, as_in[layer].dport
    if ICMP in fresh:
        fresh[ICMP].id = as_in[ICMP].id
    if GRE_PPTP in fresh:
        fresh[GRE_PPTP].call_id = as_in[GRE_PPTP].call_id
    return recomputed(fresh)


def pseudo_header_sum(packet: Packet) -> int:
    """What the kernel leaves in the checksum field of a packet that is to be summed later."""
    length = len(bytes(packet)) - 20
    whole = in4_chksum(packet.proto, packet[IP], bytes(length)) ^ 0xFFFF  # a payload of zeros adds nothing
    return int(whole)


# By hand, for where many are needed: some 3 us each where scapy takes 300. test_packets.py compares them.

_IP: Final = Struct("!BBHHHBBH4s4s")
_TCP: Final = Struct("!HHIIBBHHH")
_UDP: Final = Struct("!HHHH")
_ICMP: Final = Struct("!BBHHH")
_WINDOW: Final = 8192
"""As scapy's segments have it."""


class Ends(NamedTuple):
    """Whose a raw packet is; an ICMP query has its identifier for both ports."""

    protocol: int
    source: bytes
    sport: int
    destination: bytes
    dport: int


def raw_udp(source: bytes, sport: int, destination: bytes, dport: int, payload: bytes = b"x") -> bytes:
    """The bytes of a UDP datagram; addresses are 4 bytes."""
    body = _UDP.pack(sport, dport, 8 + len(payload), 0) + payload
    total = internet_checksum(source + destination + b"\0\x11" + body[4:6] + body)
    return _raw(17, source, destination, body[:6] + (total or 0xFFFF).to_bytes(2, "big") + payload)


def raw_tcp(
    source: bytes,
    sport: int,
    destination: bytes,
    dport: int,
    flags: int,
    payload: bytes = b"",
    sequence: int = 0,
    acknowledgment: int = 0,
) -> bytes:
    """The bytes of a TCP segment without options."""
    body = _TCP.pack(sport, dport, sequence, acknowledgment, 0x50, flags, _WINDOW, 0, 0) + payload
    pseudo = source + destination + b"\0\x06" + len(body).to_bytes(2, "big")
    return _raw(6, source, destination, body[:16] + _sum_of(pseudo + body) + body[18:])


def raw_echo(source: bytes, destination: bytes, identifier: int, reply: bool = False) -> bytes:
    """The bytes of an ICMP echo request or reply."""
    body = _ICMP.pack(0 if reply else 8, 0, 0, identifier, 1) + b"ping"
    return _raw(1, source, destination, body[:2] + _sum_of(body) + body[4:])


def raw_ends(data: bytes) -> Ends:
    """Whose packet it is."""
    protocol = data[9]
    if protocol == 1:
        sport = dport = int.from_bytes(data[24:26], "big")
    else:
        sport, dport = int.from_bytes(data[20:22], "big"), int.from_bytes(data[22:24], "big")
    return Ends(protocol, data[12:16], sport, data[16:20], dport)


def raw_sums_are_right(data: bytes) -> bool:
    """Whether the header's checksum and the transport's are right; a UDP datagram must have one."""
    pseudo = b"" if data[9] == 1 else data[12:20] + bytes((0, data[9])) + (len(data) - 20).to_bytes(2, "big")
    return internet_checksum(data[:20]) == 0 and internet_checksum(pseudo + data[20:]) == 0


def internet_checksum(data: bytes) -> int:
    """RFC 1071; 0 over data with a right checksum in it."""
    total = int.from_bytes(data + b"\0" if len(data) % 2 else data, "big") % 0xFFFF
    return 0xFFFF - total if total or not any(data) else 0


def _sum_of(data: bytes) -> bytes:
    return internet_checksum(data).to_bytes(2, "big")


def _raw(protocol: int, source: bytes, destination: bytes, body: bytes) -> bytes:
    fields = (0x45, 0, 20 + len(body), 1, 0 if protocol == 1 else 0x4000, 64, protocol)
    header = _IP.pack(*fields, 0, source, destination)
    return _IP.pack(*fields, internet_checksum(header), source, destination) + body
