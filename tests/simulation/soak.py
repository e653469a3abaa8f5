"""Many schedules, one after the other; a failing one is named, and told."""

from collections.abc import Callable

from tests.simulation.invariants import Broken
from tests.simulation.schedule import Schedule

_PROGRESS_EVERY = 500


def failure(seed: int) -> str:
    """What is wrong with a schedule; empty if nothing is."""
    try:
        Schedule(seed).run()
    except Broken as broken:
        return str(broken)
    return ""


def story(seed: int, last: int | None = None) -> str:
    """What happens in a schedule, to its end or to where it fails; the last lines only, if so many."""
    trace: list[str] = []
    try:
        Schedule(seed, trace).run()
        trace.append("all holds")
    except Broken as broken:
        trace.append(f"BROKEN: {broken}")
    told = trace if last is None or last >= len(trace) else [trace[0], "...", *trace[-last:]]
    return "\n".join([*told, f"again: python -m tests.simulation {seed}"])


def soak(first: int, schedules: int, *, keep_going: bool, say: Callable[[str], None]) -> list[int]:
    """Run so many seeds; those that failed, of which the first ends the run unless it is to keep going."""
    say(f"{schedules} schedules from seed {first}")
    failed: list[int] = []
    for number in range(1, schedules + 1):
        why = failure(first + number - 1)
        if why:
            failed.append(first + number - 1)
            say(f"BROKEN: {why}")
            if not keep_going:
                break
        if number % _PROGRESS_EVERY == 0:
            say(f"{number} of {schedules}, {len(failed)} failed")
    return failed
