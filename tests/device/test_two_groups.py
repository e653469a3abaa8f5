"""Two groups of the same devices, each with a module of its own, opposite ones active: load sharing."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from snat.config.model import (
    AccessLine,
    AccessList,
    AddressRange,
    Configuration,
    ConfiguredRole,
    Pool,
    Stateful,
)
from snat.device.group import Group
from snat.wire.actions import Standing
from snat.wire.header import Feed
from tests.packets import udp
from tests.simulation.network import MAPPING, Network, Router

OTHER = 20
FIRST_HOST, OTHER_HOST = "10.0.0.1", "10.0.0.200"
SERVER = "198.51.100.7"
HOLD = 0.6


def shared(one: Configuration) -> Configuration:
    """With a second group that has a rule, a list and a pool of its own."""
    assert one.stateful is not None
    (group,) = one.stateful.groups
    groups = (
        replace(group, name="LEFT"),
        replace(group, name="RIGHT", mapping_ids=(OTHER,)),
    )
    lists = [
        AccessList(
            name=name,
            lines=(
                AccessLine(
                    permit=True, address=IPv4Address(first), wildcard=IPv4Address("0.0.0.127"), sequence=10
                ),
            ),
        )
        for name, first in (("1", "10.0.0.0"), ("2", "10.0.0.128"))
    ]
    pool = Pool(
        name="Q",
        ranges=(AddressRange(IPv4Address("203.0.113.20"), IPv4Address("203.0.113.21")),),
        prefix_length=24,
    )
    (rule,) = one.dynamic_rules
    return replace(
        one,
        stateful=Stateful(nat_id=one.stateful.nat_id, groups=groups),
        access_lists=tuple(lists),
        pools=(*one.pools, pool),
        dynamic_rules=(rule, replace(rule, access_list="2", pool="Q", mapping_id=OTHER)),
    )


def group(router: Router, mapping: int) -> Group:
    (found,) = (one for one in router.device.groups if Feed(0, mapping) in one.feeds)
    return found


def tell(router: Router, mapping: int, active: bool) -> None:
    """The word of the module of one group."""
    group(router, mapping).told(active, router.network.now)
    router.settle()


def managers(router: Router) -> set[int]:
    return {one for one in (MAPPING, OTHER) if group(router, one).standing is Standing.MANAGE}


def send(router: Router, host: str, port: int = 40000) -> tuple[str, int]:
    sent = router.send_from_inside(udp(host, port, SERVER, 53))
    return sent.src, sent.sport


def refused(router: Router, host: str, port: int) -> bool:
    counters = router.device.translator.counters
    before = counters.not_managed
    packet = udp(host, port, SERVER, 53)
    assert router.raw(bytes(packet), from_outside=False) is None
    return counters.not_managed == before + 1


@pytest.fixture
def pair() -> tuple[Router, Router]:
    """R1 is active for the first group, R2 for the other."""
    network = Network(11, dict.fromkeys((1, 2), ConfiguredRole.REDUNDANCY))
    first, second = network.routers.values()
    for router in (first, second):
        router.configuration = shared(router.configuration)
        router.kill()
        router.start()
    network.run_until(lambda: all(group(first, one).ready for one in (MAPPING, OTHER)))
    tell(first, MAPPING, True)
    network.run_until(lambda: group(second, OTHER).ready)
    tell(second, OTHER, True)
    network.run_until(lambda: (managers(first), managers(second)) == ({MAPPING}, {OTHER}))
    network.run_until(lambda: all(one.synchronised for each in (first, second) for one in each.device.groups))
    return first, second


def tables_equal(first: Router, second: Router) -> bool:
    return sorted(one[:-4] for one in first.device.table) == sorted(one[:-4] for one in second.device.table)


def test_each_makes_the_flows_of_its_own_group_and_both_know_all(pair: tuple[Router, Router]) -> None:
    first, second = pair
    ours, theirs = send(first, FIRST_HOST), send(second, OTHER_HOST)
    assert ours[0].startswith("203.0.113.1")
    assert theirs[0].startswith("203.0.113.2")
    first.network.run_until(lambda: tables_equal(first, second) and len(first.device.table) == 2)
    assert (send(second, FIRST_HOST), send(first, OTHER_HOST)) == (ours, theirs), "flows that exist pass"
    assert refused(second, FIRST_HOST, 40001)
    assert refused(first, OTHER_HOST, 40001)


def test_who_is_left_has_both_and_gives_back_one(pair: tuple[Router, Router]) -> None:
    first, second = pair
    network = first.network
    ours, theirs = send(first, FIRST_HOST), send(second, OTHER_HOST)
    network.run_until(lambda: tables_equal(first, second))
    first.kill(silently=True)
    tell(second, MAPPING, True)
    network.run_until(lambda: managers(second) == {MAPPING, OTHER}, most=HOLD)
    assert (send(second, FIRST_HOST), send(second, OTHER_HOST)) == (ours, theirs)
    send(second, FIRST_HOST, 40001)
    first.start()
    network.run_until(lambda: all(group(first, one).ready for one in (MAPPING, OTHER)))
    group(first, MAPPING).preempt()
    first.settle()
    network.run_until(lambda: managers(first) == {MAPPING})
    assert managers(second) == {OTHER}, "the other group stayed"
    tell(first, MAPPING, True)
    tell(second, MAPPING, False)
    network.run(2 * HOLD)
    assert (managers(first), managers(second)) == ({MAPPING}, {OTHER})
    assert tables_equal(first, second)
    assert send(first, FIRST_HOST) == ours


def test_one_group_may_be_unsynchronised_while_the_other_is_not(pair: tuple[Router, Router]) -> None:
    first, second = pair
    receiver = group(second, MAPPING).receivers[Feed(0, MAPPING)]
    receiver.synchronised = False
    group(second, MAPPING).turn(second.network.now)
    assert not group(second, MAPPING).ready
    assert group(second, OTHER).ready
    assert managers(second) == {OTHER}
    first.network.run_until(lambda: group(second, MAPPING).ready)
