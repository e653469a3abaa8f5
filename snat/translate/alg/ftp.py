"""FTP (RFC 959, RFC 2428): the control connection names the ends of data connections.

``PORT`` and ``EPRT`` name an end of the client, the replies 227 and 229 one of the server. Where that host is
inside, the end is opened to the other one and named as the outside knows it; nothing else is ever opened. A
web page can make a browser say FTP commands to anybody (NAT slipstreaming), so there must be a dialogue
before: the server greets first, the client's first word is one of FTP, somebody logs in. What begins in one
segment and goes on in another is followed, and neither edited nor opened.
"""

import re
from collections.abc import Sequence
from struct import Struct
from typing import ClassVar, Final, NamedTuple

from snat.nat.tracking import TCP
from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint, Gateway

LIFE: Final = 60.0
"""Seconds until the data connection must have come."""
LONGEST: Final = 512
"""Bytes of a line that are looked at; longer lines pass."""
_WORDS: Final = frozenset(
    b"ABOR ACCT ADAT ALLO APPE AUTH AVBL CCC CDUP CLNT CONF COMB CSID CWD DELE DSIZ ENC EPRT EPSV FEAT HASH "
    b"HELP HOST LANG LIST LPRT LPSV MDTM MFCT MFF MFMT MIC MKD MLSD MLST MODE NLST NOOP OPTS PASS PASV PBSZ "
    b"PORT PROT "
    b"PWD QUIT RANG REIN REST RETR RMD RNFR RNTO SITE SIZE SMNT SPSV STAT STOR STOU STRU SYST THMB TYPE USER "
    b"XCUP XCRC XMD5 XMKD XPWD XRMD XSHA XSHA1 XSHA256".split()
)
_NUMBERS: Final = rb"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})"
_PORT: Final = re.compile(rb"[Pp][Oo][Rr][Tt] +(" + _NUMBERS + rb") *\r\n").fullmatch
_EPRT: Final = re.compile(
    rb"[Ee][Pp][Rr][Tt] +(([!-~])1\2(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\2(\d{1,5})\2) *\r\n"
).fullmatch
_PASV_REPLY: Final = re.compile(rb"227 [^0-9]*(" + _NUMBERS + rb")(?:[^0-9,][^\r\n]*)?\r\n").fullmatch
_EPSV_REPLY: Final = re.compile(rb"229 [^(]*\(([!-~])\1\1(\d{1,5})\1\)[^\r\n]*\r\n").fullmatch
_REPLY: Final = re.compile(rb"(\d\d\d)([ -])").match
_TELNET: Final = re.compile(rb"(?:\xff[\xfb-\xfe].|\xff[\xf0-\xfa]|\xff\xff)+", re.DOTALL).match
"""Commands of Telnet, which RFC 959 allows before ABOR."""
_GREETED, _NAMED, _LOGGED_IN, _SECURING, _ONLY_EPSV, _PASV, _EPSV, _CLIENT_MID, _SERVER_MID = (
    1 << bit for bit in range(9)
)
_CONTEXT: Final = Struct("!HH")
"""Flags, and the code of a reply of several lines."""


class _Named(NamedTuple):
    """A line names an end of a data connection."""

    place: Endpoint
    """Address empty: that of the control connection."""
    start: int
    end: int
    """Where in the line."""
    bars: bytes
    """What is between the fields of ``EPRT`` and 229; empty: it is commas and six numbers."""


