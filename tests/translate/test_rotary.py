"""Inside hosts that take turns at an address (``ip nat inside destination``): TCP load sharing."""

from collections import Counter

from snat.nat.entry import Entry, Flag
from tests.packets import tcp, udp
from tests.translate.configured import nat_by
from tests.translate.nat import Nat, S, T, endpoint, target

V = "203.0.113.50"
"""The virtual address."""
HOSTS = ["10.0.9.1", "10.0.9.2", "10.0.9.3"]
LINES = (
    f"access-list 2 permit {V}",
    "ip nat pool REAL 10.0.9.1 10.0.9.3 prefix-length 24 type rotary",
    "ip nat inside destination list 2 pool REAL",
)


def connect(nat: Nat, port: int, source: str = S) -> str:
    """The host that a connection goes to."""
    came = nat.back(tcp(source, port, V, 80))
    assert endpoint(came) == (source, port)
    assert target(came)[1] == 80
    return target(came)[0]


def test_new_connections_go_round() -> None:
    nat = nat_by(*LINES)
    assert [connect(nat, port) for port in range(4000, 4007)] == [*HOSTS, *HOSTS, HOSTS[0]]


def test_a_connection_stays_where_it_is() -> None:
    nat = nat_by(*LINES)
    first, second = connect(nat, 4000), connect(nat, 4001)
    for _ in range(3):
        for port, host in ((4000, first), (4001, second)):
            assert target(nat.back(tcp(S, port, V, 80, "A"))) == (host, 80)
            assert endpoint(nat.out(tcp(host, 80, S, port, "A"))) == (V, 80)
    assert nat.counters.created == 2


def test_a_syn_again_is_no_new_connection() -> None:
    nat = nat_by(*LINES)
    assert connect(nat, 4000) == connect(nat, 4000)


def test_only_tcp_takes_turns_the_rest_passes_as_in_ios() -> None:
    nat = nat_by(*LINES)
    assert target(nat.back(udp(S, 4000, V, 53))) == (V, 53)
    assert nat.counters.passed == 1


def test_a_segment_of_no_connection_takes_no_turn() -> None:
    nat = nat_by(*LINES)
    assert nat.dropped(tcp(S, 4000, V, 80, "A"), from_outside=True) == "not_syn"
    assert connect(nat, 4001) == HOSTS[0]


def test_other_destinations_pass() -> None:
    nat = nat_by(*LINES)
    assert target(nat.back(tcp(S, 4000, "203.0.113.51", 80))) == ("203.0.113.51", 80)


def test_the_hosts_own_connections_are_not_concerned() -> None:
    nat = nat_by(*LINES)
    assert endpoint(nat.out(tcp(HOSTS[0], 4000, S, 80))) == (HOSTS[0], 4000)


def test_a_host_that_cannot_tell_a_connection_from_another_is_passed_over() -> None:
    """Two virtual addresses lead to the same hosts, and a client uses one port for both."""
    nat = nat_by("access-list 2 permit 203.0.113.60", *LINES)
    assert connect(nat, 4000) == HOSTS[0]
    others = [target(nat.back(tcp(S, 4000, f"203.0.113.{last}", 80)))[0] for last in (60,)]
    assert others == [HOSTS[1]]
    for port in (4001, 4002, 4003):
        connect(nat, port)
    turns = Counter(entry.inside_local[3] for entry in map(Entry.unpack, nat.table))
    assert turns == {1: 2, 2: 2, 3: 1}


def test_when_no_host_can_tell_it_it_is_dropped() -> None:
    nat = nat_by("access-list 2 permit 203.0.113.60 0.0.0.3", *LINES)
    for last in (60, 61, 62):
        assert nat.back(tcp(S, 4000, f"203.0.113.{last}", 80)) is not None
    assert nat.dropped(tcp(S, 4000, V, 80), from_outside=True) == "ambiguous"
    assert connect(nat, 4000, T) in HOSTS


def test_an_extended_list_says_which_port() -> None:
    nat = nat_by(f"access-list 102 permit tcp any host {V} eq 80", *LINES[1:2], LINES[2].replace("2", "102"))
    assert connect(nat, 4000) == HOSTS[0]
    assert target(nat.back(tcp(S, 4000, V, 443))) == (V, 443)


def test_its_flows_say_what_they_are() -> None:
    nat = nat_by(*LINES)
    connect(nat, 4000)
    (entry,) = map(Entry.unpack, nat.table)
    assert entry.flags == Flag.EXTENDED | Flag.DESTINATION | Flag.INBOUND
    assert entry.inside_global == bytes((203, 0, 113, 50))
