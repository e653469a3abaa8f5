"""Session descriptions (SDP, RFC 4566) as they pass: media is named as the other side must call it.

Rewritten: the address of ``o=``, of ``c=`` at session and media level, the port of ``m=``, ``a=rtcp`` (RFC
3605). Only addresses of the host that speaks: media goes between the ends of the signalling (nat-behaviour.md
2.9), others are left and counted. ICE candidates are left alone, and so is ``m=`` with port 0, a rejected
stream.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from snat.translate.alg.gateway import Edit, Endpoint
from snat.translate.alg.text import ADDRESS, MAX_PORT, dotted, number, packed

MAX_MEDIA = 8
"""Streams of one description; more are left alone."""
ROOM = 256
"""More than all edits of one description add: ``o=``, ``c=``, and for each of MAX_MEDIA 22 bytes."""

_ORIGIN = re.compile(rb"o=[^\r\n]*? IN IP4 (" + ADDRESS + rb")[ \t]*\r?\n?")
_CONNECTION = re.compile(rb"c=IN IP4 (" + ADDRESS + rb")[ \t]*\r?\n?")
_MEDIA = re.compile(rb"m=\S{1,32} ([0-9]{1,5})(/[0-9]{1,5})? (\S{1,32})(?: [^\r\n]*)?\r?\n?")
_RTCP = re.compile(rb"a=rtcp:([0-9]{1,5})(?: IN IP4 (" + ADDRESS + rb"))?[ \t]*\r?\n?")
_READ = (b"o=", b"c=", b"m=", b"a=rtcp:")
_HELD = bytes(4)  # c=0.0.0.0: on hold (RFC 3264 section 8.4)
_FILL = b"a=x-nat:"

Opening = Callable[[int, bool], Endpoint | None]
"""Expect media at this port (and its successor) of the host that speaks; None: refused."""


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes
    start: int

    def group(self, match: re.Match[bytes], group: int, text: bytes) -> Edit:
        """The edit that makes a group of a match with this line another text."""
        return Edit(self.start + match.start(group), self.start + match.end(group), text)


class Description:
    """One description, from the host that calls itself ``own`` to one that calls it ``shown``."""

    def __init__(self, own: bytes, shown: bytes, opening: Opening, count: Callable[[str], None]) -> None:
        self.own = own
        self.shown = shown
        self._opening = opening
        self._count = count
        self._broken_off = b""
        """The first bytes of a line that began in earlier bytes and has not ended."""
        self._origin_seen = self._session_seen = False
        self._connected = self._reported = False
        """``c=`` and ``a=rtcp`` of the current stream have come; each is edited once."""
        self._session: bytes | None = None
        """The address of the session; None: not known (yet)."""
        self._media = 0
        self._port = 0
        """Of the current stream, as the speaker says it; 0: not opened."""
        self._opened: Endpoint | None = None

    def read(self, data: bytes, start: int, end: int, *, ends: bool) -> list[Edit]:
        """The edits of the next part of the description, ``data[start:end]``; ``ends``: the last one."""
        sections: list[list[_Line]] = [[]]
        for line in self._lines(data, start, end, ends=ends):
            if line.text.startswith(b"m="):
                sections.append([])
            sections[-1].append(line)
        head, *media = sections
        in_session = self._media == 0
        edits: list[Edit] = []
        if in_session:
            self._note_session(head)
        else:
            edits += self._continued(head)
        refused = opened = False
        for lines in media:
            these, was_opened = self._stream(lines)
            edits += these
            opened |= was_opened is True
            refused |= was_opened is False
        if in_session:
            edits = self._session_edits(head, keep=refused and not opened) + edits
        return edits

    def _lines(self, data: bytes, start: int, end: int, *, ends: bool) -> list[_Line]:
        """The lines of interest that are here from their first byte to their last."""
        lines: list[_Line] = []
        at = start
        while at < end:
            following = data.find(b"\n", at, end) + 1 or end
            text = data[at:following]
            whole = text.endswith(b"\n") or ends
            if self._broken_off or not whole:
                self._broken_off += text[: max(0, 7 - len(self._broken_off))]
                if whole:
                    self._missed(self._broken_off)
                    self._broken_off = b""
            elif text.startswith(_READ):
                lines.append(_Line(text, at))
            at = following
        return lines

    def _missed(self, beginning: bytes) -> None:
        """A line that was not here as a whole is left alone; what it says is not known."""
        if not beginning.startswith(_READ):
            return
        self._count("begun before")
        if beginning.startswith(b"m="):
            self._next_stream()
        elif beginning.startswith(b"c=") and self._media == 0:
            self._session = None

    def _next_stream(self) -> None:
        self._media += 1
        self._port, self._opened = 0, None
        self._connected = self._reported = False

    def _note_session(self, lines: list[_Line]) -> None:
        for line in lines:
            if (match := _CONNECTION.fullmatch(line.text)) and not self._session_seen:
                self._session = packed(match[1])
                break

    def _session_edits(self, lines: list[_Line], *, keep: bool) -> list[Edit]:
        """The edits of ``o=`` and ``c=``; ``keep``: the media was refused, so ``c=`` stays."""
        edits: list[Edit] = []
        for line in lines:
            if match := _ORIGIN.fullmatch(line.text):
                if not self._origin_seen:
                    edits += self._address(line, match, 1)
                self._origin_seen = True
            elif (match := _CONNECTION.fullmatch(line.text)) and not self._session_seen:
                self._session_seen = True
                if not keep:
                    edits += self._address(line, match, 1)
        return edits

    def _address(self, line: _Line, match: re.Match[bytes], group: int) -> list[Edit]:
        if packed(match[group]) != self.own or self.shown == self.own:
            return []
        return [line.group(match, group, dotted(self.shown))]

    def _stream(self, lines: list[_Line]) -> tuple[list[Edit], bool | None]:
        """The edits of an ``m=`` line and those after it; whether it was opened (None: no need)."""
        self._next_stream()
        match = _MEDIA.fullmatch(lines[0].text)
        if match is None or (port := number(match[1], MAX_PORT - 1)) is None:
            self._count("malformed media")
            return [], False
        connection = next(
            ((line, found) for line in lines if (found := _CONNECTION.fullmatch(line.text))), None
        )
        address = packed(connection[1][1]) if connection else self._session
        edits: list[Edit] = []
        if not port:
            return (self._address(*connection, 1) if connection else []), None
        if not self._plausible(match, address):
            return [], None if address == _HELD else False
        pair = b"RTP/" in match[3].upper() and not self._rtcp_elsewhere(lines, port)
        opened = self._opening(port, pair)
        if opened is None:
            return [], False
        self._port, self._opened = port, opened
        if opened.port != port:
            edits.append(lines[0].group(match, 1, b"%d" % opened.port))
        return edits + self._continued(lines), True

    def _plausible(self, match: re.Match[bytes], address: bytes | None) -> bool:
        """Whether a stream may be opened; what may not is counted by its reason."""
        reason = ""
        if self._media > MAX_MEDIA:
            reason = "too many media"
        elif address is None:
            reason = "unknown address"
        elif address != self.own:
            reason = "" if address == _HELD else "third party"
        elif match[2] and match[2] != b"/1":
            reason = "several ports"
        elif match[3].upper().startswith(b"TCP"):
            reason = "media over tcp"
        else:
            return True
        if reason:
            self._count(reason)
        return False

    @staticmethod
    def _rtcp_elsewhere(lines: list[_Line], port: int) -> bool:
        """Whether the speaker receives RTCP on another port than the next one (RFC 3605)."""
        found = (_RTCP.fullmatch(line.text) for line in lines)
        return any(match is not None and number(match[1], MAX_PORT) != port + 1 for match in found)

    def _continued(self, lines: list[_Line]) -> list[Edit]:
        """The edits of the lines after an ``m=`` line."""
        edits: list[Edit] = []
        if self._opened is None:
            return edits
        for line in lines:
            if (match := _CONNECTION.fullmatch(line.text)) and not self._connected:
                self._connected = True
                edits += self._address(line, match, 1)
            elif (match := _RTCP.fullmatch(line.text)) and not self._reported:
                self._reported = True
                edits += self._rtcp(line, match, self._opened)
        return edits

    def _rtcp(self, line: _Line, match: re.Match[bytes], opened: Endpoint) -> list[Edit]:
        port = number(match[1], MAX_PORT)
        if port is None or (match[2] and packed(match[2]) != self.own):
            self._count("third party")
            return []
        if port == self._port + 1:
            shown = opened.port + 1
        elif port == self._port:
            shown = opened.port  # one port for both (RFC 5761)
        elif (alone := self._opening(port, False)) is not None:
            shown = alone.port
        else:
            return []
        edits = [line.group(match, 1, b"%d" % shown)] if shown != port else []
        return edits + (self._address(line, match, 2) if match[2] else [])


def filling(size: int, *, after_line: bool) -> bytes:
    """Text of ``size`` bytes that ends a description and says nothing: an unknown attribute is ignored.

    (RFC 4566 section 5.13.) ``after_line``: what it follows ends with a line end.
    """
    start = (b"" if after_line else b"\r\n") + _FILL
    zeros = size - len(start) - 2
    return start + b"0" * zeros + b"\r\n" if zeros >= 0 else b"\n" * size
