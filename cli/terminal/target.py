"""Where the text of a command goes: the terminal, a file of the user, or both."""

from contextlib import suppress
from pathlib import Path
from typing import TextIO

from cli.terminal.frames import ControlError, Redirect


class Target:
    """The terminal, until a command says that its text belongs into a file (``| redirect FILE``)."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal: TextIO | None = terminal
        self._file: TextIO | None = None

    @property
    def shown(self) -> bool:
        """Whether text goes to the terminal."""
        return self._terminal is not None

    def redirect(self, said: Redirect) -> None:
        """To a file from now on, with the user's own rights. Raises :class:`ControlError` if it cannot."""
        path = Path(said.path).expanduser()
        try:
            self._file = path.open("a" if said.append else "w")
        except OSError as error:
            raise ControlError(f"{path}: {error.strerror or error}; give another file") from None
        if not said.tee:
            self._terminal = None

    def write(self, text: str) -> None:
        """Text, where it belongs. Raises :class:`ControlError` when the file cannot take it."""
        if self._terminal is not None:
            self._terminal.write(text)
        if self._file is not None:
            try:
                self._file.write(text)
            except OSError as error:
                raise ControlError(f"{self._file.name}: {error.strerror or error}") from None

    def close(self) -> None:
        """The command has ended. Raises :class:`ControlError` when the file cannot take the rest."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            with suppress(OSError):
                file.close()
            raise ControlError(f"{file.name}: {error.strerror or error}") from None
