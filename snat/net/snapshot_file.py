"""The file of the table's snapshot: written every minute and at the end, read at the start.

Packets never wait for it: the table is walked a slice at a time with pauses between, and what was made of
it goes to the disk in a thread. Whatever is wrong with the file, the router starts without it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from snat.device.device import Device
from snat.device.snapshot import MAXIMUM_BYTES, Snapshot, SnapshotDamagedError, SnapshotEncoder, decode
from snat.net.files import write_durably
from snat.net.log import MESSAGES, RepeatingLog

SNAPSHOT_INTERVAL: Final = 60.0
"""Seconds from the end of one snapshot to the beginning of the next."""
SLICE: Final = 1000
"""Entries looked at before packets get their turn: about 1.5 ms."""
PAUSE: Final = 0.01
"""Seconds between slices: a large table takes a tenth of a processor for some seconds, not all of it."""
STOP_TIME: Final = 10.0
"""Seconds of walking after which a router that stops leaves it at the last snapshot."""

InThread = Callable[[Callable[[], None]], "Deferred[None]"]
"""Runs what takes long beside the reactor, such as ``deferToThreadPool``."""

_log = Logger(namespace="snat", observer=MESSAGES)


def load(path: Path, date: int) -> Snapshot | None:
    """The snapshot as of ``date``, in Unix seconds; None if none is of use; the log says why."""
    try:
        snapshot = decode(_read(path))
    except FileNotFoundError:
        return None
    except (OSError, SnapshotDamagedError) as error:
        _set_aside(path, str(error))
        return None
    if snapshot.date > date:
        _log.warn(
            "{path} is {seconds} s from the future, if the clock is right: taken as of now",
            path=str(path),
            seconds=snapshot.date - date,
            mnemonic="SNAT-4-SNAPSHOT",
        )
    return snapshot.aged(date)


class SnapshotWriter:
    """Keeps the file up to date; listens to the table."""

    def __init__(
        self,
        device: Device,
        path: Path,
        clock: IReactorTime,
        refusals: RepeatingLog,
        *,
        interval: float,
        wall: Callable[[], float],
        in_thread: InThread,
    ) -> None:
        """``wall`` is the wall clock, in Unix seconds."""
        self._device = device
        self._path = path
        self._clock = clock
        self._refusals = refusals
        self._interval = interval
        self._wall = wall
        self._in_thread = in_thread
        self._unsaved = False
        self._next: Any = None
        """The next slice, or the next snapshot."""
        self._writing: Deferred[None] | None = None
        self._running = False
        device.table.listen(self)

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:  # noqa: ARG002  Listener's shape
        """The table is not as it was saved."""
        self._unsaved = True

    def start(self) -> None:
        """Save the table from time to time."""
        self._running = True
        self._later()

    def stop(self) -> "Deferred[None]":
        """Save it a last time, once goodbyes have left, and no more."""
        self._running = False
        if self._next is not None:
            self._next.cancel()
            self._next = None
        ended = self._writing or succeed(None)
        return ended.addCallback(self._last)

    @property
    def _wanted(self) -> bool:
        """Entries that have not changed are saved too: what remains of their time has."""
        return self._unsaved or len(self._device.table) > 0

    def _later(self) -> None:
        if self._running:
            self._next = self._clock.callLater(self._interval, self._begin)

    def _begin(self) -> None:
        self._next = None
        if self._wanted:
            self._slice(self._encoder())
        else:
            self._later()

    def _encoder(self) -> SnapshotEncoder:
        self._unsaved = False
        device = self._device
        return SnapshotEncoder(
            device.table,
            device.positions(),
            device.translator.flows.remaining,
            date=int(self._wall()),
            now=self._clock.seconds(),
        )

    def _slice(self, encoder: SnapshotEncoder) -> None:
        self._next = None
        more = encoder.step(SLICE)
        if encoder.size > MAXIMUM_BYTES:
            self._refused(f"more than {MAXIMUM_BYTES} bytes")
            self._later()
        elif more:
            self._next = self._clock.callLater(PAUSE, self._slice, encoder)
        else:
            self._writing = self._in_thread(lambda: write_durably(self._path, *encoder.parts()))
            self._writing.addErrback(self._failed).addCallback(self._written)

    def _failed(self, failure: Failure) -> None:
        failure.trap(OSError)
        self._refused(failure.getErrorMessage())

    def _written(self, _: None) -> None:
        self._writing = None
        self._later()

    def _refused(self, reason: str) -> None:
        self._unsaved = True
        self._refusals.say(
            "{path}: not written ({reason}); the last one stays",
            path=str(self._path),
            reason=reason,
            mnemonic="SNAT-4-SNAPSHOT",
        )

    def _last(self, _: None) -> "Deferred[None] | None":
        self._device.table.unlisten(self)
        return deferLater(self._clock, 0, self._write_at_once) if self._wanted else None

    def _write_at_once(self) -> None:
        encoder, begin = self._encoder(), self._clock.seconds()
        while encoder.step(SLICE):
            if encoder.size > MAXIMUM_BYTES or self._clock.seconds() - begin > STOP_TIME:
                self._refused("no time is left for so large a table")
                return
        try:
            write_durably(self._path, *encoder.parts())
        except OSError as error:
            self._refused(str(error))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAXIMUM_BYTES:
            raise SnapshotDamagedError(f"{size} bytes; at most {MAXIMUM_BYTES}")
        return file.read(size)


def _set_aside(path: Path, reason: str) -> None:
    aside = path.with_name(path.name + ".damaged")
    try:
        path.replace(aside)
        what = f"set aside as {aside}"
    except OSError as error:
        what = f"it cannot be set aside: {error.strerror}"
    _log.error(
        "{path} is damaged ({reason}); {what}, the table begins empty",
        path=str(path),
        reason=reason,
        what=what,
        mnemonic="SNAT-3-SNAPSHOT",
    )
