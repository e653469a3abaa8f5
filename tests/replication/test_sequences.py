"""Sequence numbers at their end, late deletes, messages of awkward lengths (pitfalls 3, 8, 26)."""

import pytest

from snat.nat.entry import INSIDE_GLOBAL
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.journal import Journal
from snat.replication.receiver import Receiver
from snat.replication.sender import Sender
from snat.wire.actions import TermBegin
from snat.wire.framing import Framing
from snat.wire.header import MAXIMUM_MESSAGE, SIZE, Feed, Message, Position, Term
from tests.records import MAPPING, changed, record

FEED = Feed(0, MAPPING)
TERM = Term(1, 1)
LAST = (1 << 64) - 1


def decoded(data: list[bytes]) -> list[Message]:
    framing = Framing()
    framing.feed(b"".join(data))
    return list(framing.messages())


class Pair:
    """A manager and a member that stand where the sequence has ``left`` numbers to its end."""

    def __init__(self, left: int) -> None:
        self.table, self.state = NatTable(), FeedState(FEED)
        self.sender = Sender(self.state, self.table, TERM, FeedCounters())
        self.member = Receiver(FeedState(FEED), NatTable(), FeedCounters())
        for state in (self.state, self.member.state):
            state.restart(Position(TERM, LAST - left))
        self.member.synchronised = self.member.whole = True

    def deliver(self) -> list[int]:
        """What was compiled; its sequence numbers."""
        messages = decoded(self.sender.compile())
        for message in messages:
            assert self.member.apply(message, 0.0) is None
        return [message.sequence for message in messages]


def test_the_last_numbers_of_a_sequence_are_used() -> None:
    """From five before the end on; they start at 0 with each term, so that no sequence ever gets there."""
    pair = Pair(5)
    numbers = []
    for number in range(1, 6):
        pair.table.add([record(number)])
        numbers += pair.deliver()
    assert numbers == [LAST - 4, LAST - 3, LAST - 2, LAST - 1, LAST]
    assert pair.member.state.position == pair.state.position == Position(TERM, LAST)
    assert pair.member.compare(pair.sender.statement(), 0.0) is None
    assert pair.member.synchronised


def test_a_term_begins_at_zero_wherever_the_one_before_ended() -> None:
    pair = Pair(0)
    sender = Sender(pair.state, pair.table, Term(2, 2), FeedCounters())
    begin = sender.begun
    assert isinstance(begin, TermBegin)
    assert begin.base == Position(TERM, LAST)
    pair.table.add([record(1)])
    assert [message.sequence for message in decoded(sender.compile())] == [1]


def test_a_delete_that_comes_late_spares_the_new_entry_of_a_port() -> None:
    """The port was freed and given to another flow; the delete names the entry, not the port."""
    pair = Pair(100)
    old, new = record(1), record(1, nat_id=1, host=9)
    new = new[:4] + (2).to_bytes(8, "big") + new[12:]
    assert old[INSIDE_GLOBAL] == new[INSIDE_GLOBAL]
    pair.table.add([old])
    pair.deliver()
    pair.member.table.remove([old])
    pair.member.table.add([new])
    pair.table.remove([changed(old)])
    pair.deliver()
    assert pair.member.table.records() == [new]
    assert pair.member.counters.deletes_unknown == 1


@pytest.mark.parametrize("size", [1, 254, 255, 256, 257, 1460, 1500, 1501, 16384, 65535, MAXIMUM_MESSAGE])
def test_what_is_sent_again_has_its_whole_length(size: int) -> None:
    """Of a message, with its header."""
    body = bytes(index % 251 for index in range(max(size - SIZE, 1)))
    journal = Journal(FEED)
    journal.begin(TERM, Position())
    for sequence in (1, 2):
        journal.put(Position(TERM, sequence), body)
    again = journal.since(Position(TERM, 0))
    assert again is not None
    assert [message.body for message in decoded(again)] == [body, body]
