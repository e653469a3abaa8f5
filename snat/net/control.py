"""The control socket: where the shell listens; :mod:`snat.net.control_session` has the protocol."""

import socket
import stat
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorTime, IReactorUNIX
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from snat.config.system import HIGHEST_LINE
from snat.net.control_session import ControlledShell, ControlSession
from snat.net.log import MESSAGES
from snat.net.visitor import Visitor
from snat.status import User

MAX_SESSIONS = HIGHEST_LINE + 1
"""Users at once."""
SOCKET_MODE = 0o660


class ControlSocketError(Exception):
    """The control socket cannot be opened. The text says why and what to do."""


class ReactorUNIXTime(IReactorUNIX, IReactorTime):
    """A reactor that listens on UNIX sockets and has a clock."""


class ControlFactory(Factory):
    """Makes a session for each user, up to :data:`MAX_SESSIONS`."""

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        shells: Callable[[Visitor], ControlledShell],
        account: Callable[[Any], int] | None = None,
    ) -> None:
        self._clock = clock
        self._shells = shells
        self._account = account
        self.sessions: set[ControlSession] = set()
        """Users who are connected."""

    def buildProtocol(self, addr: IAddress | None) -> ControlSession | None:  # noqa: ARG002 - one socket
        """A session with a new shell; None, which closes the connection, when there are too many."""
        if len(self.sessions) >= MAX_SESSIONS:
            return None
        taken = {session.line for session in self.sessions}
        line = next(number for number in count() if number not in taken)
        session = ControlSession(self._clock, line, self._shells, self.sessions.discard, self._account)
        self.sessions.add(session)
        return session

    def log(self, line: str) -> int:
        """A line of the log, to the sessions that monitor; how many did not get it."""
        return sum(not session.log(line) for session in tuple(self.sessions))

    def users(self) -> tuple[User, ...]:
        """Who is connected, by line."""
        return tuple(session.seen() for session in sorted(self.sessions, key=lambda session: session.line))


class ControlSocket(Service):
    """The listening socket. Starting raises :class:`ControlSocketError` when it cannot be had."""

    log = Logger(observer=MESSAGES)

    def __init__(
        self, reactor: ReactorUNIXTime, path: Path, shells: Callable[[Visitor], ControlledShell]
    ) -> None:
        self._reactor = reactor
        self._path = path
        self._factory = ControlFactory(reactor, shells)
        self._port: IListeningPort | None = None
        self.users = self._factory.users
        self.log_line = self._factory.log

    def startService(self) -> None:
        """Listen, in the place of a socket that a killed daemon left."""
        make_way(self._path)
        try:
            self._port = self._reactor.listenUNIX(str(self._path), self._factory, mode=SOCKET_MODE)
        except OSError as error:
            raise ControlSocketError(f"{self._path}: {error}; give another path with --control") from error
        super().startService()
        self.log.info("control socket at {path}", path=str(self._path), mnemonic="SYS-6-CONTROL")

    def stopService(self) -> Deferred[None] | None:
        """Stop listening and hang up; the socket is removed."""
        super().stopService()
        for session in tuple(self._factory.sessions):
            session.hang_up()
        port, self._port = self._port, None
        return port.stopListening() if port else None


def make_way(path: Path) -> None:
    """Remove a stale socket. Raises :class:`ControlSocketError` if a daemon answers, or it is no socket."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ControlSocketError(f"{path.parent} is not a directory; make it first") from None
        return
    except OSError as error:
        raise ControlSocketError(f"{path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ControlSocketError(f"{path} exists and is not a socket; remove it or give another path")
    if _answers(path):
        raise ControlSocketError(f"{path}: another snat daemon answers there; stop it or give another path")
    path.unlink()


def _answers(path: Path) -> bool:
    """Whether somebody listens on a socket; one whose queue is full does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except ConnectionRefusedError:
            return False
        except OSError as error:
            raise ControlSocketError(f"{path}: {error.strerror}") from error
    return True
