"""Links of a device: incarnations, messages in slices, goodbyes, members that ask now and then."""

from dataclasses import replace

import pytest

from snat.config.model import ConfiguredRole
from snat.device import linking
from snat.device.alarms import alarms
from snat.device.device import UNHURRIED
from snat.device.events import IncarnationRefused, LinkClosed
from snat.device.feeds import GATHER
from snat.session.states import State
from snat.wire.actions import Action, DumpKind, DumpRequest, Error, Standing, Unavailable
from snat.wire.errors import ErrorCode
from snat.wire.framing import Framing
from snat.wire.header import NO_FEED, NO_TERM, Position, Term, encode
from snat.wire.items import authenticate, control, controls, error, item
from tests.device.groups import FEED, counters, flow, neighbor, of, queued, settled, to
from tests.records import record
from tests.simulation.network import Network, Router
from tests.simulation.shape import Shape


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 listens."""
    network = Network(5, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    network.run(1.0)
    return network


def comes(router: Router, incarnation: int, run: int) -> Error | None:
    """R2 comes on a new link, in an incarnation; what it is told, if it is refused."""
    link = router.device.accepted(2, router.network.now)
    router.device.opened(link, router.network.now)
    hello = neighbor(router, 2).hello
    assert hello is not None
    said = authenticate(hello._replace(incarnation=incarnation, run=run), [])
    link.session.data_to_send()
    router.device.received(link, encode(said, flags=0), router.network.now)
    if link.session.state is not State.CLOSE:
        return None
    (found,) = controls(link.session.data_to_send()[32:])
    assert isinstance(found, Error)
    return found


def test_an_incarnation_of_another_run_is_refused(network: Network) -> None:
    router = network.routers[1]
    hello = neighbor(router, 2).hello
    assert hello is not None
    assert comes(router, hello.incarnation, hello.run) is None
    refusal = comes(router, hello.incarnation, hello.run + 1)
    assert refusal is not None
    assert refusal.code == ErrorCode.INCARNATION
    assert neighbor(router, 2).hello == hello, "nothing of it was believed"


def test_an_incarnation_that_has_ended_is_refused(network: Network) -> None:
    router = network.routers[1]
    hello = neighbor(router, 2).hello
    assert hello is not None
    assert comes(router, hello.incarnation + 1, 99) is None
    refusal = comes(router, hello.incarnation, hello.run)
    assert refusal is not None
    assert "has ended" in refusal.reason


def test_who_is_refused_takes_another_incarnation_and_comes_again(network: Network) -> None:
    router = network.routers[2]
    refusal = encode(error(Error(ErrorCode.INCARNATION, NO_FEED, NO_TERM, "incarnation 1 has ended")))
    router.device.received(of(router, 1), refusal, network.now)
    router.device.turn(network.now)
    assert IncarnationRefused(1) in router.device.events()
    router.device.renew(77, network.now)
    router.settle()
    network.run(1.0)
    settled(network)
    hello = neighbor(network.routers[1], 2).hello
    assert hello is not None
    assert hello.incarnation == 77


def test_a_refusal_of_an_incarnation_before_the_present_one_is_told_for_that_one(network: Network) -> None:
    """A service that has taken another since need not do so again."""
    router = network.routers[2]
    late = of(router, 1)
    router.device.incarnation = 5
    refusal = encode(error(Error(ErrorCode.INCARNATION, NO_FEED, NO_TERM, "incarnation 1 has ended")))
    router.device.received(late, refusal, network.now)
    router.device.turn(network.now)
    refused = [event for event in router.device.events() if isinstance(event, IncarnationRefused)]
    assert refused == [IncarnationRefused(1)]


def test_a_device_that_renews_closes_all_links_and_blames_nobody(network: Network) -> None:
    router = network.routers[2]
    before = router.device.link_counters.refused
    links = neighbor(router, 1).links()
    router.device.renew(77, network.now)
    assert [link.session.state for link in links] == [State.CLOSE] * 2
    assert neighbor(router, 1).links() == []
    closed = [event.link for event in router.device.events() if isinstance(event, LinkClosed)]
    assert closed == links
    for link in links:
        (said,) = controls(link.last_words()[32:])
        assert isinstance(said, Error)
        assert said.code == ErrorCode.REPLACED
    assert router.device.link_counters.refused == before
    assert router.device.dialled(1, network.now).session.local.incarnation == 77
    assert router.device.accepted(1, network.now).session.local.incarnation == 77


# Slices


def adds(count: int, at: Position) -> list[bytes]:
    """As many messages of one entry."""
    return [encode(item(Action.ADD, record(n)), FEED, at.term, at.sequence + n) for n in range(1, count + 1)]


def test_a_flood_is_applied_in_slices_in_order(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "_SLICE", 1000)
    router = network.routers[2]
    at = router.device.groups[0].feeds[FEED].position
    router.device.received(of(router, 1), b"".join(adds(60, at)), network.now)
    sizes = []
    while of(router, 1).inbound:
        router.device.turn(network.now)
        sizes.append(len(router.device.table))
        assert router.device.next_deadline() <= network.now or not of(router, 1).inbound
    assert sizes == sorted(sizes)
    assert len(sizes) > 4
    assert sizes[-1] == 60
    assert router.device.groups[0].synchronised


def test_a_flood_on_one_link_does_not_hold_up_the_other(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "_SLICE", 500)
    router = network.routers[2]
    at = router.device.groups[0].feeds[FEED].position
    router.device.received(of(router, 1), b"".join(adds(60, at)), network.now)
    gone = encode(control(Unavailable(FEED, at, 0, 0, 1)))
    router.device.received(to(router, 1), gone, network.now)
    router.device.turn(network.now)
    assert neighbor(router, 1).standing(FEED) is None
    assert of(router, 1).inbound


def test_a_turn_with_a_flood_still_keeps_alive(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "_SLICE", 500)
    router = network.routers[2]
    at = router.device.groups[0].feeds[FEED].position
    router.device.received(of(router, 1), b"".join(adds(60, at)), network.now)
    queued(to(router, 1))
    router.device.turn(network.now + 0.2)
    assert of(router, 1).inbound
    assert Action.KEEPALIVE in [message.body[0] for message in queued(to(router, 1))]


def test_a_link_is_choked_while_too_much_waits(network: Network) -> None:
    link = of(network.routers[2], 1)
    link.inbound._limit = 1000
    at = network.routers[2].device.groups[0].feeds[FEED].position
    network.routers[2].device.received(link, b"".join(adds(20, at)), network.now)
    assert link.choked
    network.routers[2].device.turn(network.now)
    assert not link.choked


def test_what_came_before_the_end_of_a_link_counts(network: Network) -> None:
    router = network.routers[2]
    link, at = of(router, 1), router.device.groups[0].feeds[FEED].position
    router.device.received(link, b"".join(adds(5, at)), network.now)
    router.device.lost(link, "cut", network.now)
    assert len(router.device.table) == 5


def test_nothing_counts_that_follows_a_refused_message(network: Network) -> None:
    router = network.routers[2]
    link, at = of(router, 1), router.device.groups[0].feeds[FEED].position
    first, second = adds(2, at)
    router.device.received(link, first + encode(bytes((99, 0, 0, 0))) + second, network.now)
    router.device.turn(network.now)
    assert link.session.state is State.CLOSE
    assert len(router.device.table) == 1


# Leaving


def test_a_manager_that_leaves_says_its_last_word_first(network: Network) -> None:
    router = network.routers[1]
    flow(router, 5)
    network.run(0.5)
    out = to(router, 2)
    queued(out)
    router.device.table.add([record(9)])  # not compiled yet
    router.device.stop(network.now)
    said = out.last_words()
    framing = Framing()
    framing.feed(said)
    add, *others = framing.messages()
    assert add.body == item(Action.ADD, record(9))
    gone, goodbye = [found for message in others for found in controls(message.body)]
    assert isinstance(gone, Unavailable)
    assert (gone.position, gone.count, gone.keep) == (Position(add.term, add.sequence), 2, 1)
    assert isinstance(goodbye, Error)
    assert (goodbye.code, goodbye.feed) == (ErrorCode.STOPPED, NO_FEED)
    assert neighbor(network.routers[2], 1).standing(FEED) is Standing.MANAGE
    link = of(network.routers[2], 1)
    network.routers[2].device.received(link, said, network.now)
    network.routers[2].device.turn(network.now)
    assert network.routers[2].standing is Standing.MANAGE, "at once"
    assert len(network.routers[2].device.table) == 2


def test_who_does_not_stand_where_the_manager_left_lets_another_follow() -> None:
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP, 3: ConfiguredRole.BACKUP}
    network = Network(5, roles)
    network.run_until(network.quiet)
    router = network.routers[2]
    at = router.device.groups[0].feeds[FEED].position
    gone = Unavailable(FEED, Position(at.term, at.sequence + 4), 4, 4, 1)
    router.device.received(of(router, 1), encode(control(gone)), network.now)
    router.device.turn(network.now)
    assert router.standing is Standing.START


# Members that ask now and then; limits of messages


def test_a_member_that_pulls_is_told_nothing_in_between() -> None:
    shape = Shape(pull_interval=5.0)
    network = Network(6, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}, shape)
    network.run_until(network.quiet)
    network.run(6.0)
    flow(network.routers[1], 4)
    network.run(1.5)  # it is long since it asked: it does so as soon as it hears of this
    assert len(network.routers[2].device.table) == 1
    applied = counters(network.routers[2]).messages_applied
    flow(network.routers[1], 5)
    network.run(2.0)
    assert counters(network.routers[2]).messages_applied == applied
    network.run(4.0)
    assert len(network.routers[2].device.table) == 2
    assert network.quiet()


def test_changes_leave_no_more_often_than_the_interval() -> None:
    network = Network(6, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}, Shape(update_interval=0.1))
    network.run_until(network.quiet)
    network.run(1.0)
    router, now = network.routers[1], network.now
    sent = counters(router).messages_sent
    for number in range(1, 6):
        router.device.table.add([record(number)])
        router.device.turn(now)
    assert counters(router).messages_sent == sent + 1
    assert router.device.next_deadline() <= now + 0.1
    router.device.turn(now + 0.1)
    assert counters(router).messages_sent == sent + 2


def test_few_changes_leave_at_once_and_many_are_gathered() -> None:
    """A message costs as much as dozens of its entries; nobody waits longer than GATHER."""
    network = Network(6, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    network.run(1.0)
    router, now = network.routers[1], network.now

    def sent_by(numbers: range, at: float) -> int:
        before = counters(router).messages_sent
        router.device.table.add([record(number) for number in numbers])
        router.device.turn(at)
        return counters(router).messages_sent - before

    assert sent_by(range(1, 31), now) == 1, "a burst after a while"
    assert sent_by(range(31, 33), now + 0.001) == 1, "2 in a millisecond"
    assert sent_by(range(33, 53), now + 0.002) == 1, "20: these are many, which shows when they leave"
    assert sent_by(range(53, 73), now + 0.003) == 0
    assert sent_by(range(73, 93), now + 0.004) == 0
    assert router.device.next_deadline() == pytest.approx(now + 0.002 + GATHER)
    assert router.device.heed(now + 0.004) == pytest.approx(now + 0.002 + GATHER)
    assert sent_by(range(93, 94), now + 0.002 + GATHER) == 1, "all of them"
    assert sent_by(range(94, 96), now + 0.2) == 1, "and few leave at once again"


def test_packets_need_a_turn_when_somebody_waits_for_it(network: Network) -> None:
    router, now = network.routers[1], network.now
    assert router.device.heed(now) == pytest.approx(now + UNHURRIED)
    router.device.table.add([record(1)])
    assert router.device.heed(now) <= now
    router.device.turn(now)
    assert router.device.heed(now) == pytest.approx(now + UNHURRIED)


def test_messages_hold_no_more_entries_than_configured() -> None:
    network = Network(6, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}, Shape(maximum_entries=10))
    network.run_until(network.quiet)
    router = network.routers[1]
    queued(to(router, 2))
    router.device.table.add([record(number) for number in range(1, 26)])
    router.device.turn(network.now)
    sizes = [len(message.body) // 53 for message in queued(to(router, 2)) if message.sequence]
    assert sizes == [10, 10, 5]


# Errors about entries, and a dump from the journal


def test_a_collision_is_told_to_the_manager_and_counted_on_both_sides(network: Network) -> None:
    member, manager = network.routers[2], network.routers[1]
    one = record(1)
    member.device.table.add([one, record(1, nat_id=2)])
    assert member.device.table.collided
    member.settle()
    network.run(0.5)
    assert counters(member).entry_errors_sent == len({1, 2})  # inside and outside
    assert counters(manager).entry_errors_received == counters(member).entry_errors_sent
    assert not member.device.table.collided


def test_two_terms_back_is_served_from_the_journal_with_their_begins(network: Network) -> None:
    router = network.routers[1]
    group = router.device.groups[0]
    began = group.feeds[FEED].position
    for term in (Term(8, 2), Term(9, 2)):
        flow(router, 20 + term.number)
        group.heard_term(FEED, term)
        router.device.turn(network.now)
    out = to(router, 2)
    queued(out)
    out.requests[FEED] = DumpRequest(1, FEED, DumpKind.RESUME, began)
    router.device.turn(network.now)
    kinds = [message.body[0] for message in queued(out)]
    assert kinds == [Action.ADD, Action.TERM, Action.ADD, Action.TERM, Action.DIGEST]
    assert counters(router).resumed >= 1


def test_what_does_not_fit_the_queue_well_is_a_dump(network: Network) -> None:
    router = network.routers[1]
    began = router.device.groups[0].feeds[FEED].position
    router.device.table.add([record(number) for number in range(1, 500)])
    router.device.turn(network.now)
    out = to(router, 2)
    queued(out)
    out.queue._limit = 40_000
    out.requests[FEED] = DumpRequest(1, FEED, DumpKind.RESUME, began)
    router.device.turn(network.now)
    assert queued(out)[0].body[0] == Action.DUMP_BEGIN


# Alarms


def test_a_member_that_lags_and_one_that_diverged_are_alarms(network: Network) -> None:
    member, manager = network.routers[2].device.groups[0], network.routers[1].device.groups[0]
    receiver, now = member.receivers[FEED], network.now
    at = member.feeds[FEED].position
    receiver.stated = Position(at.term, at.sequence + 7)
    assert alarms(member, now + 5)["lag", str(FEED.mapping_id)].startswith("mapping 10 lags by 7 messages")
    receiver.synchronised, receiver.failures = False, 2
    assert "diverged" in alarms(member, now)["diverged", str(FEED.mapping_id)]
    manager.feeds[FEED].position = Position(at.term, at.sequence + 3)
    manager.senders[FEED].sample(now)
    neighbor(network.routers[1], 2).heard = now + 5
    told = alarms(manager, now + 5)["lag", "r2.example", str(FEED.mapping_id)]
    assert told == "r2.example lags by 3 messages, 5 s, in mapping 10"


def test_a_keepalive_that_is_too_slow_for_us_is_an_alarm(network: Network) -> None:
    group = network.routers[1].device.groups[0]
    group.configuration = replace(group.configuration, hold_time=0.2)
    assert ("keepalive", "r2.example") in alarms(group, network.now)
