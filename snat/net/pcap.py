"""Captures: classic pcap files, read, written, and replayed in the TUNs' place.

The format is the one of draft-ietf-opsawg-pcap: a file header of 24 bytes, then records of a 16-byte header
and a frame. Both byte orders are read, microseconds and nanoseconds. Link types: Ethernet (VLAN tags are
skipped), raw IP and Linux cooked v1. A record that holds no whole IPv4 packet is counted and passed over;
memory does not grow with the file.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, Final, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from snat.net.tun import BUFFER, READS_PER_TURN, VNET_HEADER

SNAP_LENGTH_LIMIT: Final = 262144
"""Longest frame believed: tcpdump's own limit. A longer one means that the file is damaged."""

READY_INTERVAL: Final = 0.05
"""Seconds between two questions whether the device is ready."""

MAX_VLAN_TAGS: Final = 2
"""IEEE 802.1ad stacks two."""

_FILE_HEADER: Final = "HHiIII"  # version, time zone, accuracy, snap length, link type
_SECOND: Final = 1_000_000_000
_NO_HEADER: Final = bytes(VNET_HEADER)
"""A virtio header that says: one packet, its checksum complete."""
_IPV4: Final = 0x0800
_VLAN_TYPES: Final = frozenset({0x8100, 0x88A8, 0x9100})

_MAGICS: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
"""The first four bytes: byte order, and nanoseconds in a unit of the time's fraction."""

_PCAPNG_MAGIC: Final = b"\x0a\x0d\x0d\x0a"


class LinkType(IntEnum):
    """What a frame begins with."""

    ETHERNET = 1
    RAW = 101
    LINUX_SLL = 113
    IPV4 = 228


_TYPE_OFFSETS: Final = {LinkType.ETHERNET: 12, LinkType.LINUX_SLL: 14}
"""Where a frame tells the protocol of its payload."""


class CaptureError(Exception):
    """A capture that cannot be read: what, where, and what to do."""

    def __init__(self, name: str, offset: int, what: str, remedy: str) -> None:
        super().__init__(f"{name}, byte {offset}: {what}; {remedy}")


class CapturedPacket(NamedTuple):
    """A record with a whole IPv4 packet: ``frame[start:end]``."""

    time_ns: int
    """Nanoseconds since 1970."""
    frame: bytes
    start: int
    end: int


@dataclass(slots=True, kw_only=True)
class CaptureCounters:
    """What became of the records of a capture."""

    records: int = 0
    packets: int = 0
    """Whole IPv4 packets among them."""
    other_protocols: int = 0
    """Passed over: ARP, IPv6 and whatever is not IPv4."""
    snapped: int = 0
    """Passed over: captured in part."""
    malformed: int = 0
    """Passed over: lengths that contradict each other."""
    cut_short: int = 0
    """1: the file ends within a record, as where its writer was killed."""
    written: int = 0
    dropped: int = 0
    """Packets that the translator did not pass when they came; a fragment that waited is written later."""


