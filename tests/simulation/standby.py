"""HSRP between the routers of a simulated group: the LAN, and on each router what snat.net has for it.

:class:`Module` is to a router what :mod:`snat.net.modules` and :mod:`snat.net.hsrp` are to a service: whether
its group is synchronised holds HSRP back, and who is active is told to the group.
"""

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from snat.config.interface import Interface, Standby, StandbyGroup, Track
from snat.redundancy.hsrp_events import (
    AddressLeft,
    AddressTaken,
    Event,
    GratuitousArpDue,
    PreemptionDue,
    Send,
    StateChanged,
)
from snat.redundancy.hsrp_group import Group
from snat.redundancy.hsrp_message import State
from snat.redundancy.hsrp_router import HsrpRouter

if TYPE_CHECKING:
    from tests.simulation.network import Network
    from tests.simulation.router import Router

VIRTUAL: Final = IPv4Address("10.0.0.1")
NAME: Final = "SNATHSRP"
INSIDE: Final = "eth0"
TRACKED: Final = "1"
"""The object that each router tracks."""
_TRACK: Final = Track(TRACKED, 30)
_SHORTEST: Final = 0.0001
"""Seconds that a datagram is under way at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanShape:
    """What the LAN and HSRP on it are like."""

    version: int = 2
    hello: float = 0.2
    hold: float = 0.7
    preempt: bool = True
    preempt_minimum: int = 0
    delay_minimum: int = 0
    delay_reload: int = 0
    delay: float = 0.003
    """Seconds that a datagram is under way at most."""


class Lan:
    """The segment on which the routers answer for the virtual address."""

    def __init__(self, shape: LanShape, priorities: dict[int, int], dice: random.Random) -> None:
        """``priorities`` are those of the routers, by NAT ID."""
        self.shape = shape
        self.modules: dict[int, Module] = {}
        """By NAT ID, of those that run."""
        self.loss = 0.0
        """How likely a datagram is lost."""
        self.unplugged: set[int] = set()
        """Whose interface is down."""
        self.lowered: set[int] = set()
        """Whose tracked object is down."""
        self.dice = dice
        self._parts: list[set[int]] = []
        """Who hears whom; who is in none is with the others that are in none."""
        self._priorities = priorities
        self.points_to = 0
        """NAT ID of who spoke last with the virtual MAC address: where hosts' packets go."""

    def plug(self, router: "Router") -> "Module":
        """The module of a router that starts."""
        self.modules[router.nat_id] = module = Module(self, router, self._standby(router.nat_id))
        return module

    def _standby(self, nat_id: int) -> Standby:
        shape = self.shape
        group = StandbyGroup(
            number=1,
            enabled=True,
            address=VIRTUAL,
            name=NAME,
            priority=self._priorities[nat_id],
            preempt=shape.preempt,
            preempt_minimum=shape.preempt_minimum,
            hello=shape.hello,
            hold=shape.hold,
            tracks=(_TRACK,),
        )
        return Standby(
            version=shape.version,
            delay_minimum=shape.delay_minimum,
            delay_reload=shape.delay_reload,
            groups=(group,),
        )

    # What is done to it

    def part(self, *parts: Collection[int]) -> None:
        """Cut it."""
        self._parts = [set(part) for part in parts]

    def unplug(self, nat_id: int) -> None:
        """The interface of a router loses its carrier."""
        self.unplugged.add(nat_id)
        self._attach(nat_id)

    def replug(self, nat_id: int) -> None:
        """It has it again."""
        self.unplugged.discard(nat_id)
        self._attach(nat_id)

    def _attach(self, nat_id: int) -> None:
        if nat_id in self.modules:
            self.modules[nat_id].attach()

    def track(self, nat_id: int, *, up: bool) -> None:
        """What a router tracks is down, or up again."""
        (self.lowered.discard if up else self.lowered.add)(nat_id)
        if nat_id in self.modules:
            self.modules[nat_id].track()

    def mend(self) -> None:
        """Whatever was done to it."""
        self._parts, self.loss = [], 0.0
        for nat_id in list(self.unplugged):
            self.replug(nat_id)
        for nat_id in list(self.lowered):
            self.track(nat_id, up=True)

    @property
    def whole(self) -> bool:
        """Whether all that run hear each other."""
        return not self._parts and not self.loss and not self.unplugged

    def hears(self, one: int, other: int) -> bool:
        """Whether what one sends gets to the other, if it is not lost."""
        if self.unplugged and not self.unplugged.isdisjoint((one, other)):
            return False
        return all((one in part) == (other in part) for part in self._parts)

    def say(self, sender: "Module", event: Send) -> None:
        """A datagram, to all that hear it."""
        if event.mac_address and sender.nat_id not in self.unplugged:
            self.points_to = sender.nat_id
        for nat_id, module in self.modules.items():
            lost = self.loss and self.dice.random() < self.loss
            if module is not sender and not lost and self.hears(sender.nat_id, nat_id):
                delay = self.dice.uniform(_SHORTEST, self.shape.delay)
                sender.router.network.later(delay, module.arrive, event.data, event.source)

    # What there is

    def active(self) -> list["Router"]:
        """Who answers for the virtual address."""
        return [module.router for module in self.modules.values() if module.answers]


