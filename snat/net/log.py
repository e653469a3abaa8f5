"""What others can cause again and again goes to the log once in a while, and is counted in between."""

from dataclasses import dataclass, field
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, formatEvent

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
    log: Logger = field(default_factory=lambda: Logger("snat"))
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
