"""RTSP (RFC 2326): SETUP and its answer name the ports that media is sent to.

A client inside says ``client_port=a-b``: opened for the server, and named as the outside calls it; the answer
names them back. A server inside answers ``server_port=a-b``: opened for the client. ``source=`` and
``destination=`` are named as the other side must; a destination that is not the client's own address is left
and opens nothing. Interleaved media (``RTP/AVP/TCP``) needs nothing, its frames are gone over. URLs that name
the inside server, and the addresses of the description that it sends, become the global ones. What is no RTSP
at the start is read no more.
"""

import re
import struct
from collections.abc import Sequence
from typing import ClassVar

from snat.translate.alg.body import describes, rewritten
from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint, Gateway
from snat.translate.alg.messages import STATE_SIZE, Field, Message, Portion, Reader, Syntax
from snat.translate.alg.sdp import Description
from snat.translate.alg.text import ADDRESS, MAX_PORT, dotted, number, packed

MEDIA_LIFE = 180.0
"""Seconds in which media must begin after it was announced."""
MAX_PORTS = 32
"""Ports of a conversation that are remembered; the oldest is forgotten."""
MAX_REQUESTS = 16
"""SETUPs that await their answers."""
MAX_TRANSPORTS = 8
"""Alternatives that one Transport may offer."""

_TCP, _UDP = 6, 17
_PORT = 554
_URLS = frozenset({b"content-base", b"content-location", b"location", b"rtp-info"})
_SYNTAX = Syntax(
    version=b"RTSP/1.0",
    compact={},
    said=frozenset({b"cseq", b"content-type", b"content-encoding"}),
    framed=True,
)
_URL = re.compile(
    rb"rtsp://(?P<host>" + ADDRESS + rb")(?::(?P<port>[0-9]{1,5}))?(?=[/;,\s]|$)", re.IGNORECASE
)
_TRANSPORT = re.compile(rb"[^,]+")
_PORTS = re.compile(
    rb";\s*(client|server)_port\s*=\s*([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?\s*(?=;|$)", re.IGNORECASE
)
_ADDRESSES = re.compile(
    rb";\s*(source|destination)\s*=\s*\"?([0-9A-Za-z.:-]{1,256})\"?\s*(?=;|$)", re.IGNORECASE
)
_NOT_UDP = re.compile(
    rb"\s*[^;]*/TCP\s*(?:;|$)|[^;]*;(?:.*;)?\s*(?:multicast|interleaved=)", re.IGNORECASE | re.DOTALL
)

_HEAD = struct.Struct("!B")
_TOLD = struct.Struct("!HH")


