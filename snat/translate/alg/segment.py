"""TCP segments that are read and written: where things are, their sums, and how they are cut.

A packet here is a :class:`bytearray` without IP options behind its virtio header, as it came.
"""

from collections.abc import Callable
from typing import Final

from snat.nat.tracking import FIN, TCP, UDP
from snat.translate.checksum import adjust, delta, words
from snat.translate.offload import plain
from snat.translate.packet import (
    ADDRESSES,
    CHECKSUM,
    CHECKSUM_AT,
    GSO_TYPE,
    NEEDS_CHECKSUM,
    PROTOCOL,
    START,
    TCP_FLAGS,
    TOTAL_LENGTH,
    TRANSPORT,
)

SMALL: Final = 536
"""Bytes of payload that every host takes, and every way (RFC 9293 3.7.1): no segment grows beyond what it
was, or this."""
URGENT: Final = 0x20
_PUSH: Final = 0x08
_SEQUENCE: Final = TRANSPORT + 4
_ACKNOWLEDGEMENT: Final = TRANSPORT + 8
_SUM: Final = TRANSPORT + CHECKSUM_AT[TCP]
_URGENT_POINTER: Final = TRANSPORT + 18
_OPTIONS: Final = TRANSPORT + 20
_END, _NOP, _SACK = 0, 1, 5
_BLOCK: Final = 8


def header_size(packet: bytearray) -> int:
    """Bytes of the TCP header; less than 20, or more than there is, if it is malformed."""
    return (packet[TRANSPORT + 12] >> 4) * 4


def number(packet: bytearray, at: int) -> int:
    """The 32 bits at an offset."""
    return int.from_bytes(packet[at : at + 4], "big")


def sequence(packet: bytearray) -> int:
    """Its sequence number."""
    return number(packet, _SEQUENCE)


def acknowledgement(packet: bytearray) -> int:
    """Its acknowledgement number."""
    return number(packet, _ACKNOWLEDGEMENT)


def is_super(packet: bytearray) -> bool:
    """Whether several segments, or datagrams, will be made of it."""
    return packet[GSO_TYPE] != 0


def parts(packet: bytearray) -> list[bytearray]:
    """What a super-packet will be, with whole checksums; none if it and its header do not fit."""
    return [bytearray(one) for one in plain(bytes(packet))]


def total_of(packet: bytearray) -> int:
    """Its length as its header says."""
    return packet[TOTAL_LENGTH] << 8 | packet[TOTAL_LENGTH + 1]


def payload_of(packet: bytearray) -> bytes:
    """What it carries; TCP or UDP."""
    size = header_size(packet) if packet[PROTOCOL] == TCP else 8
    return bytes(packet[TRANSPORT + size : START + total_of(packet)])


def is_intact(packet: bytearray) -> bool:
    """Whether its transport checksum is right, or is yet to be made, or UDP does without."""
    at = TRANSPORT + CHECKSUM_AT[packet[PROTOCOL]]
    if packet[0] & NEEDS_CHECKSUM or (packet[PROTOCOL] == UDP and packet[at : at + 2] == b"\0\0"):
        return True
    return _sum(packet) == 0


def renumber(packet: bytearray, at: int, value: int) -> None:
    """Put a number of 32 bits in the place of another in the TCP header."""
    _put(packet, at, (value & 0xFFFFFFFF).to_bytes(4, "big"))


def resequence(packet: bytearray, value: int) -> None:
    """Give it another sequence number."""
    renumber(packet, _SEQUENCE, value)


def reacknowledge(packet: bytearray, meant: Callable[[int, bool], int]) -> None:
    """Put what the other sender counts into the acknowledgement and the SACK blocks (RFC 2018, RFC 2883).

    ``meant(number, first)`` says what a number is; a block that nothing is left of becomes no-operations.
    """
    renumber(packet, _ACKNOWLEDGEMENT, meant(acknowledgement(packet), False))
    size = header_size(packet)
    if size <= 20:
        return
    old = bytes(packet[_OPTIONS : TRANSPORT + size])
    new = _with_blocks(old, meant)
    if new != old:
        _put(packet, _OPTIONS, new)


