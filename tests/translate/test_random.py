"""Any packets in any order: nothing raises, nothing leaks, every checksum is right."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet

from snat.nat.entry import INSIDE_GLOBAL, INSIDE_LOCAL
from snat.translate.packet import START
from snat.translate.translator import Verdict
from tests.packets import buffer, checksums_are_right, echo, parse, tcp, udp
from tests.translate.nat import INSIDE, TRANSLATED, A, B, Nat, P, Q, S, T, rules

FLAGS = ["S", "SA", "A", "PA", "FA", "R", "RA", "SF", ""]
PORTS = [0, 53, 600, 5000, 5001]

Step = tuple[str, bool, int, int, int, int, str, bytes, bool]
STEPS = st.tuples(
    st.sampled_from(["udp", "tcp", "tcp", "echo", "wait"]),
    st.booleans(),
    st.integers(0, 1),
    st.integers(0, 2),
    st.sampled_from(PORTS),
    st.sampled_from(PORTS),
    st.sampled_from(FLAGS),
    st.binary(max_size=9),
    st.booleans(),
)


def packet(nat: Nat, step: Step) -> tuple[Packet, bool]:
    """From inside any host to any; from outside mostly to what is mapped."""
    kind, from_outside, host, far, port, far_port, flags, payload, df = step
    known = sorted(nat.table)
    near = ((A, B)[host], port)
    if from_outside:
        near = (P, Q)[host], port
        if known and df:
            one = known[port % len(known)]
            near = str(IPv4Address(one[23:27])), int.from_bytes(one[27:29], "big")
    away = (S, T, P)[far], far_port
    source, destination = (away, near) if from_outside else (near, away)
    if kind == "udp":
        made = udp(*source, *destination, payload, flags="DF" if df else 0)
    elif kind == "tcp":
        made = tcp(*source, *destination, flags, payload, seq=port, ack=far_port)
    else:
        made = echo(source[0], destination[0], near[1], reply=from_outside)
    return made, from_outside


def play(steps: list[Step]) -> None:
    nat = Nat(rules(addresses=2))
    for step in steps:
        if step[0] == "wait":
            nat.wait(step[4] / 7)
            continue
        sent, from_outside = packet(nat, step)
        turns = not from_outside and sent.dst in (P, Q)
        out = nat.send(sent, from_outside, turns=turns)
        if out is None:
            continue
        if turns:
            assert out.src in (P, Q)
        if from_outside or turns:
            assert IPv4Address(out.dst) in IPv4Network(INSIDE)
        else:
            assert out.src in (P, Q)
            assert IPv4Address(out.dst) not in IPv4Network(INSIDE)
    assert_consistent(nat)
    nat.wait(20_000)
    assert len(nat.table) == 0, "everything ages out in the end"
    assert nat.translator.flows.next_deadline() == float("inf")


def assert_consistent(nat: Nat) -> None:
    """No outside endpoint has two inside hosts, no inside endpoint two mappings."""
    mappings = {(one[INSIDE_LOCAL], one[INSIDE_GLOBAL]) for one in nat.table}
    assert len({inside for inside, _ in mappings}) == len(mappings)
    assert len({outside for _, outside in mappings}) == len(mappings)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_every_packet_is_translated_right_or_dropped_for_one_reason(steps: list[Step]) -> None:
    play(steps)


@pytest.mark.soak
@settings(max_examples=5000, deadline=None)
@given(st.lists(STEPS, max_size=80))
def test_every_packet_is_translated_right_or_dropped_for_one_reason_long(steps: list[Step]) -> None:
    play(steps)


VALID = [
    bytes(one)
    for one in (
        udp(A, 5000, S, 53, b"payload"),
        tcp(A, 5000, S, 80, "S"),
        tcp(A, 5000, S, 80, "FA", b"bye"),
        echo(A, S, 7),
        udp(S, 53, P, 5000),
        tcp(S, 80, P, 5000, "SA"),
        tcp(S, 80, P, 5000, "R"),
        echo(S, P, 7, reply=True),
    )
]
MUTATED = st.builds(
    lambda data, changes, cut: bytes(
        changes.get(at, value) for at, value in enumerate(data[: len(data) - cut])
    ),
    st.sampled_from(VALID),
    st.dictionaries(st.integers(0, 47), st.integers(0, 255), max_size=4),
    st.integers(0, 50).map(lambda number: max(0, number - 30)),
)
BYTES = st.tuples(
    st.one_of(st.binary(max_size=80), MUTATED), st.booleans(), st.binary(min_size=10, max_size=10)
)


def survive(packets: list[tuple[bytes, bool, bytes]]) -> None:
    nat = Nat()
    filled, _ = buffer(b"")
    for data, from_outside, virtio in packets:
        filled[:START], filled[START : START + len(data)] = virtio, data  # on top of what was there
        behind = bytes(filled[START + len(data) :])
        verdict, outcome = nat.raw(filled, START + len(data), from_outside)
        assert bytes(filled[START + len(data) :]) == behind
        if verdict == Verdict.DROP:
            assert outcome not in TRANSLATED
            assert filled[START : START + len(data)] == data
            continue
        length = int.from_bytes(data[2:4], "big")
        assert bytes(filled[START + length : START + len(data)]) == data[length:]
        if is_right(data) and not virtio[0] & 1:
            assert checksums_are_right(parse(filled, START + len(data)))
    nat.wait(20_000)
    assert len(nat.table) == 0


def is_right(data: bytes) -> bool:
    """Whether scapy can judge a packet at all, and finds its checksums right."""
    before = IP(data)
    if before.ihl != 5 or before.frag or "MF" in before.flags or before.len != len(data):
        return False
    if (UDP in before and before[UDP].len != len(data) - 20) or (TCP in before and before[TCP].dataofs < 5):
        return False
    return checksums_are_right(before)


@settings(max_examples=150, deadline=None)
@given(st.lists(BYTES, max_size=12))
def test_arbitrary_bytes_do_no_harm(packets: list[tuple[bytes, bool, bytes]]) -> None:
    survive(packets)


@pytest.mark.soak
@settings(max_examples=10000, deadline=None)
@given(st.lists(BYTES, max_size=40))
def test_arbitrary_bytes_do_no_harm_long(packets: list[tuple[bytes, bool, bytes]]) -> None:
    survive(packets)
