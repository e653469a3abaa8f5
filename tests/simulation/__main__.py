"""`python -m tests.simulation SEED` tells what happens in a schedule; `--soak N` runs many."""

import argparse
import random
import sys
from functools import partial

from tests.simulation.soak import soak, story


def main() -> int:
    """0: all holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="replay this schedule and tell what happens in it")
    parser.add_argument("--soak", type=int, metavar="N", help="run N schedules on one core")
    parser.add_argument("--first", type=int, help="seed of the first of them (new each time)")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first that fails")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        told = story(arguments.seed)
        print(told)
        return int("\nBROKEN: " in told)
    if arguments.soak is None:
        parser.error("a seed or --soak N is needed")
    first = arguments.first if arguments.first is not None else random.SystemRandom().randrange(1 << 30)
    say = partial(print, flush=True)
    failed = soak(first, arguments.soak, keep_going=arguments.keep_going, say=say)
    say(f"failed: {' '.join(map(str, failed))}" if failed else "all hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
