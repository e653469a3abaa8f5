"""Repairs of a member's table: what may begin and end one, and what it comes to, whoever manages."""

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.table import NatTable
from snat.replication import sweep
from snat.replication.dump import Dump
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.receiver import LONGEST_DELAY, REQUEST_TIME, Receiver
from snat.replication.sender import Sender
from snat.wire.actions import Action, Digest, DumpBegin, DumpEnd, DumpKind, Had, TermBegin
from snat.wire.errors import ErrorCode
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message, Position, Term, encode
from snat.wire.items import CHANGES, controls, first_action, item
from tests.records import MAPPING, changed, record

FEED: Final = Feed(0, MAPPING)
ONE: Final = Term(1, 1)
NOW: Final = 100.0


class Device:
    """One table of the unit, that of a manager or of a member."""

    def __init__(self, nat_id: int) -> None:
        self.nat_id = nat_id
        self.table = NatTable()
        self.state = FeedState(FEED)
        self.counters = FeedCounters()
        self.sender: Sender | None = None
        self.receiver = Receiver(self.state, self.table, self.counters)

    def manage(self) -> None:
        term = self.state.next_term(self.nat_id)
        self.sender = Sender(self.state, self.table, term, self.counters, maximum_entries=1)

    def follow(self) -> None:
        """A manager gives up; its table is what its feed was."""
        if self.sender is not None:
            self.sender.compile()
            self.sender.stop()
            self.sender = None
        self.receiver = Receiver(self.state, self.table, self.counters, whole=True)

    def take(self, data: bytes, now: float = NOW) -> None:
        """What a manager sent, as :class:`snat.device.exchange.Exchange` gives it to the receiver."""
        framing = Framing()
        framing.feed(data)
        (message,) = framing.messages()
        if message.sequence or first_action(message.body) in CHANGES:
            self.receiver.apply(message, now)
            return
        for said in controls(message.body):
            match said:
                case TermBegin():
                    self.receiver.enter(said)
                case Had():
                    self.receiver.had(said)
                case Digest():
                    self.receiver.compare(said, now)
                case DumpBegin():
                    self.receiver.begin(said, now)
                case DumpEnd():
                    self.receiver.end(said, now)
                case _:
                    raise AssertionError(said)

    def sweep(self, now: float = NOW) -> None:
        while self.receiver.works:
            self.receiver.work(now)

    def fact(self) -> tuple[list[bytes], Position, object]:
        return sorted(self.table), self.state.position, self.state.digest


def sender_of(device: Device) -> Sender:
    assert device.sender is not None
    return device.sender


def unit() -> tuple[Device, Device]:
    """R1 manages, R2 is synchronised; one entry."""
    one, two = Device(1), Device(2)
    one.manage()
    two.receiver.enter(sender_of(one).begun)
    one.table.add([record(1)])
    for data in sender_of(one).compile():
        two.take(data)
    two.receiver.compare(sender_of(one).statement(), NOW)
    assert two.receiver.synchronised
    return one, two


def changes(one: Device, *numbers: int) -> list[bytes]:
    one.table.add([record(number) for number in numbers])
    return sender_of(one).compile()


def decoded(data: bytes) -> Message:
    framing = Framing()
    framing.feed(data)
    (message,) = framing.messages()
    return message


def serve(manager: Device, member: Device, kind: DumpKind, slice_size: int = 120) -> None:
    """Answer as a device does: out of the journal, or by a dump."""
    asked = member.receiver.request(kind, NOW)
    kept = manager.state.journal.since(asked.position) if kind is DumpKind.RESUME else None
    if kept is not None:
        for data in kept:
            member.take(data)
        member.receiver.compare(sender_of(manager).statement(), NOW)
        return
    dump, last = Dump(asked, manager.state, manager.table, slice_size), False
    while not last:
        data, last = dump.next_message()
        member.take(data)
    member.sweep()


# What begins a dump, and what does not


def test_a_begin_of_a_request_that_was_repeated_is_ignored() -> None:
    one, two = unit()
    first = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.begin(DumpBegin(first.number, FEED, DumpKind.FEED, one.state.position), NOW)
    two.receiver.end(DumpEnd(first.number, FEED, one.state.position, 0, 0), NOW)
    assert (two.receiver.synchronised, len(two.table), two.counters.swept) == (True, 1, 0)


