"""Who follows a manager, and who begins when nobody has managed yet."""

import pytest

from snat.config.model import ConfiguredRole
from snat.device.links import Neighbor
from snat.device.succession import goes_first, is_best, manager_of
from snat.wire.actions import Role, RoleChange, Standing, Unit
from snat.wire.header import Position, Term
from tests.device.groups import FEED, flow, settled
from tests.simulation.network import Network
from tests.simulation.shape import Shape

NOW, HOLD_TIME = 100.0, 3.0
P, B = Role.PRIMARY, Role.BACKUP
NOWHERE, SOME, MORE = Position(), Position(Term(3, 1), 5), Position(Term(4, 1), 0)


def member(
    nat_id: int,
    standing: Standing,
    role: Role = B,
    *,
    at: Position = NOWHERE,
    term: int = 0,
    heard: float = NOW,
) -> Neighbor:
    made = Neighbor(nat_id, f"r{nat_id}.example", heard=heard)
    made.standings[FEED] = RoleChange(FEED, role, standing, Term(term, nat_id))
    made.units[FEED] = Unit(FEED, at, role, standing, 0, 0)
    return made


def test_of_two_that_manage_the_higher_term_counts_unless_it_is_silent() -> None:
    low, high = member(2, Standing.MANAGE, term=4), member(3, Standing.MANAGE, term=5)
    assert manager_of((FEED,), [low, high], NOW, HOLD_TIME) is high
    high.heard = NOW - HOLD_TIME
    assert manager_of((FEED,), [low, high], NOW, HOLD_TIME) is low
    low.heard = None
    assert manager_of((FEED,), [low, high], NOW, HOLD_TIME) is None


@pytest.mark.parametrize(
    ("role", "nat_id", "other", "first"),
    [
        (B, 2, member(3, Standing.LISTEN), True),
        (B, 3, member(2, Standing.LISTEN), False),
        (B, 3, member(2, Standing.LISTEN, heard=NOW - HOLD_TIME), True),
        (B, 3, member(2, Standing.START), True),
        (B, 2, member(3, Standing.LISTEN, P), False),
        (P, 3, member(2, Standing.LISTEN), True),
        (P, 2, member(3, Standing.CLAIM), False),
    ],
    ids=["lower id", "higher id", "silent", "starts", "primary", "we primary", "claims"],
)
def test_who_follows_a_manager(role: Role, nat_id: int, other: Neighbor, first: bool) -> None:
    assert goes_first((FEED,), role, nat_id, [other], NOW, HOLD_TIME) is first


@pytest.mark.parametrize(
    ("at", "role", "other", "best"),
    [
        (SOME, B, member(3, Standing.START, P, at=Position()), True),
        (Position(), P, member(3, Standing.START, B, at=SOME), False),
        (SOME, P, member(3, Standing.START, B, at=MORE), False),
        (MORE, B, member(3, Standing.START, P, at=SOME), True),
        (SOME, B, member(3, Standing.START, P, at=SOME), False),
        (SOME, B, member(3, Standing.START, B, at=SOME), True),
        (SOME, B, member(1, Standing.START, B, at=SOME), False),
        (MORE, P, member(3, Standing.LISTEN, B), False),
    ],
    ids=["it", "the other", "later term there", "later term", "primary", "id", "lower id", "it listens"],
)
@pytest.mark.parametrize("waited", [False, True])
def test_of_those_that_start_the_furthest_begins(
    at: Position, role: Role, other: Neighbor, best: bool, waited: bool
) -> None:
    assert is_best((FEED,), lambda _: at, role, 2, [other], NOW, HOLD_TIME, waited=waited) is best


@pytest.mark.parametrize("waited", [False, True])
def test_until_it_has_waited_all_must_be_there(waited: bool) -> None:
    there, absent = member(3, Standing.START), Neighbor(4, "r4.example")
    assert is_best((FEED,), lambda _: SOME, B, 2, [there, absent], NOW, HOLD_TIME, waited=waited) is waited
    assert is_best((FEED,), lambda _: SOME, B, 2, [absent], NOW, HOLD_TIME, waited=waited) is waited
    assert is_best((FEED,), lambda _: SOME, B, 2, [there], NOW, HOLD_TIME, waited=waited)


@pytest.mark.parametrize("furthest", [1, 2])
def test_the_later_snapshot_decides_who_begins_after_all_were_down(furthest: int) -> None:
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}
    network = Network(4, roles, Shape(snapshots=True))
    network.run_until(network.quiet)
    last, other = network.routers[furthest], network.routers[3 - furthest]
    other.kill()
    network.run_until(lambda: last.manages)
    made = flow(last, 9)
    network.run(0.5)
    last.kill()
    takers: list[int] = []
    network.takings.append(lambda router: takers.append(router.nat_id))
    other.start()
    last.start()
    network.run_until(network.quiet)
    settled(network)
    assert takers[0] == furthest
    for router in (last, other):
        assert len(router.device.table) == 1
    manager = next(router for router in network.routers.values() if router.manages)
    assert flow(manager, 9) == made
