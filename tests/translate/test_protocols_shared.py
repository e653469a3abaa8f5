"""Addresses of protocols without ports, where several devices have one pool: nobody's answers go astray."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.configuration_file import read_configuration
from snat.config.stateful import ConfiguredRole, Group, Stateful
from snat.device.translation import Pools, rules_of
from snat.nat.parking import Parking
from snat.nat.pool import SLOTS, Pool, member_slots
from snat.nat.rules import Rules
from snat.nat.table import NatTable
from snat.replication.pull import merge
from tests.nat.records import packed, record
from tests.packets import bare
from tests.translate.nat import A, B, Nat, P, S, T

GRE = 47
FIRST = int.from_bytes(packed(P), "big")
HOSTS = [packed(f"10.0.0.{last}") for last in range(1, 40)]


def pool(addresses: int, nat_id: int = 1, members: int = 1, *, paired: bool = False) -> Pool:
    slots = member_slots(nat_id, range(1, members + 1))
    made = Pool("POOL1", [(FIRST, FIRST + addresses - 1)], slots, random.Random(1), paired=paired)
    made.parking = Parking() if members > 1 else None
    return made


# Who may give an address


@given(addresses=st.integers(1, 40), members=st.integers(2, 18), paired=st.booleans())
def test_no_two_peers_give_one_address(addresses: int, members: int, paired: bool) -> None:
    given_by = [
        {one for host in HOSTS for one in pool(addresses, nat_id, members, paired=paired).without_port(host)}
        for nat_id in range(1, members + 1)
    ]
    assert sum(map(len, given_by)) == len(set().union(*given_by))
    alone = {one for host in HOSTS for one in pool(addresses, paired=paired).without_port(host)}
    if paired:
        assert set().union(*given_by) == alone, "somebody gives each of them"


def test_who_has_the_first_slot_gives_the_only_address() -> None:
    assert list(pool(1, 1, 2).without_port(HOSTS[0])) == [packed(P)]
    assert list(pool(1, 2, 2).without_port(HOSTS[0])) == []


def test_the_order_is_the_same_on_every_device_and_begins_with_the_hosts_own() -> None:
    one, other = pool(5), Pool("POOL1", [(FIRST, FIRST + 4)], (), random.Random(2), paired=False)
    for host in HOSTS:
        assert list(one.without_port(host)) == list(other.without_port(host))
        assert next(one.without_port(host)) == one.address_for(host)
        assert len(set(one.without_port(host))) == 5


def test_a_pool_without_an_address_for_a_host_has_none_here_either() -> None:
    one = Pool("POOL1", [(FIRST, FIRST)], range(SLOTS), random.Random(1), match_host=24, paired=False)
    assert list(one.without_port(packed("10.0.0.1"))) == [packed(P)]
    assert list(one.without_port(packed("10.0.0.2"))) == []


LINES = """\
interface out0
 ip address 203.0.113.100 255.255.255.0
 ip nat outside
interface in0
 ip nat inside
access-list 1 permit 10.0.0.0 0.255.255.255
ip nat pool POOL1 203.0.113.1 203.0.113.1 prefix-length 24
ip nat pool POOL2 203.0.113.2 203.0.113.2 prefix-length 24
ip nat inside source list 1 pool POOL1 overload
ip nat inside source list 2 pool POOL2 overload
access-list 2 permit 10.0.0.0 0.255.255.255
"""


@pytest.mark.parametrize("kind", ["primary", "backup", "peers"])
def test_in_which_groups_others_give_at_once(kind: str) -> None:
    rules = rules_in(kind)
    by_name = {one.name: one for one in rules.pools if isinstance(one, Pool)}
    assert (by_name["POOL1"].parking is not None) is (kind == "peers")
    assert by_name["POOL2"].parking is None, "it is this device's alone"


def test_a_pool_that_stays_follows_its_group() -> None:
    pools: Pools = {}
    for kind in ("primary", "peers", "primary"):
        (first, _) = (one for one in rules_in(kind, pools).pools if isinstance(one, Pool))
        assert (first.parking is not None) is (kind == "peers")
    assert len(pools) == 2


def rules_in(kind: str, pools: Pools | None = None) -> Rules:
    """The rules of a device of such a group."""
    configuration, wrong = read_configuration(LINES, "test")
    assert not wrong
    group = Group(role=ConfiguredRole(kind), mapping_ids=(10,))
    mapped, own = configuration.dynamic_rules
    shared = replace(
        configuration,
        dynamic_rules=(replace(mapped, mapping_id=10), own),
        stateful=Stateful(nat_id=1, groups=(group,)),
    )
    return rules_of(shared, range(SLOTS), random.Random(1), {} if pools is None else pools)


# Whatever two devices did while they did not hear each other


def gre(host: str, server: str, number: int, nat_id: int = 1) -> bytes:
    return record(
        number,
        nat_id=nat_id,
        protocol=GRE,
        inside_local=(host, 0),
        inside_global=(P, 0),
        outside=(server, 0),
        timeout_class=4,
    )


def test_two_hosts_towards_one_server_lose_one_flow() -> None:
    table = NatTable()
    table.add([gre(A, S, 1)])
    theirs = gre(B, S, 2, nat_id=2)
    assert merge(table, [theirs]) == ([], [theirs])


def test_two_hosts_towards_two_servers_keep_both() -> None:
    table = NatTable()
    table.add([gre(A, S, 1)])
    theirs = gre(B, T, 2, nat_id=2)
    assert merge(table, [theirs]) == ([theirs], [])
    assert table.collisions == 0


def test_who_takes_over_goes_on_with_the_flows_of_the_other() -> None:
    first = Nat()
    assert first.out(bare(A, S, GRE)) is not None
    second = Nat(table=first.table, nat_id=2)
    back = second.back(bare(S, P, GRE))
    assert back is not None
    assert back.dst == A
    assert second.dropped(bare(B, S, GRE), from_outside=False) == "address_taken"
    assert second.out(bare(B, T, GRE)) is not None
