"""``--More--``: which lines of the output a terminal has seen, without I/O."""

import re
from collections import deque
from typing import NamedTuple

MORE = " --More-- "
ERASE = "\b" * 9 + " " * 8 + "\b" * 9
"""What takes the question away again, as IOS does it (ios-cli.md 3)."""


class Page(NamedTuple):
    """What a terminal shows at a time."""

    lines: int
    """One of them is for the question; 0: endless, there are no pages."""
    width: int = 0
    """Characters after which a line goes on below; 0: never."""

    @property
    def room(self) -> int:
        """Lines that are shown before the question."""
        return max(1, self.lines - 1)

    def taken(self, line: str) -> int:
        """Lines of the terminal that a line of output takes."""
        return max(1, -(-len(line.rstrip("\n")) // self.width)) if self.width else 1


class Pager:
    """Passes lines on, a page at a time."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._left = page.room
        self._waiting: deque[str] = deque()
        self._searched: re.Pattern[str] | None = None

    def feed(self, text: str) -> None:
        """Whole lines of output."""
        self._waiting.extend(text.splitlines(keepends=True))

    def take(self) -> str:
        """What may be printed now."""
        taken = []
        while self._waiting and not self._full(self._waiting[0]):
            line = self._waiting.popleft()
            if self._searched is not None:
                if not self._searched.search(line):
                    continue
                self._searched = None
            taken.append(line)
            self._left -= self._page.taken(line)
        return "".join(taken)

    def _full(self, line: str) -> bool:
        """Whether the user must say how to go on before this line; the first of a page always has room."""
        if not self._page.lines or self._searched is not None or self._left >= self._page.room:
            return False
        return self._page.taken(line) > self._left

    @property
    def waits(self) -> bool:
        """Whether there is something that the user has not seen."""
        return bool(self._waiting)

    def go_on(self, page: Page) -> None:
        """The user wants to see another page, of this size."""
        self._page, self._left = page, page.room

    def one_more(self, page: Page) -> None:
        """The user wants to see another line, however many lines of the terminal it takes."""
        self._page = page
        self._left = page.taken(self._waiting[0]) if self._waiting else 1

    def search(self, expression: str, page: Page) -> None:
        """Skip what comes before the next line that matches; then a page. Raises ``re.error``."""
        self._searched = re.compile(expression)
        self.go_on(page)
