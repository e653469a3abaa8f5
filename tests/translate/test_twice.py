"""Outside hosts that inside ones know by other addresses (twice NAT), static and dynamic."""

import pytest
from scapy.layers.inet import ICMP

from snat.nat.entry import Entry, Flag
from tests.packets import echo, tcp, udp
from tests.translate.configured import nat_by
from tests.translate.nat import A, B, Nat, S, T, endpoint, target

L = "10.9.9.1"
"""What inside hosts call S."""
STATIC = f"ip nat outside source static {S} {L}"
POOL = (
    "ip nat pool P 203.0.113.1 203.0.113.1 prefix-length 24",
    "ip nat inside source list 1 pool P overload",
)
DYNAMIC = (
    "access-list 2 permit 198.51.100.0 0.0.0.255",
    "ip nat pool OL 10.9.9.1 10.9.9.2 prefix-length 24",
    "ip nat outside source list 2 pool OL",
)


def outside_entries(nat: Nat) -> list[Entry]:
    return [entry for entry in map(Entry.unpack, nat.table) if entry.flags & Flag.OUTSIDE]


# Static


def test_an_inside_host_sends_to_the_local_address() -> None:
    nat = nat_by(STATIC, *POOL)
    out = nat.out(udp(A, 5000, L, 53))
    assert (endpoint(out), target(out)) == (("203.0.113.1", 5000), (S, 53))
    back = nat.back(udp(S, 53, "203.0.113.1", 5000))
    assert (endpoint(back), target(back)) == ((L, 53), (A, 5000))


def test_only_the_outside_host_is_translated_where_no_rule_is_for_the_inside_one() -> None:
    nat = nat_by(STATIC)
    out = nat.out(tcp(A, 5000, L, 80))
    assert (endpoint(out), target(out)) == ((A, 5000), (S, 80))
    back = nat.back(tcp(S, 80, A, 5000, "SA"))
    assert (endpoint(back), target(back)) == ((L, 80), (A, 5000))


def test_an_outside_host_begins() -> None:
    nat = nat_by(STATIC)
    came = nat.back(udp(S, 4000, A, 53))
    assert (endpoint(came), target(came)) == ((L, 4000), (A, 53))
    answer = nat.out(udp(A, 53, L, 4000))
    assert (endpoint(answer), target(answer)) == ((A, 53), (S, 4000))


def test_both_ends_are_static() -> None:
    nat = nat_by(STATIC, f"ip nat inside source static {A} 203.0.113.20")
    came = nat.back(tcp(S, 4000, "203.0.113.20", 22))
    assert (endpoint(came), target(came)) == ((L, 4000), (A, 22))
    answer = nat.out(tcp(A, 22, L, 4000, "SA"))
    assert (endpoint(answer), target(answer)) == (("203.0.113.20", 22), (S, 4000))


def test_u7_both_realms_have_the_same_network() -> None:
    """The classic case: both sides are 10.0.0.0/24, and know each other by other networks."""
    nat = nat_by(
        "ip nat inside source static network 10.0.0.0 198.18.0.0 /24",
        "ip nat outside source static network 10.0.0.0 198.19.0.0 /24",
    )
    out = nat.out(udp("10.0.0.2", 5000, "198.19.0.2", 53))
    assert (endpoint(out), target(out)) == (("198.18.0.2", 5000), ("10.0.0.2", 53))
    back = nat.back(udp("10.0.0.2", 53, "198.18.0.2", 5000))
    assert (endpoint(back), target(back)) == (("198.19.0.2", 53), ("10.0.0.2", 5000))


def test_a_query_has_its_identifier_on_both_sides() -> None:
    nat = nat_by(STATIC, *POOL)
    nat.out(echo(B, L, 7))
    out = nat.out(echo(A, L, 7))
    assert out is not None
    assert (out.src, out.dst) == ("203.0.113.1", S)
    assert out[ICMP].id != 7
    back = nat.back(echo(S, "203.0.113.1", out[ICMP].id, reply=True))
    assert back is not None
    assert (back.src, back.dst, back[ICMP].id) == (L, A, 7)


