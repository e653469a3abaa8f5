"""What the table is used for, and what is told of single entries, with real flows."""

from ipaddress import IPv4Address

import pytest

from snat.config.model import ConfiguredRole
from snat.device import report, usage
from snat.device.refused import CommandRefused
from snat.device.selection import EVERYTHING, Place, Selection
from snat.device.status import Detail, NatStatus, PoolPorts, PortUse
from tests.device.groups import SERVER, flow, settled
from tests.packets import echo, tcp, udp
from tests.records import record
from tests.simulation.network import Network, Router


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 has what R1 has."""
    network = Network(5, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    return network


def status(router: Router, now: float) -> NatStatus:
    *steps, found = usage.nat_status(router.device, now)
    assert not any(steps)
    assert found is not None
    return found


def ports(router: Router, name: str = "POOL1") -> PoolPorts:
    *steps, found = usage.pool_ports(router.device, name)
    assert not any(steps)
    assert found is not None
    return found


def details(router: Router, now: float) -> list[Detail]:
    rows = [row for row in report.translations(router.device, verbose_at=now) if row is not None]
    return [row.detail for row in rows if row.detail is not None]


def test_entries_are_counted_by_rule_and_pool(network: Network) -> None:
    router = network.routers[1]
    for host in (5, 6, 7):
        flow(router, host)
    router.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    network.run(1.0)
    told = status(router, network.now)
    assert (told.total, told.static, told.extended) == (4, 0, 4)
    (rule,), (pool,) = told.rules, told.pools
    assert (rule.number, rule.kind, rule.access_list, rule.pool, rule.mapping_id, rule.references) == (
        *(1, "inside source", "1", pool.name, 10, 4),
    )
    used = {
        row.inside_global.address for row in report.translations(router.device) if row and row.inside_global
    }
    assert (pool.addresses, pool.allocated, pool.misses) == (4, len(used), 0)
    assert pool.ranges == (("203.0.113.10", "203.0.113.13"),)


def test_entries_of_no_rule_are_nobodys(network: Network) -> None:
    router = network.routers[1]
    router.device.table.add([record(1, mapping_id=11), record(2, host=5), record(3, mapping_id=10)])
    told = status(router, network.now)
    assert (told.total, told.rules[0].references) == (3, 2)


def test_a_flow_without_a_free_port_is_a_miss_of_its_pool(network: Network) -> None:
    router = network.routers[1]
    (pool,) = router.device.translator.flows.rules.pools
    pool.deal(())
    with pytest.raises(AssertionError):
        flow(router, 5)
    assert status(router, network.now).pools[0].misses == 1
    router.device.count_anew(network.now)
    assert status(router, network.now).pools[0].misses == 0


def test_the_peak_and_its_age(network: Network) -> None:
    router = network.routers[1]
    for host in range(1, 9):
        flow(router, host)
    network.run(10.0)
    router.device.clear(network.now)
    network.run(5.0)
    flow(router, 1)
    told = status(router, network.now)
    assert (told.total, told.peak) == (1, 8)
    assert 15.0 <= told.peak_age < 15.2
    router.device.count_anew(network.now)
    network.run(2.0)
    assert (status(router, network.now).peak, status(router, network.now).peak_age) == (1, 2.0)


def test_ports_of_a_pool_by_protocol_and_class(network: Network) -> None:
    router = network.routers[1]
    for port in (53, 500, 40001):
        flow(router, 5, port)
    router.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    router.send_from_inside(echo("10.0.0.5", SERVER, 77))
    name = router.configuration.pools[0].name
    told = ports(router, name)
    assert (told.name, told.number) == (name, 1)
    assert told.addresses == PortUse(1, 3)
    assert told.udp_low == PortUse(2, 4 * 1023 - 2)
    assert told.udp_high == PortUse(1, 4 * 64512 - 1)
    assert told.tcp_low.assigned == 0
    assert told.tcp_high.assigned == 1
    assert told.icmp == PortUse(1, 4 * 65535 - 1)
    assert told.quarantined == 0
    router.device.clear(network.now)
    assert ports(router, name).quarantined == 4  # TCP needs none


def test_the_details_of_an_entry_where_it_was_made_and_elsewhere(network: Network) -> None:
    first, second = network.routers.values()
    flow(first, 5)
    settled(network)
    made = network.now
    network.run(40.0)
    first.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(20.0)
    (here,), (there,) = (details(router, network.now) for router in (first, second))
    assert here.created is not None
    assert 59.0 < here.created < network.now - made + 2
    assert (here.used, here.timeout, here.left) == (20.0, 60, 40)
    assert (here.rule, here.flags, here.uses, here.paths) == (1, ("extended",), 0, 2)
    assert (here.manager_nat_id, here.managed) == (1, True)
    assert there == here._replace(created=None, used=None, left=None, paths=0, managed=False)


def test_a_connection_that_was_reset_is_timing_out(network: Network) -> None:
    router = network.routers[1]
    router.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    router.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, "R", seq=1))
    (detail,) = details(router, network.now)
    assert detail.flags == ("extended", "timing-out")
    assert (detail.timeout, detail.left) == (240, 240)


def test_entries_of_another_run_have_no_age(network: Network) -> None:
    first, second = network.routers.values()
    flow(first, 5)
    settled(network)
    first.kill()
    network.run_until(lambda: second.standing.name == "MANAGE")
    first.start()
    network.run_until(lambda: network.quiet() and first.standing.name == "MANAGE")
    (detail,) = details(first, network.now)
    assert (detail.created, detail.used) == (None, None)
    assert detail.managed


def test_the_total_is_counted_only_if_it_must_be(network: Network) -> None:
    router = network.routers[1]
    for host in (5, 6):
        flow(router, host)
    assert list(report.total(router.device, EVERYTHING)) == [2]
    assert list(report.total(router.device, Selection(inside_local=Place(IPv4Address("10.0.0.6"))))) == [
        None,
        1,
    ]


# --- forgetting some


def test_some_entries_are_forgotten_everywhere_and_their_ports_wait(network: Network) -> None:
    first, second = network.routers.values()
    for host in (5, 6):
        flow(first, host)
    settled(network)
    (gone,) = [one for one in first.device.table if one[16:20] == bytes((10, 0, 0, 5))]
    first.device.forget([gone], network.now)
    first.settle()
    settled(network)
    for router in (first, second):
        assert [one[16:20] for one in router.device.table] == [bytes((10, 0, 0, 6))]
    (pool,) = first.device.translator.flows.rules.pools
    assert pool.quarantined == 1


def test_entries_of_others_stay_and_it_is_told_where_to_clear_them(network: Network) -> None:
    first, second = network.routers.values()
    flow(first, 5)
    settled(network)
    with pytest.raises(CommandRefused, match=r"^1 of 1 entries are managed by r1.example \(NAT ID 1\): cl"):
        second.device.forget(second.device.table.records(), network.now)
    assert len(second.device.table) == 1
    first.kill()
    network.run(0.1)
    second.device.groups[0]._manager = None
    with pytest.raises(CommandRefused, match="have no manager now: try later"):
        second.device.forget(second.device.table.records(), network.now)


def test_local_entries_go_on_any_router(network: Network) -> None:
    first, second = network.routers.values()
    flow(first, 5)
    settled(network)
    local = record(7, nat_id=0, mapping_id=0)
    second.device.table.add([local])
    with pytest.raises(CommandRefused, match="1 of 2 entries"):
        second.device.forget(second.device.table.records(), network.now)
    assert local not in second.device.table.records()
    assert len(second.device.table) == 1


def test_what_is_not_there_is_told_without_the_words_not_found(network: Network) -> None:
    with pytest.raises(CommandRefused) as refused:
        network.routers[1].device.forget([record(9)], network.now)
    assert "No such translation" in str(refused.value)
    assert "not found" not in str(refused.value)


def test_an_entry_that_changed_meanwhile_is_forgotten_too(network: Network) -> None:
    router = network.routers[1]
    router.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    before = router.device.table.records()
    router.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, "R", seq=1))
    assert router.device.table.records() != before
    router.device.forget(before, network.now)
    assert len(router.device.table) == 0
