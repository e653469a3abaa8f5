"""The target ``texts``: any bytes, in any segments of both directions, to the SIP, RTSP and IRC gateways.

An input begins with a byte that says which gateway and which conversation. Then come segments: a control byte
(the direction; whether another router takes over first), a length, and the bytes. What must hold: nothing
raises; edits are in order and inside of what was given; what is stored is bounded, and so is the context, by
which another router always goes on; only the inside host is opened, and no port below 1024.
"""

import random
from collections.abc import Hashable, Sequence
from struct import Struct
from typing import Final

from tests.fuzz.script import Script
from tests.translate.alg.doors import INSIDE, FakeDoors, edited
from tests.translate.alg.test_text_random import KINDS, Kind

_SEGMENT: Final = Struct("!BH")
FROM_OUTSIDE, TAKEOVER = 1, 6
"""Of the control byte: the lowest bit; with both others of these, another router is first."""
_KINDS: Final = tuple(KINDS.values())
_LONGEST: Final = 65535


def texts(data: bytes) -> Hashable:
    """One conversation."""
    script = Script(data)
    first = script.byte()
    kind, doors = _KINDS[first % len(_KINDS)], FakeDoors()
    talk = kind.talks[first // len(_KINDS) % len(kind.talks)]
    gateway = kind.make(talk, doors)
    grown = 0
    while script and not gateway.ended:
        control, length = script.byte(), script.integer(16)
        segment = script.take(length)
        if control & TAKEOVER == TAKEOVER:
            context, gateway = gateway.context(), kind.make(talk, doors)
            assert gateway.restore(context)
        if segment and not gateway.ended:
            left = edited(segment, list(gateway.take(bool(control & FROM_OUTSIDE), segment)))
            grown += len(left) - len(segment)
        assert gateway.held <= kind.most
        assert len(gateway.context()) <= 256
    assert all(door.inside.address == INSIDE and door.inside.port >= 1024 for door in doors.opened)
    told = frozenset((what, min(count, 3)) for what, count in doors.counted.items())
    return first % len(_KINDS), told, gateway.ended, min(len(doors.opened), 4), (grown > 0) - (grown < 0)


def conversations() -> list[bytes]:
    """For each gateway what it reads, one text a segment, from inside, from outside, and in turn."""
    made: list[bytes] = []
    for number, kind in enumerate(_KINDS):
        for directions in ((0,), (FROM_OUTSIDE,), (0, FROM_OUTSIDE)):
            head = bytes((number + len(_KINDS) * (directions == (FROM_OUTSIDE,)),))
            made.append(head + _segments(kind.texts, directions))
    return made


def spoken(dice: random.Random) -> bytes:
    """A new conversation: some texts of a gateway, some of them in pieces."""
    first = dice.randrange(256)
    kind: Kind = _KINDS[first % len(_KINDS)]
    pieces: list[bytes] = []
    for _ in range(dice.randint(1, 8)):
        text = dice.choice(kind.texts)
        at = dice.randrange(len(text) + 1) if dice.random() < 0.4 else len(text)
        pieces += [text[:at], text[at:]]
    directions = [dice.randrange(8) for _ in pieces]
    return bytes((first,)) + _segments([piece for piece in pieces if piece], directions)


def _segments(pieces: Sequence[bytes], controls: Sequence[int]) -> bytes:
    return b"".join(
        _SEGMENT.pack(controls[at % len(controls)], len(piece[:_LONGEST])) + piece[:_LONGEST]
        for at, piece in enumerate(pieces)
    )