class CaptureReader:
    """Reads a capture from a buffered file: an iterator of :class:`CapturedPacket`.

    Raises :class:`CaptureError` for what is no capture, when made, and for a damaged one, when it gets
    there: after a length that cannot be, no record can be found again.
    """

    def __init__(self, file: BinaryIO, counters: CaptureCounters | None = None) -> None:
        self.counters = counters or CaptureCounters()
        self.ended = False
        """No record is left."""
        self._file = file
        self._name = str(getattr(file, "name", "capture"))
        self._offset = 0
        self._read_file_header()

    def __iter__(self) -> Iterator[CapturedPacket]:
        while not self.ended:
            packet = self.read_record()
            if packet is not None:
                yield packet

    def read_record(self) -> CapturedPacket | None:
        """Read the next record; None where it is passed over or :attr:`ended` became true."""
        offset = self._offset
        header = self._read(self._record.size)
        if len(header) < self._record.size:
            self._end(cut_short=bool(header))
            return None
        seconds, fraction, captured, original = self._record.unpack(header)
        if captured > SNAP_LENGTH_LIMIT:
            raise CaptureError(
                self._name, offset, f"a frame of {captured} bytes", "the file is damaged from here on"
            )
        frame = self._read(captured)
        if len(frame) < captured:
            self._end(cut_short=True)
            return None
        self.counters.records += 1
        if fraction * self._unit >= _SECOND:
            self.counters.malformed += 1
            return None
        return self._packet(seconds * _SECOND + fraction * self._unit, frame, original)

    def _read_file_header(self) -> None:
        magic = self._read(4)
        if magic == _PCAPNG_MAGIC:
            raise CaptureError(self._name, 0, "is a pcapng file", "convert it: editcap -F pcap IN OUT")
        if magic not in _MAGICS:
            raise CaptureError(self._name, 0, "is not a pcap file", "give one that tcpdump -w wrote")
        order, self._unit = _MAGICS[magic]
        self.nanoseconds = self._unit == 1
        """Whether the file tells time in nanoseconds."""
        self._record = struct.Struct(f"{order}IIII")
        header = struct.Struct(order + _FILE_HEADER)
        data = self._read(header.size)
        if len(data) < header.size:
            raise CaptureError(self._name, 4, "ends within the file header", "capture again")
        major, minor, _, _, _, link_type = header.unpack(data)
        if (major, minor) != (2, 4):
            raise CaptureError(self._name, 4, f"has format version {major}.{minor}", "convert it to 2.4")
        self.link_type = self._link_type(link_type & 0xFFFF)  # above are bits about a frame check sequence

    def _link_type(self, number: int) -> LinkType:
        try:
            return LinkType(number)
        except ValueError:
            known = ", ".join(f"{each.name.lower()} ({each.value})" for each in LinkType)
            raise CaptureError(
                self._name, 20, f"has link type {number}", f"capture with one of: {known}"
            ) from None

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        self._offset += len(data)
        return data

    def _end(self, *, cut_short: bool) -> None:
        self.ended = True
        self.counters.cut_short += cut_short

    def _packet(self, time_ns: int, frame: bytes, original: int) -> CapturedPacket | None:
        """Find the IPv4 packet of a frame, or count why there is none."""
        counters = self.counters
        snapped = len(frame) < original
        start = _payload_offset(frame, self.link_type)
        if start is None or (start < len(frame) and frame[start] >> 4 != 4):
            counters.other_protocols += 1
            return None
        end = _packet_end(frame, start)
        if end is None or end > len(frame):
            counters.snapped += snapped
            counters.malformed += not snapped
            return None
        counters.packets += 1
        return CapturedPacket(time_ns, frame, start, end)


def _payload_offset(frame: bytes, link_type: LinkType) -> int | None:
    """Where the IPv4 packet of a frame starts, maybe at or behind its end; None: the payload is another."""
    offset = _TYPE_OFFSETS.get(link_type)
    if offset is None:
        return 0
    for _ in range(MAX_VLAN_TAGS + 1):
        if offset + 2 > len(frame):
            return len(frame)
        protocol = frame[offset] << 8 | frame[offset + 1]
        if protocol not in _VLAN_TYPES:
            return offset + 2 if protocol == _IPV4 else None
        offset += 4
    return None


def _packet_end(frame: bytes, start: int) -> int | None:
    """Where the IPv4 packet ends by its own account; None where its header is not whole or not possible."""
    if start + 20 > len(frame):
        return None
    header_length = (frame[start] & 0xF) * 4
    length = frame[start + 2] << 8 | frame[start + 3]
    return None if not 20 <= header_length <= length else start + length


