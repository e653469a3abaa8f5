"""Random schedules over groups of two to five devices; a failing one is named and told.

A third of them has each arrangement; see :mod:`tests.simulation.arrangements`.
"""

import os
import random
import subprocess
import sys
from functools import partial
from typing import Final

import pytest

from tests.simulation.soak import failure, soak, story

SCHEDULES: Final = 1500
FIRST: Final = int(os.environ.get("SNAT_SIMULATION_FIRST", "0"))
"""Seed of the first: another one makes as many others."""
_BATCH: Final = 20
_LINES: Final = 60


@pytest.mark.parametrize("first", range(FIRST, FIRST + SCHEDULES, _BATCH))
def test_random_schedules_keep_all_invariants(first: int) -> None:
    for seed in range(first, first + _BATCH):
        if failure(seed):
            pytest.fail(story(seed, _LINES), pytrace=False)


def test_a_seed_replays_in_another_process() -> None:
    """Nothing depends on the hashes of this process."""
    seed = FIRST + 3
    replayed = subprocess.run(
        [sys.executable, "-m", "tests.simulation", str(seed)], capture_output=True, text=True, check=False
    )
    assert replayed.stderr == ""
    assert replayed.stdout == story(seed) + "\n"
    assert replayed.returncode == 0


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_random_schedules() -> None:
    """`make soak`: thousands of schedules from a new seed each time."""
    schedules = int(os.environ.get("SNAT_SOAK_SCHEDULES", "50000"))
    first = random.SystemRandom().randrange(1 << 30)
    failed = soak(first, schedules, keep_going=True, say=partial(print, flush=True))
    if failed:
        pytest.fail(f"seeds {failed} fail; the first:\n{story(failed[0], _LINES)}", pytrace=False)
