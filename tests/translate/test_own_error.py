"""ICMP errors of our own: what they say, when there is none, and how many there are (RFC 1812 4.3.2)."""

import struct
from dataclasses import fields

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.packet import Packet, Raw

from snat.nat.rules import Rules
from snat.translate import own_error
from snat.translate.own_error import BURST, LONGEST, RATE, SENDER_BURST, SENDER_RATE, TokenBucket
from snat.translate.packet import START
from snat.translate.translator import Verdict
from tests.packets import buffer, echo, pseudo_header_sum, tcp, udp
from tests.translate.errors import G, error, sums_are_right
from tests.translate.nat import INSIDE, A, Nat, P, Q, S, permit, rules

GATEWAY = bytes((10, 0, 0, 1))


def question(**ip: object) -> Packet:
    return udp(A, 5000, S, 53, b"question", **ip)


def told(nat: Nat, packet: Packet, from_outside: bool) -> Packet | None:
    """What the sender of a packet that is dropped is told."""
    filled, end = buffer(packet)
    verdict, _ = nat.raw(filled, end, from_outside)
    assert verdict == Verdict.DROP
    assert bytes(filled[START:end]) == bytes(packet)
    return only(nat, from_outside)


def only(nat: Nat, from_outside: bool) -> Packet | None:
    """The error that waits for the data path, if there is one."""
    waiting = list(nat.translator.more)
    nat.translator.more.clear()
    if not waiting:
        return None
    ((goes, packet),) = waiting
    assert goes is (Verdict.TO_OUTSIDE if from_outside else Verdict.TO_INSIDE)
    assert packet[:START] == bytes(START)
    data = packet[START:]
    assert sums_are_right(data)
    assert len(data) <= LONGEST
    made = IP(data)
    assert (made.len, made.ihl, made.ttl, made.proto) == (len(data), 5, 64, 1)
    return made


def made(nat: Nat, packet: Packet, mtu: int, from_outside: bool = False) -> Packet:
    """An error that a packet needs fragmenting."""
    filled, _ = buffer(packet)
    nat.translator.own_errors.needs_fragmenting(filled, mtu, from_outside, nat.now)
    found = only(nat, from_outside)
    assert found is not None
    return found


def counts(nat: Nat) -> dict[str, int]:
    """The counters that are not 0."""
    counters = nat.translator.own_errors.counters
    return {one.name: value for one in fields(counters) if (value := getattr(counters, one.name))}


# I10a: time exceeded


@pytest.mark.parametrize("packet", [question(ttl=1), question(ttl=0), question(ttl=1, flags=0)])
def test_i10a_where_we_are_the_router_time_ends_here(packet: Packet) -> None:
    nat = Nat()
    nat.translator.own_errors.inside_address = GATEWAY
    answer = told(nat, packet, False)
    assert answer is not None
    assert (answer.src, answer.dst) == ("10.0.0.1", A)
    assert (answer[ICMP].type, answer[ICMP].code) == (11, 0)
    assert bytes(answer)[28:] == bytes(packet)
    assert len(nat.table) == 0, "before any mapping"
    assert counts(nat) == {"time_exceeded": 1}


def test_i10a_without_an_address_inside_it_comes_from_the_pool() -> None:
    answer = told(Nat(), question(ttl=1), False)
    assert answer is not None
    assert (answer.src, answer.dst) == (P, A)


def test_i10a_outside_it_comes_from_the_address_that_was_meant() -> None:
    answer = told(Nat(rules(addresses=2)), udp(S, 53, Q, 5000, ttl=1), True)
    assert answer is not None
    assert (answer.src, answer.dst) == (Q, S)


def test_i10a_of_what_is_not_translated_too() -> None:
    answer = told(Nat(rules(lines=(permit(INSIDE, False),))), question(ttl=1), False)
    assert answer is not None
    assert (answer[ICMP].type, answer.dst) == (11, A)


def test_i10a_between_the_tuns_the_kernel_tells() -> None:
    nat = Nat(ttl_step=1)
    assert told(nat, question(ttl=255), False) is None
    assert counts(nat) == {}


# I9: turned off


@pytest.mark.parametrize("side", [False, True])
def test_i9_a_side_is_told_nothing(side: bool) -> None:
    nat = Nat(rules(slots=[]))
    nat.translator.own_errors.silent = frozenset({side})
    assert (told(nat, udp(S, 53, P, 5000, ttl=1), True) is None) is side
    for packet in (question(ttl=1), question()):
        assert (told(nat, packet, False) is None) is (not side)
    long, _ = buffer(question())
    nat.translator.own_errors.needs_fragmenting(long, 1000, False, nat.now)
    assert (only(nat, False) is None) is (not side)
    assert counts(nat)["turned_off"] == (1 if side else 3)


def test_a_router_without_a_pool_has_no_address_to_answer_from() -> None:
    nat = Nat()
    nat.translator.flows.rules = Rules((), ())
    assert told(nat, question(ttl=1), False) is None
    assert counts(nat) == {"no_address": 1}