def over_by_its_end(one: Device, two: Device) -> int:
    two.receiver.refresh(NOW)
    serve(one, two, DumpKind.FEED)
    return 1


def over_by_a_lost_link(one: Device, two: Device) -> int:
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.begin(DumpBegin(asked.number, FEED, DumpKind.FEED, one.state.position), NOW)
    two.receiver.interrupted()
    return asked.number


def over_by_refusal(_one: Device, two: Device) -> int:
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.refused(NOW)
    return asked.number


@pytest.mark.parametrize("over", [over_by_its_end, over_by_a_lost_link, over_by_refusal])
def test_a_begin_of_a_dump_that_is_over_is_ignored(over: Callable[[Device, Device], int]) -> None:
    one, two = unit()
    number = over(one, two)
    before = two.fact()
    two.receiver.begin(DumpBegin(number, FEED, DumpKind.FEED, Position(ONE, 50)), NOW)
    two.receiver.end(DumpEnd(number, FEED, Position(ONE, 50), 0, 0), NOW)
    assert two.fact() == before
    assert not two.receiver.works


def test_a_begin_in_an_older_term_is_ignored() -> None:
    one, two = unit()
    two.receiver.enter(TermBegin(FEED, Term(2, 2), one.state.position))
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.begin(DumpBegin(asked.number, FEED, DumpKind.FEED, one.state.position), NOW)
    assert two.state.position == Position(Term(2, 2), 0)


def test_an_end_without_its_begin_is_ignored() -> None:
    one, two = unit()
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.end(DumpEnd(asked.number, FEED, one.state.position, 9, 9), NOW)
    assert (two.receiver.synchronised, two.counters.dumps_failed) == (True, 0)


def test_slices_outside_a_dump_are_ignored() -> None:
    one, two = unit()
    changes(one, 2)
    asked = two.receiver.request(DumpKind.FEED, NOW)
    dump = Dump(asked, one.state, one.table, 500)
    dump.next_message()  # the begin is lost
    slice_, _ = dump.next_message()
    two.take(slice_)
    assert list(two.table) == [record(1)]


def stray(term: Term) -> bytes:
    """A slice with an entry that no dump has."""
    return encode(item(Action.ADD, record(77)), FEED, term)


def test_what_is_left_of_a_dump_that_is_asked_for_again_is_ignored() -> None:
    """Its slices, and an end that would be the new one's: that has not begun."""
    one, two = unit()
    first = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.begin(DumpBegin(first.number, FEED, DumpKind.FEED, one.state.position), NOW)
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.take(stray(ONE))
    two.receiver.end(DumpEnd(asked.number, FEED, one.state.position, 0, 0), NOW)
    assert (list(two.table), two.counters.swept, two.counters.dumps_failed) == ([record(1)], 0, 0)
    assert not two.receiver.works


def test_a_slice_of_another_term_than_the_dumps_is_ignored() -> None:
    one, two = unit()
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.begin(DumpBegin(asked.number, FEED, DumpKind.FEED, one.state.position), NOW)
    two.take(stray(Term(2, 1)))
    assert list(two.table) == [record(1)]
    two.take(stray(ONE))
    assert record(77) in list(two.table)


def test_a_slice_behind_the_end_is_ignored_though_the_sweep_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SLICE", 1)
    one, two = unit()
    for data in changes(one, 2, 3, 4):
        two.take(data)
    dump, last = Dump(two.receiver.request(DumpKind.FEED, NOW), one.state, one.table, 120), False
    while not last:
        data, last = dump.next_message()
        two.take(data)
    assert two.receiver.works
    two.take(stray(ONE))
    two.sweep()
    assert two.receiver.synchronised
    assert two.fact() == one.fact()


# What ends it


