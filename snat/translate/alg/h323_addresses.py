"""What becomes of the addresses that the messages of H.323 carry, whichever of its protocols they are in.

An inside host's own address may be opened for the other side and is named as that calls it; the other side
may name it again. Whatever else is in a message stays, and opens nothing: above all addresses of other inside
hosts, to which a call would be forwarded (nat-behaviour.md 2.9). All edits are as long as what they replace.
"""

import struct
from abc import abstractmethod
from functools import cache
from typing import Final, NamedTuple

from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint, Gateway
from snat.translate.alg.h323_asn1 import Found, Messages, Read

TCP: Final = 6
UDP: Final = 17
LIFE: Final = 240.0
"""Seconds in which a connection or the first of its media must come, as in Linux (nat-behaviour.md 2.9)."""
DOORS: Final = 40
"""Endpoints of one conversation: what fits into a context of 256 bytes."""
READINGS: Final = 500
"""Messages of a conversation that are read: a call needs some dozens, and reading takes its time."""
_CONTEXT: Final = struct.Struct("!BHH")
"""Protocol, port inside, port outside."""


class Way(NamedTuple):
    """How an address is opened, or called."""

    protocol: int
    follows: str = ""
    pair: bool = False
    life: float = LIFE


DATAGRAMS: Final = frozenset({"mediaChannel", "mediaControlChannel", "rasAddress"})
"""Fields that are addresses of UDP; all others are of TCP."""


@cache
def messages() -> Messages:
    """The types of all messages; loading them takes a tenth of a second."""
    return Messages()


class Addresses(Gateway):
    """A conversation of H.323."""

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        self.started = False
        """The client has said what a conversation of this kind begins with."""
        self.given: dict[tuple[int, int], int] = {}
        """Ports of the inside host that are opened, by protocol and port: what they are outside."""
        self._readings = 0

    @abstractmethod
    def way(self, found: Found) -> Way | Endpoint | None:
        """How an address, if it is the inside host's own, is opened or written.

        None: it is not opened, but may be known already.
        """

    @abstractmethod
    def follows(self, found: Found) -> Way | None:
        """How the inside host may connect to an address that an outside host names; None: nobody reads it."""

    def context(self) -> bytes:
        """What is opened."""
        doors = (_CONTEXT.pack(*inside, outside) for inside, outside in self.given.items())
        return bytes((self.started,)) + b"".join(doors)

    def restore(self, context: bytes) -> bool:
        """Go on with what is opened."""
        if not context or context[0] > 1 or len(context) % _CONTEXT.size != 1:
            return False
        if len(context) > 1 + DOORS * _CONTEXT.size:
            return False
        self.started = bool(context[0])
        doors = _CONTEXT.iter_unpack(context[1:])
        self.given = {(protocol, inside): outside for protocol, inside, outside in doors}
        return True

    def may_read(self) -> bool:
        """Whether one more message of this conversation is to be read."""
        self._readings += 1
        if self._readings <= READINGS:
            return True
        self.give_up("too many messages")
        return False

    def concerns(self, data: bytes, from_outside: bool) -> bool:
        """Whether a message may have an address that somebody must know about."""
        one, other = self.conversation.inside_local, self.conversation.outside_local
        if from_outside:
            one, other = self.conversation.inside_global, self.conversation.outside_global
        return one.address in data or other.address in data

    def edits(self, read: Read, data: bytes, at: int, from_outside: bool) -> list[Edit]:
        """What of a message that was read from ``data``, at ``at`` of what was just given, becomes what."""
        self.doors.count("message")
        places = read.places(data)
        edits: list[Edit] = []
        for six, found in read.by_address().items():
            plans = {self._plan(one, from_outside) for one in found} - {None}
            if not plans:
                continue
            if six not in places or len(plans) > 1:
                self.doors.count("address in doubt")
                continue
            plan = plans.pop()
            new = self.open(plan, found[0].port) if isinstance(plan, Way) else plan
            if new is not None and (text := new.address + new.port.to_bytes(2, "big")) != six:
                edits += [Edit(at + place, at + place + len(six), text) for place in places[six]]
        for _ in edits:
            self.doors.count("edit")
        return sorted(edits)

    def give_up(self, why: str) -> None:
        """Nothing of this conversation is looked at any more."""
        self.doors.count(why)
        self.ended = True

    def close(self) -> None:
        """The call is over: what was opened for it and not used is closed."""
        for protocol, port in self.given:
            self.doors.close(protocol, Endpoint(self.conversation.inside_local.address, port))
        self.given.clear()

    def _plan(self, found: Found, from_outside: bool) -> Way | Endpoint | None:
        """What is to be done about an address: open it, or write another one, or nothing."""
        conversation = self.conversation
        if from_outside:
            self._listen(found)
            return self._said_back(found)
        if found.address == conversation.outside_local.address:
            return self._other_name(found, conversation.outside_local, conversation.outside_global)
        if found.address == conversation.inside_local.address:
            plan = self.way(found)
            if found.port and plan is not None:
                return plan
            return self._known(found)
        if isinstance(self.way(found), Way):
            self.doors.count("foreign address")
        return None

    def _listen(self, found: Found) -> None:
        """Read what the inside host says to an address that the outside host names, if it connects there."""
        way = self.follows(found)
        if way is None or not found.port:
            return
        peer = Endpoint(found.address, found.port)
        self.doors.called(way.protocol, peer, life=way.life, follows=way.follows)

    def _known(self, found: Found) -> Endpoint | None:
        """What an own address of the inside host is outside, without opening anything."""
        conversation = self.conversation
        port = self.given.get((_protocol(found), found.port))
        if port is not None:
            return Endpoint(conversation.inside_global.address, port)
        if found.port == conversation.inside_local.port:
            return conversation.inside_global
        return None

    def _said_back(self, found: Found) -> Endpoint | None:
        """What an address that an outside host says is inside: one of the inside host, or its own."""
        conversation = self.conversation
        if found.address == conversation.inside_global.address:
            for (protocol, inside), outside in self.given.items():
                if protocol == _protocol(found) and outside == found.port:
                    return Endpoint(conversation.inside_local.address, inside)
            if found.port == conversation.inside_global.port:
                return conversation.inside_local
        elif found.address == conversation.outside_global.address:
            return self._other_name(found, conversation.outside_global, conversation.outside_local)
        return None

    def _other_name(self, found: Found, name: Endpoint, other: Endpoint) -> Endpoint | None:
        """An address of the outside host, if that has two."""
        return None if name.address == other.address else Endpoint(other.address, found.port)

    def open(self, way: Way, port: int) -> Endpoint | None:
        """What an own port of the inside host is outside from now on."""
        conversation = self.conversation
        first = port & ~1 if way.pair else port
        inside = Endpoint(conversation.inside_local.address, first)
        if (way.protocol, first) not in self.given and len(self.given) >= DOORS:
            self.doors.count("too many addresses")
            return None
        outside = self.doors.open(
            way.protocol,
            inside,
            Endpoint(conversation.outside_global.address, 0),
            life=way.life,
            follows=way.follows,
            pair=way.pair,
        )
        if outside is None:
            return None
        if outside.address != conversation.inside_global.address:
            self.doors.close(way.protocol, inside)
            self.doors.count("another address")
            return None
        self.given[way.protocol, first] = outside.port
        return Endpoint(outside.address, outside.port + port - first)


def _protocol(found: Found) -> int:
    """What an address is of: media and RAS are UDP, and all else that may be known is TCP."""
    return UDP if found.field in DATAGRAMS else TCP