# I8: nothing left


def test_i8_without_a_free_port_the_sender_is_told() -> None:
    nat = Nat(rules(slots=[]))
    answer = told(nat, question(), False)
    assert answer is not None
    assert (answer[ICMP].type, answer[ICMP].code, answer.dst) == (3, 13, A)
    assert bytes(answer)[28:] == bytes(question())
    assert counts(nat) == {"prohibited": 1}


@pytest.mark.parametrize(
    ("packet", "from_outside"), [(tcp(A, 5000, S, 80, "A"), False), (udp(S, 53, P, 5000), True)]
)
def test_what_is_unknown_is_dropped_silently(packet: Packet, from_outside: bool) -> None:
    nat = Nat()
    assert told(nat, packet, from_outside) is None
    assert counts(nat) == {}


# U13: too long


@pytest.mark.parametrize("mtu", [68, 576, 1400, 65535])
def test_u13_too_long_tells_the_next_mtu(mtu: int) -> None:
    nat = Nat()
    packet = udp(A, 5000, S, 53, bytes(1472))
    answer = made(nat, packet, mtu)
    assert (answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu) == (3, 4, mtu)
    assert len(answer) == LONGEST
    assert bytes(answer)[28:] == bytes(packet)[: LONGEST - 28]
    assert counts(nat) == {"needs_fragmenting": 1}


# What is quoted


@pytest.mark.parametrize("size", [0, 1, 519, 520, 521, 1472])
def test_as_much_is_quoted_as_576_bytes_hold(size: int) -> None:
    packet = udp(A, 5000, S, 53, bytes(size), ttl=1)
    answer = told(Nat(), packet, False)
    assert answer is not None
    assert bytes(answer)[28:] == bytes(packet)[:548]


def test_the_packet_alone_is_quoted_not_what_stands_behind_it() -> None:
    nat = Nat()
    data = bytes(question(ttl=1))
    filled, end = buffer(data + b"trailer")
    nat.raw(filled, end, False)
    answer = only(nat, False)
    assert answer is not None
    assert bytes(answer)[28:] == data


def test_options_are_quoted() -> None:
    packet = IP(src=A, dst=S, ttl=1, options=[IPOption_NOP()] * 40) / UDP(sport=5000, dport=53) / b"x"
    answer = told(Nat(), packet, False)
    assert answer is not None
    assert bytes(answer)[28:] == bytes(packet)


@pytest.mark.parametrize(
    "packet",
    [udp(A, 5000, S, 53, bytes(1000) + b"odd"), tcp(A, 5000, S, 80, "PA", bytes(40000)), question()],
    ids=["udp", "super-packet", "short"],
)
def test_a_partial_checksum_is_completed_before_it_is_quoted(packet: Packet) -> None:
    """nat-behaviour.md 3.3: who gets it cannot."""
    right = IP(bytes(packet))
    partial = IP(bytes(packet))
    layer, offset = (partial[UDP], 6) if UDP in partial else (partial[TCP], 16)
    layer.chksum = pseudo_header_sum(IP(bytes(packet)))
    filled, _ = buffer(partial)
    filled[:START] = struct.pack("=BBHHHH", 1, 1 if TCP in packet else 0, 0, 1448, 20, offset)
    nat = Nat()
    before = bytes(filled)
    nat.translator.own_errors.needs_fragmenting(filled, 1400, False, nat.now)
    assert filled == before
    answer = only(nat, False)
    assert answer is not None
    assert bytes(answer)[28:] == bytes(right)[:548]


@pytest.mark.parametrize(("start", "offset"), [(0, 0), (19, 6), (20, 65535), (540, 16), (65535, 2)])
@pytest.mark.parametrize("size", [1000, 8])
def test_a_partial_checksum_that_cannot_be_is_quoted_as_it_is(start: int, offset: int, size: int) -> None:
    nat = Nat()
    filled, end = buffer(udp(A, 5000, S, 53, bytes(size)))
    filled[:START] = struct.pack("=BBHHHH", 1, 0, 0, 0, start, offset)
    nat.translator.own_errors.needs_fragmenting(filled, 1400, False, nat.now)
    answer = only(nat, False)
    assert answer is not None
    assert bytes(answer)[28:] == bytes(filled[START:end])[:548]


def test_a_completed_udp_checksum_is_never_0() -> None:
    payload = IP(bytes(udp(A, 5000, S, 53, bytes(2))))[UDP].chksum.to_bytes(2, "big")
    packet = udp(A, 5000, S, 53, payload)
    partial = IP(bytes(packet))
    partial[UDP].chksum = pseudo_header_sum(IP(bytes(packet)))
    filled, _ = buffer(partial)
    filled[:START] = struct.pack("=BBHHHH", 1, 0, 0, 0, 20, 6)
    nat = Nat()
    nat.translator.own_errors.needs_fragmenting(filled, 1400, False, nat.now)
    answer = only(nat, False)
    assert answer is not None
    assert bytes(answer)[54:56] == b"\xff\xff"


