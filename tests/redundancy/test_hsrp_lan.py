"""HSRP routers on a LAN: elections, takeovers, pauses, two groups."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from snat.config.interface import StandbyGroup
from snat.redundancy.hsrp_events import GratuitousArpDue, Send, StateChanged
from snat.redundancy.hsrp_message import State
from tests.redundancy.lan import (
    BETTER,
    HOLD,
    MIDDLE,
    NORMAL,
    QUICK,
    SLOW,
    VIRTUAL,
    Lan,
    opcodes,
    settled,
    standby,
    states,
    walk,
)

# Elections


@pytest.mark.parametrize("version", [1, 2])
def test_one_router_alone_becomes_active_within_three_hold_times(version: int) -> None:
    lan = Lan(1, [replace(SLOW, version=version)])
    took = lan.run_until(lambda: states(lan) == [State.ACTIVE], 25)
    assert took < 21
    assert walk(lan.hosts[1]) == [State.LISTEN, State.SPEAK, State.STANDBY, State.ACTIVE]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_the_highest_priority_is_active_and_the_next_is_standby(version: int, seed: int) -> None:
    quick = [replace(one, version=version) for one in (NORMAL, BETTER, MIDDLE, NORMAL)]
    lan = settled(*quick, seed=seed)
    assert states(lan) == [State.LISTEN, State.ACTIVE, State.STANDBY, State.LISTEN]


def test_of_equal_priorities_the_higher_address_is_active() -> None:
    assert states(settled(QUICK, QUICK, QUICK)) == [State.LISTEN, State.STANDBY, State.ACTIVE]


def test_an_active_router_of_equal_priority_is_not_preempted() -> None:
    lan = settled(NORMAL, NORMAL)
    lan.kill(lan.hosts[2])
    lan.run(5)
    lan.start(lan.hosts[2])
    lan.run(5)
    assert states(lan) == [State.ACTIVE, State.STANDBY]


def test_listening_routers_are_silent() -> None:
    lan = settled(QUICK, QUICK, QUICK)
    before = len(opcodes(lan.hosts[1]))
    lan.run(10)
    assert len(opcodes(lan.hosts[1])) == before


def test_hellos_are_jittered_and_never_slower_than_the_hello_time() -> None:
    lan = settled(SLOW, seconds=30)
    before = lan.sent
    lan.run(300)
    assert 100 <= lan.sent - before <= 112


# Takeovers


def test_the_standby_takes_over_within_the_hold_time_after_a_kill() -> None:
    lan = settled(NORMAL, BETTER)
    lan.kill(lan.hosts[2])
    assert lan.run_until(lambda: lan.active() == [1], 2) <= HOLD + 0.02


def test_the_standby_takes_over_at_once_after_a_planned_stop() -> None:
    lan = settled(NORMAL, BETTER)
    lan.stop(lan.hosts[2])
    assert lan.run_until(lambda: lan.active() == [1], 2) <= 0.02


def test_a_planned_stop_leaves_the_address_before_it_resigns() -> None:
    lan = settled(QUICK)
    host = lan.hosts[1]
    assert host.router is not None
    host.router.stop(lan.now)
    kinds = [type(event).__name__ for event in host.router.events()]
    assert kinds == ["StateChanged", "AddressLeft", "Send"]


def test_who_becomes_active_says_hello_from_the_virtual_mac_and_gratuitous_arp_three_times() -> None:
    lan = settled(QUICK, seconds=10)
    events = lan.hosts[1].events
    begun = next(at for at, event in enumerate(events) if walk_of(event) is State.ACTIVE)
    first = [type(event).__name__ for event in events[begun : begun + 4]]
    assert first == ["StateChanged", "AddressTaken", "Send", "GratuitousArpDue"]
    arps = [event for event in events if isinstance(event, GratuitousArpDue)]
    assert len(arps) == 3
    assert {(event.addresses, event.mac_address) for event in arps} == {
        ((VIRTUAL,), bytes.fromhex("00000c9ff001"))
    }
    macs = {event.mac_address for event in events[begun:] if isinstance(event, Send)}
    assert macs == {bytes.fromhex("00000c9ff001")}
    assert {event.mac_address for event in events[:begun] if isinstance(event, Send)} == {b""}


def walk_of(event: object) -> State | None:
    return event.after if isinstance(event, StateChanged) else None


def test_a_third_router_becomes_standby_after_a_takeover() -> None:
    lan = settled(NORMAL, BETTER, MIDDLE)
    lan.kill(lan.hosts[2])
    lan.run(3 * HOLD)
    assert [states(lan)[0], states(lan)[2]] == [State.STANDBY, State.ACTIVE]


def test_an_interface_that_goes_down_is_init_and_its_address_is_left() -> None:
    lan = settled(NORMAL, BETTER)
    lan.link(lan.hosts[2], up=False)
    assert lan.active() == []
    lan.run(HOLD + 0.1)
    assert states(lan) == [State.ACTIVE, State.INITIAL]
    lan.link(lan.hosts[2], up=True)
    lan.run(5)
    assert states(lan) == [State.STANDBY, State.ACTIVE]


def test_the_two_sides_of_a_partition_are_one_again_and_hosts_are_told_anew() -> None:
    lan = settled(NORMAL, BETTER, MIDDLE)
    lan.part({2})
    lan.run(5)
    assert lan.active() == [2, 3]
    lan.hosts[2].events.clear()
    lan.part()
    lan.run_until(lambda: lan.active() == [2], 1)
    lan.run(5)
    assert states(lan) == [State.LISTEN, State.ACTIVE, State.STANDBY]
    assert any(isinstance(event, GratuitousArpDue) for event in lan.hosts[2].events)


# Pauses


def test_a_standby_that_was_paused_judges_nobody_by_it() -> None:
    lan = settled(NORMAL, BETTER)
    lan.hosts[1].events.clear()
    lan.pause(lan.hosts[1])
    lan.run(10)
    lan.hosts[1].waiting.clear()
    lan.resume(lan.hosts[1])
    lan.run(3)
    assert State.ACTIVE not in walk(lan.hosts[1])
    assert states(lan) == [State.STANDBY, State.ACTIVE]


def test_an_active_router_that_was_paused_confirms_its_role_first() -> None:
    lan = settled(standby(), standby(priority=110))
    lan.pause(lan.hosts[2])
    lan.run(10)
    assert lan.hosts[1].state is State.ACTIVE
    lan.resume(lan.hosts[2])
    assert lan.hosts[2].state is State.STANDBY
    assert lan.active() == [1]
    lan.run(5)
    assert states(lan) == [State.ACTIVE, State.STANDBY]


def test_an_active_router_that_was_paused_and_is_not_synchronised_speaks_again_once_it_is() -> None:
    """It listened for ever without a timer for the standby router: seed 103384."""
    lan = settled(standby(), standby(priority=110))
    lan.synchronise(lan.hosts[1], synchronised=False)
    lan.synchronise(lan.hosts[2], synchronised=False)
    lan.pause(lan.hosts[2])
    lan.run(3)
    lan.synchronise(lan.hosts[1], synchronised=True)
    lan.run(3)
    lan.hosts[2].waiting.clear()
    lan.resume(lan.hosts[2])
    lan.run(0.01)
    assert states(lan) == [State.ACTIVE, State.LISTEN]
    lan.synchronise(lan.hosts[2], synchronised=True)
    lan.run(3)
    assert states(lan) == [State.ACTIVE, State.STANDBY]


def test_a_lone_router_that_was_paused_is_active_again_after_a_hold_time() -> None:
    lan = settled(QUICK)
    lan.pause(lan.hosts[1])
    lan.run(10)
    lan.resume(lan.hosts[1])
    assert lan.run_until(lambda: lan.active() == [1], 2) <= HOLD + 0.02


# Two groups share the load


def test_two_groups_with_opposite_active_routers() -> None:
    second = StandbyGroup(
        number=2, enabled=True, address=IPv4Address("10.0.0.2"), hello=0.2, hold=0.7, preempt=True
    )
    lan = settled(
        replace(BETTER, groups=(*BETTER.groups, second)),
        replace(NORMAL, groups=(*NORMAL.groups, replace(second, priority=110))),
    )
    first, other = lan.hosts.values()
    assert (first.group(1).state, first.group(2).state) == (State.ACTIVE, State.STANDBY)
    assert (other.group(1).state, other.group(2).state) == (State.STANDBY, State.ACTIVE)
    lan.kill(other)
    lan.run(1)
    assert len(first.taken) == 2
