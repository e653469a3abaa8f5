"""The router: one device with its files, its neighbors, its packets and its clock.

Whatever happens ends in :meth:`RouterService.pump`: the device takes its turn, terms are stored, addresses
are claimed or withdrawn, and only then do bytes leave. There is one alarm, for the device's next deadline.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IListeningPort
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger

from snat.config.model import Configuration, Group
from snat.config.refused import ConfigurationRefused
from snat.config.verify import verify
from snat.counters import as_dict
from snat.device import report
from snat.device.device import Device
from snat.device.events import LinkClosed, Noted, RoleLeft, RoleTaken, TermTaken
from snat.device.links import Link
from snat.device.status import GroupStatus, Statistics, Translation
from snat.net import tls
from snat.net.datapath import DataPath
from snat.net.files import StateDirectory
from snat.net.listener import Gate
from snat.net.log import RepeatingLog
from snat.net.neighbor import Address, Dialler, ReactorTCPTime
from snat.net.protocol import LinkProtocol
from snat.net.tls import Identity

_ROUNDS = 16
"""Turns in one pump: a dump leaves in steps between which packets are looked at."""


class RouterService(Service):
    """``twistd snat``. Satisfies :class:`cli.router.Router`."""

    log = Logger(namespace="snat")

    def __init__(
        self,
        configuration: Configuration,
        reactor: ReactorTCPTime,
        state: StateDirectory,
        *,
        ttl_step: int,
        datapath: Callable[[Device, Callable[[], None]], DataPath],
    ) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._state = state
        stored = state.open()
        self.device = Device(
            configuration,
            incarnation=stored.incarnation,
            terms=stored.terms,
            ports=random.SystemRandom(),
            ttl_step=ttl_step,
            now=reactor.seconds(),
        )
        self._datapath = datapath(self.device, self.pump)
        self._options: CertificateOptions | None = None
        if configuration.trustpoint is not None:
            self._options = tls.options(configuration.trustpoint)
        self._repeating = RepeatingLog(reactor)
        self._gates: list[Gate] = []
        self._ports: list[IListeningPort] = []
        self._diallers: dict[int, Dialler] = {}
        self._connections: dict[Link, LinkProtocol] = {}
        self._managing: list[Group] = []
        self._alarm: Any = None
        self._pumping = False

    # Service

    def startService(self) -> None:
        """Take packets, listen, dial. Raises what cannot be had: addresses, ports, TUNs."""
        super().startService()
        self._datapath.start()
        for group in self._groups():
            self._listen(group)
        for nat_id in self.device.neighbors:
            self._diallers[nat_id] = dialler = self._dialler(nat_id)
            dialler.start()
        self.pump()

    def stopService(self) -> None:
        """Say goodbye, withdraw the addresses, stop."""
        super().stopService()
        for dialler in self._diallers.values():
            dialler.stop()
        for port in self._ports:
            port.stopListening()
        self._datapath.stop()
        self.device.stop(self._now())
        self.pump()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def pump(self) -> None:
        """Let the device take its turns, act on what it asks for, send what it says, set the alarm."""
        if self._pumping:
            return
        self._pumping = True
        try:
            for _ in range(_ROUNDS):
                self.device.turn(self._now())
                for event in self.device.events():
                    self._act(event)
                sent = [connection.flush() for connection in list(self._connections.values())]
                if not any(sent):
                    break
            self._set_alarm(self.device.next_deadline())
        finally:
            self._pumping = False

    # Links

    def opened(self, connection: LinkProtocol, link: Link) -> None:
        """A connection proved whose it is."""
        self._connections[link] = connection
        self.device.opened(link, self._now())
        self.pump()

    def received(self, link: Link, data: bytes) -> None:
        """Bytes off a link."""
        before = link.established
        self.device.received(link, data, self._now())
        if link.established and not before:
            self._diallers[link.neighbor.nat_id].established()
        self.pump()

    def ended(self, link: Link, reason: str) -> None:
        """A connection is over, or never came up."""
        self._connections.pop(link, None)
        self.device.lost(link, reason, self._now())
        if self.running:
            self.pump()

    # cli.router.Router

    def running_configuration(self) -> Configuration:
        """The configuration in force."""
        return self._configuration

    def apply(self, configuration: Configuration) -> None:
        """Verify, then apply; see :class:`cli.router.Router`.

        Rules, pools, lists, time-outs, interfaces and the name change at once, and entries that exist
        stay. Who the members are, and the trustpoint, change at a restart.
        """
        problems = verify(configuration)
        if problems:
            raise ConfigurationRefused("; ".join(map(str, problems)))
        was = self._configuration
        if (configuration.stateful, configuration.trustpoint) != (was.stateful, was.trustpoint):
            raise ConfigurationRefused(
                "members and trustpoint change at a restart: write them into the file of --config and restart"
            )
        self._datapath.configure(configuration, self._managing)
        self.device.configure(configuration)
        self._configuration = configuration

    def translations(self) -> Iterator[Translation]:
        """The NAT table, lazily."""
        return report.translations(self.device)

    def distributed(self) -> tuple[GroupStatus, ...]:
        """The redundancy groups with their links and feeds."""
        return report.groups(self.device, self._now())

    def statistics(self) -> Statistics:
        """All counters, those of the device and of what surrounds it."""
        counters = report.statistics(self.device).counters | self._datapath.counters()
        for number, gate in enumerate(self._gates):
            counters[f"listener{number or ''}"] = as_dict(gate.counters)
        counters["log"] = {"suppressed": self._repeating.suppressed}
        return Statistics(counters=counters)

    # Inside

    def _now(self) -> float:
        return self._reactor.seconds()

    def _groups(self) -> tuple[Group, ...]:
        stateful = self._configuration.stateful
        return stateful.groups if stateful is not None else ()

    def _act(self, event: object) -> None:
        match event:
            case TermTaken():
                self._state.take_term(event.feed, event.term)
            case RoleTaken():
                self._managing.append(event.group)
                self._datapath.claim(self._managing)
            case RoleLeft():
                self._managing.remove(event.group)
                self._datapath.claim(self._managing)
            case LinkClosed():
                connection = self._connections.pop(event.link, None)
                if connection is not None:
                    connection.close(event.orderly)
            case Noted(repeats=True):
                self._repeating.say(event.text, alarm=event.alarm, **event.fields)
            case Noted():
                (self.log.warn if event.alarm else self.log.info)(event.text, **event.fields)

    def _set_alarm(self, deadline: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = (
            self._reactor.callLater(max(0.001, deadline - self._now()), self._ring) if self.running else None
        )

    def _ring(self) -> None:
        self._alarm = None
        self.pump()

    def _tls(self) -> CertificateOptions:
        assert self._options is not None, "verify() demands a trustpoint for a group"
        return self._options

    def _listen(self, group: Group) -> None:
        addresses = frozenset(str(peer.address) for peer in group.peers)
        gate = Gate(self._tls, self, self._choose, addresses, self._reactor, self._repeating)
        self._gates.append(gate)
        self._ports.append(self._reactor.listenTCP(group.port, gate, interface=str(group.address)))

    def _dialler(self, nat_id: int) -> Dialler:
        addresses = [
            Address(str(peer.address), peer.port, str(group.address))
            for group in self._groups()
            for peer in group.peers
            if peer.nat_id == nat_id
        ]
        name = self.device.neighbors[nat_id].name

        def check(identity: Identity | None, host: str) -> str:
            if identity is not None and identity.is_of(name, nat_id):
                return ""
            found = identity or "no snat router"
            return self._refuse(
                host, f"its certificate is of {found}; {name} (NAT ID {nat_id}) is configured"
            )

        return Dialler(
            self._reactor,
            self._tls,
            self,
            addresses,
            begin=lambda: self.device.dialled(nat_id, self._now()),
            check=check,
        )

    def _choose(self, identity: Identity | None, host: str) -> Link | str:
        """Whose an accepted connection is."""
        for nat_id, neighbor in self.device.neighbors.items():
            if identity is not None and identity.is_of(neighbor.name, nat_id):
                return self.device.accepted(nat_id, self._now())
        return self._refuse(
            host, f"its certificate is of {identity or 'no snat router'}, which is no neighbor"
        )

    def _refuse(self, host: str, why: str) -> str:
        self._repeating.say("refused {whom}: {why}", whom=host, why=why)
        return why
