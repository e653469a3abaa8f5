"""Members, groups and the trustpoint change while the router runs; flows stay."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from snat.config.model import Configuration, ConfiguredRole, Group, Stateful
from snat.config.refused import ConfigurationRefused
from tests.net.memory import PORT, Member, Reactor, address, become_pair, configured, pair
from tests.simulation.network import MAPPING

OTHER = 77
"""Another mapping ID."""


@pytest.fixture
def ready(reactor: Reactor, tmp_path: Path, authority: Path) -> tuple[Member, Member]:
    first, second = pair(reactor, tmp_path, authority)
    become_pair(reactor, first, second)
    return first, second


def bare(made: Configuration) -> Configuration:
    """What a router has before anybody tells it of others: local rules only."""
    rules = tuple(replace(rule, mapping_id=0) for rule in made.dynamic_rules)
    return replace(made, stateful=None, trustpoint=None, dynamic_rules=rules)


def group_of(member: Member) -> Group:
    (group,) = stateful_of(member).groups
    return group


def stateful_of(member: Member) -> Stateful:
    stateful = member.service.running_configuration().stateful
    assert stateful is not None
    return stateful


def regroup(member: Member, *groups: Group) -> None:
    running = member.service.running_configuration()
    member.service.apply(replace(running, stateful=replace(stateful_of(member), groups=groups)))


def change(member: Member, **changes: Any) -> None:
    regroup(member, replace(group_of(member), **changes))


def both_ready(reactor: Reactor, first: Member, second: Member) -> None:
    reactor.run_until(lambda: first.ready and second.ready and first.table == second.table)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_two_routers_without_neighbors_become_a_pair(
    reactor: Reactor, tmp_path: Path, authority: Path, order: tuple[int, int]
) -> None:
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}
    wanted = {one: configured(one, role, (3 - one,), authority) for one, role in roles.items()}
    members = {one: Member(reactor, tmp_path / f"r{one}", bare(wanted[one])) for one in roles}
    for member in members.values():
        member.service.startService()
    members[1].traffic(5)
    local = members[1].table
    for one in order:
        members[one].service.apply(wanted[one])
    reactor.run_until(lambda: members[1].ready and members[2].ready)
    assert [members[one].standing for one in (1, 2)] == ["MANAGE", "LISTEN"]
    members[1].traffic(10, first=5000)
    reactor.settle()
    assert len(members[2].table) == 10
    assert members[1].table - members[2].table == local  # what was local stays, and stays local


def test_a_pair_becomes_two_routers_without_neighbors(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, second = ready
    first.traffic(10)
    reactor.settle()
    first.service.apply(bare(first.configuration))
    assert (first.service.distributed(), first.table) == ((), set())  # shared with nobody any more
    reactor.run_until(lambda: second.standing == "MANAGE")
    assert len(second.table) == 10
    assert (address(1), PORT) not in reactor.listening
    first.traffic(3)
    assert len(first.table) == 3


def test_the_flows_of_a_manager_survive_any_change_of_its_group(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.traffic(10)
    reactor.settle()
    before = first.table
    change(first, keepalive=0.2, hold_time=0.9)
    assert first.table == before
    first.traffic(10)  # known flows pass at once, whoever manages
    assert first.table == before
    both_ready(reactor, first, second)
    assert first.table == before
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")


def test_the_neighbor_takes_over_at_once_meanwhile(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, second = ready
    began = reactor.seconds()
    change(first, update_interval=0.01)
    assert first.path.told[-1] == "configure"
    reactor.run_until(lambda: second.standing == "MANAGE")
    assert reactor.seconds() - began < group_of(second).hold_time / 2
    both_ready(reactor, first, second)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")


def test_the_same_configuration_twice_ends_no_session(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, _ = ready
    change(first, keepalive=0.2)
    reactor.elapse(3.0)
    established = first.counters("links")["established"]
    first.service.apply(replace(first.service.running_configuration()))
    reactor.elapse(1.0)
    assert first.counters("links")["established"] == established


def test_the_roles_are_exchanged(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, second = ready
    first.traffic(10)
    reactor.settle()
    change(first, role=ConfiguredRole.BACKUP)
    change(second, role=ConfiguredRole.PRIMARY)
    both_ready(reactor, first, second)
    assert (first.standing, second.standing) == ("LISTEN", "MANAGE")
    assert len(second.table) == 10


def test_a_mapping_comes_and_goes_and_its_entries_with_it(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.traffic(10)
    reactor.settle()
    kept = first.table
    for member in ready:
        change(member, mapping_ids=(MAPPING, OTHER))
    both_ready(reactor, first, second)
    (shown,) = first.service.distributed()
    assert [feed.mapping_id for feed in shown.feeds] == [MAPPING, OTHER]
    assert first.table == kept
    for member in ready:
        running = member.service.running_configuration()
        rules = tuple(replace(rule, mapping_id=OTHER) for rule in running.dynamic_rules)
        group = replace(group_of(member), mapping_ids=(OTHER,))
        stateful = replace(stateful_of(member), groups=(group,))
        member.service.apply(replace(running, stateful=stateful, dynamic_rules=rules))
    assert first.table == set()
    both_ready(reactor, first, second)
    first.traffic(4, first=7000)
    reactor.settle()
    assert len(second.table) == 4


def test_a_third_member_is_added_while_flows_are_made(
    reactor: Reactor, ready: tuple[Member, Member], tmp_path: Path, authority: Path
) -> None:
    first, second = ready
    first.traffic(10)
    third = Member(reactor, tmp_path / "r3", configured(3, ConfiguredRole.BACKUP, (1, 2), authority))
    third.service.startService()
    peers = {
        1: configured(1, ConfiguredRole.PRIMARY, (2, 3), authority),
        2: configured(2, ConfiguredRole.BACKUP, (1, 3), authority),
    }
    for member in (second, first):
        member.service.apply(peers[member.nat_id])
        reactor.elapse(0.1)
    reactor.run_until(lambda: all(one.ready for one in (first, second, third)))
    first.traffic(10, first=5000)
    reactor.settle()
    assert len(first.table) == 20
    assert first.table == second.table == third.table


def test_another_port_is_listened_on_and_the_old_one_is_left(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    change(first, port=PORT + 1)
    assert {port for host, port in reactor.listening if host == address(1)} == {PORT + 1}
    peers = tuple(replace(peer, port=PORT + 1) for peer in group_of(second).peers)
    change(second, peers=peers)
    both_ready(reactor, first, second)


def test_a_kernel_that_refuses_leaves_the_links_and_the_role(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, _ = ready
    established = first.counters("links")
    first.path.refusal = ConfigurationRefused("no such interface")
    listening = dict(reactor.listening)
    with pytest.raises(ConfigurationRefused, match="no such interface"):
        first.service.apply(
            replace(
                first.configuration,
                stateful=Stateful(nat_id=1, groups=(replace(group_of(first), port=PORT + 1),)),
            )
        )
    first.path.refusal = None
    reactor.elapse(1.0)
    assert reactor.listening == listening
    assert first.counters("links") == established
    assert first.standing == "MANAGE"
    assert first.service.running_configuration() == first.configuration


def test_a_role_is_taken_alone_after_the_change(reactor: Reactor, tmp_path: Path, authority: Path) -> None:
    first, second = pair(reactor, tmp_path, authority)
    become_pair(reactor, first, second)
    first.traffic(5)
    reactor.settle()
    second.die()
    reactor.elapse(1.0)
    change(first, keepalive=0.3, hold_time=1.0)
    assert first.standing == "START"
    reactor.run_until(lambda: first.standing == "MANAGE")
    assert len(first.table) == 5
    assert first.path.told[-1] == f"claim [{MAPPING}]"


def test_a_port_that_is_taken_is_told_and_the_others_are_left_again(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, _ = ready
    reactor.listenTCP(PORT + 9, None, interface=address(1))
    before = dict(reactor.listening)
    other = replace(group_of(first), role=ConfiguredRole.BACKUP, mapping_ids=(OTHER,), port=PORT + 8)
    taken = replace(other, role=ConfiguredRole.PRIMARY, mapping_ids=(OTHER + 1,), port=PORT + 9)
    with pytest.raises(ConfigurationRefused, match=rf"^{address(1)} port {PORT + 9}: .*already in use"):
        regroup(first, group_of(first), replace(other, address=IPv4Address(address(3))), taken)
    assert reactor.listening == before
    assert first.standing == "MANAGE"
