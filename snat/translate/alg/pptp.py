"""PPTP (RFC 2637): the call IDs of its control connection, which are what GRE has for ports.

Either end of a call gives it an ID, and a GRE packet carries its receiver's. So an inside host's own IDs are
what is translated: in what it says of its calls, in what the other side says about "your call", and in GRE
packets from outside (:mod:`snat.translate.gre`). The other side's IDs stay as they are. Several calls on a
connection and several clients of a server are told apart by the IDs that are allocated, as ports are.

A message is judged by its first bytes, which have all the IDs; only if those come in one piece. TCP sends
messages of at most 220 bytes whole unless somebody wants them cut.
"""

import struct
from collections.abc import Iterator
from typing import ClassVar, Final, NamedTuple

from snat.nat.tracking import GRE
from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint, Gateway

PORT: Final = 1723
LIFE: Final = 300.0
"""Seconds that the first packet of a call may take, as in Linux (nat-behaviour.md 2.9)."""
CALLS: Final = 40
"""Calls of one connection: what fits into a context of 256 bytes."""
LONGEST: Final = 1024
"""Bytes of a message: those of RFC 2637 have at most 220."""

_HEAD: Final = struct.Struct("!HHIHH")
"""Length, message type, cookie, control message type, reserved."""
_JUDGED: Final = 18
"""Bytes that have all the call IDs and the result code of a call."""
_COOKIE: Final = 0x1A2B3C4D
_CONTROL, _MANAGEMENT = 1, 2
_START_REQUEST, _START_REPLY = 1, 2
_RESULT: Final = 14
"""Where a Start-Control-Connection-Reply says 1, or why not."""
_CONTEXT: Final = struct.Struct("!HHH")
"""A call: the inside host's ID, what it is called outside, the other side's ID or 0."""


class _Shape(NamedTuple):
    """A control message: how short it may be, and where in it are which IDs and the result."""

    shortest: int
    own: int = 0
    """The ID that the sender gave the call; 0: not in it."""
    peers: int = 0
    """The ID that the receiver gave it."""
    result: int = 0
    """1 there: the call is up."""
    begins: bool = False
    """The sender gives a call an ID with this message."""
    ends: bool = False


_SHAPES: Final = {
    _START_REQUEST: _Shape(156),
    _START_REPLY: _Shape(156),
    3: _Shape(16),  # Stop-Control-Connection-Request
    4: _Shape(16),  # Stop-Control-Connection-Reply
    5: _Shape(16),  # Echo-Request
    6: _Shape(20),  # Echo-Reply
    7: _Shape(168, own=12, begins=True),  # Outgoing-Call-Request
    8: _Shape(32, own=12, peers=14, result=16, begins=True),  # Outgoing-Call-Reply
    9: _Shape(220, own=12, begins=True),  # Incoming-Call-Request
    10: _Shape(24, own=12, peers=14, result=16, begins=True),  # Incoming-Call-Reply
    11: _Shape(28, peers=12),  # Incoming-Call-Connected
    12: _Shape(16, own=12),  # Call-Clear-Request
    13: _Shape(148, own=12, ends=True),  # Call-Disconnect-Notify: the ID of its sender (section 2.13)
    14: _Shape(40, peers=12),  # WAN-Error-Notify
    15: _Shape(24, peers=12),  # Set-Link-Info
}
_OTHER: Final = _Shape(_HEAD.size)
"""Of a message that is not in RFC 2637, or a management message: there are none, but a type is reserved."""


class _Call:
    """A call, by the ID that the inside host gave it."""

    __slots__ = ("outside", "theirs")

    def __init__(self, outside: int, theirs: int = 0) -> None:
        self.outside = outside
        """What the other side calls it: allocated, as a port is."""
        self.theirs = theirs
        """The ID that the other side gave it; 0: none yet."""


class _Stream:
    """Where one direction is."""

    __slots__ = ("begun", "left", "lost", "started")

    def __init__(self) -> None:
        self.begun = b""
        """The first bytes of a message whose rest is to come."""
        self.left = 0
        """Bytes to come of a message that was judged."""
        self.started = False
        """This side asked for the connection, or granted it."""
        self.lost = False
        """Taken over, maybe within a message: what does not begin with one is passed until something does."""


