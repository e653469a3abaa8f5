"""The router: one device with its files, its neighbors, its packets and its clock.

Whatever happens ends in :meth:`RouterService.pump`: the device takes its turn, terms are stored, addresses
are claimed or withdrawn, and only then do bytes leave. There is one alarm, for the device's next deadline;
bytes that come move it to the end of the reactor's turn, so that all of them make one pump. Packets alone
seldom need one (:meth:`RouterService.heed`).
"""

import random
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from snat.config.model import Configuration, Group
from snat.config.refused import ConfigurationRefused
from snat.config.verify import verify
from snat.counters import Subjects, since
from snat.device import report
from snat.device.change import Change
from snat.device.device import Device
from snat.device.events import IncarnationRefused, LinkClosed, Noted, RoleLeft, RoleTaken, TermTaken
from snat.device.refused import CommandRefused
from snat.device.status import GroupStatus, Statistics
from snat.net.datapath import DataPath
from snat.net.debugging import Debugging
from snat.net.files import StateDirectory, StateError
from snat.net.interfaces import Interfaces
from snat.net.log import MESSAGES, RepeatingLog
from snat.net.machine import Machine
from snat.net.members import Members, refusal_of
from snat.net.modules import Followed, Modules, followed_by
from snat.net.nat import Nat
from snat.net.neighbor import ReactorTCPTime
from snat.net.refused import KernelRefused
from snat.net.reload import Reloads
from snat.net.snapshot_file import SNAPSHOT_INTERVAL, InThread, SnapshotWriter, load
from snat.net.startup_file import StartupFile
from snat.net.syslog import SystemLog
from snat.net.tls import TrustpointError
from snat.net.translation_log import TranslationLog
from snat.redundancy.roles import CLAIM_TIME
from snat.status import StandbyStatus

