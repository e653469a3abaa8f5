"""Messages of SIP and RTSP as they pass: a start line, header fields, a body as long as Content-Length says.

RFC 3261 section 7, RFC 2326 sections 4 to 6. Nothing is held back: what of a message is in the bytes just
given is a :class:`Portion`; a header field that began in bytes that have passed is read but marked as not
``fresh``. A reader that cannot say where the next message begins is ``broken``: whoever goes on guessing
reads a web page's form as signalling (nat-behaviour.md 2.9).
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from snat.translate.alg.text import number

MAX_LINE = 4096
"""Bytes of a line with its end."""
MAX_HEAD = 16384
"""Bytes of a start line and all header fields."""
MAX_BODY = 1 << 20
"""Bytes that Content-Length may promise; they are counted, not stored."""
MAX_SAID = 256
"""Bytes stored of a header field's value."""

LENGTH = b"content-length"
_TYPE = b"content-type"
_FRAME = 0x24  # "$", RFC 2326 section 10.12
_FRAME_HEAD = 4

_STATE = struct.Struct("!BBIH")
_REST, _HEAD, _BODY, _LOST = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """In what the two protocols differ."""

    version: bytes
    compact: Mapping[bytes, bytes]
    """Short names of header fields and what they stand for, in lower case."""
    said: frozenset[bytes]
    """The header fields whose first value is stored with the message."""
    framed: bool = False
    """Binary frames may stand between messages (interleaved media)."""

    def start(self, line: bytes) -> "Message | None":
        """The message that a line begins; None: it begins none."""
        version = re.escape(self.version)
        if request := re.fullmatch(rb"([A-Z][A-Z_]{0,31}) ([!-~]{1,2048}) " + version, line):
            return Message(method=request[1])
        if status := re.fullmatch(version + rb" ([1-6][0-9][0-9])(?: [^\x00]*)?", line):
            return Message(status=int(status[1]))
        return None


@dataclass(slots=True, kw_only=True)
class Message:
    """What is remembered of a message while it passes."""

    method: bytes = b""
    """Of a request; empty: a response."""
    status: int = 0
    length: int | None = None
    """What Content-Length said."""
    left: int = 0
    """Bytes of the body that have not come yet."""
    room: int = 0
    """Bytes that the body was said to be longer, and that edits have not used yet."""
    unread: bool = False
    """The body passes as it is."""
    said: dict[bytes, bytes] = field(default_factory=dict)
    size: int = 0
    last: bytes = b""
    """The header field before the next line, which may continue it."""

    @property
    def content_type(self) -> bytes:
        """The media type in lower case without parameters."""
        return self.said.get(_TYPE, b"").partition(b";")[0].strip().lower()


@dataclass(slots=True, kw_only=True)
class Field:
    """A header field; its value is ``data[start:end]`` when it is fresh."""

    name: bytes
    value: bytes
    start: int
    end: int
    fresh: bool
    """All of it is in the bytes just given."""


@dataclass(slots=True, kw_only=True)
class Portion:
    """What of one message is in the bytes just given."""

    message: Message
    start_line: tuple[int, int] | None = None
    """Where the start line is, if all of it is here."""
    fields: list[Field] = field(default_factory=list)
    head_ends: bool = False
    """The header fields are complete with this portion."""
    body: tuple[int, int] = (0, 0)
    ends: bool = False
    """The message is complete with this portion."""


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes
    start: int
    fresh: bool


