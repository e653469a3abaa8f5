"""Whole routers in one process, without sockets: real TLS over cables in memory, under one clock.

An operator's mistakes and a stranger's bytes enter by the same cables as the good neighbors.
"""

import errno
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError, ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorFDSet, IReactorTCP, IReactorTime
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from zope.interface import implementer

from snat import pki
from snat.config.model import Configuration, ConfiguredRole, Group, Trustpoint
from snat.device.device import Device
from snat.net.files import StateDirectory
from snat.net.service import RouterService
from snat.translate.packet import START
from tests import packets
from tests.simulation.network import configuration

PORT = 15555
EPOCH = 1_700_000_000.0
"""What the wall clock says when the reactor's says 0."""
BUFFER = 65536
"""Bytes a transport holds before it pauses its producer, as Twisted's own."""


def address(nat_id: int) -> str:
    return f"192.168.77.{nat_id}"


def certificates(directory: Path, nat_ids: Iterable[int]) -> Path:
    """An authority and a good certificate for each router."""
    pki.init(directory)
    for nat_id in nat_ids:
        pki.issue(directory, f"r{nat_id}.example", nat_id, [address(nat_id)])
    return directory


def trustpoint(directory: Path, name: str) -> Trustpoint:
    return Trustpoint(
        name="SNAT",
        ca_certificate=str(directory / "ca.pem"),
        certificate=str(directory / f"{name}.pem"),
        private_key=str(directory / f"{name}.key"),
    )


class Wired(StringTransport):
    """A transport that takes the options of TCP."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Taken."""
        assert enabled


class End(FakeTransport):
    """One end of a cable: it has addresses, pauses its producer when it is full, and can be aborted."""

    def __init__(self, protocol: Any, server: bool, host: IPv4Address, peer: IPv4Address) -> None:
        super().__init__(protocol, server, host, peer)
        self.told = False
        self.aborted = False
        self.most = 0
        """The most bytes it ever held."""
        self.reading = True
        """Its protocol takes what comes; otherwise that stays with the other end."""
        self._full = False

    @property
    def held(self) -> int:
        return sum(map(len, self.stream))

    def write(self, data: bytes) -> None:
        if not self.told:
            super().write(data)
            self.most = max(self.most, self.held)
            if self.producer is not None and not self._full and self.held > BUFFER:
                self._full = True
                self.producer.pauseProducing()

    def loseConnection(self) -> None:
        self.disconnecting = 1

    def setTcpNoDelay(self, enabled: bool) -> None:
        assert enabled

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def abortConnection(self) -> None:
        self.stream = []
        self.aborted = True
        self.disconnecting = 1

    def take(self) -> bytes:
        """What was written, off its hands."""
        data = self.getOutBuffer() or b""
        if self._full:
            self._full = False
            if self.producer is not None:
                self.producer.resumeProducing()
        return data

    def end(self, reason: Exception) -> None:
        """Tell the protocol that it is over, once."""
        if not self.told:
            self.told = True
            self.protocol.connectionLost(Failure(reason))


class Cable:
    """One TCP connection."""

    def __init__(self, client: Any, server: Any, source: str, target: str, port: int) -> None:
        near, far = IPv4Address("TCP", source, 50000), IPv4Address("TCP", target, port)
        self.client = End(client, False, near, far)
        self.server = End(server, True, far, near)
        self.stalled = False
        """The path carries nothing, and nobody notices."""
        self.carried = bytearray()
        """What went from client to server, as it was on the wire."""
        if server is None:  # the factory would not have it
            self.server.told = True
        else:
            server.makeConnection(self.server)
        client.makeConnection(self.client)
        if server is None:
            self.client.end(ConnectionDone())

    @property
    def alive(self) -> bool:
        return not (self.client.told and self.server.told)

    def cut(self) -> None:
        """Both ends learn that it is gone."""
        for end in (self.client, self.server):
            end.end(ConnectionLost())

    def pump(self) -> bool:
        """Carry what waits; whether anything happened."""
        if self.stalled:
            return self._part()
        moved = False
        for end, other in ((self.client, self.server), (self.server, self.client)):
            if other.reading and (data := end.take()):
                moved = True
                if end is self.client:
                    self.carried += data
                if not other.told:
                    other.protocol.dataReceived(data)
        return moved or self._part()

    def _part(self) -> bool:
        """Tell the ends what came of it; on a stalled cable only whoever aborted learns anything."""
        for end, other in ((self.client, self.server), (self.server, self.client)):
            if not (other.reading or end.aborted):
                continue  # who does not read does not learn that nothing more comes
            if end.disconnecting and not end.told and (end.aborted or not self.stalled):
                end.end(ConnectionAborted() if end.aborted else ConnectionDone())
                if not self.stalled:
                    other.end(ConnectionLost() if end.aborted else ConnectionDone())
                return True
        return False


