"""What a table has: the terms it came through and those merged into it, against all there ever was."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from snat.replication.feed import FeedState
from snat.wire.actions import Had
from snat.wire.header import Feed, Position, Term

FEED: Final = Feed(0, 10)


def at(number: int, sequence: int, nat_id: int = 1) -> Position:
    return Position(Term(number, nat_id), sequence)


def test_the_next_term_is_above_all_that_was_heard_of() -> None:
    state = FeedState(FEED, at(3, 5))
    assert state.next_term(2) == Term(4, 2)
    state.heard(Term(9, 1))
    state.heard(Term(7, 1))
    assert state.next_term(2) == Term(10, 2)


def test_a_dump_replaces_the_history() -> None:
    state = FeedState(FEED)
    state.enter(Term(1, 1))
    state.enter(Term(2, 1))
    state.restart(at(6, 4, 3))
    assert (state.position, state.highest, state.history()) == (at(6, 4, 3), Term(6, 3), [])
    assert not state.knows(Term(1, 1))
    assert state.knows(Term(6, 3))


def test_the_furthest_of_a_term_counts() -> None:
    state = FeedState(FEED, at(5, 1))
    for sequence in (7, 3):
        state.has(at(4, sequence))
    assert state.history() == [Had(FEED, at(4, 7))]
    assert state.has_been_at(at(4, 7))
    assert not state.has_been_at(at(4, 8))


def test_of_two_terms_with_one_number_only_the_own_one_was_had() -> None:
    """After a split: both sides took the next number."""
    state = FeedState(FEED, at(1, 3))
    state.enter(Term(2, 1))
    assert state.has_been_at(at(2, 0, nat_id=1))
    assert not state.has_been_at(at(2, 0, nat_id=2))


def test_the_oldest_terms_are_forgotten_and_then_count_as_had() -> None:
    state = FeedState(FEED, at(500, 0))
    for number in range(100, 200):
        state.has(at(number, 5))
    assert len(state.left) == 64
    assert min(state.left) == Term(136, 1)
    assert not state.knows(Term(135, 1))
    assert state.has_been_at(at(135, 99))
    assert not state.has_been_at(at(136, 6))


def test_a_term_that_is_too_old_to_be_remembered_displaces_none() -> None:
    state = FeedState(FEED, at(500, 0))
    for number in range(100, 164):
        state.has(at(number, 5))
    remembered = dict(state.left)
    state.has(at(50, 5))
    assert state.left == remembered


@given(st.lists(st.sampled_from(["change", "change", "term"]), max_size=80))
def test_a_table_has_been_exactly_where_it_was(steps: list[str]) -> None:
    state, been = FeedState(FEED), [Position()]
    for step in steps:
        if step == "change":
            state.advance(b"")
        else:
            state.enter(state.next_term(1))
        been.append(state.position)
    assert all(state.has_been_at(one) for one in been)
    for position in been:
        further = Position(position.term, position.sequence + 1)
        assert state.has_been_at(further) == (further in been)
    assert not state.has_been_at(Position(state.next_term(1), 0))


@given(st.lists(st.sampled_from(["change", "term"]), max_size=40), st.data())
def test_what_is_left_of_the_way_leads_on_from_anywhere_on_it(steps: list[str], data: st.DataObject) -> None:
    """The journal and the history tell the same story."""
    state, been = FeedState(FEED), [Position()]
    for step in steps:
        if step == "change":
            state.advance(b"")
        else:
            state.enter(state.next_term(data.draw(st.integers(1, 3))))
        been.append(state.position)
    for at_step, position in enumerate(been):
        since = state.journal.since(position)
        assert since is not None
        assert len(since) == len(been) - 1 - at_step
