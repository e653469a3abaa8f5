"""What went wrong in other systems (replication.md section 7), each as a named life of a group."""

import random

import pytest

from snat.config.model import ConfiguredRole
from snat.nat.entry import ID
from snat.wire.actions import Standing
from tests import packets
from tests.packets import tcp, udp
from tests.simulation.invariants import disagreement, no_endpoint_serves_two
from tests.simulation.network import Network, Router
from tests.simulation.shape import Shape, configuration

SERVER = "198.51.100.7"
HOLD_TIME = Shape().hold_time


def group(members: int = 2, shape: Shape | None = None, clocks: tuple[float, float] | None = None) -> Network:
    """Router 1 is primary."""
    roles = {1: ConfiguredRole.PRIMARY} | dict.fromkeys(range(2, members + 1), ConfiguredRole.BACKUP)
    network = Network(9, roles, shape or Shape(), clocks=clocks)
    network.run_until(network.quiet)
    network.run(0.5)
    return network


def agreed(network: Network) -> bool:
    return not disagreement(network.routers.values())


def talk(router: Router, port: int = 40001, host: int = 5) -> tuple[str, int]:
    sent = router.send_from_inside(udp(f"10.0.0.{host}", port, SERVER, 53))
    return sent.src, sent.sport


def dumps(network: Network) -> int:
    """That were sent."""
    return sum(router.device.feed_counters.dumps_sent for router in network.routers.values())


# Clocks


def test_pitfall_1_a_manager_whose_clock_was_set_back_by_its_restart_is_followed() -> None:
    """Its terms and incarnation are stored; no number of a message comes from a clock."""
    network = group()
    primary, backup = network.routers.values()
    primary.skew = 0.0
    mapped = talk(primary)
    network.run(0.2)
    primary.kill()
    network.run_until(lambda: backup.manages)
    network.clocks = (-990.0, -990.0)
    primary.start()
    assert primary.clock < 100.0 < backup.clock
    network.run_until(lambda: primary.manages)
    assert talk(primary) == mapped
    talk(primary, 40002)
    network.run_until(lambda: agreed(network) and len(backup.device.table) == 2, most=1.0)


@pytest.mark.parametrize("clocks", [(-990.0, -900.0), (1e5, 1e6)])
def test_pitfalls_16_and_17_clocks_that_differ_change_no_remaining_time(clocks: tuple[float, float]) -> None:
    """Times on the wire are relative, and those of a device are of its monotonic clock alone."""
    network = group()
    primary, backup = network.routers.values()
    backup.kill()
    network.clocks = clocks
    backup.start()
    talk(primary)
    network.run_until(lambda: agreed(network) and len(backup.device.table) == 1)
    network.run(40.0)
    primary.kill()
    network.run_until(lambda: backup.manages)
    network.run(59.0)
    assert len(backup.device.table) == 1, "a minute from when it took over"
    network.run(2.0)
    assert len(backup.device.table) == 0


# Roles and memory


def test_pitfall_6_what_the_owner_deleted_while_a_standby_restarted_does_not_return() -> None:
    """Two that know the entries, of whom one restarts with them: it has them of a snapshot, and owns none."""
    network = group(shape=Shape(snapshots=True))
    primary, backup = network.routers.values()
    for host in range(2, 30):
        talk(primary, host=host)
    network.run_until(lambda: agreed(network))
    backup.kill()
    primary.device.clear(primary.clock)
    primary.settle()
    backup.start()
    assert len(backup.device.table) == 28
    network.run_until(lambda: agreed(network) and backup.standing is Standing.LISTEN)
    assert len(primary.device.table) == len(backup.device.table) == 0
    primary.kill()
    network.run_until(lambda: backup.manages)
    primary.start()
    network.run_until(lambda: agreed(network) and primary.manages)
    assert len(primary.device.table) == len(backup.device.table) == 0


