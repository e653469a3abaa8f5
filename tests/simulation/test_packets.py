"""The hand-made packets are those of scapy, byte by byte."""

from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from tests import packets

INSIDE, SERVER = "10.0.0.5", "198.51.100.7"
NEAR, FAR = IPv4Address(INSIDE).packed, IPv4Address(SERVER).packed


@pytest.mark.parametrize("payload", [b"", b"x", b"even", bytes(33), b"\xff" * 40])
def test_a_datagram(payload: bytes) -> None:
    expected = IP(src=INSIDE, dst=SERVER, flags="DF") / UDP(sport=40001, dport=53) / payload
    made = packets.raw_udp(NEAR, 40001, FAR, 53, payload)
    assert made == bytes(expected)
    assert packets.raw_sums_are_right(made)
    assert packets.raw_ends(made) == (17, NEAR, 40001, FAR, 53)


@pytest.mark.parametrize(("letters", "flags"), [("S", 2), ("SA", 18), ("A", 16), ("FA", 17), ("R", 4)])
def test_a_segment(letters: str, flags: int) -> None:
    segment = TCP(sport=40001, dport=80, flags=letters, seq=0xFFFFFFFE, ack=7)
    made = packets.raw_tcp(NEAR, 40001, FAR, 80, flags, b"abc", 0xFFFFFFFE, 7)
    assert made == bytes(IP(src=INSIDE, dst=SERVER, flags="DF") / segment / b"abc")
    assert packets.raw_sums_are_right(made)
    assert packets.raw_ends(made) == (6, NEAR, 40001, FAR, 80)


@pytest.mark.parametrize("reply", [False, True])
def test_an_echo(reply: bool) -> None:
    made = packets.raw_echo(NEAR, FAR, 77, reply)
    assert made == bytes(IP(src=INSIDE, dst=SERVER) / ICMP(type=0 if reply else 8, id=77, seq=1) / b"ping")
    assert packets.raw_ends(made) == (1, NEAR, 77, FAR, 77)


@pytest.mark.parametrize("at", [8, 13, 21, 25, 28])
def test_a_wrong_byte_is_seen(at: int) -> None:
    made = bytearray(packets.raw_udp(NEAR, 40001, FAR, 53, b"payload"))
    made[at] ^= 1
    assert not packets.raw_sums_are_right(bytes(made))
