"""A running router is configured: pairs that come to be, grow, change and end by apply(), in one process."""

import random
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from snat.config.model import (
    AddressRange,
    Configuration,
    ConfiguredRole,
    DynamicRule,
    Group,
    Interface,
    Peer,
    Pool,
    Side,
    Stateful,
    VirtualAddress,
)
from snat.config.refused import ConfigurationRefused
from snat.device.links import Link
from snat.nat.entry import INSIDE_GLOBAL, MAPPING
from snat.nat.pool import SLOTS
from snat.net.service import LINGER
from snat.wire.header import Feed, Term
from tests import packets
from tests.net.memory import Log, Member, Reactor, address, become_pair, certificates, configured, pair
from tests.net.memory import trustpoint as trustpoint_of

PRIMARY, BACKUP = ConfiguredRole.PRIMARY, ConfiguredRole.BACKUP
HOLD = 0.6


@pytest.fixture
def ready(reactor: Reactor, tmp_path: Path, authority: Path) -> tuple[Member, Member]:
    """A pair with ten entries."""
    members = pair(reactor, tmp_path, authority)
    become_pair(reactor, *members)
    members[0].traffic(10)
    reactor.settle()
    return members


def empty(reactor: Reactor, directory: Path, nat_id: int) -> Member:
    """A router that was just started, with nothing in its configuration."""
    member = Member(reactor, directory / f"r{nat_id}", Configuration(hostname=f"R{nat_id}"))
    member.nat_id = nat_id
    member.service.startService()
    return member


def in_force(member: Member) -> Configuration:
    return member.service.running_configuration()


def group_of(member: Member) -> Group:
    stateful = in_force(member).stateful
    assert stateful is not None
    return stateful.groups[0]


def regroup(member: Member, *groups: Group) -> None:
    """Apply other groups."""
    was = in_force(member).stateful
    assert was is not None
    member.service.apply(replace(in_force(member), stateful=replace(was, groups=groups)))


def change(member: Member, **changes: Any) -> None:
    """Apply a change of the first group."""
    regroup(member, replace(group_of(member), **changes))


def with_mapping(configuration: Configuration, mapping_id: int = 20) -> Configuration:
    """Hosts of 10.0.1.0/24 in a mapping and a pool of their own, which the first group shares too."""
    (lines, *_) = configuration.access_lists
    line = replace(lines.lines[0], address=IPv4Address("10.0.1.0"))
    first = IPv4Address("203.0.113.200")
    assert configuration.stateful is not None
    group = configuration.stateful.groups[0]
    shared = replace(group, mapping_ids=(*group.mapping_ids, mapping_id))
    return replace(
        configuration,
        stateful=replace(configuration.stateful, groups=(shared, *configuration.stateful.groups[1:])),
        access_lists=(lines, replace(lines, name="2", lines=(line,))),
        pools=(*configuration.pools, Pool(name="Q", ranges=(AddressRange(first, first),), prefix_length=24)),
        dynamic_rules=(
            *configuration.dynamic_rules,
            DynamicRule(overload=True, access_list="2", pool="Q", mapping_id=mapping_id),
        ),
    )


def peer(nat_id: int) -> Peer:
    return Peer(address=IPv4Address(address(nat_id)), nat_id=nat_id, name=f"r{nat_id}.example")


def links(member: Member, nat_id: int) -> list[Link]:
    return member.device.neighbors[nat_id].links()


def until_ready(reactor: Reactor, *members: Member, most: float = 15.0) -> None:
    """Until all are synchronised and verified, and their tables are equal."""
    reactor.run_until(lambda: all(member.ready for member in members), most=most)
    reactor.settle()
    shared = [{one[:-4] for one in member.table} for member in members]
    assert all(table == shared[0] for table in shared)


def claims(member: Member) -> list[str]:
    """What it answered for, one after the other."""
    said = [one for one in member.path.told if one.startswith("claim")]
    return [one for at, one in enumerate(said) if at == 0 or said[at - 1] != one]


