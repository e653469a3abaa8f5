"""Packets that leave the world of offloads, against scapy.

Against the kernel's own segmentation they are held in tests/system/test_tun_live.py.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption
from scapy.packet import Packet

from snat.translate.offload import GSO_ECN, GSO_TCPV4, GSO_UDP_L4, MAX_SEGMENTS, VIRTIO, plain
from tests.packets import checksums_are_right, pseudo_header_sum, tcp, udp

S, D = "203.0.113.1", "198.51.100.10"


def partial(packet: Packet, kind: int, size: int = 0) -> bytes:
    """As the kernel hands it over: the pseudo header's sum for a checksum, behind a virtio header."""
    parsed = IP(bytes(packet))
    layer = TCP if TCP in parsed else UDP
    if not parsed.options:
        parsed[layer].chksum = pseudo_header_sum(parsed)
    start = parsed.ihl * 4
    return VIRTIO.pack(1, kind, 0, size, start, 16 if layer is TCP else 6) + bytes(parsed)


def packets(data: bytes) -> list[Packet]:
    made = plain(data)
    assert all(one[:10] == bytes(10) for one in made)
    return [IP(one[10:]) for one in made]


@pytest.mark.parametrize("make", [udp, tcp])
@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_a_partial_checksum_is_completed(make: Any, payload: bytes) -> None:
    whole = udp(S, 5, D, 53, payload) if make is udp else tcp(S, 5, D, 80, "PA", payload)
    (made,) = packets(partial(whole, 0))
    assert bytes(made) == bytes(whole)


def test_a_udp_checksum_that_comes_out_as_zero_is_written_as_ffff() -> None:
    found = next(
        packet
        for port in range(65536)
        if IP(bytes(packet := udp(S, port, D, 53, b"", id=1)))[UDP].chksum == 0xFFFF
    )
    (made,) = packets(partial(found, 0))
    assert made[UDP].chksum == 0xFFFF


def test_a_complete_packet_stays_and_its_trailer_goes() -> None:
    whole = bytes(udp(S, 5, D, 53, b"x"))
    assert plain(bytes(10) + whole + b"trailer") == [bytes(10) + whole]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 6000),
    st.integers(40, 1460),
    st.sampled_from(["A", "PA", "FPA", "CEA", "CPA"]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 65535),
    st.booleans(),
)
def test_tcp_is_cut_as_its_sender_would_have_sent_it(
    length: int, size: int, flags: str, sequence: int, identification: int, stamped: bool
) -> None:
    payload = bytes(range(256)) * 24
    options = [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)] if stamped else []
    segment = TCP(sport=5, dport=80, flags=flags, seq=sequence, ack=9, options=options)
    whole = IP(src=S, dst=D, id=identification, flags="DF", tos=3) / segment / payload[:length]
    made = packets(partial(whole, GSO_TCPV4 | GSO_ECN, size))
    assert b"".join(bytes(one[TCP].payload) for one in made) == payload[:length]
    assert len(made) == -(-length // size)
    for number, one in enumerate(made):
        first, last = number == 0, number == len(made) - 1
        assert checksums_are_right(one)
        assert one.id == (identification + number) % 65536
        assert one[TCP].seq == (sequence + number * size) % 2**32
        expected = {flag for flag in flags if last or flag not in "FP"} - (set() if first else {"C"})
        assert set(str(one[TCP].flags)) == expected
        assert (one.tos, one[TCP].ack, one[TCP].options) == (3, 9, options)
        assert len(one[TCP].payload) == size or last


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6000), st.integers(100, 1472))
def test_udp_is_cut_into_datagrams(length: int, size: int) -> None:
    payload = bytes(range(256)) * 24
    data = partial(udp(S, 5, D, 53, payload[:length], id=7), GSO_UDP_L4, size)
    made = packets(data)
    assert [bytes(one[UDP].payload) for one in made] == [
        payload[at : min(at + size, length)] for at in range(0, length, size)
    ]
    assert all(checksums_are_right(one) and one[UDP].len == 8 + len(one[UDP].payload) for one in made)


def test_options_of_the_ip_header_are_in_every_segment() -> None:
    whole = IP(src=S, dst=D, options=[IPOption(b"\x94\x04\0\0")]) / TCP(sport=5, dport=80) / bytes(300)
    made = packets(partial(whole, GSO_TCPV4, 100))
    assert len(made) == 3
    assert all(checksums_are_right(one) and one.ihl == 6 for one in made)


GOOD = partial(tcp(S, 5, D, 80, "PA", bytes(300)), GSO_TCPV4, 100)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:29],
        GOOD[:60],
        VIRTIO.pack(1, GSO_TCPV4, 0, 0, 20, 16) + GOOD[10:],
        VIRTIO.pack(1, GSO_UDP_L4, 0, 100, 20, 6) + GOOD[10:],
        VIRTIO.pack(1, 4, 0, 100, 20, 16) + GOOD[10:],
        VIRTIO.pack(1, 0, 0, 0, 400, 16) + GOOD[10:],
        VIRTIO.pack(1, 0, 0, 0, 0, 16) + GOOD[10:],
        GOOD[:10] + b"\x65" + GOOD[11:],
        GOOD[:10] + b"\x41" + GOOD[11:],
        GOOD[:16] + b"\x20\0" + GOOD[18:],
        partial(tcp(S, 5, D, 80, "A"), GSO_TCPV4, 100),
        partial(udp(S, 5, D, 80, bytes(MAX_SEGMENTS + 1)), GSO_UDP_L4, 1),
    ],
    ids=[
        "nothing", "no header", "cut off", "no size", "TCP told as UDP", "IPv6", "checksum behind the end",
        "checksum in the IP header", "version 6", "short IP header", "a fragment", "no payload", "too many",
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_nothing(data: bytes) -> None:
    assert plain(data) == []


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_are_taken(data: bytes, headed: bool) -> None:
    for one in plain(GOOD[:10] + data if headed else data):
        assert len(one) >= 30