def _with_blocks(options: bytes, meant: Callable[[int, bool], int]) -> bytes:
    made, at = bytearray(options), 0
    while at < len(options) and options[at] != _END:
        if options[at] == _NOP:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2 or at + size > len(options):
            break
        if options[at] == _SACK:
            blocks = b""
            for block in range(at + 2, at + size - _BLOCK + 1, _BLOCK):
                left = meant(int.from_bytes(options[block : block + 4], "big"), True)
                right = meant(int.from_bytes(options[block + 4 : block + 8], "big"), False)
                if left < right:
                    edges = left & 0xFFFFFFFF, right & 0xFFFFFFFF
                    blocks += b"".join(edge.to_bytes(4, "big") for edge in edges)
            whole = bytes((_SACK, 2 + len(blocks))) + blocks if blocks else b""
            made[at : at + size] = whole + bytes((_NOP,)) * (size - len(whole))
        at += size
    return bytes(made)


def _put(packet: bytearray, at: int, new: bytes) -> None:
    """At an even offset, an even number of bytes. What is to be summed later is not in the sum yet."""
    old = bytes(packet[at : at + len(new)])
    if old == new:
        return
    packet[at : at + len(new)] = new
    if not packet[0] & NEEDS_CHECKSUM:
        field = adjust(int.from_bytes(packet[_SUM : _SUM + 2], "big"), delta(old, new))
        packet[_SUM : _SUM + 2] = field.to_bytes(2, "big")


def rewritten(
    packet: bytearray, begins: int, payload: bytes, most: int, urgent: int | None
) -> list[bytearray]:
    """The segment with another payload and sequence number, in as many as it takes.

    ``most`` bytes of payload in each. ``urgent``: where urgent data ends, counted from the beginning.
    """
    size = header_size(packet)
    header = bytes(packet[START : TRANSPORT + size])
    made = []
    for at in range(0, max(1, len(payload)), most):
        piece = payload[at : at + most]
        one = bytearray(START) + header + piece
        one[_SEQUENCE : _SEQUENCE + 4] = (begins + at & 0xFFFFFFFF).to_bytes(4, "big")
        if at + most < len(payload):
            one[TCP_FLAGS] &= ~(FIN | _PUSH)
        if urgent is not None:
            if urgent > at:
                one[_URGENT_POINTER : _URGENT_POINTER + 2] = min(urgent - at, 0xFFFF).to_bytes(2, "big")
            else:
                one[TCP_FLAGS] &= ~URGENT
        complete(one)
        made.append(one)
    return made


def urgent_pointer(packet: bytearray) -> int | None:
    """Where urgent data ends, from the sequence number; None: there is none."""
    if not packet[TCP_FLAGS] & URGENT:
        return None
    return packet[_URGENT_POINTER] << 8 | packet[_URGENT_POINTER + 1]


def datagram(packet: bytearray, payload: bytes) -> bytearray:
    """The UDP datagram with another payload."""
    made = bytearray(START) + packet[START : TRANSPORT + 8] + payload
    made[TRANSPORT + 4 : TRANSPORT + 6] = (8 + len(payload)).to_bytes(2, "big")
    complete(made)
    return made


def complete(packet: bytearray) -> None:
    """Make length and checksums what they must be; there is nothing behind the packet."""
    packet[TOTAL_LENGTH : TOTAL_LENGTH + 2] = (len(packet) - START).to_bytes(2, "big")
    packet[CHECKSUM : CHECKSUM + 2] = b"\0\0"
    packet[CHECKSUM : CHECKSUM + 2] = (words(bytes(packet[START:TRANSPORT])) ^ 0xFFFF).to_bytes(2, "big")
    protocol = packet[PROTOCOL]
    at = TRANSPORT + CHECKSUM_AT[protocol]
    packet[at : at + 2] = b"\0\0"
    checksum = _sum(packet) ^ 0xFFFF
    packet[at : at + 2] = (checksum or (0xFFFF if protocol == UDP else 0)).to_bytes(2, "big")


def _sum(packet: bytearray) -> int:
    """The sum of pseudo header and transport, modulo 65535."""
    body = bytes(packet[TRANSPORT : START + total_of(packet)])
    pseudo = bytes(packet[ADDRESSES:TRANSPORT]) + bytes((0, packet[PROTOCOL])) + len(body).to_bytes(2, "big")
    return words(pseudo + body + b"\0" * (len(body) % 2))