class Ftp(Gateway):
    """One control connection."""

    name: ClassVar[str] = "ftp"

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        self._flags = 0
        self._multiline = 0
        """Code of a reply of several lines that goes on; 0: of none."""
        self._lines: dict[bool, bytes | None] = {True: b"", False: b""}
        """By from_client: the line that has begun; None: one that nobody here saw the beginning of."""
        self._opened: Endpoint | None = None

    def take(self, from_outside: bool, data: bytes) -> Sequence[Edit]:
        """Read on in one direction."""
        from_client = from_outside is not self.conversation.begun_inside
        edits: list[Edit] = []
        at = 0
        while at < len(data) and not self.ended:
            end = data.find(b"\n", at) + 1
            if not end:
                self._begin(from_client, data[at:])
                break
            begun, self._lines[from_client] = self._lines[from_client], b""
            self._flags &= ~_mid(from_client)
            if begun is not None:
                named = self._line(from_client, begun + data[at : min(end, at + LONGEST + 1)])
                if named is not None and begun:
                    self.doors.count("command in several segments")
                elif named is not None:
                    edits += self._rename(named, from_client, at)
            at = end
        return edits

    def context(self) -> bytes:
        """How far the dialogue is."""
        return _CONTEXT.pack(self._flags, self._multiline)

    def restore(self, context: bytes) -> bool:
        """Go on at the beginning of a line, or skip the rest of one."""
        if len(context) != _CONTEXT.size:
            return False
        self._flags, self._multiline = _CONTEXT.unpack(context)
        self._lines = {one: None if self._flags & _mid(one) else b"" for one in (True, False)}
        return True

    # Lines

    def _begin(self, from_client: bool, rest: bytes) -> None:
        """The first part of a line, or a further one that is not the last."""
        begun = self._lines[from_client]
        if begun is not None:
            self._lines[from_client] = (begun + rest)[: LONGEST + 1]
        self._flags |= _mid(from_client)
        if from_client and not self._flags & _GREETED:
            self._end("client spoke before the server")

    def _line(self, from_client: bool, line: bytes) -> _Named | None:
        """A line with its end: what it names."""
        self.doors.count("message")
        if len(line) > LONGEST:
            self.doors.count("line too long")
            return None
        return self._command(line) if from_client else self._reply(line)

    def _end(self, why: str) -> None:
        self.doors.count(why)
        self.ended = True

    def _malformed(self) -> _Named | None:
        self.doors.count("malformed")
        return None

    # What the client says

    def _command(self, line: bytes) -> _Named | None:
        telnet = _TELNET(line)
        skipped = telnet.end() if telnet else 0
        words = line[skipped:].split()
        word = words[0].upper() if words else b""
        if not self._flags & _GREETED:
            self._end("client spoke before the server")
        elif word not in _WORDS:
            self._unknown(word)
        elif word == b"USER":
            self._flags |= _NAMED
        elif word == b"AUTH":
            self._flags |= _SECURING
        elif word == b"EPSV" and b"ALL" in [one.upper() for one in words[1:2]]:
            self._flags |= _ONLY_EPSV
        elif word in (b"PASV", b"EPSV"):
            self._flags &= ~(_PASV | _EPSV)
            if self._may_connect(word):
                self._flags |= _PASV if word == b"PASV" else _EPSV
        elif word in (b"PORT", b"EPRT") and self._may_connect(word):
            named = self._port(line, skipped) if word == b"PORT" else self._eprt(line, skipped)
            return named or self._malformed()
        return None

    def _unknown(self, word: bytes) -> None:
        """Clients may try what we have not heard of; but not begin with it, and not speak of the web."""
        if not self._flags & _NAMED or b"/" in word or word in (b"GET", b"POST", b"PUT", b"HEAD"):
            self._end("not FTP")
        else:
            self.doors.count("unknown command")

    def _may_connect(self, word: bytes) -> bool:
        if not self._flags & _LOGGED_IN:
            self.doors.count("before login")
        elif self._flags & _ONLY_EPSV and word != b"EPSV":
            self.doors.count("after EPSV ALL")
        else:
            return True
        return False

    def _port(self, line: bytes, skipped: int) -> _Named | None:
        found = _PORT(line, skipped)
        place = _place(found.groups()[1:]) if found else None
        return _Named(place, *found.span(1), b"") if found and place else None

    def _eprt(self, line: bytes, skipped: int) -> _Named | None:
        found = _EPRT(line, skipped)
        if found is None or int(found[7]) > 0xFFFF:
            return None
        port = int(found[7])
        place = _place((*found.groups()[2:6], b"%d" % (port >> 8), b"%d" % (port & 0xFF)))
        return _Named(place, *found.span(1), found[2]) if place else None

    # What the server says

    def _reply(self, line: bytes) -> _Named | None:
        found = _REPLY(line)
        code, last = (int(found[1]), found[2] == b" ") if found else (0, False)
        if self._multiline:
            if not last or code != self._multiline:
                return None
            self._multiline = 0
            return self._replied(code, b"")
        if found is None:
            if not self._flags & _GREETED:
                self._end("no greeting")
            else:
                self._malformed()
            return None
        if not last:
            self._multiline = code
            return None
        return self._replied(code, line)

    def _replied(self, code: int, line: bytes) -> _Named | None:
        """A whole reply; of one of several lines, nothing is looked for."""
        flags = self._flags
        if not flags & _GREETED:
            if code == 220:
                self._flags |= _GREETED
            elif code != 120:  # it will be ready in some minutes
                self._end("no greeting")
            return None
        if flags & _SECURING:
            self._flags &= ~_SECURING
            if code in (234, 334, 335):
                self._end("encrypted")
                return None
        if code in (230, 232) and flags & _NAMED:
            self._flags |= _LOGGED_IN
        elif code == 220:  # REIN
            self._flags &= ~(_LOGGED_IN | _NAMED)
        if code < 200:
            return None
        self._flags &= ~(_PASV | _EPSV)
        if code == 227:
            return self._passive(line) if flags & _PASV else self._unasked()
        if code == 229:
            return self._extended(line) if flags & _EPSV else self._unasked()
        return None

    def _unasked(self) -> _Named | None:
        self.doors.count("reply to nothing")
        return None

    def _passive(self, line: bytes) -> _Named | None:
        found = _PASV_REPLY(line)
        place = _place(found.groups()[1:]) if found else None
        return _Named(place, *found.span(1), b"") if found and place else self._malformed()

    def _extended(self, line: bytes) -> _Named | None:
        found = _EPSV_REPLY(line)
        if found is None or int(found[2]) > 0xFFFF:
            return self._malformed()
        start, end = found.start(1), found.end(2) + 1
        return _Named(Endpoint(b"", int(found[2])), start, end, found[1])

    # What is written otherwise

    def _rename(self, named: _Named, from_client: bool, at: int) -> list[Edit]:
        """The edit of a line that begins ``at``: an inside host's end is opened, an outside one's renamed."""
        by_inside = from_client is self.conversation.begun_inside
        other = self._opened_to_peer(named.place) if by_inside else self._known_inside(named.place)
        if other is None or other == named.place:
            return []
        self.doors.count("edit")
        return [Edit(at + named.start, at + named.end, _text(other, named))]

    def _opened_to_peer(self, place: Endpoint) -> Endpoint | None:
        conversation = self.conversation
        inside = place
        if place.address in (b"", conversation.inside_global.address):  # a server may know how it is called
            inside = Endpoint(conversation.inside_local.address, place.port)
        if self._opened is not None and self._opened != inside:
            self.doors.close(TCP, self._opened)
        peer = Endpoint(conversation.outside_global.address, 0)
        self._opened = inside
        return self.doors.open(TCP, inside, peer, life=LIFE)

    def _known_inside(self, place: Endpoint) -> Endpoint | None:
        """An end of the outside host itself, by the address that inside hosts have for it."""
        if place.address == self.conversation.outside_global.address:
            return Endpoint(self.conversation.outside_local.address, place.port)
        if place.address:
            self.doors.count("address of another host")
        return None


def _mid(from_client: bool) -> int:
    return _CLIENT_MID if from_client else _SERVER_MID


def _place(numbers: Sequence[bytes]) -> Endpoint | None:
    """Four numbers of an address and two of a port; None: one is none of a byte."""
    values = [int(number) for number in numbers]
    if any(value > 255 for value in values):
        return None
    return Endpoint(bytes(values[:4]), values[4] << 8 | values[5])


def _text(place: Endpoint, named: _Named) -> bytes:
    """An end as the line has it."""
    address, bars = tuple(place.address), named.bars
    if not bars:
        return b"%d,%d,%d,%d,%d,%d" % (*address, place.port >> 8, place.port & 0xFF)
    if not named.place.address:
        return bars * 3 + b"%d" % place.port + bars
    return bars + b"1" + bars + b"%d.%d.%d.%d" % address + bars + b"%d" % place.port + bars
