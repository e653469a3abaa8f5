"""What others change of ours in the kernel under a real daemon, and how soon traffic flows again."""

import json
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.system.daemons import poll
from tests.system.probes import echo_udp, udp
from tests.system.site import POOL, SERVER, Site, site

pytestmark = pytest.mark.root

SOON = 5.0
"""Seconds; what is told by the kernel is put back within 0.3, but this machine has others to serve."""
UNASKED = 20.0
"""Seconds for what is looked at each ten seconds."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        assert flows(made)
        yield made


def flows(here: Site) -> bool:
    """Whether a datagram leaves translated and its answer comes back."""
    with udp(here.client) as client, udp(here.server, SERVER) as server:
        try:
            address, _ = echo_udp(client, server, (SERVER, server.getsockname()[1]))
        except TimeoutError:
            return False
    return IPv4Address(address) in POOL


def again(here: Site, question: Callable[[], bool], seconds: float = SOON) -> None:
    """It is so again, in time, and traffic flows."""
    poll(question, seconds=seconds, of=(here.daemon,))
    poll(lambda: flows(here), seconds=seconds, of=(here.daemon,))


def restored(here: Site, kind: str) -> int:
    return here.daemon.counters()["kernel"][f"restored_{kind}"]


def said(here: Site, words: str) -> list[str]:
    return [line for line in here.daemon.log() if words in line]


def rules(here: Site) -> list[str]:
    return here.router.ip("rule").splitlines()


def routes(here: Site) -> set[str]:
    lines = here.router.ip("-4", "route", "show", "table", "all", "proto", "83").splitlines()
    return {" ".join(line.split()) for line in lines}


def test_rules_that_are_flushed_are_back_at_once(here: Site) -> None:
    before = rules(here)
    assert len(before) == 3 + 2 + 2 + 4
    for preference in (900, 901, 998, 1000, 1001):
        while any(line.startswith(f"{preference}:") for line in rules(here)):
            here.router.ip("rule", "del", "pref", str(preference))
            if restored(here, "rules"):
                break
    again(here, lambda: rules(here) == before, 3 * SOON)
    assert said(here, "is put back: rules")


@pytest.mark.parametrize(
    "route", [("default", "table", "1001"), ("blackhole", "default", "table", "1002"), (str(POOL),)]
)
def test_a_route_that_is_deleted_is_back_at_once(here: Site, route: tuple[str, ...]) -> None:
    before = routes(here)
    here.router.ip("route", "del", *route, "proto", "83")
    again(here, lambda: routes(here) == before)
    assert restored(here, "routes") == 1


def test_an_interface_that_changes_its_group_is_inside_again(here: Site) -> None:
    for group in ("0", "7"):
        here.router.ip("link", "set", "in0", "group", group)

    def inside() -> bool:
        return bool(json.loads(here.router.ip("-j", "link", "show", "in0"))[0]["group"] == "1001")

    again(here, inside)
    assert restored(here, "interfaces") >= 1


@pytest.mark.parametrize("tun", ["snat-i", "snat-o"])
def test_a_tun_that_is_set_down_is_up_with_its_routes(here: Site, tun: str) -> None:
    before = routes(here)
    here.router.ip("link", "set", tun, "down")
    again(here, lambda: routes(here) == before)
    assert restored(here, "tuns") == 1


def test_the_address_of_a_tun_that_is_deleted_is_back_with_the_routes(here: Site) -> None:
    before = routes(here)
    here.router.ip("addr", "flush", "dev", "snat-o")
    again(here, lambda: routes(here) == before)
    assert restored(here, "addresses") == 1


def test_pool_addresses_are_answered_for_again(here: Site) -> None:
    before = here.router.ip("neigh", "show", "proxy")
    assert str(POOL[1]) in before
    here.router.ip("neigh", "del", "proxy", str(POOL[1]), "dev", "out0")
    again(here, lambda: here.router.ip("neigh", "show", "proxy") == before, UNASKED)
    assert restored(here, "proxies") == 1


@pytest.mark.parametrize("how", ["delete table ip snatguard", "flush chain ip snatguard guard"])
def test_the_guard_is_back(here: Site, how: str) -> None:
    def ruleset() -> tuple[str, bool]:
        lines = here.router.run("nft", "list", "table", "ip", "snatguard").splitlines()
        return "\n".join(line for line in lines if "counter" not in line), any("drop" in one for one in lines)

    before = ruleset()
    here.router.run("nft", *how.split())
    again(here, lambda: restored(here, "guard") == 1, UNASKED)
    assert ruleset() == before


def test_forwarding_is_switched_on_again(here: Site) -> None:
    here.router.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    again(here, lambda: restored(here, "sysctls") == 1, UNASKED)
    assert here.router.sysctl("ipv4/ip_forward") == "1"