class Module:
    """HSRP of one router that runs."""

    def __init__(self, lan: Lan, router: "Router", standby: Standby) -> None:
        self.router = router
        self.nat_id = router.nat_id
        self.answers = False
        """Whether it has the virtual address."""
        self._lan = lan
        self._network: Network = router.network
        self._hsrp = HsrpRouter(router.clock, random.Random(self._network.random.random()))
        self._standby = standby
        self._synchronised: bool | None = None
        self._hands_over = False
        """It is to preempt once what the role manages was handed over."""
        self._working = False
        self._alarm = float("inf")
        self._waiting: list[tuple[bytes, IPv4Address]] = []
        """Datagrams in the socket of a router that is paused."""

    # What the service does

    def start(self) -> None:
        """As ``Modules.follow``: held back first, then configured."""
        self._hsrp.claim_first({NAME})
        self.tell(ready=False)
        self._notice()
        self._hsrp.configure([Interface(name=INSIDE, standby=self._standby)], self.router.clock)
        self._work()

    def tell(self, *, ready: bool) -> None:
        """As ``Modules.tell``, after each pump."""
        if self._synchronised is not ready:
            self._synchronised = ready
            self._hsrp.synchronise(NAME, self.router.clock, synchronised=ready)
            self._work()

    def hand_over(self, *, manages: bool, preempts: bool) -> None:
        """As ``Modules.hand_over``, after that: preempt if the group manages by now."""
        if self._hands_over and manages:
            self._hands_over = False
            self._hsrp.released(NAME, self.router.clock)
            self._work()
            if self.state is not State.ACTIVE:
                self.router.told(active=False)
        elif not preempts:
            self._hands_over = False  # refused: HSRP will ask again

    def stop(self) -> None:
        """As ``Hsrp.stop``: resign."""
        self._hsrp.stop(self.router.clock)
        self._work()
        self.die()

    def die(self) -> None:
        """Nothing that answers for an address outlives the process."""
        self._alarm = float("inf")
        if self._lan.modules.get(self.nat_id) is self:
            del self._lan.modules[self.nat_id]

    def attach(self) -> None:
        """The state of the interface changed; a paused router looks at it when it goes on."""
        if self.router.runs:
            self._notice()
            self._work()

    def track(self) -> None:
        """That of the tracked object did."""
        self.attach()

    def _notice(self) -> None:
        """As ``Hsrp._attach``: all that the kernel has."""
        now = self.router.clock
        up = self.nat_id not in self._lan.unplugged
        address, mac_address = IPv4Address("10.0.0.10") + self.nat_id, bytes((2, 0, 0, 0, 0, self.nat_id))
        self._hsrp.interface(INSIDE, up=up, address=address, mac_address=mac_address, now=now)
        self._hsrp.track(INSIDE, now, up=up)
        self._hsrp.track(TRACKED, now, up=self.nat_id not in self._lan.lowered)

    # What comes in

    def arrive(self, data: bytes, source: IPv4Address) -> None:
        """A datagram."""
        if self._lan.modules.get(self.nat_id) is not self or self.nat_id in self._lan.unplugged:
            return
        if self.router.paused:
            self._waiting.append((data, source))
            return
        self._hsrp.receive(INSIDE, data, source, self.router.clock)
        self._work()

    def resumed(self) -> list[Callable[[], None]]:
        """What a router that was paused finds, each in its turn of the reactor."""
        waiting, self._waiting = self._waiting, []
        return [self._late, self.attach, lambda: self._read(waiting)]

    def _read(self, waiting: Iterable[tuple[bytes, IPv4Address]]) -> None:
        for data, source in waiting:
            self.arrive(data, source)

    def _late(self) -> None:
        self._hsrp.tick(self.router.clock)
        self._work()

    # What follows

    def _work(self) -> None:
        if self._working:
            return
        self._working = True
        while events := self._hsrp.events():
            for event in events:
                self._do(event)
        self._working = False
        self._arm()

    def _arm(self) -> None:
        due = self._hsrp.next_deadline()
        if due is None:
            self._alarm = float("inf")
            return
        at = max(due - self.router.skew, self._network.now) + self._lan.dice.uniform(0, 0.002)
        self._alarm = at
        self._network.at(at, self._ring, at)

    def _ring(self, at: float) -> None:
        if self._alarm == at and self.router.runs:
            self._late()

    def _do(self, event: Event) -> None:
        match event:
            case Send():
                self._lan.say(self, event)
            case AddressTaken():
                self.answers = True
            case AddressLeft():
                self.answers = False
            case GratuitousArpDue() if self.nat_id not in self._lan.unplugged:
                self._lan.points_to = self.nat_id
            case PreemptionDue():
                self._hands_over = True
                self.router.preempts()
            case StateChanged():
                self._changed(event)

    def _changed(self, event: StateChanged) -> None:
        network = self._network
        if network.trace is not None:
            network.say(f"R{self.nat_id} HSRP {event.before.value} -> {event.after.value}")
        if event.after is State.ACTIVE and not self.router.device.groups[0].ready:
            raise AssertionError(f"R{self.nat_id} became active and is not synchronised")
        if State.ACTIVE in (event.before, event.after):
            self.router.told(active=event.after is State.ACTIVE)

    # What there is

    @property
    def group(self) -> Group:
        """The group, as long as it is configured."""
        (found,) = self._hsrp.groups()
        assert isinstance(found, Group)
        return found

    @property
    def state(self) -> State:
        """Of the group; INITIAL if it is stopped."""
        return next((one.state for one in self._hsrp.groups()), State.INITIAL)
