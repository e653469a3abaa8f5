"""A group takes, hands over and leaves the role; it clears, refreshes and reports."""

from collections.abc import Iterable
from ipaddress import IPv4Address

import pytest

from snat.config.model import ConfiguredRole
from snat.config.model import Group as GroupConfiguration
from snat.device.events import Noted
from snat.device.feeds import GroupFeeds
from snat.nat.table import NatTable
from snat.redundancy.roles import CLAIM_TIME
from snat.replication.feed import FeedCounters
from snat.replication.journal import DEFAULT_LIMIT, TOTAL_LIMIT
from snat.wire.actions import (
    Action,
    Claim,
    Digest,
    DumpKind,
    DumpRequest,
    Error,
    Released,
    Role,
    RoleChange,
    Standing,
    TermBegin,
)
from snat.wire.errors import ErrorCode
from snat.wire.header import Position, Term, encode
from snat.wire.items import control, controls, error, item
from tests.device.groups import FEED, counters, flow, neighbor, of, queued, settled, to
from tests.records import record
from tests.simulation.network import Network, Router

FLOWS = 5


def group_of(backups: Iterable[int]) -> Network:
    """R1 manages, the others have what it has."""
    roles = {1: ConfiguredRole.PRIMARY, **dict.fromkeys(backups, ConfiguredRole.BACKUP)}
    network = Network(8, roles)
    network.run_until(network.quiet)
    for host in range(FLOWS):
        flow(network.routers[1], host + 1)
    network.run(1.0)
    settled(network)
    return network


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 listens."""
    return group_of((2,))


@pytest.fixture
def three() -> Network:
    """R1 manages, R2 and R3 listen."""
    return group_of((2, 3))


def at(router: Router) -> Position:
    return router.device.groups[0].feeds[FEED].position


def hear(router: Router, data: bytes, nat_id: int, *, dialled: bool = False) -> None:
    """A member says something on the link it dialled, or on the one we dialled."""
    link = (to if dialled else of)(router, nat_id)
    router.device.received(link, data, router.network.now)
    router.device.turn(router.network.now)


# Orders


def test_a_clear_is_one_item_and_ends_equal(three: Network) -> None:
    manager = three.routers[1]
    before = at(manager)
    manager.device.clear(three.now)
    last = encode(item(Action.DELETE_ALL, b""), FEED, before.term, before.sequence + 1)
    assert manager.device.groups[0].feeds[FEED].journal.since(before) == [last]
    manager.settle()
    three.run(0.5)
    settled(three)
    for router in three.routers.values():
        assert len(router.device.table) == 0
        digest = router.device.groups[0].feeds[FEED].digest
        assert (digest.count, digest.value) == (0, 0)
        assert counters(router).cleared == 1
        assert counters(router).mismatches == 0
    assert three.quiet()


def test_what_waited_for_a_message_leaves_before_a_clear(network: Network) -> None:
    manager = network.routers[1]
    before = at(manager)
    manager.device.table.add([record(9)])
    manager.device.clear(network.now)
    journal = manager.device.groups[0].feeds[FEED].journal
    bodies = [item(Action.ADD, record(9)), item(Action.DELETE_ALL, b"")]
    assert journal.since(before) == [
        encode(body, FEED, before.term, before.sequence + 1 + n) for n, body in enumerate(bodies)
    ]


@pytest.mark.parametrize("forget", [False, True])
def test_a_refresh_is_a_dump_with_the_table_kept_or_forgotten(network: Network, forget: bool) -> None:
    member = network.routers[2]
    queued(of(member, 1))
    member.device.refresh([1], network.now, forget=forget)
    (said,) = [one for message in queued(of(member, 1)) for one in controls(message.body)]
    assert isinstance(said, DumpRequest)
    assert said.kind == DumpKind.FEED
    state = member.device.groups[0].feeds[FEED]
    assert len(member.device.table) == state.digest.count == (0 if forget else FLOWS)
    assert not member.device.groups[0].whole(FEED)


# Leaving


def test_when_a_manager_stops_one_takes_over_at_once(three: Network) -> None:
    began = three.now
    three.routers[1].stop()
    three.run_until(lambda: three.routers[2].manages, step=0.001)
    assert three.now - began < 0.1  # the hold time is 0.6 s
    three.run(0.5)
    assert three.routers[3].standing is Standing.LISTEN
    assert counters(three.routers[3]).dumps_received <= 1
    assert len(three.routers[2].device.table) == len(three.routers[3].device.table) == FLOWS


def test_a_member_that_stops_moves_nobody(three: Network) -> None:
    term = at(three.routers[1]).term
    three.routers[2].stop()
    three.run(3.0)
    assert [three.routers[number].standing for number in (1, 3)] == [Standing.MANAGE, Standing.LISTEN]
    assert at(three.routers[1]).term == term


# Reports


def test_a_collision_is_noted_on_both_sides_and_told_once(network: Network) -> None:
    manager, member = network.routers[1], network.routers[2]
    one = record(100)
    foreign = record(100, nat_id=2)
    queued(to(member, 1))
    member.device.table.collided.append(one)
    member.device.turn(network.now)
    notes = [event for event in member.device.events() if isinstance(event, Noted)]
    assert [note.text.format(**note.fields) for note in notes] == [
        "mapping 10: an entry of NAT ID 1 has the key of another"
    ]
    said = [found for message in queued(to(member, 1)) for found in controls(message.body)]
    (told,) = [found for found in said if isinstance(found, Error)]
    assert (told.code, told.feed, told.entry) == (ErrorCode.COLLISION, FEED, one[: len(told.entry)])
    assert foreign[: len(told.entry)] != told.entry
    member.device.turn(network.now)
    assert queued(to(member, 1)) == []
    hear(manager, encode(error(told)), 2)
    assert counters(manager).entry_errors_received == counters(member).entry_errors_sent == 1
    answers = [event for event in manager.device.events() if isinstance(event, Noted)]
    assert [note.text.format(**note.fields) for note in answers] == ["r2.example answers: collision"]


# Handing over


@pytest.fixture
def claiming(network: Network) -> Network:
    """R1 came back, has what R2 has, and has just claimed the role; R2 has not heard it."""
    network.routers[1].kill()
    network.run_until(lambda: network.routers[2].manages)
    network.run(0.5)
    network.routers[1].start()
    network.run_until(lambda: network.routers[1].standing is Standing.CLAIM, step=0.0001)
    assert network.routers[2].manages
    return network


def listens(router: Router) -> bytes:
    return encode(control(RoleChange(FEED, Role.BACKUP, Standing.LISTEN, at(router).term)))


def released(router: Router, *, beyond: int = 0) -> bytes:
    digest, where = router.device.groups[0].feeds[FEED].digest, at(router)
    position = Position(where.term, where.sequence + beyond)
    return encode(control(Released(FEED, position, digest.count, digest.value)))


def test_who_claims_waits_for_the_last_word_though_the_other_link_is_faster(claiming: Network) -> None:
    router = claiming.routers[1]
    term = at(router).term
    hear(router, listens(router), 2, dialled=True)
    assert router.standing.name == "CLAIM"
    hear(router, released(router), 2)
    assert router.standing.name == "MANAGE"
    assert at(router) == (Term(term.number + 1, 1), 0)


def test_it_waits_no_longer_than_the_time_for_a_claim(claiming: Network) -> None:
    router = claiming.routers[1]
    since = router.device.groups[0].since
    assert router.device.next_deadline() <= since + CLAIM_TIME
    hear(router, listens(router), 2, dialled=True)
    router.device.turn(since + CLAIM_TIME - 0.01)
    assert router.standing.name == "CLAIM"
    router.device.turn(since + CLAIM_TIME)
    assert router.standing.name == "MANAGE"


def test_a_manager_that_does_not_answer_a_claim_is_outranked(claiming: Network) -> None:
    router = claiming.routers[1]
    router.device.turn(router.device.groups[0].since + CLAIM_TIME)
    assert router.standing.name == "MANAGE"


def test_who_is_not_where_the_manager_stopped_does_not_take_the_role(claiming: Network) -> None:
    router = claiming.routers[1]
    hear(router, released(router, beyond=2), 2)
    assert router.standing.name == "START"


def test_what_was_not_compiled_leaves_before_the_last_word(claiming: Network) -> None:
    manager = claiming.routers[2]
    queued(to(manager, 1))
    manager.device.table.add([record(9)])
    where = at(claiming.routers[1])
    claims = control(RoleChange(FEED, Role.PRIMARY, Standing.CLAIM, where.term))
    hear(manager, encode(claims + control(Claim(FEED, where))), 1)
    add, last, *_ = queued(to(manager, 1))
    (said,) = controls(last.body)
    assert add.body == item(Action.ADD, record(9))
    assert isinstance(said, Released)
    assert (said.position, said.count) == (Position(add.term, add.sequence), FLOWS + 1)
    assert manager.standing.name == "LISTEN"


def test_a_last_word_of_somebody_else_is_none(three: Network) -> None:
    """R1 claims the role of R2; R3 says that it released it."""
    router = three.routers[1]
    router.kill()
    three.run_until(lambda: three.routers[2].manages)
    three.run(0.5)
    router.start()
    three.run_until(lambda: router.standing is Standing.CLAIM, step=0.0001)
    hear(router, released(router), 3)
    assert router.standing.name == "CLAIM"
    hear(router, released(router), 2)
    assert router.standing.name == "MANAGE"


def test_the_last_word_of_a_former_claim_counts_for_no_other(claiming: Network) -> None:
    router = claiming.routers[1]
    hear(router, released(router), 2)
    assert router.standing.name == "MANAGE"
    base, term = at(router), Term(at(router).term.number + 5, 2)
    digest = router.device.groups[0].feeds[FEED].digest
    hear(router, encode(control(RoleChange(FEED, Role.PRIMARY, Standing.MANAGE, term))), 2)
    assert router.standing.name == "START"
    manages = control(RoleChange(FEED, Role.BACKUP, Standing.MANAGE, term))
    statement = control(Digest(FEED, Position(term, 0), digest.count, digest.value))
    hear(router, encode(manages + control(TermBegin(FEED, term, base)) + statement), 2)
    assert router.standing.name == "CLAIM", "and it waits"


def test_who_leaves_the_role_ends_its_dumps(network: Network) -> None:
    """Its entries are no longer what the feed is."""
    manager = network.routers[1]
    manager.device.table.add([record(number) for number in range(1000, 4000)])
    manager.device.turn(network.now)
    queued(to(manager, 2))
    hear(manager, encode(control(DumpRequest(9, FEED, DumpKind.FEED, Position()))), 2)
    assert to(manager, 2).dumps
    higher = Term(at(manager).term.number + 5, 2)
    hear(manager, encode(control(RoleChange(FEED, Role.PRIMARY, Standing.MANAGE, higher))), 2)
    assert manager.standing.name == "START"
    assert to(manager, 2).dumps == {}


def test_a_third_member_does_not_take_what_is_handed_over(three: Network) -> None:
    """Though it would go first, of those that listen."""
    one, two, last = (three.routers[number] for number in (1, 2, 3))
    one.kill()
    three.run_until(lambda: two.manages)
    two.kill()
    three.run_until(lambda: last.manages)
    two.start()
    three.run_until(lambda: two.standing is Standing.LISTEN)
    three.run(0.5)
    began = three.now
    hear(two, listens(two), 3)
    assert two.device.groups[0].manager == 0
    assert two.standing.name == "LISTEN"
    neighbor(two, 3).heard = began + 0.5
    two.device.turn(began + 0.5)
    assert two.standing.name == "LISTEN"
    neighbor(two, 3).heard = began + 0.6
    two.device.turn(began + 0.6)
    assert two.standing.name == "MANAGE", "nobody took it within the hold time"


# Beginning


@pytest.mark.parametrize("members", [2, 3])
def test_who_hears_of_a_term_before_it_hears_who_manages_takes_no_role(members: int) -> None:
    """The term begins in one message and the standing is in the next: a turn may come between them."""
    roles = {1: ConfiguredRole.PRIMARY, **dict.fromkeys(range(2, members + 1), ConfiguredRole.BACKUP)}
    network = Network(3, roles)
    network.run_until(lambda: network.routers[1].manages, step=0.0001)
    member = network.routers[2]
    network.run_until(lambda: all(one.links() for one in member.device.neighbors.values()), step=0.0001)
    assert neighbor(member, 1).standing(FEED) is Standing.START
    begun = network.routers[1].device.groups[0].senders[FEED].begun
    hear(member, encode(control(begun)), 1)
    assert member.standing.name == "START"


def takers(seed: int) -> list[int]:
    """Who takes the role when three start for the first time."""
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP, 3: ConfiguredRole.BACKUP}
    network, found = Network(seed, roles), list[int]()
    network.takings.append(lambda router: found.append(router.nat_id))
    network.run_until(network.quiet)
    network.run(1.0)
    return found


def test_at_the_first_start_one_takes_the_role_and_nobody_has_to_leave_it() -> None:
    assert {seed: found for seed in range(12) if (found := takers(seed)) != [1]} == {}


def test_who_took_the_role_unverified_and_left_it_is_not_unverified(network: Network) -> None:
    router = network.routers[1]
    group = router.device.groups[0]
    group.unverified = True  # as after a start alone; no member has been there since
    higher = Term(at(router).term.number + 5, 2)
    hear(router, encode(control(RoleChange(FEED, Role.PRIMARY, Standing.MANAGE, higher))), 2)
    assert router.standing.name == "START"
    assert not group.unverified


@pytest.mark.parametrize("mappings", [1, 8, 256])
def test_the_journals_of_a_group_are_bounded_together(mappings: int) -> None:
    configuration = GroupConfiguration(
        role=ConfiguredRole.PRIMARY,
        address=IPv4Address("192.0.2.1"),
        mapping_ids=tuple(range(1, mappings + 1)),
    )
    feeds = GroupFeeds(configuration, [], NatTable(), FeedCounters(), {}, 0, 0.0).feeds.values()
    limits = [state.journal.limit for state in feeds]
    assert sum(limits) <= TOTAL_LIMIT
    assert max(limits) <= DEFAULT_LIMIT
