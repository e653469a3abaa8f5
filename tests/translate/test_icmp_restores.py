"""What leaves and is quoted comes back as it was; and any bytes at all in an error do no harm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.packet import Packet

from snat.translate.translator import Verdict
from tests.packets import buffer, parse
from tests.translate.errors import R, error, hops_later, quote, sums_are_right, through
from tests.translate.nat import TRANSLATED, A, B, Nat, P, S

PORTS = st.integers(1, 65535)
FLOWS = st.builds(
    lambda kind, sport, dport, payload, options, tos: IP(
        bytes(
            IP(src=A, dst=S, flags="DF", tos=tos, options=[IPOption_NOP()] * options)
            / {
                "udp": UDP(sport=sport, dport=dport),
                "none": UDP(sport=sport, dport=dport, chksum=0),
                "tcp": TCP(sport=sport, dport=dport, flags="S"),
                "echo": ICMP(id=sport, seq=dport),
            }[kind]
            / payload
        )
    ),
    st.sampled_from(["udp", "none", "tcp", "echo"]),
    PORTS,
    PORTS,
    st.binary(max_size=60),
    st.integers(0, 40),
    st.integers(0, 255),
)


def taken(flow: Packet) -> Nat:
    """A translator that cannot keep the port of a flow: B has it."""
    nat = Nat()
    first = IP(bytes(flow))
    first.src = B
    for layer in (IP, UDP, TCP, ICMP):
        if layer in first and first[layer].chksum:
            del first[layer].chksum
    assert nat.out(IP(bytes(first))) is not None
    return nat


def whole_checksum(flow: Packet, quoted: int) -> int:
    """Not half a TCP checksum, which cannot be followed."""
    return quoted - 1 if TCP in flow and quoted == flow.ihl * 4 + 17 else quoted


@settings(max_examples=80, deadline=None)
@given(FLOWS, st.integers(8, 80), st.sampled_from([(3, 1), (3, 4), (11, 0), (12, 0)]), st.binary(min_size=2))
def test_what_went_out_is_quoted_as_it_was_sent(
    flow: Packet, transport: int, kind: tuple[int, int], rest: bytes
) -> None:
    nat = taken(flow)
    out = nat.out(flow)
    assert out is not None
    most = whole_checksum(flow, flow.ihl * 4 + transport)
    packet = error(R, P, hops_later(out, 3), *kind, most=most, rest=bytes(2) + rest[:2])
    made = through(nat, packet, True)
    assert (made.src, made.dst) == (R, A)
    assert quote(made) == hops_later(flow, 4)[:most]


@settings(max_examples=80, deadline=None)
@given(FLOWS, st.integers(8, 80), st.sampled_from([(3, 1), (3, 3), (11, 0), (12, 0)]))
def test_what_came_in_is_quoted_as_it_was_sent(flow: Packet, transport: int, kind: tuple[int, int]) -> None:
    nat = taken(flow)
    out = nat.out(flow)
    assert out is not None
    answer = IP(bytes(out))
    answer.src, answer.dst = out.dst, out.src
    if ICMP in answer:
        answer[ICMP].type = 0
    else:
        answer.payload.sport, answer.payload.dport = out.dport, out.sport
    if TCP in answer:
        answer[TCP].flags = "SA"
    for layer in (IP, UDP, TCP, ICMP):
        if layer in answer and answer[layer].chksum:
            del answer[layer].chksum
    answer = IP(bytes(answer))
    came = nat.back(answer)
    assert came is not None
    most = whole_checksum(flow, flow.ihl * 4 + transport)
    made = through(nat, error(A, S, hops_later(came, 2), *kind, most=most), False)
    assert (made.src, made.dst) == (P, S)
    assert quote(made) == hops_later(answer, 3)[:most]


# Anything


def mutated(data: bytes, changes: dict[int, int], cut: int) -> bytes:
    return bytes(changes.get(at, value) for at, value in enumerate(data[: len(data) - cut]))


QUOTES = st.one_of(
    st.binary(max_size=100),
    st.builds(
        mutated,
        st.sampled_from(
            [
                bytes(IP(src=source, dst=destination, options=[IPOption_NOP()] * options) / transport)
                for source, destination in ((P, S), (S, A))
                for transport in (
                    UDP(sport=5000, dport=53) / b"question",
                    UDP(sport=53, dport=5000) / b"answer",
                    TCP(sport=5000, dport=80),
                    TCP(sport=80, dport=5000),
                    ICMP(id=7),
                )
                for options in (0, 5)
            ]
        ),
        st.dictionaries(st.integers(0, 47), st.integers(0, 255), max_size=2),
        st.integers(0, 40).map(lambda number: max(0, number - 20)),
    ),
)
ANYTHING = st.tuples(
    QUOTES,
    st.sampled_from([3, 4, 5, 11, 12]),
    st.binary(min_size=4, max_size=4) | st.just(bytes(4)),
    st.booleans(),
    st.sampled_from([bytes(10), bytes(10), bytes.fromhex("01000000000014000200"), b"\xff" * 10]),
)


OPENINGS = [
    bytes(IP(src=A, dst=S, flags="DF") / transport)
    for transport in (UDP(sport=5000, dport=53), TCP(sport=5000, dport=80), ICMP(id=7))
]


def survive(errors: list[tuple[bytes, int, bytes, bool, bytes]]) -> None:
    nat = Nat()
    for opening in OPENINGS:
        nat.raw(*buffer(opening), False)
    entries = sorted(nat.table)
    for quoted, kind, rest, from_outside, virtio in errors:
        ends = (S, P) if from_outside else (A, S)
        packet = bytes(error(*ends, quoted, kind, rest=rest))
        filled, end = buffer(packet)
        filled[:10] = virtio
        filled[end : end + 100] = b"\xaa" * 100
        before = bytes(filled)
        verdict, outcome = nat.raw(filled, end, from_outside)
        assert filled[end:] == before[end:]
        assert sorted(nat.table) == entries
        if verdict == Verdict.DROP:
            assert outcome not in TRANSLATED
            assert filled == before
            continue
        made = parse(filled, end)
        assert made.dst == (A if from_outside else S)
        assert made.src == (S if from_outside else P)
        assert virtio[0] & 1 or sums_are_right(bytes(made))
    nat.wait(20_000)
    assert len(nat.table) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(ANYTHING, max_size=8))
def test_any_error_is_translated_right_or_dropped_for_one_reason(
    errors: list[tuple[bytes, int, bytes, bool, bytes]],
) -> None:
    survive(errors)


@pytest.mark.soak
@settings(max_examples=10000, deadline=None)
@given(st.lists(ANYTHING, max_size=20))
def test_any_error_is_translated_right_or_dropped_for_one_reason_long(
    errors: list[tuple[bytes, int, bytes, bool, bytes]],
) -> None:
    survive(errors)
