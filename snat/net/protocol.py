"""One TLS connection, joined to one link of the device.

``connectionMade`` is only TCP. The link begins in ``handshakeCompleted``, when the certificate can be read.
"""

from collections.abc import Callable
from typing import Any, Final
from typing import Protocol as Interface

from twisted.internet.interfaces import IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from snat.device.links import Link
from snat.net.tls import Identity, peer_identity, reason_of

HANDSHAKE_TIME: Final = 5.0
"""Seconds for TLS; ends slow and endless handshakes."""
LAST_WORD_TIME: Final = 1.0
"""Seconds for the last word and the end of TLS; a neighbor that is gone would never answer it."""


class Links(Interface):
    """What a connection needs of the router."""

    def opened(self, connection: "LinkProtocol", link: Link) -> None:
        """The connection is up and is this link's."""
        ...

    def received(self, link: Link, data: bytes) -> None:
        """Bytes off the link."""
        ...

    def ended(self, link: Link, reason: str) -> None:
        """The connection is over."""
        ...

    def pump(self) -> None:
        """There may be something to send."""
        ...


Choose = Callable[[Identity | None, str], Link | str]
"""From a certificate's identity and the address it came from: the link, or why there is none."""
Ended = Callable[["LinkProtocol", str], None]
"""The connection is over, and why."""


@implementer(IHandshakeListener, IPushProducer)
class LinkProtocol(Protocol):
    """The bytes of one link."""

    def __init__(self, links: Links, choose: Choose, clock: IReactorTime, ended: Ended) -> None:
        self.link: Link | None = None
        self.identity: Identity | None = None
        """Who is at the other end, once that was proved."""
        self.established = False
        """Whether the router knows that the link's session came up."""
        self._refusal = ""
        self._links = links
        self._choose = choose
        self._clock = clock
        self._ended = ended
        self._paused = False
        self._held_back = False
        self._limit: Any = None

    def connectionMade(self) -> None:
        """TCP is up; TLS has a bounded time."""
        why = f"no TLS within {HANDSHAKE_TIME:g} s"
        self._limit = self._clock.callLater(HANDSHAKE_TIME, self.refuse, why)

    def handshakeCompleted(self) -> None:
        """TLS is up: see who it is."""
        self._limit.cancel()
        transport: Any = self.transport
        self.identity = peer_identity(transport)
        chosen = self._choose(self.identity, transport.getPeer().host)
        if isinstance(chosen, str):
            self.refuse(chosen)
            return
        self.link = link = chosen
        link.local_address = transport.getHost().host
        link.destination_address = transport.getPeer().host
        link.destination_port = transport.getPeer().port
        transport.setTcpNoDelay(True)  # or a change waits 40 ms for the acknowledgement of a keepalive
        transport.registerProducer(self, True)
        self._links.opened(self, link)

    def dataReceived(self, data: bytes) -> None:
        """Hand the bytes to the session."""
        if self.link is not None:
            self._links.received(self.link, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport ended, for whatever reason."""
        if self._limit.active():
            self._limit.cancel()
        why = self._refusal or reason_of(reason)
        self._ended(self, why)
        if self.link is not None:
            self._links.ended(self.link, why)

    def flush(self) -> bool:
        """Send what the link has to say, as long as the transport takes it; whether anything was sent."""
        sent = False
        while not self._paused and self.link is not None and (data := self.link.data_to_send()):
            self.transport.write(data)  # type: ignore[union-attr]
            sent = True
        return sent

    def hold_back(self, choked: bool) -> None:
        """Read no more while the device has too much to look at: TCP then makes the neighbor wait.

        Its end of the connection is not noticed meanwhile; it is when reading goes on.
        """
        if choked != self._held_back:
            self._held_back = choked
            transport: Any = self.transport
            if choked:
                transport.pauseProducing()
            else:
                transport.resumeProducing()

    def close(self, *, last_word: bool) -> None:
        """End the connection, with or without the session's last word, behind what was written already."""
        self.hold_back(False)  # TLS ends well only if the neighbor's last record is read
        transport: Any = self.transport
        if last_word and self.link is not None and (data := self.link.last_words()):
            transport.write(data)
        transport.unregisterProducer()
        transport.loseConnection()
        self._limit = self._clock.callLater(LAST_WORD_TIME, transport.abortConnection)

    def abort(self) -> None:
        """End the connection at once."""
        transport: Any = self.transport
        transport.abortConnection()

    def refuse(self, why: str) -> None:
        """End the connection at once; the reason goes to whoever is told of its end."""
        self._refusal = why
        self.abort()

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport takes more."""
        self._paused = False
        self._links.pump()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self._paused = True