def test_a_port_of_an_outside_host() -> None:
    nat = nat_by(f"ip nat outside source static tcp {S} 80 {L} 8080", *POOL)
    out = nat.out(tcp(A, 5000, L, 8080))
    assert (endpoint(out), target(out)) == (("203.0.113.1", 5000), (S, 80))
    assert endpoint(nat.back(tcp(S, 80, "203.0.113.1", 5000, "SA"))) == (L, 8080)
    assert nat.dropped(tcp(A, 5001, L, 80), from_outside=False) == "unknown_outbound"


def test_the_rule_shows_as_a_simple_entry_of_an_outside_host() -> None:
    nat = nat_by(STATIC)
    (base,) = outside_entries(nat)
    assert base.flags == Flag.STATIC | Flag.OUTSIDE
    assert (base.inside_local, base.inside_global) == (bytes(4), bytes(4))
    assert (base.outside_local, base.outside_global) == (bytes((10, 9, 9, 1)), bytes((198, 51, 100, 10)))


def test_other_outside_hosts_are_what_they_are() -> None:
    nat = nat_by(STATIC)
    assert endpoint(nat.back(udp(T, 53, A, 5000))) == (T, 53)
    assert target(nat.out(udp(A, 5000, T, 53))) == (T, 53)
    assert (nat.counters.passed, nat.counters.created) == (2, 0)


# Dynamic


def test_an_outside_host_gets_a_local_address_as_a_whole() -> None:
    nat = nat_by(*DYNAMIC)
    came = nat.back(udp(S, 4000, A, 53))
    local = endpoint(came)[0]
    assert local in ("10.9.9.1", "10.9.9.2")
    assert target(came) == (A, 53)
    assert endpoint(nat.back(tcp(S, 4001, B, 80)))[0] == local
    assert target(nat.out(udp(A, 53, local, 4000))) == (S, 4000)
    assert target(nat.out(tcp(B, 9000, local, 22))) == (S, 22), "inside hosts may begin now"
    assert [entry.outside_global for entry in outside_entries(nat)] == [bytes((198, 51, 100, 10))]


def test_it_keeps_it_while_it_has_flows_and_for_the_time_after() -> None:
    nat = nat_by(*DYNAMIC)
    local = endpoint(nat.back(udp(S, 4000, A, 53)))[0]
    for _ in range(400):
        nat.wait(250)
        assert nat.out(udp(A, 53, local, 4000)) is not None
    assert len(outside_entries(nat)) == 1
    nat.wait(301 + 86399)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0
    assert nat.dropped(udp(A, 5000, local, 53), from_outside=False) == "unknown_outbound"


def test_when_there_are_no_more_nobody_loses_his() -> None:
    nat = nat_by(*DYNAMIC)
    locals_ = {endpoint(nat.back(udp(one, 4000, A, 53)))[0] for one in (S, T)}
    assert locals_ == {"10.9.9.1", "10.9.9.2"}
    assert nat.dropped(udp("198.51.100.99", 4000, A, 53), from_outside=True) == "exhausted"
    assert {endpoint(nat.back(udp(one, 4000, A, 53)))[0] for one in (S, T)} == locals_


def test_an_address_that_stands_for_nobody_is_not_passed_on() -> None:
    nat = nat_by(*DYNAMIC)
    assert nat.dropped(udp(A, 5000, "10.9.9.2", 53), from_outside=False) == "unknown_outbound"


def test_both_ends_are_dynamic() -> None:
    nat = nat_by(*DYNAMIC, *POOL)
    out = nat.out(udp(A, 5000, S, 53))
    assert (endpoint(out), target(out)) == (("203.0.113.1", 5000), (S, 53))
    assert endpoint(nat.back(udp(S, 53, "203.0.113.1", 5000))) == (S, 53), "as the flow began"
    came = nat.back(udp(S, 99, "203.0.113.1", 5000))
    assert endpoint(came)[0] in ("10.9.9.1", "10.9.9.2")
    assert target(came) == (A, 5000)


@pytest.mark.parametrize("source", [S, T])
def test_what_the_inside_does_not_admit_takes_no_address(source: str) -> None:
    nat = nat_by(*DYNAMIC, *POOL)
    assert nat.dropped(udp(source, 53, "203.0.113.1", 5000), from_outside=True) == "unknown_inbound"
    assert outside_entries(nat) == []
