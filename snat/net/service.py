"""The router: one device with its files, its neighbors, its packets and its clock.

Whatever happens ends in :meth:`RouterService.pump`: the device takes its turn, terms are stored, addresses
are claimed or withdrawn, and only then do bytes leave. There is one alarm, for the device's next deadline;
bytes that come move it to the end of the reactor's turn, so that all of them make one pump.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from snat.config.model import Configuration, Group
from snat.config.refused import ConfigurationRefused
from snat.config.verify import verify
from snat.counters import Subjects, as_dict, since
from snat.device import report
from snat.device.device import Device
from snat.device.events import IncarnationRefused, LinkClosed, Noted, RoleLeft, RoleTaken, TermTaken
from snat.device.links import Link
from snat.device.refused import CommandRefused
from snat.device.status import GroupStatus, Statistics
from snat.net.credentials import Credentials, utc_now
from snat.net.datapath import DataPath
from snat.net.debugging import Debugging
from snat.net.files import StateDirectory, StateError
from snat.net.interfaces import Interfaces
from snat.net.listener import Gate
from snat.net.log import MESSAGES, RepeatingLog
from snat.net.machine import Machine
from snat.net.members import Members, groups_of, places_of, refused
from snat.net.nat import Nat
from snat.net.neighbor import Address, Dialler, DiallerCounters, ReactorTCPTime
from snat.net.protocol import LinkProtocol
from snat.net.refused import KernelRefused
from snat.net.reload import Reloads
from snat.net.snapshot_file import SNAPSHOT_INTERVAL, InThread, SnapshotWriter, load
from snat.net.startup_file import StartupFile
from snat.net.syslog import SystemLog
from snat.net.tls import Identity, TrustpointError
from snat.net.translation_log import TranslationLog
from snat.status import StandbyStatus

_DAY = 86400.0
_GAUGES = frozenset({("table", "entries")})
"""Among the counters, by subject and name: they tell how many there are now."""
_ROUNDS = 16
"""Turns in one pump: a dump leaves in steps between which packets are looked at."""


class RouterService(Service):
    """``twistd snat``. Satisfies :class:`cli.router.Router`."""

    _log = Logger(namespace="snat", observer=MESSAGES)

    def __init__(
        self,
        configuration: Configuration,
        reactor: ReactorTCPTime,
        state: StateDirectory,
        *,
        ttl_step: int,
        datapath: Callable[[Device, Callable[[], None]], DataPath],
        snapshot_interval: float = SNAPSHOT_INTERVAL,
        wall: Callable[[], float] = time.time,
        in_thread: InThread | None = None,
        startup: Path | None = None,
        reload_reason: str = "",
        stop: Callable[[], None] | None = None,
    ) -> None:
        """``in_thread`` writes large files, in the reactor's thread pool unless told otherwise.

        ``startup`` is the start-up file, ``reload_reason`` why the daemon began, ``stop`` ends it.
        Raises StateError and TrustpointError.
        """
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
            snapshot=load(state.snapshot, int(wall())) if state.snapshot is not None else None,
        )
        self.nat = Nat(self.device, reactor.seconds, self.pump)
        self._cleared: Subjects = {}
        """The counters as they were when an operator cleared them."""
        self._datapath = datapath(self.device, self.pump)
        self._credentials = _credentials(configuration)
        self._repeating = RepeatingLog(reactor)
        self._snapshots: SnapshotWriter | None = None
        if state.snapshot is not None:
            self._snapshots = SnapshotWriter(
                self.device,
                state.snapshot,
                reactor,
                self._repeating,
                interval=snapshot_interval,
                wall=wall,
                in_thread=in_thread or self._in_thread,
            )
        self._members = Members(reactor, self._gate, self._dialler)
        self.machine = Machine(reactor.seconds, wall=wall, reload_reason=reload_reason)
        self.network = Interfaces(self.running_configuration)
        self.startup = StartupFile(startup, self.machine.clock, in_thread or self._in_thread)
        self.reloads = Reloads(reactor, self.machine.clock, self.note, stop)
        live: Any = reactor
        self.log = SystemLog(live, self.machine.clock)
        self.debugging = Debugging(
            self.device, reactor, self.running_configuration, self.log.count_suppressed
        )
        self._translation_log = TranslationLog(self.device, reactor, self.log.count_suppressed)
        self._configure_logs()
        self._dialled = DiallerCounters()
        self._connections: dict[Link, LinkProtocol] = {}
        self._managing: list[Group] = []
        self._undone: list[object] = []
        """What the device asked for and could not be had yet."""
        self._alarm: Any = None
        self._daily = LoopingCall(self._warn_of_ends)
        self._daily.clock = reactor
        self._pumping = False

    # Service

    def startService(self) -> None:
        """Take packets, listen, dial. Raises what cannot be had: addresses, ports, TUNs."""
        super().startService()
        self._state.sign()
        self._datapath.start()
        places = places_of(self._configuration)
        self._members.listen(places)
        self._members.meet(places, self.device.neighbors)
        self._daily.start(_DAY).addErrback(self._failed)
        if self._snapshots is not None:
            self._snapshots.start()
        self.pump()

    def stopService(self) -> Deferred[Any]:
        """Withdraw the addresses, say goodbye, stop. No turn is taken any more: it could take a role."""
        super().stopService()
        self.reloads.cancel()
        self.debugging.stop()
        if self._daily.running:
            self._daily.stop()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._members.part()
        try:
            self._datapath.stop()
        except KernelRefused as refused:
            self._log.error("{reason}", reason=str(refused), mnemonic="SNAT-3-KERNEL")
        self._undone = []
        self.device.stop(self._now())
        self._do_as_asked()
        self._translation_log.stop()
        ended = self._members.unlisten(self._members.ports)
        if self._snapshots is not None:
            ended.append(self._snapshots.stop())
        return gatherResults(ended).addCallback(lambda _: self._state.close())

    def pump(self) -> None:
        """Let the device take its turns, act on what it asks for, send what it says, set the alarm."""
        if self._pumping or not self.running:
            return
        self._pumping = True
        try:
            self._set_alarm(self._take_turns())
            for link, connection in list(self._connections.items()):
                connection.hold_back(link.choked)
        finally:
            self._pumping = False

    def reload(self) -> None:
        """Read the trustpoint's files again (SIGHUP). If one cannot be used, what was read before stays.

        Links that are up stay up, but for those of neighbors whose certificate is now revoked.
        """
        if self._credentials is None:
            return
        try:
            self._credentials = _credentials(self._configuration)
        except TrustpointError as error:
            self._log.error("not reloaded: {reason}", reason=str(error), mnemonic="PKI-3-RELOAD")
            return
        self._log.info("certificates reloaded", mnemonic="PKI-6-RELOAD")
        self._warn_of_ends()
        for connection in list(self._connections.values()):
            if connection.identity is not None and self._is_revoked(connection.identity):
                connection.refuse(f"the certificate of {connection.identity} was revoked")

    # Links

    def opened(self, connection: LinkProtocol, link: Link) -> None:
        """A connection proved whose it is."""
        self._connections[link] = connection
        self.device.opened(link, self._now())
        self.pump()

    def received(self, link: Link, data: bytes) -> None:
        """Bytes off a link."""
        self.device.received(link, data, self._now())
        self._pump_soon()

    def ended(self, link: Link, reason: str) -> None:
        """A connection is over, or never came up."""
        self._connections.pop(link, None)
        self.device.lost(link, reason, self._now())
        self.pump()

    # cli.router.Router

    def running_configuration(self) -> Configuration:
        """The configuration in force."""
        return self._configuration

    def apply(self, configuration: Configuration) -> None:
        """Verify, then apply; see :class:`cli.router.Router`.

        Rules, pools, lists, time-outs, interfaces and the name change at once, and entries that exist
        stay. If anything about members or the trustpoint changes, the roles are given back and taken anew.
        """
        problems = verify(configuration)
        if problems:
            raise ConfigurationRefused("; ".join(map(str, problems)))
        was = self._configuration
        if (configuration.stateful, configuration.trustpoint) != (was.stateful, was.trustpoint):
            self._regroup(configuration)
            return
        self._datapath.configure(configuration, self._managing)
        self.device.configure(configuration)
        self._configuration = configuration
        self._configure_logs()

    def note(self, mnemonic: str, text: str) -> None:
        """Log a message; see :class:`cli.router.Router`."""
        self._log.info("{text}", mnemonic=mnemonic, text=text)

    def distributed(self) -> tuple[GroupStatus, ...]:
        """The redundancy groups with their links and feeds."""
        return report.groups(self.device, self._now())

    def standby(self) -> tuple[StandbyStatus, ...]:
        """The HSRP groups: none, since no configuration with one is applied yet (snat/config/unbuilt.py)."""
        return ()

    def statistics(self) -> Statistics:
        """All counters, those of the device and of what surrounds it."""
        return Statistics(counters=since(self._counters(), self._cleared, _GAUGES))

    def clear_statistics(self) -> None:
        """Count anew; see :class:`cli.router.Router`."""
        self._cleared = self._counters()
        self.device.count_anew(self._now())

    def clear_sessions(self, address: IPv4Address | None) -> None:
        """Close links, which are dialled anew; see :class:`cli.router.Router`."""
        self.device.drop(self._nat_ids(address), self._now())
        self.pump()

    def refresh(self, address: IPv4Address | None, *, forget: bool) -> None:
        """Ask managers for all entries anew; see :class:`cli.router.Router`."""
        nat_ids = self._nat_ids(address)
        if address is not None and not any(group.manager in nat_ids for group in self.device.groups):
            what = f"{address} manages nothing that this router receives"
            raise CommandRefused(f"{what}: see show ip snat distributed")
        self.device.refresh(nat_ids, self._now(), forget=forget)
        self.pump()

    # Inside

    def _now(self) -> float:
        return self._reactor.seconds()

    def _counters(self) -> Subjects:
        counters = report.statistics(self.device).counters | self._datapath.counters()
        counters |= self._members.counters()
        counters["dialler"] = as_dict(self._dialled)
        counters["log"] = {"suppressed": self._repeating.suppressed}
        return counters

    def _configure_logs(self) -> None:
        configuration = self._configuration
        self.log.configure(configuration.system.logging, configuration.hostname)
        self._translation_log.configure(configuration.nat)

    def _regroup(self, configuration: Configuration) -> None:
        """Take other members as at a restart; packets of flows that exist pass meanwhile.

        What may fail is done first, beside what is there: the certificates are read, the new addresses
        listened on, the kernel asked. Raises ConfigurationRefused, and then all is as it was.
        """
        places = places_of(configuration)
        try:
            credentials = _credentials(configuration)
            opened = self._members.listen(places) if self.running else ()
        except TrustpointError as error:
            raise ConfigurationRefused(str(error)) from error
        except CannotListenError as error:
            raise refused(error) from error
        try:
            self._datapath.configure(configuration, ())
        except ConfigurationRefused:
            self._members.unlisten(opened)
            with suppress(KernelRefused):  # what went wrong first is what is told
                self._datapath.claim(self._managing)
            raise
        self._members.part()
        self.device.stop(self._now())
        self._do_as_asked()
        self._undone, self._managing = [], []
        self.device.regroup(configuration, terms=self._state.state.terms, now=self._now())
        self._configuration, self._credentials = configuration, credentials
        self._configure_logs()
        if self.running:
            self._members.meet(places, self.device.neighbors)
            self.pump()

    def _nat_ids(self, address: IPv4Address | None) -> set[int]:
        """Of the peer with an address, or of all. Raises CommandRefused if there is none with it."""
        peers = [peer for group in groups_of(self._configuration) for peer in group.peers]
        found = {peer.nat_id for peer in peers if address in (None, peer.address)}
        if address is not None and not found:
            known = ", ".join(sorted({str(peer.address) for peer in peers})) or "it has none"
            raise CommandRefused(f"{address} is no peer of this router; its peers: {known}")
        return found

    def _take_turns(self) -> float:
        """Turns, as long as there is something to say; when the next is due."""
        for _ in range(_ROUNDS):
            self.device.turn(self._now())
            self._greet()
            if not self._do_as_asked():
                return self.device.next_deadline()
            sent = [connection.flush() for connection in list(self._connections.values())]
            if not any(sent):
                return self.device.next_deadline()
        return self._now()

    def _greet(self) -> None:
        """A session that came up ends the back-off of its neighbor."""
        for link, connection in list(self._connections.items()):
            if link.established and not connection.established:
                connection.established = True
                self._members.diallers[link.neighbor.nat_id].established()

    def _do_as_asked(self) -> bool:
        """Act on what the device asks for; False if something must wait, and with it all that we say.

        A router that cannot store a term or have its addresses is silent until it can: so another takes over.
        """
        undone, self._undone = self._undone, []
        for event in [*undone, *self.device.events()]:
            if self._undone and isinstance(event, TermTaken | RoleTaken | RoleLeft):
                self._undone.append(event)  # in order
                continue
            try:
                self._act(event)
            except (StateError, KernelRefused) as error:
                self._undone.append(event)
                text = "{reason}; until then nothing is said to neighbors"
                self._repeating.say(text, reason=str(error), mnemonic="SNAT-3-PROCESS")
        return not self._undone

    def _act(self, event: object) -> None:
        match event:
            case TermTaken():
                self._state.take_term(event.feed, event.term)
            case RoleTaken():
                self._claim([*self._managing, event.group])
            case RoleLeft():
                self._claim([group for group in self._managing if group != event.group])
            case IncarnationRefused() if event.incarnation == self.device.incarnation:
                self.device.renew(self._state.renew_incarnation(), self._now())
            case LinkClosed():
                connection = self._connections.pop(event.link, None)
                if connection is not None:
                    connection.close(last_word=not self._undone)
            case Noted(repeats=True):
                self._repeating.say(event.text, alarm=event.alarm, **event.fields, mnemonic=event.mnemonic)
            case Noted():
                log = self._log.warn if event.alarm else self._log.info
                log(event.text, **event.fields, mnemonic=event.mnemonic)

    def _in_thread(self, work: Callable[[], None]) -> "Deferred[None]":
        threads: Any = self._reactor
        return deferToThreadPool(threads, threads.getThreadPool(), work)

    def _claim(self, managing: list[Group]) -> None:
        self._datapath.claim(managing)
        self._managing = managing

    def _failed(self, failure: Failure) -> None:
        self._log.failure("the daily look at the certificates ended", failure, mnemonic="PKI-3-CHECK")

    def _set_alarm(self, deadline: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._reactor.callLater(max(0.001, deadline - self._now()), self._ring)

    def _pump_soon(self) -> None:
        """Once, after everything that comes in this turn of the reactor."""
        if self._alarm is not None and self._alarm.getTime() > self._now():
            self._alarm.reset(0)

    def _ring(self) -> None:
        self._alarm = None
        self.pump()

    def _tls(self) -> CertificateOptions:
        assert self._credentials is not None, "verify() demands a trustpoint for a group"
        return self._credentials.options

    def _is_revoked(self, identity: Identity) -> bool:
        return self._credentials is not None and self._credentials.revokes(identity)

    def _warn_of_ends(self) -> None:
        if self._credentials is not None:
            for path, days in self._credentials.ending(utc_now()):
                left = f"ends in {days} days" if days >= 0 else "has ended"
                text = "{path} {left}: replace it, then `kill -HUP`"
                self._log.warn(text, path=path, left=left, mnemonic="PKI-4-CERTIFICATE_EXPIRES")

    def _gate(self, expected: set[str]) -> Gate:
        return Gate(self._tls, self, self._choose, expected, self._reactor, self._repeating)

    def _dialler(self, nat_id: int) -> Dialler:
        addresses = [
            Address(str(peer.address), peer.port, str(group.address))
            for group in groups_of(self._configuration)
            for peer in group.peers
            if peer.nat_id == nat_id
        ]
        name = self.device.neighbors[nat_id].name

        def check(identity: Identity | None, host: str) -> str:
            if identity is None or not identity.is_of(name, nat_id):
                return f"{host} is {identity or 'no snat router'}; {name} (NAT ID {nat_id}) is configured"
            return f"the certificate of {identity} is revoked" if self._is_revoked(identity) else ""

        return Dialler(
            self._reactor,
            self._tls,
            self,
            addresses,
            begin=lambda: self.device.dialled(nat_id, self._now()),
            check=check,
            counters=self._dialled,
        )

    def _choose(self, identity: Identity | None, _host: str) -> Link | str:
        """Whose an accepted connection is."""
        for nat_id, neighbor in self.device.neighbors.items():
            if identity is not None and identity.is_of(neighbor.name, nat_id):
                if self._is_revoked(identity):
                    return f"the certificate of {identity} is revoked"
                return self.device.accepted(nat_id, self._now())
        return f"its certificate is of {identity}, no neighbor" if identity else "it speaks another protocol"


def _credentials(configuration: Configuration) -> Credentials | None:
    """What a device proves itself with, if it has anybody to prove it to. Raises TrustpointError."""
    trustpoint, stateful = configuration.trustpoint, configuration.stateful
    return None if trustpoint is None or stateful is None else Credentials.load(trustpoint, stateful.nat_id)
