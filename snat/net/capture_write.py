"""Writing captures: in the format of the one that is read, with its interfaces; or raw IPv4 packets."""

import struct
from typing import BinaryIO, Final

from snat.net.capture_frame import SECOND, SNAP_LENGTH_LIMIT, CapturedInterface, CapturedPacket, LinkType
from snat.net.capture_ng import ENHANCED, PcapNg
from snat.net.capture_read import FILE_HEADER, CaptureReader

PIECE: Final = 4096
"""Parts that are joined before they are written."""
_MICROSECONDS: Final = 0xA1B2C3D4
_NANOSECONDS: Final = 0xA1B23C4D
_BARE: Final = (LinkType.RAW, LinkType.IPV4)


class CaptureWriter:
    """Writes a pcap file of one link type."""

    def __init__(
        self,
        file: BinaryIO,
        link_type: LinkType = LinkType.RAW,
        *,
        nanoseconds: bool = False,
        order: str = "<",
    ) -> None:
        self._file = file
        self._link_type = link_type
        self._bare = link_type in _BARE
        self._unit = 1 if nanoseconds else 1000
        self._record = struct.Struct(f"{order}IIII")
        magic = _NANOSECONDS if nanoseconds else _MICROSECONDS
        header = struct.pack(f"{order}I{FILE_HEADER}", magic, 2, 4, 0, 0, SNAP_LENGTH_LIMIT, link_type)
        self._parts: list[bytes | bytearray | memoryview] = [header]

    @classmethod
    def like(cls, file: BinaryIO, reader: CaptureReader) -> "CaptureWriter | NgWriter":
        """A writer of the same format, link type, byte order and unit of time as a capture that is read."""
        if isinstance(reader.format, PcapNg):
            return NgWriter(file, reader.format)
        (interface,) = reader.format.interfaces
        assert interface.link_type is not None, "a pcap file of another link type is refused"
        nanoseconds = interface.per_second == SECOND
        return cls(file, interface.link_type, nanoseconds=nanoseconds, order=reader.format.order)

    def write(self, time_ns: int, packet: bytes | bytearray | memoryview, link_header: bytes = b"") -> None:
        """Write one whole IPv4 packet, after the header of the frame it came in where the type has one."""
        if self._bare:
            link_header = b""
        elif not link_header:
            raise ValueError(f"a packet without link header, in a capture of type {self._link_type.name}")
        seconds, rest = divmod(time_ns, SECOND)
        length = len(link_header) + len(packet)
        record = self._record.pack(seconds, rest // self._unit, length, length)
        self._parts += (record, link_header, bytes(packet))
        if len(self._parts) >= PIECE:
            self._write()

    def translated(self, was: CapturedPacket, packet: bytes | bytearray, length: int) -> None:
        """Write what became of a packet that was read: ``length`` bytes long, of which these are there."""
        time_ns, _, data, frame, start, _, _ = was
        seconds, rest = divmod(time_ns, SECOND)
        captured, original = start - frame + len(packet), start - frame + length
        record = self._record.pack(seconds, rest // self._unit, captured, original)
        self._parts += (record, data[frame:start], packet)
        if len(self._parts) >= PIECE:
            self._write()

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._write()
        self._file.flush()

    def _write(self) -> None:
        self._file.write(b"".join(self._parts))
        self._parts = []


class NgWriter:
    """Writes the sections and interfaces of a pcapng file that is read, and enhanced packet blocks."""

    def __init__(self, file: BinaryIO, read: PcapNg) -> None:
        self._file = file
        self._read = read
        self._parts: list[bytes | bytearray] = []

    def write(self, time_ns: int, packet: bytes | bytearray | memoryview, link_header: bytes = b"") -> None:
        """Write one whole IPv4 packet, as of the first interface."""
        self._structure()
        self._put(
            self._read.interfaces[0], time_ns, link_header, bytes(packet), len(link_header) + len(packet)
        )

    def translated(self, was: CapturedPacket, packet: bytes | bytearray, length: int) -> None:
        """Write what became of a packet that was read: ``length`` bytes long, of which these are there.

        Options of its block (comments, flags, hashes of what it was) are left out.
        """
        self._structure()
        header = was.data[was.frame : was.start]
        self._put(was.interface, was.time_ns, header, packet, len(header) + length)

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._structure()
        self._write()
        self._file.flush()

    def _structure(self) -> None:
        if self._read.structure:
            self._parts.append(bytes(self._read.structure))
            self._read.structure.clear()

    def _put(
        self,
        interface: CapturedInterface,
        time_ns: int,
        header: bytes,
        packet: bytes | bytearray,
        original: int,
    ) -> None:
        order, captured = self._read.order, len(header) + len(packet)
        padding = -captured % 4
        size = 32 + captured + padding
        ticks = self._read.ticks(time_ns, interface)
        block = struct.pack(
            f"{order}IIIIIII",
            ENHANCED,
            size,
            interface.number,
            ticks >> 32,
            ticks & 0xFFFFFFFF,
            captured,
            original,
        )
        self._parts += (block, header, packet, bytes(padding), struct.pack(f"{order}I", size))
        if len(self._parts) >= PIECE:
            self._write()

    def _write(self) -> None:
        self._file.write(b"".join(self._parts))
        self._parts = []