class Pptp(Gateway):
    """A control connection."""

    name: ClassVar[str] = "pptp"

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        self._streams = _Stream(), _Stream()
        self._calls: dict[int, _Call] = {}
        """By the ID that the inside host gave."""

    def take(self, from_outside: bool, data: bytes) -> list[Edit]:
        """The call IDs of the messages that begin in ``data``."""
        stream = self._streams[from_outside]
        edits: list[Edit] = []
        at = min(stream.left, len(data))
        stream.left -= at
        while at < len(data):
            begun = stream.begun
            head = begun + data[at : at + _JUDGED - len(begun)]
            if len(head) < _HEAD.size:
                stream.begun = head
                break
            shape = self._shape(stream, head, from_outside)
            if shape is None:
                stream.begun = b""
                break
            length = head[0] << 8 | head[1]
            judged = min(length, _JUDGED)
            if len(head) < judged:
                stream.begun = head
                break
            self.doors.count("message")
            edits += self._judge(shape, head, at - len(begun), from_outside, whole=not begun)
            stream.begun = b""
            at += judged - len(begun)
            passed = min(length - judged, len(data) - at)
            stream.left = length - judged - passed
            at += passed
        return edits

    def context(self) -> bytes:
        """Who has spoken, and the calls."""
        asked, granted = self._streams
        said = bytes((asked.started | granted.started << 1,))
        return said + b"".join(
            _CONTEXT.pack(own, call.outside, call.theirs) for own, call in self._calls.items()
        )

    def restore(self, context: bytes) -> bool:
        """Take over the calls; the messages of either side are to be found anew."""
        if not context or context[0] > 3 or len(context) % _CONTEXT.size != 1:
            return False
        if len(context) > 1 + CALLS * _CONTEXT.size:
            return False
        self._calls = {
            own: _Call(outside, theirs) for own, outside, theirs in _CONTEXT.iter_unpack(context[1:])
        }
        for side, stream in enumerate(self._streams):
            stream.started, stream.lost = bool(context[0] >> side & 1), context != b"\0"
        return True

    def _shape(self, stream: _Stream, head: bytes, from_outside: bool) -> _Shape | None:
        """What a message is like by its first bytes; None: it is none, or comes before its time."""
        length, kind, cookie, control, _ = _HEAD.unpack_from(head)
        shape = _SHAPES.get(control, _OTHER) if kind == _CONTROL else _OTHER
        if cookie != _COOKIE or not 1 <= kind <= _MANAGEMENT or not shape.shortest <= length <= LONGEST:
            if stream.lost:
                self.doors.count("unknown place after takeover")
            else:
                self._end("no PPTP message")
            return None
        stream.lost = False
        if not stream.started:
            client = from_outside is not self.conversation.begun_inside
            first = _START_REQUEST if client else _START_REPLY
            if shape is not _SHAPES[first]:
                self._end("no start of a control connection")
                return None
            stream.started = client or self._streams[not from_outside].started
        return shape

    def _judge(
        self, shape: _Shape, head: bytes, at: int, from_outside: bool, *, whole: bool
    ) -> Iterator[Edit]:
        """What of the IDs in a message becomes what; it begins at ``at`` of what was just given."""
        if shape is _SHAPES[_START_REPLY] and head[_RESULT] != 1:
            self._end("connection refused")
        if not (shape.own or shape.peers):
            return
        if not whole:
            self.doors.count("split message")
            return
        if not all(stream.started for stream in self._streams):
            self.doors.count("call before the connection")
            return
        own, peers = _id(head, shape.own), _id(head, shape.peers)
        up = not shape.result or head[shape.result] == 1
        if from_outside:
            place, new = shape.peers, self._said_outside(shape, own, peers, up=up)
        else:
            place, new = shape.own, self._said_inside(shape, own, peers, up=up)
        if new is not None and new != _id(head, place):
            self.doors.count("edit")
            yield Edit(at + place, at + place + 2, new.to_bytes(2, "big"))

    def _said_inside(self, shape: _Shape, own: int, peers: int, *, up: bool) -> int | None:
        """What an ID that the inside host gave is called outside; None: it has none to translate."""
        if not shape.own:
            return None
        if shape.begins:
            return self._begin(own, peers) if up else None
        call = self._calls.get(own)
        if call is None:
            self.doors.count("unknown call")
            return None
        if shape.ends:
            self._forget(own)
        return call.outside

    def _begin(self, own: int, theirs: int) -> int | None:
        """Expect the GRE packets of a call that the inside host has an ID for; that ID outside."""
        conversation, known = self.conversation, self._calls.get(own)
        if own == 0:
            self.doors.count("call ID 0")  # its packets would look as if they had none
            return None
        if known is None and len(self._calls) >= CALLS:
            self.doors.count("too many calls")
            return None
        outside = self._open(own, theirs)
        if outside is None:
            return None
        if outside.address != conversation.inside_global.address:
            self.doors.close(GRE, Endpoint(conversation.inside_local.address, own))
            self.doors.count("another address")  # the other side sends to whom it has the connection with
            return None
        self._calls[own] = _Call(outside.port, theirs)
        return outside.port

    def _said_outside(self, shape: _Shape, own: int, peers: int, *, up: bool) -> int | None:
        """What the inside host calls the call that the other side means by ``peers``, if it says that."""
        if not shape.peers:
            if shape.ends and own:
                for ended in [ours for ours, call in self._calls.items() if call.theirs == own]:
                    self._forget(ended)
            return None
        ours = next((ours for ours, call in self._calls.items() if call.outside == peers), None)
        if ours is None:
            self.doors.count("unknown call")
        elif not up:
            self._forget(ours)
        elif shape.own:
            self._calls[ours].theirs = own
            self._open(ours, own)
        return ours

    def _open(self, own: int, theirs: int) -> Endpoint | None:
        """Expect the GRE packets of a call: those to the inside host's ID, and to the other one if known."""
        conversation = self.conversation
        inside = Endpoint(conversation.inside_local.address, own)
        return self.doors.open(GRE, inside, Endpoint(conversation.outside_global.address, theirs), life=LIFE)

    def _forget(self, own: int) -> None:
        del self._calls[own]
        self.doors.close(GRE, Endpoint(self.conversation.inside_local.address, own))

    def _end(self, why: str) -> None:
        self.doors.count(why)
        self.ended = True


def _id(head: bytes, at: int) -> int:
    """The call ID at a place of a message; 0: the message has none."""
    return head[at] << 8 | head[at + 1] if at else 0
