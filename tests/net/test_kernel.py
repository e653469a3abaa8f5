"""The plan for the kernel, and what is refused before anything is changed.

Against a live kernel: tests/system/test_kernel_live.py.
"""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, cast

import pytest

from snat.net import guard, sysctl
from snat.net.kernel_check import check_claim, check_prepare
from snat.net.kernel_plan import (
    DEFAULT_MTU,
    INSIDE_GROUP,
    INSIDE_TUN,
    MAX_PROXIES,
    METRIC_LAST,
    OUTSIDE_TUN,
    PREF_MAIN,
    PREF_TUN,
    KernelPlan,
    blackholes,
    group_of,
    is_ours,
    live_routes,
    mtus,
    present,
    proxies,
    rules,
    sysctls,
)
from snat.net.netlink import TABLE_MAIN, Link, Netlink, Route, Rule
from snat.net.refused import KernelRefused

POOL = IPv4Network("203.0.113.16/30")
ROUTED_POOL = IPv4Network("198.51.100.0/24")
PLAN = KernelPlan(inside=("eth0", "eth2"), outside=("eth1",), pool_networks=(POOL, ROUTED_POOL))
ADDRESSES = [
    ("lo", IPv4Interface("127.0.0.1/8")),
    ("eth0", IPv4Interface("10.0.0.1/24")),
    ("eth1", IPv4Interface("203.0.113.1/24")),
    ("eth2", IPv4Interface("10.0.1.1/24")),
]


def link(name: str, group: int = 0, kind: str = "veth", mtu: int = 1500) -> Link:
    return Link(index=abs(hash(name)) % 1000, name=name, group=group, mtu=mtu, kind=kind)


class TestPlan:
    def test_every_interface_has_its_two_rules(self) -> None:
        mine = {str(rule) for rule in rules(PLAN) if rule.priority in (PREF_MAIN, PREF_TUN)}
        assert mine == {
            "pref 1000 iif eth0 lookup 254 suppress_ifgroup 0",
            "pref 1001 iif eth0 lookup 1001",
            "pref 1000 iif eth2 lookup 254 suppress_ifgroup 0",
            "pref 1001 iif eth2 lookup 1001",
            "pref 1000 iif eth1 lookup 254 suppress_ifgroup 1001",
            "pref 1001 iif eth1 lookup 1002",
        }

    def test_the_kernels_errors_about_inside_packets_come_from_inside(self) -> None:
        assert {str(rule) for rule in rules(PLAN) if rule.interface == "lo"} == {
            "pref 900 iif lo fwmark 0x53 ipproto 1 lookup 254 suppress_ifgroup 0",
            "pref 901 iif lo fwmark 0x53 ipproto 1 lookup 1003",
        }

    def test_an_address_that_is_shared_comes_to_a_tun_before_it_is_the_routers(self) -> None:
        shared = replace(PLAN, own=(IPv4Address("203.0.113.1"),))
        more = [str(rule) for rule in rules(shared) if rule not in rules(PLAN)]
        assert more[0] == "pref 100 lookup 255", "before the kernel's own rule goes"
        assert set(more[1:]) == {
            f"pref 50 iif {name} ipproto {protocol} to 203.0.113.1/32 lookup {table}"
            for name, table in (("eth0", 1005), ("eth1", 1004), ("eth2", 1005))
            for protocol in (1, 6, 17, 47, 50)
        }
        tables = {route.table: route.device for route in live_routes(shared, None)}
        assert (tables[1004], tables[1005]) == (OUTSIDE_TUN, INSIDE_TUN)
        assert {route.table for route in blackholes(shared)}.isdisjoint({1004, 1005})
        assert sysctls(shared).items() - sysctls(PLAN).items() == {
            ("ipv4/tcp_early_demux", "0"),
            ("ipv4/udp_early_demux", "0"),
        }

    def test_nothing_a_tun_writes_to_a_pool_comes_back(self) -> None:
        dropped = {(rule.interface, rule.destination) for rule in rules(PLAN) if rule.table is None}
        assert dropped == {(tun, pool) for tun in ("snat-i", "snat-o") for pool in (POOL, ROUTED_POOL)}

    def test_what_is_not_there_is_left_out_of_a_plan(self) -> None:
        assert present(PLAN, ["eth2", "lo"]) == replace(PLAN, inside=("eth2",), outside=())
        assert present(PLAN, ["eth0", "eth1", "eth2"]) == PLAN

    @pytest.mark.parametrize(
        ("name", "group", "wanted"),
        [
            ("eth0", 0, INSIDE_GROUP),
            ("eth0", 7, INSIDE_GROUP),
            ("eth1", INSIDE_GROUP, 0),
            ("eth1", 7, 0),
            (INSIDE_TUN, 0, INSIDE_GROUP),
            (OUTSIDE_TUN, INSIDE_GROUP, 0),
            ("eth9", INSIDE_GROUP, 0),
            ("eth9", 7, 7),
        ],
    )
    def test_interfaces_of_the_plan_are_in_our_groups_and_no_others(
        self, name: str, group: int, wanted: int
    ) -> None:
        assert group_of(PLAN, link(name, group=group)) == wanted

    def test_half_added_rules_let_nothing_out(self) -> None:
        order = [rule.priority for rule in rules(PLAN) if rule.interface.startswith("eth")]
        assert order == sorted(order, reverse=True)
        assert {PREF_MAIN, PREF_TUN} == set(order)

    def test_under_every_route_to_a_tun_lies_a_blackhole(self) -> None:
        last = {(route.table, route.destination): route for route in blackholes(PLAN)}
        live = live_routes(PLAN, None)
        assert len(live) == len(last) == 5
        for route in live:
            beneath = last[route.table, route.destination]
            assert beneath.device is None
            assert beneath.metric > route.metric

    def test_pools_lead_out_of_the_outside_tun_from_an_inside_address(self) -> None:
        inside = IPv4Address("10.0.0.1")
        to_pools = [route for route in live_routes(PLAN, inside) if route.table == TABLE_MAIN]
        assert {route.destination for route in to_pools} == {POOL, ROUTED_POOL}
        assert {(route.device, route.source) for route in to_pools} == {(OUTSIDE_TUN, inside)}

    def test_routes_of_others_with_our_number_are_not_ours(self) -> None:
        mine = Route(destination=POOL, table=TABLE_MAIN, metric=METRIC_LAST)
        assert is_ours(mine)
        assert not is_ours(replace(mine, metric=20))
        assert not is_ours(replace(mine, table=77))

    def test_a_tun_has_the_smallest_mtu_of_the_other_side(self) -> None:
        by_interface = {"eth0": 9000, "eth1": 1492, "eth2": 1400}
        assert mtus(PLAN, by_interface) == {INSIDE_TUN: 1492, OUTSIDE_TUN: 1400}

    def test_a_side_without_interfaces_has_the_usual_mtu(self) -> None:
        plan = KernelPlan(inside=(), outside=(), pool_networks=())
        assert mtus(plan, {}) == {INSIDE_TUN: DEFAULT_MTU, OUTSIDE_TUN: DEFAULT_MTU}

    def test_sysctls_forward_and_answer_at_once_outside(self) -> None:
        assert sysctls(PLAN) == {
            "ipv4/ip_forward": "1",
            "ipv4/fwmark_reflect": "1",
            "ipv4/neigh/eth1/proxy_delay": "0",
        }


