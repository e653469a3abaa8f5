"""Inside hosts and the servers they talk to: UDP, ICMP echo, and TCP connections from SYN to the last ACK."""

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from snat.nat.tracking import ACK, FIN, ICMP, RST, SYN, TCP, UDP
from tests import packets
from tests.simulation.invariants import Broken
from tests.simulation.network import Network, Router

SERVERS: Final = (bytes((198, 51, 100, 7)), bytes((198, 51, 100, 8)))
_PSH: Final = 0x08


class Book(Protocol):
    """Who keeps what was agreed on."""

    checkpoints: int

    def round(self) -> None:
        """Look at all devices."""

    def delete(self, router: Router, records: list[bytes]) -> None:
        """Somebody clears translations."""

    def promised(self, router: Router, flow: bytes) -> bytes | None:
        """The inside-global endpoint that a flow must have at a router, if it is known."""

    def used(self, router: Router, flow: bytes) -> None:
        """A packet of a flow passed."""


class Flow(NamedTuple):
    """Who talks to whom, as the inside host calls them; an echo has its identifier for both ports."""

    protocol: int
    host: bytes
    port: int
    server: bytes
    server_port: int

    @property
    def key(self) -> bytes:
        """Its entry's inside-local and outside-local endpoints."""
        port, server_port = self.port.to_bytes(2, "big"), self.server_port.to_bytes(2, "big")
        return self.host + port + bytes((self.protocol,)) + self.server + server_port


@dataclass(slots=True)
class Connection:
    """How far a TCP connection is; sequence numbers are those of the next byte of each side."""

    stage: int = 0
    inside_next: int = 1000
    outside_next: int = 5000
    inside_closes: bool = True
    """Whose FIN was the first."""