class Reader:
    """One direction of a stream, or one datagram."""

    def __init__(self, syntax: Syntax, *, datagram: bool = False) -> None:
        self.syntax = syntax
        self.datagram = datagram
        self.broken = ""
        """Why this is not read on, in a few words."""
        self.message: Message | None = None
        """The message in the middle of which the bytes ended."""
        self.began = False
        """A message has begun at some time."""
        self._in_body = False
        self._kept = b""
        self._frame_left = 0
        self._at = 0

    @property
    def resting(self) -> bool:
        """The next byte begins a message."""
        return not (self.message or self._kept or self._frame_left or self.broken)

    @property
    def held(self) -> int:
        """Bytes stored, for whoever bounds them."""
        said = self.message.said if self.message else {}
        return len(self._kept) + sum(len(value) for value in said.values())

    def feed(self, data: bytes) -> list[Portion]:
        """Read the next bytes; what was whole before the reader broke is returned."""
        self._at = 0
        portions: list[Portion] = []
        while self._at < len(data) and not self.broken:
            if self.datagram and portions:
                break  # what follows the message in a datagram is discarded (RFC 3261 section 18.3)
            if self.message is None and self._skipped_frame(data):
                continue
            portion = self._portion(data)
            if portion is not None and not self.broken:
                portions.append(portion)
        return portions

    def _portion(self, data: bytes) -> Portion | None:
        message, start_line = self.message, None
        if message is None:
            line = self._line(data)
            if line is None or line.text == b"\r\n":
                return None  # an empty line keeps a connection alive (RFC 3261 section 7.5)
            message = self.syntax.start(line.text[:-2])
            if message is None:
                self.broken = f"not {self.syntax.version.decode()}"
                return None
            self.message, self.began, self._in_body = message, True, False
            message.size = len(line.text)
            if line.fresh:
                start_line = (line.start, self._at - 2)
        portion = Portion(message=message, start_line=start_line)
        if not self._in_body:
            self._read_head(data, portion)
        if self._in_body and not self.broken:
            self._read_body(data, portion)
        return portion

    def _read_head(self, data: bytes, portion: Portion) -> None:
        message = portion.message
        while (line := self._line(data)) is not None:
            message.size += len(line.text)
            if message.size > MAX_HEAD:
                self.broken = "long head"
                return
            if line.text == b"\r\n":
                portion.head_ends = True
                break
            if line.text[0] in b" \t":
                self._fold(line, portion)
            else:
                self._field(line, portion)
        self._note(portion)
        if not portion.head_ends or self.broken:
            return
        self._in_body = True
        message.left = message.length or 0
        if message.length is None and self.datagram:
            message.left = len(data) - self._at

    def _field(self, line: _Line, portion: Portion) -> None:
        name, colon, value = line.text[:-2].partition(b":")
        if not colon:
            self.broken = "malformed header"
            return
        name = name.rstrip(b" \t").lower()
        name = self.syntax.compact.get(name, name)
        portion.message.last = name
        start = line.start + len(line.text) - 2 - len(value)
        portion.fields.append(
            Field(name=name, value=value, start=start, end=start + len(value), fresh=line.fresh)
        )

    def _fold(self, line: _Line, portion: Portion) -> None:
        """A line that continues the field before it (RFC 3261 section 7.3.1)."""
        if portion.fields:
            last = portion.fields[-1]
            last.value += b"\r\n" + line.text[:-2]
            last.end = line.start + len(line.text) - 2
            last.fresh = last.fresh and line.fresh
        elif portion.message.last in (LENGTH, b""):
            self.broken = "malformed header"

    def _note(self, portion: Portion) -> None:
        message = portion.message
        for one in portion.fields:
            if one.name == LENGTH:
                length = number(one.value.strip(), MAX_BODY)
                if length is None or message.length not in (None, length):
                    self.broken = "content length"
                    return
                message.length = length
            if one.name in self.syntax.said:
                message.said.setdefault(one.name, one.value.strip()[:MAX_SAID])

    def _read_body(self, data: bytes, portion: Portion) -> None:
        message = portion.message
        end = min(len(data), self._at + message.left)
        portion.body = (self._at, end)
        message.left -= end - self._at
        self._at = end
        if not message.left:
            portion.ends = True
            self.message = None

    def _line(self, data: bytes) -> _Line | None:
        """The next line with its end; None: it does not end in these bytes, or the reader broke."""
        start, kept = self._at, self._kept
        end = data.find(b"\n", start) + 1
        text = kept + (data[start:end] if end else data[start:])
        if len(text) > MAX_LINE:
            self.broken = "long line"
            return None
        self._at = end or len(data)
        self._kept = b"" if end else text
        if not end:
            return None
        if not text.endswith(b"\r\n"):
            self.broken = "line end"
            return None
        return _Line(text, start - len(kept), not kept)

    def _skipped_frame(self, data: bytes) -> bool:
        """Go over (a part of) a binary frame: ``$``, channel, two bytes of length, as many of media."""
        if self._frame_left:
            skipped = min(self._frame_left, len(data) - self._at)
            self._frame_left -= skipped
            self._at += skipped
            return True
        if not self.syntax.framed or not self.began:
            return False
        if (self._kept[0] if self._kept else data[self._at]) != _FRAME:
            return False
        taken = min(_FRAME_HEAD - len(self._kept), len(data) - self._at)
        self._kept += data[self._at : self._at + taken]
        self._at += taken
        if len(self._kept) == _FRAME_HEAD:
            self._frame_left = int.from_bytes(self._kept[2:])
            self._kept = b""
        return True

    def state(self) -> bytes:
        """Where in the stream this is, in 8 bytes, for a router that takes over."""
        message, began = self.message, self.began
        if self.broken or (self._kept and (message is None or self._kept[:1].lower() in b"lc \t\r")):
            return _STATE.pack(_LOST, began, 0, 0)
        if message is None:
            return _STATE.pack(_REST, began, self._frame_left, 0)
        if self._in_body:
            return _STATE.pack(_BODY, began, message.left, message.room)
        if message.length is None:
            return _STATE.pack(_HEAD, began | bool(self._kept) << 1, 0, 0)
        return _STATE.pack(_HEAD, began | bool(self._kept) << 1, message.length + 1, message.room)

    def resume(self, state: bytes) -> bool:
        """Go on from another reader's :meth:`state`; False: it is none, or was lost itself."""
        if len(state) != _STATE.size:
            return False
        where, flags, count, room = _STATE.unpack(state)
        if where >= _LOST or count > MAX_BODY + 1 or (where == _BODY and not count):
            return False
        self.began, self.message, self._in_body = bool(flags & 1), None, where == _BODY
        self._kept, self._frame_left = b"", count if where == _REST else 0
        if where == _HEAD:
            self.message = Message(length=count - 1 if count else None, room=room, last=b"?")
            self._kept = b"?:\r" if flags & 2 else b""  # a field of no name, whose end may be cut in two
        elif where == _BODY:
            self.message = Message(left=count, room=room)
        return True


STATE_SIZE = _STATE.size