class Rtsp(Gateway):
    """An RTSP conversation."""

    name: ClassVar[str] = "rtsp"

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        self._readers = (Reader(_SYNTAX), Reader(_SYNTAX))
        self._plausible = False
        self._shown: dict[int, int] = {}
        """Ports of media of the inside host, and what the outside calls them."""
        self._asked: dict[bytes, list[tuple[int, bool]]] = {}
        """What was opened for a SETUP that is not answered, by its CSeq."""
        self._descriptions: list[Description | None] = [None, None]
        self.ended = conversation.protocol != _TCP

    @property
    def held(self) -> int:
        """Bytes of messages stored, and entries for ports and requests."""
        return sum(reader.held for reader in self._readers) + len(self._shown) + len(self._asked)

    def take(self, from_outside: bool, data: bytes) -> Sequence[Edit]:
        """Edits of the messages in the next bytes."""
        reader = self._readers[from_outside]
        portions = reader.feed(data)
        if reader.broken:
            self._end(reader.broken)
        if portions and not self._plausible:
            self._plausible = True
            if from_outside == self.conversation.begun_inside or not portions[0].message.method:
                self._end("not a dialogue")
                return []
        edits: list[Edit] = []
        for portion in portions:
            edits += self._portion(from_outside, data, portion)
        for _ in edits:
            self.doors.count("edit")
        return edits

    def _end(self, reason: str) -> None:
        self.ended = True
        self.doors.count(reason)

    def _portion(self, from_outside: bool, data: bytes, portion: Portion) -> list[Edit]:
        message, edits = portion.message, list[Edit]()
        if portion.start_line and message.method:
            start, end = portion.start_line
            url = data[start:end].split(b" ")[1]
            edits += self._urls(url, start + len(message.method) + 1, from_outside=from_outside)
        opened: list[tuple[int, bool]] = []
        for one in portion.fields:
            these: list[Edit] = []
            if one.name in _URLS:
                these = self._urls(one.value, one.start, from_outside=from_outside)
            elif one.name == b"transport":
                these = self._transports(from_outside, message, one, opened)
            if these and not one.fresh:
                self.doors.count("begun before")
            else:
                edits += these
        if portion.head_ends:
            self.doors.count("message")
            self._follow(from_outside, message)
        if opened and message.method:
            self._await(message, opened)
        edits += self._body(from_outside, data, portion)
        edits.sort()
        return edits

    # media

    def _transports(
        self, from_outside: bool, message: Message, one: Field, opened: list[tuple[int, bool]]
    ) -> list[Edit]:
        """The edits of a Transport header field; what it opens is added to ``opened``."""
        edits: list[Edit] = []
        for index, spec in enumerate(_TRANSPORT.finditer(one.value)):
            if index >= MAX_TRANSPORTS:
                self.doors.count("too many transports")
                break
            if _NOT_UDP.match(spec[0]):
                continue
            at = one.start + spec.start()
            addresses = list(_ADDRESSES.finditer(spec[0]))[:2]
            if not from_outside and self._third_party(message, addresses):
                self.doors.count("third party")
                continue
            ports: list[Edit] = []
            if match := self._ports_of(from_outside, message, spec[0]):
                if not one.fresh:
                    self.doors.count("begun before")
                    continue
                shown = self._port(match, from_outside=from_outside, opened=opened)
                if shown is None:
                    continue
                ports = _port_edits(match, at, shown)
            edits += ports
            for found in addresses:
                edits += self._address(found, at, from_outside=from_outside)
        return edits

    def _ports_of(self, from_outside: bool, message: Message, spec: bytes) -> re.Match[bytes] | None:
        """The parameter with the ports of the inside host: its own, or those that the server says again."""
        whose = b"client" if self.conversation.begun_inside else b"server"
        asks = message.method == b"SETUP" and not from_outside
        if self.conversation.begun_inside:
            concerns = asks or (from_outside and not message.method)
        else:
            concerns = not from_outside and not message.method
        if not concerns:
            return None
        return next((match for match in _PORTS.finditer(spec) if match[1].lower() == whose), None)

    def _third_party(self, message: Message, addresses: list[re.Match[bytes]]) -> bool:
        """Whether the inside host has media sent to, or says to send it from, another one."""
        own = b"destination" if message.method else b"source"
        return any(
            match[1].lower() == own and packed(match[2]) != self.conversation.inside_local.address
            for match in addresses
        )

    def _port(
        self, match: re.Match[bytes], *, from_outside: bool, opened: list[tuple[int, bool]]
    ) -> int | None:
        """What the other side calls the first port; None: it stays."""
        port = number(match[2], MAX_PORT - 1)
        if port is None or (match[3] and number(match[3], MAX_PORT) != port + 1):
            self.doors.count("malformed ports")
            return None
        if from_outside:
            return next((inside for inside, shown in self._shown.items() if shown == port), None)
        talk, pair = self.conversation, bool(match[3])
        inside, peer = Endpoint(talk.inside_local.address, port), Endpoint(talk.outside_global.address, 0)
        door = self.doors.open(_UDP, inside, peer, life=MEDIA_LIFE, pair=pair)
        if door is None:
            return None
        if door.address != talk.inside_global.address:
            self.doors.count("media at another address")
            self._close([(port, pair)])
            return None
        opened.append((port, pair))
        self._shown.pop(port, None)
        self._shown[port] = door.port
        if len(self._shown) > MAX_PORTS:
            del self._shown[next(iter(self._shown))]
        return door.port

    def _close(self, ports: list[tuple[int, bool]]) -> None:
        address = self.conversation.inside_local.address
        for port, pair in ports:
            for each in range(port, port + 1 + pair):
                self.doors.close(_UDP, Endpoint(address, each))

    # requests and answers

    def _await(self, message: Message, opened: list[tuple[int, bool]]) -> None:
        self._asked[message.said.get(b"cseq", b"")] = opened
        if len(self._asked) > MAX_REQUESTS:
            del self._asked[next(iter(self._asked))]

    def _follow(self, from_outside: bool, message: Message) -> None:
        """A refused SETUP and TEARDOWN end what was opened and not used."""
        if message.method == b"TEARDOWN":
            self._close([(port, True) for port in self._shown])
            self._asked.clear()
        elif message.status >= 200 and from_outside:
            opened = self._asked.pop(message.said.get(b"cseq", b""), [])
            if message.status >= 300:
                self._close(opened)

    # names

    def _address(self, match: re.Match[bytes], at: int, *, from_outside: bool) -> list[Edit]:
        """The edit of ``source=`` or ``destination=``."""
        turned = self._turned(packed(match[2]) or b"", from_outside=from_outside)
        if turned is None or dotted(turned.address) == match[2]:
            return []
        return [Edit(at + match.start(2), at + match.end(2), dotted(turned.address))]

    def _turned(self, address: bytes, *, from_outside: bool) -> Endpoint | None:
        """What the other side calls an end's address, and the port of this conversation there."""
        talk = self.conversation
        pairs = [(talk.inside_local, talk.inside_global), (talk.outside_local, talk.outside_global)]
        for inner, outer in pairs:
            here, there = (outer, inner) if from_outside else (inner, outer)
            if address == here.address:
                return there
        return None

    def _urls(self, value: bytes, at: int, *, from_outside: bool) -> list[Edit]:
        """The edits of the URLs of a value that name an end of this conversation by address and port."""
        edits: list[Edit] = []
        talk = self.conversation
        here = (
            {talk.inside_global, talk.outside_global}
            if from_outside
            else {talk.inside_local, talk.outside_local}
        )
        for match in _URL.finditer(value):
            port = number(match["port"], MAX_PORT) if match["port"] else _PORT
            address = packed(match["host"]) or b""
            if port is None or Endpoint(address, port) not in here:
                continue
            if (turned := self._turned(address, from_outside=from_outside)) is None:
                continue
            text = dotted(turned.address)
            if match["port"] or turned.port != _PORT:
                text += b":%d" % turned.port
            end = match.end("port") if match["port"] else match.end("host")
            if value[match.start("host") : end] != text:
                edits.append(Edit(at + match.start("host"), at + end, text))
        return edits

    def _body(self, from_outside: bool, data: bytes, portion: Portion) -> list[Edit]:
        talk, (start, end) = self.conversation, portion.body
        if portion.head_ends and (portion.message.left or end > start) and describes(portion.message):
            own, shown = talk.inside_local.address, talk.inside_global.address
            if from_outside:
                own, shown = talk.outside_global.address, talk.outside_local.address
            if own != shown:  # ports come with SETUP
                count = self.doors.count
                description = Description(own, shown, lambda port, _: Endpoint(shown, port), count)
                self._descriptions[from_outside] = description
        edits = rewritten(data, portion, self._descriptions[from_outside], self.doors.count)
        if portion.ends:
            self._descriptions[from_outside] = None
        return edits

    # takeover

    def context(self) -> bytes:
        """Where the streams are, and the ports."""
        states = b"".join(reader.state() for reader in self._readers)
        ports = b"".join(_TOLD.pack(*item) for item in self._shown.items())
        return _HEAD.pack(self._plausible) + states + ports

    def restore(self, context: bytes) -> bool:
        """Go on; a conversation that was in the middle of a line that matters is ended."""
        size = _HEAD.size + 2 * STATE_SIZE
        told = context[size:]
        if len(context) < size or len(told) % _TOLD.size or len(told) > MAX_PORTS * _TOLD.size:
            return False
        self._plausible = bool(context[0])
        for reader, at in zip(self._readers, (_HEAD.size, _HEAD.size + STATE_SIZE), strict=True):
            if not reader.resume(context[at : at + STATE_SIZE]):
                self._end("cut off by a takeover")
                break
        self._shown = dict(_TOLD.iter_unpack(told))
        return True


def _port_edits(match: re.Match[bytes], at: int, port: int) -> list[Edit]:
    """The edits of one port or two."""
    if int(match[2]) == port:
        return []
    edits = [Edit(at + match.start(2), at + match.end(2), b"%d" % port)]
    if match[3]:
        edits.append(Edit(at + match.start(3), at + match.end(3), b"%d" % (port + 1)))
    return edits
