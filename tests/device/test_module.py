"""A group whose role an IP redundancy module has (Fig. 2B, 8B): the module is played by the test."""

import pytest

from snat.config.model import ConfiguredRole
from snat.redundancy.roles import CLAIM_TIME
from snat.wire.actions import Role, Standing
from tests.device.groups import flow, settled
from tests.simulation.network import Network, Router

HOLD = 3.0


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
