"""Pools without overload: a host gets an address as a whole; types of pools; interfaces."""

import pytest
from scapy.layers.inet import IP
from scapy.packet import Raw

from snat.nat.entry import Entry, Flag, TimeoutClass
from snat.nat.pool import QUARANTINE
from snat.nat.table import NatTable
from tests.packets import echo, tcp, udp
from tests.translate.configured import nat_by, rules_by
from tests.translate.nat import A, B, Nat, S, T, endpoint, target

RULE = "ip nat inside source list 1 pool P"
TWO = ("ip nat pool P 203.0.113.1 203.0.113.2 prefix-length 24", RULE)
BOTH = {"203.0.113.1", "203.0.113.2"}
C = "10.0.0.4"


def simple(nat: Nat) -> list[Entry]:
    return [entry for entry in map(Entry.unpack, nat.table) if not entry.flags & Flag.EXTENDED]


def address(nat: Nat, host: str, port: int = 5000) -> str:
    out = nat.out(udp(host, port, S, 53))
    assert endpoint(out)[1] == port, "ports are the host's own"
    return endpoint(out)[0]


def test_b1_c2_one_address_for_all_that_a_host_sends() -> None:
    nat = nat_by(*TWO)
    whole = address(nat, A)
    out = [nat.out(tcp(A, 80, S, 25)), nat.out(echo(A, S, 7)), nat.out(udp(A, 0, S, 53))]
    out += [nat.out(IP(src=A, dst=S, proto=47) / Raw(bytes(20)))]
    assert {one.src for one in out if one is not None} == {whole}
    assert None not in out
    assert {whole, address(nat, B)} == BOTH


def test_its_entry_is_simple_and_its_flows_are_extended() -> None:
    nat = nat_by(*TWO)
    address(nat, A)
    (entry,) = simple(nat)
    assert (entry.protocol, entry.inside_local_port, entry.inside_global_port) == (0, 0, 0)
    assert entry.timeout_class == TimeoutClass.OTHER
    assert len(nat.table) == 2


def test_outside_hosts_may_begin() -> None:
    nat = nat_by(*TWO)
    whole = address(nat, A)
    assert target(nat.back(tcp(T, 4000, whole, 22))) == (A, 22)
    assert nat.back(echo(T, whole, 7)) is not None
    assert nat.dropped(tcp(T, 4000, (BOTH - {whole}).pop(), 22), from_outside=True) == "unknown_inbound"


def test_when_the_pool_is_empty_nobody_loses_his_address() -> None:
    nat = nat_by(*TWO)
    had = {host: address(nat, host) for host in (A, B)}
    assert nat.dropped(udp(C, 5000, S, 53), from_outside=False) == "exhausted"
    (pool,) = nat.translator.flows.rules.pools
    assert (pool.misses, pool.missed_at) == (1, nat.now)
    assert {host: address(nat, host, 6000) for host in (A, B)} == had


def test_b4_an_address_goes_after_its_last_flow_and_then_waits() -> None:
    nat = nat_by(*TWO)
    whole = address(nat, A)
    address(nat, B)
    nat.wait(100)
    address(nat, B, 6000)
    nat.wait(200 + 86399)
    assert {Entry.unpack(one).inside_global for one in nat.table} >= {bytes(map(int, whole.split(".")))}
    nat.wait(3)
    assert [entry.inside_local[3] for entry in simple(nat)] == [3], "the other has had a flow for longer"
    assert nat.dropped(udp(C, 5000, S, 53), from_outside=False) == "exhausted"
    nat.wait(QUARANTINE)
    assert address(nat, C) == whole


def test_a_host_keeps_its_address_as_long_as_it_sends() -> None:
    nat = nat_by(*TWO)
    whole = address(nat, A)
    for _ in range(400):
        nat.wait(250)
        assert address(nat, A) == whole
    assert nat.now > 86400 + 1000


def test_a_taker_goes_on_with_the_addresses_of_its_predecessor() -> None:
    table = NatTable()
    first, second = (nat_by(*TWO, slots=slots, table=table) for slots in ((0, 2, 4), (1, 3, 5)))
    whole = address(first, A)
    assert address(second, A, 6000) == whole
    assert target(second.back(tcp(T, 4000, whole, 22))) == (A, 22)


def test_members_that_manage_at_once_never_give_one_address_away_twice() -> None:
    pool = "ip nat pool P 203.0.113.1 203.0.113.40 prefix-length 24"
    evens, odds = (nat_by(pool, RULE, slots=tuple(range(start, 16, 2))) for start in (0, 1))
    given = [{address(nat, f"10.0.1.{host}") for host in range(1, 21)} for nat in (evens, odds)]
    assert [len(one) for one in given] == [20, 20]
    assert not given[0] & given[1]
    for nat in (evens, odds):
        assert nat.dropped(udp("10.0.1.99", 5000, S, 53), from_outside=False) == "exhausted"


