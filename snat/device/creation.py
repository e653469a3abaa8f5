"""When this device made an entry: records have no date, but their numbers grow (Fig. 4B, the entry's id)."""

from bisect import bisect_left
from typing import Final

RESOLUTION: Final = 1.0
"""Seconds; coarser once more than MOST of them were needed."""
MOST: Final = 1 << 16
"""Spans of time that are kept: 18 hours of entries made in every second, 36 to two seconds."""


class CreationTimes:
    """The time of the entry with a counter, by spans of time: memory of 1 MiB at most, whatever is made."""

    def __init__(self, most: int = MOST) -> None:
        """``most`` spans, an even number."""
        self._most = most
        self._last: list[int] = []
        """The last counter of each span."""
        self._begun: list[float] = []
        self._resolution = RESOLUTION

    def note(self, counter: int, now: float) -> None:
        """Entries up to ``counter`` are made. Costs nothing when none was."""
        if self._last and counter == self._last[-1]:
            return
        if self._begun and now - self._begun[-1] < self._resolution:
            self._last[-1] = counter
            return
        if len(self._last) >= self._most:
            self._last, self._begun = self._last[1::2], self._begun[::2]
            self._resolution *= 2
        self._last.append(counter)
        self._begun.append(now)

    def of(self, counter: int) -> float | None:
        """When the entry was made; None: it is not noted yet."""
        at = bisect_left(self._last, counter)
        return self._begun[at] if at < len(self._begun) else None
