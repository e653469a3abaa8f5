"""``--More--``: which lines of the output a terminal has seen, without I/O."""

import re
from collections import deque

MORE = " --More-- "
ERASE = "\b" * 9 + " " * 8 + "\b" * 9
"""What takes the question away again, as IOS does it (ios-cli.md 3)."""


class Pager:
    """Passes lines on, a page at a time."""

    def __init__(self, length: int) -> None:
        """``length``: lines of the terminal; 0: all pages are one."""
        self._page = max(1, length - 1) if length else 0
        self._left = self._page
        self._waiting: deque[str] = deque()
        self._searched: re.Pattern[str] | None = None
        self._stopped = False

    def feed(self, text: str) -> None:
        """Whole lines of output."""
        if self._stopped:
            return
        self._waiting.extend(text.splitlines(keepends=True))

    def take(self) -> str:
        """What may be printed now."""
        taken = []
        while self._waiting and not self.full:
            line = self._waiting.popleft()
            if self._searched is not None:
                if not self._searched.search(line):
                    continue
                self._searched = None
            taken.append(line)
            self._left -= 1
        return "".join(taken)

    @property
    def full(self) -> bool:
        """Whether the page is, so that the user must say how to go on before more is printed."""
        return self._page > 0 and self._left <= 0

    @property
    def waits(self) -> bool:
        """Whether there is something that the user has not seen."""
        return bool(self._waiting)

    def go_on(self, lines: int | None = None) -> None:
        """The user wants to see so many lines more; None: a page."""
        self._left = self._page if lines is None else lines

    def stop(self) -> None:
        """The user has seen enough."""
        self._waiting.clear()
        self._stopped = True

    def search(self, expression: str) -> bool:
        """Skip what comes before the next line that matches; whether this is a regular expression."""
        try:
            self._searched = re.compile(expression)
        except re.error:
            return False
        self.go_on()
        return True
