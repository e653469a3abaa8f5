"""Out of the world of offloads: the plain packets that one packet with a virtio header stands for.

The kernel hands us packets whose transport checksum is to be summed later, and super-packets that are to be
cut later (nat-behaviour.md 3.3). Written back with their header, that is the kernel's work or the card's.
Where the way out does not take such a header, it is done here: some 10 us and a system call for each segment.
"""

import struct
from typing import Final

from snat.translate.checksum import words
from snat.translate.packet import CHECKSUM_AT, FRAGMENT, NEEDS_CHECKSUM, START

VIRTIO: Final = struct.Struct("=BBHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset; native byte order."""
PLAIN_HEADER: Final = bytes(START)
GSO_NONE: Final = 0
GSO_TCPV4: Final = 1
GSO_UDP_L4: Final = 5
GSO_ECN: Final = 0x80
"""Beside GSO_TCPV4: congestion was seen, so CWR is for the first segment only."""
MAX_SEGMENTS: Final = 2048
"""More than the kernel makes of the longest packet, whose smallest TCP segment has 48 bytes of payload."""

_TCP: Final = 6
_UDP: Final = 17
_FIN_PSH: Final = 0x09
_CWR: Final = 0x80


def plain(data: bytes) -> list[bytes]:
    """The packets, each behind a header of zeros, with complete checksums; ``data`` begins with its header.

    None if header and packet do not fit each other: nobody could send that.
    """
    if len(data) < START + 20 or data[START] >> 4 != 4:
        return []
    flags, kind, _, size, start, offset = VIRTIO.unpack_from(data)
    packet = data[START:]
    total, ihl = int.from_bytes(packet[2:4], "big"), (packet[0] & 15) * 4
    if not 20 <= ihl <= total <= len(packet):
        return []
    packet = packet[:total]
    if kind == GSO_NONE:
        done = _completed(packet, start, offset) if flags & NEEDS_CHECKSUM else packet
        return [] if done is None else [PLAIN_HEADER + done]
    if int.from_bytes(packet[6:8], "big") & FRAGMENT:
        return []
    protocol = {GSO_TCPV4: _TCP, GSO_UDP_L4: _UDP}.get(kind & ~GSO_ECN)
    header = ihl + _transport_header(packet, ihl)
    payload = packet[header:]
    if protocol != packet[9] or not payload or not size or len(payload) > size * MAX_SEGMENTS:
        return []
    return [PLAIN_HEADER + one for one in _segments(packet[:header], payload, ihl, size)]


def _completed(packet: bytes, start: int, offset: int) -> bytes | None:
    """The packet with the sum in its checksum field carried on over all from ``start``."""
    at = start + offset
    if not 20 <= start <= at <= len(packet) - 2:
        return None
    return packet[:at] + _field(words(_even(packet[start:])), packet[9]) + packet[at + 2 :]


def _transport_header(packet: bytes, ihl: int) -> int:
    """Bytes of the transport header; more than the packet has if it is cut off."""
    if packet[9] == _UDP:
        return 8
    return max(20, (packet[ihl + 12] >> 4) * 4) if len(packet) >= ihl + 20 else len(packet)


def _segments(header: bytes, payload: bytes, ihl: int, size: int) -> list[bytes]:
    """What a super-packet becomes: numbered, with lengths and checksums of their own."""
    protocol, identification = header[9], int.from_bytes(header[4:6], "big")
    made = []
    for number, begin in enumerate(range(0, len(payload), size)):
        piece = payload[begin : begin + size]
        ip, transport = bytearray(header[:ihl]), bytearray(header[ihl:])
        ip[2:4] = (len(header) + len(piece)).to_bytes(2, "big")
        ip[4:6] = ((identification + number) & 0xFFFF).to_bytes(2, "big")
        ip[10:12] = b"\0\0"
        ip[10:12] = (words(bytes(ip)) ^ 0xFFFF).to_bytes(2, "big")
        if protocol == _TCP:
            sequence = int.from_bytes(transport[4:8], "big") + begin
            transport[4:8] = (sequence & 0xFFFFFFFF).to_bytes(4, "big")
            if begin + size < len(payload):
                transport[13] &= ~_FIN_PSH
            if number:
                transport[13] &= ~_CWR
        else:
            transport[4:6] = (8 + len(piece)).to_bytes(2, "big")
        at = CHECKSUM_AT[protocol]
        transport[at : at + 2] = b"\0\0"
        body = bytes(transport) + piece
        pseudo = ip[12:20] + bytes((0, protocol)) + len(body).to_bytes(2, "big")
        transport[at : at + 2] = _field(words(bytes(pseudo) + _even(body)), protocol)
        made.append(bytes(ip + transport) + piece)
    return made


def _field(total: int, protocol: int) -> bytes:
    """The checksum over a sum; UDP has another word for 0, which would say that there is none."""
    checksum = total ^ 0xFFFF
    return (checksum or (0xFFFF if protocol == _UDP else 0)).to_bytes(2, "big")


def _even(data: bytes) -> bytes:
    return data + b"\0" if len(data) % 2 else data
