"""The vectors are what the encoders make and what the decoders read, however the stream is cut."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest

from snat.nat.entry import ID, REFERENCE, Entry
from snat.replication.digest import total
from snat.wire.actions import (
    Action,
    Applied,
    Authenticate,
    Capability,
    Claim,
    Digest,
    DumpBegin,
    DumpEnd,
    DumpKind,
    DumpRequest,
    Error,
    Had,
    Hears,
    Hint,
    ItemFlag,
    Prompt,
    Released,
    RoleChange,
    TermBegin,
    Unavailable,
    Unit,
    UnitOption,
)
from snat.wire.errors import ErrorCode, WireError
from snat.wire.framing import Framing
from snat.wire.header import NO_FEED, NO_TERM, Feed, Message, Position, Term, encode
from snat.wire.items import (
    authenticate,
    changes,
    control,
    controls,
    error,
    hears,
    hints,
    item,
    items,
    keepalive,
    prompt,
)
from tests.vectors import NAMES, vector

FEED: Final = Feed(0, 10)
OTHER: Final = Feed(0, 20)
TERM: Final = Term(3, 1)
SPLIT_TERM: Final = Term(4, 2)
DIGEST: Final = 0xDCFEAA19BC14405B
"""Of the entries in slice-feed."""
BASE_DIGEST: Final = 0x40CF38FC862033CB
"""Of DNS alone, which is there when the term begins."""
SPLIT_DIGEST: Final = 0x5E2042111992115E
"""Of the entry in slice-pull."""

R1: Final = Authenticate(1, 42, 0x9F86D081884C7D65, 1000, 65536, Capability.RESUME, 1)
R1_UNIT: Final = Unit(FEED, Position(TERM, 5), 1, 4, 0x5555, 0x1122334455667788)
R2: Final = Authenticate(2, 7, 0x2C26B46B68FFC68F, 100, 65536, Capability.RESUME, 1)
R2_UNITS: Final = [
    Unit(FEED, Position(Term(0, 0), 0), 2, 1, 0xAAAA, 0x1122334455667788),
    Unit(OTHER, Position(Term(9, 2), 256), 1, 4, 0xAAAA, 0x8877665544332211),
]
R3: Final = Authenticate(3, 1, 0xFCDE2B2EDBA56BF4, 1000, 65536, Capability.RESUME, 1)
R3_UNIT: Final = Unit(FEED, Position(TERM, 3), 2, 2, 0, 0x1122334455667788, UnitOption.PERIODIC)

WEB: Final = Entry(
    nat_id=1,
    number=0x00002A0000000007,
    mapping_id=10,
    inside_local=bytes([10, 0, 0, 5]),
    inside_local_port=40001,
    protocol=6,
    inside_global=bytes([203, 0, 113, 10]),
    inside_global_port=32771,
    outside_local=bytes([198, 51, 100, 7]),
    outside_local_port=80,
    outside_global=bytes([198, 51, 100, 7]),
    outside_global_port=80,
    flags=2,
    state=1,
    timeout_class=1,
    remaining=240,
)
WEB_ESTABLISHED: Final = WEB._replace(state=2, remaining=7440)
FTP: Final = WEB._replace(
    number=0x00002A0000000008,
    inside_local_port=40002,
    inside_global_port=32773,
    outside_local_port=21,
    outside_global_port=21,
    state=2,
    context=bytes.fromhex("0001fffffff6"),
    remaining=7440,
)
FTP_CLOSING: Final = FTP._replace(state=3, remaining=240)
ECHO: Final = WEB._replace(
    number=0x00002A0000000009,
    inside_local=bytes([10, 0, 0, 6]),
    inside_local_port=4660,
    protocol=1,
    inside_global=bytes([203, 0, 113, 11]),
    inside_global_port=17185,
    outside_local=bytes([198, 51, 100, 9]),
    outside_local_port=4660,
    outside_global=bytes([198, 51, 100, 9]),
    outside_global_port=17185,
    state=0,
    timeout_class=2,
    remaining=60,
)
DNS: Final = WEB._replace(
    number=0x00002A0000000003,
    inside_local=bytes([10, 0, 0, 7]),
    inside_local_port=53,
    protocol=17,
    inside_global_port=55,
    outside_local=bytes([198, 51, 100, 8]),
    outside_local_port=53,
    outside_global=bytes([198, 51, 100, 8]),
    outside_global_port=53,
)
SPLIT: Final = DNS._replace(
    nat_id=2,
    number=0x0000070000000004,
    inside_local=bytes([10, 0, 0, 8]),
    inside_local_port=50000,
    inside_global_port=50001,
    state=0,
    timeout_class=0,
    remaining=300,
)
"""What R2 made while it could not reach R1."""


HINT_USED: Final = Hint(DNS.pack()[REFERENCE], 0, 0, 0, 0)
HINT_CLOSING: Final = Hint(FTP.pack()[REFERENCE], 3, 0x19, 0x1234, 0x5678)
"""Data with FIN, PSH and ACK, from outside."""


class Example(NamedTuple):
    """What one vector is made from, and means."""

    body: bytes
    """The items, as the encoders make them."""
    decoded: Any
    """What ``controls`` returns, or for a numbered message or slice ``changes``."""
    feed: Feed = NO_FEED
    term: Term = NO_TERM
    sequence: int = 0
    flags: int = 1


def said(*values: NamedTuple) -> Example:
    """Items of fixed layouts."""
    return Example(b"".join(map(control, values)), list(values))


def refusal(value: Error) -> Example:
    """An error."""
    return Example(error(value), [value])


def changed(sequence: int, *runs: tuple[Action, list[bytes]], term: Term = TERM) -> Example:
    """Changes of FEED in runs of one action; sequence 0 for a slice."""
    body = b"".join(item(action, data) for action, datas in runs for data in datas)
    return Example(body, list(runs), FEED, term, sequence)


EXAMPLES: Final = {
    "authenticate-one-unit": Example(authenticate(R1, [R1_UNIT]), [(R1, [R1_UNIT])], flags=0),
    "authenticate-two-units": Example(authenticate(R2, R2_UNITS), [(R2, R2_UNITS)], flags=0),
    "authenticate-periodic": Example(authenticate(R3, [R3_UNIT]), [(R3, [R3_UNIT])], flags=0),
    "add-plain": changed(1, (Action.ADD, [WEB.pack()])),
    "add-with-context": changed(2, (Action.ADD, [FTP.pack()])),
    "update": changed(3, (Action.UPDATE, [WEB_ESTABLISHED.pack()])),
    "delete": changed(4, (Action.DELETE, [WEB.pack()[REFERENCE]])),
    "changes-mixed": changed(
        5,
        (Action.ADD, [ECHO.pack()]),
        (Action.UPDATE, [FTP_CLOSING.pack()]),
        (Action.DELETE, [DNS.pack()[REFERENCE]]),
    ),
    "delete-all": changed(6, (Action.DELETE_ALL, [b""])),
    "slice-feed": changed(0, (Action.ADD, [FTP_CLOSING.pack(), ECHO.pack()])),
    "slice-pull": changed(0, (Action.ADD, [SPLIT.pack()]), term=SPLIT_TERM),
    "dump-request-feed": said(DumpRequest(1, FEED, DumpKind.FEED, Position())),
    "dump-request-resume": said(DumpRequest(2, FEED, DumpKind.RESUME, Position(TERM, 3))),
    "dump-request-pull": said(
        DumpRequest(3, FEED, DumpKind.PULL, Position(), owner=2, inside=0x0A000000, prefix_length=24)
    ),
    "dump-begin-feed": said(DumpBegin(1, FEED, DumpKind.FEED, Position(TERM, 5))),
    "dump-begin-pull": said(DumpBegin(3, FEED, DumpKind.PULL, Position(SPLIT_TERM, 3))),
    "dump-end-feed": said(DumpEnd(1, FEED, Position(TERM, 5), 2, DIGEST)),
    "dump-end-pull": said(DumpEnd(3, FEED, Position(SPLIT_TERM, 3), 1, SPLIT_DIGEST)),
    "keepalive": Example(
        keepalive([Applied(FEED, Position(TERM, 5)), Applied(OTHER, Position())]),
        [Applied(FEED, Position(TERM, 5)), Applied(OTHER, Position(Term(0, 0), 0))],
    ),
    "hears": Example(hears(Hears((1, 3))), [Hears((1, 3))]),
    "prompt": Example(prompt(), [Prompt()]),
    "hint": Example(
        hints([HINT_USED, HINT_CLOSING]),
        [HINT_USED, HINT_CLOSING],
    ),
    "term": said(TermBegin(FEED, TERM, Position(Term(2, 2), 77))),
    "had": said(Had(FEED, Position(Term(4, 2), 3))),
    "digest": said(Digest(FEED, Position(TERM, 0), 1, BASE_DIGEST)),
    "role": said(RoleChange(FEED, 1, 4, TERM)),
    "announcement": said(RoleChange(FEED, 1, 4, TERM), Digest(FEED, Position(TERM, 5), 2, DIGEST)),
    "claim": said(Claim(FEED, Position(Term(2, 2), 77))),
    "released": said(Released(FEED, Position(Term(2, 2), 77), 1, BASE_DIGEST)),
    "unavailable": said(Unavailable(FEED, Position(TERM, 5), 2, DIGEST, 1)),
    "error": refusal(Error(ErrorCode.OLD_TERM, FEED, TERM, "old term")),
    "error-entry": refusal(Error(ErrorCode.COLLISION, FEED, TERM, "collision", SPLIT.pack()[REFERENCE])),
    "error-stopped": refusal(Error(ErrorCode.STOPPED, NO_FEED, NO_TERM, "reload")),
    "optional-unknown": Example(
        control(RoleChange(FEED, 2, 2, TERM))
        + bytes((200, ItemFlag.OPTIONAL, 0, 8))
        + bytes((0, 0, 0, 0, 0, 0, 0, 10))
        + keepalive([Applied(FEED, Position(TERM, 5))]),
        [RoleChange(FEED, 2, 2, TERM), Applied(FEED, Position(TERM, 5))],
    ),
}

Cut = Callable[[bytes], Iterator[Message]]


def whole(stream: bytes) -> Iterator[Message]:
    framing = Framing()
    framing.feed(stream)
    yield from framing.messages()
    assert framing.pending == 0


def byte_by_byte(stream: bytes) -> Iterator[Message]:
    framing = Framing()
    for at in range(len(stream)):
        framing.feed(stream[at : at + 1])
        found = list(framing.messages())
        assert not found or at == len(stream) - 1, "a message came before its last byte"
        yield from found
    assert framing.pending == 0


def with_trailing_data(stream: bytes) -> Iterator[Message]:
    framing = Framing()
    following = vector("claim")
    framing.feed(stream + following + following[:-1])
    first, second = framing.messages()
    assert second == Message(1, NO_FEED, NO_TERM, 0, following[32:])
    assert framing.pending == len(following) - 1
    yield first


CUTS: Final = (whole, byte_by_byte, with_trailing_data)


def decode(message: Message) -> Any:
    """As a receiver does: changes where there is a feed, otherwise controls."""
    return controls(message.body) if message.feed == NO_FEED else changes(message.body, FEED)


def test_there_is_an_example_for_every_vector() -> None:
    assert sorted(EXAMPLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_makes_the_vector(name: str) -> None:
    example = EXAMPLES[name]
    made = encode(example.body, example.feed, example.term, example.sequence, example.flags)
    assert made.hex() == vector(name).hex()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_reads_the_vector(name: str, cut: Cut) -> None:
    example = EXAMPLES[name]
    (message,) = cut(vector(name))
    assert message[:4] == (example.flags, example.feed, example.term, example.sequence)
    decoded = decode(message)
    assert decoded == example.decoded
    assert [type(one) for one in decoded] == [type(one) for one in example.decoded]


@pytest.mark.parametrize("name", NAMES)
def test_no_prefix_of_a_vector_is_a_message(name: str) -> None:
    stream = vector(name)
    for length in range(len(stream)):
        framing = Framing()
        framing.feed(stream[:length])
        assert list(framing.messages()) == []
        assert framing.pending == length


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_with_a_byte_too_many_in_its_message_is_refused(name: str) -> None:
    """The header counts the byte, no item does."""
    stream = bytearray(vector(name) + b"x")
    stream[4:8] = len(stream).to_bytes(4, "big")
    (message,) = whole(bytes(stream))
    with pytest.raises(WireError) as caught:
        decode(message)
    assert caught.value.code is ErrorCode.MALFORMED


def test_every_action_has_a_vector() -> None:
    codes = {code for name in NAMES for code, _, _ in items(vector(name)[32:])}
    assert codes == {*Action, 200}


def test_every_kind_of_dump_has_a_vector() -> None:
    asked = {EXAMPLES[f"dump-request-{kind.name.lower()}"].decoded[0].kind for kind in DumpKind}
    assert asked == set(DumpKind)


@pytest.mark.parametrize("entry", [WEB, FTP, ECHO, DNS, SPLIT])
def test_the_record_in_a_vector_has_the_fields_of_its_entry(entry: Entry) -> None:
    assert Entry.unpack(entry.pack()) == entry


@pytest.mark.parametrize(("name", "count", "digest"), [("feed", 2, DIGEST), ("pull", 1, SPLIT_DIGEST)])
def test_the_digest_at_the_end_of_a_dump_is_that_of_its_slice(name: str, count: int, digest: int) -> None:
    ((_, records),) = changes(vector(f"slice-{name}")[32:], FEED)
    assert (len(records), total(records) % 2**64) == (count, digest)
    assert EXAMPLES[f"dump-end-{name}"].decoded[0][-2:] == (count, digest)


def test_the_numbered_vectors_lead_from_the_base_of_the_term_to_the_dump() -> None:
    """A reader may apply them in order: the digests at sequences 0, 5 and 6 are those of its table."""
    table = {DNS.pack()[ID]: DNS.pack()}
    names = [name for name in NAMES if EXAMPLES[name].sequence]
    digests = {0: total(table.values())}
    for name in sorted(names, key=lambda name: EXAMPLES[name].sequence):
        for action, datas in changes(vector(name)[32:], FEED):
            for data in datas:
                match action:
                    case Action.DELETE_ALL:
                        table.clear()
                    case Action.DELETE:
                        assert table.pop(data[ID])[REFERENCE] == data
                    case _:
                        assert (data[ID] in table) == (action is Action.UPDATE)
                        table[data[ID]] = data
        digests[EXAMPLES[name].sequence] = total(table.values())
    assert sorted(digests) == list(range(7))
    assert [digests[at] % 2**64 for at in (0, 5, 6)] == [BASE_DIGEST, DIGEST, 0]
    (_, slices), *_ = changes(vector("slice-feed")[32:], FEED)
    assert digests[5] == total(slices)


def test_the_pull_selects_the_entry_that_answers_it() -> None:
    (request,) = EXAMPLES["dump-request-pull"].decoded
    inside = int.from_bytes(SPLIT.inside_local, "big")
    assert SPLIT.nat_id == request.owner
    assert inside >> 32 - request.prefix_length == request.inside >> 32 - request.prefix_length


def test_remaining_time_is_not_in_the_digest() -> None:
    assert total([ECHO.pack()]) == total([ECHO._replace(remaining=1).pack()])
    assert total([ECHO.pack()]) != total([ECHO._replace(state=1).pack()])
