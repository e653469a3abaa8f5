"""The line mode of a person at a terminal, with prompt-toolkit."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys

from cli.terminal.daemon import ControlError, Daemon, LostError
from cli.terminal.frames import End, Question, Redirect
from cli.terminal.pager import ERASE, MORE, Pager
from cli.terminal.target import Target

HISTORY = ".snat_cli_history"
"""In the home directory."""
HISTORY_BYTES = 1 << 20
"""Of the file; a longer one begins anew, and the old one stays beside it."""
IOS_LENGTH = 24
"""The session's length until the user says another: then the terminal's own is taken."""
TRIES = (0.1, 0.2, 0.5, *(1.0,) * 60)
"""Seconds between attempts to find the daemon again: a minute in all."""
_SECRET = re.compile(r"\b(secret|password|authentication|key-string)\b", re.IGNORECASE)


def converse(path: str, session: PromptSession[str] | None = None) -> int:
    """Read and run lines until the user leaves: ``exit``, or Ctrl-D. Returns the exit status."""
    return asyncio.run(Conversation(path, session or PromptSession(history=history())).last())


class SparingHistory(FileHistory):
    """Keeps no line that has a secret in it."""

    def store_string(self, string: str) -> None:
        """Into the file."""
        if not _SECRET.search(string):
            super().store_string(string)


def history() -> History:
    """Kept between sessions where the home directory can be written, for the user's eyes only."""
    path = Path.home() / HISTORY
    try:
        if path.exists() and path.stat().st_size > HISTORY_BYTES:
            path.replace(path.with_suffix(".old"))
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return SparingHistory(str(path))


class Words(Completer):
    """Completion by the daemon."""

    def __init__(self, conversation: "Conversation") -> None:
        self._conversation = conversation

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002 - asked below
        """Nothing: the daemon must be waited for."""
        yield from ()

    async def get_completions_async(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - Tab is the only one
    ) -> AsyncGenerator[Completion, None]:
        """The words that the daemon knows for the place of the cursor."""
        line = document.text_before_cursor
        begun = "" if not line or line[-1].isspace() else line.split()[-1]
        try:
            words = await self._conversation.daemon.complete(line)
        except ControlError:
            return
        for word in words:
            yield Completion(f"{word} ", start_position=-len(begun), display=word)


