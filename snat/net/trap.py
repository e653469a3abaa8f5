"""Messages to hosts that collect them: syslog over UDP (RFC 3164)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.interfaces import IListeningPort, IReactorUDP
from twisted.internet.protocol import DatagramProtocol

from snat.net.message import Message
from snat.status import Clock, LogHost

SYSLOG_PORT: Final = 514
LONGEST_DATAGRAM: Final = 1024
"""Bytes (RFC 3164 section 4.1)."""
FACILITIES: Final = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "sys9": 9,
    "sys10": 10,
    "sys11": 11,
    "sys12": 12,
    "sys13": 13,
    "sys14": 14,
    "cron": 15,
    **{f"local{number}": 16 + number for number in range(8)},
}
"""By the words of ``logging facility``; those of RFC 3164 table 1, with 9 to 14 as IOS calls them."""


@dataclass(slots=True)
class _Sent:
    sent: int = 0
    dropped: int = 0


class TrapHosts:
    """The hosts that get messages. A socket is only there while there are any."""

    def __init__(self, reactor: IReactorUDP, port: int = SYSLOG_PORT) -> None:
        self._reactor = reactor
        self._number = port
        self._hosts: dict[str, _Sent] = {}
        self._protocol: Any = None
        self._port: IListeningPort | None = None

    def configure(self, hosts: Iterable[IPv4Address]) -> None:
        """Send to these hosts from now on."""
        self._hosts = {str(host): self._hosts.get(str(host), _Sent()) for host in hosts}
        if not self._hosts:
            self.close()

    def send(self, message: Message, facility: str, hostname: str, now: Clock) -> int:
        """Send a message to all of them; to how many that could not be done."""
        if not self._hosts:
            return 0
        datagram = encoded(message, facility, hostname, now)
        failed = [host for host in self._hosts if not self._send(host, datagram)]
        return len(failed)

    def status(self) -> tuple[LogHost, ...]:
        """The hosts, with what was sent to each."""
        return tuple(
            LogHost(address=host, port=self._number, sent=one.sent, dropped=one.dropped)
            for host, one in self._hosts.items()
        )

    def close(self) -> "Deferred[Any]":
        """Let the socket go."""
        port, self._port, self._protocol = self._port, None, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)

    def _send(self, host: str, datagram: bytes) -> bool:
        counted = self._hosts[host]
        try:
            self._open().transport.write(datagram, (host, self._number))
        except (CannotListenError, MessageLengthError, OSError):
            # Told nowhere: a message about it would be the next that cannot be sent.
            counted.dropped += 1
            return False
        counted.sent += 1
        return True

    def _open(self) -> Any:
        if self._protocol is None:
            protocol: Any = DatagramProtocol()
            protocol.noisy = False
            self._port = self._reactor.listenUDP(0, protocol, interface="", maxPacketSize=8192)
            self._protocol = protocol
        return self._protocol


def encoded(message: Message, facility: str, hostname: str, now: Clock) -> bytes:
    """``<189>Mar  1 00:00:04 R1 snatd: %SYS-5-CONFIG_I: ...``; local time (RFC 3164 section 4.1.2)."""
    at = datetime.fromtimestamp(now.seconds, timezone(timedelta(seconds=now.offset)))
    priority = FACILITIES[facility] * 8 + message.level
    text = f"<{priority}>{at:%b} {at.day:>2} {at:%H:%M:%S} {hostname} snatd: {message.body}"
    return text.encode()[:LONGEST_DATAGRAM].decode(errors="ignore").encode()  # no half characters
