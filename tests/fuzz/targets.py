"""Fuzz targets: functions of bytes that return what happened, in short, and raise for a fault of ours.

What they return is no verdict: an input whose outcome is new is worth being changed further.
"""

import random
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from snat.nat.entry import LOCAL_NAT_ID, MAPPING, MAXIMUM_SIZE, NAT_ID
from snat.session.events import Closed, Established, Received
from snat.session.session import AUTHENTICATE_TIME, Session
from snat.session.states import TRANSITIONS, Input, State, UnexpectedInput
from snat.wire import items as codec
from snat.wire.actions import Action, Applied, Error, Hears, Hint, Prompt
from snat.wire.errors import ErrorCode, WireError
from snat.wire.framing import Framing
from snat.wire.header import MAXIMUM_MESSAGE, SIZE, Feed, HeaderFlag, Message, encode
from tests.fuzz import gateways
from tests.fuzz.frames import arbitrary, real_packets, translator
from tests.fuzz.lies import device, lies_of_vectors
from tests.fuzz.script import Script, Speaker
from tests.fuzz.texts import conversations, spoken, texts
from tests.session.ends import HOLD_TIME, greeting
from tests.session.ends import session as side_of
from tests.vectors import NAMES, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is run, and what its inputs grow from."""

    run: Callable[[bytes], Hashable]
    corpus: Callable[[], Sequence[bytes]]
    generate: Callable[[random.Random], bytes]
    """A new input, unlike any before."""


# The decoder


Outcome = tuple[list[Message], tuple[ErrorCode, str] | None, int]
"""The messages of a stream, what ended it, and how many bytes wait for more."""


def decoder(data: bytes) -> Hashable:
    """Any bytes, cut anywhere: the same messages and the same error; what decodes, encodes to the same."""
    messages, error, waiting = whole = cut(data, [])
    dice = random.Random(zlib.crc32(data))
    for pieces in (1, 2, 7):
        spots = sorted(dice.randrange(len(data) + 1) for _ in range(pieces))
        assert cut(data, spots) == whole
    if len(data) < 1000:
        assert cut(data, range(len(data))) == whole
    assert sum(SIZE + len(message.body) for message in messages) + waiting <= len(data)
    assert all(SIZE + len(message.body) <= MAXIMUM_MESSAGE for message in messages)
    if waiting >= SIZE:  # it waits for no more than it may
        assert int.from_bytes(data[len(data) - waiting :][4:8], "big") <= MAXIMUM_MESSAGE
    return error and error[0], tuple(_decoded(message) for message in messages[:8])


def cut(data: bytes, spots: Sequence[int]) -> Outcome:
    """What comes of a stream that arrives in pieces."""
    framing = Framing()
    messages: list[Message] = []
    for begin, end in zip([0, *spots], [*spots, len(data)], strict=True):
        framing.feed(data[begin:end])
        try:
            messages += framing.messages()
        except WireError as error:
            return messages, (error.code, error.reason), 0
        assert framing.pending < MAXIMUM_MESSAGE
    return messages, None, framing.pending


def _decoded(message: Message) -> Hashable:
    """What a message means, checked against its items one by one."""
    (again,), error, waiting = cut(
        encode(message.body, message.feed, message.term, message.sequence, message.flags), []
    )
    assert (again, error, waiting) == (message, None, 0)
    return _controls(message.body), _changes(message.body, message.feed)


def _controls(body: bytes) -> Hashable:
    """The items of a body decode alone as they do together, and encode to what they were."""
    try:
        found = codec.controls(body)
    except WireError as error:
        return error.code
    assert b"".join(_item(*one) for one in codec.items(body)) == body
    alone: list[Any] = []
    for action, flags, data in codec.items(body):
        said = codec.controls(_item(action, flags, data))
        alone += said
        if said and not _is_made_printable(said[0], data):
            assert b"".join(map(_encoded, said)) == _one_by_one(action, data)
    assert alone == found
    return tuple(sorted({type(one).__name__ for one in found}))


def _changes(body: bytes, feed: Feed) -> Hashable:
    """As for controls; and plain adds, which the decoder reads in another way, are as any others."""
    try:
        runs = codec.changes(body, feed)
    except WireError as error:
        return error.code
    alone = [
        run
        for action, flags, data in codec.items(body)
        for run in codec.changes(_item(action, flags, data), feed)
    ]
    assert [(action, [record]) for action, records in runs for record in records] == alone
    assert all(one[0] is not other[0] for one, other in pairwise(runs))
    records = [record for _, records in runs for record in records if record]
    assert all(len(record) <= MAXIMUM_SIZE for record in records)
    assert {record[MAPPING] for record in records} <= {feed.mapping_id.to_bytes(4, "big")}
    assert LOCAL_NAT_ID.to_bytes(4, "big") not in {record[NAT_ID] for record in records}
    return tuple(action for action, _ in runs[:4])


def _item(action: int, flags: int, data: bytes) -> bytes:
    return codec.ITEM.pack(action, flags, len(data)) + data


def _encoded(said: Any) -> bytes:
    match said:
        case Applied():
            return codec.keepalive([said])
        case Hint():
            return _mandatory(codec.hints([said]))
        case Hears():
            return _mandatory(codec.hears(said))
        case Prompt():
            return _mandatory(codec.prompt())
        case Error():
            return codec.error(said)
        case _ if type(said) is tuple:
            return codec.authenticate(*said)
        case _:
            return codec.control(said)


def _mandatory(item: bytes) -> bytes:
    """Without the flag that lets a receiver ignore it: that says nothing to one that knows the action."""
    return item[:1] + b"\0" + item[2:]


def _is_made_printable(said: Any, data: bytes) -> bool:
    return isinstance(said, Error) and not data.endswith(said.reason.encode())


def _one_by_one(action: int, data: bytes) -> bytes:
    """The item, or for one that repeats something as many with one."""
    repeated = {Action.KEEPALIVE: codec.APPLIED.size, Action.HINT: codec.HINT.size}
    size = repeated.get(Action(action), max(len(data), 1))
    pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    return b"".join(_item(action, 0, piece) for piece in pieces)


# The session

_PACE: Final = (0.0, 0.0, 0.001, 0.5, 1.0, HOLD_TIME, 4.999, 5.0, 60.0)


def session(data: bytes) -> Hashable:
    """A life of one link: what its caller does and its neighbor says, as the input has it."""
    life = _Life(Script(data))
    while life.script:
        life.step()
    return tuple(life.path), frozenset(life.reasons)


class _Life:
    """A session, and what must hold whatever happens to it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.side: Session = side_of(1, 2)
        self.now = 1000.0
        self.path: list[State] = [State.IDLE]
        self.reasons: set[Hashable] = set()
        self._said: list[Any] = []
        self._sent = b""

    def step(self) -> None:
        """Time passes, and something happens."""
        self.now += self.script.choice(_PACE)
        before = self.side.state
        match self.script.byte() % 16:
            case 0:
                self._ours(Input.DIAL, lambda: self.side.dial(self.now))
            case 1 | 2:
                self._ours(Input.OPEN, lambda: self.side.open(self.now))
            case 3:
                self._ours(Input.STOP, self.side.stop)
            case 4:
                self._ours(Input.LOST, lambda: self.side.lost("gone"))
            case 5:
                refuse = lambda: self.side.refuse(ErrorCode.MALFORMED, "no")  # noqa: E731
                self._ours(Input.REFUSED, refuse)
            case 6:
                self.side.forgive(self.now)
            case 7 | 8:
                self.side.expire(self.now)
                deadline = self.side.next_deadline()
                assert deadline is None or deadline > self.now
            case _ if before is not State.IDLE:  # bytes come off a transport
                self.side.receive_data(self._heard(), self.now)
        if self.side.state is not before:
            self.path.append(self.side.state)
        self._check(before)

    def _ours(self, happened: Input, call: Callable[[], None]) -> None:
        """A call of ours raises exactly where the table of transitions has no such thing."""
        before = self.side.state
        ignored = before is State.CLOSE and happened in (Input.REFUSED, Input.STOP)
        expected = ignored or (before, happened) in TRANSITIONS
        try:
            call()
        except UnexpectedInput:
            assert not expected
            assert self.side.state is before
        else:
            assert expected

    def _heard(self) -> bytes:
        match self.script.byte() % 8:
            case 0 | 1:
                whole = greeting(2)
            case 2 | 3:
                whole = vector(self.script.choice(NAMES))
            case 4:
                whole = Speaker(self.script).message()
            case 5:
                hello = Speaker(self.script).authenticate(nat_id=1 + self.script.byte() % 2)
                whole = encode(hello, flags=0)
            case _:
                whole = self.script.take(1 + self.script.byte())
        return whole[: self.script.byte()] if self.script.byte() % 8 == 1 else whole

    def _check(self, before: State) -> None:
        events, data = self.side.events(), self.side.data_to_send()
        self._said += events
        self.reasons |= {type(event).__name__ for event in events}
        self.reasons |= {(one.code, one.reason[:12]) for one in events if isinstance(one, Closed)}
        self._sent += data
        state = self.side.state
        if before is State.CLOSE:
            assert (state, events, data) == (State.CLOSE, [], b"")
        closings = [event for event in self._said if isinstance(event, Closed)]
        assert len(closings) == (state is State.CLOSE)
        assert closings == self._said[-1:] or not closings
        begun = [at for at, event in enumerate(self._said) if isinstance(event, Established)]
        assert len(begun) <= 1
        assert len(begun) == 1 or state is not State.ESTABLISH
        assert all(begun and at > begun[0] for at, e in enumerate(self._said) if isinstance(e, Received))
        assert all(self._said[at].hello.nat_id == self.side.neighbor_nat_id for at in begun)
        self._check_bounds(state)

    def _check_bounds(self, state: State) -> None:
        deadline = self.side.next_deadline()
        assert (deadline is None) == (state in (State.IDLE, State.CLOSE))
        assert deadline is None or deadline <= self.now + max(HOLD_TIME, AUTHENTICATE_TIME)
        if state is not State.CLOSE:
            assert self.side._framing.pending < MAXIMUM_MESSAGE
        messages, error, waiting = cut(self._sent, [])
        assert (error, waiting) == (None, 0)
        flags = [message.flags & HeaderFlag.AUTHENTICATED for message in messages]
        # Our authenticate for each opening that there was, then at most one last word.
        assert flags in ([0] * len(flags), [0] * (len(flags) - 1) + [1])


