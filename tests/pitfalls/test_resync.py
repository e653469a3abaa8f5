"""Pitfalls 13 and 14: resyncs that begin anew for ever, and storms of them."""

import random
from dataclasses import replace

import pytest

from snat.config.model import ConfiguredRole, Nat, Timeouts
from snat.wire.actions import DumpKind
from tests.device.groups import counters, flow, settled, tables_equal
from tests.records import record
from tests.replication.test_receiver import Pair
from tests.simulation.network import Network, Router
from tests.simulation.shape import Shape

ROLES = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}


def reconfigured(router: Router, *, nat: Nat | None = None, maximum_entries: int = 0) -> None:
    """Both members are told the same."""
    old = router.configuration
    assert old.stateful is not None
    (group,) = old.stateful.groups
    stateful = replace(old.stateful, groups=(replace(group, maximum_entries=maximum_entries),))
    router.device.configure(replace(old, stateful=stateful, nat=nat or old.nat), router.clock)
    router.settle()


def test_a_group_that_is_reconfigured_every_five_seconds_converges() -> None:
    """Time-outs are what entries depend on: sessions begin anew each time."""
    network = Network(5, ROLES)
    primary, backup = network.routers.values()
    network.run_until(network.quiet)
    for times in range(1, 11):
        flow(primary, times)
        for router in (primary, backup):
            reconfigured(router, nat=Nat(timeouts=Timeouts(udp=300 + times)))
        assert not network.connected()
        network.run(5)
        assert network.connected()
        assert network.quiet()
        assert tables_equal(network)
        assert primary.manages
    assert counters(backup).dumps_failed == 0
    assert len(backup.device.table) == 10


def test_a_dump_goes_on_while_the_group_is_reconfigured_again_and_again() -> None:
    """It takes several times as long; sessions do not depend on what is changed."""
    network = Network(
        5, ROLES, Shape(window=2048, delay=0.2, keepalive=1.0, hold_time=3.0, journal_limit=1000)
    )
    primary, backup = network.routers.values()
    backup.kill()
    network.run_until(lambda: primary.manages)
    primary.device.table.add([record(number) for number in range(1, 20_001)])
    primary.settle()
    backup.start()
    began, times = network.now, 0
    while not (network.quiet() and tables_equal(network)):
        network.run(0.5)
        times += 1
        assert network.now - began < 60
        for router in (primary, backup):
            reconfigured(router, maximum_entries=1000 + times)
    assert times > 2, "it took longer than that"
    assert counters(backup).dumps_received == 1
    assert counters(backup).dumps_failed == 0
    assert len(backup.device.table) == 20_000


def test_links_that_break_every_five_seconds_cost_a_resumption_each() -> None:
    network = Network(5, ROLES)
    primary, backup = network.routers.values()
    network.run_until(network.quiet)
    before = counters(backup).dumps_received
    for host in range(1, 8):
        network.run(4)
        for end in list(primary.wires.values()):
            end.cut("it was reconfigured")
        if primary.manages:
            flow(primary, host)
        network.run(1)
        settled(network)
        assert backup.group.feeds
    assert counters(backup).dumps_received == before
    assert len(backup.device.table) == 7


@pytest.mark.parametrize("seed", range(5))
def test_one_message_in_twenty_is_lost_for_a_minute(seed: int) -> None:
    """Ten changes a second; what answers a request is lost as often. A gap costs what it missed, no dump."""
    dice, pair = random.Random(seed), Pair()
    pair.member.enter(pair.sender.begun)
    asked: list[tuple[float, DumpKind]] = []
    lost = 0
    for number in range(1, 601):
        pair.now += 0.1
        pair.table.add([record(number)])
        arriving = pair.sender.compile()
        kind = pair.member.wanted(pair.now)
        if kind is not None:
            asked.append((pair.now, kind))
            request = pair.member.request(kind, pair.now)
            arriving = pair.state.journal.since(request.position) or []
            assert arriving, "it is in the journal"
        for data in arriving:
            if dice.random() < 0.05:
                lost += 1
            else:
                pair.take(data)
        if dice.random() >= 0.05:
            pair.state_it()
    assert lost > 15
    assert {kind for _, kind in asked} == {DumpKind.RESUME}
    assert len(asked) <= lost + 1
    assert pair.member.counters.dumps_received == pair.member.counters.mismatches == 0
    while (kind := pair.member.wanted(pair.now)) is not None or not pair.member.synchronised:
        if kind is not None:
            pair.serve(kind)
        pair.now += 1.0
        assert pair.now < 200
    assert pair.equal()


def test_tables_that_never_agree_are_dumped_ever_more_rarely() -> None:
    """A fault that no dump mends: seven dumps in the first minute, twelve in the first quarter of an hour."""
    pair = Pair()
    pair.member.enter(pair.sender.begun)
    pair.table.add([record(1)])
    pair.deliver()
    asked: list[float] = []
    began = pair.now
    for _ in range(9000):
        pair.now += 0.1
        statement = pair.sender.statement()
        pair.member.compare(statement._replace(digest=statement.digest ^ 1), pair.now)
        kind = pair.member.wanted(pair.now)
        if kind is not None:
            asked.append(pair.now - began)
            pair.serve(kind)
    assert len([one for one in asked if one < 60]) <= 7
    assert len(asked) <= 12
