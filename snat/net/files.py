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
            text = path.read_text()
        except FileNotFoundError:
            self.state.incarnation = 1
            return
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}; give another --state-dir") from error
        try:
            self.state = _decode(text)
        except (ValueError, KeyError, TypeError) as error:
            aside = path.with_suffix(".damaged")
            path.replace(aside)
            self.log.error(
                "{path} is damaged ({error}); set aside as {aside}, terms begin anew",
                path=str(path),
                error=str(error),
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


def _decode(text: str) -> State:
    said = json.loads(text)
    terms = {Feed(int(a), int(b)): Term(int(c), int(d)) for a, b, c, d in said["terms"]}
    return State((int(said["incarnation"]) + 1) % _INCARNATIONS, terms)
