"""A group that follows another one (``standby G follow NAME``): it elects nothing and is what that one is.

So two interfaces, or many groups of one, move together. While active it sends a hello every ``mac-refresh``
seconds, which teaches switches where its virtual MAC address is, and others its virtual address.
"""

from ipaddress import IPv4Address
from math import inf

from snat.config.interface import StandbyGroup
from snat.redundancy.hsrp_events import Event, HsrpCounters
from snat.redundancy.hsrp_message import HsrpMessage, Opcode, State
from snat.redundancy.hsrp_virtual_router import Attachment, Heard, VirtualRouter


class Follower(VirtualRouter):
    """A virtual router whose state is that of a group."""

    def __init__(
        self,
        configuration: StandbyGroup,
        attachment: Attachment,
        counters: HsrpCounters,
        events: list[Event],
        now: float,
    ) -> None:
        super().__init__(configuration, attachment, counters, events, now)
        self._leader = State.INITIAL

    @property
    def hold(self) -> float:
        """Seconds; at least three of the intervals in which an active follower is heard."""
        return max(self.configuration.hold, 3.0 * self.attachment.mac_refresh)

    def adopt(self, configuration: StandbyGroup, now: float) -> None:
        """Take another configuration."""
        super().adopt(configuration, now)
        self._settle_addresses(now)

    def attach(self, attachment: Attachment, now: float) -> None:
        """The interface is up, down, or has another address."""
        self.attachment = attachment
        self.tick(now)

    def follow(self, leader: State | None, now: float) -> None:
        """Be what the group is that is followed; None: there is no such group."""
        self._leader = state = leader or State.INITIAL
        if not self.configuration.enabled or not self.attachment.usable or now < self.attachment.ready_at:
            state = State.INITIAL
        elif self.address is None and state is not State.INITIAL:
            state = State.LEARN
        if state is self.state:
            return
        self._enter(state, now)
        if state is State.ACTIVE:
            self.active = None
            self._next_hello = now
        else:
            self._next_hello = inf
        if state is State.INITIAL:
            self.active = self.learned = None
        self.tick(now)

    def stop(self, now: float) -> None:
        """Leave the addresses."""
        self.follow(None, now)

    def receive(self, message: HsrpMessage, source: IPv4Address, now: float) -> None:
        """An authentic message: only that of an active router says anything."""
        if message.opcode is not Opcode.HELLO:
            return
        self.counters.hellos_in += 1
        if message.state is not State.ACTIVE or self.state in (State.INITIAL, State.ACTIVE):
            return
        hold = max(message.hold, self.hold) if message.believable else self.hold
        self.active = Heard(address=source, message=message, expires=now + hold)
        if self.configuration.address is None and message.address != self.attachment.address:
            self.learned = message.address

    def tick(self, now: float) -> None:
        """Say hello where it is due."""
        if self.state is State.ACTIVE and self._next_hello <= now:
            self._say(Opcode.HELLO, self.state)
            refresh = self.attachment.mac_refresh
            self._next_hello = now + refresh if refresh else inf
        self._announce_due(now)

    def next_deadline(self) -> float | None:
        """When :meth:`tick` is due; None: not before the followed group changes."""
        first = min([self._next_hello, *self._arp_due])
        waits = self.state is State.INITIAL and self._leader is not State.INITIAL
        if waits and self.configuration.enabled and self.attachment.usable:
            first = min(first, self.attachment.ready_at)
        return first if first < inf else None
