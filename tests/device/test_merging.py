"""After a split: who has what we lack is pulled from, and served only then."""

import pytest

from snat.config.model import ConfiguredRole
from snat.device.events import Noted
from snat.nat.entry import Entry
from snat.replication.digest import total
from snat.wire.actions import (
    Action,
    Applied,
    DumpBegin,
    DumpEnd,
    DumpKind,
    DumpRequest,
    Error,
    Had,
    Standing,
    UnitOption,
)
from snat.wire.errors import ErrorCode
from snat.wire.header import NO_TERM, Feed, Position, Term, encode
from snat.wire.items import control, controls, error, item
from tests.device.groups import FEED, counters, flow, neighbor, of, queued, settled, tables_equal, to
from tests.records import record
from tests.simulation.network import Network, Router

FOREIGN = Position(Term(7, 2), 3)
OLDER = Term(0, 2)


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 and R3 listen."""
    backups = dict.fromkeys((2, 3), ConfiguredRole.BACKUP)
    network = Network(3, {1: ConfiguredRole.PRIMARY} | backups)
    network.run_until(network.quiet)
    flow(network.routers[1], 4)
    network.run(1.0)
    for router in network.routers.values():  # whoever began with the role had some of this behind it
        router.device.feed_counters.pulls = router.device.feed_counters.not_managed = 0
    return network


def forked(router: Router, at: Position = FOREIGN) -> None:
    """R2 says that it stands where this router never stood."""
    neighbor(router, 2).stands(Applied(FEED, at))
    router.device.groups[0].merging.consider(neighbor(router, 2), FEED, router.network.now)


def holds(router: Router) -> bool:
    return router.device.groups[0].merging.holds(neighbor(router, 2), FEED)


@pytest.mark.parametrize(
    ("beyond", "forks"), [(0, False), (1, True)], ids=["where we left the term", "beyond it"]
)
def test_who_went_on_in_a_term_that_we_left_is_forked(network: Network, beyond: int, forks: bool) -> None:
    router = network.routers[1]
    state = router.device.groups[0].feeds[FEED]
    left = state.position
    state.enter(Term(9, 1))
    forked(router, Position(left.term, left.sequence + beyond))
    assert holds(router) is forks


def test_a_term_that_we_never_stood_in_is_forked_and_an_old_one_is_not(network: Network) -> None:
    router = network.routers[1]
    router.device.groups[0].feeds[FEED].left.clear()
    router.device.groups[0].merging._rivals.clear()  # at the start, two had found nobody
    forked(router, Position(Term(0, 2), 5))
    assert not holds(router)
    forked(router)
    assert holds(router)


def test_an_old_term_of_a_rival_is_none_of_ours(network: Network) -> None:
    router = network.routers[1]
    state = router.device.groups[0].feeds[FEED]
    state.left.clear()
    state.position = Position(Term(9, 1), 0)
    said = neighbor(router, 2).standings[FEED]
    neighbor(router, 2).says(said._replace(standing=Standing.MANAGE))
    router.device.groups[0].merging.consider(neighbor(router, 2), FEED, network.now)
    neighbor(router, 2).says(said)
    forked(router, Position(Term(5, 2), 1))
    assert holds(router)


def test_three_that_were_apart_end_with_what_each_made(network: Network) -> None:
    one, two, three = (network.routers[number] for number in (1, 2, 3))
    for pair in ((1, 2), (1, 3), (2, 3)):
        network.part(*pair)
    network.run_until(lambda: all(r.standing is Standing.MANAGE for r in (one, two, three)))
    made = {host: flow(router, host) for host, router in ((11, one), (12, two), (13, three))}
    network.heal()
    settled(network)
    assert one.standing is Standing.MANAGE
    assert counters(one).merged == 2
    assert counters(one).pulls >= 2
    assert {host: flow(one, host) for host in made} == made


def test_what_was_merged_is_sent_to_members_and_ages(network: Network) -> None:
    one, two, three = (network.routers[number] for number in (1, 2, 3))
    network.part(1, 2)
    network.part(2, 3)
    network.run_until(lambda: two.standing is Standing.MANAGE)
    flow(two, 12)
    network.heal()
    settled(network)
    assert {Entry.unpack(one).inside_local[3] for one in three.device.table} == {4, 12}
    network.run(400.0)  # the time-out of UDP is 300 s
    assert len(one.device.table) == 0
    assert tables_equal(network)


@pytest.mark.parametrize("periodic", [False, True])
def test_who_learns_of_a_merge_has_its_entries(network: Network, periodic: bool) -> None:
    """The manager may die right behind it: who takes over would let them be swept where they are from."""
    one, three = network.routers[1], network.routers[3]
    if periodic:
        unit = neighbor(one, 3).units[FEED]
        neighbor(one, 3).units[FEED] = unit._replace(options=UnitOption.PERIODIC)
    foreign = Entry.unpack(next(iter(one.device.table)))._replace(
        nat_id=2, number=77, inside_local=bytes((10, 0, 0, 9)), inside_global_port=2001
    )
    queued(to(one, 3))
    one.device.table.add([foreign.pack()])
    one.device.groups[0].merging.had = [Had(FEED, Position(OLDER, 3))]
    one.settle()
    network.run(0.1)
    knows = OLDER in three.device.groups[0].feeds[FEED].left
    has = any(record[:4] == b"\0\0\0\2" for record in three.device.table)
    assert knows is has is not periodic


def test_while_it_pulls_it_makes_entries_for_syns_alone(network: Network) -> None:
    router = network.routers[1]
    flows = router.device.translator.flows
    forked(router)
    assert flows._managed.restrained == {FEED.mapping_id}
    router.device.groups[0].merging.refused(neighbor(router, 2), FEED, network.now)
    assert flows._managed.restrained == set()


def test_the_dump_of_a_forked_neighbor_waits(network: Network) -> None:
    router = network.routers[1]
    forked(router)
    out = to(router, 2)
    out.requests[FEED] = DumpRequest(5, FEED, DumpKind.FEED, FOREIGN)
    router.device.turn(network.now)
    assert FEED in out.requests
    assert not out.dumps
    router.device.groups[0].merging.refused(neighbor(router, 2), FEED, network.now)
    router.device.turn(network.now)
    assert FEED not in out.requests
    assert counters(router).dumps_sent >= 1


def test_who_does_not_vouch_is_given_up_until_it_stands_elsewhere(network: Network) -> None:
    router = network.routers[1]
    forked(router)
    refusal = Error(ErrorCode.NOT_SYNCHRONISED, FEED, NO_TERM, "not synchronised")
    router.device.received(of(router, 2), encode(error(refusal)), network.now)
    router.device.turn(network.now)
    assert not holds(router)
    forked(router)
    assert not holds(router), "it stands where it stood"
    forked(router, Position(FOREIGN.term, FOREIGN.sequence + 1))
    assert holds(router)


def asks(router: Router) -> list[DumpRequest]:
    """What R2 was asked for since."""
    said = [one for message in queued(of(router, 2)) for one in controls(message.body)]
    return [one for one in said if isinstance(one, DumpRequest)]


def answers(number: int, records: list[bytes], count: int | None = None) -> bytes:
    """R2's answer to a pull; the ``count`` that it tells at the end may lie."""
    begin = encode(control(DumpBegin(number, FEED, DumpKind.PULL, FOREIGN)))
    adds = b"".join(item(Action.ADD, one) for one in records)
    shown = len(records) if count is None else count
    end = encode(control(DumpEnd(number, FEED, FOREIGN, shown, total(records) % (1 << 64))))
    return begin + encode(adds, FEED, FOREIGN.term) + end


