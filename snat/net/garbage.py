"""When the interpreter's garbage collector looks through what is old.

By itself it does whenever a quarter has been added: with the paths of a million flows 0.4 s in which no
packet passes, every few minutes. But what the router makes and drops by the thousand, entries and paths, it
frees without the collector. What is left for it are the remains of connections and sessions, which can wait.
"""

import gc
from collections.abc import Callable
from typing import Final

LOOK: Final = 3600.0
"""Seconds between two looks at whether now is a time for it."""
LONGEST: Final = 24 * LOOK
"""Seconds after which it is a time in any case."""
FEW: Final = 50_000
"""Paths up to which it is: it takes 20 ms then."""
_NEVER: Final = 2**31 - 1


class Garbage:
    """The collector of this process: what is young as always, what is old when there are few paths."""

    def __init__(self, paths: Callable[[], int], seconds: Callable[[], float]) -> None:
        """``paths`` says how many there are."""
        self._paths = paths
        self._seconds = seconds
        self._collected = seconds()

    def begin(self) -> None:
        """What is there from the start stays, and need not be walked again (40 ms each time)."""
        gc.collect()
        gc.freeze()
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)

    def look(self) -> None:
        """Collect, if now is a time for it."""
        now = self._seconds()
        if self._paths() <= FEW or now - self._collected >= LONGEST:
            self._collected = now
            gc.collect()
