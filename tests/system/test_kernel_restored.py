"""What others do to the kernel under a running router, it puts back (kernel.md 3)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemons import poll
from tests.system.namespaces import cable
from tests.system.site import ROUTER, SERVER, Site, site

pytestmark = pytest.mark.root

SECONDS = 15.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        assert passes(made)
        yield made


def passes(place: Site) -> bool:
    """Whether a ping gets through, translated: the server has no route to the client."""
    return " 0% packet loss" in ping(place)


def ping(place: Site) -> str:
    process = place.client.start("ping", "-c", "1", "-W", "1", SERVER)
    return process.communicate(timeout=SECONDS)[0]


def kernel(place: Site) -> dict[str, list[str]]:
    """What is ours in the router's kernel, without what counts."""
    router = place.router
    links = json.loads(router.ip("-j", "link"))
    guard = router.run("nft", "list", "ruleset").splitlines()
    return {
        "rules": sorted(router.ip("rule").splitlines()),
        "routes": sorted(router.ip("-4", "route", "show", "table", "all").splitlines()),
        "links": sorted(f"{one['ifname']} {one['group']} {one['mtu']} {one['operstate']}" for one in links),
        "proxies": sorted(router.ip("neigh", "show", "proxy").splitlines()),
        "guard": [line.partition("counter")[0] for line in guard if "ip_forward" not in line],
    }


def restored(place: Site) -> int:
    return place.daemon.counters()["kernel"]["restored"]


@pytest.mark.parametrize(
    "damage",
    [
        ["ip rule del pref 1000 iif in0"],
        ["ip rule del pref 1001 iif out0", "ip rule del pref 1001 iif in0"],
        ["ip route flush table 1001"],
        ["ip route flush table 1002", "ip rule del pref 998 iif snat-i"],
        ["ip route del blackhole 203.0.113.8/30"],
        ["ip link set in0 group 0"],
        ["ip link set out0 group 1001"],
        ["ip link set snat-i down", "ip link set snat-o down"],
        ["ip addr flush dev snat-o"],
        ["nft delete table ip snatguard", "ip link set snat-i mtu 1400"],
        [
            "nft flush chain ip snatguard guard",
            "sysctl -qw net.ipv4.ip_forward=0",
            "ip link set snat-i mtu 1400",
        ],
    ],
    ids=lambda damage: damage[0],
)
def test_what_is_damaged_is_put_back_and_traffic_flows(place: Site, damage: list[str]) -> None:
    before, counted = kernel(place), restored(place)
    for command in damage:
        place.router.run(*command.split())
    poll(lambda: kernel(place) == before, seconds=SECONDS, of=(place.daemon,))
    assert place.router.sysctl("ipv4/ip_forward") == "1"
    poll(lambda: passes(place), seconds=SECONDS, of=(place.daemon,))
    assert restored(place) > counted
    assert any("somebody changed the kernel; put back: " in line for line in place.daemon.log())


def test_an_interface_that_is_created_anew_is_inside_again(place: Site) -> None:
    before = kernel(place)
    place.router.ip("link", "del", "in0")
    gone = "no such interface (interface in0)"
    poll(lambda: any(gone in line for line in place.daemon.log()), seconds=SECONDS, of=(place.daemon,))
    cable(place.client, "eth0", place.router, "in0")
    place.router.ip("addr", "add", f"{ROUTER}/24", "dev", "in0")
    place.client.ip("addr", "add", "10.0.0.5/24", "dev", "eth0")
    place.client.ip("route", "add", "default", "via", ROUTER)
    poll(lambda: kernel(place) == before, seconds=SECONDS, of=(place.daemon,))
    poll(lambda: passes(place), seconds=SECONDS, of=(place.daemon,))
    assert sum(gone in line for line in place.daemon.log()) == 1, "it is said once"


def test_a_router_that_nobody_disturbs_changes_nothing(place: Site) -> None:
    """Its own changes come back as events, and routes of others are none of its business."""
    for number in range(50):
        place.router.ip("route", "add", f"192.0.2.{number}/32", "via", "203.0.113.2")
    place.router.ip("addr", "add", "192.168.99.1/32", "dev", "lo")
    looks = place.daemon.counters()["kernel"]["looks"]
    poll(lambda: place.daemon.counters()["kernel"]["looks"] > looks, seconds=40.0, of=(place.daemon,))
    assert restored(place) == 0
