"""After a split: who has what we lack is pulled from, and served only then."""

import pytest

from snat.config.model import ConfiguredRole
from snat.nat.entry import Entry
from snat.wire.actions import Applied, DumpKind, DumpRequest, Error, Standing
from snat.wire.errors import ErrorCode
from snat.wire.header import NO_TERM, Position, Term, encode
from snat.wire.items import controls, error
from tests.device.groups import FEED, counters, flow, neighbor, of, queued, settled, tables_equal, to
from tests.simulation.network import Network, Router

FOREIGN = Position(Term(7, 2), 3)


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 and R3 listen."""
    backups = dict.fromkeys((2, 3), ConfiguredRole.BACKUP)
    network = Network(3, {1: ConfiguredRole.PRIMARY} | backups)
    network.run_until(network.quiet)
    flow(network.routers[1], 4)
    network.run(1.0)
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
    dumps = counters(three).dumps_received
    network.heal()
    settled(network)
    assert {Entry.unpack(one).inside_local[3] for one in three.device.table} == {4, 12}
    assert counters(three).dumps_received == dumps, "it came as a change"
    network.run(400.0)  # the time-out of UDP is 300 s
    assert len(one.device.table) == 0
    assert tables_equal(network)


def test_while_it_pulls_it_makes_entries_for_syns_alone(network: Network) -> None:
    router = network.routers[1]
    flows = router.device.translator.flows
    forked(router)
    assert flows._restrained == {FEED.mapping_id}
    router.device.groups[0].merging.refused(neighbor(router, 2), FEED, network.now)
    assert flows._restrained == set()


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
