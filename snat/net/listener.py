"""Listening for neighbors: an access list by address before TLS, and few strangers at a time."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory

from snat.device.links import Link
from snat.net.log import RepeatingLog
from snat.net.protocol import Choose, LinkProtocol, Links
from snat.net.tls import Identity

PENDING: Final = 32
"""Connections that have not proved who they are; one more is refused."""

_REFUSED: Final = "refused {whom}: {why}"


@dataclass(slots=True)
class ListenerCounters:
    """Who came to the port."""

    accepted: int = 0
    """Connections whose certificate was a neighbor's."""
    unknown_address: int = 0
    too_many: int = 0
    unproved: int = 0
    """Connections that ended before they proved an identity."""


class Gate(Factory):
    """The factory of the listening port: decides by address, then leaves the rest to TLS."""

    noisy = False

    def __init__(
        self,
        options: Callable[[], CertificateOptions],
        links: Links,
        choose: Choose,
        addresses: Container[str],
        clock: IReactorTime,
        refusals: RepeatingLog,
    ) -> None:
        self.counters = ListenerCounters()
        self._options = options
        self._links = links
        self._choose = choose
        self._addresses = addresses
        self._clock = clock
        self._refusals = refusals
        self._pending: set[LinkProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """TLS for a neighbor's address; None, which closes the connection, for anybody else."""
        host: str = getattr(addr, "host", "")
        if host not in self._addresses:
            self.counters.unknown_address += 1
            self._refusals.say(_REFUSED, whom=host, why="no neighbor has this address")
            return None
        if len(self._pending) >= PENDING:
            self.counters.too_many += 1
            why = f"{PENDING} connections have not proved who they are"
            self._refusals.say(_REFUSED, whom=host, why=why)
            return None
        inner = Factory.forProtocol(self._protocol)  # type: ignore[arg-type]
        inner.noisy = False
        return TLSMemoryBIOFactory(self._options(), False, inner, self._clock).buildProtocol(addr)

    def _protocol(self) -> LinkProtocol:
        def decide(identity: Identity | None, host: str) -> Link | str:
            chosen = self._choose(identity, host)
            if not isinstance(chosen, str):
                self.counters.accepted += 1
                self._pending.discard(protocol)
            return chosen

        protocol = LinkProtocol(self._links, decide, self._clock, self._settle)
        self._pending.add(protocol)
        return protocol

    def _settle(self, protocol: LinkProtocol) -> None:
        if protocol in self._pending:
            self._pending.discard(protocol)
            self.counters.unproved += 1
