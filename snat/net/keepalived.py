"""VRRP by keepalived: its notify FIFO says who is master, our track file says whether we may be.

keepalived.conf(5): with ``vrrp_notify_fifo PATH`` it writes ``INSTANCE "NAME" STATE PRIORITY`` for each
change of an instance, in order, into a pipe; unlike notify scripts, which race each other. A
``vrrp_track_file`` is read again whenever it changes: at -254 or below the instance is in FAULT, never
master; above that, it is added to the priority. So an unsynchronised router does not become one, one that
stops says so before it ends, and one that nobody ever proved its table to gets only a role that is free.
"""

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from snat.config.stateful import Keepalived
from snat.net.files import write_durably
from snat.net.log import MESSAGES
from snat.net.refused import KernelRefused

READY: Final = b"0\n"
"""What the track file says of a router that may be master: its priority is what keepalived.conf says."""
LAST: Final = b"-253\n"
"""Of one that may if nobody else is: its priority is 1."""
FAULT: Final = b"-254\n"
"""And of one that may not."""
MAX_LINE: Final = 1024
"""Bytes; keepalived's names are shorter."""
_READ: Final = 4096
_LINE: Final = re.compile(rb'INSTANCE "([^"]*)" (MASTER|BACKUP|FAULT|STOP|DELETED)(?: |$)')
"""Other words, such as MASTER_RX_LOWER_PRI, are no states."""
_MASTER: Final = b"MASTER"


@implementer(IReadDescriptor)
class KeepalivedInstance:
    """One VRRP instance, as the IP redundancy module of a group."""

    log = Logger(observer=MESSAGES)

    def __init__(self, keepalived: Keepalived, reactor: IReactorFDSet, told: Callable[[bool], None]) -> None:
        """``told`` gets whether the instance is master, whenever keepalived says it."""
        self._instance = keepalived.instance.encode()
        self._fifo, self._track = Path(keepalived.fifo), Path(keepalived.track_file)
        self._reactor = reactor
        self._told = told
        self._fd = -1
        self._waiting = b""
        self._written: bytes | None = None

    def start(self) -> None:
        """Open the FIFO, made if it is not there, and hold the priority down. Raises KernelRefused."""
        self._write(FAULT)
        try:
            if not self._fifo.exists():
                os.mkfifo(self._fifo, 0o600)
            if not stat.S_ISFIFO(self._fifo.stat().st_mode):
                remedy = "remove it, or name another path, here and as vrrp_notify_fifo"
                raise KernelRefused("this is no FIFO", where=str(self._fifo), remedy=remedy)
            # For writing too, so that no end of file comes whenever keepalived restarts.
            self._fd = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _refused(self._fifo, error) from error
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Hold the priority down, so that another becomes master, and listen no more."""
        if self._fd >= 0:
            self._reactor.removeReader(self)
            os.close(self._fd)
            self._fd = -1
            self._write(FAULT)

    def ready(self, ready: bool, *, proved: bool = True) -> None:
        """Whether this router may be master, and its table is proved, so that it may be instead of another.

        Raises KernelRefused if that cannot be written.
        """
        allowed = READY if proved else LAST
        self._write(allowed if ready else FAULT)

    # IReadDescriptor

    def fileno(self) -> int:
        """The FIFO."""
        return self._fd

    def logPrefix(self) -> str:
        """For the log."""
        return "keepalived"

    def doRead(self) -> None:
        """Take what keepalived wrote; of several changes the last one counts."""
        try:
            data = os.read(self._fd, _READ)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return
            raise
        *lines, self._waiting = (self._waiting + data).split(b"\n")
        if len(self._waiting) > MAX_LINE:
            self._waiting = b""
        said = [state for line in lines if (state := self._state(line)) is not None]
        if said:
            master = said[-1] == _MASTER
            self.log.info(
                "VRRP instance {instance}: {state}",
                instance=self._instance.decode(),
                state=said[-1].decode(),
                mnemonic="VRRP-5-STATECHANGE",
            )
            self._told(master)

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002 - the reactor's shape
        """The reactor ends, or the FIFO failed."""
        self.stop()

    # Inside

    def _state(self, line: bytes) -> bytes | None:
        found = _LINE.match(line)
        return found[2] if found is not None and found[1] == self._instance else None

    def _write(self, value: bytes) -> None:
        if value == self._written:
            return
        try:
            write_durably(self._track, value, mode=0o644)
        except OSError as error:
            raise _refused(self._track, error) from error
        self._written = value


def _refused(path: Path, error: OSError) -> KernelRefused:
    what: Any = error.strerror or str(error)
    return KernelRefused(
        str(what), where=str(path), remedy="give a path in a directory that exists and that snat may write to"
    )
