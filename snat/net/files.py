"""The state directory: what must survive a restart for the next run to be safe.

``state.json`` holds the incarnation and the terms taken. It is replaced whole (temporary file, fsync,
rename, fsync of the directory) before either is used.
"""

import json
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from snat.nat.entry import INCARNATION_BITS
from snat.wire.header import Feed, Term

_INCARNATIONS: Final = 1 << INCARNATION_BITS


class StateError(Exception):
    """The state directory cannot be used. Its text says where, why, and what to do."""


@dataclass(slots=True)
class State:
    """What survives."""

    incarnation: int
    terms: dict[Feed, Term] = field(default_factory=dict)


class StateDirectory:
    """Reads and writes the state; without a directory nothing survives, and the incarnation is random."""

    log = Logger()

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.state = State(random.SystemRandom().randrange(_INCARNATIONS))

    def open(self) -> State:
        """Load the state and begin a new incarnation. Raises StateError if it cannot be stored."""
        if self._directory is not None:
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StateError(f"{self._directory}: {error.strerror}; give another --state-dir") from error
            self._load(self._directory / "state.json")
        self._store()
        return self.state

    def take_term(self, feed: Feed, term: Term) -> None:
        """Remember a term, for good, before it is announced. Raises StateError."""
        self.state.terms[feed] = term
        self._store()

    def _load(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            self.state.incarnation = 1
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
            "{path} is damaged ({error}); set aside as {aside}, terms begin anew",
            path=str(path),
            error=repr(error),
            aside=str(aside),
        )

    def _store(self) -> None:
        if self._directory is None:
            return
        path = self._directory / "state.json"
        try:
            write_durably(path, _encode(self.state).encode())
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}; a term that is not stored is not taken") from error


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file, whole or not at all, and only return once it is on the disk."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


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
