"""A group whose role an IP redundancy module has (Fig. 2B, 8B): the module is played by the test."""

import pytest

from snat.config.model import ConfiguredRole
from snat.redundancy.roles import CLAIM_TIME
from snat.wire.actions import Role, Standing
from tests.device.groups import FEED, flow, settled
from tests.simulation.network import Network, Router

HOLD = 3.0
UDP_TIMEOUT = 60.0
"""Of DNS, which the flows of these tests are."""


def tell(router: Router, active: bool) -> None:
    """The module's word."""
    for group in router.device.groups:
        group.told(active, router.network.now)
    router.settle()


def standing(router: Router) -> Standing:
    found: Standing = router.device.groups[0].standing
    return found


def ready(router: Router) -> bool:
    """Whether the module may make it active."""
    said: bool = router.device.groups[0].ready
    return said


@pytest.fixture
def network() -> Network:
    """Two members that start; their modules have not spoken."""
    return Network(7, dict.fromkeys((1, 2), ConfiguredRole.REDUNDANCY))


@pytest.fixture
def pair(network: Network) -> tuple[Router, Router]:
    """R1 is active and manages, R2 is synchronised; there are flows."""
    first, second = network.routers[1], network.routers[2]
    network.run_until(lambda: any(ready(router) for router in (first, second)))
    tell(first, True)
    network.run_until(network.quiet)
    for host in range(1, 6):
        flow(first, host)
    settled(network)
    return first, second


def test_a_member_is_ready_when_it_has_found_nobody_and_manages_when_the_module_says_so(
    network: Network,
) -> None:
    first, second = network.routers[1], network.routers[2]
    assert not ready(first)
    network.run(10.0)
    assert ready(first)
    assert (standing(first), standing(second)) in (
        (Standing.LISTEN, Standing.START),
        (Standing.LISTEN, Standing.LISTEN),
    )
    tell(second, True)
    network.run_until(lambda: standing(second) is Standing.MANAGE)
    network.run_until(lambda: first.device.groups[0].synchronised and standing(first) is Standing.LISTEN)


def test_a_standby_takes_nothing_when_the_active_dies(pair: tuple[Router, Router]) -> None:
    first, second = pair
    first.kill()
    second.network.run(HOLD * 4)
    assert standing(second) is Standing.LISTEN


def test_the_new_active_manages_before_the_hold_time_of_the_dead_one_is_over(
    pair: tuple[Router, Router],
) -> None:
    first, second = pair
    first.kill(silently=True)
    second.network.run(0.1)
    tell(second, True)
    second.network.run(CLAIM_TIME + 0.05)
    assert standing(second) is Standing.MANAGE
    assert len(second.device.table) == 5


def test_a_planned_change_hands_the_role_over(pair: tuple[Router, Router]) -> None:
    first, second = pair
    tell(first, False)
    assert first.device.groups[0].manages  # until another can
    tell(second, True)
    second.network.run_until(lambda: standing(second) is Standing.MANAGE)
    assert second.moved == ("CLAIM", "released")
    assert standing(first) is Standing.LISTEN


def test_the_order_in_which_the_modules_speak_does_not_matter(pair: tuple[Router, Router]) -> None:
    first, second = pair
    tell(second, True)
    second.network.run(0.05)
    assert standing(first) is Standing.MANAGE
    tell(first, False)
    began = second.network.now
    second.network.run_until(lambda: standing(second) is Standing.MANAGE)
    assert second.network.now - began < CLAIM_TIME


def test_two_actives_that_hear_each_other_do_not_take_turns(pair: tuple[Router, Router]) -> None:
    first, second = pair
    tell(second, True)
    managers = set()
    for _ in range(200):
        second.network.run(0.1)
        managers.add((standing(first) is Standing.MANAGE, standing(second) is Standing.MANAGE))
    assert managers == {(True, False)}
    assert second.device.groups[0].role is Role.ACTIVE
    assert standing(second) in (Standing.LISTEN, Standing.CLAIM)


def test_the_module_may_take_back_its_word_while_the_role_is_claimed(pair: tuple[Router, Router]) -> None:
    first, second = pair
    first.kill(silently=True)
    tell(second, True)
    second.network.run(CLAIM_TIME / 2)
    assert standing(second) is Standing.CLAIM
    tell(second, False)
    assert standing(second) is Standing.LISTEN


