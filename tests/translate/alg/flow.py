"""A TCP connection through a translator: two model hosts that count, acknowledge and complain.

Each end numbers for itself and holds whatever comes against what TCP asks of a consistent stream: the right
ports, sums that scapy finds right, no byte that contradicts an earlier one, no acknowledgement of what was
not sent.
"""

from scapy.layers.inet import IP, TCP
from scapy.packet import Packet

from snat.translate.alg.reading import Service, Services
from snat.translate.alg.registry import GATEWAYS
from snat.translate.packet import START, Verdict
from snat.translate.translator import Translator
from tests.packets import buffer, checksums_are_right, parse
from tests.translate.nat import MAPPING, A, Nat, S

M = 1 << 32


def services(*names: str) -> Services:
    """These gateways at their own ports."""
    found: dict[int, dict[bytes, Service]] = {}
    for name in names:
        for protocol, port in GATEWAYS[name].places:
            found.setdefault(protocol, {})[port.to_bytes(2, "big")] = Service(GATEWAYS[name].gateway)
    return found


class Host:
    """One end: what it sends is ``sent``, what it has is ``got``."""

    def __init__(self, address: str, port: int, first: int) -> None:
        self.address, self.port, self.first = address, port, first
        self.peer: tuple[str, int] | None = None
        self.peer_first: int | None = None
        self.sent = b""
        self.acknowledged = 0
        self.finished = False
        self.pieces: dict[int, int] = {}
        """What came, byte by byte, by offset."""

    @property
    def got(self) -> bytes:
        """What came without a gap."""
        return bytes(self.pieces[at] for at in range(self.expects))

    @property
    def expects(self) -> int:
        at = 0
        while at in self.pieces:
            at += 1
        return at

    def segment(self, flags: str, offset: int = 0, payload: bytes = b"", **fields: object) -> Packet:
        """A segment of this host; ``offset`` in its stream."""
        assert self.peer is not None
        sequence = self.first + offset + ("S" not in flags)
        acknowledged = 0 if self.peer_first is None else self.peer_first + 1 + self.expects
        head = TCP(
            sport=self.port,
            dport=self.peer[1],
            flags=flags,
            seq=sequence % M,
            ack=acknowledged % M,
            **fields,
        )
        return IP(src=self.address, dst=self.peer[0], flags="DF") / head / payload

    def receive(self, packet: Packet) -> None:
        """Take a segment; it must be for this host, and true."""
        assert checksums_are_right(packet)
        assert (packet.dst, packet.dport) == (self.address, self.port)
        if self.peer is None:
            self.peer = packet.src, packet.sport
        assert (packet.src, packet.sport) == self.peer
        flags = str(packet[TCP].flags)
        if "S" in flags:
            assert self.peer_first in (None, packet.seq)
            self.peer_first = packet.seq
            return
        assert self.peer_first is not None
        if "A" in flags:
            told = (packet.ack - self.first - 1) % M
            assert told <= len(self.sent) + self.finished, "nothing is acknowledged that was not sent"
            self.acknowledged = max(told, self.acknowledged)
        for left, right in self._blocks(packet):
            assert 0 <= left < right <= len(self.sent)
        offset = (packet.seq - self.peer_first - 1 + M // 2) % M - M // 2
        for at, byte in enumerate(bytes(packet[TCP].payload), offset):
            assert at >= 0
            assert self.pieces.setdefault(at, byte) == byte, "a retransmission says the same"

    def _blocks(self, packet: Packet) -> list[tuple[int, int]]:
        edges = next((value for kind, value in packet[TCP].options if kind == "SAck"), ())
        own = [(edge - self.first - 1) % M for edge in edges]
        return list(zip(own[::2], own[1::2], strict=True))


class Connection:
    """Client and server, and a NAT between them."""

    def __init__(
        self,
        nat: Nat,
        *,
        client: tuple[str, int] = (A, 40000),
        server: tuple[str, int] = (S, 21),
        called: tuple[str, int] | None = None,
        server_inside: bool = False,
        firsts: tuple[int, int] = (1000, 5000),
    ) -> None:
        """``called``: how the client knows the server."""
        self.nat = nat
        self.server_inside = server_inside
        self.client, self.server = Host(*client, firsts[0]), Host(*server, firsts[1])
        self.client.peer = called or server

    def open(self) -> "Connection":
        """Shake hands."""
        self.carry(self.client, self.client.segment("S"))
        self.carry(self.server, self.server.segment("SA"))
        self.carry(self.client, self.client.segment("A"))
        return self

    def say(self, host: Host, text: bytes, *, acknowledge: bool = True) -> None:
        """A segment of new data, and its acknowledgement."""
        offset, host.sent = len(host.sent), host.sent + text
        self.carry(host, host.segment("PA", offset, text))
        if acknowledge:
            self.acknowledge(self.other(host))

    def acknowledge(self, host: Host) -> None:
        self.carry(host, host.segment("A", len(host.sent)))

    def repeat(self, host: Host, start: int, end: int) -> None:
        """Send a part of what was sent again."""
        self.carry(host, host.segment("PA", start, host.sent[start:end]))

    def other(self, host: Host) -> Host:
        return self.server if host is self.client else self.client

    def carry(self, host: Host, packet: Packet) -> list[Packet]:
        """Through the NAT, to the other end; what came there."""
        arrived = carried(self.nat, packet, from_outside=(host is self.server) is not self.server_inside)
        for one in arrived:
            self.other(host).receive(one)
        return arrived

    def log_in(self) -> "Connection":
        """An FTP dialogue up to where files may be asked for."""
        for host, text in (
            (self.server, b"220 ready\r\n"),
            (self.client, b"USER a\r\n"),
            (self.server, b"331 password\r\n"),
            (self.client, b"PASS b\r\n"),
            (self.server, b"230 in\r\n"),
        ):
            self.say(host, text)
        return self


def carried(nat: Nat, packet: Packet, *, from_outside: bool, header: bytes = b"") -> list[Packet]:
    """What leaves for a packet, and for those that it released."""
    filled, end = buffer(packet)
    filled[: len(header)] = header
    translator: Translator = nat.translator
    verdict = translator.translate(filled, end, from_outside, nat.now)
    goes = Verdict.TO_INSIDE if from_outside else Verdict.TO_OUTSIDE
    assert verdict in (goes, Verdict.DROP, Verdict.ELSEWHERE)
    arrived = [parse(filled, end)] if verdict == goes else []
    return arrived + released(nat)


def released(nat: Nat) -> list[Packet]:
    """What is to be sent besides."""
    made = [parse(bytearray(packet), len(packet)) for _, packet in nat.translator.more]
    assert all(packet[:START] == bytes(START) for _, packet in nat.translator.more)
    nat.translator.more.clear()
    return made


def ftp_nat(*names: str, **settings: object) -> Nat:
    """A translator whose gateways are on: FTP unless others are told."""
    nat = Nat(**settings)  # type: ignore[arg-type]
    nat.translator.reader.use(services(*(names or ("ftp",))))
    return nat


__all__ = ["A", "MAPPING", "S"]
