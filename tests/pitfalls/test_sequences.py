"""Pitfalls 3 and 8: sequences at their ends, and deletes that come late."""

import pytest

from snat.nat.entry import ID, REFERENCE
from snat.replication.sender import Sender
from snat.wire.actions import Action, DumpKind
from snat.wire.header import Message, Position, Term
from snat.wire.items import item
from tests.records import record
from tests.replication.test_receiver import FEED, Pair

FIRST = Term(1, 1)


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.mark.parametrize("sequence", [2**16 - 3, 2**31 - 3, 2**32 - 3, 2**63 - 3, 2**64 - 6])
def test_sequences_near_their_ends_and_beyond_32_bits_are_followed(pair: Pair, sequence: int) -> None:
    """Live, again, resumed, and into the next term, which begins at 0."""
    for state in (pair.state, pair.member.state):
        state.restart(Position(FIRST, sequence))
    seen: list[bytes] = []
    for number in range(1, 4):
        pair.table.add([record(number)])
        seen += pair.sender.compile()
        pair.take(seen[-1])
    pair.state_it()
    assert pair.member.synchronised
    for data in seen:
        pair.take(data)
    assert pair.member.counters.past == len(seen) == 3
    for number in range(4, 6):
        pair.table.add([record(number)])
        pair.sender.compile()  # lost
    pair.state_it()
    is_behind = not pair.member.synchronised
    assert is_behind
    pair.serve(DumpKind.RESUME)
    assert pair.state.position == Position(FIRST, sequence + 5)
    assert pair.equal()
    assert pair.member.synchronised
    pair.sender.stop()
    pair.sender = Sender(pair.state, pair.table, Term(2, 2), pair.sender._counters)
    pair.member.enter(pair.sender.begun)
    pair.table.add([record(6)])
    pair.deliver()
    pair.state_it()
    assert pair.state.position == Position(Term(2, 2), 1)
    assert pair.equal()
    assert pair.member.synchronised


def test_a_late_delete_spares_the_entry_that_has_the_port_now(pair: Pair) -> None:
    """A delete of what was there before comes when the same flow has the same port by a new entry."""
    old = record(1)
    new = record(2)[ID] + old[ID.stop :]
    assert old[REFERENCE] != new[REFERENCE]
    pair.member.enter(pair.sender.begun)
    for one, other in ((old, None), (None, new)):
        if one is None:
            pair.table.remove([old])
        pair.table.add([one or other])  # type: ignore[list-item]
        pair.deliver()
    assert list(pair.member.table) == [new]
    position = pair.member.state.position
    late = Message(1, FEED, FIRST, position.sequence + 1, item(Action.DELETE, old[REFERENCE]))
    assert pair.member.apply(late, pair.now) is None
    assert list(pair.member.table) == [new]
    assert pair.member.counters.deletes_unknown == 1
    assert pair.member.state.digest == pair.state.digest
