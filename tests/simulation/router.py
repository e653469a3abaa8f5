"""One simulated router: its device, what net does for it, and what may happen to it."""

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from scapy.packet import Packet

from snat.config.model import ConfiguredRole
from snat.device.device import Device
from snat.device.events import (
    DeviceEvent,
    IncarnationRefused,
    LinkClosed,
    Noted,
    RoleLeft,
    RoleTaken,
    TermTaken,
)
from snat.device.group import Group
from snat.device.links import Link
from snat.device.snapshot import Snapshot
from snat.redundancy.roles import Input
from snat.translate.packet import START, Verdict
from snat.wire.actions import Standing
from snat.wire.header import Feed, Position, Term
from tests import packets
from tests.simulation.shape import FEED, PLAIN, configuration
from tests.simulation.standby import Module
from tests.simulation.wire import End

if TYPE_CHECKING:
    from tests.simulation.network import Network

_ROUNDS: Final = 16
"""Turns in one pump, as :mod:`snat.net.service` takes them."""
_SOON: Final = 0.001
"""Seconds to the next turn at least; likewise."""


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
        self.skew = 0.0
        self.holds_addresses = False
        self.moved = ("", "")
        """How it last moved in its group: the standing before, and what happened."""
        self.lacks = False
        """It has stood by with less than the table, and was not synchronised since."""
        self.wires: dict[Link, End] = {}
        self.module: Module | None = None
        """The IP redundancy module, if there is one."""
        self._snapshot: Snapshot | None = None
        """The table when it died last, as far as that is kept."""
        self._half_open: list[End] = []
        """Other ends that were not told of our death."""
        self.start()

    # Life

    def start(self) -> None:
        """As after boot, or after a kill."""
        network = self.network
        self.incarnation += 1
        self.alive, self.paused = True, False
        if network.clocks is not None:
            self.skew = network.random.uniform(*network.clocks)
        self.holds_addresses = self.lacks = False
        self.wires = {}
        self._alarm = float("inf")
        self.device = Device(
            self.configuration,
            incarnation=self.incarnation,
            terms=dict(self.terms),
            ports=random.Random(network.random.random()),
            ttl_step=1,
            now=self.clock,
            snapshot=self._snapshot,
        )
        for state in (state for group in self.device.groups for state in group.feeds.values()):
            state.journal.bound(network.shape.journal_limit)
        network.say(f"R{self.nat_id} starts")
        network.started(self)
        for end in self._half_open:
            network.later(0.05, end.shut, "reset by the other end")
        self._half_open = []
        self.module = network.plug(self) if network.plug is not None else None
        if self.module is not None:
            self.module.start()
        self.settle()

    def kill(self, *, silently: bool = False) -> None:
        """As kill -9: nothing is said, everything in memory is gone. Silently: as without power."""
        self.network.say(f"R{self.nat_id} {'loses power' if silently else 'is killed'}")
        self._die(silently)

    def stop(self) -> None:
        """As `systemctl stop`: it says goodbye."""
        self.network.say(f"R{self.nat_id} stops")
        self.device.stop(self.clock)
        for end in list(self.wires.values()):
            end.close()
        if self.module is not None:
            self.module.stop()  # behind the last word
        self._die(silently=False)

    def _die(self, silently: bool) -> None:
        if self.network.shape.snapshots:
            self._snapshot = Snapshot(records=self.device.table.records(), positions=self.device.positions())
        self.alive = self.paused = False
        if self.module is not None:
            self.module.die()
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
            steps += self.module.resumed() if self.module is not None else []
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
    def clock(self) -> float:
        """What its monotonic clock says: each start has one of its own."""
        return self.network.now + self.skew

    @property
    def runs(self) -> bool:
        """Whether the process runs."""
        return self.alive and not self.paused

    @property
    def group(self) -> Group:
        """Its group; among peers, the one for what it makes itself."""
        return next(group for group in self.device.groups if group.is_own)

    @property
    def standing(self) -> Standing:
        """What it does in its group."""
        return self.group.standing

    @property
    def knows(self) -> bool:
        """Whether it has the table, as it was when it last heard of it."""
        return self.manages or (self.alive and self.standing is Standing.LISTEN and not self.lacks)

    @property
    def manages(self) -> bool:
        """Whether it believes that it manages the group; it may be paused, and wrong."""
        return self.alive and self.group.manages

    # What net does

    def joined(self, link: Link, end: End) -> None:
        """A link has a transport."""
        self.wires[link] = end
        if self.network.shape.queue_limit != PLAIN.queue_limit:
            link.queue._limit = self.network.shape.queue_limit

    def settle(self) -> None:
        """What net does after every input: turn, store, act, send, set the alarm."""
        device, now = self.device, self.clock
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
        if self.module is not None:
            (group,) = device.groups
            self.module.tell(ready=group.ready)
            self.module.hand_over(manages=group.manages, preempts=group.preempts)
        for watch in self.network.watches:
            watch(self)

    def told(self, *, active: bool) -> None:
        """The module's word; a turn follows soon."""
        for group in self.device.groups:
            group.told(active, self.clock)
        self.network.at(self.network.now, self.wake)

    def preempts(self) -> None:
        """The module is to preempt once we manage."""
        for group in self.device.groups:
            group.preempt()
        self.network.at(self.network.now, self.wake)

    def wake(self) -> None:
        """A window opened, or the module spoke."""
        if self.runs:
            self.settle()

    def _act(self, event: DeviceEvent) -> None:
        match event:
            case TermTaken():
                self.terms[event.feed] = event.term
            case IncarnationRefused() if event.incarnation == self.incarnation:
                self.incarnation += 1
                self.device.renew(self.incarnation, self.clock)
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
                    self._stepped(event.fields["before"], event.fields["happened"], event.fields["owner"])
                if self.network.trace is not None:
                    self.network.say(f"R{self.nat_id} {event.text.format(**event.fields)}")

    def _stepped(self, before: str, happened: str, owner: int) -> None:
        for tell in self.network.steps:
            tell(happened)
        if owner not in (0, self.nat_id):
            return
        self.moved = (before, happened)
        group = self.group
        if happened == Input.STANDS_BY.value:
            nothing = group.feeds[FEED].position == Position()
            self.lacks = nothing or group.manages or not group.whole(FEED)
        elif happened == Input.SYNCHRONISED.value:
            self.lacks = False

    def _set_alarm(self, deadline: float) -> None:
        """One that is set and rings sooner stays: it looks at the deadline, of our clock, again."""
        deadline -= self.skew
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
            if deadline <= self.clock:
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
        verdict = self.device.packet(filled, end, from_outside, self.clock)
        self.settle()
        assert verdict, f"{packet.summary()} was dropped: {self.device.counters()['translate']}"
        return packets.parse(filled, end)

    def raw(self, data: bytes, *, from_outside: bool) -> bytes | None:
        """What becomes of a packet, None if it is dropped; the caller settles when it has sent enough."""
        filled, end = packets.buffer(data, room=256)
        verdict = self.device.packet(filled, end, from_outside, self.clock)
        return bytes(filled[START:end]) if verdict not in (Verdict.DROP, Verdict.ELSEWHERE) else None
