"""HSRP of this router: all groups of all interfaces, without I/O.

Datagrams, the state of interfaces and tracked objects, who is synchronised, and ``now`` (monotonic seconds)
go in; events and a deadline come out. After each call the caller takes :meth:`HsrpRouter.events`, in order,
and calls :meth:`HsrpRouter.tick` at :meth:`HsrpRouter.next_deadline`.
"""

import random
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from snat.config.interface import Interface
from snat.redundancy.hsrp_events import Event, HsrpCounters
from snat.redundancy.hsrp_follower import Follower
from snat.redundancy.hsrp_group import Group
from snat.redundancy.hsrp_message import State
from snat.redundancy.hsrp_speaker import Speaker


class _InterfaceState(NamedTuple):
    """Up, primary address, own MAC address."""

    up: bool
    address: IPv4Address | None
    mac_address: bytes


class HsrpRouter:
    """The groups of one router. ``now`` at its making is when the router started; ``dice`` jitters hellos."""

    def __init__(self, now: float, dice: random.Random) -> None:
        self._started = now
        self._dice = dice
        self._events: list[Event] = []
        self._tracked: dict[str, bool] = {}
        self._synchronised: dict[str, bool] = {}
        self._claiming: frozenset[str] = frozenset()
        self._speakers: dict[str, Speaker] = {}
        self._interfaces: dict[str, _InterfaceState] = {}

    # What goes in

    def configure(self, interfaces: Iterable[Interface], now: float) -> None:
        """Take another configuration, which was verified. What stays goes on in its state."""
        configured = {one.name: one.standby for one in interfaces if one.standby.groups}
        for name in list(self._speakers):
            if name not in configured:
                self._speakers.pop(name).stop(now)
        for name, standby in configured.items():
            new = name not in self._speakers
            if new:
                self._speakers[name] = Speaker(name, self._events, self._tracked, self._dice, self._started)
            self._speakers[name].configure(standby, now)
            if new and name in self._interfaces:
                self._attach(name, now)
        self._apply_names(now)
        self.tick(now)

    def interface(
        self, name: str, *, up: bool, address: IPv4Address | None, mac_address: bytes, now: float
    ) -> None:
        """The state of an interface, with groups or without, its primary address and its own MAC address."""
        self._interfaces[name] = _InterfaceState(up, address, mac_address)
        if name in self._speakers:
            self._attach(name, now)
            self._follow(now)

    def synchronise(self, name: str, now: float, *, synchronised: bool) -> None:
        """Whether the group of this name may take its role (design.md section 8).

        Groups of which nothing is said may; so a group whose table is to be proved first must be told of
        before it is configured.
        """
        self._synchronised[name] = synchronised
        self._apply_names(now)
        self._follow(now)

    def claim_first(self, names: Collection[str]) -> None:
        """The groups of these names preempt only after :class:`PreemptionDue` was answered by a release."""
        self._claiming = frozenset(names)
        self._apply_names(None)

    def released(self, name: str, now: float) -> None:
        """What the role of this group manages was handed over, or waiting for that is over."""
        for group in self._electing():
            if group.configuration.name == name:
                group.released(now)
        self._follow(now)

    def track(self, target: str, now: float, *, up: bool) -> None:
        """Whether a tracked object, by number, or interface, by name, is up."""
        self._tracked[target] = up
        self.tick(now)

    def receive(self, interface: str, data: bytes, source: IPv4Address, now: float) -> None:
        """A datagram that came in on an interface, to the address and port of HSRP."""
        if interface in self._speakers:
            self._speakers[interface].receive(data, source, now)
            self._follow(now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        for speaker in self._speakers.values():
            speaker.tick(now)
        self._follow(now)

    def stop(self, now: float) -> None:
        """Leave every group in good order: the standby routers take over at once. There are none then."""
        for speaker in self._speakers.values():
            speaker.stop(now)
        self._speakers.clear()

    # What comes out

    def next_deadline(self) -> float | None:
        """When :meth:`tick` is due; None: not before something happens."""
        return min((one for speaker in self._speakers.values() for one in speaker.deadlines()), default=None)

    def events(self) -> list[Event]:
        """What happened since the last call."""
        taken, self._events[:] = list(self._events), []
        return taken

    def groups(self) -> Iterator[Group | Follower]:
        """Every group, by interface and number."""
        for speaker in self._speakers.values():
            yield from (speaker.groups[number] for number in sorted(speaker.groups))

    def states(self, name: str) -> Iterator[State]:
        """Of the groups of this name that elect."""
        return (one.state for one in self._electing() if one.configuration.name == name)

    def counters(self) -> dict[str, HsrpCounters]:
        """By interface."""
        return {name: speaker.counters for name, speaker in self._speakers.items()}

    def _attach(self, name: str, now: float) -> None:
        up, address, mac_address = self._interfaces[name]
        self._speakers[name].attach(up=up, address=address, mac_address=mac_address, now=now)

    def _apply_names(self, now: float | None) -> None:
        """Tell the groups what was said of their names. Without ``now``: only what changes no state."""
        for group in self._electing():
            name = group.configuration.name
            group.preemption.claims_first = name in self._claiming
            synchronised = self._synchronised.get(name, True)
            if now is not None and synchronised is not group.synchronised:
                group.synchronise(synchronised, now)

    # Groups that follow

    def _electing(self) -> Iterator[Group]:
        return (one for one in self.groups() if isinstance(one, Group))

    def _follow(self, now: float) -> None:
        leaders = {one.configuration.name: one.state for one in self._electing() if one.configuration.name}
        for one in self.groups():
            if isinstance(one, Follower):
                one.follow(leaders.get(one.configuration.follow), now)