def test_what_a_forked_neighbor_has_is_merged_told_to_all_and_then_it_is_served(network: Network) -> None:
    router = network.routers[1]
    flow(router, 5, 40001)
    network.run(0.5)
    (ours,) = [one for one in router.device.table if Entry.unpack(one).inside_local[3] == 5]
    loser = Entry.unpack(ours)._replace(nat_id=2, number=77, inside_global_port=2000).pack()
    at = router.device.groups[0].feeds[FEED].position
    queued(of(router, 2))
    forked(router)
    outs = [to(router, 2), to(router, 3)]
    outs[0].requests[FEED] = DumpRequest(5, FEED, DumpKind.FEED, FOREIGN)
    router.device.turn(network.now)
    (request,) = asks(router)
    assert (request.kind, request.position) == (DumpKind.PULL, Position())
    assert [queued(out) for out in outs] == [[], []]
    router.device.events()
    new = record(3, nat_id=2, host=9)
    router.device.received(of(router, 2), answers(request.number, [new, loser]), network.now)
    router.device.turn(network.now)

    assert new in router.device.table
    assert loser not in router.device.table
    assert (counters(router).pulls, counters(router).merged, counters(router).merge_losers) == (1, 1, 1)
    assert not holds(router)
    assert router.device.groups[0].feeds[FEED].has_been_at(FOREIGN)
    for out in outs:
        said = queued(out)
        added, had = said[:2]
        assert controls(had.body) == [Had(FEED, FOREIGN)]
        assert (added.body, added.term, added.sequence) == (item(Action.ADD, new), at.term, at.sequence + 1)
        begins = [one for one in said if one.body[0] == Action.DUMP_BEGIN]
        assert len(begins) == (out is outs[0]), "it waited until then"
    notes = [one.text.format(**one.fields) for one in router.device.events() if isinstance(one, Noted)]
    assert "mapping 10: 1 entries of r2.example merged, 1 had keys of ours" in notes


