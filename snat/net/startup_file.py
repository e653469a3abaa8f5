"""The start-up file: the text of the configuration that a router begins with (``--config``).

It is replaced whole (temporary file, fsync, rename, fsync of the directory), keeps its mode, and the previous
text stays beside it as ``FILE.previous``.
"""

import os
import stat
from pathlib import Path
from typing import Final

from snat.device.refused import CommandRefused
from snat.net.files import write_durably

MAXIMUM: Final = 16 << 20
"""Bytes that are read; one line is about 50."""
_MODE: Final = 0o640
"""Of a new file: it may hold keys of HSRP groups, and hashes of secrets."""


class StartupFile:
    """One file. It may not be there yet, as on a router out of its box."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: bytes | None = None
        """What it held when we last read or wrote it; None: it was not there."""

    def read(self) -> str | None:
        """Its text; None if there is none. Raises OSError, and ValueError for what is no text."""
        self._known = self._data()
        return None if self._known is None else _text(self._known)

    def look(self) -> str | None:
        """As :meth:`read`, without taking note of it: what a user looks at is not what is in force."""
        data = self._data()
        return None if data is None else _text(data)

    @property
    def changed(self) -> bool:
        """Whether somebody else wrote the file since we last read or wrote it. Raises OSError."""
        return self._data() != self._known

    @property
    def free(self) -> int:
        """Bytes that the disk has left for it."""
        room = os.statvfs(self.path.parent)
        return room.f_bavail * room.f_frsize

    def save(self, text: str) -> None:
        """Replace the text. Raises CommandRefused, and then the old one is still there."""
        try:
            before = self._data()
            if before is not None:
                self._replace(self.path.with_name(f"{self.path.name}.previous"), before)
            self._replace(self.path, text.encode())
        except (OSError, ValueError) as error:
            raise CommandRefused(f"{self.path} is not written ({error}), and holds what it held") from None
        self._known = text.encode()

    def erase(self) -> None:
        """Remove it; the text stays as the previous one. Raises CommandRefused."""
        try:
            self.path.replace(self.path.with_name(f"{self.path.name}.previous"))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise CommandRefused(f"{self.path} is not removed: {error.strerror}") from None
        self._known = None

    def _data(self) -> bytes | None:
        try:
            with self.path.open("rb") as stream:
                data = stream.read(MAXIMUM + 1)
        except FileNotFoundError:
            return None
        if len(data) > MAXIMUM:
            raise ValueError(f"longer than {MAXIMUM} bytes")
        return data

    def _replace(self, path: Path, data: bytes) -> None:
        mode = stat.S_IMODE(self.path.stat().st_mode) if self.path.exists() else _MODE
        write_durably(path, data, mode=mode)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8 text") from None
