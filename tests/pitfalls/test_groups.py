"""Pitfalls 6 and 19: what a restart may bring back, and silence in one direction."""

import pytest

from snat.config.model import ConfiguredRole
from snat.device import report
from tests.device.groups import flow, tables_equal
from tests.device.test_peers import equal
from tests.simulation.network import Network
from tests.simulation.shape import Shape

P, B, PEER = ConfiguredRole.PRIMARY, ConfiguredRole.BACKUP, ConfiguredRole.PEERS


@pytest.mark.parametrize("roles", [{1: P, 2: B}, {1: P, 2: B, 3: B}, {1: PEER, 2: PEER, 3: PEER}])
@pytest.mark.parametrize("snapshots", [False, True])
def test_who_restarts_brings_nothing_back_that_was_deleted_meanwhile(
    roles: dict[int, ConfiguredRole], snapshots: bool
) -> None:
    """With snapshots it comes back with a table of long ago; the owner's says what of it there still is."""
    network = Network(6, roles, Shape(snapshots=snapshots))
    network.run_until(network.quiet)
    owner, other = network.routers[1], network.routers[2]
    for host in range(5, 15):
        flow(owner, host)
    network.run_until(lambda: equal(network))
    assert len(other.device.table) == 10
    other.kill()
    dead = list(owner.device.table)[:7]
    owner.device.table.remove(dead)
    owner.settle()
    network.run(2)
    other.start()
    assert len(other.device.table) == (10 if snapshots else 0)
    network.run_until(lambda: network.quiet() and network.connected() and equal(network))
    network.run(5)
    assert equal(network)
    gone = {one[:12] for one in dead}
    for router in network.routers.values():
        assert len(router.device.table) == 3
        assert gone.isdisjoint(one[:12] for one in router.device.table)


@pytest.mark.parametrize(("deaf", "heard"), [(1, 2), (2, 1)])
def test_silence_in_one_direction_is_an_alarm_within_three_keepalives(deaf: int, heard: int) -> None:
    """Nothing of one router arrives at the other, which is heard still."""
    network = Network(6, {1: P, 2: B})
    network.run_until(network.quiet)
    network.run(1)
    router, shape = network.routers[deaf], network.shape
    assert report.groups(router.device, network.now)[0].alarms == ()
    began = network.now
    network.silence([(heard, deaf)])
    wanted = f"r{heard}.example is silent"
    network.run_until(lambda: wanted in report.groups(router.device, network.now)[0].alarms, most=3.0)
    assert network.now - began <= 3 * shape.keepalive + 0.05
    network.restore([(heard, deaf)])
    network.run_until(lambda: network.quiet() and tables_equal(network))
    network.run(1)
    assert report.groups(router.device, network.now)[0].alarms == ()
