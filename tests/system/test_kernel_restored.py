"""What others do to the kernel under a running router, it puts back (kernel.md 3)."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemons import poll
from tests.system.namespaces import cable
from tests.system.site import ROUTER, SERVER, Site, site

pytestmark = pytest.mark.root

SECONDS = 25.0
"""What the kernel tells of is put back in 0.3 s, the rest in 10; and this machine has others to serve."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        poll(lambda: passes(made), seconds=SECONDS, of=(made.daemon,))
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
        "sysctls": [router.sysctl(f"ipv4/{name}") for name in ("ip_forward", "conf/snat-i/rp_filter")],
        "guard": [line.partition("counter")[0] for line in guard if "ip_forward" not in line],
    }


def restored(place: Site) -> int:
    counters = place.daemon.counters()["kernel"]
    return sum(count for name, count in counters.items() if name.startswith("restored_"))


def said(place: Site, words: str) -> int:
    return sum(words in line for line in place.daemon.log())


@pytest.mark.parametrize(
    "damage",
    [
        ["ip rule del pref 1000 iif in0"],
        ["ip rule del pref 1001 iif out0", "ip rule del pref 1001 iif in0"],
        ["ip route flush table 1001"],
        ["ip route flush table 1002", "ip rule del pref 998 iif snat-i"],
        ["ip route del blackhole 203.0.113.8/30"],
        ["ip link set in0 group 0"],
        ["ip link set in0 group 7"],
        ["ip link set out0 group 1001"],
        ["ip link set out0 group 7"],
        ["ip neigh del proxy 203.0.113.9 dev out0"],
        ["sysctl -qw net.ipv4.conf.snat-i.rp_filter=1 net.ipv4.ip_forward=0"],
        ["nft delete table ip snatguard"],
        ["ip link set snat-i down", "ip link set snat-o down"],
        ["ip addr flush dev snat-o"],
        ["nft flush chain ip snatguard guard", "ip link set snat-i mtu 1400"],
    ],
    ids=lambda damage: damage[0],
)
def test_what_is_damaged_is_put_back_and_traffic_flows(place: Site, damage: list[str]) -> None:
    before, counted = kernel(place), restored(place)
    for command in damage:
        place.router.run(*command.split())
    poll(lambda: kernel(place) == before, seconds=SECONDS, of=(place.daemon,))
    poll(lambda: passes(place), seconds=SECONDS, of=(place.daemon,))
    assert restored(place) > counted
    assert said(place, "somebody changed the kernel; put back: ")


def test_an_interface_that_is_created_anew_is_inside_again(place: Site) -> None:
    before = kernel(place)
    place.router.ip("link", "del", "in0")
    detached = sorted(place.router.ip("rule").splitlines())
    gone = "interface in0 is gone"
    poll(lambda: said(place, gone) == 1, seconds=SECONDS, of=(place.daemon,))
    place.router.ip("rule", "del", "pref", "1001", "iif", "in0")
    poll(lambda: kernel(place)["rules"] == detached, seconds=SECONDS, of=(place.daemon,))
    cable(place.client, "eth0", place.router, "in0")
    place.router.ip("addr", "add", f"{ROUTER}/24", "dev", "in0")
    place.client.ip("addr", "add", "10.0.0.5/24", "dev", "eth0")
    place.client.ip("route", "add", "default", "via", ROUTER)
    poll(lambda: kernel(place) == before, seconds=SECONDS, of=(place.daemon,))
    poll(lambda: passes(place), seconds=SECONDS, of=(place.daemon,))
    assert (said(place, gone), said(place, "interface in0 is back")) == (1, 1)


def test_a_router_that_nobody_disturbs_changes_nothing(place: Site) -> None:
    """Its own changes come back as events, and routes of others are none of its business."""
    for number in range(50):
        place.router.ip("route", "add", f"192.0.2.{number}/32", "via", "203.0.113.2")
    place.router.ip("addr", "add", "192.168.99.1/32", "dev", "lo")
    before = place.daemon.counters()["kernel"]
    poll(
        lambda: place.daemon.counters()["kernel"]["looks"] > before["looks"] + 1,
        seconds=40.0,
        of=(place.daemon,),
    )
    assert restored(place) == 0
    assert before["events"] < 50, "each route of others was told of"
    assert not said(place, "changed the kernel")


def test_who_takes_our_place_is_told_of_and_the_rest_is_put_back_all_the_same(place: Site) -> None:
    before = kernel(place)
    place.router.ip("rule", "add", "pref", "1000", "iif", "lo", "lookup", "main")
    poll(
        lambda: said(place, "another program's routing rule has our preference") == 1,
        seconds=SECONDS,
        of=(place.daemon,),
    )
    place.router.ip("rule", "del", "pref", "1001", "iif", "in0")
    place.router.ip("route", "flush", "table", "1002")
    poll(lambda: kernel(place)["routes"] == before["routes"], seconds=SECONDS, of=(place.daemon,))
    assert passes(place)
    place.router.ip("rule", "del", "pref", "1000", "iif", "lo")
    poll(lambda: said(place, "the kernel is as it should be again") == 1, seconds=SECONDS, of=(place.daemon,))
    assert kernel(place) == before


def test_a_foreign_route_in_our_table_is_told_of(place: Site) -> None:
    place.router.ip("route", "add", "192.0.2.0/24", "via", "203.0.113.2", "table", "1001")
    poll(
        lambda: said(place, "another program's route in our table") == 1, seconds=SECONDS, of=(place.daemon,)
    )
    assert passes(place)


def test_who_undoes_what_is_put_back_is_answered_ever_more_rarely(place: Site) -> None:
    """For six seconds the rule is deleted as soon as it is there: put back at 0, 1 and 3 seconds."""
    end = time.monotonic() + 6.0
    while time.monotonic() < end:
        if any(
            line.startswith("1001:") and "iif in0" in line for line in place.router.ip("rule").splitlines()
        ):
            place.router.ip("rule", "del", "pref", "1001", "iif", "in0")
    assert 2 <= place.daemon.counters()["kernel"]["restored_rules"] <= 4
    assert said(place, "again and again") == 1
    poll(lambda: passes(place), seconds=SECONDS, of=(place.daemon,))


def test_addresses_of_the_configuration_are_back_with_their_interface(place: Site) -> None:
    """And so is what depends on them: proxy ARP, and the announcement of where the pool is now."""
    text = "configure terminal", "interface out0", "ip address 203.0.113.1 255.255.255.0", "end"
    assert place.daemon.cli(*text).returncode == 0
    before = kernel(place)["proxies"]
    place.router.ip("link", "del", "out0")
    poll(lambda: said(place, "interface out0 is gone") == 1, seconds=SECONDS, of=(place.daemon,))
    cable(place.router, "out0", place.transit, "eth0")
    place.transit.ip("addr", "add", "203.0.113.2/24", "dev", "eth0")
    poll(lambda: kernel(place)["proxies"] == before, seconds=SECONDS, of=(place.daemon,))
    place.router.ip("route", "add", "default", "via", "203.0.113.2")
    poll(lambda: passes(place), seconds=SECONDS, of=(place.daemon,))
