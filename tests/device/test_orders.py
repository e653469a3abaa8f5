"""What an operator orders a device: forget what it manages, drop links, ask for a dump anew."""

from dataclasses import replace

import pytest

from snat.config.model import AccessList, AddressRange, ConfiguredRole, DynamicRule, Pool
from snat.device.refused import CommandRefused
from snat.wire.header import Feed
from tests.packets import udp
from tests.simulation.network import MAPPING, Network, Router

FEED = Feed(0, MAPPING)
SERVER = "198.51.100.7"
FLOWS = 5


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 has what R1 has."""
    network = Network(11, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    for port in range(FLOWS):
        network.routers[1].send_from_inside(udp("10.0.0.5", 40000 + port, SERVER, 53))
    network.run(1.0)
    assert tables(network) == [FLOWS, FLOWS]
    return network


def tables(network: Network) -> list[int]:
    """Entries of each, once it is proved that they agree on the feed."""
    digests = {router.device.groups[0].feeds[FEED].digest.value for router in network.routers.values()}
    assert len(digests) == 1
    return [len(router.device.table) for router in network.routers.values()]


def local_flow(router: Router) -> None:
    """One flow of a rule without mapping-id."""
    was = router.configuration
    (pool,), (access_list,) = was.pools, was.access_lists
    line = replace(access_list.lines[0], address=access_list.lines[0].address + 256)
    router.device.configure(
        replace(
            was,
            pools=(
                pool,
                Pool(
                    name="L",
                    ranges=tuple(AddressRange(one.start + 99, one.end + 99) for one in pool.ranges),
                    prefix_length=24,
                ),
            ),
            dynamic_rules=(*was.dynamic_rules, DynamicRule(overload=True, access_list="2", pool="L")),
            access_lists=(access_list, AccessList(name="2", lines=(line,))),
        ),
        router.network.now,
    )
    router.send_from_inside(udp("10.0.1.5", 40000, SERVER, 53))


def test_what_the_manager_clears_goes_everywhere(network: Network) -> None:
    network.routers[1].device.clear(network.now)
    network.run(1.0)
    assert tables(network) == [0, 0]
    assert network.quiet()


def test_a_member_that_manages_nothing_says_who_does(network: Network) -> None:
    with pytest.raises(CommandRefused, match=r"^the 5 shared entries are managed by r1.example \(NAT ID 1\)"):
        network.routers[2].device.clear(network.now)
    assert tables(network) == [FLOWS, FLOWS]


def test_entries_that_nobody_manages_now_stay(network: Network) -> None:
    member = network.routers[2]
    network.part(1, 2)
    member.device.refresh([1], network.now, forget=False)  # not synchronised: it takes no role at once
    network.run_until(lambda: member.device.groups[0].manager == 0)
    with pytest.raises(CommandRefused, match=r"^the 5 shared entries have no manager now"):
        member.device.clear(network.now)
    assert len(member.device.table) == FLOWS


def test_a_member_clears_its_local_entries(network: Network) -> None:
    member = network.routers[2]
    local_flow(member)
    assert tables(network) == [FLOWS, FLOWS + 1]
    with pytest.raises(CommandRefused):
        member.device.clear(network.now)
    assert tables(network) == [FLOWS, FLOWS]


def test_nothing_shared_is_nothing_to_refuse() -> None:
    network = Network(12, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    local_flow(network.routers[2])
    network.routers[2].device.clear(network.now)
    assert len(network.routers[2].device.table) == 0


def test_links_that_were_dropped_come_back_and_nobody_takes_over(network: Network) -> None:
    first, second = network.routers[1], network.routers[2]
    links = set(first.wires)
    first.device.drop([2], network.now)
    network.run(0.05)
    assert not links & set(first.wires)
    neighbor = second.device.neighbors[1]
    network.run_until(lambda: [link.established for link in neighbor.links()] == [True, True])
    network.run(1.0)
    assert (first.standing.name, second.standing.name) == ("MANAGE", "LISTEN")
    assert tables(network) == [FLOWS, FLOWS]


@pytest.mark.parametrize("forget", [False, True])
def test_a_refresh_asks_for_a_dump_and_ends_equal(network: Network, forget: bool) -> None:
    member = network.routers[2]
    before = member.device.counters()["feeds"]["dumps_received"]
    member.device.refresh([1], network.now, forget=forget)
    assert len(member.device.table) == (0 if forget else FLOWS)
    network.run_until(lambda: member.device.counters()["feeds"]["dumps_received"] == before + 1)
    network.run(0.5)
    assert tables(network) == [FLOWS, FLOWS]
    assert network.quiet()


@pytest.mark.parametrize(("router", "asked"), [(1, 2), (2, 9)])
def test_a_refresh_concerns_only_what_those_neighbors_manage(
    network: Network, router: int, asked: int
) -> None:
    device = network.routers[router].device
    before = device.counters()["feeds"]["dumps_received"]
    device.refresh([asked], network.now, forget=True)
    network.run(0.5)
    assert tables(network) == [FLOWS, FLOWS]
    assert device.counters()["feeds"]["dumps_received"] == before
