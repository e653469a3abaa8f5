"""Groups whose role is that of HSRP, with the real module on each router (Fig. 2B, 8B)."""

import random

import pytest

from snat.config.model import ConfiguredRole
from snat.redundancy.hsrp_message import State
from snat.wire.actions import Standing
from tests.packets import udp
from tests.simulation.arrangement import ActiveStandby
from tests.simulation.network import Network, Router
from tests.simulation.schedule import Schedule
from tests.simulation.shape import PLAIN
from tests.simulation.standby import Lan, LanShape, Module

SERVER = "198.51.100.7"
HOLD = 0.7


def lan_of(members: int, **shape: object) -> tuple[Network, Lan]:
    """A group whose first router has the highest priority, once all agree."""
    priorities = {nat_id: 110 if nat_id == 1 else 100 for nat_id in range(1, members + 1)}
    lan = Lan(LanShape(**shape), priorities, random.Random(3))  # type: ignore[arg-type]
    network = Network(3, dict.fromkeys(priorities, ConfiguredRole.REDUNDANCY), plug=lan.plug)
    network.run_until(network.quiet)
    network.run(3 * HOLD)
    return network, lan


def talk(router: Router, port: int = 40001) -> tuple[str, int]:
    sent = router.send_from_inside(udp("10.0.0.5", port, SERVER, 53))
    return sent.src, sent.sport


def test_who_is_active_manages_and_hosts_send_there() -> None:
    network, lan = lan_of(3)
    assert [router.nat_id for router in lan.active()] == [1]
    assert network.routers[1].manages
    assert lan.points_to == 1
    assert sorted(module.state.name for module in lan.modules.values()) == ["ACTIVE", "LISTEN", "STANDBY"]


def test_a_flow_goes_on_at_the_standby_when_the_active_is_killed() -> None:
    network, lan = lan_of(2)
    before = talk(network.routers[1])
    network.run(0.2)
    network.routers[1].kill()
    network.run_until(lambda: network.routers[2].manages, most=HOLD + 0.2)
    assert lan.points_to == 2
    assert talk(network.routers[2]) == before


def test_a_planned_stop_moves_both_roles_at_once() -> None:
    network, lan = lan_of(2)
    before = talk(network.routers[1])
    network.routers[1].stop()
    network.run_until(lambda: network.routers[2].manages and lan.points_to == 2, most=0.1)
    assert talk(network.routers[2]) == before


def test_who_comes_back_preempts_only_when_it_has_the_table() -> None:
    network, lan = lan_of(2)
    first, second = network.routers.values()
    first.kill()
    network.run_until(lambda: second.manages)
    before = talk(second)
    network.silence([(1, 2), (2, 1)])
    first.start()
    network.run(1.0)
    assert lan.modules[1].state is State.LISTEN, "it hears the active on the LAN, and has no table"
    network.restore([(1, 2), (2, 1)])
    network.run_until(lambda: first.manages and lan.points_to == 1, most=5.0)
    assert talk(first) == before


def test_a_cut_lan_alone_makes_no_second_manager() -> None:
    network, lan = lan_of(2)
    lan.part([1])
    network.run_until(lambda: len(lan.active()) == 2, most=3.0)
    network.run(2.0)
    assert [router.standing for router in network.routers.values()] == [Standing.MANAGE, Standing.LISTEN]
    lan.part()
    network.run_until(lambda: len(lan.active()) == 1, most=1.0)
    network.run(2.0)
    assert [router.manages for router in network.routers.values()] == [True, False]


def test_cut_replication_alone_moves_no_role() -> None:
    network, lan = lan_of(2)
    network.silence([(1, 2), (2, 1)])
    network.run(5.0)
    assert [router.nat_id for router in lan.active()] == [1]
    assert [router.standing for router in network.routers.values()] == [Standing.MANAGE, Standing.LISTEN]


def test_who_loses_its_interface_keeps_the_role_until_another_has_it() -> None:
    network, lan = lan_of(2)
    before = talk(network.routers[1])
    network.run(0.1)
    lan.unplug(1)
    assert network.routers[1].manages
    network.run_until(lambda: network.routers[2].manages, most=HOLD + 0.3)
    assert network.routers[1].standing is Standing.LISTEN
    assert talk(network.routers[2]) == before


def test_pitfall_10_a_word_that_changes_20_times_in_a_second_ends_with_the_last() -> None:
    network, lan = lan_of(2)
    before = talk(network.routers[1])
    network.run(0.1)
    for number in range(20):
        for router in network.routers.values():
            router.told(active=(number + router.nat_id) % 2 == 0)
        network.run(0.05)
    for module in lan.modules.values():
        module.router.told(active=module.state is State.ACTIVE)
    network.run_until(lambda: network.quiet() and network.routers[1].manages, most=1.0)
    assert talk(network.routers[1]) == before


# What is wrong is found


def broken(seeds: range) -> str:
    """What the first failing seed says."""
    for seed in seeds:
        try:
            Schedule(seed, arrangement=ActiveStandby).run()
        except AssertionError as said:
            return str(said)
    return ""


def test_a_module_that_is_not_held_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = Module.tell
    monkeypatch.setattr(Module, "tell", lambda self, ready: tell(self, ready=True))
    assert "became active and is not synchronised" in broken(range(10))


def test_a_word_that_is_not_told_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Router, "told", lambda self, active: None)
    assert "is active and LISTEN" in broken(range(10))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lan: setattr(lan, "points_to", 2), "hosts send to R2, and R1 is active"),
        (lambda lan: lan.part([1]), "HSRP: "),
        (lambda lan: lan.track(1, up=False), "R1 is active with priority 80, not 100"),
    ],
)
def test_each_disagreement_is_told(change: object, said: str) -> None:
    arrangement = ActiveStandby(2, PLAIN, random.Random(2))
    arrangement.network, arrangement.lan = network, lan = lan_of(2)
    arrangement.lan_shape = lan.shape
    assert arrangement.disagreement() == ""
    change(lan)  # type: ignore[operator]
    if "HSRP" in said:
        network.run(2.0)
    assert arrangement.disagreement().startswith(said)
