"""``python -m tests.fuzz TARGET``: new inputs until time is up or one fails. See doc/testing.md."""

import argparse
import random
import sys
from pathlib import Path

from tests.fuzz.run import Failed, execute, fuzz
from tests.fuzz.targets import TARGETS


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0: nothing failed; 1: an input did, and is in a file."""
    options = _parser().parse_args(arguments)
    target = TARGETS[options.target]
    try:
        if options.replay is not None:
            execute(target, bytes.fromhex(options.replay.read_text()))
            print(f"{options.replay}: passed")
            return 0
        seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 30)
        print(f"{options.target}: seed {seed}, {options.seconds:g} s", flush=True)
        print(f"{options.target}: {fuzz(target, seed, seconds=options.seconds)}")
    except Failed as failed:
        print(failed.told, file=sys.stderr)
        if options.replay is None:
            path = options.directory / f"{options.target}-{failed.name}.hex"
            path.write_text(failed.data.hex() + "\n")
            print(f"replay: python -m tests.fuzz {options.target} --replay {path}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input, in hex, and no other")
    parser.add_argument("--directory", type=Path, default=Path(), help="where a failing input is written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
