"""A dump: the same entries whatever the slices, behind the history of the table."""

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.entry import TAIL
from snat.nat.table import NatTable
from snat.replication.digest import FeedDigest
from snat.replication.dump import Dump
from snat.replication.feed import FeedCounters, FeedState, belongs_to
from snat.replication.receiver import Receiver
from snat.wire.actions import Action, DumpBegin, DumpEnd, DumpKind, DumpRequest, Had
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message, Position, Term
from snat.wire.items import ITEM, changes, controls
from tests.records import MAPPING, record

FEED: Final = Feed(0, MAPPING)
AT: Final = Position(Term(4, 2), 9)
NOW: Final = 100.0


def with_context(one: bytes, size: int) -> bytes:
    return one[: -TAIL.size] + bytes(size) + one[-TAIL.size :]


RECORDS: Final = st.builds(
    lambda number, host, outside, nat_id, size: with_context(
        record(
            number,
            host=host,
            outside=outside,
            mapping_id=MAPPING if number < 55 else 99,
            nat_id=nat_id,
            port=40000 - number % 8,
        ),
        size,
    ),
    st.integers(1, 60),
    st.integers(1, 2),
    st.integers(1, 2),
    st.sampled_from([1] * 8 + [2, 0]),
    st.sampled_from([0] * 9 + [7]),
)
PLAIN: Final = [record(number) for number in range(101, 201)]
TABLES: Final = st.tuples(st.integers(0, 100), st.lists(RECORDS, max_size=12)).map(
    lambda drawn: [*drawn[1][:6], *PLAIN[: drawn[0]], *drawn[1][6:]]
)
"""Mostly entries of one shape, with some of any around them; an id stays with its mapping."""
SIZES: Final = st.one_of(st.integers(1, 500), st.sampled_from([900, 1600, 16352]))


class Careful(Dump):
    """Takes the careful way always."""

    def _cut_plain(self) -> bytes:
        return b""


def table_of(records: list[bytes]) -> NatTable:
    table = NatTable()
    table.add(records)
    return table


def digest_of(records: list[bytes]) -> FeedDigest:
    digest = FeedDigest()
    digest.change([], records)
    return digest


def entries(table: NatTable, feed: Feed = FEED) -> list[bytes]:
    """The entries of a feed, by a walk over all."""
    return sorted(filter(belongs_to(feed), table))


def state_of(table: NatTable, feed: Feed = FEED) -> FeedState:
    return FeedState(feed, AT, digest_of(entries(table, feed)))


def request(kind: DumpKind = DumpKind.FEED, feed: Feed = FEED, **others: int) -> DumpRequest:
    return DumpRequest(1, feed, kind, Position(), **others)


def messages(dump: Dump) -> Iterator[Message]:
    framing, last = Framing(), False
    while not last:
        data, last = dump.next_message()
        framing.feed(data)
        yield from framing.messages()


def shown(slices: list[Message]) -> list[bytes]:
    """The records of slices, in order."""
    found: list[bytes] = []
    for message in slices:
        ((action, records),) = changes(message.body, Feed(0, MAPPING))
        assert action is Action.ADD
        assert (message.term, message.sequence) == (AT.term, 0)
        found += records
    return found


@settings(max_examples=200)
@given(TABLES, SIZES, st.sampled_from([FEED, Feed(1, MAPPING), Feed(2, MAPPING)]))
def test_the_slices_hold_what_a_walk_finds_each_once(records: list[bytes], size: int, feed: Feed) -> None:
    table = table_of(records)
    begin, *slices, end = messages(Dump(request(feed=feed), state_of(table, feed), table, size))
    assert sorted(shown(slices)) == entries(table, feed)
    digest = digest_of(entries(table, feed))
    assert controls(begin.body) == [DumpBegin(1, feed, DumpKind.FEED, AT)]
    assert controls(end.body) == [DumpEnd(1, feed, AT, digest.count, digest.value)]


@settings(max_examples=200)
@given(TABLES, SIZES)
def test_slices_are_not_longer_than_agreed(records: list[bytes], size: int) -> None:
    """By less than one entry, and the plain ones not at all."""
    table = table_of(records)
    _, *slices, _ = messages(Dump(request(), state_of(table), table, size))
    for one in slices:
        listed = shown([one])
        assert len(one.body) - len(listed[-1]) - ITEM.size < size


@settings(max_examples=200)
@given(TABLES, SIZES)
def test_the_fast_cut_and_the_careful_one_agree(records: list[bytes], size: int) -> None:
    table = table_of(records)
    fast, careful = (kind(request(), state_of(table), table, size) for kind in (Dump, Careful))
    assert sorted(shown(list(messages(fast))[1:-1])) == sorted(shown(list(messages(careful))[1:-1]))


