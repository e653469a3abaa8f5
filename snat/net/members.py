"""The other members, as far as sockets go: gates to listen, diallers, connections, and what proves them.

A configuration is taken in two steps. :meth:`Members.prepare` has everything that can be refused, and changes
nothing; :meth:`Members.follow` cannot fail.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger

from snat.config.model import Configuration, Trustpoint
from snat.config.refused import ConfigurationRefused
from snat.counters import as_dict
from snat.device.change import agreements, peers_of
from snat.device.device import Device
from snat.device.links import Link
from snat.net.credentials import Credentials, utc_now
from snat.net.listener import Gate
from snat.net.log import MESSAGES, RepeatingLog
from snat.net.neighbor import Address, Dialler, DiallerCounters, ReactorTCPTime
from snat.net.protocol import LinkProtocol
from snat.net.tls import Identity, TrustpointError

Place = tuple[str, int]
"""Address and port to listen on."""


@dataclass(slots=True)
class Door:
    """A gate and the port that it listens on."""

    gate: Gate
    expected: set[str]
    """Addresses that are let in; shared with the gate."""
    port: IListeningPort

    def close(self) -> "Deferred[Any]":
        """Listen no more; the deferred fires when the port is free."""
        self.gate.close()
        closed: Deferred[Any] = maybeDeferred(self.port.stopListening)
        return closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a configuration needs, had before anything is changed for it."""

    configuration: Configuration
    credentials: Credentials | None
    opened: dict[Place, Door] = field(default_factory=dict)
    """Where nobody listened before."""

    def discard(self) -> None:
        """Something else was refused."""
        for door in self.opened.values():
            door.close()


