"""Random lives of two to five routers; a failing one is named by its seed and told."""

import os
import random
from typing import Final

import pytest

from tests.redundancy.schedule import Schedule, failure

SCHEDULES: Final = 300
FIRST: Final = int(os.environ.get("SNAT_SIMULATION_FIRST", "0"))
_BATCH: Final = 50


@pytest.mark.parametrize("first", range(FIRST, FIRST + SCHEDULES, _BATCH))
def test_random_schedules_keep_all_invariants(first: int) -> None:
    for seed in range(first, first + _BATCH):
        told = failure(seed)
        if told:
            pytest.fail(told, pytrace=False)


@pytest.mark.parametrize("seed", [103384])
def test_seeds_that_once_failed(seed: int) -> None:
    assert failure(seed) == ""


def test_a_seed_replays() -> None:
    one, other = Schedule(FIRST + 5), Schedule(FIRST + 5)
    one.live()
    other.live()
    assert one.told == other.told
    assert one.lan.sent == other.lan.sent


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_random_schedules() -> None:
    """`make soak`: thousands of schedules from a new seed each time."""
    first = random.SystemRandom().randrange(1 << 30)
    count = int(os.environ.get("SNAT_SOAK_SCHEDULES", "20000"))
    print(f"HSRP: {count} schedules from seed {first}")
    failed = [told for told in map(failure, range(first, first + count)) if told]
    if failed:
        pytest.fail(f"{len(failed)} seeds fail; the first:\n{failed[0]}", pytrace=False)
