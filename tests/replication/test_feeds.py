"""A manager's sender and a member's receiver, joined by lists of messages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.table import NatTable
from snat.replication.digest import FeedDigest
from snat.replication.dump import Dump
from snat.replication.feed import FeedCounters, FeedState, belongs_to
from snat.replication.receiver import REQUEST_TIME, Receiver
from snat.replication.sender import MESSAGE_SIZE, Sender
from snat.wire.actions import Digest, DumpBegin, DumpEnd, DumpKind, DumpRequest, Had, TermBegin
from snat.wire.errors import ErrorCode, WireError
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message, Position, Term, encode
from snat.wire.items import control, controls
from tests.records import MAPPING, changed, record

FEED = Feed(0, MAPPING)
NOW = 100.0


class Manager:
    def __init__(self) -> None:
        self.table = NatTable()
        self.state = FeedState(FEED)
        self.sender = Sender(self.state, self.table, Term(1, 1), FeedCounters())

    def compiled(self) -> list[Message]:
        return [decoded(message) for message in self.sender.compile()]

    def dump(self, request: DumpRequest, slice_size: int = 200) -> Dump:
        return Dump(request, self.state, self.table, slice_size)


def decoded(data: bytes) -> Message:
    framing = Framing()
    framing.feed(data)
    (message,) = framing.messages()
    return message


def member() -> Receiver:
    return Receiver(FeedState(FEED), NatTable(), FeedCounters())


def deliver(receiver: Receiver, message: Message) -> None:
    """As :class:`snat.device.exchange.Exchange` does."""
    found = [] if message.sequence or message.body[:1] == b"\x02" else controls(message.body)
    if not found:
        assert receiver.apply(message, NOW) is None
    for said in found:
        match said:
            case DumpBegin():
                receiver.begin(said, NOW)
            case DumpEnd():
                receiver.end(said, NOW)
                while receiver.works:
                    receiver.work(NOW)
            case TermBegin():
                receiver.enter(said)
            case Had():
                receiver.had(said)
            case Digest():
                assert receiver.compare(said, NOW) is None


def follow() -> tuple[Manager, Receiver]:
    """A member that is synchronised from the start of the term on."""
    manager, receiver = Manager(), member()
    receiver.enter(manager.sender.begun)
    receiver.compare(manager.sender.statement(), NOW)
    assert receiver.synchronised
    return manager, receiver


def equal(manager: Manager, receiver: Receiver) -> bool:
    return (
        sorted(manager.table) == sorted(receiver.table)
        and manager.state.position == receiver.state.position
        and manager.state.digest == receiver.state.digest
    )


def test_a_member_at_the_base_follows_without_a_dump() -> None:
    manager, receiver = follow()
    manager.table.add([record(1), record(2)])
    manager.table.remove([record(1)])
    for message in manager.compiled():
        deliver(receiver, message)
    assert equal(manager, receiver)
    assert receiver.wanted(NOW) is None


def test_a_takeover_needs_no_dump_at_the_base() -> None:
    manager, receiver = follow()
    manager.table.add([record(1)])
    for message in manager.compiled():
        deliver(receiver, message)
    taker = Sender(receiver.state, receiver.table, receiver.state.next_term(2), FeedCounters())
    old = Receiver(manager.state, manager.table, FeedCounters(), whole=True)
    old.enter(taker.begun)
    assert old.compare(taker.statement(), NOW) is None
    assert old.synchronised
    assert old.state.position == Position(Term(2, 2), 0)


def test_a_new_term_is_not_adopted_away_from_its_base() -> None:
    manager, receiver = follow()
    manager.table.add([record(1)])
    manager.compiled()  # the member never hears of it
    taker = Sender(manager.state, manager.table, Term(2, 2), FeedCounters())
    before = receiver.state.position
    receiver.enter(taker.begun)
    assert receiver.compare(taker.statement(), NOW) is None
    assert receiver.state.position == before
    assert receiver.wanted(NOW) is DumpKind.RESUME


def test_a_gap_is_noticed_and_nothing_after_it_is_applied() -> None:
    manager, receiver = follow()
    manager.table.add([record(1)])
    lost = manager.compiled()
    manager.table.add([record(2)])
    (later,) = manager.compiled()
    assert receiver.apply(later, NOW) is None
    assert len(lost) == 1
    assert len(receiver.table) == 0
    assert receiver.counters.gaps == 1
    assert receiver.wanted(NOW) is DumpKind.RESUME


def test_a_statement_from_ahead_is_a_gap() -> None:
    manager, receiver = follow()
    manager.table.add([record(1)])
    manager.compiled()
    receiver.compare(manager.sender.statement(), NOW)
    assert receiver.wanted(NOW) is DumpKind.RESUME


def test_an_older_term_is_refused_with_a_counter() -> None:
    manager, receiver = follow()
    receiver.state.restart(Position(Term(5, 2), 0))
    manager.table.add([record(1)])
    (message,) = manager.compiled()
    assert receiver.apply(message, NOW) is ErrorCode.OLD_TERM
    assert receiver.compare(manager.sender.statement(), NOW) is ErrorCode.OLD_TERM
    assert receiver.counters.old_terms == 2
    assert len(receiver.table) == 0


def test_a_digest_that_differs_at_the_same_sequence_asks_for_a_dump() -> None:
    manager, receiver = follow()
    manager.table.add([record(1)])
    for message in manager.compiled():
        deliver(receiver, message)
    receiver.table.remove([record(1)])
    receiver.state.digest.change([record(1)], [])
    receiver.compare(manager.sender.statement(), NOW)
    assert receiver.counters.mismatches == 1
    assert receiver.wanted(NOW) is DumpKind.FEED


def test_a_dump_removes_what_the_manager_does_not_have() -> None:
    """Pitfall 5: conntrackd's resync leaves stale entries for ever."""
    manager, receiver = Manager(), member()
    manager.table.add([record(number) for number in range(1, 20)])
    manager.compiled()
    stale = [record(number) for number in range(15, 30)]
    receiver.table.add(stale)
    receiver.state.digest.change([], stale)
    run_dump(manager, receiver)
    assert equal(manager, receiver)
    assert receiver.synchronised
    assert receiver.counters.swept == 10


