"""Who takes the role from whom: preemption, tracking, being synchronised, handover."""

import pytest

from snat.config.interface import Standby, Track
from snat.redundancy.hsrp_events import GratuitousArpDue, PreemptionDue
from snat.redundancy.hsrp_message import Opcode, State
from tests.redundancy.lan import (
    BETTER,
    HOLD,
    MIDDLE,
    NAME,
    NORMAL,
    Host,
    Lan,
    opcodes,
    returned,
    settled,
    standby,
    states,
)

# Preemption


def test_who_may_preempt_does_so_at_once_with_a_coup() -> None:
    lan = settled(NORMAL, BETTER)
    returned(lan, lan.hosts[2])
    lan.hosts[2].events.clear()
    assert lan.run_until(lambda: lan.active() == [2], 2) < 0.25
    assert opcodes(lan.hosts[2])[:2] == [Opcode.COUP, Opcode.HELLO]
    assert opcodes(lan.hosts[1])[-2:] == [Opcode.RESIGN, Opcode.HELLO]


def test_who_may_not_preempt_is_standby() -> None:
    lan = settled(standby(), standby(priority=110))
    returned(lan, lan.hosts[2])
    lan.run(5)
    assert states(lan) == [State.ACTIVE, State.STANDBY]


@pytest.mark.parametrize(("delay", "seconds"), [("preempt_minimum", 20), ("preempt_reload", 30)])
def test_preemption_is_delayed(delay: str, seconds: int) -> None:
    lan = settled(NORMAL, standby(BETTER, **{delay: seconds}))
    returned(lan, lan.hosts[2])
    took = lan.run_until(lambda: lan.active() == [2], seconds + 1.0)
    assert took >= seconds


def test_a_reload_delay_is_over_when_the_router_has_run_for_long() -> None:
    lan = settled(NORMAL, standby(BETTER, preempt_reload=30), seconds=60)
    lan.link(lan.hosts[2], up=False)
    lan.run(3)
    lan.link(lan.hosts[2], up=True)
    assert lan.run_until(lambda: lan.active() == [2], 2) < 1


def test_the_delay_begins_anew_when_a_better_router_was_active_meanwhile() -> None:
    slow = standby(MIDDLE, preempt_minimum=20)
    lan = settled(NORMAL, BETTER, slow)
    lan.kill(lan.hosts[2])
    lan.kill(lan.hosts[3])
    lan.run(3)
    lan.start(lan.hosts[3])
    lan.run(15)
    lan.start(lan.hosts[2])
    lan.run(10)
    assert lan.active() == [2]


def test_delays_do_not_hold_back_a_role_that_is_free() -> None:
    lan = settled(NORMAL, standby(BETTER, preempt_minimum=1000), seconds=5)
    lan.kill(lan.hosts[1])
    lan.run(5)
    assert lan.active() == [2]


# Tracking


def tracking(**changes: object) -> Standby:
    return standby(BETTER, tracks=(Track("eth1", 20, **changes),))  # type: ignore[arg-type]


def track(lan: Lan, host: Host, *, up: bool) -> None:
    assert host.router is not None
    host.router.track("eth1", lan.now, up=up)
    lan.settle(host)


def test_a_tracked_interface_that_is_down_takes_the_role_along() -> None:
    lan = settled(NORMAL, tracking())
    assert lan.active() == [2]
    track(lan, lan.hosts[2], up=False)
    assert lan.hosts[2].group().priority == 90
    assert lan.run_until(lambda: lan.active() == [1], 1) < 0.25
    track(lan, lan.hosts[2], up=True)
    assert lan.run_until(lambda: lan.active() == [2], 1) < 0.25


def test_a_tracked_object_can_shut_the_group_down() -> None:
    lan = settled(NORMAL, tracking(shutdown=True))
    track(lan, lan.hosts[2], up=False)
    lan.run(0.05)
    assert states(lan) == [State.ACTIVE, State.INITIAL]
    track(lan, lan.hosts[2], up=True)
    lan.run(1)
    assert lan.active() == [2]


