"""SYNs from outside that nobody asked for (RFC 5382 REQ-4)."""

import pytest
from scapy.layers.inet import ICMP
from scapy.packet import Packet

from snat.translate.unasked import MOST, PATIENCE
from tests.packets import buffer, tcp, udp
from tests.translate.nat import A, Nat, P, S, T
from tests.translate.test_own_error import only

JUST_BEFORE = PATIENCE - 0.001


def unasked(port: int = 5000) -> Packet:
    return tcp(T, 80, P, port, "S", seq=77)


def test_t4_nobody_is_told_for_6_s_and_then_that_there_is_nobody() -> None:
    nat = Nat()
    syn = unasked()
    assert nat.dropped(syn, from_outside=True) == "unknown_inbound"
    nat.wait(JUST_BEFORE)
    assert only(nat, True) is None
    nat.wait(0.002)
    answer = only(nat, True)
    assert answer is not None
    assert (answer.src, answer.dst) == (P, T)
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 3)
    assert bytes(answer)[28:] == bytes(syn)
    assert len(nat.translator._unasked) == 0
    assert nat.translator.own_errors.counters.nobody_there == 1


def test_t4_a_mapped_port_that_is_filtered_says_no_more_than_a_free_one() -> None:
    nat = Nat()
    nat.out(tcp(A, 5000, S, 80))
    assert nat.dropped(unasked(), from_outside=True) == "filtered"
    nat.wait(PATIENCE)
    answer = only(nat, True)
    assert answer is not None
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 3)


@pytest.mark.parametrize("after", [0.0, JUST_BEFORE])
def test_t4_the_other_half_of_a_simultaneous_open_silences_it(after: float) -> None:
    nat = Nat()
    nat.dropped(unasked(), from_outside=True)
    nat.wait(after)
    assert nat.out(tcp(A, 5000, T, 80, "S", seq=5)) is not None
    nat.wait(PATIENCE)
    assert only(nat, True) is None
    assert nat.back(unasked()) is not None, "it is sent again, and goes in"
    assert nat.out(tcp(A, 5000, T, 80, "SA", seq=5, ack=78)) is not None


def test_t4_another_connection_silences_nothing() -> None:
    nat = Nat()
    nat.dropped(unasked(), from_outside=True)
    nat.out(tcp(A, 5000, T, 81))
    nat.wait(PATIENCE)
    assert only(nat, True) is not None


def test_t4_one_that_is_sent_again_is_answered_once() -> None:
    nat = Nat()
    for _ in range(3):
        nat.dropped(unasked(), from_outside=True)
        nat.wait(1)
    nat.wait(PATIENCE - 3)
    assert only(nat, True) is not None
    nat.wait(PATIENCE)
    assert only(nat, True) is None


@pytest.mark.parametrize(
    "packet",
    [
        tcp(T, 80, P, 5000, "A"),
        tcp(T, 80, P, 5000, "SA"),
        tcp(T, 80, P, 5000, "R"),
        tcp(T, 80, P, 5000, "FA"),
        udp(T, 80, P, 5000),
    ],
)
def test_t4_only_syns_are_answered(packet: Packet) -> None:
    nat = Nat()
    assert nat.back(packet) is None
    nat.wait(PATIENCE + 1)
    assert only(nat, True) is None


def test_t4_an_inside_host_is_not_held() -> None:
    nat = Nat()
    assert nat.dropped(tcp(A, 5000, P, 77, "S"), from_outside=False) == "unknown_inbound"
    assert nat.translator._unasked.next_deadline() == float("inf")


def test_t4_what_is_not_for_us_is_not_held() -> None:
    nat = Nat()
    assert nat.back(tcp(T, 80, "192.0.2.1", 5000, "S")) is not None
    assert nat.translator._unasked.next_deadline() == float("inf")


def test_t4_strangers_cannot_fill_the_memory() -> None:
    nat = Nat()
    for port in range(MOST + 10):
        filled, end = buffer(unasked(port=1024 + port))
        nat.raw(filled, end, True)
    assert len(nat.translator._unasked) == MOST
    assert nat.counters.unasked_forgotten == 10
    assert all(len(held) <= 130 for _, held in nat.translator._unasked._waiting.values())
    nat.now += PATIENCE
    nat.translator.expire(nat.now)
    assert len(nat.translator._unasked) == 0
    assert 0 < len(nat.translator.more) <= 50, "errors are limited"


def test_t4_a_standby_answers_nobody() -> None:
    nat = Nat(manages=False)
    assert nat.back(unasked()) is None
    nat.wait(PATIENCE + 1)
    assert only(nat, True) is None