# What is run


def _vectors() -> list[bytes]:
    return [vector(name) for name in NAMES]


def _stream(dice: random.Random) -> bytes:
    speaker = Speaker(Script(dice.randbytes(400)))
    return b"".join(speaker.message() for _ in range(dice.randint(1, 5)))


def _scripts() -> list[bytes]:
    """Lives that begin well, one for each vector, and dull ones."""
    opening = bytes((0, 1, 0, 9, 0, 0))
    return [opening + bytes((0, 9, 2, number, 0)) * 2 for number in range(len(NAMES))] + [opening, b""]


TARGETS: Final = {
    "decoder": Target(run=decoder, corpus=_vectors, generate=_stream),
    "session": Target(
        run=session, corpus=_scripts, generate=lambda dice: dice.randbytes(dice.choice((20, 100, 400)))
    ),
    "device": Target(
        run=device, corpus=lies_of_vectors, generate=lambda dice: dice.randbytes(dice.choice((30, 100, 300)))
    ),
    "translator": Target(run=translator, corpus=real_packets, generate=arbitrary),
    "texts": Target(run=texts, corpus=conversations, generate=spoken),
} | {
    name: Target(run=gateways.gateway(of, protocol, port), corpus=corpus, generate=gateways.some_pieces)
    for name, (of, protocol, port, corpus) in gateways.NAMES.items()
}
