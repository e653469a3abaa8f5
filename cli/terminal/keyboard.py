"""Keys that are pressed while prompt-toolkit edits no line: a command runs, or the terminal is plain."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

INTERRUPTS = (Keys.ControlC, Keys.ControlCircumflex)
"""Ctrl-C, and Ctrl-Shift-6 as on a console of IOS."""
ENTER = (Keys.ControlM, Keys.ControlJ)


class Keyboard:
    """Keys, one after the other; those that nobody takes are typed ahead, and belong to the next line."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._pressed: deque[KeyPress] = deque()
        self._wanted: asyncio.Future[None] | None = None
        self._interrupt: Callable[[], None] | None = None

    @contextmanager
    def listening(self, interrupt: Callable[[], None] | None = None) -> Iterator[None]:
        """Take keys at once and without echo. ``interrupt``: what Ctrl-C does when no key is waited for."""
        before, self._interrupt = self._interrupt, interrupt
        try:
            with self._source.raw_mode(), self._source.attach(self._ready):
                yield
        finally:
            self._interrupt = before
            self.give_back()

    def give_back(self) -> None:
        """Somebody else reads keys next."""
        store_typeahead(self._source, list(self._pressed))
        self._pressed.clear()

    async def key(self) -> KeyPress:
        """The next key. Raises EOFError when there are no more, and what :meth:`leave` was given."""
        self._pressed.extend(get_typeahead(self._source))
        while not self._pressed:
            if self._source.closed:
                raise EOFError
            self._wanted = asyncio.get_running_loop().create_future()
            try:
                await self._wanted
            finally:
                self._wanted = None
        return self._pressed.popleft()

    def leave(self, error: BaseException) -> None:
        """Nobody need press the key that is waited for."""
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_exception(error)

    def _ready(self) -> None:
        pressed = self._source.read_keys()
        if self._wanted is None and self._interrupt and any(press.key in INTERRUPTS for press in pressed):
            self._pressed.clear()  # what was typed before it is not meant any more
            self._interrupt()
            return
        self._pressed.extend(pressed)
        if self._wanted is not None and not self._wanted.done() and (pressed or self._source.closed):
            self._wanted.set_result(None)