def test_a_priority_never_falls_below_zero() -> None:
    lan = settled(standby(priority=5, tracks=(Track("eth1"), Track("eth2"))))
    for name in ("eth1", "eth2"):
        router = lan.hosts[1].router
        assert router is not None
        router.track(name, lan.now, up=False)
    assert lan.hosts[1].group().priority == 0


# Synchronised


def test_who_is_not_synchronised_listens_however_long_nobody_is_active() -> None:
    lan = Lan(1, [])
    lan.hosts[1] = Host(1, BETTER, synchronised=False)
    lan.start(lan.hosts[1])
    lan.run(100)
    assert states(lan) == [State.LISTEN]
    assert opcodes(lan.hosts[1]) == []
    lan.synchronise(lan.hosts[1], synchronised=True)
    assert lan.run_until(lambda: lan.active() == [1], 2) <= HOLD + 0.02


def test_preemption_waits_until_synchronised() -> None:
    lan = settled(NORMAL, BETTER)
    lan.kill(lan.hosts[2])
    lan.run(3)
    lan.hosts[2].synchronised = False
    lan.start(lan.hosts[2])
    lan.run(30)
    assert states(lan) == [State.ACTIVE, State.LISTEN]
    lan.synchronise(lan.hosts[2], synchronised=True)
    assert lan.run_until(lambda: lan.active() == [2], 2) < 0.25


def test_preemption_waits_for_the_sync_delay_after_that() -> None:
    lan = settled(NORMAL, standby(BETTER, preempt_sync=10))
    lan.kill(lan.hosts[2])
    lan.run(3)
    lan.hosts[2].synchronised = False
    lan.start(lan.hosts[2])
    lan.run(30)
    lan.synchronise(lan.hosts[2], synchronised=True)
    assert lan.run_until(lambda: lan.active() == [2], 12) >= 10


def test_a_standby_that_is_not_synchronised_any_more_makes_room() -> None:
    lan = settled(NORMAL, BETTER, MIDDLE)
    lan.synchronise(lan.hosts[3], synchronised=False)
    lan.run(3)
    assert states(lan) == [State.STANDBY, State.ACTIVE, State.LISTEN]
    lan.kill(lan.hosts[2])
    lan.run(3)
    assert lan.active() == [1]


def test_an_active_router_that_is_not_synchronised_gives_the_role_to_the_standby() -> None:
    """Even to one that may not preempt."""
    lan = settled(standby(), standby(priority=110))
    lan.synchronise(lan.hosts[2], synchronised=False)
    assert lan.run_until(lambda: lan.active() == [1], 2) < 0.25
    lan.run(5)
    assert states(lan) == [State.ACTIVE, State.LISTEN]


def test_an_active_router_that_is_not_synchronised_holds_the_role_while_nobody_can_have_it() -> None:
    lan = settled(NORMAL, BETTER)
    lan.synchronise(lan.hosts[1], synchronised=False)
    lan.synchronise(lan.hosts[2], synchronised=False)
    lan.run(60)
    assert states(lan) == [State.LISTEN, State.ACTIVE]
    assert lan.hosts[2].group().priority == 0
    lan.synchronise(lan.hosts[1], synchronised=True)
    lan.run(1)
    assert states(lan) == [State.ACTIVE, State.LISTEN]


def test_of_two_active_routers_the_one_that_is_synchronised_stays() -> None:
    lan = settled(NORMAL, BETTER)
    lan.part({1})
    lan.run(3)
    lan.synchronise(lan.hosts[2], synchronised=False)
    lan.part()
    lan.run(1)
    assert states(lan) == [State.ACTIVE, State.LISTEN]


def test_groups_of_which_nothing_is_said_are_synchronised() -> None:
    lan = settled(standby(name=""))
    lan.synchronise(lan.hosts[1], synchronised=False)
    assert states(lan) == [State.ACTIVE]