_DAY = 86400.0
_GAUGES = frozenset({("table", "entries")})
"""Among the counters, by subject and name: they tell how many there are now."""
LINGER = CLAIM_TIME
"""Seconds that who stops as manager translates on, while another takes the addresses."""
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
        live: Any = reactor
        self.nat = Nat(self.device, reactor.seconds, self.pump)
        self._cleared: Subjects = {}
        """The counters as they were when an operator cleared them."""
        self._datapath = datapath(self.device, self.heed)
        self._repeating = RepeatingLog(reactor)
        self.members = Members(
            configuration, self.device, reactor, self._repeating, pump=self.pump, pump_soon=self._pump_soon
        )
        self._modules = Modules(live, self._datapath, self._module_said, self._module_preempts)
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
        self.machine = Machine(reactor.seconds, wall=wall, reload_reason=reload_reason)
        self.network = Interfaces(self.running_configuration)
        self.startup = StartupFile(startup, self.machine.clock, in_thread or self._in_thread)
        self.reloads = Reloads(reactor, self.machine.clock, self.note, stop)
        self.log = SystemLog(live, self.machine.clock)
        self.debugging = Debugging(
            self.device, reactor, self.running_configuration, self.log.count_suppressed
        )
        self._translation_log = TranslationLog(self.device, reactor, self.log.count_suppressed)
        self._configure_logs()
        self._managing: tuple[Group, ...] = ()
        """Whose addresses are claimed."""
        self._undone: list[object] = []
        """What the device asked for and could not be had yet."""
        self._alarm: Any = None
        self._daily = LoopingCall(self.members.warn_of_ends)
        self._daily.clock = reactor
        self._pumping = False

    # Service

    def startService(self) -> None:
        """Take packets, listen, dial. Raises what cannot be had: addresses, ports, TUNs."""
        super().startService()
        self._state.sign()
        self._datapath.start()
        self._modules.open(self._configuration)
        self.members.follow(self.members.prepare(self._configuration))
        self._modules.follow(self._configuration)
        self._daily.start(_DAY).addErrback(self._failed)
        if self._snapshots is not None:
            self._snapshots.start()
        self.pump()

    def stopService(self) -> Deferred[Any]:
        """Withdraw the addresses, say goodbye, stop. No turn is taken any more: it could take a role.

        Who manages hands over first: the last word leaves, then the modules let go, and the flows that
        exist are translated until another has taken their packets (:data:`LINGER`).
        """
        super().stopService()
        if self._daily.running:
            self._daily.stop()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        ended: list[Deferred[Any]] = [*self.members.stop()]
        successors = self._managing and self.device.has_company()
        self._undone = []
        self.device.stop(self._now())
        self._do_as_asked()
        if successors:
            self._withdraw()
            clock: Any = self._reactor
            ended.append(deferLater(clock, 0, self._modules.stop))  # behind the last word
            ended.append(deferLater(clock, LINGER, self._stop_datapath))
        else:
            self._modules.stop()
            self._stop_datapath()
        self._translation_log.stop()
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
            self._tell_modules()
            self.members.hold_back()
        finally:
            self._pumping = False

    def heed(self) -> None:
        """A batch of packets passed: pump now if somebody waits for what it changed, or soon."""
        if self._pumping or not self.running:
            return
        now = self._now()
        at = self.device.heed(now)
        if at <= now:
            self.pump()
        elif self._alarm is not None and at < self._alarm.getTime():
            self._alarm.reset(at - now)

    def reload(self) -> None:
        """Read the trustpoint's files again (SIGHUP); see :meth:`snat.net.members.Members.reload`."""
        self.members.reload(self._configuration)

    # cli.router.Router

    def running_configuration(self) -> Configuration:
        """The configuration in force."""
        return self._configuration

    def apply(self, configuration: Configuration) -> None:
        """Verify, then apply; see :class:`cli.router.Router` and :meth:`snat.device.device.Device.configure`.

        First comes all that can be refused: files are read, ports opened, the kernel asked.
        """
        problems = verify(configuration)
        if problems:
            raise ConfigurationRefused("; ".join(map(str, problems)))
        change = Change(before=self._configuration, after=configuration)
        try:
            prepared = self.members.prepare(configuration) if self.running else None
        except (TrustpointError, CannotListenError) as error:
            raise refusal_of(error) from error
        try:
            managing = change.manages(self._managing)
            self._open_modules(configuration)
            self._datapath.configure(configuration, managing)
        except ConfigurationRefused:
            self._modules.forgo(self._configuration)
            if prepared is not None:
                prepared.discard()
            raise
        self._managing, self._configuration = managing, configuration
        self._pumping = True  # not before all of it is done
        try:
            self.device.configure(configuration, self._now())
            if prepared is not None:
                self.members.follow(prepared)
        finally:
            self._pumping = False
        if self.running:
            self._modules.follow(configuration)
        self._configure_logs()
        self.pump()

    def note(self, mnemonic: str, text: str) -> None:
        """Log a message; see :class:`cli.router.Router`."""
        self._log.info("{text}", mnemonic=mnemonic, text=text)

    def distributed(self) -> tuple[GroupStatus, ...]:
        """The redundancy groups with their links and feeds."""
        return report.groups(self.device, self._now())

    def standby(self) -> tuple[StandbyStatus, ...]:
        """The HSRP groups."""
        return self._modules.standby()

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

    def _withdraw(self) -> None:
        """Announce nothing any more, and answer for no address of a group."""
        try:
            self._datapath.claim(())
        except KernelRefused as refused:
            self._log.error("{reason}", reason=str(refused), mnemonic="SNAT-3-KERNEL")

    def _stop_datapath(self) -> None:
        try:
            self._datapath.stop()
        except KernelRefused as refused:
            self._log.error("{reason}", reason=str(refused), mnemonic="SNAT-3-KERNEL")

    def _now(self) -> float:
        return self._reactor.seconds()

    def _counters(self) -> Subjects:
        counters = report.statistics(self.device).counters | self._datapath.counters()
        counters |= self.members.counters() | self._modules.counters()
        counters["log"] = {"suppressed": self._repeating.suppressed}
        return counters

    def _configure_logs(self) -> None:
        configuration = self._configuration
        self.log.configure(configuration.system.logging, configuration.hostname)
        self._translation_log.configure(configuration.nat)

    def _nat_ids(self, address: IPv4Address | None) -> set[int]:
        """Of the peer with an address, or of all. Raises CommandRefused if there is none with it."""
        peers = [peer for group in self._configuration.groups for peer in group.peers]
        found = {peer.nat_id for peer in peers if address in (None, peer.address)}
        if address is not None and not found:
            known = ", ".join(sorted({str(peer.address) for peer in peers})) or "it has none"
            raise CommandRefused(f"{address} is no peer of this router; its peers: {known}")
        return found

    def _open_modules(self, configuration: Configuration) -> None:
        try:
            if self.running:
                self._modules.open(configuration)
        except KernelRefused as refused:
            raise ConfigurationRefused(str(refused)) from refused

    def _module_said(self, module: Followed, active: bool) -> None:
        for group in self.device.groups:
            if followed_by(group.configuration) == module:
                group.told(active, self._now())
        self._pump_soon()

    def _module_preempts(self, module: Followed) -> None:
        for group in self.device.groups:
            if followed_by(group.configuration) == module:
                group.preempt()
        self._pump_soon()

    def _tell_modules(self) -> None:
        try:
            self._modules.tell(self.device.groups)
            if not self._undone:  # terms are stored, and addresses answered for
                self._modules.hand_over(self.device.groups)
        except KernelRefused as refused:
            text = "{reason}; this router cannot become active"
            self._repeating.say(text, reason=str(refused), mnemonic="SNAT-3-PROCESS")

    def _take_turns(self) -> float:
        """Turns, as long as there is something to say; when the next is due."""
        for _ in range(_ROUNDS):
            self.device.turn(self._now())
            self._datapath.flush()
            self.members.greet()
            if not self._do_as_asked():
                return self.device.next_deadline()
            if not self.members.flush() or not self.device.serves:
                return self.device.next_deadline()
        return self._now()

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
            case RoleTaken() | RoleLeft():
                self._claim()
            case IncarnationRefused() if event.incarnation == self.device.incarnation:
                self.device.renew(self._state.renew_incarnation(), self._now())
            case LinkClosed():
                self.members.close(event.link, last_word=not self._undone)
            case Noted(repeats=True):
                self._repeating.say(event.text, alarm=event.alarm, **event.fields, mnemonic=event.mnemonic)
            case Noted():
                log = self._log.warn if event.alarm else self._log.info
                log(event.text, **event.fields, mnemonic=event.mnemonic)

    def _in_thread(self, work: Callable[[], None]) -> "Deferred[None]":
        threads: Any = self._reactor
        return deferToThreadPool(threads, threads.getThreadPool(), work)

    def _claim(self) -> None:
        managing = tuple(
            group.configuration for group in self.device.groups if group.manages and group.is_own
        )
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
