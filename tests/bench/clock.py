"""Timing for the rows."""

import gc
import time
from collections.abc import Callable, Mapping

TURNS = 5


def by_turns(
    runs: Mapping[str, Callable[[], object]], count: int, turns: int = TURNS
) -> list[dict[str, float]]:
    """Microseconds of CPU for one of ``count`` items that each run works on, without gc: one dict a turn.

    By turns, so a machine that is slow for some seconds is slow for all of them.
    """
    return [{name: _seconds(run) / count * 1e6 for name, run in runs.items()} for _ in range(turns)]


def _seconds(run: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    begin = time.process_time()
    kept = run()
    taken = time.process_time() - begin
    gc.enable()
    del kept
    return taken
