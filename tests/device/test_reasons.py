"""``show ip snat distributed`` tells why a role is not held, in each of the states that there are."""

import re

import pytest

from snat.config.model import ConfiguredRole
from snat.device import report
from snat.redundancy.roles import CLAIM_TIME
from snat.wire.actions import Standing
from tests.simulation.network import Network, Router

HOLD = 0.6


def why(router: Router) -> str:
    """As it is shown, without what passes while one looks."""
    (group,) = report.groups(router.device, router.network.now)
    return re.sub(r"\d+\.\d s", "N s", group.why)


def tell(router: Router, active: bool) -> None:
    router.device.groups[0].told(active, router.network.now)
    router.settle()


def preempt(router: Router) -> None:
    router.device.groups[0].preempt()
    router.settle()


def until(router: Router, standing: Standing) -> None:
    router.network.run_until(lambda: router.standing is standing, step=0.001)


@pytest.fixture
def pair() -> tuple[Router, Router]:
    """R1 is active, R2 is synchronised."""
    network = Network(3, dict.fromkeys((1, 2), ConfiguredRole.REDUNDANCY))
    first, second = network.routers.values()
    network.run_until(lambda: bool(first.device.groups[0].ready))
    tell(first, True)
    network.run_until(network.quiet)
    network.run(HOLD)
    return first, second


def test_a_start(pair: tuple[Router, Router]) -> None:
    first, second = pair
    second.kill()
    second.start()
    assert why(second) == "not synchronised: waits for another member to appear, N s at most"
    group = second.device.groups[0]
    assert group.alone_at - second.network.now == pytest.approx(HOLD + 2.0)
    second.network.run_until(lambda: group.manager == 1, step=0.001)
    assert second.standing is Standing.START
    assert why(second) == "not synchronised: waits for the table of r1.example"
    until(second, Standing.LISTEN)
    assert why(second) == "r1.example manages"
    assert why(first) == ""


def test_a_start_that_found_nobody(pair: tuple[Router, Router]) -> None:
    first, second = pair
    second.kill()
    first.network.part(1, 2)
    second.start()
    until(second, Standing.LISTEN)
    assert why(second) == "nobody to learn from was found: takes the role where it is free, and from nobody"
    preempt(second)
    assert why(second).startswith("nobody to learn from was found"), "HSRP asks in vain"
    first.network.heal()
    first.network.run_until(lambda: why(second) == "r1.example manages")


def test_a_manager_that_is_gone(pair: tuple[Router, Router]) -> None:
    first, second = pair
    first.kill()
    second.network.run(HOLD * 2)
    assert why(second) == "nobody manages: waits until its module makes it active"


def test_a_claim_and_its_refusal(pair: tuple[Router, Router]) -> None:
    first, second = pair
    tell(second, True)
    assert second.standing is Standing.CLAIM
    assert why(second) == "waits for r1.example to release the role, N s at most"
    until(second, Standing.LISTEN)
    assert why(second) == "its claim was refused: r1.example is active too; claims again in N s"
    assert second.device.groups[0].claims_from - second.network.now == pytest.approx(HOLD, abs=0.05)
    assert why(first) == ""


def test_a_claim_that_nobody_answers_is_shown_as_long_as_it_lasts(pair: tuple[Router, Router]) -> None:
    first, second = pair
    first.kill(silently=True)
    tell(second, True)
    second.network.run(CLAIM_TIME / 2)
    assert why(second) == "waits for r1.example to release the role, N s at most"
    second.network.run(CLAIM_TIME)
    assert why(second) == ""


def test_a_manager_whose_module_has_another_active(pair: tuple[Router, Router]) -> None:
    first, _ = pair
    tell(first, False)
    assert why(first) == "its module has another active: manages until that one claims"


def test_a_handover_before_the_module_moves(pair: tuple[Router, Router]) -> None:
    first, second = pair
    preempt(second)
    assert why(second) == "waits for r1.example to release the role, N s at most"
    until(first, Standing.LISTEN)
    assert why(first) == "released the role to r2.example, which preempts"
    until(second, Standing.MANAGE)
    assert why(second) == "the role was handed over: its module makes it active now"
    first.network.run(0.1)
    assert why(first) == "its claim was refused: r2.example is active too; claims again in N s"
    tell(second, True)
    tell(first, False)
    assert (why(first), why(second)) == ("r2.example manages", "")


def test_primary_and_backup() -> None:
    network = Network(3, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    first, second = network.routers.values()
    network.run_until(network.quiet)
    assert (why(first), why(second)) == ("", "r1.example manages")
    first.kill()
    until(second, Standing.MANAGE)
    assert why(second) == ""
    first.start()
    until(first, Standing.CLAIM)
    assert why(first) == "waits for r2.example to release the role, N s at most"
