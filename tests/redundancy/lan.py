"""A LAN of HSRP routers in one process, under a virtual clock; everything random comes from one seed."""

import heapq
import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from itertools import count

from snat.config.interface import Interface, Standby, StandbyGroup
from snat.redundancy.hsrp_events import (
    AddressLeft,
    AddressTaken,
    Event,
    GratuitousArpDue,
    GroupId,
    MessageRefused,
    PreemptionDue,
    Send,
    StateChanged,
)
from snat.redundancy.hsrp_group import Group
from snat.redundancy.hsrp_message import DESTINATIONS, Opcode, State, decode
from snat.redundancy.hsrp_router import HsrpRouter

VIRTUAL = IPv4Address("10.0.0.1")
NAME = "SNATHSRP"
ETH = "eth0"
QUICK = Standby(
    version=2,
    delay_minimum=0,
    delay_reload=0,
    groups=(StandbyGroup(number=1, enabled=True, address=VIRTUAL, hello=0.2, hold=0.7, name=NAME),),
)


def standby(template: Standby = QUICK, **changes: object) -> Standby:
    """The template with its first group changed."""
    first, *rest = template.groups
    return replace(template, groups=(replace(first, **changes), *rest))  # type: ignore[arg-type]


SLOW = replace(QUICK, groups=(replace(QUICK.groups[0], hello=3.0, hold=10.0),))
HOLD = 0.7
BETTER = standby(priority=110, preempt=True)
MIDDLE = standby(priority=105, preempt=True)
NORMAL = standby(preempt=True)


@dataclass
class Host:
    """A machine on the LAN with a router that runs, or does not."""

    number: int
    standby: Standby
    router: HsrpRouter | None = None
    up: bool = True
    synchronised: bool = True
    paused: bool = False
    taken: dict[GroupId, AddressTaken] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    waiting: list[tuple[bytes, IPv4Address]] = field(default_factory=list)
    """Datagrams in the socket of a router that is paused."""

    @property
    def address(self) -> IPv4Address:
        return IPv4Address("10.0.0.10") + self.number

    @property
    def mac_address(self) -> bytes:
        return bytes((2, 0, 0, 0, 0, self.number))

    def group(self, number: int | None = None) -> Group:
        assert self.router is not None
        for one in self.router.groups():
            if number in (None, one.configuration.number) and isinstance(one, Group):
                return one
        raise LookupError(number)

    @property
    def state(self) -> State:
        groups = self.router.groups() if self.router else iter(())
        return next((one.state for one in groups), State.INITIAL)

    @property
    def alive(self) -> bool:
        """Whether it can be heard at all."""
        return self.router is not None and self.up and not self.paused