# Handover before preemption


def due(host: Host) -> list[PreemptionDue]:
    return [event for event in host.events if isinstance(event, PreemptionDue)]


def claiming() -> Lan:
    """A better router came back, and claims first."""
    lan = settled(NORMAL, BETTER)
    returned(lan, lan.hosts[2])
    router = lan.hosts[2].router
    assert router is not None
    router.claim_first([NAME])
    lan.hosts[2].events.clear()
    return lan


def test_a_group_that_claims_first_preempts_when_the_role_is_released() -> None:
    lan = claiming()
    lan.run_until(lambda: bool(due(lan.hosts[2])), 1)
    assert lan.active() == [1]
    assert due(lan.hosts[2])[0].active == lan.hosts[1].address
    router = lan.hosts[2].router
    assert router is not None
    router.released(NAME, lan.now)
    lan.settle(lan.hosts[2])
    assert lan.run_until(lambda: lan.active() == [2], 1) < 0.02


def test_it_is_asked_again_after_each_hold_time_and_is_standby_meanwhile() -> None:
    lan = claiming()
    lan.run(10)
    assert states(lan) == [State.ACTIVE, State.STANDBY]
    assert 10 <= len(due(lan.hosts[2])) <= 15


def test_a_role_that_is_lost_meanwhile_is_taken_without_a_release() -> None:
    lan = claiming()
    lan.run(5)
    lan.kill(lan.hosts[1])
    assert lan.run_until(lambda: lan.active() == [2], 2) <= HOLD + 0.02


def test_a_release_that_comes_too_late_changes_nothing() -> None:
    lan = claiming()
    lan.run(5)
    lan.configure(lan.hosts[1], standby(NORMAL, priority=200))
    lan.run(1)
    router = lan.hosts[2].router
    assert router is not None
    router.released(NAME, lan.now)
    lan.settle(lan.hosts[2])
    lan.run(1)
    assert lan.active() == [1]


# Flaps (replication.md 7, pitfall 10)


@pytest.mark.parametrize("up", [True, False])
def test_an_object_that_flaps_twenty_times_in_a_second_ends_right(up: bool) -> None:
    lan = settled(NORMAL, tracking())
    for turn in range(20):
        track(lan, lan.hosts[2], up=turn % 2 == up)
        lan.run(0.05)
    track(lan, lan.hosts[2], up=up)
    lan.run(3)
    assert states(lan) == ([State.STANDBY, State.ACTIVE] if up else [State.ACTIVE, State.STANDBY])


@pytest.mark.parametrize("synchronised", [True, False])
def test_a_table_that_is_lost_and_found_twenty_times_in_a_second_ends_right(synchronised: bool) -> None:
    lan = settled(NORMAL, BETTER)
    for turn in range(20):
        lan.synchronise(lan.hosts[2], synchronised=turn % 2 == synchronised)
        lan.run(0.05)
    lan.synchronise(lan.hosts[2], synchronised=synchronised)
    lan.run(3)
    assert states(lan) == ([State.STANDBY, State.ACTIVE] if synchronised else [State.ACTIVE, State.LISTEN])
    lan.kill(lan.hosts[1])
    lan.run(3)
    assert lan.active() == ([2] if synchronised else [])


def test_gratuitous_arp_of_an_old_role_is_not_said_in_the_new_one() -> None:
    """It is repeated a second and three seconds after a role was taken (pitfall 11)."""
    lan = settled(NORMAL, BETTER)
    lan.kill(lan.hosts[2])
    lan.run(3)
    lan.start(lan.hosts[2])
    lan.run_until(lambda: lan.active() == [2], 3)
    lan.run(0.1)
    lan.configure(lan.hosts[2], standby(BETTER, priority=1))
    lan.run_until(lambda: lan.active() == [1], 3)
    lan.hosts[2].events.clear()
    lan.run(5)
    assert not [one for one in lan.hosts[2].events if isinstance(one, GratuitousArpDue)]
