"""What a neighbor said of itself, on either link and in either incarnation."""

from snat.device.links import _INCARNATIONS as BOUND
from snat.device.links import Neighbor
from snat.wire.actions import Applied, Authenticate, Role, RoleChange, Standing, Unit
from snat.wire.header import Feed, Position, Term

FEED = Feed(0, 10)


def hello(incarnation: int) -> Authenticate:
    return Authenticate(2, incarnation, 7, 1000, 65536, 0, 1)


def unit(standing: Standing, term: int) -> Unit:
    return Unit(FEED, Position(Term(term, 2), 0), Role.BACKUP, standing, 0, 0)


def says(standing: Standing, term: int) -> RoleChange:
    return RoleChange(FEED, Role.BACKUP, standing, Term(term, 2))


def test_the_other_links_authenticate_does_not_undo_what_was_said_since() -> None:
    neighbor = Neighbor(2, "r2.example")
    neighbor.present(hello(1), [unit(Standing.START, 0)])
    neighbor.says(says(Standing.MANAGE, 1))
    neighbor.present(hello(1), [unit(Standing.START, 0)])
    assert neighbor.standing(FEED) is Standing.MANAGE


def test_another_incarnation_begins_anew() -> None:
    neighbor = Neighbor(2, "r2.example")
    neighbor.present(hello(1), [unit(Standing.START, 0)])
    neighbor.says(says(Standing.MANAGE, 5))
    neighbor.present(hello(2), [unit(Standing.START, 0)])
    assert neighbor.standing(FEED) is Standing.START


def test_what_was_said_in_an_older_term_is_late() -> None:
    neighbor = Neighbor(2, "r2.example")
    neighbor.present(hello(1), [unit(Standing.LISTEN, 3)])
    neighbor.says(says(Standing.MANAGE, 4))
    neighbor.says(says(Standing.LISTEN, 3))
    assert neighbor.standing(FEED) is Standing.MANAGE


def test_values_that_this_version_does_not_know_are_no_standing() -> None:
    neighbor = Neighbor(2, "r2.example")
    neighbor.standings[FEED] = RoleChange(FEED, 99, 99, Term(1, 2))
    assert (neighbor.standing(FEED), neighbor.role(FEED)) == (None, None)


def test_silence_is_judged_over_both_links() -> None:
    neighbor = Neighbor(2, "r2.example")
    assert neighbor.silent(10.0, 3.0)
    neighbor.heard = 8.0
    assert not neighbor.silent(10.9, 3.0)
    assert neighbor.silent(11.0, 3.0)


def test_what_another_incarnation_applied_no_longer_counts_and_on_the_other_link_it_does() -> None:
    neighbor = Neighbor(2, "r2.example")
    neighbor.present(hello(1), [unit(Standing.LISTEN, 3)])
    neighbor.stands(Applied(FEED, Position(Term(3, 1), 9)))
    neighbor.present(hello(1), [unit(Standing.LISTEN, 3)])
    assert neighbor.applied == {FEED: Position(Term(3, 1), 9)}
    neighbor.present(hello(2), [unit(Standing.LISTEN, 3)])
    assert neighbor.applied == {}


def test_who_leaves_a_unit_or_manages_it_has_applied_nothing_of_it() -> None:
    neighbor = Neighbor(2, "r2.example")
    neighbor.present(hello(1), [unit(Standing.LISTEN, 3)])
    neighbor.stands(Applied(FEED, Position(Term(3, 1), 9)))
    neighbor.leaves(FEED)
    assert (neighbor.applied, neighbor.standing(FEED)) == ({}, None)
    neighbor.stands(Applied(FEED, Position(Term(3, 1), 9)))
    neighbor.says(says(Standing.MANAGE, 4))
    assert neighbor.applied == {}


def test_incarnations_that_are_remembered_are_bounded_and_the_oldest_goes() -> None:
    neighbor = Neighbor(2, "r2.example")
    for number in range(1, BOUND + 2):
        assert neighbor.reuses(hello(number)) == ""
        neighbor.present(hello(number), [])
    assert len(neighbor.incarnations) == BOUND
    assert neighbor.reuses(hello(1)) == "", "forgotten"
    assert neighbor.reuses(hello(2)) == "incarnation 2 has ended"
    assert neighbor.reuses(hello(BOUND + 1)) == "", "the present one"


def test_what_it_applied_of_a_unit_that_it_has_no_more_is_forgotten() -> None:
    neighbor = Neighbor(2, "r2.example")
    neighbor.present(hello(1), [unit(Standing.LISTEN, 3)])
    neighbor.stands(Applied(FEED, Position(Term(3, 1), 9)))
    neighbor.present(hello(1), [])
    assert neighbor.applied == {}
