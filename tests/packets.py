"""Packets for tests, built by scapy, an independent oracle, in the buffers that the translator sees."""

from scapy.layers.inet import ICMP, IP, TCP, UDP, in4_chksum
from scapy.packet import Packet

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
    return IP(bytes(fresh))


def checksums_are_right(packet: Packet) -> bool:
    """Whether scapy would compute the same checksums."""
    return bytes(recomputed(packet)) == bytes(packet)


def addressed(packet: Packet, *, as_in: Packet, ttl: int) -> Packet:
    """The packet with another's addresses, ports and identifier: what a translation should make of it."""
    fresh = IP(bytes(packet))
    fresh.src, fresh.dst, fresh.ttl = as_in.src, as_in.dst, ttl
    for layer in (TCP, UDP):
        if layer in fresh:
            fresh[layer].sport, fresh[layer].dport = as_in[layer].sport, as_in[layer].dport
    if ICMP in fresh:
        fresh[ICMP].id = as_in[ICMP].id
    return recomputed(fresh)


def pseudo_header_sum(packet: Packet) -> int:
    """What the kernel leaves in the checksum field of a packet that is to be summed later."""
    length = len(bytes(packet)) - 20
    whole = in4_chksum(packet.proto, packet[IP], bytes(length)) ^ 0xFFFF  # a payload of zeros adds nothing
    return int(whole)
