"""Lines typed on a terminal that can do nothing (TERM=dumb), or into a pipe: plain bytes, no escape codes.

Keys are echoed, and taken back with backspaces, as on a console of IOS. There is no history.
"""

import sys
from collections.abc import Callable
from itertools import takewhile

from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from cli.terminal.daemon import Daemon
from cli.terminal.editor import in_configuration
from cli.terminal.frames import ControlError
from cli.terminal.keyboard import ENTER, Keyboard


class PlainEditor:
    """Satisfies :class:`cli.terminal.line.LineReader`."""

    def __init__(self, keyboard: Keyboard, daemon: Callable[[], Daemon]) -> None:
        self._keyboard = keyboard
        self._daemon = daemon
        self._prompt = ""
        self.typed = ""
        """What has been typed of it so far."""
        self._echo = True
        self._helped = True
        """Whether this is a command, which the daemon helps with."""
        self.typing = False
        """Whether a line or an answer is being typed."""
        self._left: BaseException | None = None

    async def line(self, prompt: str) -> str:
        """A command."""
        return await self._typed(prompt, echo=True, helped=True)

    async def answer(self, question: str, *, echo: bool) -> str:
        """An answer."""
        return await self._typed(question, echo=echo, helped=False)

    def above(self, text: str) -> None:
        """Whole lines; what was typed is shown again below them."""
        _write(f"\n{text}" if self.typing else text)
        if self.typing:
            self._again()

    def leave(self, error: BaseException) -> None:
        """End what is typed."""
        if self.typing:
            self._left = error
            self._keyboard.leave(error)

    def drop(self) -> None:
        """There is nothing to forget: what is pasted here is typed."""

    async def _typed(self, prompt: str, *, echo: bool, helped: bool) -> str:
        self._prompt, self.typed, self.typing = prompt, "", True
        self._echo, self._helped = echo, helped
        _write(prompt)
        try:
            with self._keyboard.listening():
                return await self._until_enter()
        finally:
            self.typing, self._left = False, None
            _write("\n")

    async def _until_enter(self) -> str:
        while True:
            if self._left is not None:
                raise self._left
            pressed = await self._keyboard.key()
            if pressed.key in ENTER:
                return self.typed
            if pressed.key == Keys.ControlC:
                raise KeyboardInterrupt
            if pressed.key == Keys.ControlD and not self.typed:
                raise EOFError
            if pressed.key == Keys.ControlZ and self._helped and in_configuration(self._prompt):
                return "end"
            await self._press(pressed)

    async def _press(self, pressed: KeyPress) -> None:
        if pressed.key == Keys.ControlV:
            self._insert((await self._keyboard.key()).data)
        elif self._helped and pressed.key == "?":
            await self._help()
        elif self._helped and pressed.key == Keys.ControlI:
            await self._complete()
        else:
            self._edit(pressed)

    def _edit(self, pressed: KeyPress) -> None:
        match pressed.key:
            case Keys.ControlH:
                self._take_back(1)
            case Keys.ControlU:
                self._take_back(len(self.typed))
            case Keys.ControlW:
                words = self.typed.rstrip()
                self._take_back(len(self.typed) - (words.rfind(" ") + 1))
            case Keys.ControlR | Keys.ControlL:
                _write("\n")
                self._again()
            case str(key) if not isinstance(key, Keys):
                self._insert(pressed.data)

    def _insert(self, text: str) -> None:
        self.typed += text
        _write(text if self._echo else "")

    def _take_back(self, characters: int) -> None:
        characters = min(characters, len(self.typed))
        self.typed = self.typed[: len(self.typed) - characters]
        _write("\b \b" * characters if self._echo else "")

    def _again(self) -> None:
        _write(self._prompt + (self.typed if self._echo else ""))

    async def _help(self) -> None:
        try:
            text = await self._daemon().help(self.typed)
        except ControlError:
            return
        _write(f"?\n{text}")
        self._again()

    async def _complete(self) -> None:
        """What all candidates have in common, on a new row; the whole word if there is one."""
        begun = "" if not self.typed or self.typed[-1].isspace() else self.typed.split()[-1]
        try:
            words = await self._daemon().complete(self.typed)
        except ControlError:
            return
        common = f"{words[0]} " if len(words) == 1 else _common(words)
        if len(common) > len(begun):
            self.typed = self.typed[: len(self.typed) - len(begun)] + common
        _write("\n")
        self._again()


def _common(words: list[str]) -> str:
    """What all words begin with."""
    columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*words, strict=False))
    return "".join(letters[0] for letters in columns)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
