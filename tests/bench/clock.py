"""Timing for the rows."""

import gc
import time
from collections.abc import Callable, Mapping


def best(run: Callable[[], object], count: int, repeats: int = 5) -> float:
    """Microseconds of CPU for one of ``count`` items that ``run`` works on: the best of some runs, no gc."""
    return best_of_each({"": run}, count, repeats)[""]


def best_of_each(runs: Mapping[str, Callable[[], object]], count: int, repeats: int = 5) -> dict[str, float]:
    """The same of several, by turns: so a machine that is slow for some seconds is slow for all of them."""
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            least[name] = min(least[name], _seconds(run) / count * 1e6)
    return least


def _seconds(run: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    begin = time.process_time()
    kept = run()
    taken = time.process_time() - begin
    gc.enable()
    del kept
    return taken
