"""What `show` reads: translations, groups, counters."""

import dataclasses
import json
import random

import pytest

from snat.config.model import ConfiguredRole, Nat, Timeouts
from snat.device import report
from snat.device.device import Device
from snat.device.events import Noted
from snat.device.status import Endpoint, MemberStatus
from snat.redundancy.roles import ALONE_EXTRA
from snat.wire.actions import Action, Standing
from snat.wire.header import Position, encode
from snat.wire.items import item
from tests.device.groups import FEED, flow, of
from tests.packets import echo, tcp
from tests.records import record
from tests.simulation.network import Network, configuration
from tests.simulation.shape import Shape

SERVER = "198.51.100.7"


def running() -> Network:
    network = Network(3, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    return network


def test_a_translation_has_the_fields_of_the_patent() -> None:
    network = running()
    sent = network.routers[1].send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    (row,) = report.translations(network.routers[1].device)
    assert row is not None
    assert row.protocol == 6
    assert row.inside_local == Endpoint("10.0.0.5", 40001)
    assert row.inside_global == Endpoint(sent.src, sent.sport)
    assert row.outside_local == row.outside_global == Endpoint(SERVER, 80)
    assert (row.nat_id, row.mapping_id, row.state) == (1, 10, "transitory")


def test_an_icmp_query_shows_both_identifiers() -> None:
    network = running()
    sent = network.routers[1].send_from_inside(echo("10.0.0.5", SERVER, 77))
    (row,) = report.translations(network.routers[1].device)
    assert row is not None
    assert row.inside_local == Endpoint("10.0.0.5", 77)
    assert row.inside_global is not None
    assert row.inside_global.port == sent["ICMP"].id
    assert (row.outside_local, row.outside_global) == (
        Endpoint(SERVER, 77),
        Endpoint(SERVER, sent["ICMP"].id),
    )


def test_the_group_of_a_manager_and_of_a_listener() -> None:
    network = running()
    network.run(2.0)
    (manager,), (listener,) = (
        report.groups(router.device, network.now) for router in network.routers.values()
    )
    assert (manager.mode, manager.standing, manager.state, manager.why) == ("PRIMARY", "MANAGE", "READY", "")
    assert (listener.mode, listener.standing, listener.state) == ("BACKUP", "LISTEN", "READY")
    assert listener.why == "r1.example manages"
    assert manager.feeds[0].manager_nat_id == listener.feeds[0].manager_nat_id == 1
    assert manager.feeds[0].digest == listener.feeds[0].digest
    for status in (manager, listener):
        age = status.feeds[0].verified_age
        assert age is not None
        assert age < 0.5
        assert [link.state for link in status.links] == ["Establish", "Establish"]
        assert status.alarms == ()


def test_a_silent_neighbor_is_an_alarm() -> None:
    network = running()
    network.routers[2].kill()
    network.run(1.0)
    (group,) = report.groups(network.routers[1].device, network.now)
    assert group.alarms == ("r2.example is silent",)
    assert [link.state for link in group.links] == ["Idle", "Idle"]


def test_a_link_that_is_down_is_an_alarm_and_no_takeover() -> None:
    network = running()
    backup = network.routers[2]
    out = backup.device.neighbors[1].outgoing
    assert out is not None
    wire = backup.wires[out]
    wire.cut()
    (group,) = report.groups(backup.device, network.now)
    assert group.alarms == ("the link to r1.example is down",)
    network.run(2.0)
    assert backup.standing.name == "LISTEN"


def test_a_different_configuration_is_an_alarm_and_the_links_come_again() -> None:
    network = running()
    backup = network.routers[2]
    other = dataclasses.replace(backup.configuration, nat=Nat(timeouts=Timeouts(udp=30)))
    backup.device.configure(other, network.now)
    network.run(1.0)
    (group,) = report.groups(backup.device, network.now)
    assert group.alarms == ("mapping 10 is configured differently on r1.example",)
    assert [link.state for link in group.links] == ["Establish", "Establish"]


@pytest.mark.parametrize(("keepalive", "hold_time"), [(1.0, 3.0), (2.0, 3.0), (1.0, 1.1)])
def test_a_silent_manager_is_lost_with_any_allowed_timers(keepalive: float, hold_time: float) -> None:
    """A turn that comes when it is due is no pause, however long the keepalive is beside the hold time."""
    made = configuration(2, ConfiguredRole.BACKUP, (1,))
    assert made.stateful is not None
    (group,) = made.stateful.groups
    group = dataclasses.replace(group, keepalive=keepalive, hold_time=hold_time)
    made = dataclasses.replace(made, stateful=dataclasses.replace(made.stateful, groups=(group,)))
    now = 1000.0
    device = Device(made, incarnation=1, terms={}, ports=random.Random(1), ttl_step=1, now=now)
    device.neighbors[1].heard = now
    while device.groups[0].standing is not Standing.MANAGE:
        device.turn(now)
        now = device.next_deadline()
        assert now < 1000.0 + 2 * hold_time + 2 * keepalive + ALONE_EXTRA
    assert not [one for one in device.events() if isinstance(one, Noted) and "paused" in one.text]


def test_a_manager_tells_of_its_members_and_a_member_of_itself() -> None:
    network = running()
    manager, member = network.routers[1], network.routers[2]
    flow(manager, 5)
    network.run(1.0)
    at = manager.device.groups[0].feeds[FEED].position
    (group,) = report.groups(manager.device, network.now)
    (feed,) = group.feeds
    (told,) = feed.members
    assert told == MemberStatus(
        neighbor="r2.example", nat_id=2, standing="LISTEN", term=at.term.number, sequence=at.sequence
    )
    assert (feed.sequence, feed.entries, feed.lag_messages) == (at.sequence, 1, 0)
    assert {link.incarnation for link in group.links} == {1}
    (other,) = report.groups(member.device, network.now)
    assert other.feeds[0].members == ()
    assert other.feeds[0].lag_messages == 0

    manager.device.table.add([record(number) for number in range(1, 4)])
    manager.device.turn(network.now)
    manager.device.groups[0].senders[FEED].sample(network.now)
    (told,) = report.groups(manager.device, network.now + 2.5)[0].feeds[0].members
    assert (told.sequence, told.lag_messages, told.lag_seconds) == (at.sequence, 1, 2.5)

    receiver = member.device.groups[0].receivers[FEED]
    receiver.stated, receiver.level_at = Position(at.term, at.sequence + 4), network.now - 1.5
    (mine,) = report.groups(member.device, network.now)[0].feeds
    assert (mine.lag_messages, mine.lag_seconds) == (4, 1.5)


def test_the_journal_and_what_waits_to_be_applied_are_told() -> None:
    network = running()
    manager, member = network.routers[1], network.routers[2]
    began = report.groups(member.device, network.now)[0].feeds[0]
    flow(manager, 5)
    network.run(1.0)
    (feed,) = report.groups(member.device, network.now)[0].feeds
    assert feed.journal_messages == began.journal_messages + 1
    assert feed.journal_bytes - began.journal_bytes >= len(item(Action.ADD, record()))
    at = member.device.groups[0].feeds[FEED].position
    waits = encode(item(Action.ADD, record(3)), FEED, at.term, at.sequence + 1)
    member.device.received(of(member, 1), waits, network.now)
    told = {link.direction: link.inbound_bytes for link in report.groups(member.device, network.now)[0].links}
    assert told == {"out": 0, "in": len(waits)}
    member.device.turn(network.now)
    assert {link.inbound_bytes for link in report.groups(member.device, network.now)[0].links} == {0}


def test_a_neighbor_that_was_never_there_and_one_that_came_again_show_their_incarnation() -> None:
    network = running()
    network.routers[2].kill()
    network.routers[2].start()
    network.run_until(network.quiet)
    (group,) = report.groups(network.routers[1].device, network.now)
    assert {link.incarnation for link in group.links} == {2}
    alone = Device(
        configuration(1, ConfiguredRole.PRIMARY, (2,)),
        incarnation=9,
        terms={},
        ports=random.Random(1),
        ttl_step=1,
        now=0.0,
    )
    (group,) = report.groups(alone, 0.0)
    assert {(link.state, link.incarnation) for link in group.links} == {("Idle", 0)}


def test_a_member_that_pulls_is_told_so() -> None:
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}
    network = Network(3, roles, Shape(pull_interval=5.0))
    network.run_until(network.quiet)
    network.run(1.0)
    (told,) = report.groups(network.routers[1].device, network.now)[0].feeds[0].members
    assert told.pulls


def test_everything_becomes_json() -> None:
    network = running()
    device = network.routers[1].device
    told = [dataclasses.asdict(group) for group in report.groups(device, network.now)]
    assert json.loads(json.dumps(told))[0]["mode"] == "PRIMARY"
    assert report.statistics(device).counters["links"]["established"] == 2
