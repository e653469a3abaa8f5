r"""IRC's direct client to client connections (DCC, CTCP in PRIVMSG): nat-behaviour.md 2.9.

``PRIVMSG nick :\\x01DCC SEND file address port size\\x01`` from the client asks another user to call it. The
address, a decimal number, must be the client's own, and the port becomes the one that leads to it. Only the
client offers; of what the server says nothing is opened. The other user may ask to go on in the middle (``DCC
RESUME file port``): it names the port that it knows, which becomes the client's, and the other way round in
``DCC ACCEPT``.

The conversation must begin as IRC does, and the server must have welcomed the client: HTTP to port 6667 opens
nothing.
"""

import re
import struct
from collections.abc import Sequence
from typing import ClassVar

from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint, Gateway
from snat.translate.alg.text import MAX_PORT, number

DCC_LIFE = 300.0
"""Seconds in which the other user must call."""
MAX_OFFERS = 32
"""Ports of a conversation that are remembered for RESUME and ACCEPT; the oldest is forgotten."""
MAX_LINE = 1024
"""Bytes of a line with its end (RFC 1459 section 2.3: 512); what is longer passes unread."""

ANYONE = bytes(4)
"""The other user's address is not known: the server does not tell it."""

_TCP = 6
_FIRST = frozenset({b"CAP", b"PASS", b"NICK", b"USER", b"PING", b"PONG", b"WEBIRC", b"AUTHENTICATE"})
_PREFIX = rb"(?:@[^ \r\n]+ +)?(?::[^ \r\n]+ +)?"
_COMMAND = re.compile(_PREFIX + rb"([A-Za-z]{1,32}|[0-9]{3})(?: [^\r\n]*)?\r?\n?")
_DCC = _PREFIX + rb"PRIVMSG +[^ \r\n]+ +:\x01DCC +"
_NAME = rb'(?:"[^"\r\n]*"|[^ "\r\n][^ \r\n]*) +'
_OFFER = re.compile(
    _DCC + rb"(?:SEND|CHAT) +" + _NAME + rb"([0-9]{1,10}) +([0-9]{1,5})(?: +[0-9]+)*\x01?\r?\n", re.IGNORECASE
)
_ANY_DCC = re.compile(_DCC + rb"([A-Za-z]{1,16}) ", re.IGNORECASE)
_ACCEPT = re.compile(
    _DCC + rb"ACCEPT +" + _NAME + rb"([0-9]{1,5}) +[0-9]+(?: +[0-9]+)*\x01?\r?\n", re.IGNORECASE
)
_RESUME = re.compile(
    _DCC + rb"RESUME +" + _NAME + rb"([0-9]{1,5}) +[0-9]+(?: +[0-9]+)*\x01?\r?\n", re.IGNORECASE
)
_WELCOME = b"001"

_FLAGS = struct.Struct("!B")
_OFFERED = struct.Struct("!HH")
_BEGUN, _WELCOMED, _IN_LINE = 1, 2, 4


class _Lines:
    """The lines of one direction."""

    def __init__(self) -> None:
        self.kept = b""
        self.skipping = False
        """In the middle of a line that is not read."""

    def feed(self, data: bytes) -> list[tuple[bytes, int | None]]:
        """The lines that end here, each with where it starts (None: earlier); those too long are empty."""
        found: list[tuple[bytes, int | None]] = []
        at = 0
        while at < len(data):
            end = data.find(b"\n", at) + 1
            text = data[at:end] if end else data[at:]
            too_long = len(self.kept) + len(text) > MAX_LINE
            if end:
                line = b"" if self.skipping or too_long else self.kept + text
                found.append((line, None if self.kept else at))
                self.kept, self.skipping = b"", False
            elif not self.skipping:
                self.skipping = too_long
                self.kept = b"" if too_long else self.kept + text
            at = end or len(data)
        return found


