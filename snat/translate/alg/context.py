"""The application context of an entry (Fig. 4B 462) as bytes: what a router that takes over needs to go on.

::

    | form 1 | kind 1 | name length 1 | name ... | version 1 | what the kind has ...

    read       | flags 1 | outward direction ... | inward direction ... | the gateway's own, to the end
    direction  | known 1 | next 4 | added before 4 | changes 2 | each: start 4, length 2, grows 2, text 2 + .
    expected   | life 2 | peer's port 2

``name`` and ``version`` are those of the gateway. A context of another form or kind, or of a gateway that is
not known here, is kept with its entry and passed on. A text length of 0xFFFF: the text is left out.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct
from typing import Final

from snat.nat.entry import MAXIMUM_CONTEXT
from snat.translate.alg.sequence import MOST_CHANGES, Change, Numbers, unwrap

FORM: Final = 1
READ: Final = 1
EXPECTED: Final = 2
MOST_OWN: Final = 256
"""Bytes of a gateway's own context."""
_BEGUN_INSIDE, _ENDED = 1, 2
_HEAD: Final = Struct("!BBB")
_DIRECTION: Final = Struct("!BIiH")
_CHANGE: Final = Struct("!IHhH")
_EXPECTED: Final = Struct("!HH")
_NO_TEXT: Final = 0xFFFF
_ROOM: Final = MAXIMUM_CONTEXT - MOST_OWN - 64
"""For the changes of both directions."""
_MODULUS: Final = 1 << 32


@dataclass(slots=True, kw_only=True)
class Read:
    """Of a flow that a gateway reads."""

    name: str
    version: int
    begun_inside: bool
    ended: bool = False
    """The gateway reads no more; numbers are still translated."""
    outward: Numbers = field(default_factory=Numbers)
    """What the inside host sends."""
    inward: Numbers = field(default_factory=Numbers)
    own: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Of a flow that a gateway expects."""

    name: str
    """The gateway that will read it; empty: none."""
    life: int
    """Seconds."""
    port: int
    """From which the peer must come; 0: any."""


def encode(context: Read | Expected) -> bytes:
    """The bytes, at most MAXIMUM_CONTEXT: of too many changes the oldest are left out, or their text."""
    name = context.name.encode()
    if isinstance(context, Expected):
        return _begin(EXPECTED, name, 0) + _EXPECTED.pack(context.life, context.port)
    flags = _BEGUN_INSIDE * context.begun_inside | _ENDED * context.ended
    directions = b"".join(_direction(one, _ROOM // 2) for one in (context.outward, context.inward))
    return _begin(READ, name, context.version) + bytes((flags,)) + directions + context.own[:MOST_OWN]


def decode(data: bytes) -> Read | Expected | None:
    """What it says; None: nothing, or nothing that this version understands."""
    try:
        return _decoded(data)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def _begin(kind: int, name: bytes, version: int) -> bytes:
    return _HEAD.pack(FORM, kind, len(name)) + name + bytes((version,))


def _direction(numbers: Numbers, room: int) -> bytes:
    kept: list[bytes] = []
    base = numbers.base
    for change in reversed(numbers.changes):
        text = change.text
        size = _CHANGE.size + (0 if text is None else len(text))
        if text is not None and (size > room or len(text) >= _NO_TEXT):
            text, size = None, _CHANGE.size
        if size > room or change.end - change.start > 0xFFFF or not -0x8000 <= change.grows < 0x8000:
            break
        room -= size
        head = change.start % _MODULUS, change.end - change.start, change.grows
        kept.append(_CHANGE.pack(*head, _NO_TEXT if text is None else len(text)) + (text or b""))
    base += sum(change.grows for change in numbers.changes[: len(numbers.changes) - len(kept)])
    known, following = numbers.next is not None, (numbers.next or 0) % _MODULUS
    return _DIRECTION.pack(known, following, base, len(kept)) + b"".join(reversed(kept))


def _decoded(data: bytes) -> Read | Expected | None:
    form, kind, size = _HEAD.unpack_from(data)
    if form != FORM or kind not in (READ, EXPECTED):
        return None
    at = _HEAD.size + size
    name, version = data[_HEAD.size : at].decode("ascii"), data[at]
    at += 1
    if kind == EXPECTED:
        life, port = _EXPECTED.unpack_from(data, at)
        return Expected(name=name, life=life, port=port)
    flags = data[at]
    at += 1
    directions = []
    for _ in range(2):
        numbers, at = _numbers(data, at)
        if numbers is None:
            return None
        directions.append(numbers)
    return Read(
        name=name,
        version=version,
        begun_inside=bool(flags & _BEGUN_INSIDE),
        ended=bool(flags & _ENDED),
        outward=directions[0],
        inward=directions[1],
        own=data[at:],
    )


def _numbers(data: bytes, at: int) -> tuple[Numbers | None, int]:
    known, following, base, count = _DIRECTION.unpack_from(data, at)
    at += _DIRECTION.size
    if count > MOST_CHANGES:
        return None, at
    numbers = Numbers()
    numbers.base = base
    if known:
        numbers.next = following
    changes = []
    for _ in range(count):
        start, length, grows, size = _CHANGE.unpack_from(data, at)
        at += _CHANGE.size
        text = None
        if size != _NO_TEXT:
            text, at = data[at : at + size], at + size
            if len(text) != size:
                return None, at
        if not length or length + grows < 0 or (text is not None and len(text) != length + grows):
            return None, at
        begin = unwrap(start, following)
        changes.append(Change(begin, begin + length, text, grows))
    if any(later.start < one.end for one, later in pairwise(changes)):
        return None, at
    numbers.changes = changes
    return numbers, at


def described(data: bytes) -> Iterator[str]:
    """A context in words, as ``show`` has it."""
    context = decode(data)
    if context is None:
        yield f"{len(data)} bytes that this version does not know"
    elif isinstance(context, Expected):
        yield f"expected for {context.life} s"
        yield f"from port {context.port}" if context.port else "from any port"
        if context.name:
            yield f"to be read by {context.name}"
    else:
        yield f"{context.name} version {context.version}"
        yield "begun " + ("inside" if context.begun_inside else "outside")
        yield f"outward {context.outward.shift:+d}, inward {context.inward.shift:+d} bytes"
        if context.ended:
            yield "read no more"
