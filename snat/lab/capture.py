"""The bundled capture ``inside.pcap``, and the one that continues it after the fault.

``python -m snat.lab.capture FILE`` writes the bundled capture again. It begins 20 TCP connections, 6 UDP
flows and 4 pings from five inside hosts; nothing in it comes from a real network.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from snat.lab.packets import ACK, ICMP, PUSH, SYN, TCP, UDP, Packet, PacketError, build, parse
from snat.net.capture_frame import CaptureError
from snat.net.capture_read import CaptureReader
from snat.net.capture_write import CaptureWriter

Endpoint = tuple[str, int]

_COUNTS: Final = {TCP: 20, UDP: 6, ICMP: 4}
_PORTS: Final = {TCP: 443, UDP: 7, ICMP: 0}
_SERVERS: Final = ("198.51.100.10", "198.51.100.20")
_HOSTS: Final = 5
_FILE_HEADER: Final = 24
_EPOCH_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01: a fixed date, so that the file can be made again byte for byte."""
_STEP_NS: Final = 10_000_000
_SEQUENCE_BITS: Final = 20
"""A TCP flow's first sequence number is its own number shifted so: a SYN tells whose it is."""
_REPLY_SEQUENCE: Final = 5000
_TAG: Final = b"snat lab flow "


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedFlow:
    """A flow of the bundled capture: an inside host and the outside host it speaks to."""

    number: int
    protocol: int
    inside: Endpoint
    """Address and port; for a ping, its identifier."""
    server: Endpoint

    def opening(self) -> Iterator[Packet]:
        """What the inside host sends before the fault: SYN and data, or two datagrams."""
        if self.protocol == TCP:
            yield self._up(b"", sequence=self._sequence(0), flags=SYN)
        else:
            yield self._up(self._tag("up", 1), sequence=1)
        yield self._up(
            self._tag("up", 2), sequence=self._sequence(1), flags=PUSH | ACK, ack=_REPLY_SEQUENCE + 1
        )

    def replies(self, outside: Endpoint) -> Iterator[Packet]:
        """What the server answers to ``outside``, where it believes the inside host to be."""
        if self.protocol == TCP:
            yield self._down(b"", outside, sequence=_REPLY_SEQUENCE, flags=SYN | ACK)
        yield self._down(self._tag("down", 1), outside, sequence=_REPLY_SEQUENCE + 1, flags=PUSH | ACK)

    def continuation(self) -> Packet:
        """What the inside host sends after the fault: midstream, no SYN."""
        sent = 1 + len(self._tag("up", 2))
        acknowledged = _REPLY_SEQUENCE + 1 + len(self._tag("down", 1))
        return self._up(self._tag("up", 3), sequence=self._sequence(sent), flags=PUSH | ACK, ack=acknowledged)

    def _sequence(self, offset: int) -> int:
        return (self.number << _SEQUENCE_BITS) + offset if self.protocol == TCP else 2 + offset

    def _tag(self, way: str, number: int) -> bytes:
        return _TAG + f"{self.number:02} {way} {number}".encode()

    def _up(self, payload: bytes, *, sequence: int, flags: int = 0, ack: int = 0) -> Packet:
        server = self.inside[1] if self.protocol == ICMP else self.server[1]
        return _packet(
            protocol=self.protocol,
            source=self.inside,
            destination=(self.server[0], server),
            payload=payload,
            sequence=sequence,
            acknowledgment=ack,
            flags=flags,
        )

    def _down(self, payload: bytes, outside: Endpoint, *, sequence: int, flags: int) -> Packet:
        server = outside[1] if self.protocol == ICMP else self.server[1]
        return _packet(
            protocol=self.protocol,
            source=(self.server[0], server),
            destination=outside,
            payload=payload,
            sequence=sequence,
            acknowledgment=self._sequence(1 + len(self._tag("up", 2))),
            flags=flags,
            reply=self.protocol == ICMP,
        )


def _packet(*, protocol: int, sequence: int, acknowledgment: int, flags: int, **fields: Any) -> Packet:
    """A packet with the fields that its protocol has: an echo has no flags, a datagram not even a number."""
    if protocol == TCP:
        fields.update(acknowledgment=acknowledgment, flags=flags)
    return Packet(protocol=protocol, sequence=0 if protocol == UDP else sequence, **fields)


def bundled_flows() -> tuple[CapturedFlow, ...]:
    """The flows of the bundled capture, numbered from 1."""
    protocols = [protocol for protocol, count in _COUNTS.items() for _ in range(count)]
    return tuple(_flow(number, protocol) for number, protocol in enumerate(protocols, 1))


def _flow(number: int, protocol: int) -> CapturedFlow:
    # Hosts share source ports, so that a translator that keeps ports has something to decide.
    host, port = 100 + number % _HOSTS, 40001 + number // _HOSTS
    return CapturedFlow(
        number=number,
        protocol=protocol,
        inside=(f"10.0.0.{host}", port),
        server=(_SERVERS[number % len(_SERVERS)], _PORTS[protocol]),
    )


def flow_number(packet: Packet) -> int:
    """Which flow a packet belongs to, told from what no translator changes; 0: none."""
    if packet.payload.startswith(_TAG):
        digits = packet.payload[len(_TAG) : len(_TAG) + 2]
        return int(digits) if digits.isdigit() else 0
    return packet.sequence >> _SEQUENCE_BITS if packet.protocol == TCP else 0


def opening_packets() -> Iterator[Packet]:
    """What the bundled capture holds: all first packets, then all second ones."""
    for pair in zip(*(flow.opening() for flow in bundled_flows()), strict=True):
        yield from pair


def continuing_packets(outside: Mapping[int, Endpoint]) -> Iterator[Packet]:
    """What follows the fault, by each flow's outside endpoint: replies, then the inside hosts' next."""
    for flow in bundled_flows():
        if flow.number in outside:
            yield from flow.replies(outside[flow.number])
            yield flow.continuation()


def bundled_capture() -> bytes:
    """The bundled capture as it stands in the package."""
    return (resources.files("snat.lab") / "inside.pcap").read_bytes()


def write(file: BinaryIO, packets: Iterable[Packet]) -> None:
    """Write a whole capture of raw IPv4 packets, 10 ms apart from a fixed date on."""
    writer = CaptureWriter(file)
    for index, packet in enumerate(packets):
        writer.write(_EPOCH_NS + index * _STEP_NS, build(packet))
    writer.flush()


def append(path: Path, packets: Iterable[Packet]) -> None:
    """Add packets to a capture that is there, if only its header: a daemon may have opened it already."""
    whole = BytesIO()
    write(whole, packets)
    with path.open("ab") as file:
        file.write(whole.getvalue()[_FILE_HEADER:])


def read(path: Path) -> tuple[list[Packet], list[str]]:
    """The packets of a capture, and what is wrong with those that no router should have sent.

    A capture that does not exist yet, or is being written, has the packets that are whole.
    """
    packets, faults = [], []
    try:
        with path.open("rb") as file:
            for record in CaptureReader(file):
                try:
                    packets.append(parse(record.packet))
                except PacketError as error:
                    faults.append(str(error))
    except (FileNotFoundError, CaptureError):
        pass  # the writer has not come so far; who waits for packets will ask again
    return packets, faults


def main() -> None:
    """Write the bundled capture again."""
    with Path(sys.argv[1]).open("wb") as file:
        write(file, opening_packets())


if __name__ == "__main__":
    main()
