"""What a capture is made of: interfaces, frames, and where in a frame the IPv4 packet is."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

SNAP_LENGTH_LIMIT: Final = 262144
"""Longest frame believed: tcpdump's own limit. A longer one means that the file is damaged."""
MAX_VLAN_TAGS: Final = 2
"""IEEE 802.1ad stacks two."""
SECOND: Final = 1_000_000_000
"""Nanoseconds."""

_IPV4: Final = b"\x08\x00"
_VLAN_TYPES: Final = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})
_LEAST: Final = {6: 20, 17: 8, 1: 8}
"""Bytes behind the IPv4 header that must be there of a snapped packet, by protocol: its transport header."""
_ICMP: Final = 1
_QUERIES: Final = frozenset({0, 8, 13, 14})
"""ICMP types that quote no packet."""


class LinkType(IntEnum):
    """What a frame begins with."""

    ETHERNET = 1
    RAW = 101
    LINUX_SLL = 113
    IPV4 = 228
    LINUX_SLL2 = 276


_TYPE_AND_PAYLOAD: Final = {
    LinkType.ETHERNET: (12, 14),
    LinkType.LINUX_SLL: (14, 16),
    LinkType.LINUX_SLL2: (0, 20),
}
"""Where a frame tells the protocol of its payload, and where that begins."""


class CaptureError(Exception):
    """A capture that cannot be read: what, where, and what to do."""

    def __init__(self, name: str, offset: int, what: str, remedy: str) -> None:
        super().__init__(f"{name}, byte {offset}: {what}; {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedInterface:
    """Where frames were captured. A pcap file has one, without a name; pcapng as many as it tells."""

    number: int = 0
    """In its section of the file."""
    link_type: LinkType | None
    """None: one that is not known; its frames are passed over."""
    name: str = ""
    per_second: int = 1_000_000
    """Units of time in a second."""
    snap_length: int = SNAP_LENGTH_LIMIT


class CapturedPacket(NamedTuple):
    """A frame with an IPv4 packet: ``data[frame:start]`` its link header, ``data[start:end]`` the packet."""

    time_ns: int
    """Nanoseconds since 1970."""
    interface: CapturedInterface
    data: bytes
    """A piece of the file, with this frame and others."""
    frame: int
    start: int
    end: int
    length: int
    """What the packet says of its length: more than ``end - start`` if it was captured in part."""

    @property
    def link_header(self) -> bytes:
        """What stood before the packet."""
        return self.data[self.frame : self.start]

    @property
    def packet(self) -> bytes:
        """The packet, as far as it was captured."""
        return self.data[self.start : self.end]


@dataclass(slots=True, kw_only=True)
class CaptureCounters:
    """What became of the records of a capture.

    The rule: what is no IPv4 packet is left out of the output; a packet that was captured in part is
    translated if all that is rewritten is there (IPv4 and transport header; ICMP errors must be whole), and
    written as short as it came; one that is malformed is left out.
    """

    records: int = 0
    packets: int = 0
    """IPv4 packets among them that were translated, or could be."""
    other_protocols: int = 0
    """Left out: ARP, IPv6 and whatever is not IPv4."""
    snapped: int = 0
    """Captured in part, and translated."""
    snapped_headers: int = 0
    """Left out: captured in part, so that headers are not whole."""
    malformed: int = 0
    """Left out: lengths that contradict each other."""
    other_blocks: int = 0
    """Of pcapng: left out, what is neither a frame nor about interfaces."""
    cut_short: int = 0
    """1: the file ends within a record, as where its writer was killed."""
    written: int = 0
    dropped: int = 0
    """Packets that the translator did not pass when they came; a fragment that waited is written later."""


def payload_offset(data: bytes, frame: int, end: int, link_type: LinkType | None) -> int | None:
    """Where the payload of the frame ``data[frame:end]`` starts, maybe at its end; None: it is not IPv4."""
    places = _TYPE_AND_PAYLOAD.get(link_type) if link_type is not None else None
    if places is None:
        return frame if link_type is not None else None
    told, payload = frame + places[0], frame + places[1]
    for _ in range(MAX_VLAN_TAGS + 1):
        if told + 2 > end or payload > end:
            return end
        protocol = data[told : told + 2]
        if protocol not in _VLAN_TYPES:
            return payload if protocol == _IPV4 else None
        told, payload = payload + 2, payload + 4
    return None


def found(
    counters: CaptureCounters,
    time_ns: int,
    interface: CapturedInterface,
    data: bytes,
    frame: int,
    end: int,
    original: int,
) -> CapturedPacket | None:
    """The IPv4 packet of the frame ``data[frame:end]``; None: there is none, and why is counted.

    ``original`` is the frame's length on the wire.
    """
    start = payload_offset(data, frame, end, interface.link_type)
    if start is None or (start < end and data[start] >> 4 != 4):
        counters.other_protocols += 1
        return None
    snapped = end - frame < original
    header = (data[start] & 15) * 4 if start < end else 0
    if start + 20 > end:
        counters.snapped_headers += snapped
        counters.malformed += not snapped
        return None
    length = data[start + 2] << 8 | data[start + 3]
    if not 20 <= header <= length:
        counters.malformed += 1
        return None
    if start + length <= end:
        counters.packets += 1
        return CapturedPacket(time_ns, interface, data, frame, start, start + length, length)
    if not snapped:
        counters.malformed += 1
        return None
    if not _headers_are_whole(data, start, end, header):
        counters.snapped_headers += 1
        return None
    counters.packets += 1
    counters.snapped += 1
    return CapturedPacket(time_ns, interface, data, frame, start, end, length)


def _headers_are_whole(data: bytes, start: int, end: int, header: int) -> bool:
    protocol, transport = data[start + 9], start + header
    if data[start + 6] & 0x1F or data[start + 7]:
        return transport <= end  # a later fragment has no transport header
    if transport + _LEAST.get(protocol, 0) > end:
        return False
    return protocol != _ICMP or data[transport] in _QUERIES
