"""All arrangements (Fig. 2A, 2B, 2C); a seed has one of them."""

from typing import Final

from tests.simulation.arrangement import ActiveStandby, PrimaryBackup
from tests.simulation.peers import Peers

ARRANGEMENTS: Final = (PrimaryBackup, ActiveStandby, Peers)
"""By the remainder of a seed."""


def of_seed(seed: int) -> type[PrimaryBackup]:
    """The arrangement of a schedule."""
    return ARRANGEMENTS[seed % len(ARRANGEMENTS)]
