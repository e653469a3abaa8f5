"""TUNs and kernel set-up with live traffic: two clients inside, a router, a server outside, in namespaces."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from snat.net import kernel_state
from snat.net.kernel import Kernel
from snat.net.kernel_plan import INSIDE_TUN, OUTSIDE_TUN, PREFERENCES, KernelPlan
from snat.net.refused import KernelRefused
from snat.net.tun import open_tun
from tests.system.namespaces import Namespace, cable, namespaces
from tests.system.probes import SECONDS, Capture, answered, connect_tcp, echo_udp, transfer, udp, within

pytestmark = pytest.mark.root

INSIDE = IPv4Network("10.0.0.0/8")
CLIENT, NEIGHBOUR, SERVER = "10.0.0.2", "10.0.1.2", "203.0.113.2"
ROUTER_INSIDE, ROUTER_OUTSIDE = IPv4Address("10.0.0.1"), IPv4Address("203.0.113.1")
VIRTUAL = IPv4Address("10.0.0.254")
POOL = IPv4Network("203.0.113.16/29")
ROUTED_POOL = IPv4Network("198.51.100.0/30")
PUBLIC = POOL[1]
PLAN = KernelPlan(inside=("in0", "in1"), outside=("out0",), pool_networks=(POOL, ROUTED_POOL))
SUPER_PACKET = 5000
"""No packet on the wire is longer than 1500 bytes; the mean over a transfer is, with super-packets."""


@dataclass
class Topology:
    """client (10.0.0.2) and neighbour (10.0.1.2) - router - server (203.0.113.2)."""

    client: Namespace
    neighbour: Namespace
    router: Namespace
    server: Namespace

    def start(self) -> "Daemon":
        """Start the forwarder on the router."""
        plan = {
            "inside": PLAN.inside,
            "outside": PLAN.outside,
            "pools": list(map(str, PLAN.pool_networks)),
            "host": CLIENT,
            "public": str(PUBLIC),
        }
        process = self.router.start(sys.executable, "-m", "tests.system.forwarder", json.dumps(plan))
        daemon = Daemon(process)
        assert daemon.read() == "ready"
        return daemon

    def answered_inside(self) -> set[IPv4Address]:
        """Whether the virtual address (and any of the pool) is answered for inside."""
        return answered(self.client, CLIENT, (VIRTUAL, *POOL), ROUTER_INSIDE)

    def answered_outside(self) -> set[IPv4Address]:
        """Which pool addresses are answered for outside."""
        return answered(self.server, SERVER, (*POOL, *ROUTED_POOL), ROUTER_OUTSIDE)

    def sources(self, flood: int, capture: Capture) -> list[IPv4Address]:
        """What the server gets of a flood from the client; the router's own packet ends it."""
        send_udp(self.client, flood)
        send_udp(self.router, 1)
        return capture.until(ROUTER_OUTSIDE)

    def snapshot(self) -> dict[str, str]:
        """All in the router's kernel that we could have changed."""
        router = self.router
        links = json.loads(router.ip("-j", "-4", "addr"))
        return {
            "rules": _sorted(router.ip("rule")),
            "routes": _sorted(router.ip("-4", "route", "show", "table", "all")),
            "neighbours": _sorted(router.ip("neigh", "show", "proxy")),
            "addresses": str(
                sorted((link["ifname"], a["local"]) for link in links for a in link["addr_info"])
            ),
            "groups": str(sorted((link["ifname"], link["group"]) for link in links)),
            "nft": router.run("nft", "list", "ruleset"),
            "ip_forward": router.sysctl("ipv4/ip_forward"),
            "proxy_delay": router.sysctl("ipv4/neigh/out0/proxy_delay"),
        }


