"""Dialling one neighbor, again and again: its addresses in turn, with a back-off that grows and jitters.

The neighbor owns the back-off. TCP or TLS coming up resets nothing: a neighbor that accepts the connection
and refuses our certificate would otherwise be dialled without pause. Only an established session does. One
that is not there costs a SYN or two, and is dialled every second: after a partition, links are back soon.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure

from snat.device.links import Link
from snat.net.protocol import LinkProtocol, Links
from snat.net.tls import Identity
from snat.session.states import State

FIRST_DELAY: Final = 0.1
LAST_DELAY: Final = 10.0
"""Seconds at most until a neighbor that was there is dialled again: a handshake costs both of us."""
ABSENT_DELAY: Final = 1.0
"""Likewise, for one that was not."""
CONNECT_TIME: Final = 2
"""Seconds for TCP: it says its SYN twice."""


class ReactorTCPTime(IReactorTCP, IReactorTime):
    """What dialling and listening need of a reactor."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a neighbor listens, and from which address of ours it is dialled."""

    host: str
    port: int
    source: str


@dataclass(slots=True)
class DiallerCounters:
    """What became of dialling, all neighbors together."""

    attempts: int = 0
    not_connected: int = 0
    """No TCP: refused, or no answer."""
    unproved: int = 0
    """Connections that ended before the other end proved an identity."""
    not_neighbor: int = 0
    """Connections whose other end proved an identity that is not the neighbor's."""


class Dialler:
    """Keeps the outgoing link to one neighbor."""

    def __init__(
        self,
        reactor: ReactorTCPTime,
        options: Callable[[], CertificateOptions],
        links: Links,
        addresses: Sequence[Address],
        *,
        begin: Callable[[], Link],
        check: Callable[[Identity | None, str], str],
        counters: DiallerCounters,
    ) -> None:
        self._reactor = reactor
        self._options = options
        self._links = links
        self._addresses = addresses
        self._begin = begin
        self._check = check
        self._counters = counters
        self._attempt = 0
        self._turn = 0
        self._again: Any = None
        self._connecting: Deferred[Any] | None = None
        self._unproved: LinkProtocol | None = None
        """The connection whose TLS is under way."""
        self._stopped = True

    def start(self) -> None:
        """Dial now."""
        self._stopped = False
        self._dial()

    def stop(self) -> None:
        """Dial no more; a connection that is up is not touched."""
        self._stopped = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._connecting is not None:
            self._connecting.cancel()
        if self._unproved is not None:
            self._unproved.abort()

    def established(self) -> None:
        """A session with the neighbor is up, ours or its own: delays begin anew, and one under way ends."""
        self._attempt = 0
        if self._again is not None:
            self._again.cancel()
            self._dial()

    def _dial(self) -> None:
        self._again = None
        address = self._addresses[self._turn % len(self._addresses)]
        self._turn += 1
        self._counters.attempts += 1
        link = self._begin()
        tcp = TCP4ClientEndpoint(
            self._reactor, address.host, address.port, timeout=CONNECT_TIME, bindAddress=(address.source, 0)
        )
        factory = Factory.forProtocol(lambda: self._protocol(link))
        self._connecting = wrapClientTLS(self._options(), tcp, self._reactor).connect(factory)
        self._connecting.addCallbacks(self._connected, self._failed, errbackArgs=(link,))

    def _protocol(self, link: Link) -> LinkProtocol:
        def choose(identity: Identity | None, host: str) -> Link | str:
            self._unproved = None
            if link.session.state is not State.CONNECT:
                return "too late"
            wrong = self._check(identity, host)
            self._counters.not_neighbor += bool(wrong)
            return wrong or link

        def ended(protocol: LinkProtocol, why: str) -> None:
            if self._unproved is protocol:
                self._unproved = None
                self._counters.unproved += 1
            if protocol.link is None:
                self._links.ended(link, why)
            self._later()

        self._unproved = LinkProtocol(self._links, choose, self._reactor, ended)
        return self._unproved

    def _connected(self, _protocol: object) -> None:
        self._connecting = None

    def _failed(self, failure: Failure, link: Link) -> None:
        self._connecting = None
        self._counters.not_connected += 1
        reason = "not connected" if failure.check(CancelledError) else failure.getErrorMessage()
        self._links.ended(link, reason)
        self._later(ABSENT_DELAY)

    def _later(self, most: float = LAST_DELAY) -> None:
        if self._stopped or self._again is not None:
            return
        delay = FIRST_DELAY * 2**self._attempt
        if delay < most:
            self._attempt += 1
        jitter = random.uniform(0.5, 1.5)  # noqa: S311
        self._again = self._reactor.callLater(min(delay, most) * jitter, self._dial)
