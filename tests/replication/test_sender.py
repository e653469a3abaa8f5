"""What a manager says beside its changes: terms, statements, all entries at once, and its last words."""

from typing import Final

import pytest

from snat.nat.table import NatTable
from snat.replication.digest import FeedDigest
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.sender import Sender
from snat.wire.actions import Action, Digest, Released, TermBegin, Unavailable
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message, Position, Term
from snat.wire.items import changes, controls, item
from tests.records import MAPPING, changed, record

FEED: Final = Feed(0, MAPPING)
ONE: Final = Term(1, 1)


class Manager:
    def __init__(self, feed: Feed = FEED, **limits: int) -> None:
        self.table = NatTable()
        self.counters = FeedCounters()
        self.state = FeedState(feed)
        self.sender = Sender(self.state, self.table, ONE, self.counters, **limits)


def decoded(data: list[bytes]) -> list[Message]:
    framing = Framing()
    framing.feed(b"".join(data))
    return list(framing.messages())


def numbered(data: list[bytes]) -> list[int]:
    return [message.sequence for message in decoded(data)]


def test_all_entries_go_by_one_item() -> None:
    manager = Manager()
    manager.table.add([record(number) for number in range(1, 30)])
    manager.sender.compile()
    (cleared,) = decoded(manager.sender.clear())
    assert (cleared.feed, cleared.term, cleared.sequence) == (FEED, ONE, 2)
    assert changes(cleared.body, Feed(0, MAPPING)) == [(Action.DELETE_ALL, [b""])]
    assert cleared.body == item(Action.DELETE_ALL, b"")
    assert manager.state.digest == FeedDigest(0, 0)
    assert len(manager.table) == 0
    assert manager.counters.cleared == 1
    assert not manager.sender.pending, "no entry is deleted for a second time"


def test_what_was_not_compiled_is_sent_before_all_entries_go() -> None:
    """The queue must not hold adds of entries that are gone, nor a sequence stand for nothing."""
    manager = Manager(maximum_entries=2)
    manager.table.add([record(1), record(2), record(3)])
    messages = decoded(manager.sender.clear())
    assert [message.sequence for message in messages] == [1, 2, 3]
    assert [changes(message.body, Feed(0, MAPPING))[0][0] for message in messages] == [
        Action.ADD,
        Action.ADD,
        Action.DELETE_ALL,
    ]
    assert manager.state.digest == FeedDigest(0, 0)


def test_when_all_entries_went_new_ones_are_told_as_ever() -> None:
    manager = Manager()
    manager.table.add([record(1)])
    manager.sender.compile()
    manager.sender.clear()
    manager.table.add([record(1)])
    (again,) = decoded(manager.sender.compile())
    assert changes(again.body, Feed(0, MAPPING)) == [(Action.ADD, [record(1)])]
    assert manager.sender.statement().count == 1


def test_an_empty_feed_is_cleared_by_one_item_too() -> None:
    """A member may have what the manager has not."""
    manager = Manager()
    assert numbered(manager.sender.clear()) == [1]


@pytest.mark.parametrize(("feed", "left"), [(FEED, 2), (Feed(1, MAPPING), 3)])
def test_only_the_feeds_entries_go(feed: Feed, left: int) -> None:
    manager = Manager(feed)
    manager.table.add([record(1), record(2, mapping_id=99), record(3, nat_id=0, mapping_id=0)])
    manager.sender.compile()
    before = manager.state.digest.count
    if feed.process_id:
        manager.table.add([record(4, nat_id=2)])  # the peer's own; its feed brought it
    manager.sender.clear()
    assert before == 1
    assert len(manager.table) == left


def test_a_term_begins_where_the_table_stands() -> None:
    manager = Manager()
    assert manager.sender.begun == TermBegin(FEED, ONE, Position())
    manager.table.add([record(1)])
    manager.sender.compile()
    manager.sender.stop()
    taken = Sender(manager.state, manager.table, Term(2, 3), FeedCounters())
    assert taken.begun == TermBegin(FEED, Term(2, 3), Position(ONE, 1))
    assert manager.state.position == Position(Term(2, 3), 0)
    assert taken.statement().count == 1, "the entries are those of the term before"
    assert manager.state.has_been_at(Position(ONE, 1))


def test_the_begin_of_a_term_is_in_the_journal() -> None:
    manager = Manager()
    manager.table.add([record(1)])
    sent = manager.sender.compile()
    since = manager.state.journal.since(Position())
    assert since is not None
    begin, *rest = since
    assert controls(decoded([begin])[0].body) == [manager.sender.begun]
    assert rest == sent


def test_a_sender_that_stopped_hears_nothing() -> None:
    manager = Manager()
    manager.sender.stop()
    manager.table.add([record(1)])
    assert not manager.sender.pending
    assert manager.sender.compile() == []
    assert manager.state.position == Position(ONE, 0)


def test_its_last_words_say_where_it_stopped_with_what() -> None:
    manager = Manager()
    manager.table.add([record(1), record(2)])
    manager.sender.compile()
    digest, at = manager.state.digest, Position(ONE, 1)
    assert manager.sender.statement() == Digest(FEED, at, 2, digest.value)
    assert manager.sender.released() == Released(FEED, at, 2, digest.value)
    assert manager.sender.unavailable() == Unavailable(FEED, at, 2, digest.value, keep=1)


def test_changes_that_cancel_out_make_no_message() -> None:
    manager = Manager()
    manager.table.add([record(1)])
    manager.table.remove([record(1)])
    assert manager.sender.compile() == []
    assert manager.state.position.sequence == 0


def test_messages_hold_at_most_so_many_entries_over_all_actions() -> None:
    manager = Manager(maximum_entries=10)
    manager.table.add([record(number) for number in range(1, 16)])
    manager.sender.compile()
    manager.table.remove([record(number) for number in range(1, 8)])
    manager.table.add([changed(record(number)) for number in range(8, 16)])
    messages = decoded(manager.sender.compile())
    assert [sum(len(listed) for _, listed in changes(m.body, Feed(0, MAPPING))) for m in messages] == [10, 5]
    assert [m.sequence for m in messages] == [3, 4]


# How far members lag


def compiled(manager: Manager, *numbers: int) -> None:
    for number in numbers:
        manager.table.add([record(number)])
        manager.sender.compile()


def test_who_stands_in_a_former_term_lags_by_the_whole_term() -> None:
    manager = Manager()
    compiled(manager, 1, 2, 3)
    manager.sender.sample(50.0)
    assert manager.sender.lag(Position(Term(0, 9), 77), 60.0) == (3, 10.0)


def test_without_a_keepalive_since_no_time_has_passed() -> None:
    manager = Manager()
    manager.sender.sample(50.0)
    compiled(manager, 1)
    assert manager.sender.lag(Position(ONE, 0), 60.0) == (1, 0.0)


def test_time_counts_from_the_first_keepalive_that_was_missed() -> None:
    manager = Manager()
    for number in range(1, 6):
        compiled(manager, number)
        manager.sender.sample(50.0 + number)
    assert manager.sender.lag(Position(ONE, 2), 60.0) == (3, 7.0)
    assert manager.sender.lag(Position(ONE, 5), 60.0) == (0, 0.0)


def test_keepalives_that_are_remembered_are_bounded() -> None:
    manager = Manager()
    compiled(manager, 1)
    for second in range(600):
        manager.sender.sample(float(second))
    assert manager.sender.lag(Position(ONE, 0), 600.0) == (1, 512.0)
