"""What a running command says: on the terminal by pages, or in a file of the user."""

import re
import sys
from collections.abc import Callable

from prompt_toolkit.output import Output

from cli.terminal.frames import IOS_LENGTH, Redirect
from cli.terminal.keyboard import ENTER, Keyboard
from cli.terminal.line import LineReader
from cli.terminal.pager import ERASE, MORE, Page, Pager
from cli.terminal.target import Target, TargetError


class Screen:
    """The output of one command. While the user looks at a page nothing more is read, nor made."""

    def __init__(
        self,
        length: int,
        output: Output,
        keyboard: Keyboard,
        lines: LineReader,
        interrupt: Callable[[], None],
    ) -> None:
        """``length``: of a page, as the session has it; ``interrupt`` asks the daemon to end the command."""
        self._length = length
        self._output = output
        self._keyboard = keyboard
        self._lines = lines
        self._interrupt = interrupt
        self._target = Target()
        self._pager = Pager(self._page())
        self._asking = False
        self._stopped = False

    def _page(self) -> Page:
        """As large as the terminal is now, unless the user gave the session a length of its own."""
        size = self._output.get_size()
        return Page(size.rows if self._length == IOS_LENGTH else self._length, size.columns)

    async def show(self, text: str) -> None:
        """Whole lines; returns when the user has seen them, or does not want to."""
        if self._stopped:
            return
        try:
            self._target.store(text)
        except TargetError as error:
            self._fail(error)
        if self._target.shown and not self._stopped:
            await self._show(text)

    def redirect(self, said: Redirect) -> None:
        """What follows goes into a file; if it cannot, the command ends."""
        try:
            self._target.redirect(said)
        except TargetError as error:
            self._fail(error)

    def stop(self) -> None:
        """The user has seen enough: what still comes is dropped, and the command ends."""
        self._stopped = True
        self._interrupt()

    def close(self) -> None:
        """The command has ended."""
        try:
            self._target.close()
        except TargetError as error:
            print(f"% {error}")

    def log(self, text: str) -> None:
        """A line of the log, between the lines of the command."""
        _write(f"{ERASE}{text}{MORE}" if self._asking else text)

    def _fail(self, error: TargetError) -> None:
        print(f"% {error}")
        self.stop()

    async def _show(self, text: str) -> None:
        self._pager.feed(text)
        _write(self._pager.take())
        while self._pager.waits and not self._stopped:
            await self._more()
            _write(self._pager.take())

    async def _more(self) -> None:
        """Ask how to go on."""
        self._asking = True
        _write(MORE)
        try:
            key = (await self._keyboard.key()).key
        finally:
            self._asking = False
            _write(ERASE)
        if key == " ":
            self._pager.go_on(self._page())
        elif key in ENTER:
            self._pager.one_more(self._page())
        elif key == "/":
            await self._search()
        else:
            self._pager = Pager(self._page())
            self.stop()

    async def _search(self) -> None:
        """Go on at a line that matches. Without a regular expression the user is asked again."""
        try:
            expression = await self._lines.answer("/", echo=True)
            if expression:
                self._pager.search(expression, self._page())
                print("filtering...")
        except re.error as error:
            print(f"% Failed to compile regular expression: {error}")
        except (KeyboardInterrupt, EOFError):
            pass


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
