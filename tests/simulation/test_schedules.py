"""Random schedules over groups of two to five devices; a failing one is named and told."""

import os
import random
import subprocess
import sys
from functools import partial
from typing import Final

import pytest

from tests.simulation.soak import failure, soak, story

SCHEDULES: Final = {"roles": 500, "peers": 400}
FIRST: Final = int(os.environ.get("SNAT_SIMULATION_FIRST", "0"))
"""Seed of the first: another one makes as many other schedules."""
_BATCH: Final = 20
_LINES: Final = 60


@pytest.mark.parametrize(
    ("arrangement", "first"),
    [
        (arrangement, first)
        for arrangement, schedules in SCHEDULES.items()
        for first in range(FIRST, FIRST + schedules, _BATCH)
    ],
)
def test_random_schedules_keep_all_invariants(arrangement: str, first: int) -> None:
    for seed in range(first, first + _BATCH):
        if failure(seed, arrangement):
            pytest.fail(story(seed, _LINES, arrangement), pytrace=False)


@pytest.mark.parametrize("arrangement", SCHEDULES)
def test_a_seed_replays_in_another_process(arrangement: str) -> None:
    """Nothing depends on the hashes of this process."""
    seed = FIRST + 3
    command = [sys.executable, "-m", "tests.simulation", str(seed), arrangement]
    replayed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert replayed.stderr == ""
    assert replayed.stdout == story(seed, arrangement=arrangement) + "\n"
    assert replayed.returncode == 0


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("arrangement", SCHEDULES)
def test_many_random_schedules(arrangement: str) -> None:
    """`make soak`: thousands of schedules from a new seed each time."""
    schedules = int(os.environ.get("SNAT_SOAK_SCHEDULES", "20000"))
    first = random.SystemRandom().randrange(1 << 30)
    say = partial(print, flush=True)
    failed = soak(first, schedules, keep_going=True, say=say, arrangement=arrangement)
    if failed:
        told = story(failed[0], _LINES, arrangement)
        pytest.fail(f"seeds {failed} fail; the first:\n{told}", pytrace=False)
