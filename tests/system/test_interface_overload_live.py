"""``interface out0 overload``: inside hosts share the router's outside address with it (kernel.md 5)."""

from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from snat.net.kernel_state import clean
from tests.system.control import counter
from tests.system.daemons import poll
from tests.system.probes import Capture, connect_tcp, echo_udp, transfer, udp, within
from tests.system.site import INSIDE, ROUTER_OUTSIDE, SERVER, TRANSIT, Site, site

pytestmark = pytest.mark.root

CLIENT = "10.0.0.5"
SECONDS = 15.0
CONFIGURATION = f"""
hostname R
interface in0
 ip nat inside
interface out0
 ip nat outside
ip nat inside source list 1 interface out0 overload
ip nat inside source static tcp {CLIENT} 8080 interface out0 8080
access-list 1 permit 10.0.0.0 0.0.0.255
end
"""
OTHER = "203.0.113.77"
NTP = 123


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, CONFIGURATION) as made:
        made.server.ip("route", "add", "10.0.0.0/8", "via", "198.51.100.1")  # a leak would be answered
        yield made


def test_inside_hosts_and_the_router_share_an_address(place: Site) -> None:
    """One connection of each, at the same time, both ways."""
    inside, of_inside, seen = connect_tcp(place.client, place.server, SERVER)
    own, of_own, seen_own = connect_tcp(place.router, place.server, SERVER)
    with inside, of_inside, own, of_own:
        assert (seen, seen_own) == (ROUTER_OUTSIDE, ROUTER_OUTSIDE)
        for near, far in ((inside, of_inside), (own, of_own)):
            transfer(near, far, 2_000_000)
            transfer(far, near, 2_000_000)
    with udp(place.client) as client, udp(place.server, SERVER) as server:
        assert echo_udp(client, server, server.getsockname())[0] == ROUTER_OUTSIDE
    with udp(place.router) as router, udp(place.server, SERVER) as server:
        assert echo_udp(router, server, server.getsockname())[0] == ROUTER_OUTSIDE


def test_the_routers_own_services_answer_from_both_sides_and_after_a_kill(place: Site) -> None:
    for host in (place.server, place.client):
        near, far, _ = connect_tcp(host, place.router, ROUTER_OUTSIDE)
        with near, far:
            transfer(near, far, 500_000)
            transfer(far, near, 500_000)
    place.daemon.kill()
    for host in (place.server, place.client):
        near, far, _ = connect_tcp(host, place.router, ROUTER_OUTSIDE)
        with near, far:
            transfer(near, far, 1000)


@pytest.mark.parametrize("who", ["client", "router", "server", "transit"])
def test_pings(place: Site, who: str) -> None:
    """Of the server, and of the shared address from everywhere."""
    host = getattr(place, who)
    for target in {SERVER, ROUTER_OUTSIDE} - ({SERVER} if who == "server" else set()):
        assert " 0% packet loss" in host.run("ping", "-c", "2", "-i", "0.2", "-W", "2", target)


def test_a_port_of_the_address_leads_to_an_inside_host(place: Site) -> None:
    for host in (place.server, place.transit, place.client):
        near, far, _ = connect_tcp(host, place.client, ROUTER_OUTSIDE, listen=(CLIENT, 8080))
        with near, far:
            transfer(near, far, 100_000)


def test_nothing_leaks_after_a_kill(place: Site) -> None:
    place.daemon.kill()
    with udp(place.client) as port, closing(Capture(place.transit)) as capture:
        for _ in range(100):
            port.sendto(b"flood", (SERVER, 9))
        with udp(place.router) as own:
            own.sendto(b"the end", (SERVER, 9))
        assert within(INSIDE, capture.until(IPv4Address(ROUTER_OUTSIDE))) == set()


