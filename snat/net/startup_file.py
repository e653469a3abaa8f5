"""The start-up file: that of ``--config``. It is replaced whole or not at all, and the previous one is kept.

What others do to it is noticed by its content: the daemon remembers a digest of what it last read or wrote.
Writing is done by a thread, since a disk may take seconds, in which neighbors would be kept waiting.
"""

import stat
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cli.configuration_file import MAX_FILE, decoded, read_bounded
from snat.config.model import Configuration
from snat.device.refused import CommandRefused
from snat.net.files import sync_directory, write_durably
from snat.net.log import MESSAGES
from snat.net.snapshot_file import InThread
from snat.status import Change, Clock, StartupText

PREVIOUS: Final = ".previous"
"""Follows the name of the file, in that of the one before it."""
_MODE: Final = 0o600
"""Of a file that was not there: it has hashes of secrets in it."""


def at_once(work: Callable[[], None]) -> "Deferred[None]":
    """Do it in this thread."""
    return maybeDeferred(work)


@dataclass(slots=True)
class Storing:
    """Satisfies :class:`cli.router.Storing`."""

    done: bool = False
    refusal: str = ""


class StartupFile:
    """Satisfies :class:`cli.router.Startup`. Without a path nothing can be stored."""

    log = Logger(namespace="snat", observer=MESSAGES)

    def __init__(
        self,
        path: Path | None,
        clock: Callable[[], Clock] = lambda: Clock(seconds=0.0),
        in_thread: InThread = at_once,
    ) -> None:
        self._path = None if path is None else path.absolute().resolve()
        self._clock = clock
        self._in_thread = in_thread
        self._digest: bytes | None = None
        """Of what the file had in it when it was last read or written; None: there was no file."""
        self._stored: Configuration | None = None
        self._busy = False
        self.last_change: Change | None = None

    def changed(self, user: str) -> None:
        """A user changed the running configuration; see :class:`cli.router.Startup`."""
        self.last_change = Change(at=self._clock(), user=user)

    def is_stored(self, configuration: Configuration) -> bool:
        """Whether it was read, or stored, last."""
        return configuration == self._stored

    def began(self, text: str | None, configuration: Configuration | None) -> None:
        """What the file had in it when the daemon began, and what it meant; None: it was not all in order."""
        self._digest = None if text is None else _digest(text.encode())
        self._stored = configuration

    def read(self) -> StartupText | None:
        """What the file says now; None: there is none, or it is empty. Raises CommandRefused."""
        data = self._data()
        if not data:
            return None
        try:
            text = decoded(data)
        except ValueError as error:
            raise CommandRefused(f"{self._path}: {error}") from None
        return StartupText(path=str(self._path), text=text, capacity=MAX_FILE)

    def conflict(self) -> str:
        """What somebody else did to the file. Raises CommandRefused."""
        data = self._data()
        if data is None or _digest(data) == self._digest:
            return ""
        did = "made" if self._digest is None else "changed"
        return f"{self._path} was {did} by another since the daemon read it"

    def store(self, text: str, configuration: Configuration) -> Storing:
        """Replace the file; see :class:`cli.router.Startup`."""
        data = text.encode()
        if len(data) > MAX_FILE:
            return Storing(done=True, refusal=f"the configuration has more than {MAX_FILE} bytes")

        def stored() -> None:
            self._digest, self._stored = _digest(data), configuration

        return self._begin(lambda path: _replace(path, data), stored)

    def erase(self) -> Storing:
        """Remove the file; see :class:`cli.router.Startup`."""

        def erased() -> None:
            self._digest = self._stored = None

        return self._begin(_set_aside, erased)

    def _begin(self, work: Callable[[Path], None], then: Callable[[], None]) -> Storing:
        if self._path is None:
            return Storing(
                done=True, refusal="this router has no start-up file: it was begun without --config"
            )
        if self._busy:
            return Storing(done=True, refusal=f"{self._path} is being written; try again")
        path, storing, self._busy = self._path, Storing(), True

        def succeeded(_: None) -> None:
            then()

        def failed(failure: Failure) -> None:
            error = failure.value
            if not isinstance(error, OSError):
                text = "{path} could not be written"
                self.log.failure(text, failure, path=str(path), mnemonic="SYS-3-STARTUP")
            storing.refusal = f"{path}: {getattr(error, 'strerror', None) or error}; nothing was stored"

        def over(_: object) -> None:
            self._busy, storing.done = False, True

        self._in_thread(lambda: work(path)).addCallbacks(succeeded, failed).addCallback(over)
        return storing

    def _data(self) -> bytes | None:
        """What is in the file; None: there is none. Raises CommandRefused."""
        if self._path is None:
            return None
        try:
            return read_bounded(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CommandRefused(f"{self._path}: {error.strerror}") from error
        except ValueError as error:
            raise CommandRefused(f"{self._path}: {error}") from error


def _replace(path: Path, data: bytes) -> None:
    """Raises OSError, and then the file is as it was."""
    mode = _keep_previous(path)
    write_durably(path, data, mode=mode)


def _set_aside(path: Path) -> None:
    if path.exists():
        _keep_previous(path)
        path.unlink()
        sync_directory(path.parent)


def _keep_previous(path: Path) -> int:
    """Copy the file, if there is one, to where the previous one is; its mode."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
    except FileNotFoundError:
        return _MODE
    if data:
        write_durably(path.with_name(path.name + PREVIOUS), data, mode=mode)
    return mode


def _digest(data: bytes) -> bytes:
    return sha256(data).digest()
