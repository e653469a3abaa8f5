"""Damage: what a stream becomes on its way from somebody who means harm, or has a bug."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from snat.wire import items as codec
from snat.wire.errors import WireError
from snat.wire.framing import Framing
from snat.wire.header import MAXIMUM_MESSAGE, SIZE, encode

MOST: Final = 1 << 18
"""Bytes of an input; several times the longest message."""
_EXTREMES: Final = (0, 1, 2, SIZE - 1, SIZE, SIZE + 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000)

Damage = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def mutated(dice: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """One input made from another by a few kinds of damage."""
    for _ in range(dice.choice((1, 1, 2, 3, 6))):
        data = dice.choice(DAMAGE)(dice, data, corpus)[:MOST]
    return data


def _flip(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _each in range(dice.choice((1, 1, 1, 4))):
        if changed:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _set(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A byte, or a field of 2, 4 or 8, becomes an extreme."""
    width = dice.choice((1, 1, 2, 4, 8))
    at = dice.randrange(len(data) + 1)
    value = dice.choice((*_EXTREMES, (1 << 8 * width) - 1)) % (1 << 8 * width)
    return data[:at] + value.to_bytes(width, "big") + data[at + width :]


def _truncate(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _piece(dice: random.Random, data: bytes) -> tuple[int, int]:
    begin = dice.randrange(len(data) + 1)
    return begin, min(len(data), begin + dice.choice((1, 4, 12, 32, 60, 300)))


def _delete(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _piece(dice, data)
    return data[:begin] + data[end:]


def _duplicate(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _piece(dice, data)
    return data[:end] + data[begin:end] * dice.choice((1, 1, 2, 50)) + data[end:]


def _splice(dice: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """The beginning of one input and the end of another."""
    other = dice.choice(corpus)
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


def _insert(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.randbytes(dice.choice((1, 2, 8, 40))) + data[at:]


def _follow(dice: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = dice.choice(corpus)
    return data + other if dice.random() < 0.5 else other + data


def _rearrange(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Items of one message in another order, left out or twice; its lengths stay true."""
    framing = Framing()
    framing.feed(data)
    try:
        messages = list(framing.messages())
        chosen = dice.randrange(len(messages)) if messages else 0
        parts = [data[:0]]
        for number, message in enumerate(messages):
            body = message.body
            if number == chosen:
                body = b"".join(_shuffled(dice, list(_cut(body))))[: MAXIMUM_MESSAGE - SIZE]
            parts.append(encode(body, message.feed, message.term, message.sequence, message.flags))
    except WireError:
        return data
    return b"".join(parts) + data[len(data) - framing.pending :]


def _cut(body: bytes) -> Sequence[bytes]:
    cut, at = [], 0
    for _, _, data in codec.items(body):
        cut.append(body[at : at + 4 + len(data)])
        at += 4 + len(data)
    return cut


def _shuffled(dice: random.Random, parts: list[bytes]) -> list[bytes]:
    match dice.randrange(4):
        case 0:
            dice.shuffle(parts)
        case 1 if parts:
            parts.pop(dice.randrange(len(parts)))
        case 2 if parts:
            parts += [dice.choice(parts)] * dice.choice((1, 2, 200))
        case _:
            parts.reverse()
    return parts


def _lie(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A length in the first message's header, or in its first item, that is not so."""
    at, width = dice.choice(((2, 2), (4, 4), (SIZE + 2, 2)))
    true = int.from_bytes(data[at : at + width], "big")
    false = dice.choice((*_EXTREMES, true - 1, true + 1, true + SIZE)) % (1 << 8 * width)
    return data[:at] + false.to_bytes(width, "big") + data[at + width :]


DAMAGE: Final[Sequence[Damage]] = (
    _flip,
    _set,
    _truncate,
    _delete,
    _duplicate,
    _splice,
    _insert,
    _follow,
    _rearrange,
    _lie,
)
