"""``dns-timeout`` and ``port-timeout``: by the port of the outside host."""

import pytest

from snat.config.model import Configuration, PortTimeout, Timeouts
from snat.config.model import Nat as NatConfiguration
from snat.device.translation import timeouts_of
from snat.nat.entry import NEVER, TAIL
from tests.packets import tcp, udp
from tests.translate.nat import A, B, Nat, P, S, timeouts
from tests.translate.test_tcp import closed, connected

DNS, WEB = b"\x11\x00\x35", b"\x06\x00\x50"


def lives(nat: Nat, seconds: int) -> bool:
    """Whether the only entry goes just then."""
    nat.wait(seconds - 1)
    there = len(nat.table)
    nat.wait(2)
    return (there, len(nat.table)) == (1, 0)


@pytest.mark.parametrize(("port", "seconds"), [(53, 60), (54, 300)])
def test_a_query_lives_shorter_than_another_flow(port: int, seconds: int) -> None:
    nat = Nat(ports={DNS: 60.0})
    nat.out(udp(A, 5000, S, port))
    (record,) = nat.table
    assert TAIL.unpack(record[-4:]) == (seconds,)
    assert lives(nat, seconds)


def test_packets_of_either_side_prolong_it() -> None:
    nat = Nat(ports={DNS: 60.0})
    nat.out(udp(A, 5000, S, 53))
    nat.wait(50)
    nat.back(udp(S, 53, P, 5000))
    assert lives(nat, 60)


def test_the_port_is_the_outside_hosts() -> None:
    nat = Nat(ports={DNS: 60.0})
    nat.out(udp(A, 53, S, 5000))
    assert lives(nat, 300)


def test_tcp_to_the_same_port_is_another_matter() -> None:
    nat = Nat(ports={b"\x11\x00\x50": 10.0})
    connected(nat)
    assert lives(nat, 7440)


def test_a_connection_has_it_while_it_is_established() -> None:
    nat = Nat(ports={WEB: 1000.0})
    nat.out(tcp(A, 5000, S, 80, "S", seq=99))
    assert lives(nat, 240)
    nat = connected(Nat(ports={WEB: 1000.0}))
    (record,) = nat.table
    assert TAIL.unpack(record[-4:]) == (1000,)
    assert lives(nat, 1000)
    nat = connected(Nat(ports={WEB: 1000.0}))
    closed(nat)
    assert lives(nat, 60)


def test_who_takes_over_ages_alike() -> None:
    first = Nat(ports={DNS: 60.0})
    first.out(udp(A, 5000, S, 53))
    second = Nat(table=first.table, nat_id=2, ports={DNS: 60.0})
    assert lives(second, 60)


def test_another_setting_concerns_entries_that_exist() -> None:
    nat = Nat(ports={DNS: 60.0})
    nat.out(udp(A, 5000, S, 53))
    translator = nat.translator
    translator.configure(translator.flows.rules, timeouts({DNS: 20.0}))
    assert lives(nat, 20)
    nat.out(udp(B, 5000, S, 53))
    assert lives(nat, 20)


def test_a_query_may_live_for_ever() -> None:
    nat = Nat(ports={DNS: float("inf")})
    nat.out(udp(A, 5000, S, 53))
    (record,) = nat.table
    assert TAIL.unpack(record[-4:]) == (NEVER,)
    nat.wait(100_000)
    assert len(nat.table) == 1


def test_the_configuration_says_them() -> None:
    nat = NatConfiguration(
        timeouts=Timeouts(dns=30), port_timeouts=(PortTimeout("tcp", 80, 0), PortTimeout("udp", 4500, 86400))
    )
    assert timeouts_of(Configuration(nat=nat)).ports == {
        DNS: 30.0,
        WEB: float("inf"),
        b"\x11\x11\x94": 86400.0,
    }
    assert timeouts_of(Configuration()).ports == {DNS: 60.0}
    named = NatConfiguration(port_timeouts=(PortTimeout("udp", 53, 7),))
    assert timeouts_of(Configuration(nat=named)).ports == {DNS: 7.0}


def test_u5_a_flow_that_an_outside_host_begins_from_the_port_lives_as_any() -> None:
    """RFC 4787 REQ-5a is of destination ports: here it is the inside host that offers something."""
    nat = Nat(ports={DNS: 60.0})
    nat.out(udp(A, 5000, S, 1))
    nat.back(udp(S, 53, P, 5000))
    taker = Nat(table=nat.table, ports={DNS: 60.0}, now=nat.now)
    for one in (nat, taker):
        one.wait(298)
        assert len(one.table) == 2
    nat.wait(4)
    assert len(nat.table) == 0