def test_plain_entries_take_the_fast_way() -> None:
    """Otherwise the tests above compare the careful way with itself."""
    table = table_of(PLAIN)
    dump = Dump(request(), state_of(table), table, 1600)
    dump.next_message()
    body = dump._cut_plain()
    (run,) = changes(body, Feed(0, MAPPING))
    assert run == (Action.ADD, PLAIN[:30])
    assert dump._cut() == PLAIN[30:61], "and both go on where the other was"


@settings(max_examples=200)
@given(TABLES, TABLES, SIZES)
def test_who_is_dumped_to_ends_equal_whatever_it_had(
    records: list[bytes], stale: list[bytes], size: int
) -> None:
    table, theirs = table_of(records), table_of(stale)
    foreign = sorted(set(theirs) - set(entries(theirs)))
    receiver = Receiver(FeedState(FEED, Position(), digest_of(entries(theirs))), theirs, FeedCounters())
    asked = receiver.request(DumpKind.FEED, NOW)
    (begin, *slices, end) = messages(Dump(asked, state_of(table), table, size))
    (begun,) = controls(begin.body)
    assert isinstance(begun, DumpBegin)
    receiver.begin(begun, NOW)
    for one in slices:
        assert receiver.apply(one, NOW) is None
    (ended,) = controls(end.body)
    assert isinstance(ended, DumpEnd)
    receiver.end(ended, NOW)
    while receiver.works:
        receiver.work(NOW)
    assert entries(theirs) == entries(table)
    assert receiver.state.digest == digest_of(entries(table))
    assert receiver.state.position == AT
    assert receiver.synchronised
    assert set(foreign) <= set(theirs), "other feeds and local entries are not its business"


def test_the_history_is_behind_the_begin() -> None:
    table = table_of(PLAIN[:1])
    state = FeedState(FEED)
    state.enter(Term(1, 1))
    state.advance(b"")
    state.enter(Term(2, 2))
    state.has(Position(Term(1, 7), 3))
    begin, *_ = messages(Dump(request(), state, table, 1000))
    said, *history = controls(begin.body)
    assert said == DumpBegin(1, FEED, DumpKind.FEED, Position(Term(2, 2), 0))
    assert set(history) == {
        Had(FEED, Position()),
        Had(FEED, Position(Term(1, 1), 1)),
        Had(FEED, Position(Term(1, 7), 3)),
    }


def test_a_pull_has_no_history_and_ends_with_what_it_showed() -> None:
    table = table_of([record(1, nat_id=7), record(2, nat_id=7), record(3)])
    state = state_of(table)
    state.has(Position(Term(1, 1), 1))
    begin, *slices, end = messages(Dump(request(DumpKind.PULL, owner=7), state, table, 50))
    assert controls(begin.body) == [DumpBegin(1, FEED, DumpKind.PULL, AT)]
    digest = digest_of([record(1, nat_id=7), record(2, nat_id=7)])
    assert controls(end.body) == [DumpEnd(1, FEED, AT, digest.count, digest.value)]
    assert shown(slices) == [record(1, nat_id=7), record(2, nat_id=7)]


@given(
    TABLES,
    SIZES,
    st.sampled_from([0, 1, 2, 7]),
    st.sampled_from([0x0A000001, 0x0A000002, 0x0A000005, 0x0A0000FF]),
    st.sampled_from([0, 8, 30, 31, 32]),
)
def test_a_pull_selects_by_owner_and_network_together(
    records: list[bytes], size: int, owner: int, inside: int, length: int
) -> None:
    table = table_of(records)
    asked = request(DumpKind.PULL, owner=owner, inside=inside, prefix_length=length)
    _, *slices, _ = messages(Dump(asked, state_of(table), table, size))
    mask = 0xFFFFFFFF << 32 - length & 0xFFFFFFFF
    assert sorted(shown(slices)) == [
        one
        for one in entries(table)
        if owner in (0, int.from_bytes(one[:4], "big"))
        and int.from_bytes(one[16:20], "big") & mask == inside & mask
    ]


def test_entries_that_went_meanwhile_are_not_shown_and_changed_ones_are_as_they_are() -> None:
    table = table_of(PLAIN)
    dump = Dump(request(), state_of(table), table, 1600)
    dump.next_message()
    newer = PLAIN[99][: -TAIL.size] + b"\0\0\0\x01"
    table.remove(PLAIN[:50])
    table.add([newer])
    *slices, _ = messages(dump)
    assert shown(slices) == [*PLAIN[50:99], newer]


@pytest.mark.parametrize("kind", [DumpKind.FEED, DumpKind.PULL])
def test_of_an_empty_table_there_are_the_begin_and_the_end(kind: DumpKind) -> None:
    table = NatTable()
    begin, end = messages(Dump(request(kind), state_of(table), table, 1000))
    assert controls(begin.body) == [DumpBegin(1, FEED, kind, AT)]
    assert controls(end.body) == [DumpEnd(1, FEED, AT, 0, 0)]
