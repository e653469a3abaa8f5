"""SIP with SDP (RFC 3261, RFC 4566) over UDP and TCP: nat-behaviour.md 2.9.

What each header field becomes: :mod:`snat.translate.alg.naming`; descriptions: :mod:`snat.translate.alg.sdp`,
Content-Length: :mod:`snat.translate.alg.body`. Rules beyond theirs:

- A conversation whose first bytes are no SIP message is none, and is read no more: HTTP that carries a
  REGISTER within opens nothing. On a stream the side that began it speaks first, with a request.
- A stream in which the next message's beginning is uncertain (Content-Length absent is 0; twice, differing,
  not a number; lines and heads too long; lines not ended by CR LF) is read no more; a datagram like that
  passes as it is.
- Content-Length changes with the body. If it leaves before the end of its body, it says ROOM bytes more, and
  an attribute that says nothing fills the description up to that.
- Media is opened for the inside host alone and towards the address that the signalling goes to; BYE, CANCEL
  and final errors end what was not used. REGISTER opens nothing; when the registrar has accepted it, a UDP
  flow is kept open to the registrar's address as long as the registration lasts.
"""

import re
import struct
from collections.abc import Sequence
from typing import ClassVar

from snat.translate.alg.body import describes, rewritten
from snat.translate.alg.calls import Calls, call_of
from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint, Gateway
from snat.translate.alg.messages import LENGTH, STATE_SIZE, Field, Message, Portion, Reader, Syntax
from snat.translate.alg.naming import Naming
from snat.translate.alg.sdp import Description
from snat.translate.alg.text import number

MEDIA_LIFE = 180.0
"""Seconds in which announced media must begin (timer C of RFC 3261: an INVITE is answered in 3 minutes)."""
MAX_REGISTRATION = 3600
"""Seconds that one accepted REGISTER keeps a flow open; also what holds when nothing is said."""
MAX_REGISTERS = 16
"""REGISTERs that await their answers."""

_TCP, _UDP = 6, 17
_URIS = frozenset({b"contact", b"route", b"record-route"})
_SYNTAX = Syntax(
    version=b"SIP/2.0",
    compact={
        b"v": b"via",
        b"m": b"contact",
        b"l": LENGTH,
        b"c": b"content-type",
        b"e": b"content-encoding",
        b"i": b"call-id",
    },
    said=frozenset({b"call-id", b"cseq", b"content-type", b"content-encoding", b"expires"}),
)
_CALLING = frozenset({b"INVITE", b"ACK", b"PRACK", b"UPDATE"})
_EXPIRES = re.compile(rb";\s*expires\s*=\s*([0-9]{1,10})", re.IGNORECASE)
_MAX_KEEPALIVE = 16
"""Bytes of a datagram that are too few for a message: CR LF, zeros and the like keep a flow alive."""
_STUN_COOKIE = b"\x21\x12\xa4\x42"  # RFC 8489 section 5; RFC 5626 section 3.5.2
_HEAD = struct.Struct("!BHH")
_UNWRITTEN, _NO_PORT = 0, 1  # how a port written by the inside host is told; no host names port 1