class Members:
    """Satisfies :class:`snat.net.protocol.Links`."""

    _log = Logger(namespace="snat", observer=MESSAGES)

    def __init__(
        self,
        configuration: Configuration,
        device: Device,
        reactor: ReactorTCPTime,
        repeating: RepeatingLog,
        *,
        pump: Callable[[], None],
        pump_soon: Callable[[], None],
    ) -> None:
        """Raises TrustpointError."""
        self.connections: dict[Link, LinkProtocol] = {}
        self.pump = pump
        self._pump_soon = pump_soon
        self._device = device
        self._reactor = reactor
        self._repeating = repeating
        self._doors: dict[Place, Door] = {}
        self._diallers: dict[int, Dialler] = {}
        self._agreed: dict[int, object] = {}
        """What the sessions of each neighbor that is dialled were begun with."""
        self._dialled = DiallerCounters()
        self._proof = _proof_for(configuration)
        """Which files the credentials are of, and of which device."""
        self._credentials = _load(configuration)

    # The configuration

    def prepare(self, configuration: Configuration) -> Prepared:
        """Read certificates and open ports that a configuration needs.

        Raises TrustpointError or CannotListenError, and then nothing was changed.
        """
        same = _proof_for(configuration) == self._proof
        prepared = Prepared(
            configuration=configuration,
            credentials=self._credentials if same else _load(configuration),
        )
        try:
            for place in places_of(configuration).keys() - self._doors.keys():
                prepared.opened[place] = self._open(place)
        except CannotListenError:
            prepared.discard()
            raise
        return prepared

    def follow(self, prepared: Prepared) -> None:
        """Listen, dial and prove as the configuration says, which the device has taken already.

        Who is to be dialled as before is not disturbed.
        """
        configuration = prepared.configuration
        if prepared.credentials is not self._credentials:
            for door in self._doors.values():
                door.gate.close()  # who is in the middle of it looks at the former certificate
        self._credentials, self._proof = prepared.credentials, _proof_for(configuration)
        places = places_of(configuration)
        for place in self._doors.keys() - places.keys():
            self._doors.pop(place).close()
        self._doors |= prepared.opened
        for place, expected in places.items():
            door = self._doors[place]
            door.expected.clear()
            door.expected |= expected
        agreed = agreements(configuration)
        for nat_id in [one for one in self._diallers if self._agreed[one] != agreed.get(one)]:
            self._diallers.pop(nat_id).stop()
        self._agreed = agreed
        for nat_id in agreed.keys() - self._diallers.keys():
            self._diallers[nat_id] = dialler = self._dialler(configuration, nat_id)
            dialler.start()
        self._end_revoked()

    def stop(self) -> "list[Deferred[Any]]":
        """Dial and let in nobody any more; connections that are up are not touched. When ports are free."""
        for dialler in self._diallers.values():
            dialler.stop()
        return [door.close() for door in self._doors.values()]

    def reload(self, configuration: Configuration) -> None:
        """Read the trustpoint's files again. If one cannot be used, what was read before stays.

        Links that are up stay up, but for those of neighbors whose certificate is now revoked.
        """
        try:
            self._credentials = _load(configuration)
        except TrustpointError as error:
            self._log.error("not reloaded: {reason}", reason=str(error), mnemonic="PKI-3-RELOAD")
            return
        if self._credentials is not None:
            self._log.info("certificates reloaded", mnemonic="PKI-6-RELOAD")
            self.warn_of_ends()
            self._end_revoked()

    def warn_of_ends(self) -> None:
        """Of certificates."""
        if self._credentials is not None:
            for path, days in self._credentials.ending(utc_now()):
                left = f"ends in {days} days" if days >= 0 else "has ended"
                text = "{path} {left}: replace it, then `kill -HUP`"
                self._log.warn(text, path=path, left=left, mnemonic="PKI-4-CERTIFICATE_EXPIRES")

    def counters(self) -> dict[str, dict[str, int]]:
        """Of each gate, and of all diallers."""
        counters = {
            f"listener{number or ''}": as_dict(door.gate.counters)
            for number, door in enumerate(self._doors.values())
        }
        return counters | {"dialler": as_dict(self._dialled)}

    # Links

    def opened(self, connection: LinkProtocol, link: Link) -> None:
        """A connection proved whose it is."""
        self.connections[link] = connection
        self._device.opened(link, self._reactor.seconds())
        self.pump()

    def received(self, link: Link, data: bytes) -> None:
        """Bytes off a link."""
        self._device.received(link, data, self._reactor.seconds())
        self._pump_soon()

    def ended(self, link: Link, reason: str) -> None:
        """A connection is over, or never came up."""
        self.connections.pop(link, None)
        self._device.lost(link, reason, self._reactor.seconds())
        self.pump()

    # What the device does on them

    def greet(self) -> None:
        """A session that came up ends the back-off of its neighbor."""
        for link, connection in list(self.connections.items()):
            if link.established and not connection.established:
                connection.established = True
                self._diallers[link.neighbor.nat_id].established()

    def flush(self) -> bool:
        """Send what the links have to say; whether that was anything."""
        sent = [connection.flush() for connection in list(self.connections.values())]
        return any(sent)

    def hold_back(self) -> None:
        """Read no more where enough waits."""
        for link, connection in list(self.connections.items()):
            connection.hold_back(link.choked)

    def close(self, link: Link, *, last_word: bool) -> None:
        """The link's session is over."""
        connection = self.connections.pop(link, None)
        if connection is not None:
            connection.close(last_word=last_word)

    # Inside

    def _tls(self) -> CertificateOptions:
        assert self._credentials is not None, "verify() demands a trustpoint for a group"
        return self._credentials.options

    def _is_revoked(self, identity: Identity) -> bool:
        return self._credentials is not None and self._credentials.revokes(identity)

    def _end_revoked(self) -> None:
        for connection in list(self.connections.values()):
            if connection.identity is not None and self._is_revoked(connection.identity):
                connection.refuse(f"the certificate of {connection.identity} was revoked")

    def _open(self, place: Place) -> Door:
        host, port = place
        expected: set[str] = set()
        gate = Gate(self._tls, self, self._choose, expected, self._reactor, self._repeating)
        return Door(gate, expected, self._reactor.listenTCP(port, gate, interface=host))

    def _dialler(self, configuration: Configuration, nat_id: int) -> Dialler:
        addresses = [
            Address(str(peer.address), peer.port, str(group.address))
            for group in configuration.groups
            for peer in group.peers
            if peer.nat_id == nat_id
        ]
        name = peers_of(configuration)[nat_id]

        def check(identity: Identity | None, host: str) -> str:
            if identity is None or not identity.is_of(name, nat_id):
                return f"{host} is {identity or 'no snat router'}; {name} (NAT ID {nat_id}) is configured"
            return f"the certificate of {identity} is revoked" if self._is_revoked(identity) else ""

        return Dialler(
            self._reactor,
            self._tls,
            self,
            addresses,
            begin=lambda: self._device.dialled(nat_id, self._reactor.seconds()),
            check=check,
            counters=self._dialled,
        )

    def _choose(self, identity: Identity | None, _host: str) -> Link | str:
        """Whose an accepted connection is."""
        for nat_id, neighbor in self._device.neighbors.items():
            if identity is not None and identity.is_of(neighbor.name, nat_id):
                if self._is_revoked(identity):
                    return f"the certificate of {identity} is revoked"
                return self._device.accepted(nat_id, self._reactor.seconds())
        return f"its certificate is of {identity}, no neighbor" if identity else "it speaks another protocol"


def places_of(configuration: Configuration) -> dict[Place, set[str]]:
    """Where to listen, and for whom; groups may share an address and port."""
    places: dict[Place, set[str]] = {}
    for group in configuration.groups:
        expected = places.setdefault((str(group.address), group.port), set())
        expected.update(str(peer.address) for peer in group.peers)
    return places


def refusal_of(error: TrustpointError | CannotListenError) -> ConfigurationRefused:
    """What to tell an operator."""
    if isinstance(error, CannotListenError):
        remedy = "give an address of this router and a port that is free"
        return ConfigurationRefused(
            f"cannot listen on {error.interface} port {error.port}: {error.socketError}; {remedy}"
        )
    return ConfigurationRefused(str(error))


def _proof_for(configuration: Configuration) -> tuple[Trustpoint | None, int] | None:
    """What neighbors are to be shown; None: there is no group, so nothing is."""
    stateful = configuration.stateful
    if stateful is None or not stateful.groups:
        return None
    return configuration.trustpoint, stateful.nat_id


def _load(configuration: Configuration) -> Credentials | None:
    match _proof_for(configuration):
        case (Trustpoint() as trustpoint, int() as nat_id):
            return Credentials.load(trustpoint, nat_id)
    return None