def test_another_address_is_followed(place: Site) -> None:
    """As after a new lease: new flows have it, and the router answers there."""
    place.router.ip("addr", "del", f"{ROUTER_OUTSIDE}/24", "dev", "out0")
    place.router.ip("addr", "add", f"{OTHER}/24", "dev", "out0")
    place.router.ip("route", "replace", "default", "via", "203.0.113.2")

    def seen() -> str:
        near, far, address = connect_tcp(place.client, place.server, SERVER)
        near.close()
        far.close()
        return address

    poll(lambda: OTHER in place.router.ip("rule"), seconds=SECONDS, of=(place.daemon,))
    assert seen() == OTHER
    assert " 0% packet loss" in place.server.run("ping", "-c", "1", "-W", "2", OTHER)


def looked(place: Site) -> None:
    """The daemon has looked at the kernel since; a change that it hears of makes it look."""
    before = counter(place.daemon, "kernel looks")
    place.router.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
    poll(lambda: counter(place.daemon, "kernel looks") > before, seconds=SECONDS, of=(place.daemon,))


def test_while_there_is_no_address_nothing_passes_and_then_it_does_again(place: Site) -> None:
    place.router.ip("addr", "del", f"{ROUTER_OUTSIDE}/24", "dev", "out0")
    poll(lambda: "lookup 1004" not in place.router.ip("rule"), seconds=SECONDS, of=(place.daemon,))
    with udp(place.client) as port, closing(Capture(place.transit)) as capture:
        port.sendto(b"?", (SERVER, 9))
        poll(lambda: counter(place.daemon, "translate no_address") > 0, seconds=SECONDS, of=(place.daemon,))
        place.router.ip("addr", "add", f"{ROUTER_OUTSIDE}/24", "dev", "out0")
        place.router.ip("route", "replace", "default", "via", TRANSIT)
        poll(lambda: "lookup 1004" in place.router.ip("rule"), seconds=SECONDS, of=(place.daemon,))
        with udp(place.client) as client, udp(place.server, SERVER) as server:
            assert echo_udp(client, server, server.getsockname())[0] == ROUTER_OUTSIDE
        assert within(INSIDE, capture.until(IPv4Address(ROUTER_OUTSIDE))) == set()


def test_an_inside_host_gets_no_port_at_which_the_router_listens(place: Site) -> None:
    """Both ask one server from the same port, as NTP does: each has its own answer."""
    with (
        udp(place.router, port=NTP) as own,
        udp(place.client, port=NTP) as client,
        udp(place.server, SERVER) as server,
    ):
        looked(place)
        client.sendto(b"of the inside host", server.getsockname())
        data, of_inside = server.recvfrom(100)
        assert (data, of_inside[0]) == (b"of the inside host", ROUTER_OUTSIDE)
        assert of_inside[1] != NTP
        own.sendto(b"of the router", server.getsockname())
        data, of_router = server.recvfrom(100)
        assert (data, of_router) == (b"of the router", (ROUTER_OUTSIDE, NTP))
        server.sendto(b"to the inside host", of_inside)
        server.sendto(b"to the router", of_router)
        assert client.recv(100) == b"to the inside host"
        assert own.recv(100) == b"to the router"


def test_the_kernels_rule_is_back_when_the_address_is_not_shared_any_more(place: Site) -> None:
    assert not place.router.ip("rule").startswith("0:")
    place.daemon.cli(
        "configure terminal",
        "no ip nat inside source static tcp 10.0.0.5 8080 interface out0 8080",
        "no ip nat inside source list 1 interface out0 overload",
        "end",
    )
    poll(lambda: place.router.ip("rule").startswith("0:"), seconds=SECONDS, of=(place.daemon,))
    rules = place.router.ip("rule")
    assert "lookup 1004" not in rules
    assert "100:" not in rules
    assert place.router.sysctl("ipv4/tcp_early_demux") == "0", "sysctls stay until `snat kernel clean`"


def test_cleaning_up_gives_the_kernel_its_rule_back(place: Site) -> None:
    place.daemon.kill()
    with place.router.entered():
        clean()
    rules = place.router.ip("rule")
    assert rules.startswith("0:\tfrom all lookup local")
    assert "proto 83" not in rules
    assert place.router.sysctl("ipv4/tcp_early_demux") == "1"
