"""What the configuration asks of the machine, how it is refused, and in which steps addresses change.

Against a live kernel: tests/system/test_host_live.py.
"""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.config.model import Configuration, Interface, InterfaceAddress, StaticRoute
from snat.net.host_check import wanted
from snat.net.host_netlink import HostNetlink
from snat.net.host_plan import Hop, HostAddress, HostPlan, address_steps, host_plan
from snat.net.netlink import Link
from snat.net.refused import KernelRefused

FAR = IPv4Network("192.0.2.0/24")
INSIDE = HostAddress("in0", IPv4Interface("10.0.0.1/24"))
OUTSIDE = HostAddress("out0", IPv4Interface("203.0.113.1/24"), ours=False)
POOL = IPv4Network("203.0.113.16/28")
TO_OUTSIDE = StaticRoute(prefix=FAR, next_hop=IPv4Address("203.0.113.9"))


@dataclass
class FakeKernel:
    """What the checks ask of a :class:`HostNetlink`."""

    held: list[HostAddress] = field(default_factory=lambda: [OUTSIDE])
    down: tuple[str, ...] = ()

    @property
    def links(self) -> dict[str, Link]:
        names = ("in0", "in1", "out0", "snat-i")
        return {
            name: Link(index=index, name=name, group=0, mtu=1500, kind="veth", up=name not in self.down)
            for index, name in enumerate(names)
        }

    def host_addresses(self) -> list[HostAddress]:
        return self.held


def routed(
    plan: HostPlan, kernel: FakeKernel | None = None, before: HostPlan | None = None
) -> dict[str, set[Hop]]:
    state = wanted(plan, cast("HostNetlink", kernel or FakeKernel()), before)
    return {str(route.prefix): set(route.hops) for route in state.routes}


def test_the_plan_has_the_primary_first_and_only_what_is_said() -> None:
    primary, secondary = IPv4Interface("10.0.0.1/24"), IPv4Interface("10.0.0.2/24")
    given = (InterfaceAddress(secondary, secondary=True), InterfaceAddress(primary))
    configuration = Configuration(
        interfaces=(
            Interface(name="in0", addresses=given, adjust_mss=1300, shutdown=False),
            Interface(name="in1", shutdown=True),
            Interface(name="in2"),
        ),
        routes=(TO_OUTSIDE,),
    )
    assert host_plan(configuration, (POOL,)) == HostPlan(
        addresses=(HostAddress("in0", primary), HostAddress("in0", secondary)),
        up=("in0",),
        down=("in1",),
        routes=(TO_OUTSIDE,),
        clamps=(("in0", 1300),),
        pools=(POOL,),
    )


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (HostPlan(pools=(POOL,)), ""),
        (HostPlan(addresses=(INSIDE,), routes=(TO_OUTSIDE,)), "interface in0"),
        (HostPlan(down=("in1",)), "interface in1"),
        (HostPlan(clamps=(("in0", 1300),)), "interface in0"),
        (HostPlan(routes=(TO_OUTSIDE,)), "ip route 192.0.2.0/24"),
    ],
)
def test_the_first_line_is_named(plan: HostPlan, line: str) -> None:
    assert plan.first == line


def address(text: str, interface: str = "in0") -> HostAddress:
    return HostAddress(interface, IPv4Interface(text))


def route(next_hop: str, interface: str = "") -> HostPlan:
    return HostPlan(routes=(StaticRoute(prefix=FAR, next_hop=IPv4Address(next_hop), interface=interface),))


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        (HostPlan(addresses=(address("10.0.0.1/24", "in9"),)), r"no such interface \(interface in9\).*in0"),
        (HostPlan(up=("in9",)), "no such interface"),
        (HostPlan(down=("snat-i",)), "no such interface"),
        (HostPlan(clamps=(("in9", 1300),)), "no such interface"),
        (HostPlan(addresses=(address("10.0.0.0/24"),)), r"Bad mask /24 for address 10\.0\.0\.0"),
        (HostPlan(addresses=(address("10.0.0.255/24"),)), r"Bad mask /24 for address 10\.0\.0\.255"),
        (HostPlan(addresses=(address("203.0.113.7/24"),)), "203.0.113.0/24 overlaps with out0"),
        (HostPlan(addresses=(address("203.0.0.1/16"),)), "203.0.0.0/16 overlaps with out0"),
        (HostPlan(addresses=(INSIDE, address("10.0.0.2/25", "in1"))), "10.0.0.0/25 overlaps with in0"),
        (HostPlan(addresses=(address("203.0.113.17/24", "out0"),), pools=(POOL,)), "address of a pool"),
        (route("192.0.2.1"), r"192.0.2.1 is in no subnet of this router \(ip route 192.0.2.0 255.255.255.0"),
        (route("203.0.113.9", "in0"), "203.0.113.9 is in no subnet of in0"),
        (route("203.0.113.1"), "203.0.113.1 is this router itself"),
        (HostPlan(routes=(StaticRoute(prefix=FAR, interface="in9"),)), "no such interface"),
        (
            HostPlan(routes=(StaticRoute(prefix=IPv4Network(POOL[4]), interface="in0"),), pools=(POOL,)),
            "in the pool 203.0.113.16/28",
        ),
    ],
)
def test_what_cannot_be_is_refused(plan: HostPlan, match: str) -> None:
    with pytest.raises(KernelRefused, match=match):
        routed(plan)


