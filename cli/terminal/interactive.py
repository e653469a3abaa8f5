"""The conversation of a person at a terminal with the shell in the daemon."""

import asyncio
import os
import sys

from prompt_toolkit import PromptSession
from prompt_toolkit.utils import is_dumb_terminal

from cli.terminal.daemon import Daemon
from cli.terminal.editor import Editor
from cli.terminal.frames import ControlError, End, FarewellError, LostError, Question, Redirect
from cli.terminal.history import history
from cli.terminal.keyboard import Keyboard
from cli.terminal.line import LineReader
from cli.terminal.plain import PlainEditor
from cli.terminal.screen import Screen

TRIES = (0.1, 0.2, 0.5, *(1.0,) * 60)
"""Seconds between attempts to find the daemon again: a minute in all."""


def converse(path: str) -> int:
    """Read and run lines until the user leaves: ``exit``, or Ctrl-D. Returns the exit status.

    Raises :class:`ControlError` without a daemon.
    """
    plain = is_dumb_terminal() or not os.environ.get("TERM") or not sys.stdout.isatty()
    return asyncio.run(Conversation(path, PromptSession(history=history()), plain=plain).last())


class Conversation:
    """One user at one terminal; the daemon may come back in between."""

    def __init__(self, path: str, session: PromptSession[str], *, plain: bool = False) -> None:
        """``plain``: the terminal understands no escape codes."""
        self._path = path
        self._output = session.output
        self._keyboard = Keyboard(session.input)
        self.lines: LineReader
        """Where the user types."""
        if plain:
            self.lines = PlainEditor(self._keyboard, lambda: self.daemon)
        else:
            self.lines = Editor(session, self._keyboard, lambda: self.daemon)
        self.daemon: Daemon
        self._screen: Screen | None = None
        """While a command runs."""

    async def last(self) -> int:
        """Until the user leaves; the exit status. Raises :class:`ControlError` without a daemon."""
        await self._connect()
        try:
            while await self._turn():
                pass
        except FarewellError as farewell:
            print(farewell, end="", flush=True)
        finally:
            await self.daemon.close()
        return 0

    async def _connect(self) -> None:
        self.daemon = await Daemon.open(self._path, self._log)
        self.daemon.lost.add_done_callback(self._lost)
        print(self.daemon.banner, end="", flush=True)

    def _lost(self, lost: "asyncio.Future[ControlError]") -> None:
        """The daemon has gone; what is being typed cannot be sent any more."""
        if not lost.cancelled():
            self.lines.leave(lost.result())

    async def _turn(self) -> bool:
        """A line; False when the user left."""
        try:
            if self.daemon.lost.done():
                raise self.daemon.lost.result()
            line = await self.lines.line(self.daemon.prompt)
        except KeyboardInterrupt:
            return True
        except EOFError:
            return False
        except LostError:
            await self._find_again()
            return True
        try:
            return not (await self._run(line)).closed
        except LostError:
            await self._find_again()
        except ControlError as error:
            if self.daemon.lost.done():
                raise
            print(f"% {error}")
        return True

    async def _run(self, line: str) -> End:
        """Run a line and print its output. Ctrl-C ends it."""
        screen = Screen(self.daemon.length, self._output, self._keyboard, self.lines, self.daemon.interrupt)
        self._screen = screen
        try:
            with self._keyboard.listening(self._stop):
                return await self._answered(line, screen)
        finally:
            self._screen = None
            screen.close()

    async def _answered(self, line: str, screen: Screen) -> End:
        async for said in self.daemon.run(line):
            match said:
                case str():
                    await screen.show(said)
                case Question():
                    await self._question(said)
                case Redirect():
                    screen.redirect(said)
                case End():
                    return said
        raise LostError

    async def _question(self, question: Question) -> None:
        try:
            self.daemon.answer(await self.lines.answer(question.text, echo=question.echo))
        except (KeyboardInterrupt, EOFError):
            self._stop()

    def _stop(self) -> None:
        """Ctrl-C: no more of this command, nor of what was pasted after it."""
        self.lines.drop()
        if self._screen is not None:
            self._screen.stop()

    def _log(self, text: str) -> None:
        """A line of the log: above the line that is being typed, between the lines of a command."""
        if self._screen is not None and not self.lines.typing:
            self._screen.log(text)
        else:
            self.lines.above(text)

    async def _find_again(self) -> None:
        """The daemon has gone: wait for the next. Raises :class:`ControlError` when none comes."""
        print("% Connection to the router lost; reconnecting ... (Ctrl-C gives up)", flush=True)
        self.lines.drop()
        await self.daemon.close()
        last = ControlError("The router did not come back.")
        for pause in TRIES:
            await asyncio.sleep(pause)
            try:
                await self._connect()
            except ControlError as error:
                last = error
            else:
                print("% Connected again", flush=True)
                return
        raise last
