"""Routers on a LAN: elections, takeovers, who is synchronised, and times."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from snat.config.interface import Authentication, AuthenticationKind, Standby, StandbyGroup, Track
from snat.redundancy.hsrp_events import GratuitousArpDue, PreemptionDue, Send, StateChanged
from snat.redundancy.hsrp_message import Opcode, State, decode
from tests.redundancy.lan import ETH, NAME, QUICK, VIRTUAL, Host, Lan, standby

SLOW = replace(QUICK, groups=(replace(QUICK.groups[0], hello=3.0, hold=10.0),))
HOLD = 0.7
BETTER = standby(priority=110, preempt=True)
MIDDLE = standby(priority=105, preempt=True)
NORMAL = standby(preempt=True)


def settled(*hosts: Standby, seed: int = 1, seconds: float = 5.0) -> Lan:
    lan = Lan(seed, hosts)
    lan.run(seconds)
    return lan


def states(lan: Lan) -> list[State]:
    return [host.state for host in lan.hosts.values()]


def opcodes(host: Host) -> list[Opcode]:
    sent = [event for event in host.events if isinstance(event, Send)]
    return [decode(event.data, host.standby.version).message.opcode for event in sent]


def walk(host: Host) -> list[State]:
    return [event.after for event in host.events if isinstance(event, StateChanged)]


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


# Preemption


def returned(lan: Lan, host: Host) -> None:
    lan.kill(host)
    lan.run(3)
    lan.start(host)


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


# Learning


def test_a_virtual_address_is_learnt_and_goes_on() -> None:
    lan = settled(standby(address=None), BETTER)
    assert states(lan) == [State.STANDBY, State.ACTIVE]
    lan.kill(lan.hosts[2])
    lan.run(2)
    assert lan.active() == [1]
    assert lan.hosts[1].taken[next(iter(lan.hosts[1].taken))].addresses == (VIRTUAL,)


def test_who_learns_nothing_says_nothing() -> None:
    lan = settled(standby(address=None), standby(address=None), seconds=60)
    assert states(lan) == [State.LEARN, State.LEARN]
    assert lan.sent == 0
    lan.configure(lan.hosts[2], QUICK)
    lan.run(5)
    assert states(lan) == [State.STANDBY, State.ACTIVE]


@pytest.mark.parametrize("version", [1, 2])
def test_times_are_learnt_where_none_are_configured(version: int) -> None:
    default = replace(SLOW, version=version)
    lan = settled(default, standby(default, hello=1.0, hold=4.0, priority=110), seconds=60)
    group = lan.hosts[1].group()
    assert (group.hello, group.hold) == (1.0, 4.0)
    lan.kill(lan.hosts[2])
    assert lan.run_until(lambda: lan.active() == [1], 5) <= 4.02


def test_an_active_router_learns_no_times() -> None:
    lan = settled(standby(SLOW, preempt=True, priority=110), seconds=60)
    lan.hosts[2] = Host(2, standby(SLOW, hello=1.0, hold=4.0))
    lan.start(lan.hosts[2])
    lan.run(60)
    assert states(lan) == [State.ACTIVE, State.STANDBY]
    group = lan.hosts[1].group()
    assert (group.hello, group.hold) == (3.0, 10.0)


def test_milliseconds_go_through_version_1_between_routers_that_agree() -> None:
    """Version 1 rounds to seconds what it says; both know better."""
    one = replace(QUICK, version=1)
    lan = settled(one, standby(one, priority=110))
    lan.kill(lan.hosts[2])
    assert lan.run_until(lambda: lan.active() == [1], 2) <= HOLD + 0.02


def test_a_hold_time_is_that_of_the_router_that_says_hello() -> None:
    """So a router with a short one does not take over from a slow one each time that it takes breath."""
    lan = settled(QUICK, standby(SLOW, priority=110, preempt=True), seconds=60)
    lan.hosts[1].events.clear()
    lan.run(60)
    assert states(lan) == [State.STANDBY, State.ACTIVE]
    assert walk(lan.hosts[1]) == []


@pytest.mark.parametrize("address", ["224.0.0.9", "127.0.0.1", "10.0.0.11", "255.255.255.255"])
def test_what_is_no_virtual_address_is_not_learnt(address: str) -> None:
    lan = settled(standby(address=None), standby(BETTER, address=IPv4Address(address)))
    assert states(lan)[0] is State.LEARN


def test_different_virtual_addresses_are_counted_and_still_one_router_is_active() -> None:
    lan = settled(NORMAL, standby(BETTER, address=IPv4Address("10.0.0.5")))
    assert states(lan) == [State.STANDBY, State.ACTIVE]
    router = lan.hosts[1].router
    assert router is not None
    assert router.counters()[ETH].different_address > 10


# Authentication

MD5 = Authentication(kind=AuthenticationKind.KEY_STRING, key="one", timeout=30)
OTHER = Authentication(kind=AuthenticationKind.KEY_STRING, key="two", timeout=30)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("proof", [Authentication(key="text"), MD5])
def test_routers_that_prove_themselves_elect(version: int, proof: Authentication) -> None:
    one = replace(QUICK, version=version)
    assert states(settled(standby(one, authentication=proof), standby(one, authentication=proof))) == [
        State.STANDBY,
        State.ACTIVE,
    ]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (None, MD5),
        (MD5, None),
        (MD5, OTHER),
        (Authentication(key="a"), Authentication(key="b")),
        (Authentication(key="a"), None),
        (Authentication(key="a"), MD5),
    ],
)
def test_who_proves_nothing_is_not_heard(
    version: int, ours: Authentication | None, theirs: Authentication | None
) -> None:
    one = replace(QUICK, version=version)
    lan = settled(standby(one, authentication=ours), standby(one, authentication=theirs))
    assert states(lan) == [State.ACTIVE, State.ACTIVE]
    for host in lan.hosts.values():
        assert host.router is not None
        counters = host.router.counters()[ETH]
        assert counters.bad_authentication > 5
        assert counters.hellos_in == 0


def test_an_old_key_is_accepted_for_its_time_out() -> None:
    lan = settled(standby(authentication=MD5), standby(authentication=MD5))
    lan.configure(lan.hosts[1], standby(authentication=OTHER))
    lan.run(29)
    assert walk(lan.hosts[1])[-1] is State.STANDBY
    lan.run(3)
    assert states(lan)[0] is State.ACTIVE
    router = lan.hosts[1].router
    assert router is not None
    assert router.counters()[ETH].bad_authentication > 0


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


def test_a_lone_router_that_was_paused_is_active_again_after_a_hold_time() -> None:
    lan = settled(QUICK)
    lan.pause(lan.hosts[1])
    lan.run(10)
    lan.resume(lan.hosts[1])
    assert lan.run_until(lambda: lan.active() == [1], 2) <= HOLD + 0.02


# Changes of configuration


def test_a_changed_priority_moves_the_role_and_nothing_else() -> None:
    lan = settled(NORMAL, BETTER)
    lan.configure(lan.hosts[1], standby(NORMAL, priority=120))
    lan.run(1)
    assert states(lan) == [State.ACTIVE, State.STANDBY]


def test_the_same_configuration_twice_changes_nothing() -> None:
    lan = settled(NORMAL, BETTER)
    for host in lan.hosts.values():
        host.events.clear()
        lan.configure(host, host.standby)
        assert host.events == []


def test_another_virtual_address_is_taken_instead_without_a_change_of_state() -> None:
    lan = settled(QUICK)
    host = lan.hosts[1]
    host.events.clear()
    other = IPv4Address("10.0.0.7")
    lan.configure(host, standby(address=other, secondary=(VIRTUAL,)))
    assert [type(event).__name__ for event in host.events[:2]] == ["AddressLeft", "AddressTaken"]
    lan.run(5)
    assert walk(host) == []
    assert next(iter(host.taken.values())).addresses == (other, VIRTUAL)


def test_a_group_that_is_removed_resigns() -> None:
    lan = settled(NORMAL, BETTER)
    lan.configure(lan.hosts[2], Standby(version=2))
    assert opcodes_of(lan.hosts[2])[-1] is Opcode.RESIGN
    assert lan.run_until(lambda: lan.active() == [1], 1) < 0.05


def opcodes_of(host: Host) -> list[Opcode]:
    return [decode(event.data, 2).message.opcode for event in host.events if isinstance(event, Send)]


def test_an_address_that_is_to_be_learnt_from_now_on_is() -> None:
    lan = settled(NORMAL, BETTER)
    lan.configure(lan.hosts[1], standby(address=None))
    lan.run(3)
    assert states(lan) == [State.STANDBY, State.ACTIVE]
    assert lan.hosts[1].group().learned == VIRTUAL


def test_another_version_begins_anew() -> None:
    lan = settled(QUICK)
    lan.configure(lan.hosts[1], replace(QUICK, version=1))
    assert lan.active() == []
    lan.run(3)
    assert lan.active() == [1]
    assert next(iter(lan.hosts[1].taken.values())).mac_address == bytes.fromhex("00000c07ac01")


def test_groups_wait_after_a_start_and_after_the_interface_comes_up() -> None:
    lan = Lan(1, [replace(QUICK, delay_minimum=2, delay_reload=20)])
    lan.run(19.9)
    assert states(lan) == [State.INITIAL]
    lan.run(0.2)
    assert states(lan) == [State.LISTEN]
    lan.link(lan.hosts[1], up=False)
    lan.link(lan.hosts[1], up=True)
    lan.run(1.9)
    assert states(lan) == [State.INITIAL]
    lan.run(0.2)
    assert states(lan) == [State.LISTEN]


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


# Names and interfaces may change


def test_a_group_that_gets_a_name_is_as_synchronised_as_was_said_of_it() -> None:
    lan = settled(standby(name=""), standby(name="", priority=110, preempt=True))
    lan.synchronise(lan.hosts[2], synchronised=False)
    assert states(lan) == [State.STANDBY, State.ACTIVE]
    lan.configure(lan.hosts[2], BETTER)
    lan.run(1)
    assert states(lan) == [State.ACTIVE, State.LISTEN]


def test_a_group_on_an_interface_that_was_up_already_begins() -> None:
    lan = settled(QUICK)
    lan.configure(lan.hosts[1], Standby(version=2))
    lan.run(1)
    assert lan.active() == []
    lan.configure(lan.hosts[1], QUICK)
    lan.run(3)
    assert lan.active() == [1]
