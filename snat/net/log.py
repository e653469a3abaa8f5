"""Where the router says something, and how often: what others can cause again and again is counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogPublisher, formatEvent, globalLogPublisher

MESSAGES: Final = LogPublisher(globalLogPublisher)
"""All that the router says. It goes to the log of the daemon, unless somebody stands in between
(:mod:`snat.net.syslog`)."""
INTERVAL: Final = 10.0
"""Seconds between two equal lines."""
FEW: Final = 30
"""Different lines about one party that are written in that time."""
_MOST: Final = 1024
"""Lines remembered; strangers could cause more."""


@dataclass(slots=True)
class RepeatingLog:
    """Says a thing, unless it was just said."""

    clock: IReactorTime
    log: Logger = field(default_factory=lambda: Logger("snat", observer=MESSAGES))
    suppressed: int = 0
    """Lines not written."""
    _last: dict[str, float] = field(default_factory=dict)
    _lately: dict[tuple[str, object], list[float]] = field(default_factory=dict)
    """When each kind of line about each party was written; whoever chooses its words cannot fill the log."""

    def say(self, text: str, *, alarm: bool = True, **fields: object) -> None:
        """Log a format with its fields, as a warning if it is an alarm."""
        now = self.clock.seconds()
        line = formatEvent({"log_format": text, **fields})
        party = text, fields.get("neighbor", fields.get("whom"))
        lately = [at for at in self._lately.get(party, ()) if now - at < INTERVAL]
        if len(lately) >= FEW or now - self._last.get(line, -INTERVAL) < INTERVAL:
            self.suppressed += 1
            return
        if len(self._last) >= _MOST:
            self._last.clear()
            self._lately.clear()
        self._last[line] = now
        self._lately[party] = [*lately, now]
        (self.log.warn if alarm else self.log.info)(text, **fields)


@dataclass(slots=True)
class Budget:
    """So many messages in a second; those beyond are counted, and told of at its end."""

    clock: IReactorTime
    most: int
    tell: Callable[[int], None]
    """Gets the number of those that were not written in the last second."""
    _since: float = float("-inf")
    _spent: int = 0
    _refused: int = 0
    _call: IDelayedCall | None = None

    def take(self) -> bool:
        """Whether one more may be written now."""
        now = self.clock.seconds()
        if now - self._since >= 1.0:
            self._since, self._spent = now, 0
        if self._spent < self.most:
            self._spent += 1
            return True
        self._refused += 1
        if self._call is None:
            self._call = self.clock.callLater(self._since + 1.0 - now, self._told)
        return False

    def stop(self) -> None:
        """Tell of what was refused so far; nothing waits any more."""
        if self._call is not None:
            self._call.cancel()
            self._told()

    def _told(self) -> None:
        refused, self._refused, self._call = self._refused, 0, None
        self.tell(refused)