def test_pitfall_13_a_group_that_is_configured_again_and_again_converges() -> None:
    """A backup has the table to get while somebody applies its configuration, faster than a repair takes."""
    network = group()
    primary, backup = network.routers.values()
    for host in range(2, 30):
        talk(primary, host=host)
    backup.kill()
    network.run(0.2)
    backup.start()
    begun = network.now

    def synchronised() -> bool:
        other = Shape(update_interval=random.Random(network.now).choice((0.0, 0.01)))
        for router in network.routers.values():
            changed = configuration(router.nat_id, router.role, tuple({1, 2} - {router.nat_id}), other)
            router.device.configure(changed, router.clock)
            router.settle()
        return backup.standing is Standing.LISTEN and len(backup.device.table) == 28

    network.run_until(synchronised, most=5.0, step=0.05)
    assert network.now - begun < 5.0
    assert backup.device.groups[0].synchronised


def test_pitfall_14_connections_that_break_all_the_time_make_no_storm_of_dumps() -> None:
    """A minute in which a connection is cut twice a second: what was missed is resumed, not dumped."""
    network = group(3)
    primary = network.routers[1]
    dice = random.Random(2)
    before = dumps(network)
    for number in range(120):
        talk(primary, 40001 + number)
        router = network.routers[dice.randint(1, 3)]
        ends = list(router.wires.values())
        if ends:
            dice.choice(ends).cut()
        network.run(0.5)
    network.run_until(lambda: agreed(network), most=5.0)
    assert len(primary.device.table) == 120
    assert dumps(network) - before <= 12


def test_pitfall_18_a_handshake_that_is_half_done_goes_on_after_a_takeover() -> None:
    network = group()
    primary, backup = network.routers.values()
    sent = primary.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    network.run(0.2)
    primary.kill()
    network.run_until(lambda: backup.manages)
    answer = backup.send_from_outside(tcp(SERVER, 80, sent.src, sent.sport, "SA"))
    assert (answer.dst, answer.dport) == ("10.0.0.5", 40001)
    last = backup.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, "A"))
    assert (last.src, last.sport) == (sent.src, sent.sport)


@pytest.mark.parametrize("answered", [False, True])
def test_pitfall_18_a_half_open_entry_does_not_hinder_a_new_connection(answered: bool) -> None:
    """The client gave up meanwhile, and begins anew from the same port."""
    network = group()
    primary, backup = network.routers.values()
    sent = primary.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    if answered:
        primary.send_from_outside(tcp(SERVER, 80, sent.src, sent.sport, "SA"))
    network.run(0.2)
    primary.kill()
    network.run_until(lambda: backup.manages)
    again = backup.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, "S"))
    assert (again.src, again.sport) == (sent.src, sent.sport)
    answer = backup.send_from_outside(tcp(SERVER, 80, sent.src, sent.sport, "SA"))
    assert (answer.dst, answer.dport) == ("10.0.0.5", 40001)


def test_pitfall_22_who_restarts_and_takes_over_gives_no_port_twice() -> None:
    """The ports that it gave before its restart come back to it by replication, and are not free."""
    network = group()
    primary, backup = network.routers.values()
    low = 600  # 32 ports of a member's parity and 32 others for each of its 8 slots and 4 addresses

    def fill(hosts: range) -> int:
        passed = 0
        for host in hosts:
            for port in range(low, low + 16):
                packet = packets.raw_udp(bytes((10, 0, 0, host)), port, bytes((198, 51, 100, 7)), 53)
                passed += primary.raw(packet, from_outside=False) is not None
            primary.settle()
        return passed

    before = fill(range(2, 60))
    network.run_until(lambda: agreed(network))
    primary.kill()
    network.run_until(lambda: backup.manages)
    primary.start()
    network.run_until(lambda: primary.manages and agreed(network))
    after = fill(range(60, 250))
    assert 0 < after < 190 * 16, "until there are no ports of that class"
    assert primary.device.counters()["translate"]["exhausted"] > 0
    assert len(primary.device.table) == before + after
    assert len({record[ID] for record in primary.device.table}) == before + after
    no_endpoint_serves_two(primary)


def test_pitfall_29_a_slow_member_delays_no_other() -> None:
    network = group(3)
    primary, slow, quick = network.routers.values()
    slow.stall(list(slow.wires), 0.8 * HOLD_TIME)
    for number in range(15):
        talk(primary, 40001 + number)
        begun = network.now
        network.run_until(lambda n=number: len(quick.device.table) == n + 1, step=0.001)  # type: ignore[misc]
        assert network.now - begun <= network.shape.delay + 0.002
    assert len(slow.device.table) == 0