@pytest.mark.parametrize("service", [0, 0xB8, 0xBB, 0xFF])
def test_i10d_the_service_class_is_that_of_the_packet(service: int) -> None:
    """But not its congestion mark."""
    answer = told(Nat(), question(ttl=1, tos=service), False)
    assert answer is not None
    assert answer.tos == service & 0xFC


# I10e: when there is none


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (error(A, S, udp(S, 53, A, 5000)), "about_icmp"),
        (IP(src=A, dst=S) / ICMP(type=5), "about_icmp"),
        (IP(src=A, dst=S) / ICMP(type=40), "about_icmp"),
        (IP(src=A, dst=S, proto=1), "about_icmp"),
        (IP(src=A, dst=S, proto=17, frag=5) / Raw(bytes(16)), "about_fragment"),
        (question(dst="224.0.0.251"), "about_many"),
        (question(dst="239.1.2.3"), "about_many"),
        (question(dst="255.255.255.255"), "about_many"),
        (question(src="0.0.0.0"), "bad_source"),
        (question(src="127.0.0.1"), "bad_source"),
        (question(src="224.0.0.1"), "bad_source"),
        (question(src="255.255.255.255"), "bad_source"),
        (question(src="240.0.0.1"), "bad_source"),
        (question(src=P), "bad_source"),
    ],
)
def test_i10e_about_some_packets_nothing_is_said(packet: Packet, reason: str) -> None:
    nat = Nat()
    filled, _ = buffer(packet)
    filled[START + len(bytes(packet))] = 8  # as if a query stood behind a header alone
    nat.translator.own_errors.prohibited(filled, False, nat.now)
    assert only(nat, False) is None
    assert counts(nat) == {reason: 1}


@pytest.mark.parametrize("change", [{"chksum": 1}, {"len": 4000}, {"ihl": 4}, {"version": 5}])
def test_i10e_not_about_a_bad_header(change: dict[str, int]) -> None:
    nat = Nat()
    assert told(nat, question(ttl=1, **change), False) is None
    assert counts(nat) == {}


@pytest.mark.parametrize("packet", [echo(A, S, 7), IP(src=A, dst=S, proto=17, flags="MF") / Raw(bytes(16))])
def test_i10e_about_a_query_and_a_first_fragment_there_is_one(packet: Packet) -> None:
    nat = Nat()
    filled, _ = buffer(packet)
    nat.translator.own_errors.prohibited(filled, False, nat.now)
    assert only(nat, False) is not None


# I10f: how many


def flood(nat: Nat, senders: list[str]) -> int:
    """How many of them are told something."""
    answers = 0
    for sender in senders:
        answers += told(nat, udp(sender, 5000, S, 53, ttl=1), False) is not None
    return answers


def test_i10f_a_sender_is_told_so_often_only() -> None:
    nat = Nat()
    assert flood(nat, [A] * 1000) == SENDER_BURST
    assert counts(nat)["limited"] == 1000 - SENDER_BURST
    assert flood(nat, [G]) == 1, "others are not the worse for it"
    nat.now += 1.0
    assert flood(nat, [A] * 1000) == SENDER_RATE


def test_i10f_all_senders_together_are_told_so_often_only() -> None:
    nat = Nat()
    many = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    assert flood(nat, many) == BURST
    nat.now += 0.1
    assert flood(nat, many) == RATE / 10


def test_i10f_what_is_remembered_of_senders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_error, "_SENDERS", 8)
    nat = Nat()
    for number in range(200):
        flood(nat, [f"10.2.0.{number + 1}"])
        nat.now += 0.1
    assert len(nat.translator.own_errors._senders) == 8


def test_without_a_data_path_errors_do_not_pile_up() -> None:
    nat = Nat()
    for number in range(200):
        filled, end = buffer(udp(f"10.2.0.{number + 1}", 5000, S, 53, ttl=1))
        nat.raw(filled, end, False)
        nat.now += 1.0
    assert len(nat.translator.more) == 64
    assert counts(nat)["undelivered"] == 200 - 64


@pytest.mark.parametrize("backwards", [0.0, 100.0])
def test_a_bucket_fills_with_time_up_to_its_brim(backwards: float) -> None:
    bucket = TokenBucket(2.0, 3.0, 1000.0)

    def takes(now: float) -> int:
        taken = 0
        while bucket.has_one(now):
            bucket.take()
            taken += 1
        return taken

    assert takes(1000.0 - backwards) == 3
    assert takes(1000.4 - backwards) == 0
    assert takes(1000.5 - backwards) == 1
    assert takes(9000.0) == 3


def test_an_error_of_ours_is_no_reason_for_another() -> None:
    nat = Nat()
    answer = told(nat, question(ttl=1), False)
    assert answer is not None
    answer.ttl = 1
    del answer.chksum
    assert told(nat, IP(bytes(answer)), True) is None
    assert counts(nat) == {"time_exceeded": 1, "about_icmp": 1}