def test_an_address_that_is_there_is_not_refused_for_what_others_did_since() -> None:
    later = HostAddress("in1", IPv4Interface("10.0.0.77/24"), ours=False)
    plan = HostPlan(addresses=(INSIDE,))
    assert routed(plan, FakeKernel(held=[OUTSIDE, INSIDE, later])) == {}
    with pytest.raises(KernelRefused, match="overlaps with in1"):
        routed(plan, FakeKernel(held=[OUTSIDE, later]))


def test_an_address_may_move_from_one_interface_to_another() -> None:
    moved = INSIDE._replace(interface="in1")
    assert routed(HostPlan(addresses=(moved,)), FakeKernel(held=[OUTSIDE, INSIDE])) == {}


def test_a_point_to_point_subnet_has_no_first_and_last_address() -> None:
    assert routed(HostPlan(addresses=(address("10.0.0.0/31"),))) == {}


def test_a_next_hop_is_found_in_the_narrowest_subnet_also_of_addresses_to_come() -> None:
    narrow = HostAddress("out0", IPv4Interface("203.0.113.8/29"), ours=False)
    assert routed(route("203.0.113.9"), FakeKernel(held=[OUTSIDE, narrow._replace(interface="in1")])) == {
        str(FAR): {Hop("in1", IPv4Address("203.0.113.9"))}
    }
    assert routed(replace(route("10.0.0.9"), addresses=(INSIDE,))) == {
        str(FAR): {Hop("in0", IPv4Address("10.0.0.9"))}
    }


def test_the_far_end_of_a_point_to_point_link_is_reached() -> None:
    peer = HostAddress("out0", IPv4Interface("203.0.113.1/32"), False, IPv4Network("203.0.113.9/32"))
    assert routed(route("203.0.113.9"), FakeKernel(held=[peer])) == {
        str(FAR): {Hop("out0", IPv4Address("203.0.113.9"))}
    }


def test_routes_with_equal_distance_are_one_and_those_of_interfaces_that_are_down_wait() -> None:
    plan = HostPlan(routes=(TO_OUTSIDE, StaticRoute(prefix=FAR, interface="in0")))
    both = {Hop("out0", IPv4Address("203.0.113.9")), Hop("in0")}
    assert routed(plan) == {str(FAR): both}
    assert routed(plan, FakeKernel(down=("in0",))) == {str(FAR): both - {Hop("in0")}}
    assert routed(replace(plan, down=("in0", "out0"))) == {}
    assert routed(replace(plan, up=("in0",)), FakeKernel(down=("in0",))) == {str(FAR): both}


def test_a_route_whose_next_hop_went_away_waits_and_blocks_nothing() -> None:
    plan = HostPlan(routes=(TO_OUTSIDE,))
    assert routed(plan, FakeKernel(held=[]), before=plan) == {}
    with pytest.raises(KernelRefused, match="no subnet"):
        routed(plan, FakeKernel(held=[]), before=HostPlan())


POSSIBLE = [IPv4Interface(f"10.0.{third}.{last}/24") for third in (0, 1) for last in (1, 2, 3)]


def carried_out(
    present: list[IPv4Interface], ours: set[IPv4Interface], mine: list[IPv4Interface]
) -> list[IPv4Interface]:
    """The addresses afterwards, in the kernel's order within each subnet."""
    steps = address_steps(present, ours, mine)
    assert present == [] or mine == [] or (set(present) | set(steps.add)) - set(steps.delete)
    held = [*present, *steps.add]
    held = [one for one in held if one not in steps.delete]
    for one in steps.again:
        held.remove(one)
        assert held, "an interface that has addresses never loses its last one"
        held.append(one)
    return held


@given(st.data())
def test_the_steps_lead_to_what_is_wanted_in_its_order_and_spare_others(data: st.DataObject) -> None:
    present = data.draw(st.lists(st.sampled_from(POSSIBLE), unique=True))
    ours = set(data.draw(st.lists(st.sampled_from(present)))) if present else set()
    mine = data.draw(st.lists(st.sampled_from(POSSIBLE), unique=True))
    others = [one for one in present if one not in ours]
    held = carried_out(present, ours, mine)
    assert set(held) == {*others, *mine}
    for subnet in {one.network for one in mine}:
        here = [one for one in held if one.network == subnet and one not in others]
        assert here == [one for one in mine if one.network == subnet and one not in others]


def test_what_is_so_already_needs_no_step() -> None:
    assert address_steps(POSSIBLE[:3], POSSIBLE[:2], POSSIBLE[:2]) == ([], [], [])
