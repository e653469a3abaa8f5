"""``ip address``, ``shutdown``, ``ip route`` and ``ip tcp adjust-mss`` in a namespace's kernel."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest

from snat.config.model import StaticRoute
from snat.net import clamp, kernel_state
from snat.net.host import Host
from snat.net.host_plan import HostAddress, HostPlan
from snat.net.kernel import Kernel
from snat.net.kernel_plan import KernelPlan
from snat.net.refused import KernelRefused
from snat.net.tun import open_tun
from tests.system.namespaces import Namespace, cable, namespaces

pytestmark = pytest.mark.root

FAR = IPv4Network("192.0.2.0/24")
NEXT = IPv4Address("10.0.0.9")
FIRST, SECOND, THIRD = (HostAddress("in0", IPv4Interface(f"10.0.0.{last}/24")) for last in (1, 2, 3))
ROUTE = StaticRoute(prefix=FAR, next_hop=NEXT)


class Machine:
    """A router between two hosts, and what is seen of it from outside our code."""

    def __init__(self, namespace: Namespace, left: Namespace, right: Namespace) -> None:
        self.namespace, self.left, self.right = namespace, left, right
        self.host = Host()

    def apply(self, plan: HostPlan, host: Host | None = None) -> None:
        with self.namespace.entered():
            (host or self.host).apply(plan)
            (host or self.host).shut()

    def addresses(self, interface: str = "in0") -> list[str]:
        said = json.loads(self.namespace.ip("-j", "-4", "addr", "show", "dev", interface))
        infos = [info for one in said for info in one.get("addr_info", ())]
        return [f"{info['local']}/{info['prefixlen']}" for info in infos]

    def routes(self, prefix: IPv4Network = FAR) -> list[str]:
        lines = self.namespace.ip("-4", "route", "show", str(prefix)).splitlines()
        return [" ".join(line.split()) for line in lines]

    def everything(self) -> tuple[str, ...]:
        """All in the kernel that we could have changed."""
        ip = self.namespace.ip
        routes = ip("-d", "-4", "route", "show", "table", "all").splitlines()
        ruleset = self.namespace.run("nft", "list", "ruleset")
        states = [(one["ifname"], "UP" in one["flags"]) for one in json.loads(ip("-j", "link"))]
        return (*map(str, map(self.addresses, ("in0", "out0"))), *sorted(routes), ruleset, str(states))


@pytest.fixture
def machine() -> Iterator[Machine]:
    with namespaces("router", "left", "right") as (router, left, right):
        cable(router, "in0", left, "eth0")
        cable(router, "out0", right, "eth0")
        left.ip("addr", "add", "10.0.0.9/24", "dev", "eth0")
        right.ip("addr", "add", "172.16.0.9/24", "dev", "eth0")
        yield Machine(router, left, right)


@contextmanager
def refused_unchanged(machine: Machine, match: str) -> Iterator[None]:
    before = machine.everything()
    with pytest.raises(KernelRefused, match=match):
        yield
    assert machine.everything() == before


def test_addresses_are_given_with_the_primary_first_and_taken_away(machine: Machine) -> None:
    machine.apply(HostPlan(addresses=(FIRST, SECOND)))
    assert machine.addresses() == ["10.0.0.1/24", "10.0.0.2/24"]
    before = machine.everything()
    machine.apply(HostPlan(addresses=(FIRST, SECOND)))
    assert machine.everything() == before
    machine.apply(HostPlan())
    assert machine.addresses() == []


def test_the_router_speaks_from_its_primary_whatever_the_order_of_changes(machine: Machine) -> None:
    machine.apply(HostPlan(addresses=(FIRST, SECOND)))
    machine.apply(HostPlan(addresses=(THIRD, SECOND), routes=(ROUTE,)))
    assert machine.addresses() == ["10.0.0.3/24", "10.0.0.2/24"]
    assert "src 10.0.0.3" in machine.namespace.ip("route", "get", str(NEXT))
    assert machine.routes() == ["192.0.2.0/24 via 10.0.0.9 dev in0 proto 83 metric 1"]


def test_addresses_and_routes_of_others_stay_when_ours_come_and_go(machine: Machine) -> None:
    """Also a secondary of our subnet, which the kernel would delete with the oldest address."""
    machine.apply(HostPlan(addresses=(FIRST,)))
    machine.namespace.ip("addr", "add", "10.0.0.7/24", "dev", "in0")
    machine.namespace.ip("route", "add", str(FAR), "via", str(NEXT), "metric", "77")
    machine.apply(HostPlan(addresses=(SECOND,), routes=(ROUTE,)))
    assert machine.addresses() == ["10.0.0.7/24", "10.0.0.2/24"]
    assert machine.namespace.sysctl("ipv4/conf/in0/promote_secondaries") == "0"
    machine.apply(HostPlan())
    assert machine.addresses() == ["10.0.0.7/24"]
    assert machine.routes() == ["192.0.2.0/24 via 10.0.0.9 dev in0 metric 77"]


def test_an_address_that_somebody_gave_already_stays_his(machine: Machine) -> None:
    machine.namespace.ip("addr", "add", "10.0.0.1/24", "dev", "in0")
    machine.apply(HostPlan(addresses=(FIRST,)))
    machine.apply(HostPlan())
    assert machine.addresses() == ["10.0.0.1/24"]


def test_what_a_killed_run_left_is_taken_away_by_the_next(machine: Machine) -> None:
    machine.apply(HostPlan(addresses=(FIRST, SECOND), routes=(ROUTE,), clamps=(("in0", 1300),)))
    machine.apply(HostPlan(addresses=(FIRST,)), Host())
    assert machine.addresses() == ["10.0.0.1/24"]
    assert machine.routes() == []
    assert "snatmss" not in machine.namespace.run("nft", "list", "tables")


def test_routes_with_equal_distance_share_and_a_change_replaces(machine: Machine) -> None:
    addresses = (FIRST, HostAddress("out0", IPv4Interface("172.16.0.1/24")))
    other = StaticRoute(prefix=FAR, next_hop=IPv4Address("172.16.0.9"))
    plan = HostPlan(addresses=addresses, routes=(ROUTE, other))
    machine.apply(plan)
    shared = machine.namespace.ip("-4", "route", "show", str(FAR))
    assert "nexthop via 10.0.0.9 dev in0" in shared
    assert "nexthop via 172.16.0.9 dev out0" in shared
    before = machine.everything()
    machine.apply(plan)
    assert machine.everything() == before
    far = StaticRoute(prefix=FAR, interface="out0", distance=10)
    machine.apply(HostPlan(addresses=addresses, routes=(other, far)))
    assert machine.routes() == [
        "192.0.2.0/24 via 172.16.0.9 dev out0 proto 83 metric 1",
        "192.0.2.0/24 dev out0 proto 83 scope link metric 10",
    ]


def test_an_interface_that_comes_up_again_has_its_routes_again(machine: Machine) -> None:
    plan = HostPlan(addresses=(FIRST,), routes=(ROUTE,))
    machine.apply(plan)
    machine.apply(HostPlan(addresses=(FIRST,), routes=(ROUTE,), down=("in0",)))
    assert machine.routes() == []
    assert machine.addresses() == ["10.0.0.1/24"]
    machine.apply(HostPlan(addresses=(FIRST,), routes=(ROUTE,), up=("in0",)))
    assert machine.routes() == ["192.0.2.0/24 via 10.0.0.9 dev in0 proto 83 metric 1"]
    machine.namespace.run("ping", "-c", "1", "-W", "2", str(NEXT))


def test_undo_is_the_state_before_whatever_was_done(machine: Machine) -> None:
    machine.namespace.ip("link", "set", "out0", "down")
    machine.apply(HostPlan(addresses=(FIRST,), routes=(ROUTE,), clamps=(("in0", 1300),)))
    before = machine.everything()
    machine.apply(HostPlan(addresses=(SECOND,), up=("out0",), down=("in0",), clamps=(("in0", 1200),)))
    assert machine.everything() != before
    with machine.namespace.entered():
        machine.host.undo()
    assert machine.everything() == before


def test_a_route_in_the_place_of_somebody_elses_is_refused_and_undone(machine: Machine) -> None:
    machine.namespace.ip("addr", "add", "10.0.0.1/24", "dev", "in0")
    machine.namespace.ip("route", "add", str(FAR), "dev", "in0", "metric", "1")
    with refused_unchanged(machine, "another program has something in its place"):
        try:
            machine.apply(HostPlan(addresses=(SECOND,), routes=(ROUTE,)))
        except KernelRefused:
            with machine.namespace.entered():
                machine.host.undo()
            raise


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        (HostPlan(addresses=(FIRST._replace(interface="in9"),)), r"no such interface \(interface in9\)"),
        (HostPlan(addresses=(FIRST, SECOND._replace(interface="out0"))), "10.0.0.0/24 overlaps with in0"),
        (HostPlan(addresses=(FIRST,), routes=(StaticRoute(prefix=FAR, next_hop=FAR[1]),)), "no subnet of"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_changes(
    machine: Machine, plan: HostPlan, match: str
) -> None:
    with refused_unchanged(machine, match):
        machine.apply(plan)


def test_the_mss_of_what_crosses_an_interface_is_lowered_and_never_raised(machine: Machine) -> None:
    addresses = (FIRST, HostAddress("out0", IPv4Interface("172.16.0.1/24")))
    machine.namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    machine.left.ip("route", "add", "default", "via", "10.0.0.1")
    machine.right.ip("route", "add", "default", "via", "172.16.0.1")

    def received() -> int:
        """The MSS that the right host was told."""
        with machine.right.entered():
            listening = socket.create_server(("172.16.0.9", 0))
        with machine.left.entered():
            near = socket.create_connection(listening.getsockname(), timeout=5)
        far, _ = listening.accept()
        with listening, near, far:
            return far.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)

    machine.apply(HostPlan(addresses=addresses))
    usual = received()
    for interface in ("in0", "out0"):
        machine.apply(HostPlan(addresses=addresses, clamps=((interface, 1000),)))
        with machine.namespace.entered():
            assert clamp.read() == {interface: 1000}
        assert received() == 1000 - (1460 - usual)  # less the option that every segment carries
    machine.apply(HostPlan(addresses=addresses, clamps=(("in0", 9000),)))
    assert received() == usual
    machine.apply(HostPlan(addresses=addresses))
    assert "snatmss" not in machine.namespace.run("nft", "list", "tables")


def test_a_table_that_somebody_changed_is_put_right(machine: Machine) -> None:
    machine.apply(HostPlan(clamps=(("in0", 1300),)))
    before = machine.everything()
    handles = machine.namespace.run("nft", "-a", "list", "chain", "ip", "snatmss", "clamp")
    handle = next(line.split("handle ")[1] for line in handles.splitlines() if "iifname" in line)
    machine.namespace.run("nft", "delete", "rule", "ip", "snatmss", "clamp", "handle", handle)
    with machine.namespace.entered():
        assert clamp.read() == {"in0": -1}
    machine.apply(HostPlan(clamps=(("in0", 1300),)))
    assert machine.everything() == before


def test_show_tells_of_all_and_clean_leaves_nothing(machine: Machine) -> None:
    before = machine.everything()
    machine.apply(HostPlan(addresses=(FIRST,), routes=(ROUTE,), clamps=(("out0", 1300),)))
    with machine.namespace.entered():
        state = kernel_state.show()
        assert list(map(str, state.addresses)) == ["10.0.0.1/24 on in0"]
        assert list(map(str, state.host_routes)) == ["192.0.2.0/24 via 10.0.0.9 dev in0 metric 1"]
        assert state.clamps == {"out0": 1300}
        kernel_state.clean()
        assert not kernel_state.show()
    assert machine.everything() == before


def test_static_routes_and_those_to_the_tuns_do_not_take_each_other_away(machine: Machine) -> None:
    """They share the protocol number; a distance may be the metric of a route to a TUN."""
    plan = HostPlan(addresses=(FIRST,), routes=(StaticRoute(prefix=FAR, next_hop=NEXT, distance=10),))
    pool = IPv4Network("198.51.100.0/24")
    with machine.namespace.entered():
        tuns = [open_tun(name) for name in ("snat-i", "snat-o")]
        kernel = Kernel(KernelPlan(inside=("in0",), outside=("out0",), pool_networks=(pool,)))
        try:
            for _ in range(2):
                machine.host.apply(plan)
                kernel.prepare()
                kernel.attach()
                assert machine.routes() == ["192.0.2.0/24 via 10.0.0.9 dev in0 proto 83 metric 10"]
                live: list[Any] = machine.routes(pool)
                assert live[0] == "198.51.100.0/24 dev snat-o proto 83 scope link src 10.0.0.1 metric 10"
            kernel_state.clean()
        finally:
            for tun in tuns:
                os.close(tun)


def test_pool_addresses_are_answered_for_again_when_their_interface_comes_up(machine: Machine) -> None:
    """The kernel forgets proxy neighbours with the interface; the data path prepares and claims anew."""
    outside = HostAddress("out0", IPv4Interface("172.16.0.1/24"))
    pool = IPv4Network("172.16.0.16/30")
    with machine.namespace.entered():
        tuns = [open_tun(name) for name in ("snat-i", "snat-o")]
        kernel = Kernel(KernelPlan(inside=("in0",), outside=("out0",), pool_networks=(pool,)))
        answered = []
        try:
            for plan in (HostPlan(addresses=(outside,)), HostPlan(addresses=(outside,), up=("out0",))):
                machine.host.apply(plan)
                kernel.prepare()
                kernel.attach()
                kernel.claim(())
                answered.append(len(machine.namespace.ip("neigh", "show", "proxy").splitlines()))
                machine.host.apply(HostPlan(addresses=(outside,), down=("out0",)))
                machine.host.shut()
                answered.append(len(machine.namespace.ip("neigh", "show", "proxy").splitlines()))
            kernel_state.clean()
        finally:
            for tun in tuns:
                os.close(tun)
    assert answered == [4, 0, 4, 0]


def test_what_others_changed_is_put_back_and_nothing_else(machine: Machine) -> None:
    plan = HostPlan(
        addresses=(FIRST, SECOND), routes=(ROUTE,), clamps=(("in0", 1300), ("out0", 1200)), down=("out0",)
    )
    machine.apply(plan)
    before, ip = machine.everything(), machine.namespace.ip
    machine.host.changes.clear()
    with machine.namespace.entered():
        machine.host.restore(tables=True)
    assert machine.host.changes == []
    ip("addr", "flush", "dev", "in0")
    ip("link", "set", "out0", "up")
    machine.namespace.run("nft", "delete", "table", "ip", "snatmss")
    with machine.namespace.entered():
        assert not machine.host.has_whole_tables()
        machine.host.restore(tables=True)
        assert machine.host.has_whole_tables()
    assert machine.everything() == before
    assert {change.kind for change in machine.host.changes} == {"addresses", "routes", "interfaces", "tables"}


def test_an_interface_that_is_gone_hinders_nothing(machine: Machine) -> None:
    machine.apply(HostPlan(addresses=(FIRST,), routes=(ROUTE,), clamps=(("out0", 1200),), up=("out0",)))
    machine.namespace.ip("link", "del", "out0")
    machine.namespace.ip("addr", "flush", "dev", "in0")
    with machine.namespace.entered():
        machine.host.restore(tables=True)
        assert clamp.read() == {"out0": 1200}
    assert machine.addresses() == ["10.0.0.1/24"]
    assert machine.routes() == ["192.0.2.0/24 via 10.0.0.9 dev in0 proto 83 metric 1"]