@dataclass
class Daemon:
    """The forwarder's process."""

    process: "subprocess.Popen[str]"

    def ask(self, command: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        return self.read()

    def read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the forwarder ended"
        return json.loads(line)

    def claim(self) -> list[list[str]]:
        claimed: list[list[str]] = self.ask(f"claim {VIRTUAL} in0")
        return claimed

    def kill(self) -> None:
        """kill -9, and wait until the kernel has taken its TUNs away."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)


@pytest.fixture
def topology() -> Iterator[Topology]:
    with namespaces("client", "neighbour", "router", "server") as hosts:
        net = Topology(*hosts)
        for host, port, address, gateway in (
            (net.client, "in0", CLIENT, str(ROUTER_INSIDE)),
            (net.neighbour, "in1", NEIGHBOUR, "10.0.1.1"),
            (net.server, "out0", SERVER, str(ROUTER_OUTSIDE)),
        ):
            cable(net.router, port, host, "eth0")
            net.router.ip("addr", "add", f"{gateway}/24", "dev", port)
            host.ip("addr", "add", f"{address}/24", "dev", "eth0")
        net.client.ip("route", "add", "default", "via", str(ROUTER_INSIDE))
        net.neighbour.ip("route", "add", "default", "via", "10.0.1.1")
        # A server that would answer to an untranslated client: a leak is a connection, not only a packet.
        net.server.ip("route", "add", str(INSIDE), "via", str(ROUTER_OUTSIDE))
        yield net


def _sorted(lines: str) -> str:
    return "\n".join(sorted(lines.splitlines()))


def send_udp(namespace: Namespace, count: int) -> None:
    """Datagrams to the server; that the router drops them is no error here."""
    with udp(namespace) as port:
        for _ in range(count):
            port.sendto(b"flood", (SERVER, 9))


def open_descriptors() -> list[str]:
    """The descriptors of this process."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def poll(condition: Any, what: str) -> None:
    """Ask again until it holds."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what


def test_traffic_crosses_both_tuns_in_super_packets(topology: Topology) -> None:
    daemon = topology.start()
    daemon.claim()
    near, far, seen = connect_tcp(topology.client, topology.server, SERVER)
    with near, far:
        assert seen == str(PUBLIC)
        transfer(near, far, 8_000_000)
        transfer(far, near, 8_000_000)
    counters = daemon.ask("counters")
    for read, written in ((INSIDE_TUN, OUTSIDE_TUN), (OUTSIDE_TUN, INSIDE_TUN)):
        # Each direction carries 8 MB of data and the acknowledgements of the other.
        assert counters[read]["bytes_in"] > 8_000_000
        assert counters[read]["packets_in"] < 8_000_000 / SUPER_PACKET * 4
        assert counters[written]["packets_out"] == counters[read]["packets_in"]
        assert not any(value for name, value in counters[read].items() if name.startswith("dropped"))


@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_datagrams_cross_and_the_router_is_one_hop(topology: Topology, rp_filter: int) -> None:
    topology.router.run("sysctl", "-qw", f"net.ipv4.conf.all.rp_filter={rp_filter}")
    topology.start().claim()
    with udp(topology.client) as client, udp(topology.server, SERVER) as server:
        seen, ttl = echo_udp(client, server, server.getsockname())
    assert seen == str(PUBLIC)
    assert ttl == 64 - 1


def test_inside_to_inside_and_the_routers_own_traffic_are_not_translated(topology: Topology) -> None:
    daemon = topology.start()
    with udp(topology.client) as client, udp(topology.neighbour, NEIGHBOUR) as neighbour:
        assert echo_udp(client, neighbour, neighbour.getsockname()) == (CLIENT, 63)
    with udp(topology.router) as router, udp(topology.server, SERVER) as server:
        assert echo_udp(router, server, server.getsockname())[0] == str(ROUTER_OUTSIDE)
    assert daemon.ask("counters")[OUTSIDE_TUN]["packets_out"] == 0


def test_a_ping_to_a_pool_address_without_host_does_not_circle(topology: Topology) -> None:
    daemon = topology.start()
    daemon.claim()
    with udp(topology.server) as server, udp(topology.client) as client:
        server.sendto(b"nobody", (str(POOL[5]), 9))
        client.sendto(b"nobody", (str(POOL[5]), 9))
        poll(lambda: daemon.ask("counters")[OUTSIDE_TUN]["packets_in"], "the datagram did not come to snat-o")
    counters = daemon.ask("counters")
    assert counters[OUTSIDE_TUN]["packets_in"] == 1
    assert counters[INSIDE_TUN]["packets_in"] <= 1


def test_nothing_leaks_when_the_daemon_is_killed_in_a_flood(topology: Topology) -> None:
    daemon = topology.start()
    daemon.claim()
    with closing(Capture(topology.server)) as capture:
        send_udp(topology.client, 500)
        before = capture.until(PUBLIC)
        send_udp(topology.client, 500)
        os.kill(daemon.process.pid, signal.SIGKILL)
        send_udp(topology.client, 500)
        daemon.process.wait(SECONDS)
        after = topology.sources(500, capture)
    assert within(INSIDE, before + after) == set()


def test_what_needs_no_translation_outlives_the_daemon(topology: Topology) -> None:
    daemon = topology.start()
    daemon.claim()
    daemon.kill()
    with udp(topology.client) as client, udp(topology.neighbour, NEIGHBOUR) as neighbour:
        assert echo_udp(client, neighbour, neighbour.getsockname()) == (CLIENT, 63)
    with udp(topology.router) as router, udp(topology.server, SERVER) as server:
        assert echo_udp(router, server, server.getsockname())[0] == str(ROUTER_OUTSIDE)


def test_a_dead_router_answers_for_nothing(topology: Topology) -> None:
    daemon = topology.start()
    daemon.claim()
    assert topology.answered_inside() == {VIRTUAL}
    daemon.kill()
    assert topology.answered_inside() == set()
    assert topology.answered_outside() == set()


def test_the_blackholes_hold_when_the_guard_is_flushed(topology: Topology) -> None:
    daemon = topology.start()
    topology.router.run("nft", "delete", "table", "ip", "snatguard")
    daemon.kill()
    with closing(Capture(topology.server)) as capture:
        assert within(INSIDE, topology.sources(200, capture)) == set()
    for pool in PLAN.pool_networks:
        with pytest.raises(AssertionError, match="Invalid argument"):  # how `ip` says blackhole
            topology.router.ip("route", "get", str(pool[1]))


def test_the_guard_holds_when_the_rules_are_flushed(topology: Topology) -> None:
    daemon = topology.start()
    daemon.claim()
    daemon.kill()
    for preference in map(str, PREFERENCES):
        while preference + ":" in topology.router.ip("rule"):
            topology.router.ip("rule", "del", "pref", preference)
    with closing(Capture(topology.server)) as capture:
        assert within(INSIDE, topology.sources(200, capture)) == set()
    with topology.router.entered():
        state = kernel_state.show()
    assert state.rules == ()
    assert state.guard_dropped >= 200


def test_the_guard_of_the_boot_holds_before_there_is_a_daemon(topology: Topology) -> None:
    """Whether its interfaces exist yet or not."""
    router = topology.router
    with router.entered():
        kernel_state.stand_guard([*PLAN.inside, "in9"])
        assert kernel_state.show().guarded
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    with closing(Capture(topology.server)) as capture:
        assert within(INSIDE, topology.sources(200, capture)) == set()
    with router.entered():
        assert kernel_state.show().guard_dropped >= 200


def test_the_daemon_takes_the_guard_of_the_boot_over(topology: Topology) -> None:
    router = topology.router
    with router.entered():
        kernel_state.stand_guard(PLAN.inside)
        kernel_state.stand_guard(PLAN.inside)
    topology.start().claim()
    with udp(topology.client) as client, udp(topology.server, SERVER) as server:
        assert echo_udp(client, server, server.getsockname())[0] == str(PUBLIC)
    with udp(topology.client) as client, udp(topology.neighbour, NEIGHBOUR) as neighbour:
        assert echo_udp(client, neighbour, neighbour.getsockname()) == (CLIENT, 63)
    with router.entered():
        before = kernel_state.show()
        kernel_state.stand_guard(PLAN.inside)  # the unit is started again
        assert kernel_state.show().sysctls == before.sysctls != {}
        kernel_state.clean()
        assert not kernel_state.show().guarded


def test_without_guard_and_rules_the_same_flood_leaks(topology: Topology) -> None:
    """The tests above can fail: this is what they would see."""
    topology.start().kill()
    with topology.router.entered():
        kernel_state.clean()
    topology.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    with closing(Capture(topology.server)) as capture:
        assert within(INSIDE, topology.sources(200, capture)) == {IPv4Address(CLIENT)}


def test_a_restart_takes_over_what_a_killed_run_left(topology: Topology) -> None:
    daemon = topology.start()
    daemon.claim()
    running = topology.snapshot()
    for _ in range(2):
        daemon.kill()
        daemon = topology.start()
        assert topology.answered_outside() == set(), "a restarted router answers before it has claimed"
        daemon.claim()
        assert topology.snapshot() == running
    near, far, seen = connect_tcp(topology.client, topology.server, SERVER)
    with near, far:
        assert seen == str(PUBLIC)
        transfer(near, far, 100_000)


def test_arp_is_answered_between_claim_and_withdraw_only(topology: Topology) -> None:
    daemon = topology.start()
    assert topology.answered_inside() == topology.answered_outside() == set()
    claimed = daemon.claim()
    assert claimed == [[str(VIRTUAL), "in0"], *([str(address), "out0"] for address in POOL)]
    assert topology.answered_inside() == {VIRTUAL}
    assert topology.answered_outside() == set(POOL)
    assert daemon.claim() == claimed
    assert daemon.ask("withdraw") == "withdrawn"
    assert topology.answered_inside() == topology.answered_outside() == set()
    assert daemon.ask("withdraw") == "withdrawn"
    daemon.claim()
    assert topology.answered_outside() == set(POOL)


def test_gratuitous_arp_moves_the_clients_neighbour_entry(topology: Topology) -> None:
    old = "02:00:00:00:00:99"
    topology.client.ip("neigh", "replace", str(VIRTUAL), "lladdr", old, "dev", "eth0", "nud", "reachable")
    daemon = topology.start()
    daemon.claim()
    assert daemon.ask(f"announce {VIRTUAL} in0") == {"sent": 1, "failed": 0}
    ours = json.loads(topology.router.ip("-j", "link", "show", "in0"))[0]["address"]
    poll(lambda: ours in topology.client.ip("neigh", "show", str(VIRTUAL)), "the entry did not move")


def test_gratuitous_arp_on_an_interface_without_arp_sends_nothing(topology: Topology) -> None:
    daemon = topology.start()
    assert daemon.ask(f"announce {VIRTUAL} {INSIDE_TUN}") == {"sent": 0, "failed": 0}
    assert daemon.ask(f"announce {VIRTUAL} nowhere") == {"sent": 0, "failed": 1}


def test_clean_leaves_the_kernel_as_it_was(topology: Topology) -> None:
    before = topology.snapshot()
    daemon = topology.start()
    daemon.claim()
    assert topology.snapshot() != before
    daemon.kill()
    with topology.router.entered():
        assert kernel_state.show()
        kernel_state.clean()
        assert not kernel_state.show()
        assert topology.snapshot() == before
        kernel_state.clean()
    assert topology.snapshot() == before


def test_clean_leaves_what_is_not_ours(topology: Topology) -> None:
    router = topology.router
    router.ip("rule", "add", "pref", "1002", "to", "192.0.2.0/24", "lookup", "77")
    router.ip("route", "add", "192.0.2.0/24", "dev", "out0", "table", "77", "proto", "83")
    router.ip("neigh", "add", "proxy", "203.0.113.99", "dev", "out0")
    router.run("nft", "add table ip mine")
    before = topology.snapshot()
    daemon = topology.start()
    daemon.claim()
    daemon.kill()
    with router.entered():
        kernel_state.clean()
    assert topology.snapshot() == before


def test_show_tells_what_is_there(topology: Topology) -> None:
    with topology.router.entered():
        assert not kernel_state.show()
        daemon = topology.start()
        daemon.claim()
        state = kernel_state.show()
    assert {link.name for link in state.tuns} == {INSIDE_TUN, OUTSIDE_TUN}
    assert set(state.inside) == set(PLAN.inside)
    assert state.virtual_addresses == (VIRTUAL,)
    assert {address for address, _ in state.proxies} == set(POOL)
    assert state.guarded
    assert state.sysctls == {
        "ipv4/ip_forward": "0",
        "ipv4/fwmark_reflect": "0",
        "ipv4/neigh/out0/proxy_delay": "80",
    }
    assert len(state.rules) == 12
    assert f"{POOL} dev snat-o table 254 metric 10 src {ROUTER_INSIDE}" in map(str, state.routes)


@pytest.fixture
def kernel(topology: Topology) -> Iterator[Kernel]:
    """This process in the router's namespace with both TUNs open, instead of a daemon."""
    with topology.router.entered():
        fds = [open_tun(INSIDE_TUN), open_tun(OUTSIDE_TUN)]
        try:
            yield Kernel(PLAN)
        finally:
            for fd in fds:
                os.close(fd)


def test_everything_can_be_done_twice(topology: Topology, kernel: Kernel) -> None:
    virtual = ((VIRTUAL, "in0"),)
    kernel.prepare()
    kernel.attach()
    kernel.claim(virtual)
    once = topology.snapshot()
    kernel.prepare()
    kernel.attach()
    kernel.claim(virtual)
    assert topology.snapshot() == once


def test_a_changed_plan_leaves_nothing_of_the_old_one(topology: Topology, kernel: Kernel) -> None:
    changed = replace(
        PLAN, inside=("in0",), outside=("out0", "in1"), pool_networks=(IPv4Network("192.0.2.0/30"),)
    )
    fresh = Kernel(changed)
    fresh.prepare()
    fresh.attach()
    wanted = topology.snapshot()
    kernel.prepare()
    kernel.attach()
    assert topology.snapshot() != wanted
    fresh.prepare()
    fresh.attach()
    assert topology.snapshot() == wanted


def test_what_was_flushed_is_restored(topology: Topology, kernel: Kernel) -> None:
    kernel.prepare()
    kernel.attach()
    kernel.claim(((VIRTUAL, "in0"),))
    whole = topology.snapshot()
    router = topology.router
    router.ip("rule", "del", "pref", "1001")
    router.ip("route", "flush", "proto", "83")
    router.ip("link", "set", "in0", "group", "0")
    router.ip("neigh", "del", "proxy", str(PUBLIC), "dev", "out0")
    kernel.prepare()
    kernel.attach()
    assert topology.snapshot() == whole


def test_tuns_take_the_mtu_of_the_other_side(topology: Topology, kernel: Kernel) -> None:
    topology.router.ip("link", "set", "out0", "mtu", "1400")
    topology.router.ip("link", "set", "in1", "mtu", "1300")
    kernel.prepare()
    kernel.attach()
    links = {link["ifname"]: link for link in json.loads(topology.router.ip("-j", "link"))}
    assert (links[INSIDE_TUN]["mtu"], links[OUTSIDE_TUN]["mtu"]) == (1400, 1300)
    assert links[INSIDE_TUN]["txqlen"] == links[OUTSIDE_TUN]["txqlen"] == 4000
    kernel.plan = replace(kernel.plan, queue=77)
    kernel.attach()
    links = {link["ifname"]: link for link in json.loads(topology.router.ip("-j", "link"))}
    assert links[INSIDE_TUN]["txqlen"] == links[OUTSIDE_TUN]["txqlen"] == 77
    for tun in (INSIDE_TUN, OUTSIDE_TUN):
        assert topology.router.sysctl(f"ipv6/conf/{tun}/disable_ipv6") == "1"
        assert topology.router.sysctl(f"ipv4/conf/{tun}/rp_filter") == "2"


def test_a_claim_that_would_be_in_vain_is_refused_at_start(topology: Topology, kernel: Kernel) -> None:
    kernel.prepare()
    kernel.attach()
    kernel.check(((VIRTUAL, "in0"),))
    topology.router.run("sysctl", "-qw", "net.ipv4.conf.in0.arp_ignore=1")
    before = topology.snapshot()
    for ask in (kernel.check, kernel.claim):
        with pytest.raises(KernelRefused, match="in0/arp_ignore"):
            ask(((VIRTUAL, "in0"),))
    assert topology.snapshot() == before


def test_attaching_without_tuns_is_refused(topology: Topology) -> None:
    with topology.router.entered():
        kernel = Kernel(PLAN)
        kernel.prepare()
        with pytest.raises(KernelRefused, match="no such TUN"):
            kernel.attach()


def test_a_second_daemon_is_refused(topology: Topology) -> None:
    topology.start()
    with topology.router.entered(), pytest.raises(KernelRefused, match="end the other snat"):
        open_tun(INSIDE_TUN)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("rule add pref 1000 to 192.0.2.0/24 lookup main", "ip rule pref 1000"),
        ("route add 192.0.2.0/24 dev out0 table 1001", "table 1001"),
        ("link add snat-i type veth peer name other", "interface snat-i"),
        ("link set out0 group 7", "interface out0"),
        ("addr add 203.0.113.18/24 dev out0", "203.0.113.18"),
    ],
)
def test_what_another_program_set_is_refused_and_nothing_changed(
    topology: Topology, made: str, said: str
) -> None:
    topology.router.ip(*made.split())
    before = topology.snapshot()
    with topology.router.entered(), pytest.raises(KernelRefused, match=said):
        Kernel(PLAN).prepare()
    assert topology.snapshot() == before


def test_another_programs_route_in_the_place_of_ours_is_refused(topology: Topology) -> None:
    topology.router.ip("route", "add", str(POOL), "dev", "in0", "metric", "4278198272")
    with topology.router.entered(), pytest.raises(KernelRefused, match=f"{POOL} blackhole.*another program"):
        Kernel(PLAN).prepare()


def test_a_deleted_interface_ends_the_daemon(topology: Topology) -> None:
    daemon = topology.start()
    topology.router.ip("link", "del", INSIDE_TUN)
    assert daemon.process.wait(SECONDS) == 0


def test_conversations_with_the_kernel_leave_no_descriptors(kernel: Kernel) -> None:
    kernel.prepare()
    before = open_descriptors()
    kernel.prepare()
    kernel.attach()
    kernel.claim(((VIRTUAL, "in0"),))
    kernel.withdraw()
    assert open_descriptors() == before
