"""Reading captures, pcap and pcapng, in large pieces.

pcap is the format of draft-ietf-opsawg-pcap: a file header of 24 bytes, then records of a 16-byte header and
a frame; both byte orders, microseconds and nanoseconds. pcapng (draft-ietf-opsawg-pcapng) is in
:mod:`snat.net.capture_ng`. Memory does not grow with the file: a piece is kept as long as a packet of it is.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, Protocol

from snat.net.capture_frame import (
    SECOND,
    SNAP_LENGTH_LIMIT,
    CaptureCounters,
    CapturedInterface,
    CapturedPacket,
    CaptureError,
    LinkType,
    found,
)
from snat.net.capture_ng import PcapNg
from snat.net.capture_pieces import Pieces

AT_ONCE: Final = 1024
"""Records in one batch of an iteration."""
FILE_HEADER: Final = "HHiIII"  # version, time zone, accuracy, snap length, link type
MAGICS: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\x3c\x4d": (">", SECOND),
    b"\x4d\x3c\xb2\xa1": ("<", SECOND),
}
"""The first four bytes of pcap: byte order, and units of time in a second."""
PCAPNG_MAGIC: Final = b"\x0a\x0d\x0d\x0a"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_PLAIN: Final[dict[LinkType | None, tuple[int, bytes]]] = {
    LinkType.ETHERNET: (14, b"\x08\x00\x45"),
    LinkType.LINUX_SLL: (16, b"\x08\x00\x45"),
    LinkType.RAW: (0, b"\x45"),
    LinkType.IPV4: (0, b"\x45"),
}
"""What nearly all frames are: so many bytes, of which the last say IPv4, and a header without options."""


class Format(Protocol):
    """A kind of capture file."""

    order: str
    """Byte order, as :mod:`struct` writes it."""
    interfaces: list[CapturedInterface]
    """Those of the file, or of its present section."""
    structure: bytearray
    """What the output needs besides frames, as it stood in the file, since somebody took it."""

    def batch(
        self, pieces: Pieces, counters: CaptureCounters, most: int
    ) -> tuple[list[CapturedPacket], bool]:
        """The packets of up to ``most`` records, and whether there may be more."""
        ...


class CaptureReader:
    """Reads a capture from a file: an iterator of :class:`~snat.net.capture_frame.CapturedPacket`.

    Raises :class:`CaptureError` for what is no capture, when made, and for a damaged one, when it gets
    there: after a length that cannot be, no record can be found again.
    """

    def __init__(self, file: BinaryIO, counters: CaptureCounters | None = None) -> None:
        self.counters = counters or CaptureCounters()
        self.ended = False
        """No record is left."""
        self._pieces = Pieces(file)
        self.format = _format(self._pieces)

    def __iter__(self) -> Iterator[CapturedPacket]:
        while not self.ended:
            yield from self.batch(AT_ONCE)

    def batch(self, most: int) -> list[CapturedPacket]:
        """The packets of the next records, ``most`` at most; :attr:`ended` tells whether there are more."""
        packets, goes_on = self.format.batch(self._pieces, self.counters, most)
        self.ended = not goes_on
        return packets


def _format(pieces: Pieces) -> Format:
    pieces.more(4)
    magic = pieces.data[:4]
    if magic == PCAPNG_MAGIC:
        return PcapNg(pieces)
    if magic in MAGICS:
        return Pcap(pieces)
    if magic[:2] == _GZIP_MAGIC:
        raise CaptureError(pieces.name, 0, "is compressed", "unpack it: zcat FILE | snat pcap ... - OUT")
    raise CaptureError(
        pieces.name, 0, "is no pcap or pcapng file", "give one that tcpdump -w or Wireshark wrote"
    )


class Pcap:
    """The classic format."""

    def __init__(self, pieces: Pieces) -> None:
        order, self._per_second = MAGICS[pieces.data[:4]]
        self.order = order
        self.structure = bytearray()
        self._record = struct.Struct(f"{order}IIII")
        header = struct.Struct(f"{order}4x{FILE_HEADER}")
        if not pieces.more(header.size):
            raise CaptureError(pieces.name, 4, "ends within the file header", "capture again")
        major, minor, _, _, _, link_type = header.unpack_from(pieces.data)
        if (major, minor) != (2, 4):
            raise CaptureError(pieces.name, 4, f"has format version {major}.{minor}", "convert it to 2.4")
        pieces.at = header.size
        number = link_type & 0xFFFF  # above are bits about a frame check sequence
        self.interfaces = [
            CapturedInterface(link_type=_link_type(pieces.name, number), per_second=self._per_second)
        ]

    def batch(
        self, pieces: Pieces, counters: CaptureCounters, most: int
    ) -> tuple[list[CapturedPacket], bool]:
        """See :class:`Format`. The loop is written out: it is most of what a capture costs."""
        packets: list[CapturedPacket] = []
        put, new, unpack = packets.append, tuple.__new__, self._record.unpack_from
        (interface,) = self.interfaces
        per_second, unit = self._per_second, SECOND // self._per_second
        before, plain_header = _PLAIN.get(interface.link_type, (0, b"\0"))  # there: no IPv4 begins so
        looked_at, least = before - len(plain_header) + 1, before + 20
        data, at, have = pieces.data, pieces.at, len(pieces.data)
        records = plain = 0
        goes_on = True
        while records < most:
            frame = at + 16
            end = have + 1
            if frame <= have:
                seconds, fraction, captured, original = unpack(data, at)
                end = frame + captured
            if end > have or captured > SNAP_LENGTH_LIMIT:
                pieces.at = at
                if records and self._is_damaged(data, at):
                    break  # what is whole goes first
                goes_on = self._has_record(pieces, counters)
                if not goes_on:
                    break
                data, at, have = pieces.data, pieces.at, len(pieces.data)
                continue
            at = end
            records += 1
            if fraction >= per_second:
                counters.malformed += 1  # it would not fit a record when written
                continue
            time_ns = seconds * SECOND + fraction * unit
            start = frame + before
            if captured >= least and data[frame + looked_at : start + 1] == plain_header:
                length = data[start + 2] << 8 | data[start + 3]
                if 20 <= length <= end - start:
                    plain += 1
                    put(new(CapturedPacket, (time_ns, interface, data, frame, start, start + length, length)))
                    continue
            packet = found(counters, time_ns, interface, data, frame, end, original)
            if packet is not None:
                put(packet)
        if goes_on:
            pieces.at = at
        counters.records += records
        counters.packets += plain
        return packets, goes_on

    def _is_damaged(self, data: bytes, at: int) -> bool:
        """Whether a record that is not whole yet has a length that cannot be."""
        return at + 16 <= len(data) and self._record.unpack_from(data, at)[2] > SNAP_LENGTH_LIMIT

    def _has_record(self, pieces: Pieces, counters: CaptureCounters) -> bool:
        """Whether a whole record is there; it is then in ``pieces.data``."""
        if not pieces.more(16):
            counters.cut_short += pieces.at < len(pieces.data)
            return False
        captured = self._record.unpack_from(pieces.data, pieces.at)[2]
        if captured > SNAP_LENGTH_LIMIT:
            raise pieces.damaged(f"a frame of {captured} bytes")
        if not pieces.more(16 + captured):
            counters.cut_short += 1
            return False
        return True


def _link_type(name: str, number: int) -> LinkType:
    try:
        return LinkType(number)
    except ValueError:
        known = ", ".join(f"{each.name.lower()} ({each.value})" for each in LinkType)
        raise CaptureError(name, 20, f"has link type {number}", f"capture with one of: {known}") from None
