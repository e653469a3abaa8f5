"""Pitfall 26: what is sent again, of every length at which somebody's field was too short."""

import pytest

from snat.nat.entry import FIXED_SIZE, MAXIMUM_SIZE
from snat.replication.sender import Sender
from snat.wire.actions import DumpKind
from snat.wire.header import MAXIMUM_MESSAGE, SIZE, Term
from snat.wire.items import ADD_PLAIN
from tests.records import record
from tests.replication.test_receiver import Pair

ITEM = len(ADD_PLAIN)


def records_of(size: int) -> list[bytes]:
    """Entries, with contexts, whose adds are ``size`` bytes long."""
    count = -(-size // (ITEM + MAXIMUM_SIZE))
    sizes = [size // count + (number < size % count) for number in range(count)]
    plain = [record(number) for number in range(1, count + 1)]
    return [
        one[:FIXED_SIZE] + bytes(each - ITEM - len(one)) + one[FIXED_SIZE:]
        for one, each in zip(plain, sizes, strict=True)
    ]


@pytest.mark.parametrize("length", [127, 128, 255, 256, 257, 1460, 1500, 9000, 16384, 65535, MAXIMUM_MESSAGE])
def test_what_is_sent_again_is_what_was_sent_whatever_its_length(length: int) -> None:
    pair = Pair()
    pair.sender.stop()
    pair.sender = Sender(
        pair.state, pair.table, Term(2, 1), pair.sender._counters, maximum_bytes=MAXIMUM_MESSAGE - SIZE
    )
    pair.member.whole = True
    position = pair.member.state.position
    pair.table.add(records_of(length - SIZE))
    (sent,) = pair.sender.compile()
    assert len(sent) == length
    pair.state_it()
    was_lost = not pair.member.synchronised
    assert was_lost, "the first time"
    again = pair.state.journal.since(position)
    assert again is not None
    assert again[-1] == sent
    pair.serve(DumpKind.RESUME)
    assert pair.equal()
    assert pair.member.synchronised
    kept = pair.member.state.journal.since(position)
    assert kept is not None
    assert kept[-1] == sent, "who takes over can send it again too"