class Sip(Gateway):
    """A SIP conversation."""

    name: ClassVar[str] = "sip"

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        local, shown = conversation.inside_local, conversation.inside_global
        whole = doors.named(local.address, from_outside=False) == shown.address
        self._stream = conversation.protocol == _TCP
        self._readers = (Reader(_SYNTAX), Reader(_SYNTAX))
        self._plausible = False
        """A message has come, so that this is SIP."""
        self._naming = Naming(conversation, whole=whole)
        self._calls = Calls()
        self._registers: dict[bytes, None] = {}
        self._descriptions: list[Description | None] = [None, None]
        self._life: int | None = None
        """What ``expires`` of our Contact in the current message from outside says."""

    @property
    def held(self) -> int:
        """Bytes of messages stored, and entries for calls and registrations."""
        return sum(reader.held for reader in self._readers) + len(self._calls) + len(self._registers)

    def take(self, from_outside: bool, data: bytes) -> Sequence[Edit]:
        """Edits of the messages in a datagram or in the next bytes of a stream."""
        portions = self._read_stream(from_outside, data) if self._stream else self._read_datagram(data)
        edits: list[Edit] = []
        for portion in portions:
            edits += self._portion(from_outside, data, portion)
        for _ in edits:
            self.doors.count("edit")
        return edits

    def _read_stream(self, from_outside: bool, data: bytes) -> list[Portion]:
        reader = self._readers[from_outside]
        portions = reader.feed(data)
        if reader.broken:
            self._end(reader.broken)
        if portions and not self._plausible:
            self._plausible = True
            if from_outside == self.conversation.begun_inside or not portions[0].message.method:
                self._end("not a dialogue")
                return []
        return portions

    def _read_datagram(self, data: bytes) -> list[Portion]:
        if len(data) <= _MAX_KEEPALIVE or (data[0] < 0x40 and data[4:8] == _STUN_COOKIE):
            return []
        reader = Reader(_SYNTAX, datagram=True)
        portions = reader.feed(data)
        if not reader.broken and not (portions and portions[0].ends):
            reader.broken = "content length"
        if reader.broken:
            if self._plausible or reader.began:
                self.doors.count(reader.broken)
            else:
                self._end(reader.broken)
            return []
        self._plausible = True
        return portions

    def _end(self, reason: str) -> None:
        self.ended = True
        self.doors.count(reason)

    # one message, or what of it came together

    def _portion(self, from_outside: bool, data: bytes, portion: Portion) -> list[Edit]:
        message = portion.message
        edits: list[Edit] = []
        if portion.start_line and message.method:
            start, end = portion.start_line
            uri = data[start:end].split(b" ")[1]
            edits += self._naming.uris(uri, start + len(message.method) + 1, from_outside=from_outside)
        for one in portion.fields:
            edits += self._field(from_outside, one)
        if portion.head_ends:
            self.doors.count("message")
            self._follow(from_outside, message)
        edits += self._body(from_outside, data, portion)
        if portion.ends and 200 <= message.status < 300 and _sequence(message)[1] == b"INVITE":
            self._calls.agreed(call_of(message.said.get(b"call-id", b"")))
        edits.sort()
        return edits

    def _field(self, from_outside: bool, one: Field) -> list[Edit]:
        if one.name != b"via" and one.name not in _URIS:
            return []
        edits = (
            self._naming.vias(one.value, one.start, from_outside=from_outside)
            if one.name == b"via"
            else self._naming.uris(one.value, one.start, from_outside=from_outside)
        )
        if one.name == b"contact" and from_outside:
            self._note_life(one.value)
        if edits and not one.fresh:
            self.doors.count("begun before")
            return []
        return edits

    def _note_life(self, value: bytes) -> None:
        for element in value.split(b","):
            if (found := _EXPIRES.search(element)) and self._naming.is_ours(element):
                self._life = number(found[1], 0xFFFFFFFF)

    # the body

    def _body(self, from_outside: bool, data: bytes, portion: Portion) -> list[Edit]:
        start, end = portion.body
        if portion.head_ends and (portion.message.left or end > start):
            self._descriptions[from_outside] = self._description(from_outside, portion.message)
        edits = rewritten(data, portion, self._descriptions[from_outside], self.doors.count)
        if portion.ends:
            self._descriptions[from_outside] = None
        return edits

    def _description(self, from_outside: bool, message: Message) -> Description | None:
        """What reads the body of a message; None: it is left as it is."""
        if message.content_type.startswith(b"multipart/"):
            self.doors.count("multipart body")
        if not describes(message):
            return None
        talk, count = self.conversation, self.doors.count
        if from_outside:
            own, shown = talk.outside_global.address, talk.outside_local.address
            if own == shown:
                return None
            return Description(own, shown, lambda port, _: Endpoint(shown, port), count)
        call_id = message.said.get(b"call-id")
        if call_id is None or _sequence(message)[1] not in _CALLING:
            count("media without a call")
            return None
        call = call_of(call_id)
        own, shown = talk.inside_local.address, talk.inside_global.address
        return Description(own, shown, lambda port, pair: self._open(call, port, pair), count)

    def _open(self, call: bytes, port: int, pair: bool) -> Endpoint | None:
        """Expect media from the other end of the signalling."""
        talk, doors = self.conversation, self.doors
        inside = Endpoint(talk.inside_local.address, port)
        peer = Endpoint(talk.outside_global.address, 0)
        opened = doors.open(_UDP, inside, peer, life=MEDIA_LIFE, pair=pair)
        if opened is None:
            return None
        if opened.address != talk.inside_global.address:
            doors.count("media at another address")
        elif not self._calls.opened(call, port, pair=pair):
            doors.count("too many ports")
        else:
            return opened
        self._close([(port, pair)])
        return None

    def _close(self, ports: list[tuple[int, bool]]) -> None:
        address = self.conversation.inside_local.address
        for port, pair in ports:
            self.doors.close(_UDP, Endpoint(address, port))
            if pair:
                self.doors.close(_UDP, Endpoint(address, port + 1))

    # calls and registrations

    def _follow(self, from_outside: bool, message: Message) -> None:
        """What a message does to the calls and registrations, as its header fields say."""
        life, self._life = self._life, None
        call_id = message.said.get(b"call-id")
        if call_id is None:
            return
        call = call_of(call_id)
        sequence, method = _sequence(message)
        if message.method:
            if message.method in (b"BYE", b"CANCEL"):
                self._close(self._calls.ended(call, all_of_it=message.method == b"BYE"))
            elif message.method == b"REGISTER" and not from_outside:
                self._note_register(call_of(call_id + b" " + sequence))
        elif method == b"INVITE" and message.status >= 300:
            self._close(self._calls.ended(call, all_of_it=False))
        elif method == b"REGISTER" and from_outside and message.status >= 200:
            request = call_of(call_id + b" " + sequence)
            if request in self._registers:
                del self._registers[request]
                if message.status < 300:
                    self._registered(life, message)

    def _note_register(self, request: bytes) -> None:
        if self._stream or not self.conversation.begun_inside:
            return  # a connection lives as long as the registration that came by it (RFC 5626)
        self._registers[request] = None
        if len(self._registers) > MAX_REGISTERS:
            del self._registers[next(iter(self._registers))]

    def _registered(self, life: int | None, message: Message) -> None:
        """The registrar has accepted: calls may come by the flow's endpoint for as long as it says."""
        if life is None:
            life = number(message.said.get(b"expires", b""), 0xFFFFFFFF)
        if life == 0:
            return
        talk = self.conversation
        seconds = float(min(life or MAX_REGISTRATION, MAX_REGISTRATION))
        peer = Endpoint(talk.outside_global.address, 0)
        opened = self.doors.open(_UDP, talk.inside_local, peer, life=seconds, follows=self.name)
        if opened is not None and opened != talk.inside_global:
            self.doors.count("registered elsewhere")
            self.doors.close(_UDP, talk.inside_local)

    # takeover

    def context(self) -> bytes:
        """Where the streams are, the ports that the inside host wrote, the newest calls."""
        written = self._naming.written
        ports = [(written[kind] or _NO_PORT) if kind in written else _UNWRITTEN for kind in ("via", "uri")]
        states = b"".join(reader.state() for reader in self._readers)
        return _HEAD.pack(self._plausible, *ports) + states + self._calls.told()

    def restore(self, context: bytes) -> bool:
        """Go on; a conversation that was in the middle of a line that matters is ended."""
        size = _HEAD.size + 2 * STATE_SIZE
        if len(context) < size or not self._calls.restore(context[size:]):
            return False
        plausible, *ports = _HEAD.unpack_from(context)
        self._plausible = bool(plausible)
        for kind, port in zip(("via", "uri"), ports, strict=True):
            if port != _UNWRITTEN:
                self._naming.written[kind] = None if port == _NO_PORT else port
        for reader, at in zip(self._readers, (_HEAD.size, _HEAD.size + STATE_SIZE), strict=True):
            if not reader.resume(context[at : at + STATE_SIZE]):
                self._end("cut off by a takeover")
                break
        return True


def _sequence(message: Message) -> tuple[bytes, bytes]:
    """Number and method of CSeq, empty without one."""
    words = message.said.get(b"cseq", b"").split()
    return (words[0], words[1]) if len(words) == 2 else (b"", b"")