class TestProxies:
    def test_only_pools_in_an_outside_subnet(self) -> None:
        assert proxies(PLAN, ADDRESSES) == {(address, "eth1") for address in POOL}

    def test_a_pool_in_an_inside_subnet_is_not_answered_for(self) -> None:
        plan = replace(PLAN, pool_networks=(IPv4Network("10.0.0.64/30"),))
        assert proxies(plan, ADDRESSES) == set()

    def test_network_and_broadcast_addresses_are_nobodys(self) -> None:
        plan = replace(PLAN, pool_networks=(IPv4Network("203.0.113.0/24"),))
        answered = {address for address, _ in proxies(plan, ADDRESSES)}
        assert len(answered) == 254
        assert IPv4Address("203.0.113.0") not in answered
        assert IPv4Address("203.0.113.255") not in answered

    def test_a_point_to_point_subnet_has_neither(self) -> None:
        plan = replace(PLAN, pool_networks=(IPv4Network("192.0.2.0/31"),))
        subnet = [("eth1", IPv4Interface("192.0.2.1/31"))]
        assert len(proxies(plan, subnet)) == 2

    def test_a_pool_wider_than_the_subnet_is_answered_for_within_it(self) -> None:
        plan = replace(PLAN, pool_networks=(IPv4Network("203.0.112.0/22"),))
        assert {address for address, _ in proxies(plan, ADDRESSES)} == set(
            IPv4Network("203.0.113.0/24").hosts()
        )

    def test_too_many_are_refused_before_they_are_listed(self) -> None:
        plan = replace(PLAN, pool_networks=(IPv4Network("10.0.0.0/8"),))
        with pytest.raises(KernelRefused, match=f"16777216 pool addresses.*{MAX_PROXIES}.*eth1.*route it"):
            proxies(plan, [("eth1", IPv4Interface("10.0.0.1/8"))])


