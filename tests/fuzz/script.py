"""Bytes as choices: any input of a target means something, and a small change of it means something else."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from snat.nat.entry import MAXIMUM_CONTEXT, REFERENCE, Entry
from snat.wire import items as codec
from snat.wire.actions import Action, Applied, Authenticate, Error, Hears, Hint, Unit
from snat.wire.header import MAXIMUM_MESSAGE, Feed, Position, Term, encode

T = TypeVar("T")

MAPPING: Final = 10
_BITS: Final = {"B": 8, "H": 16, "I": 32, "Q": 64}
_TEXTS: Final = ("", "told you so", "\x1b[2J", "\N{SNOWMAN}" * 60, "x" * 200)


class Script:
    """The choices that an input makes; at its end every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def byte(self) -> int:
        return (self.take(1) or b"\0")[0]

    def integer(self, bits: int) -> int:
        return int.from_bytes(self.take(bits // 8), "big")

    def choice(self, of: Sequence[T]) -> T:
        return of[self.byte() % len(of)]


class Speaker:
    """Says what a neighbor could say, by the layouts that :mod:`snat.wire.actions` declares.

    What it is given are values that mean something now: they are chosen more often than any others.
    """

    def __init__(
        self,
        script: Script,
        *,
        feeds: Sequence[Feed] = (Feed(0, MAPPING),),
        positions: Sequence[Position] = (Position(Term(3, 1), 5),),
        numbers: Sequence[int] = (),
        records: Sequence[bytes] = (),
    ) -> None:
        self._script = script
        self._feeds = feeds
        self._positions = positions
        self._numbers = (*numbers, 0, 1, 2)
        self._records = records

    # Fields

    def integer(self, bits: int) -> int:
        """An integer of a field: one that means something, an extreme, or any."""
        highest = (1 << bits) - 1
        match self._script.byte() % 8:
            case 0:
                return self._script.integer(bits)
            case 1:
                return self._script.choice((highest, highest - 1, highest >> 1, 1 << bits - 1))
            case _:
                return self._script.choice(self._numbers) & highest

    def feed(self) -> Feed:
        strange = self._script.byte() % 16 == 1
        return Feed(self.integer(32), self.integer(32)) if strange else self._script.choice(self._feeds)

    def position(self) -> Position:
        """Where something is, the next, the one before, another term; or anywhere."""
        term, sequence = self._script.choice(self._positions)
        match self._script.byte() % 16:
            case 1:
                return Position(Term(self.integer(32), self.integer(32)), self.integer(64))
            case 2:
                return Position(Term(min(term.number + 1, 0xFFFFFFFF), term.nat_id), 0)
            case 3:
                return Position(term, max(sequence - 1, 0))
            case 4:
                return Position(term, self.integer(64))
            case 5 | 6 | 7 | 8 | 9:
                return Position(term, min(sequence + 1, (1 << 64) - 1))
            case _:
                return Position(term, sequence)

    def value(self, kind: type[Any], layout: str) -> Any:
        """A NamedTuple of any kind; ``layout`` has the struct codes of its plain fields, nested ones too."""
        return self._value(kind, iter(layout.lstrip("!")))

    def _value(self, kind: type[Any], codes: Iterator[str]) -> Any:
        return kind(*(self._field(of, codes) for of in kind.__annotations__.values()))

    def _field(self, of: type[Any], codes: Iterator[str]) -> Any:
        if of is str:
            return self._script.choice(_TEXTS)
        if of is bytes:
            return self._script.choice((b"", self.record()[REFERENCE]))
        if of is int:
            return self.integer(_BITS[next(codes)])
        chosen: dict[type[Any], Any] = {Feed: self.feed, Position: self.position}
        count = {Feed: 2, Term: 2, Position: 3}[of]
        for _ in range(count):
            next(codes)
        return self.position().term if of is Term else chosen[of]()

    # Items

    def record(self) -> bytes:
        """A record: one that is there, one that differs in a few bytes, or a new one."""
        known = bytearray(self._script.choice(self._records)) if self._records else _new(self._script)
        for _ in range(self._script.byte() % 4):
            known[self._script.byte() % len(known)] = self._script.byte()
        match self._script.byte() % 16:
            case 1:
                return bytes(_new(self._script))
            case 2:
                return bytes(known[:45] + bytes(self._script.integer(16) % MAXIMUM_CONTEXT) + known[-4:])
            case _:
                return bytes(known)

    def change(self) -> bytes:
        """An item among changes, nearly always of a length that is right."""
        action = self._script.choice([one for one in Action if not _is_control(one)])
        if action in (Action.ADD, Action.UPDATE):
            return codec.item(action, self.record())
        if action is Action.DELETE:
            return codec.item(action, self.record()[REFERENCE])
        return codec.item(action, b"")

    def control(self) -> bytes:
        """Any other item."""
        action = self._script.choice([one for one in Action if _is_control(one)])
        if action in codec.LAYOUTS:
            kind, layout = codec.LAYOUTS[action]
            said: bytes = codec.control(self.value(kind, layout.format))
            return said
        if action is Action.KEEPALIVE:
            count = self._script.byte() % 5
            return codec.keepalive([self.value(Applied, codec.APPLIED.format) for _ in range(count)])
        if action is Action.HINT:
            return codec.hints([self.hint() for _ in range(self._script.byte() % 5)])
        if action is Action.HEARS:
            return codec.hears(Hears(tuple(self.integer(32) for _ in range(self._script.byte() % 5))))
        if action is Action.PROMPT:
            return codec.prompt()
        if action is Action.ERROR:
            return codec.error(self.value(Error, codec.ERROR.format))
        return self.authenticate()

    def hint(self) -> Hint:
        """About an entry that is there, or was."""
        seen, flags = self.integer(8), self.integer(8)
        return Hint(self.record()[REFERENCE], seen, flags, self.integer(32), self.integer(32))

    def authenticate(self, **fields: int) -> bytes:
        """An authenticate item with a few units; ``fields`` that shall be right."""
        hello: Any = self.value(Authenticate, codec.AUTHENTICATE.format)
        count = self._script.byte() % 4
        units = [self.value(Unit, codec.UNIT.format) for _ in range(count)]
        return codec.authenticate(hello._replace(**fields), units)

    def malformed(self) -> bytes:
        """An item that lies, or that nobody knows."""
        data = self._script.take(self._script.byte() % 80)
        whole = bytearray(codec.item(self._script.byte(), data, self._script.byte()))  # type: ignore[arg-type]
        if self._script.byte() % 2:
            whole[2:4] = self._script.choice((b"\0\0", b"\0\1", b"\xff\xff", b"\x7f\xff"))
        return bytes(whole)

    def message(self) -> bytes:
        """A message: changes, controls, or a mixture that nobody sends."""
        kind = self._script.byte() % 16
        feed, (term, sequence), flags = self.feed(), self.position(), 1
        if kind in (0, 1, 2, 3, 4, 5):
            body = b"".join(self.change() for _ in range(1 + self._script.byte() % 6))
            sequence = 0 if kind == 0 else sequence
        elif kind == 6:
            body = b"".join(
                self._script.choice((self.change, self.control, self.malformed))()
                for _ in range(1 + self._script.byte() % 4)
            )
        elif kind == 7:
            body, flags = self._script.take(self._script.byte()), self._script.byte()
        else:
            body = b"".join(self.control() for _ in range(1 + self._script.byte() % 4))
            feed, term, sequence = Feed(0, 0), Term(0, 0), 0
        return encode(body[: MAXIMUM_MESSAGE - 64], feed, term, sequence, flags)


def _is_control(action: Action) -> bool:
    others = (Action.KEEPALIVE, Action.ERROR, Action.AUTHENTICATE)
    return action in codec.LAYOUTS or action in others


def _new(script: Script) -> bytearray:
    """An entry of its own, in an address plan so small that entries meet."""
    number, host = script.byte(), script.byte() % 4
    entry = Entry(
        nat_id=1 + script.byte() % 3,
        number=number % 16,
        mapping_id=MAPPING,
        inside_local=bytes((10, 0, 0, host)),
        inside_local_port=1024 + number % 5,
        protocol=17,
        inside_global=bytes((203, 0, 113, 10)),
        inside_global_port=1024 + script.byte() % 5,
        outside_local=bytes((198, 51, 100, script.byte() % 3)),
        outside_local_port=53,
        outside_global=bytes((198, 51, 100, script.byte() % 3)),
        outside_global_port=53,
        flags=2,
        state=0,
        timeout_class=0,
        remaining=script.byte(),
    )
    return bytearray(entry.pack())
