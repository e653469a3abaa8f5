"""What the shell is told of interfaces, routes and neighbours, against what ``ip`` set."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from snat.config.model import Configuration, Interface, Side
from snat.net.host import Host
from snat.net.host_plan import HostAddress, HostPlan
from snat.net.interfaces import Interfaces
from snat.status import AddressStatus, HopStatus, InterfaceStatus, RouteStatus
from tests.system.namespaces import Namespace, cable, namespaces

pytestmark = pytest.mark.root

GIVEN, OURS = IPv4Interface("10.0.0.1/24"), IPv4Interface("10.0.0.2/24")
CONFIGURATION = Configuration(
    interfaces=(Interface(name="in0", description="to the hosts", side=Side.INSIDE, adjust_mss=1300),)
)


@pytest.fixture
def router() -> Iterator[Namespace]:
    with namespaces("router", "host") as (router, host):
        cable(router, "in0", host, "eth0")
        host.ip("addr", "add", "10.0.0.9/24", "dev", "eth0")
        router.ip("addr", "add", str(GIVEN), "dev", "in0")
        yield router


def statuses(router: Namespace) -> dict[str, InterfaceStatus]:
    with router.entered():
        return {one.name: one for one in Interfaces(lambda: CONFIGURATION).interfaces()}


def test_an_interface_is_told_with_its_addresses_and_link(router: Namespace) -> None:
    with router.entered():
        Host().apply(HostPlan(addresses=(HostAddress("in0", OURS),)))
    router.run("ping", "-c", "2", "-i", "0.05", "-W", "2", "10.0.0.9")
    told = statuses(router)["in0"]
    assert told.addresses == (
        AddressStatus(address=GIVEN, configured=False),
        AddressStatus(address=OURS, secondary=True),
    )
    assert (told.up, told.line_protocol, told.mtu, told.hardware) == (True, True, 1500, "veth")
    assert (told.megabits, told.full_duplex) == (10000, True)
    assert (told.description, told.side, told.adjust_mss) == ("to the hosts", "inside", 1300)
    assert told.mac_address.hex(":") in router.ip("link", "show", "in0")
    counted = told.counters
    assert counted.packets_in >= 2
    assert counted.bytes_in >= 2 * 84
    assert counted.packets_out >= 2
    assert counted.bytes_out >= 2 * 84


def test_states_of_links(router: Namespace) -> None:
    lo = statuses(router)["lo"]
    assert (lo.line_protocol, lo.mac_address, lo.megabits, lo.hardware) == (True, b"", None, "loopback")
    router.ip("link", "set", "in0", "down")
    told = statuses(router)["in0"]
    assert (told.up, told.line_protocol) == (False, False)


def test_a_cable_that_is_out_is_a_line_that_is_down(router: Namespace) -> None:
    """The other end of a veth pair that is down is a link without carrier."""
    router.ip("link", "add", "a0", "type", "veth", "peer", "name", "a1")
    router.ip("link", "set", "a0", "up")
    told = statuses(router)["a0"]
    assert (told.up, told.line_protocol) == (True, False)


def test_connected_and_static_routes_are_told_and_no_others(router: Namespace) -> None:
    router.ip("route", "add", "default", "via", "10.0.0.9", "metric", "100")
    router.ip("route", "add", "198.51.100.0/24", "via", "10.0.0.9", "proto", "bird")
    router.ip("route", "add", "192.0.2.0/24", "nexthop", "via", "10.0.0.8", "nexthop", "via", "10.0.0.9")
    with router.entered():
        told = Interfaces(lambda: CONFIGURATION).routes()
    near, next_hop = (HopStatus(interface="in0", gateway=IPv4Address(f"10.0.0.{last}")) for last in (8, 9))
    assert told == (
        RouteStatus(
            prefix=IPv4Network("0.0.0.0/0"), connected=False, distance=1, metric=100, hops=(next_hop,)
        ),
        RouteStatus(prefix=GIVEN.network, connected=True, hops=(HopStatus(interface="in0"),)),
        RouteStatus(prefix=IPv4Network("192.0.2.0/24"), connected=False, distance=1, hops=(near, next_hop)),
    )


def test_neighbours_are_told_with_the_routers_own_addresses(router: Namespace) -> None:
    router.run("ping", "-c", "1", "-W", "2", "10.0.0.9")
    router.ip("neigh", "add", "10.0.0.77", "dev", "in0", "nud", "incomplete")
    router.ip("neigh", "add", "proxy", "10.0.0.88", "dev", "in0")
    with router.entered():
        told = {str(one.address): one for one in Interfaces(lambda: CONFIGURATION).arp()}
    assert sorted(told) == ["10.0.0.1", "10.0.0.77", "10.0.0.9"]
    assert (told["10.0.0.1"].minutes, told["10.0.0.9"].minutes) == (None, 0)
    assert told["10.0.0.9"].mac_address
    assert told["10.0.0.77"].mac_address == b""


def test_asking_leaves_nothing_open(router: Namespace) -> None:
    def descriptors() -> list[str]:
        return sorted(path.name for path in Path("/proc/self/fd").iterdir())

    statuses(router)
    before = descriptors()
    statuses(router)
    assert descriptors() == before
