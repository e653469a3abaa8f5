"""The journal: what led from one position to another, and nothing that it does not have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.replication.feed import FeedState
from snat.replication.journal import Journal
from snat.wire.actions import Had, TermBegin
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message, Position, Term
from snat.wire.items import controls

FEED = Feed(0, 10)
ONE, TWO, THREE = Term(1, 1), Term(2, 2), Term(3, 1)


def decoded(data: list[bytes] | None) -> list[Message]:
    assert data is not None
    framing = Framing()
    framing.feed(b"".join(data))
    return list(framing.messages())


def two_terms() -> Journal:
    """Three messages in the first term, two in the second, which began after the second of them was lost."""
    journal = Journal(FEED)
    journal.begin(ONE, Position())
    for sequence in (1, 2, 3):
        journal.put(Position(ONE, sequence), bytes([sequence]))
    journal.begin(TWO, Position(ONE, 3))
    journal.put(Position(TWO, 1), b"\x04")
    return journal


@pytest.mark.parametrize(
    ("position", "left"),
    [
        (Position(), 6),
        (Position(ONE, 0), 5),
        (Position(ONE, 1), 4),
        (Position(ONE, 3), 2),
        (Position(TWO, 0), 1),
        (Position(TWO, 1), 0),
    ],
)
def test_who_stands_anywhere_on_the_way_is_told_the_rest(position: Position, left: int) -> None:
    assert len(decoded(two_terms().since(position))) == left


@pytest.mark.parametrize("position", [Position(ONE, 4), Position(TWO, 2), Position(THREE, 0)])
def test_a_position_that_is_not_on_the_way_is_not_served(position: Position) -> None:
    assert two_terms().since(position) is None


def test_messages_are_as_they_were_and_terms_begin_in_their_place() -> None:
    second, third, begin, fourth = decoded(two_terms().since(Position(ONE, 1)))
    assert (second.feed, second.term, second.sequence, second.body) == (FEED, ONE, 2, b"\x02")
    assert (third.sequence, fourth.term, fourth.sequence) == (3, TWO, 1)
    assert controls(begin.body) == [TermBegin(FEED, TWO, Position(ONE, 3))]


def test_the_oldest_go_when_there_is_too_much_and_the_rest_is_without_a_gap() -> None:
    journal = Journal(FEED, limit=5000)
    for sequence in range(1, 50):
        journal.put(Position(ONE, sequence), bytes(1000))
        assert journal.size <= 5000
    first = 50 - len(journal)
    assert journal.since(Position(ONE, first - 2)) is None
    assert [m.sequence for m in decoded(journal.since(Position(ONE, first - 1)))] == list(range(first, 50))


def test_after_a_dump_only_what_followed_it_is_known() -> None:
    journal = two_terms()
    journal.restart(Position(THREE, 7))
    journal.put(Position(THREE, 8), b"\x08")
    assert journal.since(Position(ONE, 1)) is None
    assert len(decoded(journal.since(Position(THREE, 7)))) == 1


# The history


def test_a_table_has_what_led_to_where_it_left_each_term() -> None:
    state = FeedState(FEED)
    state.enter(ONE)
    state.advance(b"\x01")
    state.advance(b"\x02")
    assert state.enter(TWO) == Position(ONE, 2)
    state.advance(b"\x03")
    assert state.has_been_at(Position(ONE, 2))
    assert not state.has_been_at(Position(ONE, 3)), "beyond where it left"
    assert state.has_been_at(Position(TWO, 1))
    assert not state.has_been_at(Position(TWO, 2))
    assert not state.has_been_at(Position(THREE, 0)), "never there"
    assert state.knows(ONE)
    assert not state.knows(Term(1, 9))
    assert Had(FEED, Position(ONE, 2)) in state.history()


def test_what_was_merged_belongs_to_the_history() -> None:
    state = FeedState(FEED, Position(TWO, 5))
    other = Position(Term(2, 9), 7)
    assert not state.has_been_at(other)
    state.has(other)
    assert state.has_been_at(other)
    assert not state.has_been_at(Position(other.term, 8))


def test_a_term_older_than_all_that_is_known_counts_as_had() -> None:
    state = FeedState(FEED)
    state.restart(Position(Term(5, 1), 3))
    assert state.has_been_at(Position(Term(4, 2), 99))
    assert not state.knows(Term(4, 2))


def test_a_history_is_bounded() -> None:
    state = FeedState(FEED)
    for number in range(1, 200):
        state.enter(Term(number, 1))
    assert len(state.left) == 64
    assert state.has_been_at(Position(Term(198, 1), 0))


# Whatever was written, and however little is kept

STEPS = st.lists(st.integers(0, 120) | st.just("term"), max_size=40)


@given(STEPS, st.integers(0, 3000))
def test_what_is_kept_leads_to_the_present_without_a_gap(steps: list[int | str], limit: int) -> None:
    """By a list of all that was ever written: what is told is its end, and what went is told to nobody."""
    journal, position = Journal(FEED, limit), Position()
    written: list[tuple[Position, Position]] = []
    for step in steps:
        if isinstance(step, int):
            after = Position(position.term, position.sequence + 1)
            journal.put(after, bytes(step))
        else:
            after = Position(Term(position.term.number + 1, 1), 0)
            journal.begin(after.term, position)
        written.append((position, after))
        position = after
    assert journal.size <= limit
    gone = len(written) - len(journal)
    for index, (before, _) in enumerate(written):
        told = journal.since(before)
        if index < gone:
            assert told is None
        else:
            assert [one.sequence for one in decoded(told)] == [at.sequence for _, at in written[index:]]
    assert journal.since(position) == []


def test_a_message_that_is_longer_than_all_that_is_kept_leaves_its_own_position_alone() -> None:
    short = Journal(FEED, limit=400)
    short.put(Position(ONE, 1), b"\x01")
    short.put(Position(ONE, 2), bytes(500))
    assert (len(short), short.size) == (0, 0)
    assert short.since(Position(ONE, 1)) is None
    assert short.since(Position(ONE, 2)) == []


def test_a_restart_forgets_the_bytes_too() -> None:
    journal = two_terms()
    journal.restart(Position(THREE, 7))
    assert (len(journal), journal.size) == (0, 0)
