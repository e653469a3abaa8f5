"""What a neighbor said of itself, on either link and in either incarnation."""

from snat.device.links import Neighbor
from snat.wire.actions import Authenticate, Role, RoleChange, Standing, Unit
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
