"""A member: what it asks for, when, and when it gives an alarm."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.table import NatTable
from snat.replication import sweep
from snat.replication.dump import Dump
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.receiver import LONGEST_DELAY, REQUEST_TIME, Receiver
from snat.replication.sender import Sender
from snat.wire.actions import Digest, DumpBegin, DumpEnd, DumpKind, TermBegin
from snat.wire.errors import ErrorCode, WireError
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message, Position, Term
from snat.wire.items import controls
from tests.records import MAPPING, changed, record

FEED = Feed(0, MAPPING)


def decoded(data: bytes) -> Message:
    framing = Framing()
    framing.feed(data)
    (message,) = framing.messages()
    return message


@dataclass
class Pair:
    """A manager and a member; what is sent is delivered by hand."""

    now: float = 100.0

    def __post_init__(self) -> None:
        self.table = NatTable()
        self.state = FeedState(FEED)
        self.sender = Sender(self.state, self.table, Term(1, 1), FeedCounters())
        self.member = Receiver(FeedState(FEED), NatTable(), FeedCounters())

    def take(self, data: bytes) -> None:
        message = decoded(data)
        if message.sequence or message.body[:1] == b"\x02":
            self.member.apply(message, self.now)
            return
        for said in controls(message.body):
            match said:
                case TermBegin():
                    self.member.enter(said)
                case Digest():
                    self.member.compare(said, self.now)
                case DumpBegin():
                    self.member.begin(said, self.now)
                case DumpEnd():
                    self.member.end(said, self.now)

    def state_it(self) -> None:
        self.member.compare(self.sender.statement(), self.now)

    def deliver(self) -> None:
        for data in self.sender.compile():
            self.take(data)

    def serve(self, kind: DumpKind) -> None:
        request = self.member.request(kind, self.now)
        messages = self.state.journal.since(request.position) if kind is DumpKind.RESUME else None
        if messages is not None:
            for data in messages:
                self.take(data)
            self.state_it()
            return
        dump, last = Dump(request, self.state, self.table, 300), False
        while not last:
            data, last = dump.next_message()
            self.take(data)
        self.sweep()

    def sweep(self) -> None:
        """To its end."""
        while self.member.works:
            self.member.work(self.now)

    def equal(self) -> bool:
        ours, theirs = self.state, self.member.state
        same = (ours.position, ours.digest) == (theirs.position, theirs.digest)
        return same and sorted(self.table) == sorted(self.member.table)


@pytest.fixture
def pair() -> Pair:
    """Synchronised from the begin of the term on, with one entry."""
    pair = Pair()
    pair.member.enter(pair.sender.begun)
    pair.table.add([record(1)])
    pair.deliver()
    pair.state_it()
    assert pair.member.synchronised
    return pair


def lie(pair: Pair) -> None:
    """The tables differ at the same position."""
    said = pair.sender.statement()
    pair.member.compare(said._replace(digest=said.digest ^ 1), pair.now)


def test_after_a_gap_the_table_is_whole_and_what_was_missed_is_asked_for(pair: Pair) -> None:
    pair.table.add([record(2)])
    pair.sender.compile()  # lost
    pair.table.add([record(3)])
    pair.deliver()
    member = pair.member
    assert (member.whole, member.synchronised, member.counters.gaps) == (True, False, 1)
    assert member.wanted(pair.now) is DumpKind.RESUME
    assert member.request(DumpKind.RESUME, pair.now).position == Position(Term(1, 1), 1)
    pair.serve(DumpKind.RESUME)
    assert pair.equal()
    assert member.synchronised
    assert member.counters.dumps_received == 0


def test_messages_that_were_applied_are_refused_as_past_and_change_nothing(pair: Pair) -> None:
    pair.table.add([record(2)])
    (data,) = pair.sender.compile()
    message = decoded(data)
    assert pair.member.apply(message, pair.now) is None
    assert pair.member.apply(message, pair.now) is ErrorCode.PAST
    assert pair.member.counters.past == 1
    assert pair.equal()
    assert pair.member.synchronised


def test_repairs_wait_longer_each_time_and_two_that_fail_are_divergence(pair: Pair) -> None:
    member = pair.member
    waits = []
    for _ in range(12):
        member.whole = True
        lie(pair)
        begun = pair.now
        while member.wanted(pair.now) is None:
            pair.now += 0.5
        assert member.wanted(pair.now) is DumpKind.FEED
        waits.append(pair.now - begun)
    assert waits == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_DELAY, LONGEST_DELAY]
    assert member.diverged
    pair.serve(DumpKind.FEED)
    assert not member.diverged, "equal now"


def test_failures_are_forgotten_after_a_while_without_one(pair: Pair) -> None:
    lie(pair)
    pair.serve(DumpKind.FEED)
    assert pair.member.synchronised
    assert pair.member.failures == 1
    pair.now += LONGEST_DELAY
    pair.state_it()
    assert pair.member.failures == 0


def test_one_failed_repair_is_no_divergence_yet(pair: Pair) -> None:
    lie(pair)
    assert not pair.member.diverged
    assert pair.member.counters.mismatches == 1


def test_a_repair_that_waits_is_not_counted_again_by_each_statement(pair: Pair) -> None:
    for _ in range(5):
        lie(pair)
    assert (pair.member.failures, pair.member.counters.mismatches) == (1, 1)


def test_a_dump_whose_end_does_not_agree_has_failed(pair: Pair) -> None:
    lie(pair)
    request = pair.member.request(DumpKind.FEED, pair.now)
    at = pair.state.position
    pair.member.begin(DumpBegin(request.number, FEED, DumpKind.FEED, at), pair.now)
    pair.member.end(DumpEnd(request.number, FEED, at, 7, 7), pair.now)
    assert pair.member.counters.dumps_failed == 1
    assert pair.member.failures == 2
    assert not pair.member.synchronised


def test_a_refused_request_is_repeated_soon(pair: Pair) -> None:
    pair.member.refresh(pair.now)
    pair.member.request(DumpKind.FEED, pair.now)
    pair.member.refused(pair.now)
    assert pair.member.wanted(pair.now) is None
    assert pair.member.wanted(pair.now + 0.5) is DumpKind.FEED


def test_a_term_is_entered_at_its_base_alone_and_only_by_a_whole_table(pair: Pair) -> None:
    member, at = pair.member, pair.member.state.position
    member.enter(TermBegin(FEED, Term(2, 2), Position(at.term, at.sequence + 1)))
    assert member.state.position == at
    member.whole = False
    member.enter(TermBegin(FEED, Term(2, 2), at))
    assert member.state.position == at
    member.whole = True
    member.enter(TermBegin(FEED, Term(2, 2), at))
    assert member.state.position == Position(Term(2, 2), 0)
    assert member.state.highest == Term(2, 2)


def test_an_old_statement_is_nothing(pair: Pair) -> None:
    old = pair.sender.statement()
    pair.table.add([record(2)])
    pair.deliver()
    pair.state_it()
    assert pair.member.compare(old, pair.now) is None
    assert pair.member.synchronised


def test_all_entries_go_at_once(pair: Pair) -> None:
    pair.table.add([record(number) for number in range(2, 9)])
    pair.member.table.add([record(50, mapping_id=99)])
    for data in pair.sender.clear():
        pair.take(data)
    assert len(pair.table) == 0
    assert [one[12:16] for one in pair.member.table] == [(99).to_bytes(4, "big")]
    assert pair.member.state.digest == pair.state.digest
    assert pair.member.counters.cleared == 1


def test_a_slice_holds_adds_alone(pair: Pair) -> None:
    pair.table.remove([record(1)])
    (data,) = pair.sender.compile()
    with pytest.raises(WireError) as refused:
        pair.member.apply(decoded(data)._replace(sequence=0), pair.now)
    assert refused.value.code is ErrorCode.MALFORMED
    assert len(pair.member.table) == 1


def test_a_member_with_an_interval_asks_at_it_and_is_not_out_of_step_between(pair: Pair) -> None:
    member = pair.member
    member.interval = 10.0
    member.request(DumpKind.RESUME, pair.now)
    pair.state_it()
    pair.table.add([record(2)])
    pair.sender.compile()  # it is not told
    pair.state_it()
    assert member.synchronised
    assert member.wanted(pair.now + 9.9) is None
    assert member.wanted(pair.now + 10.0) is DumpKind.RESUME
    pair.now += 10.0
    pair.serve(DumpKind.RESUME)
    assert pair.equal()


def test_lag_is_counted_in_messages_and_in_seconds(pair: Pair) -> None:
    assert pair.member.lag(pair.now + 5) == (0, 0.0)
    for number in (2, 3, 4):
        pair.table.add([record(number)])
        pair.sender.compile()
    pair.now += 1.0
    pair.state_it()
    assert pair.member.lag(pair.now + 2.0) == (3, 3.0)
    pair.serve(DumpKind.RESUME)
    assert pair.member.lag(pair.now) == (0, 0.0)


def test_the_manager_sees_how_far_a_member_lags(pair: Pair) -> None:
    sender, began = pair.sender, pair.state.position
    sender.sample(100.0)
    pair.table.add([record(2)])
    sender.compile()
    sender.sample(101.0)
    pair.table.add([record(3)])
    sender.compile()
    assert sender.lag(began, 103.5) == (2, 2.5)
    assert sender.lag(pair.state.position, 103.5) == (0, 0.0)


def test_who_asked_for_nothing_gets_no_dump(pair: Pair) -> None:
    pair.member.begin(DumpBegin(0, FEED, DumpKind.FEED, Position(Term(9, 1), 9)), pair.now)
    assert pair.member.state.position == pair.state.position
    assert pair.member.synchronised


def test_a_sweep_goes_on_in_slices_while_the_feed_does(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SLICE", 3)
    member = pair.member
    stale = [record(number) for number in range(100, 110)]
    member.table.add(stale)
    member.state.digest.change([], stale)
    lie(pair)
    request = member.request(DumpKind.FEED, pair.now)
    dump, last = Dump(request, pair.state, pair.table, 300), False
    while not last:
        data, last = dump.next_message()
        pair.take(data)
    assert (member.works, member.synchronised) == (True, False)
    pair.table.add([record(2), record(100)])  # one of the stale is made anew meanwhile
    pair.table.remove([record(1)])
    pair.deliver()
    pair.sweep()
    assert (member.whole, member.synchronised) == (True, False)
    assert member.wanted(pair.now) is DumpKind.RESUME
    pair.serve(DumpKind.RESUME)
    assert member.synchronised
    assert pair.equal()
    assert member.counters.swept == 9


def test_an_untouched_table_is_whole_and_a_snapshot_is_not() -> None:
    assert Receiver(FeedState(FEED), NatTable(), FeedCounters()).whole
    state = FeedState(FEED)
    state.digest.change([], [record(1)])
    assert not Receiver(state, NatTable(), FeedCounters()).whole


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_lost_a_member_that_asks_ends_equal(data: st.DataObject) -> None:
    """Changes, new terms, lost messages; with a small journal, so that dumps are needed too."""
    pair = Pair()
    pair.state.journal.bound(data.draw(st.sampled_from([0, 1500, 1 << 20])))
    pair.member.enter(pair.sender.begun)
    records = [record(number, host=number % 3) for number in range(1, 10)]
    for number in range(data.draw(st.integers(1, 12))):
        match data.draw(st.integers(0, 5)):
            case 0:
                pair.table.add([data.draw(st.sampled_from(records))])
            case 1:
                pair.table.add([changed(data.draw(st.sampled_from(records)))])
            case 2:
                pair.table.remove([data.draw(st.sampled_from(records))])
            case 3:
                pair.deliver()
                pair.sender.stop()
                pair.sender = Sender(pair.state, pair.table, Term(2 + number, 1), FeedCounters())
                if data.draw(st.booleans()):
                    pair.member.enter(pair.sender.begun)
            case 4:
                pair.sender.compile()  # lost
            case 5:
                pair.deliver()
    pair.deliver()
    pair.state_it()
    for _ in range(3):
        kind = pair.member.wanted(pair.now)
        if kind is not None:
            pair.serve(kind)
        pair.now += REQUEST_TIME
    assert pair.equal()
    assert pair.member.synchronised
    assert pair.member.failures == 0