class Port:
    """A listening port."""

    def __init__(self, reactor: "Reactor", place: tuple[str, int]) -> None:
        self._reactor = reactor
        self._place = place

    def stopListening(self) -> None:
        del self._reactor.listening[self._place]


@implementer(IReactorTCP, IReactorTime, IReactorFDSet)
class Reactor(MemoryReactorClock):
    """One clock for all, and the cables between them."""

    def __init__(self) -> None:
        super().__init__()
        self.listening: dict[tuple[str, int], Any] = {}
        self.cables: list[Cable] = []
        self.dials: list[tuple[float, str]] = []
        """When and to which host somebody dialled."""
        self.states: list[StateDirectory] = []
        """Those of its members."""
        self.unanswered: set[str] = set()
        """Hosts that do not answer when they are dialled."""
        self.advance(1000.0)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        if (interface, port) in self.listening:
            raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "Address already in use"))
        self.listening[interface, port] = factory
        return Port(self, (interface, port))

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,  # noqa: N803
    ) -> Any:
        self.dials.append((self.seconds(), host))
        connector = super().connectTCP(host, port, factory, timeout, bindAddress)
        self.callLater(0.001, self._answer, connector, host, port, factory, timeout, bindAddress[0])
        return connector

    def _answer(
        self, connector: Any, host: str, port: int, factory: Any, timeout: float, source: str
    ) -> None:
        if connector.stoppedConnecting:
            return
        if host in self.unanswered:
            self.callLater(timeout, self._time_out, connector, factory)
            return
        if (host, port) not in self.listening:
            factory.clientConnectionFailed(connector, Failure(error.ConnectionRefusedError()))
            return
        self.join(factory, source, host, port)

    def _time_out(self, connector: Any, factory: Any) -> None:
        if not connector.stoppedConnecting:
            factory.clientConnectionFailed(connector, Failure(error.TimeoutError()))

    def join(self, factory: Any, source: str, host: str, port: int = PORT) -> Cable:
        """Connect a client's factory to whoever listens."""
        client = factory.buildProtocol(IPv4Address("TCP", host, port))
        server = self.listening[host, port].buildProtocol(IPv4Address("TCP", source, 50000))
        cable = Cable(client, server, source, host, port)
        self.cables.append(cable)
        return cable

    def settle(self) -> None:
        """Carry bytes until no more come, at one instant."""
        for _ in range(10_000):
            super().advance(0)
            moved = [cable.pump() for cable in list(self.cables)]
            if not any(moved):
                break
        else:
            raise AssertionError("it never settles")
        self.cables = [cable for cable in self.cables if cable.alive]

    def elapse(self, seconds: float, step: float = 0.02) -> None:
        """Let time pass."""
        end = self.seconds() + seconds
        while self.seconds() < end:
            self.advance(step)
            self.settle()

    def run_until(self, reached: Callable[[], bool], most: float = 15.0) -> None:
        """Let time pass until something is so; fails after ``most`` virtual seconds."""
        end = self.seconds() + most
        while not reached():
            assert self.seconds() < end, f"not reached in {most} s"
            self.elapse(0.02)

    @property
    def waiting(self) -> list[str]:
        """What is still to be called, and when; an answer to a dial that was given up does not count."""
        given_up = (self._answer, self._time_out)
        return [f"{call.func} at {call.time}" for call in self.pending if call.func not in given_up]

    @property
    def pending(self) -> list[Any]:
        """Everything that is still to be called."""
        return [*self.getDelayedCalls()]


@implementer(ILogObserver)
class Log:
    """What is logged while it is entered: lines, as they are read."""

    def __enter__(self) -> "Log":
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *_: object) -> None:
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def lines(self, part: str = "") -> list[str]:
        return [line for event in self.events if part in (line := formatEvent(event))]


class RecordedPath:
    """A data path that remembers what it was told, and can be made to refuse."""

    def __init__(self, device: Device, batch_done: Callable[[], None]) -> None:
        self.device = device
        self.batch_done = batch_done
        self.told: list[str] = []
        self.refusal: Exception | None = None
        self.managed: tuple[Group, ...] = ()
        """Groups that were managed when it was configured last."""

    def _tell(self, what: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.told.append(what)

    def start(self) -> None:
        self._tell("start")

    def stop(self) -> None:
        self._tell("stop")

    def claim(self, groups: Iterable[Group]) -> None:
        self._tell(f"claim {[mapping for group in groups for mapping in group.mapping_ids]}")

    def configure(self, configuration: Configuration, managed: Iterable[Group]) -> None:
        self._tell("configure")
        self.managed = tuple(managed)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self, link: str, addresses: tuple[Any, ...]) -> None:
        self._tell(f"take {link} {', '.join(map(str, addresses))}")

    def leave(self, link: str) -> None:
        self._tell(f"leave {link}")

    def counters(self) -> dict[str, dict[str, int]]:
        return {"recorded": {"told": len(self.told)}}


