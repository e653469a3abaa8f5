"""Listening for neighbors: an access list by address before TLS, and few strangers at a time."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, ServerFactory
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from snat.device.links import Link
from snat.net.log import RepeatingLog
from snat.net.protocol import Choose, LinkProtocol, Links
from snat.net.tls import Identity

PENDING: Final = 32
"""Connections that have not proved who they are; one more is refused."""


@dataclass(slots=True)
class ListenerCounters:
    """Who came to the port."""

    accepted: int = 0
    """Connections whose certificate was a neighbor's."""
    unknown_address: int = 0
    too_many: int = 0
    unproved: int = 0
    """Connections that ended before they proved an identity: no TLS, or none that we take."""
    not_neighbor: int = 0
    """Connections that proved an identity which is no neighbor's."""


class Gate(ServerFactory[Any]):
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

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:
        """TLS for a neighbor's address; None, which closes the connection, for anybody else."""
        host: str = getattr(addr, "host", "")
        if host not in self._addresses:
            self.counters.unknown_address += 1
            self._log(host, "no neighbor has this address")
            return None
        if len(self._pending) >= PENDING:
            self.counters.too_many += 1
            self._log(host, f"{PENDING} connections have not proved who they are")
            return None
        inner = Factory.forProtocol(lambda: self._protocol(host))
        inner.noisy = False
        return TLSMemoryBIOFactory(self._options(), False, inner, self._clock).buildProtocol(addr)

    def close(self) -> None:
        """Nobody is let in any more, those who have not proved who they are included."""
        pending, self._pending = self._pending, set()
        for protocol in pending:
            protocol.abort()

    def _protocol(self, host: str) -> LinkProtocol:
        def decide(identity: Identity | None, address: str) -> Link | str:
            self._pending.discard(protocol)
            chosen = self._choose(identity, address)
            if isinstance(chosen, str):
                self.counters.not_neighbor += 1
                self._log(host, chosen)
            else:
                self.counters.accepted += 1
            return chosen

        def ended(protocol: LinkProtocol, why: str) -> None:
            if protocol in self._pending:
                self._pending.discard(protocol)
                self.counters.unproved += 1
                self._log(host, why)

        protocol = LinkProtocol(self._links, decide, self._clock, ended)
        self._pending.add(protocol)
        return protocol

    def _log(self, host: str, why: str) -> None:
        self._refusals.say("refused {whom}: {why}", whom=host, why=why, mnemonic="SNAT-4-REFUSED")
