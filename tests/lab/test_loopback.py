"""How ``none`` judges a flow by what two routers wrote."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from snat.lab.capture import CapturedFlow, bundled_flows
from snat.lab.loopback import free_ports, judge, outside_endpoints, translated_in, translated_out
from snat.lab.packets import ICMP, TCP, UDP, Packet

OUTSIDE = ("203.0.113.10", 2000)
ONE_OF_EACH = {flow.protocol: flow for flow in bundled_flows()}


def written_by_r1(flow: CapturedFlow) -> list[Packet]:
    return [translated_out(each, OUTSIDE) for each in flow.opening()]


def written_by_r2(flow: CapturedFlow) -> list[Packet]:
    replies = [translated_in(each, flow.inside) for each in flow.replies(OUTSIDE)]
    return [*replies, translated_out(flow.continuation(), OUTSIDE)]


@pytest.mark.parametrize("protocol", [TCP, UDP, ICMP])
def test_a_flow_that_both_routers_translate_alike_survives(protocol: int) -> None:
    flow = ONE_OF_EACH[protocol]
    outcome = judge(flow, written_by_r1(flow), written_by_r2(flow))
    assert outcome.survived, outcome.faults
    assert outcome.same_outside
    assert outcome.outside_after == "203.0.113.10:2000"


def test_an_echo_keeps_one_identifier_in_both_directions() -> None:
    flow = ONE_OF_EACH[ICMP]
    assert all(each.source[1] == each.destination[1] == OUTSIDE[1] for each in written_by_r1(flow))
    assert all(each.source[1] == each.destination[1] for each in written_by_r2(flow))


def elsewhere(packets: list[Packet]) -> list[Packet]:
    return [*packets[:-1], replace(packets[-1], source=("203.0.113.11", 2000))]


def to_another_host(packets: list[Packet]) -> list[Packet]:
    return [replace(packets[0], destination=("10.0.0.9", 1)), *packets[1:]]


def without_reply(packets: list[Packet]) -> list[Packet]:
    return packets[1:]


def without_continuation(packets: list[Packet]) -> list[Packet]:
    return packets[:-1]


@pytest.mark.parametrize("harm", [elsewhere, to_another_host, without_reply, without_continuation])
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_a_flow_is_lost_that_the_second_router_moves_or_drops(
    harm: Callable[[list[Packet]], list[Packet]], protocol: int
) -> None:
    flow = ONE_OF_EACH[protocol]
    assert not judge(flow, written_by_r1(flow), harm(written_by_r2(flow))).survived


def test_a_flow_that_moved_is_told_with_both_addresses() -> None:
    flow = ONE_OF_EACH[TCP]
    outcome = judge(flow, written_by_r1(flow), elsewhere(written_by_r2(flow)))
    assert (outcome.outside_before, outcome.outside_after) == ("203.0.113.10:2000", "203.0.113.11:2000")


def test_a_flow_that_the_first_router_moved_is_lost() -> None:
    flow = ONE_OF_EACH[TCP]
    first, second = written_by_r1(flow)
    moved = replace(second, source=("203.0.113.10", 2001))
    assert not judge(flow, [first, moved], written_by_r2(flow)).survived


def test_a_flow_that_the_first_router_dropped_is_lost() -> None:
    outcome = judge(ONE_OF_EACH[UDP], [], [])
    assert outcome.faults == ("R1 did not translate it",)


def test_packets_of_no_flow_teach_no_endpoint() -> None:
    stray = Packet(protocol=UDP, source=("10.0.0.1", 1), destination=("10.0.0.2", 2), payload=b"else")
    assert outside_endpoints([stray]) == {}


def test_free_ports_differ() -> None:
    assert len(set(free_ports(8))) == 8
