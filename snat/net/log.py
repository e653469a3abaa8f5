"""Refusals in the log: one line each, and no more than one a while for the same reason and place."""

from dataclasses import dataclass, field
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

INTERVAL: Final = 10.0
"""Seconds between two lines about the same thing."""
_MOST: Final = 1024
"""Places remembered; strangers could fill more."""


@dataclass(slots=True)
class RefusalLog:
    """Says who was refused and why."""

    clock: IReactorTime
    log: Logger = field(default_factory=lambda: Logger("snat"))
    suppressed: int = 0
    """Lines not written."""
    _last: dict[tuple[str, str], float] = field(default_factory=dict)

    def refused(self, whom: str, why: str) -> None:
        """Log a refusal, unless it was just logged."""
        now = self.clock.seconds()
        if now - self._last.get((whom, why), now - INTERVAL) < INTERVAL:
            self.suppressed += 1
            return
        if len(self._last) >= _MOST:
            self._last.clear()
        self._last[whom, why] = now
        self.log.warn("refused {whom}: {why}", whom=whom, why=why)