def test_only_the_feeds_own_entries_are_swept() -> None:
    manager, receiver = Manager(), member()
    receiver.table.add([record(1, mapping_id=11), record(2, nat_id=0)])
    run_dump(manager, receiver)
    assert len(receiver.table) == 2


def test_a_dump_of_another_number_is_not_ours() -> None:
    manager, receiver = Manager(), member()
    manager.table.add([record(1)])
    manager.compiled()
    asked = receiver.request(DumpKind.FEED, NOW)
    for message in whole(manager.dump(asked._replace(number=99))):
        deliver(receiver, message)
    assert len(receiver.table) == 0
    assert not receiver.synchronised


def test_a_dump_cut_short_leaves_the_member_unsynchronised() -> None:
    """Pitfall 12: "pretend the transfer was ok"."""
    manager, receiver = Manager(), member()
    manager.table.add([record(number) for number in range(1, 20)])
    manager.compiled()
    for message in whole(manager.dump(receiver.request(DumpKind.FEED, NOW)))[:-1]:
        deliver(receiver, message)
    receiver.interrupted()
    assert not receiver.synchronised
    assert receiver.counters.dumps_failed == 1
    assert receiver.wanted(NOW) is DumpKind.FEED


def test_a_dump_is_asked_for_again_only_after_a_while() -> None:
    receiver = member()
    assert receiver.wanted(NOW) is DumpKind.RESUME
    receiver.request(DumpKind.RESUME, NOW)
    assert receiver.wanted(NOW + REQUEST_TIME - 0.1) is None
    assert receiver.wanted(NOW + REQUEST_TIME) is DumpKind.RESUME


def test_a_malformed_message_changes_nothing() -> None:
    """Pitfall 15: validate all, then apply all."""
    manager, receiver = follow()
    manager.table.add([record(1), record(2)])
    (message,) = manager.compiled()
    with pytest.raises(WireError):
        receiver.apply(message._replace(body=message.body[:-1]), NOW)
    assert len(receiver.table) == 0
    assert receiver.state.position.sequence == 0


def test_deletes_of_unknown_entries_are_dropped_and_counted() -> None:
    manager, receiver = follow()
    manager.table.add([record(1)])
    for message in manager.compiled():
        deliver(receiver, message)
    receiver.table.remove([record(1)])
    manager.table.remove([record(1)])
    for message in manager.compiled():
        deliver(receiver, message)
    assert receiver.counters.deletes_unknown == 1