class Traffic:
    """Packets of a small world of hosts, each with few ports, so that flows come back."""

    def __init__(self, network: Network, dice: random.Random, ledger: Book) -> None:
        self._network = network
        self._dice = dice
        self._ledger = ledger
        self._hosts = [bytes((10, 0, 0, host)) for host in range(2, 2 + dice.randint(1, 8))]
        self._ports = dice.randint(2, 24)
        self._connections: defaultdict[Flow, Connection] = defaultdict(Connection)
        self._outside: dict[Flow, tuple[bytes, int]] = {}
        """The outside address and port that a flow's last packet left with."""
        self._address: dict[bytes, bytes] = {}
        """The outside address of each host: the same on every member, always (RFC 4787 REQ-2)."""
        self._kept = [Flow(UDP, host, 40001, server, 4500) for host in self._hosts[:2] for server in SERVERS]
        """Flows of clients that are there all the time."""
        self.sent = 0

    def burst(self, router: Router, packets_: int) -> None:
        """Packets that the router reads one after the other, now and then with a turn between them."""
        for flow in self._kept if packets_ else ():
            self._datagram(router, flow)
        for _ in range(packets_):
            self._one(router)
            if self._dice.random() < 0.1:
                router.settle()
        router.settle()

    def _one(self, router: Router) -> None:
        dice = self._dice
        match dice.random():
            case x if x < 0.40:
                self._datagram(router, self._flow(UDP, 53))
            case x if x < 0.50:
                identifier = dice.randrange(1, 1 + self._ports)
                self._echo(router, Flow(ICMP, dice.choice(self._hosts), identifier, SERVERS[0], identifier))
            case _:
                self._segment(router, self._flow(TCP, 80))

    def _flow(self, protocol: int, server_port: int) -> Flow:
        dice = self._dice
        port = 1022 + dice.randrange(self._ports)
        return Flow(protocol, dice.choice(self._hosts), port, dice.choice(SERVERS), server_port)

    # One packet

    def _datagram(self, router: Router, flow: Flow) -> None:
        known = self._outside.get(flow)
        if known is None or self._dice.random() < 0.7:
            self._out(router, flow, packets.raw_udp(flow.host, flow.port, flow.server, flow.server_port))
        else:
            self._in(router, flow, packets.raw_udp(flow.server, flow.server_port, *known))

    def _echo(self, router: Router, flow: Flow) -> None:
        known = self._outside.get(flow)
        if known is None or self._dice.random() < 0.7:
            self._out(router, flow, packets.raw_echo(flow.host, flow.server, flow.port))
        else:
            self._in(router, flow, packets.raw_echo(flow.server, *known, reply=True))

    def _segment(self, router: Router, flow: Flow) -> None:
        """The next segment of a connection; if it does not get through, the host gives up."""
        connection = self._connections[flow]
        inside, flags, payload, stage = self._next(connection)
        known = self._outside.get(flow)
        if not inside and known is None:
            return
        numbers = (connection.inside_next, connection.outside_next)
        if inside:
            made = packets.raw_tcp(
                flow.host, flow.port, flow.server, flow.server_port, flags, payload, *numbers
            )
            passed = self._out(router, flow, made)
        else:
            assert known is not None
            made = packets.raw_tcp(flow.server, flow.server_port, *known, flags, payload, *reversed(numbers))
            passed = self._in(router, flow, made)
        if not passed:
            self._connections[flow] = Connection()
            return
        taken = len(payload) + bool(flags & (SYN | FIN))
        connection.stage = stage
        if inside:
            connection.inside_next += taken
        else:
            connection.outside_next += taken

    def _next(self, connection: Connection) -> tuple[bool, int, bytes, int]:
        """From inside?, flags, payload, and the stage that follows."""
        dice = self._dice
        match connection.stage:
            case 0:
                connection.inside_next = dice.randrange(1 << 31)
                return True, SYN, b"", 1
            case 1:
                connection.outside_next = dice.randrange(1 << 31)
                return False, SYN | ACK, b"", 2
            case 2:
                return True, ACK, b"", 3
            case 3:
                return self._established(connection)
            case 4:
                return not connection.inside_closes, FIN | ACK, b"", 5
            case _:
                return connection.inside_closes, ACK, b"", 0

    def _established(self, connection: Connection) -> tuple[bool, int, bytes, int]:
        inside, chance = self._dice.random() < 0.5, self._dice.random()
        if chance < 0.1:
            return inside, RST | ACK, b"", 0
        if chance < 0.4:
            connection.inside_closes = inside
            return inside, FIN | ACK, b"", 4
        return inside, _PSH | ACK, b"data", 3

    # Through the router

    def _out(self, router: Router, flow: Flow, packet: bytes) -> bool:
        promised = self._ledger.promised(router, flow.key)
        passed = self._through(router, flow, packet, promised, from_outside=False)
        if passed is None:
            return False
        ends = packets.raw_ends(passed)
        source = (ends.source, ends.sport)
        self._outside[flow] = source
        if self._address.setdefault(flow.host, ends.source) != ends.source:
            raise Broken(f"{flow} leaves from another address than {self._address[flow.host]!r}")
        if promised is not None and promised[1:] != _packed(source):
            raise Broken(f"{flow} leaves R{router.nat_id} from {source}; all had agreed on {promised!r}")
        if ends.destination != flow.server:
            raise Broken(f"{flow} leaves for {ends.destination!r}")
        return True

    def _in(self, router: Router, flow: Flow, packet: bytes) -> bool:
        promised = self._ledger.promised(router, flow.key)
        if promised is not None and promised[1:] != _packed(self._outside[flow]):
            promised = None  # it is an answer to what another manager sent
        passed = self._through(router, flow, packet, promised, from_outside=True)
        if passed is None:
            return False
        ends = packets.raw_ends(passed)
        if promised is not None and (ends.destination, ends.dport) != flow[1:3]:
            raise Broken(f"an answer to {flow} goes to {ends}")
        return True

    def _through(
        self, router: Router, flow: Flow, packet: bytes, promised: bytes | None, *, from_outside: bool
    ) -> bytes | None:
        self.sent += 1
        passed = router.raw(packet, from_outside=from_outside)
        if passed is None:
            self._outside.pop(flow, None)
            if promised is not None:
                raise Broken(f"a packet of {flow} is dropped by R{router.nat_id}, which has its entry")
            return None
        self._ledger.used(router, flow.key)
        if not packets.raw_sums_are_right(passed):
            raise Broken(f"a packet of {flow} leaves R{router.nat_id} with a wrong checksum")
        return passed


def _packed(endpoint: tuple[bytes, int]) -> bytes:
    return endpoint[0] + endpoint[1].to_bytes(2, "big")