def test_an_answer_with_a_hole_does_not_count_as_all_and_is_asked_for_again(network: Network) -> None:
    router = network.routers[1]
    queued(of(router, 2))
    forked(router)
    router.device.turn(network.now)
    (request,) = asks(router)
    new = record(3, nat_id=2, host=9)
    router.device.received(of(router, 2), answers(request.number, [new], count=2), network.now)
    router.device.turn(network.now)
    assert holds(router)
    assert counters(router).pulls == 0
    neighbor(router, 2).heard = network.now + 3.0
    router.device.groups[0].merging.turn(network.now + 3.0, hold_time=60.0)
    (again,) = asks(router)
    assert again.number > request.number


def test_an_answer_on_the_link_that_we_dialled_is_no_answer(network: Network) -> None:
    router = network.routers[1]
    queued(of(router, 2))
    forked(router)
    router.device.turn(network.now)
    (request,) = asks(router)
    new = record(3, nat_id=2, host=9)
    router.device.received(to(router, 2), answers(request.number, [new]), network.now)
    router.device.turn(network.now)
    assert holds(router)
    assert new not in router.device.table
    assert counters(router).not_managed == 3


def test_what_came_before_a_pull_was_given_up_stays_and_is_sent(network: Network) -> None:
    router = network.routers[1]
    at = router.device.groups[0].feeds[FEED].position
    queued(of(router, 2))
    forked(router)
    router.device.turn(network.now)
    (request,) = asks(router)
    new = record(3, nat_id=2, host=9)
    router.device.received(of(router, 2), answers(request.number, [new], count=2), network.now)
    router.device.turn(network.now)
    router.device.groups[0].merging.turn(network.now + 60.0, hold_time=3.0)
    assert not holds(router)
    assert (counters(router).pulls, counters(router).merged) == (0, 1)
    router.device.turn(network.now)
    assert new in router.device.table
    assert router.device.groups[0].feeds[FEED].position == (at.term, at.sequence + 1)


def test_who_forked_before_we_managed_is_asked_when_we_do_and_no_more_after(network: Network) -> None:
    router = network.routers[1]
    merging, flows = router.device.groups[0].merging, router.device.translator.flows
    neighbor(router, 2).stands(Applied(FEED, FOREIGN))
    assert not holds(router)
    merging.begin(network.now)
    assert holds(router)
    assert flows._managed.restrained == {FEED.mapping_id}
    merging.end()
    assert not holds(router)
    assert flows._managed.restrained == set()


def test_it_restrains_itself_until_the_last_pull_is_over(network: Network) -> None:
    router = network.routers[1]
    merging, flows = router.device.groups[0].merging, router.device.translator.flows
    for nat_id in (2, 3):
        neighbor(router, nat_id).stands(Applied(FEED, Position(Term(7, nat_id), 3)))
    merging.begin(network.now)
    restrained = []
    for nat_id in (2, 3):
        merging.refused(neighbor(router, nat_id), FEED, network.now)
        restrained.append(bool(flows._managed.restrained))
    assert restrained == [True, False]


def test_who_stands_where_we_stood_is_pulled_from_no_more(network: Network) -> None:
    router = network.routers[1]
    forked(router)
    forked(router, router.device.groups[0].feeds[FEED].position)
    assert not holds(router)
    assert router.device.translator.flows._managed.restrained == set()


