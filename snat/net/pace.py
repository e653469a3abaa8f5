"""When to look at the kernel, and so when to put back what others changed. Told what happens and when."""

from typing import Final

GATHER: Final = 0.05
"""Seconds after the first change that its like are waited for."""
SPARE: Final = 0.25
"""Seconds between two looks at least: a look takes some milliseconds, and interfaces may come by hundreds."""
LOOK: Final = 10.0
"""Seconds between looks that nothing asks for: proxy neighbours, nftables and sysctls tell nobody."""
FIRST_WAIT: Final = 1.0
"""Seconds after a change of ours until the next; doubled as long as it does not last."""
LONGEST_WAIT: Final = 60.0
HELD: Final = 60.0
"""Seconds beyond the wait after which a change of ours has lasted."""

_NEVER: Final = float("-inf")
_MANY: Final = 16
"""Doublings that are counted."""


class Pace:
    """Soon after a change, not too often, and ever more rarely against somebody who insists."""

    def __init__(self, now: float) -> None:
        self.due = now + LOOK
        """When to look."""
        self.tries = 0
        """Looks that changed something, since the last time that it lasted."""
        self._spare_until = _NEVER
        self._not_before = _NEVER

    def noticed(self, now: float) -> None:
        """Something changed that may concern us."""
        self.due = min(self.due, max(now + GATHER, self._spare_until, self._not_before))

    def looked(self, now: float, *, changed: bool, refused: bool) -> None:
        """A look is over: whether something had to be put back, and whether something could not be helped.

        What cannot be helped is looked at again when something changes, once a second at most.
        """
        if now > self._not_before + HELD:
            self.tries = 0
        if changed:
            self._not_before = now + min(FIRST_WAIT * 2**self.tries, LONGEST_WAIT)
            self.tries = min(self.tries + 1, _MANY)
        elif refused:
            self._not_before = max(self._not_before, now + FIRST_WAIT)
        self._spare_until = now + SPARE
        self.due = max(now + LOOK, self._not_before)
