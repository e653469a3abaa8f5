"""The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, with several interfaces.

Read are enhanced, simple and (obsolete) packet blocks; sections and interfaces are handed on as they stand,
so that the output has them too. Other blocks (names, statistics, secrets) are left out and counted.
"""

import struct
from typing import Final

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
from snat.net.capture_pieces import Pieces

MAX_BLOCK: Final = 1 << 24
"""Bytes of a block that are believed: Wireshark's own limit."""
MAX_INTERFACES: Final = 4096
"""In a section: more than any machine has."""
SECTION: Final = 0x0A0D0D0A
INTERFACE: Final = 1
PACKET: Final = 2
SIMPLE: Final = 3
ENHANCED: Final = 6

_LEAST: Final = {SECTION: 28, INTERFACE: 20, PACKET: 32, SIMPLE: 16, ENHANCED: 32}
"""Bytes of a block without options or data."""
_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_NAME: Final = 2
_RESOLUTION: Final = 9
_OFFSET: Final = 14
_UNKNOWN_LENGTH: Final = b"\xff" * 8


class PcapNg:
    """See :class:`snat.net.capture_read.Format`."""

    def __init__(self, pieces: Pieces) -> None:
        """Read the first section header and the interfaces that follow it."""
        self.order = ""
        self.interfaces: list[CapturedInterface] = []
        self.structure = bytearray()
        self._offsets: list[int] = []
        """Of each interface: nanoseconds to add to its times."""
        self._last = 0
        """Time of the last packet: a simple block has none of its own."""
        if not self._block(pieces, CaptureCounters()):
            raise CaptureError(pieces.name, 0, "ends within its section header", "capture again")
        self._section(pieces)
        pieces.at += self._size

    def batch(
        self, pieces: Pieces, counters: CaptureCounters, most: int
    ) -> tuple[list[CapturedPacket], bool]:
        """See :class:`snat.net.capture_read.Format`. A batch ends where another section begins."""
        packets: list[CapturedPacket] = []
        records = 0
        while records < most:
            try:
                if not self._block(pieces, counters):
                    return packets, False
                kind = self._kind
                if kind == SECTION:
                    if packets:
                        break  # they are written before it
                    self._section(pieces)
                elif kind in (ENHANCED, PACKET, SIMPLE):
                    packet = self._packet(pieces, counters, kind)
                    records += 1
                    counters.records += 1
                    if packet is not None:
                        packets.append(packet)
                elif kind == INTERFACE:
                    self._interface(pieces)
                else:
                    counters.other_blocks += 1
                    records += 1  # so that a file of them takes no longer turns
            except CaptureError:
                if packets:
                    break  # what is whole goes first; the next batch finds it again
                raise
            pieces.at += self._size
        return packets, True

    # Blocks

    def _block(self, pieces: Pieces, counters: CaptureCounters) -> bool:
        """Have the next block whole at ``pieces.at``; False: there is none."""
        if not pieces.more(12):
            counters.cut_short += pieces.at < len(pieces.data)
            return False
        data, at = pieces.data, pieces.at
        order = self.order
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            self._kind = SECTION
            order = _ORDERS.get(data[at + 8 : at + 12], "")
            if not order:
                raise pieces.damaged("a section of no byte order")
            (size,) = struct.unpack_from(f"{order}I", data, at + 4)
        else:
            self._kind, size = struct.unpack_from(f"{order}II", data, at)
        if not max(12, _LEAST.get(self._kind, 12)) <= size <= MAX_BLOCK or size % 4:
            raise pieces.damaged(f"a block of {size} bytes")
        if not pieces.more(size):
            counters.cut_short += 1
            return False
        if struct.unpack_from(f"{order}I", pieces.data, pieces.at + size - 4)[0] != size:
            raise pieces.damaged("a block whose two lengths differ")
        self._size = size
        self._new_order = order
        return True

    def _section(self, pieces: Pieces) -> None:
        data, at = pieces.data, pieces.at
        major, minor = struct.unpack_from(f"{self._new_order}HH", data, at + 12)
        if major != 1:
            raise CaptureError(
                pieces.name, pieces.offset, f"has format version {major}.{minor}", "convert it to pcapng 1.0"
            )
        self.order, self.interfaces, self._offsets = self._new_order, [], []
        # Its length, if told, is not that of the output.
        self.structure += data[at : at + 16] + _UNKNOWN_LENGTH + data[at + 24 : at + self._size]

    def _interface(self, pieces: Pieces) -> None:
        if len(self.interfaces) == MAX_INTERFACES:
            raise pieces.damaged(f"more than {MAX_INTERFACES} interfaces")
        data, at = pieces.data, pieces.at
        number, snap_length = struct.unpack_from(f"{self.order}HxxI", data, at + 8)
        options = self._options(data, at + 16, at + self._size - 4)
        resolution = options.get(_RESOLUTION, b"\x06")[:1]
        offset = options.get(_OFFSET, bytes(8))
        per_second = _per_second(resolution[0] if resolution else 6)
        self._offsets.append(struct.unpack(f"{self.order}q", offset)[0] * SECOND if len(offset) == 8 else 0)
        self.interfaces.append(
            CapturedInterface(
                number=len(self.interfaces),
                link_type=_LINK_TYPES.get(number),
                name=options.get(_NAME, b"").decode(errors="replace"),
                per_second=per_second,
                snap_length=min(snap_length or SNAP_LENGTH_LIMIT, SNAP_LENGTH_LIMIT),
            )
        )
        self.structure += data[at : at + self._size]

    def _options(self, data: bytes, at: int, end: int) -> dict[int, bytes]:
        """The options of a block; the last of each kind, as far as they are whole."""
        options: dict[int, bytes] = {}
        while at + 4 <= end:
            kind, length = struct.unpack_from(f"{self.order}HH", data, at)
            if kind == 0 or at + 4 + length > end:
                break
            options[kind] = data[at + 4 : at + 4 + length]
            at += 4 + length + -length % 4
        return options

    def _packet(self, pieces: Pieces, counters: CaptureCounters, kind: int) -> CapturedPacket | None:
        data, at = pieces.data, pieces.at
        number, ticks, frame = 0, -1, at + 28
        if kind == SIMPLE:
            frame = at + 12
            (original,) = struct.unpack_from(f"{self.order}I", data, at + 8)
            known = self.interfaces[0].snap_length if self.interfaces else SNAP_LENGTH_LIMIT
            captured = min(original, known, self._size - 16)
        else:
            shape = "IIIII" if kind == ENHANCED else "HxxIIII"
            number, high, low, captured, original = struct.unpack_from(f"{self.order}{shape}", data, at + 8)
            ticks = high << 32 | low
        if captured > min(SNAP_LENGTH_LIMIT, at + self._size - 4 - frame):
            raise pieces.damaged(f"a frame of {captured} bytes")
        if number >= len(self.interfaces):
            raise pieces.damaged(f"a frame of interface {number}, which there is not")
        interface = self.interfaces[number]
        if ticks >= 0:
            self._last = ticks * SECOND // interface.per_second + self._offsets[number]
        return found(counters, self._last, interface, data, frame, frame + captured, original)

    def ticks(self, time_ns: int, interface: CapturedInterface) -> int:
        """A time as a block of an interface of the present section tells it; never below 0."""
        since = max(0, time_ns - self._offsets[interface.number])
        return -(-since * interface.per_second // SECOND) & 0xFFFFFFFFFFFFFFFF


_LINK_TYPES: Final = {each.value: each for each in LinkType}


def _per_second(resolution: int) -> int:
    """Of the option if_tsresol: a power of ten, or of two; at most as fine as 64 bits can tell a second."""
    exponent = resolution & 0x7F
    return int(2 ** min(exponent, 63)) if resolution & 0x80 else int(10 ** min(exponent, 18))
