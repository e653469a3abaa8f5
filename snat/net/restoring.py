"""When to look at the kernel, and when to put back what somebody else changed: the decision, without clock.

Changes come in bursts, so a burst is awaited. Another program may undo what we put back each time it sees it:
then we wait longer and longer, and do not fill the log.
"""

from dataclasses import dataclass
from typing import Final

PERIOD: Final = 10.0
"""Seconds between two looks if nothing is heard: at what the kernel does not tell of."""
GATHER: Final = 0.05
"""Seconds from the first change of a burst to the look."""
SPARE: Final = 0.25
"""Seconds between two looks at least, however much is heard."""
FIRST: Final = 1.0
"""Seconds from putting something back to doing so again; twice as long each time."""
LONGEST: Final = 60.0
"""Seconds that this grows to."""
HELD: Final = 60.0
"""Seconds after which what was put back has held."""

_NEVER: Final = float("-inf")


@dataclass(slots=True)
class Restoring:
    """Takes what happens, with the time; says when to look, and whether to act on what was seen."""

    deadline: float
    """When to look next."""
    tries: int = 0
    """How often something was put back since all last held."""
    _looked: float = _NEVER
    _acted: float = _NEVER
    _not_before: float = _NEVER
    _differs: bool = False

    def heard(self, now: float) -> None:
        """Something in the kernel changed that may be ours.

        While we wait to put something back, this tells nothing new.
        """
        if not self._differs:
            self.deadline = min(self.deadline, max(now + GATHER, self._looked + SPARE))

    def looked(self, now: float, *, differs: bool) -> bool:
        """Take what a look found; whether to put it back now."""
        if now - self._acted >= HELD and not (differs and self._differs):
            self.tries = 0
            self._not_before = _NEVER
        self._looked, self._differs = now, differs
        if not differs:
            self.deadline = now + PERIOD
            return False
        self.deadline = self._not_before
        return now >= self._not_before

    def acted(self, now: float, *, wholly: bool) -> None:
        """Something was put back; not ``wholly``: some of it was refused."""
        wait = min(LONGEST, FIRST * 2**self.tries)
        self.tries = min(self.tries + 1, 16)
        self._acted, self._not_before = now, now + wait
        self._differs = not wholly
        self.deadline = now + (PERIOD if wholly else wait)
