"""Packets whose checksum is to be completed later, super-packets, and the two paths' same bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet

from snat.translate.packet import START
from snat.translate.translator import Verdict
from tests.packets import buffer, parse, pseudo_header_sum, tcp, udp
from tests.translate.nat import A, B, Nat, P, S

NEEDS_CHECKSUM = 1
TSO = (
    bytes((NEEDS_CHECKSUM, 1))
    + (54).to_bytes(2, "little")
    + (1448).to_bytes(2, "little")
    + bytes((20, 0, 16, 0))
)


def partial(packet: Packet) -> bytes:
    """The packet as the kernel hands it over: the sum of the pseudo header in the checksum field."""
    fresh = IP(bytes(packet))
    layer = TCP if TCP in fresh else UDP
    fresh[layer].chksum = pseudo_header_sum(fresh)
    return bytes(fresh)


def completed(filled: bytearray, end: int) -> Packet:
    """What the kernel or the card does in the end: the sum from the transport header on, complemented."""
    made = parse(filled, end)
    layer = TCP if TCP in made else UDP
    body = bytes(filled[START + 20 : end])
    body += bytes(len(body) % 2)
    total = sum(int.from_bytes(body[index : index + 2], "big") for index in range(0, len(body), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    made[layer].chksum = (total ^ 0xFFFF) or (0xFFFF if layer is UDP else 0)
    return made


def opened() -> Nat:
    nat = Nat()
    for host in (A, B):
        nat.out(udp(host, 5000, S, 53))
        nat.out(tcp(host, 5000, S, 80))
    return nat


@pytest.mark.parametrize("host", [A, B], ids=["port kept", "port changed"])
@pytest.mark.parametrize("flags", ["DF", 0, "evil"], ids=["fast", "without DF", "slow"])
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_partial_checksum_follows_the_addresses_alone(kind: str, flags: str | int, host: str) -> None:
    nat = opened()
    packet = udp(host, 5000, S, 53, b"data") if kind == "udp" else tcp(host, 5000, S, 80, "PA", b"data")
    packet[IP].flags = flags
    filled, end = buffer(partial(packet))
    filled[:10] = TSO
    assert nat.raw(filled, end, False)[0] == Verdict.TO_OUTSIDE
    made = parse(filled, end)
    layer = TCP if TCP in made else UDP
    assert (made.src, made[layer].sport != 5000) == (P, host == B)
    assert made[layer].chksum % 0xFFFF == pseudo_header_sum(made) % 0xFFFF
    finished = completed(filled, end)
    fresh = IP(bytes(finished))
    del fresh[layer].chksum
    assert bytes(IP(bytes(fresh))) == bytes(finished), "right once it is completed"
    assert filled[:10] == TSO, "the virtio header is left alone"


@pytest.mark.parametrize("host", [A, B], ids=["port kept", "port changed"])
@pytest.mark.parametrize("from_outside", [False, True])
def test_a_super_packet_passes_with_one_rewrite(host: str, from_outside: bool) -> None:
    nat = opened()
    out = nat.out(tcp(host, 5000, S, 80, "A"))
    assert out is not None
    payload = bytes(range(256)) * 255 + bytes(65535 - 40 - 256 * 255)
    packet = (
        tcp(S, 80, out.src, out.sport, "PA", payload)
        if from_outside
        else tcp(host, 5000, S, 80, "PA", payload)
    )
    data = partial(packet)
    assert len(data) == 65535
    filled, end = buffer(data)
    filled[:10] = TSO
    assert nat.raw(filled, end, from_outside)[1] == "hits"
    made = parse(filled, end)
    assert (made.dst, made.dport) == ((host, 5000) if from_outside else (S, 80))
    assert made[TCP].chksum % 0xFFFF == pseudo_header_sum(made) % 0xFFFF
    assert bytes(made[TCP].payload) == payload
    del made.chksum
    assert IP(bytes(made)).chksum == parse(filled, end).chksum


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["udp", "tcp"]),
    st.sampled_from([A, B]),
    st.binary(max_size=40),
    st.booleans(),
    st.integers(2, 255),
    st.sampled_from([0, NEEDS_CHECKSUM]),
)
def test_both_paths_give_the_same_bytes(
    kind: str, host: str, payload: bytes, from_outside: bool, ttl: int, virtio: int
) -> None:
    """With and without DF the fast path, with the reserved flag the slow one: the same but for flags,
    identification and the header's checksum.
    """
    nat = opened()
    made = []
    out = nat.out(udp(host, 5000, S, 53) if kind == "udp" else tcp(host, 5000, S, 80, "A"))
    assert out is not None
    for flags, path in (("DF", "hits"), (0, "hits"), ("evil", "slow")):
        far = 53 if kind == "udp" else 80
        ends: tuple[str, int, str, int] = (
            (S, far, out.src, out.sport) if from_outside else (host, 5000, S, far)
        )
        packet = udp(*ends, payload) if kind == "udp" else tcp(*ends, "PA", payload)
        packet[IP].flags, packet[IP].ttl = flags, ttl
        filled, end = buffer(packet)
        filled[0] = virtio
        assert nat.raw(filled, end, from_outside)[1] == path
        masked = bytearray(filled[:end])
        for at in (4, 5, 6, 10, 11):
            masked[START + at] = 0
        made.append(masked)
        fresh = parse(filled, end)
        del fresh.chksum
        assert IP(bytes(fresh)).chksum == parse(filled, end).chksum
    assert made[0] == made[1] == made[2]