class Irc(Gateway):
    """An IRC conversation of an inside client."""

    name: ClassVar[str] = "irc"

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        self._lines = (_Lines(), _Lines())
        self._begun = self._welcomed = False
        self._offers: dict[int, int] = {}
        """The client's ports and what the others call them."""
        if not conversation.begun_inside:
            self.ended = True  # an outside client offers ports of its own, which need nothing

    @property
    def held(self) -> int:
        """Bytes of lines stored, and entries for offers."""
        return sum(len(lines.kept) for lines in self._lines) + len(self._offers)

    def take(self, from_outside: bool, data: bytes) -> Sequence[Edit]:
        """Edits of the lines that end in the next bytes."""
        edits: list[Edit] = []
        for line, start in self._lines[from_outside].feed(data):
            if self.ended:
                break
            if not line:
                self.doors.count("long line")
            elif from_outside:
                edits += self._from_server(line, start)
            else:
                edits += self._from_client(line, start)
        for _ in edits:
            self.doors.count("edit")
        return edits

    def _end(self, reason: str) -> list[Edit]:
        self.ended = True
        self.doors.count(reason)
        return []

    def _from_client(self, line: bytes, start: int | None) -> list[Edit]:
        command = _COMMAND.fullmatch(line)
        if not self._begun:
            if command is None or command[1].upper() not in _FIRST:
                return self._end("not irc")
            self._begun = True
        if command is None:
            return []
        if command[1].upper() == b"STARTTLS":
            return self._end("encrypted")
        if command[1].upper() != b"PRIVMSG" or not (dcc := _ANY_DCC.match(line)):
            return []
        self.doors.count("message")
        kind = dcc[1].upper()
        if kind in (b"SEND", b"CHAT"):
            return self._offer(line, start)
        if kind == b"ACCEPT" and (accept := _ACCEPT.fullmatch(line)):
            port = number(accept[1], MAX_PORT)
            return self._port(start, accept, self._offers.get(port or 0))
        return []

    def _offer(self, line: bytes, start: int | None) -> list[Edit]:
        reason, talk = "", self.conversation
        offer = _OFFER.fullmatch(line)
        address = number(offer[1], 0xFFFFFFFF) if offer else None
        port = number(offer[2], MAX_PORT) if offer else None
        if offer is None or address is None or port is None:
            reason = "malformed offer"
        elif not self._welcomed:
            reason = "not a dialogue"
        elif start is None:
            reason = "begun before"
        elif address.to_bytes(4) != talk.inside_local.address:
            reason = "third party"
        if reason or offer is None or start is None or not port:
            if reason:
                self.doors.count(reason)
            return []  # port 0: the other user is asked to be called instead
        inside = Endpoint(talk.inside_local.address, port)
        opened = self.doors.open(_TCP, inside, Endpoint(ANYONE, 0), life=DCC_LIFE)
        if opened is None:
            return []
        self._offers.pop(port, None)
        self._offers[port] = opened.port
        if len(self._offers) > MAX_OFFERS:
            del self._offers[next(iter(self._offers))]
        return [
            Edit(start + offer.start(1), start + offer.end(1), b"%d" % int.from_bytes(opened.address)),
            *self._port(start, offer, opened.port, group=2),
        ]

    def _from_server(self, line: bytes, start: int | None) -> list[Edit]:
        command = _COMMAND.fullmatch(line)
        if command is None:
            return []
        if command[1] == _WELCOME:
            if not self._begun:
                return self._end("not a dialogue")
            self._welcomed = True
        if command[1].upper() != b"PRIVMSG" or not (resume := _RESUME.fullmatch(line)):
            return []
        self.doors.count("message")
        port = number(resume[1], MAX_PORT)
        inside = next((inside for inside, shown in self._offers.items() if shown == port), None)
        return self._port(start, resume, inside)

    def _port(
        self, start: int | None, match: re.Match[bytes], port: int | None, *, group: int = 1
    ) -> list[Edit]:
        """The edit of a port, unless it stays or is nobody's."""
        if port is None or b"%d" % port == match[group]:
            return []
        if start is None:
            self.doors.count("begun before")
            return []
        return [Edit(start + match.start(group), start + match.end(group), b"%d" % port)]

    def context(self) -> bytes:
        """Whether it is IRC, whether lines are unfinished, and the offers."""
        flags = _BEGUN * self._begun | _WELCOMED * self._welcomed
        for direction, lines in enumerate(self._lines):
            flags |= bool(lines.kept or lines.skipping) * _IN_LINE << direction
        offers = b"".join(_OFFERED.pack(inside, shown) for inside, shown in self._offers.items())
        return _FLAGS.pack(flags) + offers

    def restore(self, context: bytes) -> bool:
        """Go on; a line in the middle of which the other router stopped passes unread."""
        offers = context[_FLAGS.size :]
        if not context or len(offers) % _OFFERED.size or len(offers) > MAX_OFFERS * _OFFERED.size:
            return False
        flags = context[0]
        self._begun, self._welcomed = bool(flags & _BEGUN), bool(flags & _WELCOMED)
        for direction, lines in enumerate(self._lines):
            lines.skipping = bool(flags & _IN_LINE << direction)
        self._offers = dict(_OFFERED.iter_unpack(offers))
        return True
