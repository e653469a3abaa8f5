"""A whole group of devices in one process, under a virtual clock and a simulated network.

Everything random comes from one seed, so a failing schedule is replayed by its number.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from scapy.packet import Packet

from snat.config.model import ConfiguredRole
from snat.device.device import Device
from snat.device.events import DeviceEvent, LinkClosed, Noted, RoleLeft, RoleTaken, TermTaken
from snat.device.links import Link
from snat.translate.packet import START
from snat.wire.actions import Standing
from snat.wire.header import Feed, Term
from tests import packets
from tests.simulation.shape import FEED, MAPPING, PLAIN, POOL, Shape, configuration
from tests.simulation.wire import End, Wire

__all__ = ["FEED", "MAPPING", "POOL", "Network", "Router", "configuration"]

_ROUNDS: Final = 16
"""Turns in one pump, as :mod:`snat.net.service` takes them."""
_SOON: Final = 0.001
"""Seconds to the next turn at least; likewise."""
_DIAL_EVERY: Final = 0.1
_RETRANSMISSION: Final = 0.2
"""Seconds after which bytes that could not get through are sent again, at most."""

Watch = Callable[["Router"], None]
"""Looks at a router after each time that it was settled."""


class Router:
    """A device with its state directory: terms and incarnation survive a kill, the table does not."""

    def __init__(self, network: "Network", nat_id: int, role: ConfiguredRole, peers: tuple[int, ...]) -> None:
        self.network = network
        self.nat_id = nat_id
        self.role = role
        self.configuration = configuration(nat_id, role, peers, network.shape)
        self.terms: dict[Feed, Term] = {}
        self.incarnation = 0
        self.alive = False
        self.paused = False
        self.holds_addresses = False
        self.moved = ("", "")
        """How it last moved in its group: the standing before, and what happened."""
        self.wires: dict[Link, End] = {}
        self._half_open: list[End] = []
        """Other ends that were not told of our death."""
        self.start()

    # Life

    def start(self) -> None:
        """As after boot, or after a kill."""
        network = self.network
        self.incarnation += 1
        self.alive, self.paused = True, False
        self.holds_addresses = False
        self.wires = {}
        self._alarm = float("inf")
        self.device = Device(
            self.configuration,
            incarnation=self.incarnation,
            terms=dict(self.terms),
            ports=random.Random(network.random.random()),
            ttl_step=1,
            now=network.now,
        )
        network.say(f"R{self.nat_id} starts")
        network.started(self)
        for end in self._half_open:
            network.later(0.05, end.shut, "reset by the other end")
        self._half_open = []
        self.settle()

    def kill(self, *, silently: bool = False) -> None:
        """As kill -9: nothing is said, everything in memory is gone. Silently: as without power."""
        self.network.say(f"R{self.nat_id} {'loses power' if silently else 'is killed'}")
        self._die(silently)

    def stop(self) -> None:
        """As `systemctl stop`: it says goodbye."""
        self.network.say(f"R{self.nat_id} stops")
        self.device.stop(self.network.now)
        for end in list(self.wires.values()):
            end.close()
        self._die(silently=False)

    def _die(self, silently: bool) -> None:
        self.alive = self.paused = False
        ends = [end for end in self.wires.values() if end.open]
        for end in ends:
            end.vanish(silently=silently)
        if silently:
            self._half_open += [end.other for end in ends]
        self.wires = {}

    def pause(self, seconds: float) -> None:
        """As SIGSTOP, or a hypervisor that has no time: nothing runs, what comes waits."""
        self.network.say(f"R{self.nat_id} pauses for {seconds:.2f} s")
        self.paused = self.network.isolated = True
        device = self.device
        self.network.later(seconds, lambda: self._resume(device))

    def _resume(self, device: Device) -> None:
        """What waited is looked at in no particular order."""
        if self.paused and self.device is device:
            self.network.say(f"R{self.nat_id} goes on")
            self.paused = False
            steps: list[Callable[[], None]] = [self.settle, *self.network.resumed(self)]
            steps += [end.read for end in self.wires.values()]
            self.network.random.shuffle(steps)
            for step in steps:
                step()
            self.settle()

    def stall(self, links: Iterable[Link], seconds: float) -> None:
        """Do not read from these links for a while."""
        ends = [self.wires[link] for link in links]
        self.network.say(f"R{self.nat_id} does not read {len(ends)} links for {seconds:.2f} s")
        self.network.isolated = True
        for end in ends:
            end.stalled = True
            self.network.later(seconds, self._unstall, end)

    @staticmethod
    def _unstall(end: End) -> None:
        end.stalled = False
        end.read()

    @property
    def runs(self) -> bool:
        """Whether the process runs."""
        return self.alive and not self.paused

    @property
    def standing(self) -> Standing:
        """What it does in its group."""
        return self.device.groups[0].standing

    @property
    def manages(self) -> bool:
        """Whether it believes that it manages the group; it may be paused, and wrong."""
        return self.alive and self.device.groups[0].manages

    # What net does

    def joined(self, link: Link, end: End) -> None:
        """A link has a transport."""
        self.wires[link] = end
        if self.network.shape.queue_limit != PLAIN.queue_limit:
            link.queue._limit = self.network.shape.queue_limit

    def settle(self) -> None:
        """What net does after every input: turn, store, act, send, set the alarm."""
        device, now = self.device, self.network.now
        for _ in range(_ROUNDS):
            device.turn(now)
            events = device.events()
            for event in events:
                self._act(event)
            sent = False
            for end in list(self.wires.values()):
                sent |= end.flush()
            if not sent:
                self._set_alarm(device.next_deadline())
                break
        else:
            self._set_alarm(now)
        for watch in self.network.watches:
            watch(self)

    def wake(self) -> None:
        """A window opened."""
        if self.runs:
            self.settle()

    def _act(self, event: DeviceEvent) -> None:
        match event:
            case TermTaken():
                self.terms[event.feed] = event.term
            case RoleTaken():
                self.holds_addresses = True
                self.network.taken(self)
            case RoleLeft():
                self.holds_addresses = False
            case LinkClosed():
                end = self.wires.pop(event.link, None)
                if end is not None:
                    end.close()
            case Noted():
                if "happened" in event.fields:
                    self.moved = (event.fields["before"], event.fields["happened"])
                if self.network.trace is not None:
                    self.network.say(f"R{self.nat_id} {event.text.format(**event.fields)}")

    def _set_alarm(self, deadline: float) -> None:
        """One that is set and rings sooner stays: it looks at the deadline again."""
        if deadline < self._alarm:
            device = self.device
            self._alarm = at = max(deadline, self.network.now + _SOON)
            self.network.at(at, lambda: self._ring(device, at))

    def _ring(self, device: Device, at: float) -> None:
        if self.alive and self.device is device and self._alarm == at:
            self._alarm = float("inf")
            if self.paused:
                return  # who goes on settles
            deadline = device.next_deadline()
            if deadline <= self.network.now:
                self.settle()
            else:
                self._set_alarm(deadline)

    # Packets

    def send_from_inside(self, packet: Packet) -> Packet:
        """A packet from inside, which must pass; what leaves outside."""
        return self._packet(packet, from_outside=False)

    def send_from_outside(self, packet: Packet) -> Packet:
        """A packet from outside, which must pass; what goes inside."""
        return self._packet(packet, from_outside=True)

    def _packet(self, packet: Packet, from_outside: bool) -> Packet:
        filled, end = packets.buffer(packet)
        verdict = self.device.packet(filled, end, from_outside, self.network.now)
        self.settle()
        assert verdict, f"{packet.summary()} was dropped: {self.device.counters()['translate']}"
        return packets.parse(filled, end)

    def raw(self, data: bytes, *, from_outside: bool) -> bytes | None:
        """What becomes of a packet, None if it is dropped; the caller settles when it has sent enough."""
        filled, end = packets.buffer(data, room=256)
        verdict = self.device.packet(filled, end, from_outside, self.network.now)
        return bytes(filled[START:end]) if verdict else None


class Network:
    """The routers, the clock, and what is broken."""

    def __init__(
        self,
        seed: int,
        roles: dict[int, ConfiguredRole],
        shape: Shape = PLAIN,
        trace: list[str] | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.shape = shape
        self.now = 1000.0
        self.trace = trace
        self.isolated = False
        """Something kept members from hearing each other for a while, so that a split has a cause."""
        self.watches: list[Watch] = []
        self.starts: list[Watch] = []
        """Told of every device that starts."""
        self.takings: list[Watch] = []
        """Told of every device that takes the role."""
        self.resumed: Callable[[Router], list[Callable[[], None]]] = lambda _: []
        """What else waited for a router that was paused."""
        self._queue: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = count()
        self._silenced: Counter[tuple[int, int]] = Counter()
        """Of whom (first) nothing reaches whom (second), and by how many disturbances."""
        self.routers: dict[int, Router] = {}
        for nat_id, role in roles.items():
            self.routers[nat_id] = Router(self, nat_id, role, tuple(one for one in roles if one != nat_id))
        self._dial()

    # Time

    def at(self, when: float, what: Callable[..., None], *arguments: object) -> None:
        """Do something at a time."""
        heapq.heappush(self._queue, (when, next(self._order), what, arguments))

    def later(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        """Do something after a while."""
        self.at(self.now + seconds, what, *arguments)

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what, arguments = heapq.heappop(self._queue)
            what(*arguments)
        self.now = end

    def run_until(self, reached: Callable[[], bool], most: float = 30.0, step: float = 0.01) -> None:
        """Let time pass until something is so; fails after ``most`` virtual seconds."""
        end = self.now + most
        while not reached():
            assert self.now < end, (
                f"not reached in {most} s: {[(n, r.standing.name) for n, r in self.routers.items()]}"
            )
            self.run(step)

    # What is so

    def quiet(self) -> bool:
        """Everybody is alive, one manages and the others listen."""
        standings = sorted(router.standing.name for router in self.routers.values() if router.alive)
        return standings == ["LISTEN"] * (len(self.routers) - 1) + ["MANAGE"]

    def whole(self) -> bool:
        """Whether everybody that lives runs, and everything gets through."""
        return not self._silenced and not any(
            router.paused or any(end.stalled for end in router.wires.values())
            for router in self.routers.values()
        )

    def connected(self) -> bool:
        """Whether everybody that lives has both links to everybody else that lives."""
        alive = [router for router in self.routers.values() if router.alive]
        return all(
            link is not None and link.established and link in router.wires
            for router in alive
            for other in alive
            if other is not router
            for neighbor in (router.device.neighbors[other.nat_id],)
            for link in (neighbor.outgoing, neighbor.incoming)
        )

    def silent(self, sender: Router, receiver: Router) -> bool:
        """Whether nothing of one gets through to the other."""
        return bool(self._silenced) and (sender.nat_id, receiver.nat_id) in self._silenced

    def say(self, what: str) -> None:
        """Note what happens, if somebody wants to know."""
        if self.trace is not None:
            self.trace.append(f"{self.now - 1000:9.4f}  {what}")

    def started(self, router: Router) -> None:
        """A router has a new device."""
        for tell in self.starts:
            tell(router)

    def taken(self, router: Router) -> None:
        """A router took the role."""
        for tell in self.takings:
            tell(router)

    # Disturbances

    def part(self, one: int, other: int) -> None:
        """Nothing gets through between two routers, until :meth:`heal`."""
        self.silence([(one, other), (other, one)])

    def heal(self) -> None:
        """End all partitions the hard way: every connection breaks, what waited is lost."""
        self._silenced.clear()
        for router in self.routers.values():
            for end in list(router.wires.values()):
                end.cut("bytes were lost")

    def silence(self, pairs: Iterable[tuple[int, int]]) -> None:
        """What the first of each pair sends does not reach the second: it waits to be sent again."""
        self.isolated = True
        self._silenced.update(pairs)

    def restore(self, pairs: list[tuple[int, int]], *, lost: bool = False) -> None:
        """End what :meth:`silence` began. What waited arrives now, or (lost) the connections break."""
        self._silenced.subtract(pairs)
        self._silenced = +self._silenced
        for router in list(self.routers.values()):
            for end in list(router.wires.values()):
                other = end.other.router
                if (router.nat_id, other.nat_id) in pairs or (other.nat_id, router.nat_id) in pairs:
                    self._reconnect(end, lost)

    def _reconnect(self, end: End, lost: bool) -> None:
        if lost:
            end.cut("bytes were lost")
            return
        self.later(self.random.uniform(0, _RETRANSMISSION), end.read)
        self.later(self.random.uniform(0, _RETRANSMISSION), end.acknowledge)

    def _dial(self) -> None:
        """Every member dials every other, again and again."""
        for router in self.routers.values():
            if router.runs:
                for nat_id, neighbor in router.device.neighbors.items():
                    up = neighbor.outgoing is not None and neighbor.outgoing in router.wires
                    other = self.routers[nat_id]
                    if not up and other.runs and not self._apart(router, other):
                        Wire(self, router, other)
        self.later(_DIAL_EVERY, self._dial)

    def _apart(self, one: Router, other: Router) -> bool:
        return self.silent(one, other) or self.silent(other, one)