def test_many_changes_become_messages_of_one_tls_record() -> None:
    manager, _ = follow()
    manager.table.add([record(number) for number in range(1, 2000)])
    messages = manager.sender.compile()
    assert max(map(len, messages)) <= MESSAGE_SIZE + 32
    assert [decoded(message).sequence for message in messages] == list(range(1, len(messages) + 1))


def test_the_digest_tells_swapped_ports_apart() -> None:
    """A XOR of CRCs would not."""
    one, other = FeedDigest(), FeedDigest()
    first, second = record(1), record(2)
    one.change([], [first, second])
    other.change([], [first[:27] + second[27:29] + first[29:], second[:27] + first[27:29] + second[29:]])
    assert one.count == other.count
    assert one.value != other.value


def test_the_remaining_time_is_not_part_of_the_digest() -> None:
    one, other = FeedDigest(), FeedDigest()
    one.change([], [record(1)])
    other.change([], [record(1)[:-4] + b"\0\0\0\x09"])
    assert one == other


def test_local_entries_belong_to_no_feed() -> None:
    assert belongs_to(FEED)(record(1))
    assert not belongs_to(FEED)(record(1, nat_id=0))
    assert not belongs_to(FEED)(record(1, mapping_id=11))
    assert belongs_to(Feed(1, MAPPING))(record(1, nat_id=1))
    assert not belongs_to(Feed(2, MAPPING))(record(1, nat_id=1))


def whole(dump: Dump) -> list[Message]:
    messages = []
    last = False
    while not last:
        data, last = dump.next_message()
        messages.append(decoded(data))
    return messages


def run_dump(manager: Manager, receiver: Receiver) -> None:
    for message in whole(manager.dump(receiver.request(DumpKind.FEED, NOW))):
        deliver(receiver, message)


def test_an_endpoint_with_many_flows_is_cut_into_slices() -> None:
    manager, receiver = Manager(), member()
    one, outside = record(1), [number.to_bytes(6, "big") for number in range(1, 2000)]
    manager.table.add([one[:4] + far.rjust(8, b"\0") + one[12:29] + far * 2 + one[41:] for far in outside])
    manager.compiled()
    assert len(manager.table.endpoints()) == 1
    messages = whole(manager.dump(receiver.request(DumpKind.FEED, NOW), slice_size=1000))
    assert max(len(message.body) for message in messages) < 1000 + 100
    for message in messages:
        deliver(receiver, message)
    assert equal(manager, receiver)


def test_the_last_term_there_is_can_be_taken() -> None:
    state = FeedState(FEED, highest=Term(0xFFFFFFFF, 9))
    taken = state.next_term(2)
    assert taken == Term(0xFFFFFFFF, 2)
    assert encode(b"", FEED, taken, 1)


@settings(max_examples=300)
@given(st.data())
def test_a_dump_and_live_changes_in_any_order_end_equal(data: st.DataObject) -> None:
    """Pitfall 7: the queue is drained before each slice is cut, and before begin and end."""
    manager, receiver = Manager(), member()
    records = [record(number, host=number % 3) for number in range(1, 12)]
    manager.table.add(data.draw(st.lists(st.sampled_from(records), unique=True)))
    manager.compiled()
    stale = data.draw(st.lists(st.sampled_from(records), unique=True))
    receiver.table.add(stale)
    receiver.state.digest.change([], stale)
    dump = manager.dump(receiver.request(DumpKind.FEED, NOW), slice_size=data.draw(st.integers(1, 300)))
    last = False
    while not last:
        for _ in range(data.draw(st.integers(0, 3))):
            disturb(manager.table, data.draw(st.sampled_from(records)), data.draw(st.integers(0, 2)))
        for message in manager.compiled():
            deliver(receiver, message)
        slice_, last = dump.next_message()
        deliver(receiver, decoded(slice_))
    assert equal(manager, receiver)
    assert receiver.synchronised


def disturb(table: NatTable, chosen: bytes, how: int) -> None:
    if how == 0:
        table.remove([chosen])
    else:
        table.add([changed(chosen) if how == 1 else chosen])


def test_an_encoded_statement_is_what_the_member_compares() -> None:
    manager, receiver = follow()
    manager.table.add([record(1)])
    for message in manager.compiled():
        deliver(receiver, message)
    deliver(receiver, decoded(encode(control(manager.sender.statement()))))
    assert receiver.synchronised
    assert receiver.state.verified == NOW
