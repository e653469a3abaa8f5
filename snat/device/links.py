"""Neighbors and the links to them: every member dials every other and listens for each (Fig. 11).

Entries flow from the dialler to the listener; everything else flows both ways.
"""

from dataclasses import dataclass, field
from typing import Final

from snat.replication.connection_queue import ConnectionQueue
from snat.replication.dump import Dump
from snat.session.session import Session
from snat.session.states import State
from snat.wire.actions import Authenticate, Role, RoleChange, Standing, Unit
from snat.wire.header import Feed

AT_ONCE: Final = 1 << 16
"""Bytes handed to a transport at a time, and kept ready while a dump goes on."""

_STANDINGS: Final = {standing.value: standing for standing in Standing}
_ROLES: Final = {role.value: role for role in Role}


@dataclass(slots=True, eq=False)
class Link:
    """One connection to a neighbor, in one direction of dialling."""

    neighbor: "Neighbor"
    outgoing: bool
    """We dialled: our entries leave on it."""
    session: Session
    queue: ConnectionQueue = field(default_factory=ConnectionQueue)
    dumps: dict[Feed, Dump] = field(default_factory=dict)
    """Dumps under way, one for each feed, sent one after the other."""
    resumed: bool = False
    """The transport takes bytes again after the queue was dropped: the neighbor must learn of the gap."""
    choked: bool = False
    """More of what it brought waits than should: no more is to be read off its transport."""
    messages_out: int = 0
    bytes_out: int = 0
    local_address: str = ""
    destination_address: str = ""
    destination_port: int = 0

    @property
    def established(self) -> bool:
        """Whether messages flow."""
        return self.session.state is State.ESTABLISH

    def put(self, message: bytes) -> None:
        """Queue a message for the neighbor; nothing while the link is not established."""
        if self.established:
            self.queue.put(message)

    def data_to_send(self) -> bytes:
        """The next bytes for the transport, about AT_ONCE of them; empty when there is nothing to say."""
        if self.queue.needs_resync:
            self.queue.needs_resync = False
            self.resumed = True
        messages = self.queue.take(AT_ONCE) if self.established else []
        data = self.session.data_to_send() + b"".join(messages)
        self.messages_out += len(messages)
        self.bytes_out += len(data)
        return data


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

    def present(self, hello: Authenticate, units: list[Unit]) -> None:
        """It has authenticated. What another incarnation said no longer counts.

        What this one said on the other link does: its authenticate may have been written before that.
        """
        if self.hello is None or self.hello.incarnation != hello.incarnation:
            self.standings = {}
        self.hello = hello
        self.units = {unit.feed: unit for unit in units}
        for unit in units:
            said = RoleChange(unit.feed, unit.role, unit.standing, unit.applied.term)
            self.standings.setdefault(unit.feed, said)

    def leave(self) -> None:
        """It stops: whatever it managed, it manages no more, and nobody need wait for its silence."""
        self.standings = {}

    def says(self, said: RoleChange) -> None:
        """It tells its standing; two links may swap what it said, and its term never goes back."""
        known = self.standings.get(said.feed)
        if known is None or said.term >= known.term:
            self.standings[said.feed] = said
