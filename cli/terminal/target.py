"""Where the text of a command goes: the terminal, a file of the user, or both."""

from pathlib import Path
from typing import TextIO

from cli.terminal.frames import Redirect


class TargetError(Exception):
    """The file cannot take the text. The text of the error is for the user."""


class Target:
    """The terminal, until a command says that its text belongs into a file (``| redirect FILE``)."""

    def __init__(self) -> None:
        self.shown = True
        """Whether text goes to the terminal."""
        self._file: TextIO | None = None

    def redirect(self, said: Redirect) -> None:
        """To a file from now on, with the user's own rights. Raises :class:`TargetError` if it cannot."""
        path = Path(said.path)
        try:
            path = path.expanduser()
            self._file = path.open("a" if said.append else "w", encoding="utf-8")
        except (OSError, RuntimeError, ValueError) as error:  # not writable, ~nobody, a zero byte
            raise _unwritable(str(path), error) from None
        self.shown = said.tee

    def store(self, text: str) -> None:
        """Text into the file, if there is one. Raises :class:`TargetError` when it cannot take it."""
        if self._file is not None:
            try:
                self._file.write(text)
            except OSError as error:
                raise _unwritable(self._file.name, error) from None

    def close(self) -> None:
        """The command has ended. Raises :class:`TargetError` when the file cannot take the rest."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                raise _unwritable(file.name, error) from None


def _unwritable(name: str, error: Exception) -> TargetError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return TargetError(f"{name}: {why}; give another file")