@dataclass
class FakeKernel:
    """What the checks ask of a :class:`Netlink`."""

    links: dict[str, Link]
    held: list[tuple[str, IPv4Interface]]
    foreign_rules: tuple[int, ...] = ()
    foreign: tuple[Route, ...] = ()

    def rules(self, _priorities: Iterable[int]) -> tuple[list[Rule], list[int]]:
        return [], list(self.foreign_rules)

    def foreign_routes(self, table: int) -> list[Route]:
        return [route for route in self.foreign if route.table == table]

    def addresses(self) -> list[tuple[str, IPv4Interface]]:
        return self.held


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    monkeypatch.setattr(sysctl, "ROOT", tmp_path)
    for interface in ("all", "eth0", "eth1"):
        (tmp_path / "ipv4/conf" / interface).mkdir(parents=True)
        for name in ("proxy_arp", "arp_ignore"):
            (tmp_path / "ipv4/conf" / interface / name).write_text("0\n")
    return FakeKernel({name: link(name) for name in ("lo", "eth0", "eth1", "eth2")}, list(ADDRESSES))


def check(kernel: FakeKernel, plan: KernelPlan = PLAN) -> None:
    check_prepare(plan, cast("Netlink", kernel))


class TestPrepareRefuses:
    def test_nothing_if_all_is_well(self, kernel: FakeKernel) -> None:
        check(kernel)

    def test_nothing_of_what_we_left_ourselves(self, kernel: FakeKernel) -> None:
        kernel.links["eth0"] = link("eth0", group=INSIDE_GROUP)
        kernel.links |= {name: link(name, kind="tun") for name in (INSIDE_TUN, OUTSIDE_TUN)}
        check(kernel)

    def test_a_missing_interface(self, kernel: FakeKernel) -> None:
        with pytest.raises(KernelRefused, match=r"no such interface \(interface eth9\).*eth0, eth1, eth2"):
            check(kernel, replace(PLAN, inside=("eth9",)))

    def test_an_interface_on_both_sides(self, kernel: FakeKernel) -> None:
        with pytest.raises(KernelRefused, match=r"both inside and outside.*eth1"):
            check(kernel, replace(PLAN, inside=("eth1",)))

    def test_our_own_tun_as_an_interface(self, kernel: FakeKernel) -> None:
        kernel.links[INSIDE_TUN] = link(INSIDE_TUN, kind="tun")
        with pytest.raises(KernelRefused, match="no such interface"):
            check(kernel, replace(PLAN, inside=(INSIDE_TUN,)))

    def test_another_programs_group(self, kernel: FakeKernel) -> None:
        kernel.links["eth1"] = link("eth1", group=7)
        with pytest.raises(KernelRefused, match=r"group 7.*eth1.*ip link set eth1 group 0"):
            check(kernel)

    def test_another_programs_interface_with_our_name(self, kernel: FakeKernel) -> None:
        kernel.links[OUTSIDE_TUN] = link(OUTSIDE_TUN, kind="dummy")
        with pytest.raises(KernelRefused, match=r"our name.*snat-o.*ip link del snat-o"):
            check(kernel)

    def test_another_programs_rule(self, kernel: FakeKernel) -> None:
        kernel.foreign_rules = (1000,)
        with pytest.raises(KernelRefused, match="ip rule show pref 1000"):
            check(kernel)

    def test_another_programs_route_in_our_table(self, kernel: FakeKernel) -> None:
        kernel.foreign = (Route(destination=POOL, table=1002, metric=0, device="eth1"),)
        with pytest.raises(KernelRefused, match=r"203.0.113.16/30 dev eth1.*ip route show table 1002"):
            check(kernel)

    def test_a_pool_with_the_routers_own_address(self, kernel: FakeKernel) -> None:
        with pytest.raises(KernelRefused, match=r"203\.0\.113\.1 .*eth1"):
            check(kernel, replace(PLAN, pool_networks=(IPv4Network("203.0.113.0/29"),)))

    def test_a_pool_of_too_many_addresses_to_answer_for(self, kernel: FakeKernel) -> None:
        kernel.held[2] = ("eth1", IPv4Interface("172.16.0.1/12"))
        with pytest.raises(KernelRefused, match=f"{MAX_PROXIES} at most"):
            check(kernel, replace(PLAN, pool_networks=(IPv4Network("172.24.0.0/16"),)))

    @pytest.mark.parametrize("interface", ["eth1", "all"])
    def test_proxy_arp_on_an_outside_interface(self, kernel: FakeKernel, interface: str) -> None:
        sysctl.write(f"ipv4/conf/{interface}/proxy_arp", "1")
        with pytest.raises(KernelRefused, match=f"net/ipv4/conf/{interface}/proxy_arp=0"):
            check(kernel)


