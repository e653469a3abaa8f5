"""The SNAT queue (Fig. 4A) and the connection queue (Fig. 5A)."""

from hypothesis import given
from hypothesis import strategies as st

from snat.nat.entry import ID, REFERENCE
from snat.nat.table import NatTable
from snat.replication.connection_queue import ConnectionQueue
from snat.replication.snat_queue import SnatQueue
from snat.wire.actions import Action
from tests.records import MAPPING, changed, record


def queue_and_table() -> tuple[SnatQueue, NatTable]:
    queue, table = SnatQueue(MAPPING), NatTable()
    table.listen(queue)
    return queue, table


def actions(queue: SnatQueue) -> list[Action]:
    return [action for action, *_ in queue.drain(100)]


def test_an_add_and_its_delete_cancel_out() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    table.remove([record()])
    assert actions(queue) == []


def test_updates_collapse_into_the_add() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    table.add([changed(record())])
    assert queue.drain(100) == [(Action.ADD, changed(record()), None, changed(record()))]


def test_updates_of_a_known_entry_collapse_into_one() -> None:
    queue, table = queue_and_table()
    table.add([record()])
    queue.drain(100)
    table.add([changed(record())])
    table.add([record()])
    table.add([changed(record())])
    assert queue.drain(100) == [(Action.UPDATE, changed(record()), record(), changed(record()))]


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
    assert queue.drain(100) == [(Action.DELETE, record()[REFERENCE], record(), None)]


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


@given(st.data())
def test_members_that_apply_what_is_drained_have_the_managers_table(data: st.DataObject) -> None:
    """Any changes, drained at any moment in pieces of any size, in order."""
    queue, table = queue_and_table()
    members: dict[bytes, bytes] = {}
    records = [record(number) for number in range(1, 6)]
    for _ in range(data.draw(st.integers(0, 40))):
        chosen = data.draw(st.sampled_from(records))
        match data.draw(st.integers(0, 3)):
            case 0:
                table.add([chosen])
            case 1:
                table.add([changed(chosen)])
            case 2:
                table.remove([chosen])
            case _:
                apply(members, queue.drain(data.draw(st.integers(1, 3))))
    while drained := queue.drain(2):
        apply(members, drained)
    assert sorted(members.values()) == sorted(table)


def apply(
    members: dict[bytes, bytes], drained: list[tuple[Action, bytes, bytes | None, bytes | None]]
) -> None:
    for action, data, before, after in drained:
        assert members.get(data[ID]) == before, "the queue knows what members have"
        if action is Action.DELETE:
            del members[data[ID]]
        else:
            members[data[ID]] = data
            assert after == data


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
