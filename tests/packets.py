"""Packets for tests, built by scapy, an independent oracle, in the buffers that the translator sees."""

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet

from snat.translate.packet import START


def udp(source: str, sport: int, destination: str, dport: int, payload: bytes = b"x", **ip: object) -> Packet:
    return IP(src=source, dst=destination, flags="DF", **ip) / UDP(sport=sport, dport=dport) / payload


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


def checksums_are_right(packet: Packet) -> bool:
    """Whether scapy would compute the same checksums."""
    fresh = IP(bytes(packet))
    for layer in (IP, TCP, UDP, ICMP):
        if layer in fresh:
            if layer is UDP and packet[UDP].chksum == 0:
                continue
            del fresh[layer].chksum
    return bytes(IP(bytes(fresh))) == bytes(packet)