def test_who_comes_back_is_not_ready_before_it_has_the_table(pair: tuple[Router, Router]) -> None:
    first, second = pair
    first.kill()
    tell(second, True)
    second.network.run_until(lambda: standing(second) is Standing.MANAGE)
    first.start()
    assert not ready(first)
    tell(first, True)  # a module that does not care
    assert standing(first) is Standing.START
    first.network.run_until(lambda: ready(first))
    assert len(first.device.table) == 5


def test_a_module_that_is_deaf_on_the_best_member_does_not_keep_the_others_from_managing(
    network: Network,
) -> None:
    """The best stands by first; its interface is down, so its module never speaks."""
    network.run(3 * HOLD)
    for router in network.routers.values():
        assert ready(router)


# Handover before the module moves


def preempt(router: Router) -> None:
    """The module would make it active, and waits for the role."""
    for group in router.device.groups:
        group.preempt()
    router.settle()


def role(router: Router) -> Role:
    found: Role = router.device.groups[0].role
    return found


def test_who_preempts_has_the_role_before_the_active_has_lost_the_module_s_word(
    pair: tuple[Router, Router],
) -> None:
    first, second = pair
    preempt(second)
    second.network.run_until(lambda: standing(second) is Standing.MANAGE)
    assert second.moved == ("CLAIM", "released")
    assert (role(first), role(second)) == (Role.ACTIVE, Role.PREEMPTING)
    assert flow(second, 1) == flow(first, 1), "both translate the flows that exist"
    second.network.run(HOLD / 2)
    assert standing(first) is Standing.LISTEN, "it does not claim it back"
    tell(second, True)
    tell(first, False)
    second.network.run(2 * HOLD)
    assert (standing(first), standing(second)) == (Standing.LISTEN, Standing.MANAGE)


def test_an_active_takes_back_what_the_claimant_does_not_take(pair: tuple[Router, Router]) -> None:
    """It dies between the release and its term; who released is active still."""
    first, second = pair
    for group in second.device.groups:
        group.preempt()
    second.settle()
    network = second.network
    network.run_until(lambda: standing(first) is Standing.LISTEN)
    second.kill(silently=True)
    began = network.now
    network.run_until(lambda: standing(first) is Standing.MANAGE)
    assert network.now - began <= 2 * CLAIM_TIME + 0.05


def test_a_module_that_does_not_preempt_after_all_gives_the_role_back(pair: tuple[Router, Router]) -> None:
    first, second = pair
    preempt(second)
    second.network.run_until(lambda: standing(second) is Standing.MANAGE)
    tell(second, False)
    first.network.run_until(lambda: standing(first) is Standing.MANAGE)
    assert (standing(second), role(second)) == (Standing.LISTEN, Role.STANDBY)


def test_of_two_that_preempt_one_is_refused_and_they_do_not_take_turns() -> None:
    network = Network(7, dict.fromkeys((1, 2, 3), ConfiguredRole.REDUNDANCY))
    first, second, third = network.routers.values()
    network.run_until(lambda: ready(first))
    tell(first, True)
    network.run_until(lambda: all(map(ready, network.routers.values())) and network.quiet())
    for router in (second, third):
        for group in router.device.groups:
            group.preempt()
    network.run(2 * CLAIM_TIME)
    managers = [one for one in (second, third) if standing(one) is Standing.MANAGE]
    assert len(managers) == 1
    (refused,) = {second, third} - {*managers}
    assert role(refused) is Role.STANDBY
    assert standing(refused) is Standing.LISTEN
    tell(managers[0], True)
    tell(first, False)
    terms = set()
    for _ in range(50):
        network.run(0.2)
        terms.add(managers[0].device.groups[0].roles()[0].term)
        assert standing(managers[0]) is Standing.MANAGE
    assert len(terms) == 1


def test_a_manager_that_is_gone_is_no_reason_to_wait(pair: tuple[Router, Router]) -> None:
    """Bound 200 ms: then it is a takeover."""
    first, second = pair
    first.kill(silently=True)
    began = second.network.now
    preempt(second)
    second.network.run_until(lambda: standing(second) is Standing.MANAGE)
    assert second.network.now - began <= CLAIM_TIME + 0.05