def of_mapping(member: Member, mapping_id: int) -> set[bytes]:
    return {one for one in member.table if int.from_bytes(one[MAPPING], "big") == mapping_id}


# From nothing


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("pause", [0.0, 1.0, 8.0])
def test_two_empty_routers_become_a_pair_in_any_order(
    reactor: Reactor, tmp_path: Path, authority: Path, order: tuple[int, int], pause: float
) -> None:
    members = {nat_id: empty(reactor, tmp_path, nat_id) for nat_id in (1, 2)}
    roles = {1: PRIMARY, 2: BACKUP}
    for nat_id in order:
        members[nat_id].service.apply(configured(nat_id, roles[nat_id], (3 - nat_id,), authority))
        reactor.elapse(pause)
    until_ready(reactor, members[1], members[2])
    reactor.run_until(lambda: members[1].standing == "MANAGE" and members[2].standing == "LISTEN")
    members[1].traffic(10)
    until_ready(reactor, members[1], members[2])
    assert len(members[2].table) == 10
    assert claims(members[1])[-1] == "claim [10]"
    for member in members.values():
        member.service.stopService()
    reactor.elapse(LINGER + 0.1)
    assert (reactor.waiting, reactor.listening) == ([], {})


def test_a_pair_that_is_typed_piece_by_piece(reactor: Reactor, tmp_path: Path, authority: Path) -> None:
    """As an engineer types: the block, then its peer, then its mapping; rules last, on one first."""
    members = [empty(reactor, tmp_path, nat_id) for nat_id in (1, 2)]
    wholes = [configured(1, PRIMARY, (2,), authority), configured(2, BACKUP, (1,), authority)]
    for member, whole in zip(members, wholes, strict=True):
        assert whole.stateful is not None
        (group,) = whole.stateful.groups
        so_far = replace(in_force(member), trustpoint=replace(whole.trustpoint, certificate=""))  # type: ignore[type-var]
        member.service.apply(so_far)
        so_far = replace(so_far, trustpoint=whole.trustpoint)
        nat_id = whole.stateful.nat_id
        for groups in (
            (),
            (replace(group, peers=(), mapping_ids=()),),
            (replace(group, mapping_ids=()),),
            (group,),
        ):
            member.service.apply(replace(so_far, stateful=Stateful(nat_id=nat_id, groups=groups)))
            reactor.elapse(0.3)
    until_ready(reactor, *members)
    for member, whole in zip(members, wholes, strict=True):
        for part in ("access_lists", "pools", "dynamic_rules", "nat"):
            member.service.apply(replace(in_force(member), **{part: getattr(whole, part)}))
            reactor.elapse(0.2)
        assert in_force(member) == whole
    until_ready(reactor, *members)
    reactor.elapse(HOLD)
    assert [member.service.distributed()[0].alarms for member in members] == [(), ()]
    members[0].traffic(10)
    until_ready(reactor, *members)
    assert len(members[1].table) == 10


