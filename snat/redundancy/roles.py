"""Who manages and who listens in a group (Fig. 2A and 8A, 2B and 8B), as a table.

A member starts unsynchronised, in START, and vouches for nothing. It leaves for LISTEN when its table is
proved equal to the manager's, or for MANAGE when it has waited long enough and found nobody. A synchronised
primary that finds another managing asks for the role (CLAIM) and takes it when the manager has released it.

In a group that follows an IP redundancy module (HSRP, VRRP) the module's active is what the primary is
elsewhere, but nobody else ever takes the role: one that starts and finds nobody stands by for the module's
word. A manager that is active too refuses a claim: the module is of two minds, and two would take turns.
But a member whose module is about to *preempt* claims before it does: to that one the active releases the
role, and goes on translating the flows that exist until the addresses have moved.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from snat.wire.actions import Role, Standing

CLAIM_TIME: Final = 0.2
"""Seconds that a manager has to release the role; then claiming becomes a takeover (design section 8)."""
YIELD_TIME: Final = 2 * CLAIM_TIME
"""Seconds that who is active, and released the role to one that preempts, waits for it to take the role."""
ALONE_EXTRA: Final = 2.0
"""Seconds beyond the hold time that a starting member waits for somebody to appear."""


class Input(Enum):
    """What can happen to a member."""

    SYNCHRONISED = "synchronised"
    """Every feed is proved equal to the manager's."""
    UNSYNCHRONISED = "unsynchronised"
    """A feed has a gap or differs."""
    ALONE = "alone"
    """Waited; no synchronised member is to be had."""
    STANDS_BY = "stands by"
    """The same, where an IP redundancy module has the word."""
    MANAGER_LOST = "manager lost"
    MAY_CLAIM = "may claim"
    """Synchronised, preferred by configuration, and another manages."""
    RELEASED = "released"
    CLAIM_EXPIRED = "claim expired"
    REFUSED = "refused"
    """The manager is active too, or this member is not any more."""
    CLAIMED = "claimed"
    """Another member claims what we manage."""
    OUTRANKED = "outranked"
    """Another manages under a higher term."""


TRANSITIONS: Final[Mapping[tuple[Standing, Input], Standing]] = {
    (Standing.START, Input.SYNCHRONISED): Standing.LISTEN,
    (Standing.START, Input.ALONE): Standing.MANAGE,
    (Standing.START, Input.STANDS_BY): Standing.LISTEN,
    (Standing.LISTEN, Input.UNSYNCHRONISED): Standing.START,
    (Standing.LISTEN, Input.MANAGER_LOST): Standing.MANAGE,
    (Standing.LISTEN, Input.MAY_CLAIM): Standing.CLAIM,
    (Standing.CLAIM, Input.RELEASED): Standing.MANAGE,
    (Standing.CLAIM, Input.CLAIM_EXPIRED): Standing.MANAGE,
    (Standing.CLAIM, Input.MANAGER_LOST): Standing.MANAGE,
    (Standing.CLAIM, Input.REFUSED): Standing.LISTEN,
    (Standing.CLAIM, Input.UNSYNCHRONISED): Standing.START,
    (Standing.MANAGE, Input.CLAIMED): Standing.LISTEN,
    (Standing.MANAGE, Input.OUTRANKED): Standing.START,
}


class UnexpectedInput(Exception):
    """An input that the standing does not know: the caller's fault."""

    def __init__(self, standing: Standing, happened: Input) -> None:
        super().__init__(f"{happened.value} while in {standing.name}")


def step(standing: Standing, happened: Input) -> Standing:
    """The next standing. Raises UnexpectedInput for a pair that is not in the table."""
    try:
        return TRANSITIONS[standing, happened]
    except KeyError:
        raise UnexpectedInput(standing, happened) from None


def leads(role: Role | None) -> bool:
    """Whether a member of ``role`` is to manage: the choice of the configuration, or of the module."""
    return _RANKS.get(role, 0) > 0


def preferred(role: Role, other: Role | None) -> bool:
    """Whether a member of ``role`` takes precedence over one of ``other``."""
    return leads(role) and _RANKS[role] > _RANKS.get(other, 0)


_RANKS: Final[Mapping[Role | None, int]] = {Role.PRIMARY: 1, Role.ACTIVE: 1, Role.PREEMPTING: 2}
