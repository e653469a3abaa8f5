"""Numbers of an edited direction: the receiver's stream is one function of the sender's, and back again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from snat.translate.alg.context import Read, decode, encode
from snat.translate.alg.sequence import KEPT, MOST_CHANGES, MOST_TEXT, Numbers, unwrap

Edits = list[tuple[int, int, bytes]]


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, Edits, int]:
    """A stream, edits of it in order, and where it begins."""
    size = draw(st.integers(1, 60))
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=10, unique=True)))
    texts = st.binary(max_size=12)
    edits = [(start, end, draw(texts)) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
    return bytes(range(size)), edits, draw(st.integers(0, (1 << 32) - 1))


def numbers_of(edits: Edits, begin: int) -> Numbers:
    numbers = Numbers()
    numbers.next = begin
    for start, end, text in edits:
        numbers.change(begin + start, begin + end, text)
    return numbers


def result(stream: bytes, edits: Edits) -> bytes:
    made, at = b"", 0
    for start, end, text in edits:
        made, at = made + stream[at:start] + text, end
    return made + stream[at:]


@settings(deadline=None)
@given(edited(), st.data())
def test_any_segmentation_says_the_same(case: tuple[bytes, Edits, int], data: st.DataObject) -> None:
    stream, edits, begin = case
    numbers, whole = numbers_of(edits, begin), result(stream, edits)
    pieces: dict[int, int] = {}
    for _ in range(12):
        start = data.draw(st.integers(0, len(stream)))
        end = data.draw(st.integers(start, len(stream)))
        written = numbers.written(begin + start, stream[start:end])
        assert written is not None
        told = numbers.told(begin + start) - begin
        assert whole[told : told + len(written)] == written
        assert numbers.told(begin + end) - begin == told + len(written)
        pieces.update(enumerate(written, told))
    assert numbers.told(begin + len(stream)) == begin + len(whole)


@settings(deadline=None)
@given(edited())
def test_every_number_has_its_way_back(case: tuple[bytes, Edits, int]) -> None:
    stream, edits, begin = case
    numbers = numbers_of(edits, begin)
    for told in range(begin, numbers.told(begin + len(stream)) + 1):
        meant, first = numbers.meant(told), numbers.meant(told, first=True)
        assert numbers.told(meant) <= told
        assert numbers.told(meant + 1) > told, "it is the last such one"
        assert numbers.told(first) >= told
        behind = first in {begin + end for _, end, _ in edits}
        assert behind or first == begin or numbers.told(first - 1) < told, "it is the first such one"


@settings(deadline=None)
@given(edited(), st.integers(0, 80))
def test_what_is_acknowledged_is_forgotten_and_nothing_else_changes(
    case: tuple[bytes, Edits, int], upto: int
) -> None:
    _, edits, begin = case
    many = [(at, at + 1, b"xy") for at in range(60, 60 + 3 * KEPT)]
    numbers = numbers_of(edits + many, begin)
    end = begin + 60 + 3 * KEPT
    before = numbers.told(end), numbers.shift
    numbers.acknowledge(numbers.told(begin + upto))
    assert (numbers.told(end), numbers.shift) == before
    assert len(numbers.changes) >= min(len(edits + many), KEPT)


def test_memory_is_bounded() -> None:
    numbers = numbers_of([(10 * at, 10 * at + 1, bytes(1000)) for at in range(1000)], 0)
    assert len(numbers.changes) == MOST_CHANGES
    assert sum(len(change.text or b"") for change in numbers.changes) <= MOST_TEXT
    assert numbers.told(10_000) == 10_000 + 999 * 1000
    assert numbers.written(numbers.changes[0].start, b"x") is None, "nobody knows what it was"


@settings(deadline=None)
@given(edited(), edited(), st.booleans(), st.binary(max_size=256), st.sampled_from(["ftp", "sip"]))
def test_a_context_says_what_was_said(
    outward: tuple[bytes, Edits, int],
    inward: tuple[bytes, Edits, int],
    begun_inside: bool,
    own: bytes,
    name: str,
) -> None:
    context = Read(
        name=name,
        version=3,
        begun_inside=begun_inside,
        outward=numbers_of(outward[1], outward[2]),
        inward=numbers_of(inward[1], inward[2]),
        own=own,
    )
    data = encode(context)
    back = decode(data)
    assert isinstance(back, Read)
    assert encode(back) == data
    assert (back.name, back.version, back.begun_inside, back.own) == (name, 3, begun_inside, own)
    for one, other in ((context.outward, back.outward), (context.inward, back.inward)):
        assert [change[:] for change in other.changes] == [change[:] for change in one.changes]
        assert other.base == one.base


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_context_or_none(data: bytes) -> None:
    for begin in (b"", b"\1\1\3ftp\1", b"\1\2\0\0"):
        context = decode(begin + data)
        assert context is None or encode(context)


@settings(deadline=None)
@given(st.integers(0, 1 << 40), st.integers(-(1 << 31), (1 << 31) - 1))
def test_the_nearest_number_is_meant(near: int, away: int) -> None:
    assert unwrap((near + away) % (1 << 32), near) == near + away


def test_a_long_history_fits() -> None:
    numbers = numbers_of([(100 * at, 100 * at + 10, bytes(40)) for at in range(200)], 0)
    context = Read(name="sip", version=1, begun_inside=True, outward=numbers, inward=numbers, own=bytes(256))
    data = encode(context)
    assert len(data) <= 4096
    back = decode(data)
    assert isinstance(back, Read)
    assert back.outward.shift == numbers.shift
