"""A whole group of devices in one process, under a virtual clock and a simulated network.

Everything random comes from one seed, so a failing schedule is replayed by its number.
"""

import heapq
import random
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from itertools import count

from scapy.packet import Packet

from snat.config.model import (
    AccessLine,
    AccessList,
    Configuration,
    ConfiguredRole,
    Group,
    InsideSource,
    Peer,
    Pool,
    Stateful,
)
from snat.device.device import Device
from snat.device.events import LinkClosed, RoleLeft, RoleTaken, TermTaken
from snat.device.links import Link
from snat.session.states import State
from snat.wire.actions import Standing
from snat.wire.header import Feed, Term
from tests import packets

MAPPING = 10
POOL = [f"203.0.113.{host}" for host in range(10, 14)]


def configuration(nat_id: int, role: ConfiguredRole, peers: tuple[int, ...]) -> Configuration:
    """A member of a primary/backup group with one pool."""
    group = Group(
        role=role,
        address=IPv4Address(f"192.168.77.{nat_id}"),
        peers=tuple(
            Peer(address=IPv4Address(f"192.168.77.{peer}"), nat_id=peer, name=f"r{peer}.example")
            for peer in peers
        ),
        mapping_ids=(MAPPING,),
        keepalive=0.2,
        hold_time=0.6,
    )
    return Configuration(
        hostname=f"R{nat_id}",
        stateful=Stateful(nat_id=nat_id, groups=(group,)),
        pools=(Pool(name="P", start=IPv4Address(POOL[0]), end=IPv4Address(POOL[-1]), prefix_length=24),),
        inside_sources=(InsideSource(access_list="1", pool="P", mapping_id=MAPPING),),
        access_lists=(
            AccessList(
                name="1",
                lines=(
                    AccessLine(
                        permit=True, address=IPv4Address("10.0.0.0"), wildcard=IPv4Address("0.0.0.255")
                    ),
                ),
            ),
        ),
    )


class Wire:
    """One TCP connection: bytes arrive in order, late, and in pieces; or the connection breaks."""

    def __init__(self, network: "Network", dialler: "Router", listener: "Router") -> None:
        self.network = network
        self.ends = {dialler: dialler.device.dialled(listener.nat_id, network.now)}
        self.ends[listener] = listener.device.accepted(dialler.nat_id, network.now)
        self.alive = True
        self._arrival = dict.fromkeys(self.ends, network.now)
        for router, link in self.ends.items():
            router.wires[link] = self
            router.device.opened(link, network.now)

    def other(self, router: "Router") -> "Router":
        return next(one for one in self.ends if one is not router)

    def send(self, sender: "Router", data: bytes) -> None:
        receiver = self.other(sender)
        while data:
            cut = (
                self.network.random.randint(1, len(data)) if self.network.random.random() < 0.2 else len(data)
            )
            piece, data = data[:cut], data[cut:]
            delay = self.network.random.uniform(0.0001, 0.02)
            self._arrival[receiver] = at = max(self._arrival[receiver], self.network.now + delay)
            self.network.at(at, partial(self._deliver, receiver, piece))

    def cut(self, reason: str = "cut") -> None:
        if self.alive:
            self.alive = False
            for router, link in self.ends.items():
                router.wires.pop(link, None)
                if router.alive and link.session.state is not State.CLOSE:
                    router.device.lost(link, reason, self.network.now)
                    router.settle()

    def _deliver(self, receiver: "Router", data: bytes) -> None:
        if self.alive and receiver.alive and not self.network.parted(*self.ends):
            receiver.device.received(self.ends[receiver], data, self.network.now)
            receiver.settle()


class Router:
    """A device with its state directory: terms and incarnation survive a kill, the table does not."""

    def __init__(self, network: "Network", nat_id: int, role: ConfiguredRole, peers: tuple[int, ...]) -> None:
        self.network = network
        self.nat_id = nat_id
        self.configuration = configuration(nat_id, role, peers)
        self.terms: dict[Feed, Term] = {}
        self.incarnation = 0
        self.alive = False
        self.holds_addresses = False
        self.start()

    def __hash__(self) -> int:
        return self.nat_id

    def start(self) -> None:
        self.incarnation += 1
        self.alive = True
        self.holds_addresses = False
        self.wires: dict[Link, Wire] = {}
        self.device = Device(
            self.configuration,
            incarnation=self.incarnation,
            terms=dict(self.terms),
            ports=random.Random(self.network.random.random()),
            ttl_step=1,
            now=self.network.now,
        )
        self._tick(self.device)

    def kill(self) -> None:
        """As kill -9: nothing is said, everything in memory is gone."""
        self.alive = False
        for wire in list(self.wires.values()):
            wire.cut("the other end is gone")
        self.wires = {}

    @property
    def standing(self) -> Standing:
        return self.device.groups[0].standing

    def settle(self) -> None:
        """What net does after every input: turn, store, act, send."""
        self.device.turn(self.network.now)
        for event in self.device.events():
            match event:
                case TermTaken():
                    self.terms[event.feed] = event.term
                case RoleTaken():
                    self.holds_addresses = True
                case RoleLeft():
                    self.holds_addresses = False
                case LinkClosed():
                    wire = self.wires.pop(event.link, None)
                    if wire is not None:
                        self.network.at(self.network.now, wire.cut)
        for link, wire in list(self.wires.items()):
            while data := link.data_to_send():
                wire.send(self, data)
                self.device.turn(self.network.now)

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

    def _tick(self, device: Device) -> None:
        if self.alive and self.device is device:
            self.settle()
            self.network.at(self.network.now + 0.05, lambda: self._tick(device))


class Network:
    """The routers, the clock, and what is broken."""

    def __init__(self, seed: int, roles: dict[int, ConfiguredRole]) -> None:
        self.random = random.Random(seed)
        self.now = 1000.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._parted: set[frozenset[int]] = set()
        self.routers = {
            nat_id: Router(self, nat_id, role, tuple(one for one in roles if one != nat_id))
            for nat_id, role in roles.items()
        }
        self._dial()

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._order), what))

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what = heapq.heappop(self._queue)
            what()
        self.now = end

    def run_until(self, reached: Callable[[], bool], most: float = 30.0) -> None:
        """Let time pass until something is so; fails after ``most`` virtual seconds."""
        end = self.now + most
        while not reached():
            assert self.now < end, (
                f"not reached in {most} s: {[(n, r.standing.name) for n, r in self.routers.items()]}"
            )
            self.run(0.01)

    def quiet(self) -> bool:
        """Everybody is alive, one manages and the others listen."""
        standings = sorted(router.standing.name for router in self.routers.values() if router.alive)
        return standings == ["LISTEN"] * (len(self.routers) - 1) + ["MANAGE"]

    def parted(self, one: Router, other: Router) -> bool:
        return frozenset((one.nat_id, other.nat_id)) in self._parted

    def part(self, one: int, other: int) -> None:
        self._parted.add(frozenset((one, other)))

    def heal(self) -> None:
        self._parted.clear()
        for router in self.routers.values():
            for wire in list(router.wires.values()):
                wire.cut("bytes were lost")

    def _dial(self) -> None:
        """Every member dials every other, again and again."""
        for router in self.routers.values():
            for nat_id, neighbor in router.device.neighbors.items():
                other = self.routers[nat_id]
                up = neighbor.outgoing is not None and neighbor.outgoing in router.wires
                if router.alive and other.alive and not up and not self.parted(router, other):
                    Wire(self, router, other)
        self.at(self.now + 0.1, self._dial)