def test_it_asks_at_most_every_three_seconds(network: Network) -> None:
    router = network.routers[1]
    merging, now = router.device.groups[0].merging, network.now
    forked(router)
    queued(of(router, 2))
    asked_at = []
    for later in (0.0, 2.9, 3.0, 5.9):
        neighbor(router, 2).heard = now + later
        merging.turn(now + later, hold_time=60.0)
        asked_at += [later] * len(asks(router))
        assert holds(router)
    assert asked_at == [0.0, 3.0]
    merging.turn(now + 6.0, hold_time=60.0)
    assert not holds(router)


def test_it_asks_twice_and_then_gives_up(network: Network) -> None:
    router = network.routers[1]
    merging, now = router.device.groups[0].merging, network.now
    forked(router)
    queued(of(router, 2))
    for second in range(12):
        neighbor(router, 2).heard = now + second
        merging.turn(now + second, hold_time=60.0)
    asked = [said for message in queued(of(router, 2)) for said in controls(message.body)]
    assert [said.kind for said in asked if isinstance(said, DumpRequest)] == [DumpKind.PULL] * 2
    assert not holds(router)


def test_a_neighbor_that_is_silent_holds_up_nothing(network: Network) -> None:
    router = network.routers[1]
    forked(router)
    router.device.groups[0].merging.turn(network.now + 60.0, hold_time=3.0)
    assert not holds(router)


def test_nothing_is_asked_on_a_link_that_is_not_up_yet(network: Network) -> None:
    """A request that cannot leave is none of the two."""
    router = network.routers[1]
    merging, now = router.device.groups[0].merging, network.now
    forked(router)
    router.device.accepted(2, now)  # in the place of the one that was up
    for second in range(0, 30, 4):
        neighbor(router, 2).heard = now + second
        merging.turn(now + second, hold_time=60.0)
    pull = merging.pull_of(neighbor(router, 2), FEED)
    assert pull is not None
    assert pull.tries == 0


def test_the_ports_of_losers_are_told(network: Network) -> None:
    """To who gives out ports: the connections of the losers are not over."""
    router = network.routers[1]
    merging = router.device.groups[0].merging
    told: list[tuple[Feed, list[bytes], float]] = []
    merging._merged = lambda feed, losers, now: told.append((feed, losers, now))
    (ours,) = router.device.table
    loser = Entry.unpack(ours)._replace(nat_id=2, number=77, inside_global_port=2000).pack()
    queued(of(router, 2))
    forked(router)
    router.device.turn(network.now)
    (request,) = asks(router)
    router.device.received(of(router, 2), answers(request.number, [loser]), network.now)
    router.device.turn(network.now)
    assert told == [(FEED, [loser], network.now)]


# Who manages no more, and manages again


def test_what_came_before_the_role_was_left_is_counted(network: Network) -> None:
    router = network.routers[1]
    queued(of(router, 2))
    forked(router)
    router.device.turn(network.now)
    (request,) = asks(router)
    new = record(3, nat_id=2, host=9)
    router.device.received(of(router, 2), answers(request.number, [new], count=2), network.now)
    router.device.turn(network.now)
    assert new in router.device.table
    router.device.groups[0].merging.end()
    assert counters(router).merged == 1


def test_what_was_given_up_is_asked_for_when_it_manages_again(network: Network) -> None:
    router = network.routers[1]
    merging = router.device.groups[0].merging
    forked(router)
    merging.refused(neighbor(router, 2), FEED, network.now)
    forked(router)
    assert not holds(router)
    merging.end()
    merging.begin(network.now)
    assert holds(router)


def test_who_was_a_rival_of_a_former_management_is_none_now(network: Network) -> None:
    router = network.routers[1]
    group = router.device.groups[0]
    said = neighbor(router, 2).standings[FEED]
    neighbor(router, 2).says(said._replace(standing=Standing.MANAGE, term=Term(8, 2)))
    group.merging.consider(neighbor(router, 2), FEED, network.now)
    assert group.merging._rivals == {2}
    group.merging.end()
    group.feeds[FEED].left.clear()
    group.feeds[FEED].position = Position(Term(9, 1), 0)
    forked(router, Position(Term(5, 2), 1))
    assert not holds(router), "older than all that is remembered"
