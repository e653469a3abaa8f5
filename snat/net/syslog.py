"""The log of the router, as IOS has it: every message, dated, to each place that wants its level.

The places: the console, which is the log of the daemon itself (twistd's, and written as it always was); the
sessions that monitor; a buffer in memory, where the oldest goes first; hosts that collect messages.

What the router says is published by :data:`snat.net.log.MESSAGES`; while a :class:`SystemLog` is attached, it
stands between there and the daemon's log. What Twisted itself says goes to the daemon's log in any case.
"""

from collections import deque
from collections.abc import Callable
from itertools import count
from threading import get_ident
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime, IReactorUDP
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from snat.config.system import Level, Logging, Stamp
from snat.net.log import MESSAGES
from snat.net.message import Message, message_of, stamped
from snat.net.trap import SYSLOG_PORT, TrapHosts
from snat.status import Clock, LogStatus

_NUMBERS: Final = 1_000_000
"""Sequence numbers have six digits, and begin anew."""


class ReactorTimeUDP(IReactorTime, IReactorUDP, IReactorFromThreads):
    """A reactor with a clock, UDP and threads."""


@implementer(ILogObserver)
class SystemLog:
    """Satisfies :class:`cli.router.Log`."""

    def __init__(
        self, reactor: ReactorTimeUDP, clock: Callable[[], Clock], *, port: int = SYSLOG_PORT
    ) -> None:
        """``port`` is that of the hosts."""
        self.monitor: Callable[[str], int] = lambda _line: 0
        """Gives a line to the sessions that monitor; returns how many could not take it."""
        self._suppressed = 0
        self._reactor = reactor
        self._clock = clock
        self._began = reactor.seconds()
        self._settings = Logging()
        self._hostname = ""
        self._hosts = TrapHosts(reactor, port)
        self._buffer: deque[str] = deque()
        self._used = 0
        self._numbers = count(1)
        self._console = self._monitored = self._buffered = self._trapped = self._dropped = 0
        self._forwarded: LogEvent | None = None
        self._others: Any = self._foreign
        self._distributing = False
        self._thread = 0

    # The life of it

    def configure(self, settings: Logging, hostname: str) -> None:
        """Take what ``logging ...`` and ``service ...`` say."""
        self._settings, self._hostname = settings, hostname
        self._hosts.configure(settings.hosts)
        self._keep(settings.buffer_size)

    def attach(self) -> None:
        """Take all messages from now on; to be called in the thread of the reactor."""
        self._thread = get_ident()
        MESSAGES.removeObserver(globalLogPublisher)
        MESSAGES.addObserver(self)
        globalLogPublisher.addObserver(self._others)

    def detach(self) -> "Deferred[Any]":
        """Take none any more; they go to the daemon's log by themselves."""
        globalLogPublisher.removeObserver(self._others)
        MESSAGES.removeObserver(self)
        MESSAGES.addObserver(globalLogPublisher)
        return self._hosts.close()

    def count_suppressed(self, number: int) -> None:
        """Somebody did not even make so many messages, because there were too many."""
        self._suppressed += number

    # What operators see

    def status(self) -> LogStatus:
        """Where messages go, and how many went there."""
        return LogStatus(
            settings=self._settings,
            console=self._console,
            monitor=self._monitored,
            buffered=self._buffered,
            trap=self._trapped,
            dropped=self._dropped,
            rate_limited=self._suppressed,
            hosts=self._hosts.status(),
            lines=tuple(self._buffer),
        )

    def clear(self) -> None:
        """Empty the buffer."""
        self._buffer.clear()
        self._used = 0

    # Messages

    def __call__(self, event: LogEvent) -> None:
        """A message of the router."""
        if get_ident() != self._thread:
            self._reactor.callFromThread(self, event)
            return
        message = message_of(event)
        if message is None:
            return
        if _takes(self._settings.console, message.level):
            self._console += 1
            self._forwarded = event
            globalLogPublisher(event)
            self._forwarded = None
        self._distribute(message)

    def _foreign(self, event: LogEvent) -> None:
        """A message of somebody else, which the daemon's log has already."""
        if event is self._forwarded:
            return
        if get_ident() != self._thread:
            self._reactor.callFromThread(self._foreign, event)
            return
        message = message_of(event)
        if message is not None:
            self._console += 1
            self._distribute(message)

    def _distribute(self, message: Message) -> None:
        """To all places but the console; what is said on the way there (a socket is opened) is not."""
        if self._settings.on and not self._distributing:
            self._distributing = True
            try:
                self._send(message)
            finally:
                self._distributing = False

    def _send(self, message: Message) -> None:
        settings = self._settings
        now, level = self._clock(), message.level
        line = self._line(message, now)
        if _takes(settings.monitor, level):
            self._monitored += 1
            self._dropped += self.monitor(line)
        if _takes(settings.buffered, level):
            self._buffered += 1
            self._buffer.append(line)
            self._used += _size(line)
            self._keep(settings.buffer_size)
        if settings.hosts and _takes(settings.trap, level):
            self._trapped += 1
            self._dropped += self._hosts.send(message, settings.facility, self._hostname, now)

    def _line(self, message: Message, now: Clock) -> str:
        number = f"{next(self._numbers) % _NUMBERS:06}: " if self._settings.sequence_numbers else ""
        return f"{number}{stamped(self._stamp(message), now, self._uptime())}{message.body}"

    def _stamp(self, message: Message) -> Stamp | None:
        return self._settings.log_stamp if message.label else self._settings.debug_stamp

    def _uptime(self) -> float:
        return self._reactor.seconds() - self._began

    def _keep(self, size: int) -> None:
        """Let the oldest lines go that have no room."""
        while self._used > size:
            self._used -= _size(self._buffer.popleft())


def _takes(least: Level | None, level: Level) -> bool:
    """Whether a place takes messages of a level."""
    return least is not None and level <= least


def _size(line: str) -> int:
    """Bytes, with the end of the line."""
    return len(line.encode()) + 1