class CaptureWriter:
    """Writes a capture, little-endian: frames of the input's link type, or raw IPv4 packets."""

    def __init__(
        self, file: BinaryIO, link_type: LinkType = LinkType.RAW, *, nanoseconds: bool = False
    ) -> None:
        self._file = file
        self._link_type = link_type
        self._unit = 1 if nanoseconds else 1000
        magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
        file.write(struct.pack("<I" + _FILE_HEADER, magic, 2, 4, 0, 0, SNAP_LENGTH_LIMIT, link_type))

    @classmethod
    def like(cls, file: BinaryIO, reader: CaptureReader) -> "CaptureWriter":
        """A writer of the same link type and unit of time as a capture that is read."""
        return cls(file, reader.link_type, nanoseconds=reader.nanoseconds)

    def write(self, time_ns: int, packet: bytes | bytearray | memoryview, link_header: bytes = b"") -> None:
        """Write one IPv4 packet, where the link type has one after the header of the frame it came in."""
        if self._link_type not in _TYPE_OFFSETS:
            link_header = b""
        elif not link_header:
            raise ValueError(f"a packet without link header, in a capture of type {self._link_type.name}")
        seconds, rest = divmod(time_ns, _SECOND)
        length = len(link_header) + len(packet)
        self._file.write(struct.pack("<IIII", seconds, rest // self._unit, length, length))
        self._file.write(link_header)
        self._file.write(packet)

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()


class CapturePort:
    """Replays a capture in the TUNs' place, a batch in each turn of the reactor.

    It waits while the device does not hold the role. Each packet stands in one buffer as a TUN would put it
    there, behind a virtio header of zeroes; what ``received`` passes is written out, from the same buffer.
    """

    def __init__(
        self,
        reader: CaptureReader,
        writer: CaptureWriter,
        reactor: IReactorTime,
        received: Callable[[bytearray, int, bool], bool],
        batch_done: Callable[[], None],
        ready: Callable[[], bool],
        *,
        from_outside: Callable[[bytes], bool],
        more: Callable[[], Iterable[bytes]] = tuple,
    ) -> None:
        """Replay from ``reader`` to ``writer`` once started.

        ``received(buffer, length, from_outside)`` is told the bytes in the buffer, virtio header
        included, and answers whether the packet goes on. ``from_outside`` decides by the 4 bytes of the
        destination address: one of a pool's comes from outside. ``more`` is asked after each packet for
        others to be written after it, each behind a virtio header: fragments that waited for it.
        """
        self.finished: Deferred[None] = Deferred()
        """Fires when all is replayed and written; fails with :class:`CaptureError` or :class:`OSError`."""
        self.counters = reader.counters
        self._reader = reader
        self._writer = writer
        self._reactor = reactor
        self._received = received
        self._batch_done = batch_done
        self._ready = ready
        self._from_outside = from_outside
        self._more = more
        self._buffer = bytearray(BUFFER)
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin, or go on after :meth:`stop`, in the reactor's next turn."""
        if self._call is None and not self.finished.called:
            self._call = self._reactor.callLater(0, self._turn)

    def stop(self) -> None:
        """Replay no more; what was translated so far is in the file. :attr:`finished` does not fire."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
            self._writer.flush()

    def _turn(self) -> None:
        self._call = None
        if not self._ready():
            self._call = self._reactor.callLater(READY_INTERVAL, self._turn)
            return
        try:
            self._replay_batch()
            if self._reader.ended:
                self._writer.flush()
        except (CaptureError, OSError):
            self.finished.errback(Failure())
            return
        if self._reader.ended:
            self.finished.callback(None)
        else:
            self._call = self._reactor.callLater(0, self._turn)

    def _replay_batch(self) -> None:
        """Records, not packets, are counted: a capture full of ARP takes no longer turns."""
        try:
            for _ in range(READS_PER_TURN):
                packet = self._reader.read_record()
                if packet is not None:
                    self._replay(packet)
                elif self._reader.ended:
                    break
        finally:
            self._batch_done()

    def _replay(self, packet: CapturedPacket) -> None:
        buffer, (time_ns, frame, start, end) = self._buffer, packet
        length = VNET_HEADER + end - start
        buffer[:VNET_HEADER] = _NO_HEADER
        buffer[VNET_HEADER:length] = frame[start:end]
        if not self._received(buffer, length, self._from_outside(frame[start + 16 : start + 20])):
            self.counters.dropped += 1
        else:
            translated = VNET_HEADER + (buffer[VNET_HEADER + 2] << 8 | buffer[VNET_HEADER + 3])
            self._writer.write(time_ns, memoryview(buffer)[VNET_HEADER:translated], frame[:start])
            self.counters.written += 1
        for other in self._more():
            self._writer.write(time_ns, other[VNET_HEADER:], frame[:start])
            self.counters.written += 1