def test_a_dump_that_fails_is_asked_for_anew_and_then_helps() -> None:
    one, two = unit()
    two.receiver.refresh(NOW)
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.begin(DumpBegin(asked.number, FEED, DumpKind.FEED, one.state.position), NOW)
    two.receiver.end(DumpEnd(asked.number, FEED, one.state.position, 7, 7), NOW)
    two.sweep()
    assert (two.receiver.synchronised, two.receiver.whole, two.counters.dumps_failed) == (False, False, 1)
    assert two.receiver.wanted(NOW) is DumpKind.FEED
    serve(one, two, DumpKind.FEED)
    assert one.fact() == two.fact()
    assert two.receiver.synchronised


def test_a_gap_within_a_dump_fails_it() -> None:
    one, two = unit()
    two.receiver.refresh(NOW)
    dump = Dump(two.receiver.request(DumpKind.FEED, NOW), one.state, one.table, 500)
    two.take(dump.next_message()[0])
    changes(one, 2)  # lost
    last = False
    while not last:
        data, last = dump.next_message()
        two.take(data)
    assert two.counters.dumps_failed == 1
    assert not two.receiver.whole
    serve(one, two, DumpKind.FEED)
    assert one.fact() == two.fact()


def test_a_term_that_begins_within_a_dump_is_entered() -> None:
    """It is not whole yet, but it stands where the manager stood."""
    one, two = unit()
    changes(one, *range(2, 30))
    two.receiver.refresh(NOW)
    dump = Dump(two.receiver.request(DumpKind.FEED, NOW), one.state, one.table, 500)
    for _ in range(3):
        two.take(dump.next_message()[0])
    sender_of(one).stop()
    one.manage()
    two.receiver.enter(sender_of(one).begun)
    for data in changes(one, 99):
        two.take(data)
    last = False
    while not last:
        data, last = dump.next_message()
        two.take(data)
    two.sweep()
    assert one.fact() == two.fact()
    assert two.receiver.synchronised


def test_a_statement_while_a_dump_goes_on_proves_nothing() -> None:
    """The table may be equal by chance before the sweep."""
    one, two = unit()
    two.receiver.refresh(NOW)
    dump = Dump(two.receiver.request(DumpKind.FEED, NOW), one.state, one.table, 500)
    two.take(dump.next_message()[0])
    two.receiver.compare(sender_of(one).statement(), NOW)
    assert not two.receiver.synchronised
    two.receiver.compare(sender_of(one).statement()._replace(digest=0), NOW)
    assert (two.counters.mismatches, two.receiver.failures) == (0, 0)


def test_a_statement_within_a_dump_that_was_refused_proves_nothing_either() -> None:
    """Until it is asked for anew: what the sweep has to remove may be the difference."""
    one, two = unit()
    two.receiver.refresh(NOW)
    asked = two.receiver.request(DumpKind.FEED, NOW)
    two.receiver.begin(DumpBegin(asked.number, FEED, DumpKind.FEED, one.state.position), NOW)
    two.receiver.refused(NOW)
    two.receiver.compare(sender_of(one).statement(), NOW)
    assert (two.receiver.synchronised, two.receiver.whole) == (False, False)
    assert two.receiver.wanted(NOW + 1.0) is DumpKind.FEED


def test_a_repair_that_was_not_needed_counts_no_failure() -> None:
    one, two = unit()
    two.receiver.refresh(NOW)
    serve(one, two, DumpKind.FEED)
    assert (two.receiver.failures, two.counters.dumps_received, two.counters.swept) == (0, 1, 0)


# Messages again


def test_all_messages_of_a_resumption_again_are_past_and_change_nothing() -> None:
    """Also those of a term before: who resumes may be told twice."""
    one, two = unit()
    changes(one, 2, 3)
    sender_of(one).stop()
    one.manage()
    changes(one, 4)
    serve(one, two, DumpKind.RESUME)
    assert one.fact() == two.fact()
    kept = one.state.journal.since(Position())
    assert kept is not None
    refusals = [two.receiver.apply(message, NOW) for message in map(decoded, kept) if message.sequence]
    assert refusals == [ErrorCode.PAST] * 4
    assert two.counters.past == 4
    for data in kept:
        two.take(data)
    assert one.fact() == two.fact()
    assert two.receiver.synchronised
    assert two.counters.old_terms == 0


