"""What is configured, learnt, proved, and changed while groups run."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from snat.config.interface import Authentication, AuthenticationKind, Standby
from snat.redundancy.hsrp_message import Opcode, State
from tests.redundancy.lan import (
    BETTER,
    ETH,
    HOLD,
    NORMAL,
    QUICK,
    SLOW,
    VIRTUAL,
    Host,
    Lan,
    opcodes,
    settled,
    standby,
    states,
    walk,
)

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
    assert opcodes(lan.hosts[2])[-1] is Opcode.RESIGN
    assert lan.run_until(lambda: lan.active() == [1], 1) < 0.05


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