class Conversation:
    """One user at one terminal; the daemon may come back in between."""

    def __init__(self, path: str, session: PromptSession[str]) -> None:
        self._path = path
        self._lines = session
        self._lines.completer = Words(self)
        self._lines.key_bindings = self._keys()
        self._lines.complete_while_typing = False
        self._answers: PromptSession[str] = PromptSession(input=session.input, output=session.output)
        self.daemon: Daemon
        self._typing = False

    async def last(self) -> int:
        """Until the user leaves; the exit status. Raises :class:`ControlError` without a daemon."""
        self.daemon = await Daemon.open(self._path, self._log)
        print(self.daemon.banner, end="", flush=True)
        try:
            while await self._turn():
                pass
        finally:
            await self.daemon.close()
        return 0

    async def _turn(self) -> bool:
        """A line; False when the user left."""
        try:
            line = await self._line()
            if line is not None:
                return not (await self._run(line)).closed
        except EOFError:
            return False
        except LostError:
            await self._find_again()
        except ControlError as error:
            print(f"% {error}")
        return True

    async def _line(self) -> str | None:
        """What the user types; None if it was dropped. Raises LostError if the daemon goes meanwhile."""

        def leave(lost: "asyncio.Future[ControlError]") -> None:
            if self._typing and self._lines.app.is_running:
                self._lines.app.exit(exception=lost.result())

        self.daemon.lost.add_done_callback(leave)
        self._typing = True
        try:
            return await self._lines.prompt_async(self.daemon.prompt)
        except KeyboardInterrupt:
            return None
        finally:
            self._typing = False
            self.daemon.lost.remove_done_callback(leave)

    async def _run(self, line: str) -> End:
        """Run a line and print its output, by pages."""
        length = self.daemon.length
        rows = self._lines.output.get_size().rows
        pager = Pager(rows if length == IOS_LENGTH else length)
        target = Target(sys.stdout)
        with self._interruptible():
            async for said in self.daemon.run(line):
                match said:
                    case str():
                        await self._print(said, pager, target)
                    case Question():
                        await self._question(said)
                    case Redirect():
                        self._redirect(said, target)
                    case End():
                        target.close()
                        return said
        raise LostError

    async def _print(self, text: str, pager: Pager, target: Target) -> None:
        if not target.shown:
            target.write(text)
            return
        pager.feed(text)
        target.write(pager.take())
        while pager.waits:
            sys.stdout.flush()
            if not await self._more(pager):
                pager.stop()
                self.daemon.interrupt()
            target.write(pager.take())
        sys.stdout.flush()

    def _redirect(self, said: Redirect, target: Target) -> None:
        try:
            target.redirect(said)
        except ControlError as error:
            print(f"% {error}")
            self.daemon.interrupt()

    async def _question(self, question: Question) -> None:
        try:
            answer = await self._answers.prompt_async(question.text, is_password=not question.echo)
        except (KeyboardInterrupt, EOFError):
            self.daemon.interrupt()
        else:
            self.daemon.answer(answer)

    # --More--

    async def _more(self, pager: Pager) -> bool:
        """Ask how to go on; False: not at all."""
        print(MORE, end="", flush=True)
        key = await _key(self._lines.app.input)
        print(ERASE, end="", flush=True)
        if key == " ":
            pager.go_on()
        elif key in (Keys.ControlM, Keys.ControlJ):
            pager.go_on(1)
        elif key == "/":
            if not pager.search(await self._expression()):
                return True
            print("filtering...")
        else:
            return False
        return True

    async def _expression(self) -> str:
        """A regular expression, typed after ``/``."""
        try:
            return await self._answers.prompt_async("/")
        except (KeyboardInterrupt, EOFError):
            return ""

    # Keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("?")
        async def _(event: KeyPressEvent) -> None:
            line = event.current_buffer.document.text_before_cursor
            try:
                text = await self.daemon.help(line)
            except ControlError:
                return
            await run_in_terminal(lambda: print(f"{self.daemon.prompt}{line}?\n{text}", end=""))

        @keys.add("c-v", Keys.Any)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text(event.key_sequence[-1].data)

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            if "(" in self.daemon.prompt:
                event.app.exit(result="end")

        return keys

    # What happens beside

    def _log(self, text: str) -> None:
        """A line of the log: above the line that is being typed."""
        if self._typing and self._lines.app.is_running:
            self._lines.app.create_background_task(_above(text))
        else:
            print(text, end="", flush=True)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C asks the daemon to end the command, whose answer then ends it here."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self.daemon.interrupt)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _find_again(self) -> None:
        """The daemon has gone: wait for the next. Raises :class:`ControlError` when none comes."""
        print("% Connection to the router lost; reconnecting ... (Ctrl-C gives up)", flush=True)
        await self.daemon.close()
        last = ControlError("the router did not come back")
        for pause in TRIES:
            await asyncio.sleep(pause)
            try:
                self.daemon = await Daemon.open(self._path, self._log)
            except ControlError as error:
                last = error
            else:
                print("% Connected again", flush=True)
                return
        raise SystemExit(f"snat-cli: {last}")


async def _above(text: str) -> None:
    await run_in_terminal(lambda: print(text, end=""))


async def _key(source: Input) -> Any:
    """The next key that is pressed."""
    pressed: asyncio.Future[KeyPress] = asyncio.get_running_loop().create_future()

    def ready() -> None:
        presses = source.read_keys()
        if presses and not pressed.done():
            pressed.set_result(presses.pop(0))
        store_typeahead(source, presses)  # what was typed ahead belongs to the next line

    ahead = get_typeahead(source)
    if ahead:
        store_typeahead(source, ahead[1:])
        return ahead[0].key
    with source.raw_mode(), source.attach(ready):
        return (await pressed).key
