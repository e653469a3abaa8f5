"""``reload``: the daemon ends in order and begins anew, in the same process, from its own command line.

The process stays, so that systemd, and whoever else waits for it, notices nothing. Everything is let go
first: services are stopped, and all descriptors are closed by the exec.
"""

import os
import sys
from collections.abc import Callable, MutableMapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from snat.device.refused import CommandRefused
from snat.net.log import MESSAGES
from snat.status import Clock, PendingReload

REASON: Final = "Reload Command"
_VARIABLE: Final = "SNAT_RELOAD_REASON"
"""Tells the next program, in its environment, why it began."""
_SOON: Final = 0.1
"""Seconds between the answer to ``reload`` and the end: the answer should arrive."""

Note = Callable[[str, str], None]


class Reloads:
    """Satisfies :class:`cli.router.Reloads`. ``stop`` ends the daemon, and then :attr:`due` is True."""

    def __init__(
        self,
        reactor: IReactorTime,
        clock: Callable[[float], Clock],
        note: Note,
        stop: Callable[[], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._note = note
        self._stop = stop
        self._call: IDelayedCall | None = None
        self._by = "", 0
        self.due = False
        """Whether the daemon ends to begin anew."""

    def schedule(self, seconds: float, user: str, line: int) -> None:
        """Restart after so many seconds; see :class:`cli.router.Reloads`."""
        if self._stop is None or not sys.executable:
            raise CommandRefused("this daemon cannot begin itself anew; restart it from outside")
        self.cancel()
        self._by = user, line
        who = f"{user or 'unknown'} on vty{line}"
        if seconds:
            self._note("SYS-5-SCHEDULED_RELOAD", f"Reload requested by {who} in {seconds:.0f} seconds")
        self._call = self._reactor.callLater(max(seconds, _SOON), self._restart, who)

    def cancel(self) -> bool:
        """Forget what was ordered."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        return call is not None

    def pending(self) -> PendingReload | None:
        """What was ordered."""
        if self._call is None:
            return None
        left = max(0.0, self._call.getTime() - self._reactor.seconds())
        user, line = self._by
        return PendingReload(at=self._clock(left), seconds_left=left, user=user, line=line)

    def _restart(self, who: str) -> None:
        assert self._stop is not None
        self._call = None
        self.due = True
        self._note("SYS-5-RELOAD", f"Reload requested by {who}. Reload Reason: {REASON}.")
        self._stop()


class Program:
    """How this program was begun: its command line, and where."""

    log = Logger(namespace="snat", observer=MESSAGES)

    def __init__(self, pidfile: str = "") -> None:
        """To be made before twistd leaves the directory that it was begun in."""
        self._directory = Path.cwd()
        self._arguments = tuple(sys.orig_argv)
        self._pidfile = pidfile

    def begin_anew(
        self,
        execute: Callable[[str, tuple[str, ...]], object] = os.execv,
        environment: MutableMapping[str, str] = os.environ,
    ) -> None:
        """Become the same program again. Returns only if that cannot be done, which is logged."""
        environment[_VARIABLE] = REASON
        try:
            if self._pidfile:  # written by twistd where it is now; it would keep the next one from running
                _remove(Path(self._pidfile))
            os.chdir(self._directory)
            execute(sys.executable, self._arguments)
        except OSError as error:
            text = "cannot begin anew: {reason}; start the daemon again"
            self.log.error(text, reason=str(error), mnemonic="SYS-2-RELOAD")


def _remove(pidfile: Path) -> None:
    """If it is ours. Raises OSError."""
    try:
        number = pidfile.read_text()
    except (FileNotFoundError, ValueError):
        return
    if number.strip() == str(os.getpid()):
        pidfile.unlink()


def pidfile_of(arguments: Sequence[str]) -> str:
    """Where twistd, begun with these arguments, writes its process ID; empty: nowhere."""
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        name, equals, value = argument.partition("=")
        if len(name) > 3 and "--pidfile".startswith(name):  # getopt takes what is unique
            return value if equals else following
        if argument == "snat":
            break
    return "twistd.pid"


def reason_of_this_start(environment: MutableMapping[str, str] = os.environ) -> str:
    """Why this program began, told by the one before it; empty: it was begun from outside."""
    return environment.pop(_VARIABLE, "")