def test_what_is_applied_twice_changes_no_session(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    before = [links(ready[0], 2), links(ready[1], 1)]
    sessions = [link.session for pair in before for link in pair]
    told = len(log.lines())
    for member in ready:
        member.service.apply(in_force(member))
        reactor.elapse(1.0)
    after = [links(ready[0], 2), links(ready[1], 1)]
    assert after == before
    assert [link.session for pair in after for link in pair] == sessions
    assert log.lines()[told:] == []


# In place


@pytest.mark.parametrize(
    "changes",
    [
        {"keepalive": 0.1, "hold_time": 0.3},
        {"maximum_entries": 1},
        {"maximum_bytes": 1024},
        {"update_interval": 0.05},
    ],
)
def test_what_needs_no_session_is_changed_on_the_links_that_are_up(
    reactor: Reactor, ready: tuple[Member, Member], changes: dict[str, Any]
) -> None:
    first, second = ready
    before = [links(first, 2), links(second, 1)]
    for member in ready:
        change(member, **changes)
    first.traffic(10, first=3000)
    reactor.elapse(2.0)
    assert [links(first, 2), links(second, 1)] == before
    until_ready(reactor, *ready)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
    assert len(second.table) == 20


def test_a_limit_of_entries_holds_from_the_next_message(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, _ = ready
    sent = first.counters("feeds")["messages_sent"]
    change(first, maximum_entries=1)
    first.traffic(10, first=3000)
    assert first.counters("feeds")["messages_sent"] == sent + 10


def test_a_shorter_hold_time_is_that_of_the_next_takeover(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    for member in ready:
        change(member, keepalive=0.05, hold_time=0.15)
    reactor.elapse(1.0)
    first.die(told=False)
    began = reactor.seconds()
    reactor.run_until(lambda: second.standing == "MANAGE")
    assert reactor.seconds() - began < 0.3


def test_a_longer_hold_time_is_that_of_the_links_that_are_up(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    before = [links(ready[0], 2), links(ready[1], 1)]
    for member in ready:
        change(member, hold_time=3.0)
    for cable in reactor.cables:
        cable.stalled = True
    reactor.elapse(2.0)
    for cable in reactor.cables:
        cable.stalled = False
    reactor.elapse(1.0)
    assert [links(ready[0], 2), links(ready[1], 1)] == before
    assert [member.standing for member in ready] == ["MANAGE", "LISTEN"]


def test_a_virtual_address_is_told_to_the_data_path_of_who_manages(ready: tuple[Member, Member]) -> None:
    first, second = ready
    virtual = VirtualAddress(address=IPv4Address("10.0.0.1"), interface="in0")
    for member in ready:
        inside = (Interface(name="in0", side=Side.INSIDE),)
        member.service.apply(replace(in_force(member), interfaces=inside))
        change(member, virtual_addresses=(virtual,))
    assert [group.virtual_addresses for group in first.path.managed] == [(virtual,)]
    assert second.path.managed == ()


def test_a_backup_that_begins_to_pull_says_so_in_a_new_session(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    before = links(second, 1)
    change(second, pull_interval=1.0)
    until_ready(reactor, *ready)
    after = links(second, 1)
    assert set(after).isdisjoint(before)
    first.traffic(5, first=3000)
    reactor.settle()
    assert len(second.table) == 10
    reactor.run_until(lambda: len(second.table) == 15, most=2.0)
    change(second, pull_interval=2.0)
    assert links(second, 1) == after
    change(second, pull_interval=0.0)
    until_ready(reactor, *ready)
    first.traffic(5, first=4000)
    reactor.settle()
    assert len(second.table) == 20
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")


# Roles


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_roles_are_swapped_without_losing_an_entry(
    reactor: Reactor, ready: tuple[Member, Member], order: tuple[int, int]
) -> None:
    """The new primary claims as soon as the other is a backup; no session ends for it."""
    before = links(ready[0], 2)
    roles = (BACKUP, PRIMARY)
    for at in order:
        ready[0].traffic(3, first=3000 + 10 * at)
        change(ready[at], role=roles[at])
        reactor.elapse(1.0)
    reactor.run_until(lambda: ready[1].standing == "MANAGE" and ready[0].standing == "LISTEN")
    until_ready(reactor, *ready)
    assert links(ready[0], 2) == before
    assert len(ready[1].table) >= 10 + 3
    assert (claims(ready[0])[-1], claims(ready[1])[-1]) == ("claim []", "claim [10]")


# Neighbors


def test_a_third_member_joins_a_pair_while_entries_flow(
    reactor: Reactor, ready: tuple[Member, Member], tmp_path: Path, authority: Path
) -> None:
    first, second = ready
    before = [links(first, 2), links(second, 1)]
    shares = [len(member.device.slots) for member in ready]
    third = empty(reactor, tmp_path, 3)
    third.service.apply(configured(3, BACKUP, (1, 2), authority))
    reactor.elapse(0.5)
    for number, member in enumerate(ready):
        first.traffic(5, first=3000 + 100 * number)
        change(member, peers=(*group_of(member).peers, peer(3)))
        first.traffic(5, first=4000 + 100 * number)
        reactor.elapse(0.3)
    until_ready(reactor, first, second, third)
    assert [links(first, 2), links(second, 1)] == before
    assert len(third.table) == 30
    assert (claims(first), claims(second)) == (["claim [10]"], [])
    assert third.standing == "LISTEN"
    slots = [set(member.device.slots) for member in (first, second, third)]
    assert sum(map(len, slots)) == len(set.union(*slots)) == SLOTS
    assert [len(one) for one in slots[:2]] != shares
    old = first.table
    first.traffic(30, first=9000)
    given = {int.from_bytes(one[INSIDE_GLOBAL][5:], "big") for one in first.table - old}
    assert len(given) == 30
    assert {(port >> 1) % SLOTS for port in given} <= slots[0]


def test_a_member_that_leaves_is_no_neighbor_any_more(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    """Its block is removed on it, then its peer on the other: nobody waits, and all of its traces go."""
    first, second = ready
    regroup_to_local(first)
    reactor.settle()
    assert second.standing == "MANAGE"  # at once
    assert second.table
    assert len(of_mapping(second, 10)) == 10
    assert first.table == set()
    assert (address(1), 15555) not in reactor.listening
    assert first.service.distributed() == ()
    change(second, peers=())
    reactor.elapse(HOLD)
    assert second.standing == "MANAGE"
    assert second.device.neighbors == {}
    assert second.device.slots == tuple(range(SLOTS))
    dials = len(reactor.dials)
    reactor.elapse(5.0)
    assert len(reactor.dials) == dials
    assert reactor.cables == []


def regroup_to_local(member: Member) -> None:
    """No redundancy any more; the rule goes on as a local one."""
    made = in_force(member)
    rules = tuple(replace(rule, mapping_id=0) for rule in made.dynamic_rules)
    member.service.apply(replace(made, stateful=None, trustpoint=None, dynamic_rules=rules))


def test_a_peer_that_is_removed_where_it_is_still_wanted_is_not_let_in_again(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    change(first, peers=())
    reactor.elapse(2.0)
    assert first.device.neighbors == {}
    assert links(second, 1) == [] or not any(link.established for link in links(second, 1))
    assert first.counters("listener")["unknown_address"] > 0
    change(first, peers=(peer(2),))
    until_ready(reactor, *ready)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")


def sharing(authority: Path, nat_id: int, *groups: tuple[ConfiguredRole, int, int]) -> Configuration:
    """A router with groups of two: role, mapping ID, the other member."""
    made = with_mapping(configured(nat_id, PRIMARY, (), authority))
    assert made.stateful is not None
    (group,) = made.stateful.groups
    shared = [one for _, one, _ in groups]
    return replace(
        made,
        stateful=replace(
            made.stateful,
            groups=tuple(
                replace(group, role=role, mapping_ids=(one,), peers=(peer(other),))
                for role, one, other in groups
            ),
        ),
        dynamic_rules=tuple(rule for rule in made.dynamic_rules if rule.mapping_id in shared),
    )


def test_a_group_of_another_neighbor_does_not_notice(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    """R1 shares one mapping with R2 and another with R3; that with R3 changes, moves and ends."""
    wholes = {
        1: sharing(authority, 1, (PRIMARY, 10, 2), (PRIMARY, 20, 3)),
        2: sharing(authority, 2, (BACKUP, 10, 1)),
        3: sharing(authority, 3, (BACKUP, 20, 1)),
    }
    members = [Member(reactor, tmp_path / f"r{one}", whole) for one, whole in wholes.items()]
    first, second, third = members
    for member in members:
        member.service.startService()
    reactor.run_until(lambda: all(member.ready for member in members))
    reactor.run_until(lambda: first.device.groups[1].manages)
    first.traffic(10)
    reactor.settle()
    noticed = (links(first, 2), links(second, 1), first.device.groups[0], of_mapping(first, 10))

    other = in_force(first).stateful.groups[1]  # type: ignore[union-attr]
    third.service.apply(sharing(authority, 3, (PRIMARY, 20, 1)))
    regroup(first, group_of(first), replace(other, role=BACKUP))
    reactor.run_until(lambda: third.standing == "MANAGE" and not first.device.groups[1].manages)
    change_of_third = replace(group_of(third), peers=(replace(peer(1), port=15600),))
    regroup(first, group_of(first), replace(other, role=BACKUP, port=15600))
    regroup(third, change_of_third)
    reactor.run_until(lambda: third.ready and len(first.service.distributed()[1].links) == 2)
    assert third.standing == "MANAGE"
    first.service.apply(sharing(authority, 1, (PRIMARY, 10, 2)))
    reactor.elapse(1.0)
    assert 3 not in first.device.neighbors
    assert (links(first, 2), links(second, 1), first.device.groups[0], of_mapping(first, 10)) == noticed
    assert second.table == first.table
    assert claims(first)[-1] == "claim [10]"


def test_who_ends_a_group_says_so_though_the_link_is_that_of_another_too(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    wholes = [
        sharing(authority, 1, (PRIMARY, 10, 2), (PRIMARY, 20, 2)),
        sharing(authority, 2, (BACKUP, 10, 1), (BACKUP, 20, 1)),
    ]
    first, second = members = [
        Member(reactor, tmp_path / str(one), whole) for one, whole in enumerate(wholes)
    ]
    become_pair(reactor, first, second)
    reactor.run_until(lambda: all(group.manages for group in first.device.groups))
    traffic_of_20(first, 5)
    until_ready(reactor, *members)
    first.service.apply(sharing(authority, 1, (PRIMARY, 10, 2)))
    reactor.settle()
    assert [group.manages for group in second.device.groups] == [False, True]
    assert len(second.table) == 5
    assert first.table == set()
    reactor.elapse(1.0)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")


def test_a_neighbor_that_was_just_configured_is_no_alarm_yet(
    reactor: Reactor, tmp_path: Path, authority: Path, log: Log
) -> None:
    first = empty(reactor, tmp_path, 1)
    reactor.elapse(5.0)
    first.service.apply(configured(1, PRIMARY, (2,), authority))
    reactor.elapse(HOLD - 0.1)
    assert log.lines("alarm") == []
    reactor.elapse(1.0)
    assert log.lines("alarm: r2.example is silent")


# Mapping IDs


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("pause", [0.0, 3.0])
def test_a_mapping_is_added_and_removed_in_any_order(
    reactor: Reactor, ready: tuple[Member, Member], order: tuple[int, int], pause: float
) -> None:
    """Who manages goes on, though for a while only one of them has it."""
    first, second = ready
    plain = [in_force(member) for member in ready]
    kept = of_mapping(first, 10)
    for at in order:
        ready[at].service.apply(with_mapping(plain[at]))
        reactor.elapse(pause)
    until_ready(reactor, *ready)
    traffic_of_20(first, 7)
    until_ready(reactor, *ready)
    assert len(of_mapping(second, 20)) == 7
    assert first.standing == "MANAGE"

    ports = {one[INSIDE_GLOBAL] for one in of_mapping(first, 20)}
    (pool,) = [pool for pool in first.device.translator.flows.rules.pools if pool.name == "Q"]
    for at in order:
        ready[at].service.apply(plain[at])
        reactor.elapse(pause)
    until_ready(reactor, *ready)
    assert of_mapping(first, 20) == of_mapping(second, 20) == set()
    assert {one[:-4] for one in of_mapping(first, 10)} == {one[:-4] for one in kept}
    assert pool.quarantined == len(ports) == 7
    assert set(claims(second)) <= {"claim []"}
    assert all("10" in one for one in claims(first))
    terms = [state.position.term for state in first.device.groups[0].feeds.values()]
    assert [tuple(term) for term in terms] == [(1, 1)]


def traffic_of_20(member: Member, count: int) -> None:
    """New TCP connections of the second rule's hosts: their ports are not quarantined when they end."""
    for port in range(5000, 5000 + count):
        buffer, end = packets.buffer(packets.tcp("10.0.1.5", port, "198.51.100.9", 53, "S"))
        assert member.device.packet(buffer, end, False, member.reactor.seconds())
    member.service.pump()


def test_who_manages_goes_on_though_the_other_lists_a_mapping_first_that_it_has_no_more(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    for member in ready:
        member.service.apply(with_mapping(in_force(member)))
    until_ready(reactor, *ready)
    made = in_force(first)
    assert made.stateful is not None
    rules = tuple(rule for rule in made.dynamic_rules if rule.mapping_id == 20)
    less = replace(made.stateful, groups=(replace(group_of(first), mapping_ids=(20,)),))
    first.service.apply(replace(made, stateful=less, dynamic_rules=rules))
    reactor.elapse(3.0)
    traffic_of_20(first, 3)
    reactor.elapse(1.0)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
    assert claims(second) == []
    assert len(of_mapping(second, 20)) == 3


def test_changes_that_wait_belong_to_a_mapping_that_goes(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    plain = [in_force(member) for member in ready]
    for member, configuration in zip(ready, plain, strict=True):
        member.service.apply(with_mapping(configuration))
    until_ready(reactor, *ready)
    first, second = ready
    second.service._pumping = True
    first.traffic(5, first=3000)
    traffic_of_20(first, 5)
    reactor.settle()
    second.service._pumping = False
    link = second.device.neighbors[1].incoming
    assert link is not None
    assert link.inbound.size
    second.service.apply(plain[1])
    assert len(of_mapping(second, 10)) == len(second.table) == 15
    first.service.apply(plain[0])
    until_ready(reactor, *ready)


def test_a_mapping_that_comes_back_goes_on_above_its_former_term(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    """A member that still has the former term would refuse a lower one for ever."""
    first, second = ready
    plain = [in_force(member) for member in ready]
    for member, configuration in zip(ready, plain, strict=True):
        member.service.apply(with_mapping(configuration))
    until_ready(reactor, *ready)
    first.service.apply(plain[0])
    reactor.elapse(1.0)
    first.service.apply(with_mapping(plain[0]))
    until_ready(reactor, *ready)
    traffic_of_20(first, 3)
    until_ready(reactor, *ready)
    assert len(of_mapping(second, 20)) == 3
    assert first.device.groups[0].feeds[Feed(0, 20)].position.term == Term(2, 1)


def test_a_mapping_that_the_other_lacks_is_an_alarm(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, second = ready
    first.service.apply(with_mapping(in_force(first)))
    reactor.elapse(1.0)
    assert "mapping 20 is not configured on r2.example" in first.service.distributed()[0].alarms
    second.service.apply(with_mapping(in_force(second)))
    until_ready(reactor, *ready)
    assert first.service.distributed()[0].alarms == ()


def test_a_mapping_moves_to_another_group_with_its_entries(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    wholes = [configured(1, PRIMARY, (2,), authority), configured(2, BACKUP, (1,), authority)]
    members = [Member(reactor, tmp_path / str(one), with_mapping(whole)) for one, whole in enumerate(wholes)]
    first, second = members
    become_pair(reactor, first, second)
    first.traffic(5)
    traffic_of_20(first, 5)
    until_ready(reactor, *members)
    for member in members:
        group = group_of(member)
        regroup(member, replace(group, mapping_ids=(10,)), replace(group, mapping_ids=(20,)))
    reactor.run_until(lambda: all(group.manages for group in first.device.groups))
    until_ready(reactor, *members)
    assert [len(group.feeds) for group in second.device.groups] == [1, 1]
    assert len(second.table) == 10
    assert second.service.distributed()[1].state == "READY"


# What this router is


def test_another_port_moves_the_listener_and_the_links_alone(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    change(first, port=15600)
    change(second, peers=(replace(peer(1), port=15600),))
    until_ready(reactor, *ready, most=2.0)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
    assert set(reactor.listening) == {(address(1), 15600), (address(2), 15555)}
    assert (claims(first), claims(second)) == (["claim [10]"], [])


def test_another_nat_id_is_another_device_with_the_same_entries(
    reactor: Reactor, ready: tuple[Member, Member], tmp_path: Path, authority: Path
) -> None:
    """The other takes over at once; the router comes back as who it is now, and claims."""
    first, second = ready
    was = in_force(first)
    assert was.stateful is not None
    first.service.apply(
        replace(
            was,
            stateful=replace(was.stateful, nat_id=3),
            trustpoint=trustpoint_of(authority, "r3.example"),
        )
    )
    reactor.settle()
    assert second.standing == "MANAGE"
    (state,) = first.device.groups[0].feeds.values()
    assert (len(first.table), state.digest.count, state.kept.term) == (10, 10, Term(1, 1))
    change(second, peers=(replace(peer(3), address=IPv4Address(address(1))),))
    reactor.run_until(lambda: first.standing == "MANAGE" and second.standing == "LISTEN")
    until_ready(reactor, *ready)
    assert len(second.table) == 10
    assert {state.position.term.nat_id for state in second.device.groups[0].feeds.values()} == {3}


def test_another_trustpoint_proves_every_link_anew(
    reactor: Reactor, ready: tuple[Member, Member], tmp_path: Path
) -> None:
    first, second = ready
    other = certificates(tmp_path / "other", (1, 2))
    before = links(first, 2)
    for nat_id, member in ((1, first), (2, second)):
        files = trustpoint_of(other, f"r{nat_id}.example")
        member.service.apply(replace(in_force(member), trustpoint=files))
    until_ready(reactor, *ready, most=2.0)
    assert set(links(first, 2)).isdisjoint(before)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")


def test_who_is_in_the_middle_of_proving_itself_sees_the_new_certificate(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    first, second = pair(reactor, tmp_path, authority)
    first.service.startService()
    reactor.elapse(0.2)
    second.service.startService()
    reactor.advance(0.001)  # TCP is up, TLS is not
    (cable,) = [one for one in reactor.cables if one.client.getHost().host == address(2)]
    other = trustpoint_of(certificates(tmp_path / "other", (1,)), "r1.example")
    first.service.apply(replace(in_force(first), trustpoint=other))
    reactor.settle()
    assert cable.server.aborted
    assert first.counters("listener")["accepted"] == 0


def test_what_the_data_path_refuses_opens_no_port_and_ends_no_link(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, _ = ready
    before = links(first, 2)
    first.path.refusal = ConfigurationRefused("in9 is no interface")
    with pytest.raises(ConfigurationRefused, match="in9"):
        change(first, port=15600, peers=())
    first.path.refusal = None
    reactor.elapse(1.0)
    assert set(reactor.listening) == {(address(1), 15555), (address(2), 15555)}
    assert links(first, 2) == before
    assert first.ready


# Anything


@pytest.mark.parametrize("seed", range(8))
def test_no_sequence_of_changes_loses_an_entry_of_a_mapping_that_stays(
    reactor: Reactor, ready: tuple[Member, Member], seed: int
) -> None:
    """While the first manages and entries flow. In the end both tables are equal, and nothing was dropped."""
    dice = random.Random(seed)
    plain = [in_force(member) for member in ready]
    flows = 10
    for _ in range(10):
        at = dice.randrange(2)
        made = with_mapping(plain[at]) if dice.random() < 0.5 else plain[at]
        assert made.stateful is not None
        (group,) = made.stateful.groups
        group = replace(
            group,
            peers=(*group.peers, peer(3)) if dice.random() < 0.3 else group.peers,
            maximum_entries=dice.choice((0, 1, 7)),
            update_interval=dice.choice((0.0, 0.05)),
        )
        ready[at].service.apply(replace(made, stateful=replace(made.stateful, groups=(group,))))
        manager = next(member for member in ready if member.device.groups[0].manages)
        manager.traffic(3, first=3000 + flows)
        flows += 3
        reactor.elapse(dice.choice((0.0, 0.1, 1.5)))
    for member, configuration in zip(ready, plain, strict=True):
        member.service.apply(configuration)
    until_ready(reactor, *ready)
    assert len(of_mapping(ready[1], 10)) == flows == len(ready[1].table)
    assert claims(ready[1]) in ([], ["claim []"])