def test_a_message_of_a_former_term_beyond_where_it_was_left_is_old() -> None:
    one, two = unit()
    beyond = decoded(changes(one, 2)[0])
    two.receiver.enter(TermBegin(FEED, Term(2, 2), Position(ONE, 1)))
    assert two.receiver.apply(beyond, NOW) is ErrorCode.OLD_TERM
    assert list(two.table) == [record(1)]


def test_what_the_manager_had_merged_this_table_has_too() -> None:
    _, two = unit()
    merged = Position(Term(1, 9), 3)
    assert not two.state.has_been_at(merged)
    two.receiver.had(Had(FEED, merged))
    assert two.state.has_been_at(merged)
    assert two.state.history()[-1] == Had(FEED, merged)
    assert two.state.position == Position(ONE, 1), "where it stands is another matter"


# When


def test_progress_of_a_dump_is_waited_for() -> None:
    one, two = unit()
    changes(one, *range(2, 30))
    two.receiver.refresh(NOW)
    dump, now = Dump(two.receiver.request(DumpKind.FEED, NOW), one.state, one.table, 200), NOW
    for _ in range(5):
        now += REQUEST_TIME - 0.1
        assert two.receiver.wanted(now) is None
        two.take(dump.next_message()[0], now)
    assert two.receiver.wanted(now + REQUEST_TIME) is DumpKind.FEED, "and then it has stopped"


def test_a_long_sweep_is_progress_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking anew in the middle of it would begin everything again, and for ever."""
    monkeypatch.setattr(sweep, "SLICE", 1)
    one, two = unit()
    for data in changes(one, 2, 3, 4, 5):
        two.take(data)
    dump, last, now = Dump(two.receiver.request(DumpKind.FEED, NOW), one.state, one.table, 500), False, NOW
    while not last:
        data, last = dump.next_message()
        two.take(data)
    steps = 0
    while two.receiver.works:
        now += REQUEST_TIME - 0.1
        assert two.receiver.wanted(now) is None
        two.receiver.work(now)
        steps += 1
    assert steps == 4
    assert two.receiver.synchronised


def test_one_gap_counts_once_however_much_comes_behind_it() -> None:
    one, two = unit()
    _, *behind = changes(one, 2, 3, 4)
    for data in behind:
        two.take(data)
    two.receiver.compare(sender_of(one).statement(), NOW)
    assert two.counters.gaps == 1


def test_a_statement_of_the_past_takes_nothing_back_from_the_lag() -> None:
    one, two = unit()
    changes(one, 2)
    older = sender_of(one).statement()
    changes(one, 3, 4)
    two.receiver.compare(sender_of(one).statement(), NOW)
    two.receiver.compare(older, NOW + 1.0)
    assert two.receiver.lag(NOW + 2.0) == (3, 2.0)


def test_a_member_with_an_interval_that_is_told_of_nothing_new_asks_nothing() -> None:
    one, two = unit()
    two.receiver.interval = 10.0
    two.receiver.compare(sender_of(one).statement(), NOW)
    assert two.receiver.wanted(NOW + 1000.0) is None


def test_a_member_with_an_interval_repairs_a_mismatch_at_once() -> None:
    one, two = unit()
    two.receiver.interval = 600.0
    said = sender_of(one).statement()
    two.receiver.compare(said._replace(digest=said.digest ^ 1), NOW)
    assert two.receiver.wanted(NOW) is DumpKind.FEED


def test_a_member_without_an_interval_is_out_of_step_when_it_is_behind() -> None:
    one, two = unit()
    changes(one, 2)
    two.receiver.compare(sender_of(one).statement(), NOW)
    assert (two.receiver.synchronised, two.receiver.whole) == (False, True)
    assert two.receiver.wanted(NOW) is DumpKind.RESUME


def test_lag_over_a_new_term_counts_what_is_known_of_it() -> None:
    one, two = unit()
    sender_of(one).stop()
    one.manage()
    changes(one, 2, 3)
    two.receiver.compare(sender_of(one).statement(), NOW + 4.0)
    assert two.receiver.lag(NOW + 6.0) == (2, 6.0), "since it was last level"


def test_who_was_never_told_anything_does_not_lag() -> None:
    assert Device(2).receiver.lag(NOW) == (0, 0.0)


def test_a_divergence_may_last_for_days() -> None:
    """A failure each 300 s: the 1026th is after three and a half days."""
    one, two = unit()
    receiver, now, at = two.receiver, NOW, one.state.position
    for _ in range(1100):
        assert receiver.wanted(now + LONGEST_DELAY) is not None or receiver.synchronised
        now += LONGEST_DELAY
        asked = receiver.request(DumpKind.FEED, now)
        receiver.begin(DumpBegin(asked.number, FEED, DumpKind.FEED, at), now)
        receiver.end(DumpEnd(asked.number, FEED, at, 7, 7), now)
    assert receiver.diverged


def test_an_id_that_another_mapping_has_does_not_spoil_the_digest_for_ever() -> None:
    """A manager's fault. No dump repairs the digest, which goes on from where it was; only a restart does."""
    one, two = unit()
    two.table.add([record(5, mapping_id=99)])
    for data in changes(one, 5):
        two.take(data)
    two.receiver.compare(sender_of(one).statement(), NOW)
    for attempt in range(4):
        if not two.receiver.synchronised:
            two.receiver.refresh(NOW + attempt)
            serve(one, two, DumpKind.FEED)
    assert sorted(one.table) == sorted(two.table)
    assert two.state.digest == one.state.digest
    assert two.receiver.synchronised