class Member:
    """A router of a pair or a triple, started and killed as often as the test likes."""

    def __init__(
        self,
        reactor: Reactor,
        directory: Path,
        configuration: Configuration,
        state: StateDirectory | None = None,
    ) -> None:
        self.reactor = reactor
        self.directory = directory
        self.configuration = configuration
        self.nat_id = configuration.stateful.nat_id if configuration.stateful else 0
        self.state = state or StateDirectory(directory)
        reactor.states.append(self.state)
        self.paths: list[RecordedPath] = []
        live: Any = reactor
        self.service = RouterService(
            configuration,
            live,
            self.state,
            ttl_step=1,
            datapath=self._datapath,
            wall=lambda: EPOCH + reactor.seconds(),
            in_thread=maybeDeferred,
        )

    def _datapath(self, device: Device, batch_done: Callable[[], None]) -> RecordedPath:
        self.paths.append(RecordedPath(device, batch_done))
        return self.paths[-1]

    @property
    def path(self) -> RecordedPath:
        return self.paths[-1]

    @property
    def device(self) -> Device:
        return self.service.device

    @property
    def standing(self) -> str:
        return self.device.groups[0].standing.name

    @property
    def ready(self) -> bool:
        """Linked both ways with every neighbor, synchronised and verified."""
        (group, *_) = self.service.distributed()
        linked = all(link.state == "Establish" for link in group.links)
        verified = all(feed.synchronised and feed.verified_age is not None for feed in group.feeds)
        return linked and verified and group.state == "READY"

    @property
    def table(self) -> set[bytes]:
        return set(self.device.table)

    def counters(self, subject: str) -> dict[str, int]:
        return self.service.statistics().counters[subject]

    def outgoing(self, neighbor: int) -> str:
        """The state of the link to a neighbor."""
        link = self.device.neighbors[neighbor].outgoing
        return link.session.state.value if link is not None else "Idle"

    def traffic(self, count: int, first: int = 1024) -> None:
        """As many new UDP flows from one inside host, each with a port of its own."""
        filled, end = packets.buffer(packets.udp("10.0.0.5", 1, "198.51.100.9", 500))
        packet = bytearray(filled[:end])
        ports = START + 20
        packet[ports + 6 : ports + 8] = b"\x00\x00"  # no UDP checksum: it need not be computed for each
        for port in range(first, first + count):
            packet[ports : ports + 2] = port.to_bytes(2, "big")
            copy = bytearray(packet)
            assert self.device.packet(copy, end, False, self.reactor.seconds())
        self.service.pump()

    def die(self, *, told: bool = True) -> None:
        """As kill -9 seen from outside: no goodbye, its connections break, its ports are closed.

        Not ``told``, as a power cut: its connections carry nothing any more, and nobody says so.
        """
        self.service.running = False
        for dialler in self.service.members._diallers.values():
            dialler.stop()
        for door in self.service.members._doors.values():
            door.port.stopListening()
        self.service._daily.stop()
        snapshots = self.service._snapshots
        for call in (self.service._alarm, snapshots._next if snapshots is not None else None):
            if call is not None:
                call.cancel()
        self.state.close()
        for cable in self.reactor.cables:
            if address(self.nat_id) in (cable.client.getHost().host, cable.server.getHost().host):
                cable.stalled = True
                if told:
                    cable.cut()

    def again(self) -> "Member":
        """The next run, of the same configuration and state directory."""
        return Member(self.reactor, self.directory, self.configuration)


def pair(reactor: Reactor, directory: Path, authority: Path, **changes: Any) -> tuple[Member, Member]:
    """A primary and a backup, made and not started; their state below ``directory``."""
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}
    first, second = (
        Member(reactor, directory / f"r{one}", configured(one, role, (3 - one,), authority, **changes))
        for one, role in roles.items()
    )
    return first, second


def configured(
    nat_id: int, role: ConfiguredRole, peers: tuple[int, ...], authority: Path, **changes: Any
) -> Configuration:
    """The configuration of the simulations, with certificates; ``changes`` are of its group."""
    made = configuration(nat_id, role, peers)
    assert made.stateful is not None
    groups = tuple(replace(group, **changes) for group in made.stateful.groups)
    return replace(
        made,
        stateful=replace(made.stateful, groups=groups),
        trustpoint=trustpoint(authority, f"r{nat_id}.example"),
    )


def become_pair(reactor: Reactor, first: Member, second: Member) -> None:
    """Start both and wait until the first manages and the second listens."""
    for member in (first, second):
        member.service.startService()
    reactor.run_until(lambda: first.ready and second.ready)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