class Lan:
    """The hosts, the clock, and what is broken."""

    def __init__(self, seed: int, hosts: Iterable[Standby]) -> None:
        self.random = random.Random(seed)
        self.now = 1000.0
        self.loss = 0.0
        self.parts: list[set[int]] = []
        """Who hears whom; empty: all hear all."""
        self.watch: Callable[[], None] = lambda: None
        """Looks at the LAN after each event."""
        self.sent = 0
        self._queue: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = count()
        self.hosts = {number: Host(number, one) for number, one in enumerate(hosts, 1)}
        for host in self.hosts.values():
            self.start(host)

    # What is done to routers

    def start(self, host: Host) -> None:
        """A new process."""
        assert host.router is None
        host.router = HsrpRouter(self.now, random.Random(self.random.random()))
        host.router.synchronise(NAME, self.now, synchronised=host.synchronised)
        host.router.configure([Interface(name=ETH, standby=host.standby)], self.now)
        self._attach(host)
        self.settle(host)

    def kill(self, host: Host) -> None:
        """``kill -9``: nothing that answers for an address outlives the process."""
        host.router = None
        host.taken.clear()
        host.waiting.clear()

    def stop(self, host: Host) -> None:
        """A planned end."""
        assert host.router is not None
        host.router.stop(self.now)
        self.settle(host)
        assert not host.taken
        self.kill(host)

    def link(self, host: Host, *, up: bool) -> None:
        """The interface."""
        host.up = up
        self._attach(host)
        self.settle(host)

    def _attach(self, host: Host) -> None:
        if host.router is not None:
            host.router.interface(
                ETH, up=host.up, address=host.address, mac_address=host.mac_address, now=self.now
            )

    def synchronise(self, host: Host, *, synchronised: bool) -> None:
        host.synchronised = synchronised
        if host.router is not None:
            host.router.synchronise(NAME, self.now, synchronised=synchronised)
            self.settle(host)

    def configure(self, host: Host, standby: Standby) -> None:
        host.standby = standby
        if host.router is not None:
            host.router.configure([Interface(name=ETH, standby=standby)], self.now)
            self.settle(host)

    def pause(self, host: Host) -> None:
        host.paused = True

    def resume(self, host: Host) -> None:
        host.paused = False
        waiting, host.waiting = host.waiting, []
        for data, source in waiting:
            self._deliver(host.number, data, source)
        self.settle(host)

    # Time

    def later(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), what, arguments))

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what, arguments = heapq.heappop(self._queue)
            what(*arguments)
        self.now = end

    def run_until(self, reached: Callable[[], bool], most: float) -> float:
        """How long it took. It must come true within ``most`` seconds."""
        begun = self.now
        while not reached():
            assert self.now - begun < most, f"not within {most} s: {self.states()}"
            self.run(0.01)
        return self.now - begun

    def settle(self, host: Host) -> None:
        """Carry out what a router asks for."""
        if host.router is None or host.paused:
            return
        for event in host.router.events():
            host.events.append(event)
            self._carry_out(host, event)
        self._wake(host)
        self.watch()

    def _wake(self, host: Host) -> None:
        assert host.router is not None
        deadline = host.router.next_deadline()
        if deadline is not None:
            late = self.random.uniform(0, 0.002)
            self.later(max(deadline - self.now, 0.0) + late, self._tick, host, host.router)

    def _tick(self, host: Host, router: HsrpRouter) -> None:
        deadline = router.next_deadline()
        if host.router is router and not host.paused and deadline is not None and deadline <= self.now:
            router.tick(self.now)
            self.settle(host)

    def _carry_out(self, host: Host, event: Event) -> None:
        """What a network layer would do; and what it may rely on."""
        if isinstance(event, AddressTaken):
            assert event.group not in host.taken
            host.taken[event.group] = event
        elif isinstance(event, AddressLeft):
            taken = host.taken.pop(event.group)
            assert (taken.addresses, taken.mac_address) == (event.addresses, event.mac_address)
        elif isinstance(event, GratuitousArpDue):
            assert host.taken[event.group].addresses == event.addresses
        elif isinstance(event, Send):
            assert not event.mac_address or host.taken[event.group].mac_address == event.mac_address
            (version,) = (one for one, to in DESTINATIONS.items() if to == event.destination)
            decode(event.data, version)
            self.sent += 1
            self._broadcast(host, event.data)
        elif isinstance(event, StateChanged):
            assert event.before is not event.after
        else:
            assert isinstance(event, MessageRefused | PreemptionDue)

    def _broadcast(self, host: Host, data: bytes) -> None:
        if not host.up:
            return
        for other in self.hosts.values():
            if other is not host and self.hears(host, other) and self.random.random() >= self.loss:
                self.later(
                    self.random.uniform(0.0001, 0.003), self._deliver, other.number, data, host.address
                )

    def hears(self, host: Host, other: Host) -> bool:
        """Whether what one sends reaches the other."""
        return other.up and all((host.number in part) == (other.number in part) for part in self.parts)

    def _deliver(self, number: int, data: bytes, source: IPv4Address) -> None:
        host = self.hosts[number]
        if host.router is None or not host.up:
            return
        if host.paused:
            host.waiting.append((data, source))
            return
        host.router.receive(ETH, data, source, self.now)
        self.settle(host)

    # What there is

    def part(self, *parts: Collection[int]) -> None:
        """Cut the LAN; who is in no part is with the others that are in none."""
        self.parts = [set(part) for part in parts]

    def connected(self) -> list[list[Host]]:
        """The routers that run, by the part of the LAN that they are in."""
        found: list[list[Host]] = []
        for host in self.hosts.values():
            if not host.alive:
                continue
            mine = next((part for part in found if self.hears(part[0], host)), None)
            if mine is None:
                found.append([host])
            else:
                mine.append(host)
        return found

    def states(self) -> dict[int, str]:
        """For what is told of a failure."""
        return {
            number: f"{host.state.value}{'' if host.synchronised else ' unsynchronised'}"
            for number, host in self.hosts.items()
            if host.router
        }

    def active(self) -> list[int]:
        """Who answers for the first group's address."""
        return [number for number, host in self.hosts.items() if host.taken]


def settled(*hosts: Standby, seed: int = 1, seconds: float = 5.0) -> Lan:
    """A LAN whose roles are found."""
    lan = Lan(seed, hosts)
    lan.run(seconds)
    return lan


def returned(lan: Lan, host: Host) -> None:
    """It was killed, and is there again."""
    lan.kill(host)
    lan.run(3)
    lan.start(host)


def states(lan: Lan) -> list[State]:
    return [host.state for host in lan.hosts.values()]


def opcodes(host: Host) -> list[Opcode]:
    """What it sent."""
    sent = [event for event in host.events if isinstance(event, Send)]
    return [decode(event.data, host.standby.version).message.opcode for event in sent]


def walk(host: Host) -> list[State]:
    return [event.after for event in host.events if isinstance(event, StateChanged)]
