"""Neighbors and the links to them: every member dials every other and listens for each (Fig. 11).

Entries flow from the dialler to the listener; everything else flows both ways.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from snat.replication.connection_queue import ConnectionQueue, InboundQueue
from snat.replication.dump import Dump
from snat.session.session import Session
from snat.session.states import State
from snat.wire.actions import (
    Applied,
    Authenticate,
    Capability,
    DumpRequest,
    Role,
    RoleChange,
    Standing,
    Unit,
    UnitOption,
)
from snat.wire.header import Feed, Message, Position

AT_ONCE: Final = 1 << 16
"""Bytes handed to a transport at a time, and kept ready while a dump goes on."""

_INCARNATIONS: Final = 1024
"""Of one neighbor that are remembered."""
_STANDINGS: Final = {standing.value: standing for standing in Standing}
_ROLES: Final = {role.value: role for role in Role}


class Stage(Enum):
    """Where a message is when somebody who debugs is told of it."""

    DIALLED = auto()
    """No message yet: a link is being dialled."""
    QUEUED = auto()
    SENT = auto()
    """Handed to the transport."""
    READ = auto()
    """Came, and waits to be applied."""
    APPLIED = auto()


Watch = Callable[[Stage, "Link", bytes | Message | None], None]
"""Is told of messages: those of ours as bytes, those of neighbors as they were read."""


@dataclass(slots=True, eq=False)
class Link:
    """One connection to a neighbor, in one direction of dialling."""

    neighbor: "Neighbor"
    outgoing: bool
    """We dialled: our entries leave on it."""
    session: Session
    number: int = 0
    """Among all links of this run, from 1."""
    queue: ConnectionQueue = field(default_factory=ConnectionQueue)
    inbound: InboundQueue = field(default_factory=InboundQueue)
    requests: dict[Feed, DumpRequest] = field(default_factory=dict)
    """What the neighbor asked for last and was not begun yet; answered on the link that we dialled."""
    dumps: dict[Feed, Dump] = field(default_factory=dict)
    """Dumps under way, one for each feed, sent one after the other."""
    resumed: bool = False
    """The transport takes bytes again after the queue was dropped: the neighbor must learn of the gap."""
    deaf: bool = False
    """It brought something that was refused: what follows is not looked at."""
    orderly: bool = False
    """It ends, and nobody is at fault."""
    messages_out: int = 0
    bytes_out: int = 0
    local_address: str = ""
    destination_address: str = ""
    destination_port: int = 0
    watch: Watch | None = None

    @property
    def established(self) -> bool:
        """Whether messages flow."""
        return self.session.state is State.ESTABLISH

    @property
    def choked(self) -> bool:
        """Whether so much waits to be applied that nothing more should be read."""
        return self.inbound.full

    def put(self, message: bytes) -> None:
        """Queue a message for the neighbor; nothing while the link is not established."""
        if self.established:
            self.queue.put(message)
            self.seen(Stage.QUEUED, message)

    def data_to_send(self) -> bytes:
        """The next bytes for the transport, about AT_ONCE of them; empty when there is nothing to say."""
        if self.queue.needs_resync:
            self.queue.needs_resync = False
            self.resumed = True
        messages = self.queue.take(AT_ONCE) if self.established else []
        data = self.session.data_to_send() + b"".join(messages)
        self.messages_out += len(messages)
        self.bytes_out += len(data)
        for message in messages if self.watch is not None else ():
            self.seen(Stage.SENT, message)
        return data

    def seen(self, stage: Stage, message: bytes | Message | None = None) -> None:
        """Tell whoever debugs, if anybody does."""
        if self.watch is not None:
            self.watch(stage, self, message)

    def last_words(self) -> bytes:
        """What is to be said before the transport ends: in good order all that waits, else only why."""
        messages = self.queue.take(self.queue.size) if self.orderly else []
        return b"".join(messages) + self.session.data_to_send()


@dataclass(slots=True, eq=False)
class Neighbor:
    """Another member, whatever its links do."""

    nat_id: int
    name: str
    outgoing: Link | None = None
    incoming: Link | None = None
    heard: float | None = None
    """When a byte last came from it on either link; None: never."""
    hello: Authenticate | None = None
    units: dict[Feed, Unit] = field(default_factory=dict)
    standings: dict[Feed, RoleChange] = field(default_factory=dict)
    """What it last said of itself."""
    applied: dict[Feed, Position] = field(default_factory=dict)
    """Where it said it stands, in feeds that it does not manage."""
    incarnations: OrderedDict[int, int] = field(default_factory=OrderedDict)
    """Its incarnations that were seen, each with its run; the last is the present one."""
    hears: frozenset[int] = frozenset()
    """NAT IDs of those that it hears, as it last said."""
    refusal: str = ""
    """Why its last link closed, if that was somebody's fault."""

    def links(self) -> list[Link]:
        """The links that exist, in whatever state."""
        return [link for link in (self.outgoing, self.incoming) if link is not None]

    def silent(self, now: float, hold_time: float) -> bool:
        """Whether neither link brought a byte for the hold time."""
        return self.heard is None or now - self.heard >= hold_time

    def standing(self, feed: Feed) -> Standing | None:
        """Its standing in a feed, as far as it said; None for a value this version does not know."""
        said = self.standings.get(feed)
        return _STANDINGS.get(said.standing) if said is not None else None

    def role(self, feed: Feed) -> Role | None:
        """Its configured role in a feed, as far as it said."""
        said = self.standings.get(feed)
        return _ROLES.get(said.role) if said is not None else None

    def pulls(self, feed: Feed) -> bool:
        """Whether it asks for changes now and then, and wants none in between."""
        unit = self.units.get(feed)
        return unit is not None and bool(unit.options & UnitOption.PERIODIC)

    def can(self, capability: Capability) -> bool:
        """Whether it has a capability; it counts only where we have it too, and we have all there are."""
        return self.hello is not None and bool(self.hello.capabilities & capability)

    def reuses(self, hello: Authenticate) -> str:
        """Why its incarnation cannot be: entries of another run have its numbers. Empty if it can."""
        run = self.incarnations.get(hello.incarnation)
        if run is None:
            return ""
        if run != hello.run:
            return f"incarnation {hello.incarnation} was another run's"
        present = next(reversed(self.incarnations))
        return "" if hello.incarnation == present else f"incarnation {hello.incarnation} has ended"

    def present(self, hello: Authenticate, units: list[Unit]) -> None:
        """It has authenticated. What another incarnation said no longer counts.

        What this one said on the other link does: its authenticate may have been written before that.
        """
        same = self.hello is not None and self.hello.incarnation == hello.incarnation
        known = self.standings if same else {}
        if not same:
            self.applied = {}
        self.hello = hello
        self.incarnations[hello.incarnation] = hello.run
        if len(self.incarnations) > _INCARNATIONS:
            self.incarnations.popitem(last=False)
        self.units = {unit.feed: unit for unit in units}
        self.applied = {feed: at for feed, at in self.applied.items() if feed in self.units}
        self.standings = {
            unit.feed: known.get(unit.feed)
            or RoleChange(unit.feed, unit.role, unit.standing, unit.applied.term)
            for unit in units
        }

    def leave(self) -> None:
        """It stops: whatever it managed, it manages no more, and nobody need wait for its silence."""
        self.standings = {}
        self.hears = frozenset()

    def leaves(self, feed: Feed) -> None:
        """It leaves a unit."""
        self.standings.pop(feed, None)
        self.applied.pop(feed, None)

    def stands(self, said: Applied) -> None:
        """It tells how far it is."""
        self.applied[said.feed] = said.position

    def says(self, said: RoleChange) -> None:
        """It tells its standing; two links may swap what it said, and its term never goes back."""
        known = self.standings.get(said.feed)
        if known is None or said.term >= known.term:
            self.standings[said.feed] = said
            if said.standing == Standing.MANAGE:
                self.applied.pop(said.feed, None)
