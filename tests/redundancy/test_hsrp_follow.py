"""Groups that follow another one, on the same interface or on another."""

import random
from dataclasses import replace
from ipaddress import IPv4Address

from snat.config.interface import Interface, Standby, StandbyGroup
from snat.redundancy.hsrp_events import AddressLeft, AddressTaken, Event, GratuitousArpDue, Send, StateChanged
from snat.redundancy.hsrp_message import Opcode, State, decode
from snat.redundancy.hsrp_router import HsrpRouter
from tests.redundancy.lan import NAME, QUICK, VIRTUAL, Lan, standby

OUTSIDE = Interface(
    name="eth1",
    standby=Standby(
        version=2,
        delay_minimum=0,
        delay_reload=0,
        mac_refresh=10,
        groups=(StandbyGroup(number=7, enabled=True, address=IPv4Address("203.0.113.1"), follow=NAME),),
    ),
)
INSIDE = Interface(name="eth0", standby=QUICK)
OWN = {"eth0": IPv4Address("10.0.0.11"), "eth1": IPv4Address("203.0.113.11")}


class Alone:
    """A router that nobody answers, with an inside and an outside interface."""

    def __init__(self, outside: Interface = OUTSIDE) -> None:
        self.now = 0.0
        self.events: list[Event] = []
        self.router = HsrpRouter(self.now, random.Random(1))
        self.router.configure([INSIDE, outside], self.now)
        for name in OWN:
            self.interface(name, up=True)

    def interface(self, name: str, *, up: bool) -> None:
        self.router.interface(name, up=up, address=OWN[name], mac_address=b"\x02" + bytes(5), now=self.now)

    def run(self, seconds: float) -> list[Event]:
        """What happened meanwhile."""
        end, before = self.now + seconds, len(self.events)
        while (due := self.router.next_deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self.router.tick(self.now)
            self.events += self.router.events()
        self.now = end
        return self.events[before:]

    @property
    def states(self) -> list[State]:
        return [group.state for group in self.router.groups()]


def of(events: list[Event], number: int) -> list[Event]:
    return [event for event in events if getattr(event, "group", (None, None))[1] == number]


def test_a_follower_is_what_its_group_is_at_once() -> None:
    alone = Alone()
    events = alone.run(5)
    assert alone.states == [State.ACTIVE, State.ACTIVE]
    walks = [[e.after for e in of(events, number) if isinstance(e, StateChanged)] for number in (1, 7)]
    assert walks[0] == [State.LISTEN, State.SPEAK, State.STANDBY, State.ACTIVE]
    assert walks[1] == [State.LISTEN, State.SPEAK, State.ACTIVE]  # it was standby for no time at all
    taken = next(event for event in of(events, 7) if isinstance(event, AddressTaken))
    assert taken.addresses == (IPv4Address("203.0.113.1"),)
    assert any(isinstance(event, GratuitousArpDue) for event in of(events, 7))


def test_a_follower_elects_nothing_and_says_hello_only_to_refresh_its_mac_address() -> None:
    alone = Alone()
    events = of(alone.run(65), 7)
    sent = [event for event in events if isinstance(event, Send)]
    assert 6 <= len(sent) <= 7
    messages = [decode(event.data, 2).message for event in sent]
    assert {(message.opcode, message.state) for message in messages} == {(Opcode.HELLO, State.ACTIVE)}
    assert {event.mac_address for event in sent} == {bytes.fromhex("00000c9ff007")}


def test_no_refresh_is_one_hello_only() -> None:
    quiet = replace(OUTSIDE, standby=replace(OUTSIDE.standby, mac_refresh=0))
    events = of(Alone(quiet).run(65), 7)
    assert len([event for event in events if isinstance(event, Send)]) == 1


def test_it_leaves_with_its_group_in_the_same_call() -> None:
    alone = Alone()
    alone.run(5)
    alone.interface("eth0", up=False)
    events = alone.router.events()
    assert alone.states == [State.INITIAL, State.INITIAL]
    assert any(isinstance(event, AddressLeft) for event in of(events, 7))


def test_its_own_interface_concerns_only_itself() -> None:
    alone = Alone()
    alone.run(5)
    alone.interface("eth1", up=False)
    assert alone.states == [State.ACTIVE, State.INITIAL]
    alone.interface("eth1", up=True)
    alone.run(0)
    assert alone.states == [State.ACTIVE, State.ACTIVE]


def test_it_waits_as_its_interface_does_and_makes_no_storm_meanwhile() -> None:
    alone = Alone(replace(OUTSIDE, standby=replace(OUTSIDE.standby, delay_reload=30)))
    alone.run(29)
    assert alone.states == [State.ACTIVE, State.INITIAL]
    alone.run(2)
    assert alone.states == [State.ACTIVE, State.ACTIVE]


def test_a_follower_of_nobody_is_init_and_has_no_deadline() -> None:
    router = HsrpRouter(0.0, random.Random(1))
    router.configure([OUTSIDE], 0.0)
    router.interface("eth1", up=True, address=OWN["eth1"], mac_address=bytes(6), now=0.0)
    router.tick(1.0)
    assert router.next_deadline() is None
    assert [group.state for group in router.groups()] == [State.INITIAL]


def follower(address: str | None) -> StandbyGroup:
    return StandbyGroup(
        number=2, enabled=True, address=IPv4Address(address) if address else None, follow=NAME
    )


def test_a_followers_address_is_learnt_and_taken_over() -> None:
    better = standby(priority=110, preempt=True)
    lan = Lan(
        1,
        [
            replace(QUICK, groups=(*QUICK.groups, follower(None))),
            replace(better, groups=(*better.groups, follower("10.0.0.2"))),
        ],
    )
    lan.run(15)
    lan.kill(lan.hosts[2])
    lan.run(2)
    addresses = {address for taken in lan.hosts[1].taken.values() for address in taken.addresses}
    assert addresses == {VIRTUAL, IPv4Address("10.0.0.2")}


def test_a_group_that_follows_no_more_elects() -> None:
    alone = Alone()
    alone.run(5)
    free = replace(OUTSIDE.standby.groups[0], follow="", hello=0.2, hold=0.7)
    alone.router.configure(
        [INSIDE, replace(OUTSIDE, standby=replace(OUTSIDE.standby, groups=(free,)))], alone.now
    )
    assert alone.states == [State.ACTIVE, State.LISTEN]
    alone.run(3)
    assert alone.states == [State.ACTIVE, State.ACTIVE]