def test_rules_that_come_again_know_what_was_given() -> None:
    nat = nat_by(*TWO)
    whole = address(nat, A)
    timeouts = nat.translator.flows.timeouts
    nat.translator.configure(rules_by(), timeouts)
    nat.translator.configure(rules_by(*TWO), timeouts)
    assert address(nat, A, 6000) == whole
    assert {address(nat, B), whole} == BOTH


def test_a_flow_outlives_its_rule() -> None:
    nat = nat_by(*TWO)
    whole = address(nat, A)
    nat.translator.configure(rules_by(), nat.translator.flows.timeouts)
    assert address(nat, A) == whole
    assert endpoint(nat.out(udp(A, 6000, S, 53))) == (A, 6000)


# Types of pools


def test_match_host_keeps_the_host_part() -> None:
    pool = "ip nat pool P 203.0.113.1 203.0.113.254 prefix-length 24 type match-host"
    nat = nat_by(pool, RULE, slots=(3,))
    assert [address(nat, f"10.0.1.{host}") for host in (1, 77)] == ["203.0.113.1", "203.0.113.77"]
    assert nat.dropped(udp("10.0.2.77", 5000, S, 53), from_outside=False) == "exhausted"
    assert nat.dropped(udp("10.0.2.255", 5000, S, 53), from_outside=False) == "exhausted"


def test_match_host_with_overload_lets_hosts_share_it() -> None:
    pool = "ip nat pool P 203.0.113.1 203.0.113.200 prefix-length 24 type match-host"
    nat = nat_by(pool, f"{RULE} overload")
    outs = [endpoint(nat.out(udp(f"10.0.{net}.77", 5000, S, 53))) for net in (1, 2)]
    assert {one[0] for one in outs} == {"203.0.113.77"}
    assert len(set(outs)) == 2
    assert nat.dropped(udp("10.0.1.201", 5000, S, 53), from_outside=False) == "exhausted"


def test_c3_a_pool_of_several_ranges() -> None:
    pool = (
        "ip nat pool P prefix-length 24",
        " address 203.0.113.7 203.0.113.7",
        " address 198.18.0.4 198.18.0.5",
    )
    nat = nat_by(*pool, RULE)
    given = {address(nat, f"10.0.1.{host}") for host in range(3)}
    assert given == {"203.0.113.7", "198.18.0.4", "198.18.0.5"}


# The address of an interface

OVERLOAD = "ip nat inside source list 1 interface out0 overload"
OWN = "203.0.113.100"


def test_inside_hosts_share_the_address_of_an_interface() -> None:
    nat = nat_by(OVERLOAD)
    outs = [endpoint(nat.out(udp(host, 5000, S, 53))) for host in (A, B)]
    assert {one[0] for one in outs} == {OWN}
    for host, out in zip((A, B), outs, strict=True):
        assert target(nat.back(udp(S, 53, *out))) == (host, 5000)


@pytest.mark.parametrize(
    "packet",
    [
        tcp(S, 4000, OWN, 22),
        udp(T, 53, OWN, 5000),
        echo(S, OWN, 7),
        IP(src=S, dst=OWN, proto=112) / Raw(b"vrrp"),
    ],
)
def test_b3_what_nobody_is_mapped_for_is_the_routers(packet: IP) -> None:
    nat = nat_by(OVERLOAD)
    nat.out(udp(A, 5000, S, 53))
    came = nat.back(packet)
    assert came is not None
    assert (came.src, came.dst) == (packet.src, OWN)
    assert nat.counters.passed == 1


@pytest.mark.parametrize(("protocol", "port"), [("tcp", 22), ("tcp", 15555), ("udp", 1985), ("udp", 40000)])
def test_the_routers_own_ports_are_never_given_away(protocol: str, port: int) -> None:
    nat = nat_by(OVERLOAD)
    out = endpoint(nat.out((tcp if protocol == "tcp" else udp)(A, port, S, 53)))
    assert out[0] == OWN
    assert out[1] != port
    assert out[1] % 2 == port % 2


def test_without_an_address_nothing_leaves() -> None:
    nat = Nat(rules_by(OVERLOAD, "interface out0", " no ip address"))
    assert nat.dropped(udp(A, 5000, S, 53), from_outside=False) == "no_address"


def test_the_address_that_it_really_has_counts() -> None:
    nat = Nat(rules_by(OVERLOAD, learnt={"out0": bytes((192, 0, 2, 9))}))
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == ("192.0.2.9", 5000)


def test_the_routers_address_from_inside_is_the_routers() -> None:
    nat = nat_by(OVERLOAD)
    assert target(nat.out(tcp(A, 5000, OWN, 22))) == (OWN, 22)


@pytest.mark.parametrize(("line", "addresses"), [("", 1), ("no ip nat settings pap", 2)])
def test_m4_whether_a_host_may_have_two_addresses(line: str, addresses: int) -> None:
    pool = "ip nat pool P 203.0.113.1 203.0.113.2 prefix-length 24"
    nat = nat_by(pool, f"{RULE} overload", line, slots=(3,))
    outs = [nat.out(udp(A, port, S, 53)) for port in range(1, 200)]
    given = {one.src for one in outs if one is not None}
    assert len(given) == addresses
    assert len(nat.table) == 64 * addresses
