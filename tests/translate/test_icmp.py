"""ICMP queries as RFC 5508 wants them."""

import pytest
from scapy.layers.inet import ICMP

from tests.packets import echo, timestamp, udp
from tests.translate.configured import nat_by
from tests.translate.nat import A, B, Nat, P, Q, S, T, endpoint


def identifier(packet: object) -> int:
    assert packet is not None
    return int(packet[ICMP].id)  # type: ignore[index]


def test_there_and_back() -> None:
    nat = Nat()
    out = nat.out(echo(A, S, 7))
    assert out is not None
    assert (out.src, out.dst, identifier(out)) == (P, S, 7)
    answer = nat.back(echo(S, P, 7, reply=True))
    assert answer is not None
    assert (answer.src, answer.dst, identifier(answer)) == (S, A, 7)


def test_i1_identifiers_are_mapped_endpoint_independently() -> None:
    nat = Nat()
    nat.out(echo(B, S, 7))
    first = identifier(nat.out(echo(A, S, 7)))
    assert first != 7
    assert identifier(nat.out(echo(A, T, 7))) == first
    for server in (S, T):
        answer = nat.back(echo(server, P, first, reply=True))
        assert answer is not None
        assert (answer.dst, identifier(answer)) == (A, 7)


def test_i1_two_hosts_with_one_identifier_are_told_apart() -> None:
    nat = Nat()
    ours, theirs = (identifier(nat.out(echo(host, S, 7))) for host in (A, B))
    assert ours != theirs
    answer = nat.back(echo(S, P, theirs, reply=True))
    assert answer is not None
    assert (answer.dst, identifier(answer)) == (B, 7)


def test_i1_identifier_0_is_translated_both_ways() -> None:
    nat = Nat()
    out = identifier(nat.out(echo(A, S, 0)))
    answer = nat.back(echo(S, P, out, reply=True))
    assert answer is not None
    assert (answer.dst, identifier(answer)) == (A, 0)


def test_i2_the_query_timer() -> None:
    nat = Nat()
    nat.out(echo(A, S, 7))
    nat.wait(59)
    assert nat.back(echo(S, P, 7, reply=True)) is not None
    nat.wait(61)
    assert nat.dropped(echo(S, P, 7, reply=True), from_outside=True) == "unknown_inbound"
    assert len(nat.table) == 0


def test_i1_time_stamps_are_asked_for_and_answered() -> None:
    nat = Nat()
    nat.out(echo(B, S, 7))
    out = nat.out(timestamp(A, S, 7))
    assert out is not None
    assert (out.src, out[ICMP].type, out[ICMP].ts_ori) == (P, 13, 1000)
    assert identifier(out) != 7
    assert identifier(nat.out(timestamp(A, T, 7))) == identifier(out)
    answer = nat.back(timestamp(S, P, identifier(out), reply=True))
    assert answer is not None
    assert (answer.dst, identifier(answer), answer[ICMP].ts_rx) == (A, 7, 2000)


def test_i2_time_stamps_have_the_query_timer() -> None:
    nat = Nat()
    nat.out(timestamp(A, S, 7))
    nat.wait(59)
    assert nat.back(timestamp(S, P, 7, reply=True)) is not None
    nat.wait(61)
    assert nat.dropped(timestamp(S, P, 7, reply=True), from_outside=True) == "unknown_inbound"


def test_a_time_stamp_nobody_asked_for_opens_nothing() -> None:
    nat = Nat()
    assert nat.dropped(timestamp(A, S, 7, reply=True), from_outside=False) == "not_query"
    assert nat.dropped(timestamp(S, P, 7), from_outside=True) == "unknown_inbound"
    assert len(nat.table) == 0


def test_i10b_outside_hosts_may_ask_who_has_an_address() -> None:
    nat = nat_by(f"ip nat inside source static {A} {Q}")
    asked = nat.back(timestamp(S, Q, 7))
    assert asked is not None
    assert (asked.dst, identifier(asked)) == (A, 7)
    answer = nat.out(timestamp(A, S, 7, reply=True))
    assert answer is not None
    assert (answer.src, answer.dst, identifier(answer)) == (Q, S, 7)


def test_i12_a_mapping_goes_with_its_last_session() -> None:
    """Each session by its own timer (RFC 5508 REQ-2); the identifier serves while one is left."""
    nat = Nat()
    nat.out(echo(B, S, 7))
    mapped = identifier(nat.out(echo(A, S, 7)))
    assert mapped != 7
    nat.wait(40)
    nat.out(echo(A, T, 7))
    nat.wait(30)
    assert nat.dropped(echo(S, P, mapped, reply=True), from_outside=True) == "filtered"
    assert identifier(nat.out(echo(A, "198.51.100.12", 7))) == mapped
    assert nat.back(echo(T, P, mapped, reply=True)) is not None
    nat.wait(70)
    assert len(nat.table) == 0
    assert nat.dropped(echo(T, P, mapped, reply=True), from_outside=True) == "unknown_inbound"


def test_another_hosts_answer_is_filtered() -> None:
    nat = Nat()
    nat.out(echo(A, S, 7))
    assert nat.dropped(echo(T, P, 7, reply=True), from_outside=True) == "filtered"


def test_an_echo_for_an_unmapped_address_is_dropped() -> None:
    assert Nat().dropped(echo(S, P, 7), from_outside=True) == "unknown_inbound"


def test_a_reply_opens_nothing() -> None:
    """RFC 5508 REQ-1: a mapping is made for a query."""
    nat = Nat()
    assert nat.dropped(echo(A, S, 7, reply=True), from_outside=False) == "not_query"
    assert len(nat.table) == 0


@pytest.mark.parametrize("kind", [1, 2, 6, 9, 10, 15, 16, 17, 18, 40])
def test_i11_other_types_are_dropped(kind: int) -> None:
    nat = Nat()
    packet = echo(A, S, 7)
    packet[ICMP].type = kind
    assert nat.dropped(packet, from_outside=False) == "icmp_type"


def test_identifiers_and_udp_ports_do_not_collide() -> None:
    nat = Nat()
    nat.out(udp(A, 7, S, 53))
    assert identifier(nat.out(echo(B, S, 7))) == 7
    assert endpoint(nat.out(udp(A, 7, S, 53))) == (P, 7)