class TestClaimRefuses:
    VIRTUAL = ((IPv4Address("10.0.0.254"), "eth0"),)

    def claim(self, kernel: FakeKernel) -> None:
        kernel.links[INSIDE_TUN] = link(INSIDE_TUN, kind="tun")
        check_claim(cast("Netlink", kernel), self.VIRTUAL)

    def test_nothing_if_all_is_well_even_if_claimed_before(self, kernel: FakeKernel) -> None:
        kernel.held.append((INSIDE_TUN, IPv4Interface("10.0.0.254/32")))
        self.claim(kernel)

    def test_an_address_that_is_configured_for_good(self, kernel: FakeKernel) -> None:
        kernel.held.append(("eth0", IPv4Interface("10.0.0.254/24")))
        with pytest.raises(KernelRefused, match=r"10.0.0.254 is configured.*eth0.*ip addr del"):
            self.claim(kernel)

    def test_a_missing_interface(self, kernel: FakeKernel) -> None:
        del kernel.links["eth0"]
        with pytest.raises(KernelRefused, match="no such interface"):
            self.claim(kernel)

    def test_anything_before_the_tun_is_open(self, kernel: FakeKernel) -> None:
        with pytest.raises(KernelRefused, match="no such TUN"):
            check_claim(cast("Netlink", kernel), self.VIRTUAL)

    @pytest.mark.parametrize("interface", ["eth0", "all"])
    def test_an_interface_that_answers_for_its_own_addresses_only(
        self, kernel: FakeKernel, interface: str
    ) -> None:
        sysctl.write(f"ipv4/conf/{interface}/arp_ignore", "1")
        with pytest.raises(KernelRefused, match=f"value 1.*{interface}/arp_ignore=0"):
            self.claim(kernel)


class TestSysctl:
    def test_reads_writes_and_knows_what_is_missing(self, kernel: FakeKernel) -> None:
        assert sysctl.read("ipv4/conf/eth9/arp_ignore") is None
        assert not sysctl.is_set("ipv4/conf/eth9/arp_ignore")
        sysctl.write_if_present("ipv4/conf/eth9/arp_ignore", "1")
        sysctl.write_if_present("ipv4/conf/eth0/arp_ignore", "2")
        assert sysctl.is_set("ipv4/conf/eth0/arp_ignore")
        assert sysctl.read("ipv4/conf/eth0/arp_ignore") == "2"

    def test_a_write_the_kernel_does_not_take_is_refused(self, kernel: FakeKernel) -> None:
        with pytest.raises(KernelRefused, match=r"ipv4/conf/eth9/arp_ignore.*No such file"):
            sysctl.write("ipv4/conf/eth9/arp_ignore", "1")


class TestGuard:
    """nft replaced; the real one is in the live tests."""

    @staticmethod
    def answer(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | Exception) -> list[str]:
        asked: list[str] = []
        left = list(answers)

        def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            asked.append(options["input"])
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return subprocess.CompletedProcess(command, 0, stdout=json.dumps(answer), stderr="")

        monkeypatch.setattr(subprocess, "run", run)
        return asked

    def test_missing_nft_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(KernelRefused, match="apt-get install nftables"):
            guard.read()

    def test_an_error_of_nft_is_passed_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer(monkeypatch, subprocess.CalledProcessError(1, "nft", stderr="Operation not permitted\n"))
        with pytest.raises(KernelRefused, match="Operation not permitted"):
            guard.remove()

    def test_nft_that_hangs_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer(monkeypatch, subprocess.TimeoutExpired("nft", 10))
        with pytest.raises(KernelRefused, match="does not answer"):
            guard.read()

    def test_tables_of_others_are_no_guard(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer(monkeypatch, {"nftables": [{"metainfo": {}}, {"table": {"name": "filter"}}]})
        assert guard.read() is None

    def test_install_is_one_transaction_that_replaces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = self.answer(monkeypatch, {})
        self.install("eth0")
        commands = json.loads(asked[0])["nftables"]
        assert [next(iter(command)) for command in commands][:3] == ["add", "delete", "add"]
        assert {next(iter(command)) for command in commands[3:]} == {"add"}
        assert commands[-1]["add"]["rule"]["comment"] == "a/b=0"

    def test_inside_interfaces_are_stopped_by_name_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = self.answer(monkeypatch, {}, {})
        self.install("eth1", "eth0")
        self.install()
        by_name = [
            rule["add"]["rule"]["expr"]
            for rule in json.loads(asked[0])["nftables"]
            if "iifname" in str(rule) and "set" in str(rule)
        ]
        assert [[one["match"] for one in rule if "match" in one] for rule in by_name] == [
            [
                {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": {"set": ["eth0", "eth1"]}},
                {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": {"set": ["eth0", "eth1", "i"]}},
            ]
        ]
        assert "set" not in asked[1], "an empty set is an error of nft"

    def install(self, *inside: str) -> None:
        guard.install(
            inside=inside,
            inside_group=1,
            outside_group=0,
            inside_tun="i",
            outside_tun="o",
            mark=7,
            before={"a/b": "0"},
        )
