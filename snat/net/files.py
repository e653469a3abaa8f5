"""The state directory: what must survive a restart for the next run to be safe.

``state.json`` holds the incarnation and the terms taken. It is replaced whole (temporary file, fsync,
rename, fsync of the directory) before either is used. ``lock`` keeps a second daemon out: two that count up
one incarnation would give two entries one identity. ``table.snapshot`` is :mod:`snat.net.snapshot_file`'s.
"""

import fcntl
import json
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from snat.nat.entry import INCARNATION_BITS
from snat.net.log import MESSAGES
from snat.wire.header import Feed, Term

_INCARNATIONS: Final = 1 << INCARNATION_BITS
_LONGEST_SIGNATURE: Final = 20
"""Bytes of the lock file that are read: a process ID."""


class StateError(Exception):
    """The state directory cannot be used. Its text says where, why, and what to do."""


@dataclass(slots=True)
class State:
    """What survives."""

    incarnation: int
    terms: dict[Feed, Term] = field(default_factory=dict)


class StateDirectory:
    """Reads and writes the state; without a directory nothing survives, and the incarnation is random."""

    log = Logger(observer=MESSAGES)

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._lock: int | None = None
        self.state = State(_random_incarnation())

    @property
    def snapshot(self) -> Path | None:
        """Where the table's snapshot is; None where nothing survives."""
        return None if self._directory is None else self._directory / "table.snapshot"

    def open(self) -> State:
        """Take the directory for this process, load the state and begin a new incarnation.

        The first one is random: a directory that was lost must not lead through the same incarnations again.
        Raises StateError if another daemon has the directory, or nothing can be stored in it.
        """
        if self._directory is not None:
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StateError(f"{self._directory}: {error.strerror}; give another --state-dir") from error
            self._lock = _locked(self._directory / "lock")
        try:
            self.sign()
            self._begin()
        except StateError:
            self.close()
            raise
        return self.state

    def sign(self) -> None:
        """Write into the lock who has it; to be called in the process that stays, for twistd forks."""
        if self._lock is not None:
            try:
                os.ftruncate(self._lock, 0)
                os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
            except OSError as error:
                raise StateError(f"{self._directory}/lock: {error.strerror}") from error

    def close(self) -> None:
        """Let another daemon have the directory, as the end of the process does, however it ends."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def renew_incarnation(self) -> int:
        """Another incarnation, at random, when ours was seen before; stored for good before it is returned.

        Raises StateError, and then the present one stays.
        """
        present = self.state.incarnation
        self.state.incarnation = (present + 1 + random.SystemRandom().randrange(_INCARNATIONS - 1)) % (
            _INCARNATIONS
        )
        try:
            self._store()
        except StateError:
            self.state.incarnation = present
            raise
        return self.state.incarnation

    def take_term(self, feed: Feed, term: Term) -> None:
        """Remember a term, for good, before it is announced. Raises StateError."""
        self.state.terms[feed] = term
        self._store()

    def _begin(self) -> None:
        if self._directory is not None:
            self._load(self._directory / "state.json")
        self._store()

    def _load(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}; give another --state-dir") from error
        try:
            self.state = _decode(data)
        except (ValueError, KeyError, TypeError) as error:
            self._set_aside(path, error)

    def _set_aside(self, path: Path, error: Exception) -> None:
        aside = path.with_suffix(".damaged")
        try:
            path.replace(aside)
        except OSError as refused:
            raise StateError(f"{path}: {refused.strerror}; give another --state-dir") from refused
        self.log.error(
            "{path} is damaged ({error}); set aside as {aside}, terms and incarnation begin anew",
            path=str(path),
            error=repr(error),
            aside=str(aside),
            mnemonic="SNAT-3-STATE",
        )

    def _store(self) -> None:
        if self._directory is None:
            return
        path = self._directory / "state.json"
        try:
            write_durably(path, _encode(self.state).encode())
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}; what is not stored is not used") from error


def write_durably(path: Path, *parts: bytes, mode: int | None = None) -> None:
    """Replace a file, whole or not at all, and only return once it is on the disk. Raises OSError.

    ``mode`` is that of the new file, before anything is in it; None: what the process gives to any file.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)  # on a full disk, half a file keeps others from being written
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Only return once what was renamed or removed in a directory is so on the disk. Raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _random_incarnation() -> int:
    return random.SystemRandom().randrange(_INCARNATIONS)


def _locked(path: Path) -> int:
    """A descriptor that holds the lock; the kernel releases it when the process ends, however it does."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}; give another --state-dir") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, _LONGEST_SIGNATURE, 0).decode("ascii", "replace").strip()
        os.close(lock)
        if not isinstance(error, BlockingIOError):
            raise StateError(f"{path}: {error.strerror}; give another --state-dir") from error
        who = f"process {holder}" if holder.isdecimal() else "it has not said which process it is"
        raise StateError(
            f"{path.parent}: another snat daemon uses it ({who}); stop that one or give another --state-dir"
        ) from error
    return lock


def _encode(state: State) -> str:
    terms = [[*feed, *term] for feed, term in state.terms.items()]
    return json.dumps({"incarnation": state.incarnation, "terms": terms})


def _decode(data: bytes) -> State:
    said = json.loads(data)
    terms = {
        Feed(*map(_number, (process, mapping))): Term(*map(_number, (number, nat_id)))
        for process, mapping, number, nat_id in said["terms"]
    }
    return State((_number(said["incarnation"]) + 1) % _INCARNATIONS, terms)


def _number(value: object) -> int:
    """A number that fits its 32 bits on the wire."""
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ValueError(f"{value!r} is not a number of 32 bits")
    return value
