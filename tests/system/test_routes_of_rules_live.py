"""What rules bring to the translator: outside hosts by ``add-route``, and addresses of hosts that take turns.

The address by which inside hosts know the server is, says the routing table, behind another router inside.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.system.daemons import poll
from tests.system.probes import answered, connect_tcp, echo_udp, transfer, udp
from tests.system.site import ROUTER, ROUTER_OUTSIDE, SERVER, TRANSIT, Site, site

pytestmark = pytest.mark.root

SECONDS = 15.0
CLIENT = "10.0.0.5"
LOCAL, OF_POOL = "10.9.9.9", "10.9.8.1"
VIRTUAL, GLOBAL, UNCLAIMED = "203.0.113.60", "203.0.113.61", "203.0.113.62"
STATIC = f"ip nat outside source static {SERVER} {LOCAL}"
DYNAMIC = "ip nat outside source list 2 pool OUT"
TURNS = "ip nat inside destination list 3 pool TURNS"
CONFIGURATION = f"""
hostname R
interface in0
 ip nat inside
interface out0
 ip nat outside
ip nat pool P 203.0.113.8 203.0.113.11 prefix-length 24
ip nat pool TURNS {CLIENT} {CLIENT} prefix-length 24 type rotary
ip nat pool OUT {OF_POOL} {OF_POOL} prefix-length 24 add-route
ip nat inside source list 1 pool P overload
ip nat inside source static 10.0.0.99 {GLOBAL}
{STATIC} add-route
{DYNAMIC}
{TURNS}
access-list 1 permit 10.0.0.0 0.0.0.255
access-list 2 permit {TRANSIT}
access-list 3 permit {VIRTUAL}
end
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, CONFIGURATION) as made:
        made.router.ip("route", "add", "10.0.0.0/8", "via", "10.0.0.254")
        yield made


def routes(place: Site) -> str:
    return place.router.ip("route", "show", "proto", "83")


def test_an_outside_host_is_reached_by_its_inside_address(place: Site) -> None:
    """Although the routing table says that this address is inside."""
    with udp(place.client) as client, udp(place.server, SERVER) as server:
        address, _ = echo_udp(client, server, (LOCAL, server.getsockname()[1]))
    assert address.startswith("203.0.113.")
    near, far, _ = connect_tcp(place.client, place.server, LOCAL, listen=(SERVER, 0))
    with near, far:
        transfer(near, far, 500_000)
        transfer(far, near, 500_000)


def test_routes_go_with_their_rules(place: Site) -> None:
    assert f"{LOCAL} dev snat-o" in routes(place)
    assert f"{OF_POOL} dev snat-o" in routes(place)
    place.daemon.cli(
        "configure terminal", f"no {STATIC} add-route", f"no {DYNAMIC}", "no ip nat pool OUT", "end"
    )
    poll(lambda: LOCAL not in routes(place), seconds=SECONDS, of=(place.daemon,))
    assert OF_POOL not in routes(place)
    assert "10.0.0.254" in place.router.ip("route", "get", LOCAL, "from", CLIENT, "iif", "in0")


def test_what_is_routed_to_nobody_is_dropped_after_a_kill(place: Site) -> None:
    place.daemon.kill()
    assert f"blackhole {LOCAL}" in routes(place)
    assert "dev snat-o" not in routes(place)


def test_hosts_that_take_turns_are_called_at_an_address_that_nobody_has(place: Site) -> None:
    near, far, seen = connect_tcp(place.server, place.client, VIRTUAL, listen=(CLIENT, 8080))
    with near, far:
        assert seen == LOCAL, "inside hosts know the server by that"
        transfer(near, far, 500_000)
        transfer(far, near, 500_000)


def test_hosts_of_a_pool_that_no_rule_is_for_are_reached_as_ever(place: Site) -> None:
    """They are hosts, not addresses to hand out: between two lines of a configuration they do not vanish."""
    place.daemon.cli("configure terminal", f"no {TURNS}", "end")
    assert CLIENT not in routes(place)
    with udp(place.client, CLIENT) as client, udp(place.router) as router:
        client.sendto(b"there", (ROUTER, router.getsockname()[1]))
        data, seen = router.recvfrom(100)
        assert (data, seen[0]) == (b"there", CLIENT)
        router.sendto(b"back", seen)
        assert client.recv(100) == b"back"


def test_arp_is_answered_for_them_and_for_static_addresses(place: Site) -> None:
    asked = {IPv4Address(one) for one in (VIRTUAL, GLOBAL, UNCLAIMED, LOCAL)}
    found = answered(place.transit, TRANSIT, asked, IPv4Address(ROUTER_OUTSIDE))
    assert found == {IPv4Address(VIRTUAL), IPv4Address(GLOBAL)}
