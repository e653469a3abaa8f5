"""Running a target: inputs from its corpus and from nothing, damaged again and again, as a seed decides."""

import random
import signal
import time
import traceback
import zlib
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import Target

LIMIT: Final = 5.0
"""Seconds of CPU for one input; the longest takes a tenth."""
POOL: Final = 2000
_ATTEMPTS: Final = 400
"""Executions spent on making a failing input shorter."""


class Hung(Exception):
    """An input took longer than :data:`LIMIT`."""


class Failed(Exception):
    """An input that fails, and how."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(repr(error))
        self.data = data
        self.error = error
        self.told = "".join(traceback.format_exception(error, chain=False))

    @property
    def name(self) -> str:
        """Short, and of this input."""
        return f"{zlib.crc32(self.data):08x}"

    @property
    def place(self) -> tuple[type[Exception], int | None]:
        """The kind of failure: its class and the line that raised."""
        return type(self.error), traceback.extract_tb(self.error.__traceback__)[-1].lineno


@dataclass(frozen=True, slots=True)
class Summary:
    """What was done."""

    executions: int
    seconds: float
    outcomes: int
    """Different ones seen."""

    def __str__(self) -> str:
        rate = self.executions / max(self.seconds, 1e-9)
        return f"{self.executions} executions, {rate:.0f}/s, {self.outcomes} different outcomes, none failed"


def execute(target: Target, data: bytes) -> Hashable:
    """One input; its outcome. Raises Failed."""
    try:
        with _limited():
            return target.run(data)
    except Exception as error:
        raise Failed(data, error) from error


def fuzz(
    target: Target, seed: int, *, seconds: float | None = None, executions: int | None = None
) -> Summary:
    """Run inputs until there were so many, or time is up. Raises Failed with a short input."""
    dice = random.Random(seed)
    begin = time.monotonic()
    pool = list(target.corpus())
    seen: set[Hashable] = set()
    count = 0
    while (executions is None or count < executions) and (
        seconds is None or time.monotonic() - begin < seconds
    ):
        data = target.generate(dice) if dice.random() < 0.3 else mutated(dice, dice.choice(pool), pool)
        try:
            outcome = execute(target, data)
        except Failed as failed:
            raise shortened(target, failed) from failed.error
        count += 1
        if outcome not in seen:
            seen.add(outcome)
            if len(pool) < POOL:
                pool.append(data)
            else:
                pool[dice.randrange(POOL)] = data
    return Summary(count, time.monotonic() - begin, len(seen))


def shortened(target: Target, failed: Failed) -> Failed:
    """The same failure by fewer bytes, as far as leaving out pieces goes; what hangs stays as it is."""
    if isinstance(failed.error, Hung):
        return failed
    attempts, size = 0, len(failed.data) // 2
    while size and attempts < _ATTEMPTS:
        at = 0
        while at < len(failed.data) and attempts < _ATTEMPTS:
            attempts += 1
            shorter = failed.data[:at] + failed.data[at + size :]
            try:
                execute(target, shorter)
            except Failed as again:
                if again.place == failed.place:
                    failed = again
                    continue
            at += size
        size //= 2
    return failed


@contextmanager
def _limited() -> Iterator[None]:
    """Raise Hung in whatever does not end."""

    def hang(_number: int, _frame: FrameType | None) -> None:
        raise Hung(f"no end after {LIMIT:g} s")

    before = signal.signal(signal.SIGVTALRM, hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
