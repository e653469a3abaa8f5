"""Timing for the rows."""

import gc
import time
from collections.abc import Callable


def best(run: Callable[[], object], count: int, repeats: int = 5) -> float:
    """Microseconds for one of ``count`` items that ``run`` works on: the best of some runs, without gc."""
    least = float("inf")
    for _ in range(repeats):
        gc.collect()
        gc.disable()
        begin = time.perf_counter()
        kept = run()
        least = min(least, time.perf_counter() - begin)
        gc.enable()
        del kept
    return least / count * 1e6