# Whoever manages

RECORDS: Final = [record(number, host=number % 3) for number in range(1, 10)]


def catch_up(manager: Device, member: Device) -> None:
    """Ask for what is wanted until nothing is; a resumption, a dump and a proof are the most."""
    member.receiver.compare(sender_of(manager).statement(), NOW)
    for _ in range(3):
        kind = member.receiver.wanted(NOW)
        if kind is not None:
            serve(manager, member, kind)
    assert member.receiver.wanted(NOW) is None


def hand_over(manager: Device, member: Device, seen: bool) -> tuple[Device, Device]:
    """The member takes the role; who managed follows. If it did not see the begin, it learns of it later."""
    manager.follow()
    member.state.heard(manager.state.highest)
    member.manage()
    if seen:
        manager.receiver.enter(sender_of(member).begun)
    return member, manager


@settings(max_examples=300)
@given(st.data())
def test_whoever_manages_and_whatever_is_lost_the_other_ends_equal(data: st.DataObject) -> None:
    """A role that moves, also to one that missed the end of the last term; any suffix of messages lost."""
    manager, member = Device(1), Device(2)
    manager.manage()
    for device in (manager, member):
        device.state.journal.bound(data.draw(st.sampled_from([0, 1000, 1 << 20])))
    member.receiver.enter(sender_of(manager).begun)
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["add", "change", "remove", "clear", "term", "hand over", "repair"])):
            case "add":
                manager.table.add(data.draw(st.lists(st.sampled_from(RECORDS), max_size=4)))
            case "change":
                manager.table.add([changed(one) for one in data.draw(st.lists(st.sampled_from(RECORDS)))])
            case "remove":
                manager.table.remove(data.draw(st.lists(st.sampled_from(RECORDS), max_size=4)))
            case "clear" if data.draw(st.booleans()):
                for one in sender_of(manager).clear():
                    member.take(one)
            case "term":
                sender_of(manager).compile()  # lost
                sender_of(manager).stop()
                manager.manage()
                if data.draw(st.booleans()):
                    member.receiver.enter(sender_of(manager).begun)
            case "hand over" if member.receiver.whole:
                manager, member = hand_over(manager, member, data.draw(st.booleans()))
            case "repair":
                catch_up(manager, member)
        sent = sender_of(manager).compile()
        for one in sent[: data.draw(st.integers(0, len(sent)))]:
            member.take(one)
    for one in sender_of(manager).compile():
        member.take(one)
    catch_up(manager, member)
    assert manager.fact() == member.fact()
    assert manager.state.digest.count == len(manager.table)
    assert member.receiver.synchronised
    assert member.receiver.failures == 0
