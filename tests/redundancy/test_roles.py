"""The table of primary/backup standings, whole."""

from itertools import product

import pytest

from snat.redundancy.roles import TRANSITIONS, Input, UnexpectedInput, preferred, step
from snat.wire.actions import Role, Standing


@pytest.mark.parametrize(("standing", "happened"), list(product(Standing, Input)))
def test_every_pair_is_in_the_table_or_is_refused(standing: Standing, happened: Input) -> None:
    if (standing, happened) in TRANSITIONS:
        assert step(standing, happened) is TRANSITIONS[standing, happened]
    else:
        with pytest.raises(UnexpectedInput, match=f"{happened.value} while in {standing.name}"):
            step(standing, happened)


def test_every_standing_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS.values()) == set(Standing)
    assert {before for before, _ in TRANSITIONS} == set(Standing)


def test_no_input_leads_nowhere() -> None:
    assert {happened for _, happened in TRANSITIONS} == set(Input)


@pytest.mark.parametrize(
    ("ours", "theirs", "wins"),
    [
        (Role.PRIMARY, Role.BACKUP, True),
        (Role.BACKUP, Role.PRIMARY, False),
        (Role.BACKUP, Role.BACKUP, False),
        (Role.PRIMARY, Role.PRIMARY, False),
        (Role.ACTIVE, Role.STANDBY, True),
        (Role.ACTIVE, Role.ACTIVE, False),
        (Role.PREEMPTING, Role.ACTIVE, True),
        (Role.ACTIVE, Role.PREEMPTING, False),
        (Role.PREEMPTING, Role.PREEMPTING, False),
        (Role.STANDBY, None, False),
        (Role.ACTIVE, None, True),
    ],
)
def test_who_is_preferred_to_whom(ours: Role, theirs: Role | None, wins: bool) -> None:
    assert preferred(ours, theirs) is wins
