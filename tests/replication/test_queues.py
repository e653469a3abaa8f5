"""The SNAT queue (Fig. 4A) and the connection queue (Fig. 5A)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.entry import ID, PLAIN_SIZE, REFERENCE, TAIL
from snat.nat.table import NatTable
from snat.replication.connection_queue import ConnectionQueue, InboundQueue
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.packing import pack
from snat.replication.sender import Sender
from snat.replication.snat_queue import Run, SnatQueue
from snat.wire.actions import Action
from snat.wire.framing import Framing
from snat.wire.header import SIZE, Feed, Message, Term
from snat.wire.items import ITEM, changes, item
from tests.records import MAPPING, changed, record


def queue_and_table() -> tuple[SnatQueue, NatTable]:
    queue, table = SnatQueue(Feed(0, MAPPING)), NatTable()
    table.listen(queue)
    return queue, table


Change = tuple[Action, bytes, bytes | None, bytes | None]
"""Action, the data of its item, the record last sent, the record now."""


def drained(queue: SnatQueue, limit: int = 100) -> list[Change]:
    """One drain, change by change."""
    runs = queue.drain(limit)
    for run, after in pairwise(runs):
        assert run.action is not after.action, "runs are as long as they can be"
    found: list[Change] = []
    for action, data, removed, added in runs:
        sent = removed if action is not Action.ADD else [None] * len(data)
        now = added if action is not Action.DELETE else [None] * len(data)
        found += [(action, *change) for change in zip(data, sent, now, strict=True)]
        assert (removed, added) == ([one for one in sent if one], [one for one in now if one])
    assert len(found) <= limit
    return found


def actions(queue: SnatQueue) -> list[Action]:
    return [action for action, *_ in drained(queue)]


def test_an_add_and_its_delete_cancel_out() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    table.remove([record()])
    assert actions(queue) == []


def test_updates_collapse_into_the_add() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    table.add([changed(record())])
    assert drained(queue) == [(Action.ADD, changed(record()), None, changed(record()))]


def test_updates_of_a_known_entry_collapse_into_one() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    queue.drain(100)
    table.add([changed(record())])
    table.add([record()])
    table.add([changed(record())])
    assert drained(queue) == [(Action.UPDATE, changed(record()), record(), changed(record()))]


def test_a_change_that_was_taken_back_is_not_sent() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    queue.drain(100)
    table.add([changed(record())])
    table.add([record()])
    assert actions(queue) == []


def test_a_delete_carries_the_reference_of_what_was_sent() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    queue.drain(100)
    table.add([changed(record())])
    table.remove([record()])
    assert drained(queue) == [(Action.DELETE, record()[REFERENCE], record(), None)]


def test_a_short_connection_costs_at_most_four_items() -> None:
    """Design section 4: add, established, closing, delete, each drained before the next happens."""
    queue, table = queue_and_table()
    seen: list[Action] = []
    for step in (record(), changed(record()), record()):
        table.add([step])
        seen += actions(queue)
    table.remove([record()])
    seen += actions(queue)
    assert seen == [Action.ADD, Action.UPDATE, Action.UPDATE, Action.DELETE]


def test_other_mappings_are_not_this_feeds() -> None:
    queue, table = queue_and_table()
    table.add([record(mapping_id=11)])
    assert not queue
    assert actions(queue) == []


def test_an_add_that_was_drained_and_is_deleted_then_costs_a_delete() -> None:
    """What is being drained counts as sent, though it has not left the queue yet."""
    queue, table = queue_and_table()
    table.add([record(1), record(2)])
    assert drained(queue, 1) == [(Action.ADD, record(1), None, record(1))]
    table.remove([record(2)])
    assert drained(queue) == [(Action.ADD, record(2), None, record(2))]
    assert drained(queue) == [(Action.DELETE, record(2)[REFERENCE], record(2), None)]


def test_an_update_of_an_add_keeps_its_place() -> None:
    queue, table = queue_and_table()
    table.add([record(1), record(2)])
    table.add([changed(record(1))])
    assert [data for _, data, _, _ in drained(queue)] == [changed(record(1)), record(2)]


def test_changes_of_different_entries_stay_in_order() -> None:
    """A delete and the add that takes its endpoint: the other way round members would see a collision."""
    queue, table = queue_and_table()
    table.add([record(1), record(3)])
    drained(queue)
    table.remove([record(1)])
    table.add([record(2)])
    table.add([changed(record(3))])
    assert actions(queue) == [Action.DELETE, Action.ADD, Action.UPDATE]


def test_a_queue_that_was_cleared_has_forgotten_what_was_sent() -> None:
    queue, table = queue_and_table()
    table.add([record(1), record(2)])
    queue.drain(1)
    table.remove([record(2)])
    queue.clear()
    assert not queue
    assert actions(queue) == []
    table.add([record(2)])
    assert actions(queue) == [Action.ADD]


NUMBERS = st.lists(st.integers(1, 6), max_size=5)


@given(st.data())
def test_members_that_apply_what_is_drained_have_the_managers_table(data: st.DataObject) -> None:
    """Any changes in batches of any size, drained at any moment in pieces of any size, in order."""
    queue, table = queue_and_table()
    members: dict[bytes, bytes] = {}
    for _ in range(data.draw(st.integers(0, 40))):
        match data.draw(st.integers(0, 3)):
            case 0:
                table.add([record(number) for number in data.draw(NUMBERS)])
            case 1:
                table.add([changed(record(number)) for number in data.draw(NUMBERS)])
            case 2:
                table.remove([record(number) for number in data.draw(NUMBERS)])
            case _:
                apply(members, drained(queue, data.draw(st.integers(1, 3))))
    while changes := drained(queue, 2):
        apply(members, changes)
    assert sorted(members.values()) == sorted(table)


@given(st.lists(st.lists(st.tuples(st.sampled_from(["add", "update", "delete"]), NUMBERS), max_size=8)))
def test_the_items_between_two_whole_drains_are_as_few_as_can_be(
    rounds: list[list[tuple[str, list[int]]]],
) -> None:
    """One for each entry that differs from what members have, whatever happened to it meanwhile."""
    queue, table = queue_and_table()
    members: dict[bytes, bytes] = {}
    for steps in rounds:
        for what, numbers in steps:
            records = [record(number) for number in numbers]
            match what:
                case "add":
                    table.add(records)
                case "update":
                    table.add([changed(one) for one in records])
                case _:
                    table.remove(records)
        differing = {one[ID] for one in {*table} ^ {*members.values()}}
        changes: list[Change] = []
        while some := drained(queue, 4):
            changes += some
        assert len(changes) == len(differing)
        apply(members, changes)
        assert sorted(members.values()) == sorted(table)


def apply(members: dict[bytes, bytes], changes: list[Change]) -> None:
    for action, data, before, after in changes:
        assert members.get(data[ID]) == before, "the queue knows what members have"
        assert before != after, "an item changes something"
        if action is Action.DELETE:
            del members[data[ID]]
        else:
            members[data[ID]] = data
            assert after == data


RECORDS = st.builds(
    lambda number, context: record(number)[: -TAIL.size] + bytes(context) + record(number)[-TAIL.size :],
    st.integers(1, 1000),
    st.sampled_from([0, 0, 0, 0, 1, 7, 100]),
)
RUNS = st.lists(
    st.builds(
        lambda deletes, records: (
            Run(Action.DELETE, [one[REFERENCE] for one in records], records, [])
            if deletes
            else Run(Action.ADD, records, [], records)
        ),
        st.booleans(),
        st.lists(RECORDS, min_size=1, max_size=20),
    )
)


@given(RUNS, st.integers(0, 7), st.sampled_from([1, 53, 106, 150, 200, 1000]))
def test_packed_bodies_keep_order_and_limits_and_are_as_few_as_both_allow(
    runs: list[Run], entries: int, most: int
) -> None:
    expected = [item(run.action, data) for run in runs for data in run.data]
    bodies: list[list[bytes]] = []
    for body, count in pack(runs, entries, most):
        bodies.append(expected[:count])
        assert body == b"".join(bodies[-1])
        del expected[:count]
    assert expected == []
    for held in bodies:
        assert held
        assert len(held) <= (entries or len(held))
        assert len(held) == 1 or sum(map(len, held)) <= most
    for held, after in pairwise(bodies):
        assert len(held) == entries or sum(map(len, held)) + len(after[0]) > most


def compiled(sender: Sender) -> list[Message]:
    framing = Framing()
    framing.feed(b"".join(sender.compile()))
    return list(framing.messages())


def test_a_sender_fills_messages_up_to_one_tls_record() -> None:
    table, counters = NatTable(), FeedCounters()
    sender = Sender(FeedState(Feed(0, MAPPING)), table, Term(1, 1), counters)
    table.add([record(number) for number in range(1, 1001)])
    messages = compiled(sender)
    sizes = [SIZE + len(message.body) for message in messages]
    assert all(16384 - (ITEM.size + PLAIN_SIZE) < size <= 16384 for size in sizes[:-1])
    assert [message.sequence for message in messages] == [1, 2, 3, 4]
    assert (counters.messages_sent, counters.items_sent) == (4, 1000)
    assert sum(len(message.body) for message in messages) == 1000 * (ITEM.size + PLAIN_SIZE)


@pytest.mark.parametrize(("entries", "size", "counts"), [(10, 16352, [10, 10, 5]), (0, 1000, [18, 7])])
def test_a_sender_keeps_the_configured_limits_of_a_message(
    entries: int, size: int, counts: list[int]
) -> None:
    table, counters = NatTable(), FeedCounters()
    sender = Sender(
        FeedState(Feed(0, MAPPING)), table, Term(1, 1), counters, maximum_entries=entries, maximum_bytes=size
    )
    table.add([record(number) for number in range(1, 26)])
    assert [len(changes(message.body, Feed(0, MAPPING))[0][1]) for message in compiled(sender)] == counts
    assert counters.items_sent == 25
    assert sender.statement().count == 25


def test_a_queue_gives_messages_in_order_and_at_least_one() -> None:
    queue = ConnectionQueue()
    for number in range(5):
        queue.put(bytes([number]) * 10)
    assert queue.take(25) == [b"\0" * 10, b"\1" * 10]
    assert queue.take(1) == [b"\2" * 10]
    assert queue.size == 20


def test_an_overfull_queue_is_dropped_and_says_so() -> None:
    queue = ConnectionQueue(limit=100)
    for _ in range(11):
        queue.put(b"x" * 10)
    assert queue.needs_resync
    assert (queue.size, queue.overflows, queue.take(1000)) == (0, 1, [])


def test_nothing_is_queued_for_a_neighbor_that_needs_a_resync_first() -> None:
    queue = ConnectionQueue(limit=10)
    queue.put(b"x" * 11)
    queue.put(b"y")
    assert queue.take(100) == []


def message(size: int, sequence: int = 1) -> Message:
    """A message of ``size`` bytes, header included."""
    return Message(1, Feed(0, MAPPING), Term(1, 1), sequence, bytes(size - SIZE))


def test_inbound_messages_are_taken_in_order() -> None:
    queue = InboundQueue()
    for sequence in (1, 2, 3):
        queue.put(message(100, sequence))
    assert [queue.take().sequence for _ in range(3)] == [1, 2, 3]
    assert (bool(queue), queue.size) == (False, 0)
    with pytest.raises(IndexError):
        queue.take()


def test_an_inbound_queue_is_full_beyond_its_limit_and_not_at_it() -> None:
    queue = InboundQueue(limit=200)
    queue.put(message(100))
    queue.put(message(100))
    assert (queue.size, queue.full) == (200, False)
    queue.put(message(SIZE))
    assert queue.full
    queue.take()
    assert not queue.full


def test_messages_without_items_fill_an_inbound_queue_too() -> None:
    """Headers alone must not be a way around the limit."""
    queue = InboundQueue(limit=1000)
    for sequence in range(1000 // SIZE + 1):
        assert not queue.full
        queue.put(message(SIZE, sequence))
    assert queue.full


def test_what_comes_while_an_inbound_queue_is_full_is_kept() -> None:
    """The reader stops; what one read brought is not lost."""
    queue = InboundQueue(limit=10)
    queue.put(message(100, 1))
    queue.put(message(100, 2))
    assert [queue.take().sequence, queue.take().sequence] == [1, 2]


def test_a_cleared_inbound_queue_is_empty_and_goes_on() -> None:
    queue = InboundQueue(limit=10)
    queue.put(message(100, 1))
    queue.clear()
    assert (bool(queue), queue.size, queue.full) == (False, 0, False)
    queue.put(message(100, 2))
    assert queue.take().sequence == 2


@given(st.lists(st.integers(SIZE, 300) | st.none(), max_size=30))
def test_the_size_of_an_inbound_queue_is_that_of_what_waits(steps: list[int | None]) -> None:
    queue, waiting = InboundQueue(limit=500), list[int]()
    for size in steps:
        if size is not None:
            queue.put(message(size))
            waiting.append(size)
        elif waiting:
            assert len(queue.take().body) == waiting.pop(0) - SIZE
        assert (queue.size, queue.full, bool(queue)) == (sum(waiting), sum(waiting) > 500, bool(waiting))


def test_the_room_of_a_connection_queue_is_what_fits() -> None:
    queue = ConnectionQueue(limit=100)
    queue.put(b"x" * 30)
    assert queue.room == 70
    queue.put(b"x" * 70)
    assert (queue.room, queue.needs_resync) == (0, False)
    queue.take(30)
    assert queue.room == 30