def test_nobody_preempts_unsynchronised(pair: tuple[Router, Router]) -> None:
    first, second = pair
    second.kill()
    second.start()
    preempt(second)
    assert standing(second) is Standing.START
    second.network.run_until(lambda: ready(second))
    assert role(second) is Role.STANDBY
    second.network.run(HOLD)
    assert (standing(first), standing(second)) == (Standing.MANAGE, Standing.LISTEN)


def test_who_has_learnt_from_nobody_takes_a_free_role_and_none_from_another() -> None:
    """The replication network is down, HSRP hears the active router: its flows would all be lost."""
    network = Network(7, dict.fromkeys((1, 2), ConfiguredRole.REDUNDANCY))
    first, second = network.routers.values()
    second.kill()
    network.run_until(lambda: ready(first))
    tell(first, True)
    network.run_until(lambda: standing(first) is Standing.MANAGE)
    network.part(1, 2)
    second.start()
    network.run_until(lambda: ready(second))
    preempt(second)
    network.run(HOLD)
    assert (standing(second), role(second)) == (Standing.LISTEN, Role.STANDBY)
    tell(second, True)
    assert standing(second) is Standing.MANAGE


# Flaps and what an old role leaves behind (replication.md 7, pitfalls 10 and 11)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("ends", [1, 2])
def test_a_role_that_flaps_twenty_times_in_a_second_ends_where_the_module_says(
    pair: tuple[Router, Router], ends: int, together: bool
) -> None:
    first, second = pair
    network = first.network
    endpoints = {host: flow(first, host) for host in range(1, 6)}
    for turn in range(20):
        active = (turn + ends) % 2 == 0
        tell(first, active)
        if not together:
            network.run(0.01)
        tell(second, not active)
        network.run(0.05 if together else 0.04)
    tell(first, ends == 1)
    tell(second, ends == 2)
    manager, other = (first, second) if ends == 1 else (second, first)
    network.run_until(lambda: standing(manager) is Standing.MANAGE and standing(other) is Standing.LISTEN)
    settled(network)
    assert {host: flow(manager, host) for host in range(1, 6)} == endpoints
    network.run(2 * HOLD)
    assert (standing(manager), standing(other)) == (Standing.MANAGE, Standing.LISTEN)
    assert len(manager.device.table) == len(other.device.table) == 5


def test_preemptions_that_flap_leave_one_manager(pair: tuple[Router, Router]) -> None:
    """Each asks for the role as soon as the other has it; then the modules go quiet."""
    first, second = pair
    network = first.network
    for turn in range(20):
        for group in (first, second)[turn % 2 == 0].device.groups:
            group.preempt()
        (first, second)[turn % 2 == 0].settle()
        network.run(0.05)
    tell(second, True)
    tell(first, False)
    network.run_until(lambda: standing(second) is Standing.MANAGE and standing(first) is Standing.LISTEN)
    settled(network)
    network.run(2 * HOLD)
    assert (standing(second), standing(first)) == (Standing.MANAGE, Standing.LISTEN)


def test_who_has_lost_the_role_ages_nothing_and_sends_nothing(pair: tuple[Router, Router]) -> None:
    """Its entries were due soon: the timers of the old role do nothing in the new one."""
    first, second = pair
    network = first.network
    network.run(UDP_TIMEOUT - 1)
    tell(first, False)
    tell(second, True)
    network.run_until(lambda: standing(second) is Standing.MANAGE)
    position = second.device.groups[0].feeds[FEED].position
    network.run(5)  # past what was due
    assert len(first.device.table) == len(second.device.table) == 5
    assert first.device.translator.counters.expired == 0
    assert second.device.groups[0].feeds[FEED].position == position
    tell(second, False)
    tell(first, True)
    network.run_until(lambda: standing(first) is Standing.MANAGE)
    network.run(UDP_TIMEOUT - 10)
    assert len(first.device.table) == 5, "its time-outs began in full, not where they were left"
    network.run(20)
    assert len(first.device.table) == 0
    assert second.device.translator.counters.expired == 0, "the manager said that they are gone"
    assert len(second.device.table) == 0
