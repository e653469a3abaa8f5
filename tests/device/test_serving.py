"""What neighbors ask for: out of the journal, as a dump, later, or not at all."""

import pytest

from snat.config.model import ConfiguredRole
from snat.device.links import AT_ONCE, Link
from snat.replication.digest import total
from snat.wire.actions import Action, Applied, DumpBegin, DumpEnd, DumpKind, DumpRequest, Error, TermBegin
from snat.wire.errors import ErrorCode
from snat.wire.header import Message, Position, Term, encode
from snat.wire.items import CHANGES, changes, control, controls, first_action
from tests.device.groups import FEED, counters, neighbor, of, queued, settled, to
from tests.records import record
from tests.simulation.network import Network, Router

NOWHERE = Position()
FOREIGN = Position(Term(7, 2), 3)


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 listens, and has what R1 has."""
    network = Network(9, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    network.routers[1].device.table.add([record(n) for n in range(1, 4)])
    network.routers[1].settle()
    network.run(1.0)
    settled(network)
    return network


def at(router: Router) -> Position:
    return router.device.groups[0].feeds[FEED].position


def ask(router: Router, nat_id: int, kind: DumpKind, position: Position = NOWHERE) -> list[Message]:
    """A neighbor asks on the link that it hears from us by; all that it is answered."""
    request = DumpRequest(77, FEED, kind, position)
    queued(to(router, nat_id))
    router.device.received(to(router, nat_id), encode(control(request)), router.network.now)
    return answer(router, to(router, nat_id))


def answer(router: Router, link: Link) -> list[Message]:
    said: list[Message] = []
    router.device.turn(router.network.now)
    while more := queued(link):
        said += more
        router.device.turn(router.network.now)
    return said


def told(messages: list[Message]) -> list[object]:
    """The items that are no changes, by one; a message of changes as its action."""
    found: list[object] = []
    for message in messages:
        action = first_action(message.body)
        found += [Action(action)] if action in CHANGES else controls(message.body)
    return found


def test_one_that_missed_something_is_sent_just_that_over_two_terms(network: Network) -> None:
    router = network.routers[1]
    group, began = router.device.groups[0], at(router)
    terms = []
    for number in (1, 2):
        router.device.table.add([record(10 + number)])
        group.heard_term(FEED, Term(8 * number, 2))
        router.device.turn(network.now)
        terms.append(at(router).term)
    resumed = counters(router).resumed
    said = ask(router, 2, DumpKind.RESUME, began)
    first = TermBegin(FEED, terms[0], Position(began.term, began.sequence + 1))
    second = TermBegin(FEED, terms[1], Position(terms[0], 1))
    *steps, statement = told(said)
    assert steps == [Action.ADD, first, Action.ADD, second]
    assert statement == group.senders[FEED].statement()
    assert [(one.term, one.sequence) for one in said if one.sequence] == [
        (began.term, began.sequence + 1),
        (terms[0], 1),
    ]
    assert counters(router).resumed == resumed + 1


def test_one_that_missed_nothing_is_sent_the_statement_alone(network: Network) -> None:
    router = network.routers[1]
    said = told(ask(router, 2, DumpKind.RESUME, at(router)))
    assert said == [router.device.groups[0].senders[FEED].statement()]


@pytest.mark.parametrize("new", [False, True], ids=["earlier in the term", "has nothing"])
def test_what_the_journal_does_not_lead_on_from_is_answered_with_a_dump(network: Network, new: bool) -> None:
    router = network.routers[1]
    position = Position() if new else Position(at(router).term, at(router).sequence - 1)
    router.device.groups[0].feeds[FEED].journal.restart(at(router))
    dumps = counters(router).dumps_sent
    said = ask(router, 2, DumpKind.RESUME, position)
    shown = [one for message in said if first_action(message.body) == Action.ADD for one in records(message)]
    begin, *_, end = told(said)
    digest = router.device.groups[0].feeds[FEED].digest
    assert begin == DumpBegin(77, FEED, DumpKind.FEED, at(router))
    assert end == DumpEnd(77, FEED, at(router), digest.count, digest.value)
    assert len(shown) == digest.count == 3
    assert total(shown) % (1 << 64) == digest.value
    assert counters(router).dumps_sent == dumps + 1


def records(message: Message) -> list[bytes]:
    return [one for _, listed in changes(message.body, FEED) for one in listed]


def test_half_of_the_room_is_resumed_and_more_is_a_dump(network: Network) -> None:
    router = network.routers[1]
    began, out = at(router), to(router, 2)
    router.device.table.add([record(n) for n in range(100, 160)])
    router.device.turn(network.now)
    missed = router.device.groups[0].feeds[FEED].journal.since(began)
    assert missed is not None
    size = sum(map(len, missed))
    out.queue._limit = 2 * size
    assert told(ask(router, 2, DumpKind.RESUME, began))[0] == Action.ADD
    out.queue._limit = 2 * size - 2
    assert isinstance(told(ask(router, 2, DumpKind.RESUME, began))[0], DumpBegin)


def test_a_dump_keeps_the_queue_short(network: Network) -> None:
    router = network.routers[1]
    router.device.table.add([record(n) for n in range(100, 10_000)])
    router.device.turn(network.now)
    out = to(router, 2)
    queued(out)
    out.requests[FEED] = DumpRequest(77, FEED, DumpKind.FEED, Position())
    router.device.turn(network.now)
    assert AT_ONCE <= out.queue.size < 2 * AT_ONCE
    assert FEED in out.dumps
    shown = sum(first_action(one.body) == Action.ADD for one in answer(router, out))
    assert shown > 20
    assert not out.dumps


def test_who_asks_anew_is_not_sent_the_rest_of_the_dump_before(network: Network) -> None:
    router = network.routers[1]
    router.device.table.add([record(n) for n in range(100, 10_000)])
    router.device.turn(network.now)
    out = to(router, 2)
    queued(out)
    router.device.received(
        of(router, 2), encode(control(DumpRequest(5, FEED, DumpKind.FEED, at(router)))), network.now
    )
    router.device.turn(network.now)
    queued(out)
    assert FEED in out.dumps
    router.device.received(
        of(router, 2), encode(control(DumpRequest(6, FEED, DumpKind.FEED, at(router)))), network.now
    )
    ends = [one for one in told(answer(router, out)) if isinstance(one, DumpBegin | DumpEnd)]
    assert [one.number for one in ends] == [6, 6]


def test_a_whole_member_answers_a_pull_on_the_link_that_it_dialled(network: Network) -> None:
    member = network.routers[2]
    begin, *slices, end = ask(member, 1, DumpKind.PULL)
    assert told([begin]) == [DumpBegin(77, FEED, DumpKind.PULL, at(member))]
    shown = [one for message in slices for one in records(message)]
    assert sorted(shown) == sorted(member.device.table)
    assert {message.sequence for message in slices} == {0}
    (said,) = told([end])
    assert said == DumpEnd(77, FEED, at(member), 3, total(shown) % (1 << 64))
    assert counters(member).pulls_answered == 1


def test_a_member_that_is_not_whole_answers_no_pull(network: Network) -> None:
    member = network.routers[2]
    receiver = member.device.groups[0].receivers[FEED]
    receiver.synchronised = receiver.whole = False
    (said,) = [one for one in told(ask(member, 1, DumpKind.PULL)) if isinstance(one, Error)]
    assert (said.code, said.feed) == (ErrorCode.NOT_SYNCHRONISED, FEED)
    assert counters(member).pulls_answered == 0


@pytest.mark.parametrize("kind", [DumpKind.FEED, DumpKind.RESUME])
def test_what_waited_until_we_managed_no_more_is_refused(network: Network, kind: DumpKind) -> None:
    member = network.routers[2]
    out = to(member, 1)
    queued(out)
    out.requests[FEED] = DumpRequest(77, FEED, kind, Position())
    said = told(answer(member, out))
    assert said == [Error(ErrorCode.NOT_SYNCHRONISED, FEED, at(member).term, "not synchronised")]
    assert not out.requests
    assert not out.dumps


def test_requests_and_dumps_end_with_their_link(network: Network) -> None:
    router = network.routers[1]
    out = to(router, 2)
    out.requests[FEED] = DumpRequest(77, FEED, DumpKind.FEED, Position())
    router.device.lost(out, "cut", network.now)
    assert (out.requests, out.dumps) == ({}, {})


def forked(router: Router) -> None:
    """R2 says that it stands where this router never stood."""
    neighbor(router, 2).stands(Applied(FEED, FOREIGN))
    merging = router.device.groups[0].merging
    merging.consider(neighbor(router, 2), FEED, router.network.now)
    assert merging.holds(neighbor(router, 2), FEED)


def test_a_pull_by_a_neighbor_that_is_pulled_from_does_not_wait(network: Network) -> None:
    """It sweeps nothing; if both waited for the other, neither would ever merge."""
    router = network.routers[1]
    forked(router)
    before = counters(router).dumps_sent
    begin, *_, end = told(ask(router, 2, DumpKind.PULL, FOREIGN))
    assert router.device.groups[0].merging.holds(neighbor(router, 2), FEED)
    assert isinstance(begin, DumpBegin)
    assert isinstance(end, DumpEnd)
    assert (counters(router).pulls_answered, counters(router).dumps_sent) == (1, before)


def test_a_pull_without_a_position_says_nothing_of_where_its_sender_stands(network: Network) -> None:
    router = network.routers[1]
    forked(router)
    ask(router, 2, DumpKind.PULL)
    assert neighbor(router, 2).applied[FEED] == FOREIGN
