"""What holds for any bytes and any values."""

import random
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.entry import Entry
from snat.wire.actions import Action, Authenticate, Error, Unit
from snat.wire.errors import WireError
from snat.wire.framing import Framing
from snat.wire.header import MAXIMUM_MESSAGE, SIZE, Feed, Message, Term, encode
from snat.wire.items import Run, authenticate, changes, control, controls, error, item, items, keepalive
from tests.vectors import NAMES, vector
from tests.wire import strategies

quick = settings(deadline=None, max_examples=100)


def runs_of(listed: list[tuple[Action, bytes]]) -> list[Run]:
    """Changes in runs of one action, told apart the simple way."""
    runs: list[Run] = []
    for action, data in listed:
        if runs and runs[-1][0] is action:
            runs[-1][1].append(data)
        else:
            runs.append((action, [data]))
    return runs


@quick
@given(strategies.change_lists)
def test_any_changes_come_back(listed: list[tuple[Action, bytes]]) -> None:
    body = b"".join(item(action, data) for action, data in listed)
    assert changes(body, Feed(0, strategies.MAPPING)) == runs_of(listed)


@quick
@given(strategies.entries)
def test_any_entry_comes_back(entry: Entry) -> None:
    assert Entry.unpack(entry.pack()) == entry


@quick
@given(st.lists(strategies.fixed_values, max_size=6))
def test_any_values_of_fixed_layouts_come_back(values: list[Any]) -> None:
    decoded = controls(b"".join(map(control, values)))
    assert decoded == values
    assert list(map(type, decoded)) == list(map(type, values))


@quick
@given(strategies.hellos, st.lists(strategies.units, max_size=20))
def test_any_authenticate_comes_back(hello: Authenticate, units: list[Unit]) -> None:
    assert controls(authenticate(hello, units)) == [(hello, units)]


@quick
@given(st.lists(strategies.applied, max_size=20))
def test_any_keepalive_comes_back(applied: list[Any]) -> None:
    assert controls(keepalive(applied)) == applied


@quick
@given(strategies.errors)
def test_any_error_comes_back(said: Error) -> None:
    assert controls(error(said)) == [said]


@quick
@given(
    st.binary(max_size=500),
    strategies.feeds,
    strategies.terms,
    st.integers(0, 2**64 - 1),
    st.integers(0, 255),
)
def test_any_message_comes_back(body: bytes, feed: Feed, term: Term, sequence: int, flags: int) -> None:
    framing = Framing()
    framing.feed(encode(body, feed, term, sequence, flags))
    assert list(framing.messages()) == [Message(flags, feed, term, sequence, body)]
    assert framing.pending == 0


@quick
@given(strategies.bodies)
def test_any_body_is_decoded_or_refused(body: bytes) -> None:
    decoded_or_refused(body)


@quick
@given(st.lists(strategies.messages, max_size=6).map(b"".join), st.data())
def test_a_stream_means_the_same_however_it_is_cut(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    assert through(stream, cuts) == through(stream, [])


@quick
@given(st.binary(max_size=400), st.data())
def test_any_bytes_mean_the_same_however_they_are_cut(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    assert through(stream, cuts) == through(stream, [])


@quick
@given(st.sampled_from(NAMES), st.data())
def test_a_damaged_vector_is_decoded_or_refused(name: str, data: st.DataObject) -> None:
    damaged = bytearray(vector(name))
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), max_size=4)
    ):
        damaged[at] = value
    for message in through(bytes(damaged), [])[0]:
        decoded_or_refused(message.body)


@quick
@given(st.lists(st.integers(SIZE, 300), min_size=1, max_size=30), st.integers(1, 700))
def test_the_buffer_holds_at_most_one_message_and_one_read(lengths: list[int], read: int) -> None:
    stream = b"".join(encode(bytes(length - SIZE)) for length in lengths)
    framing = Framing(maximum=300)
    for at in range(0, len(stream), read):
        framing.feed(stream[at : at + read])
        assert framing.pending <= 300 + read
        assert sum(1 for _ in framing.messages()) <= len(lengths)
        assert framing.pending < 300, "a whole message was left"
    assert framing.pending == 0


def test_a_promise_of_a_long_message_costs_no_memory_beyond_it() -> None:
    framing = Framing()
    framing.feed(encode(bytes(MAXIMUM_MESSAGE - SIZE))[:-1])
    assert list(framing.messages()) == []
    assert framing.pending == MAXIMUM_MESSAGE - 1
    framing.feed(b"x" + encode(b"next"))
    assert len(list(framing.messages())) == 2
    assert framing.pending == 0


def through(stream: bytes, cuts: list[int]) -> tuple[list[Message], str, int]:
    """What a framing makes of a stream fed in pieces: messages, then the refusal or the bytes left."""
    framing = Framing()
    found: list[Message] = []
    try:
        for begin, end in pairwise([0, *cuts, len(stream)]):
            framing.feed(stream[begin:end])
            found.extend(framing.messages())  # keeps what came before a refusal
    except WireError as refusal:
        return found, f"{refusal.code.name}: {refusal.reason}", 0
    return found, "", framing.pending


def decoded_or_refused(body: bytes) -> None:
    """Every decoder either returns or raises WireError."""
    for decode in (controls, lambda of: changes(of, Feed(0, strategies.MAPPING)), lambda of: list(items(of))):
        with suppress(WireError):
            decode(body)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_soak_damaged_streams(seed: int) -> None:
    """Streams of vectors with bytes changed, removed and repeated: read or refused, never anything else."""
    chosen = random.Random(seed)
    for round_ in range(2000):
        stream = bytearray(b"".join(vector(chosen.choice(NAMES)) for _ in range(chosen.randint(1, 8))))
        for _ in range(chosen.randint(0, 5)):
            at = chosen.randrange(len(stream))
            match chosen.randint(0, 2):
                case 0:
                    stream[at] = chosen.randrange(256)
                case 1:
                    del stream[at : at + chosen.randint(1, 9)]
                case _:
                    stream[at:at] = stream[at : at + chosen.randint(1, 60)]
            stream = stream or bytearray(b"x")
        cuts = sorted(chosen.randint(0, len(stream)) for _ in range(chosen.randint(0, 9)))
        found = through(bytes(stream), [])
        assert through(bytes(stream), cuts) == found, f"seed {seed}, round {round_}, cuts {cuts}"
        for message in found[0]:
            decoded_or_refused(message.body)


@pytest.mark.soak
@settings(deadline=None, max_examples=20_000, print_blob=True)
@given(st.lists(strategies.messages, max_size=8).map(b"".join))
def test_soak_sequences_of_messages(stream: bytes) -> None:
    for message in through(stream, [])[0]:
        decoded_or_refused(message.body)
