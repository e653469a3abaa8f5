"""Access lists and route-maps: which inside hosts, or which packets, a rule is for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

TCP, ICMP = 6, 1
RST, ACK = 0x04, 0x10
NO_PORT = -1
"""Of a packet that has none: a fragment after the first, a protocol without ports."""


class Facts(NamedTuple):
    """What of a packet is compared; addresses are integers."""

    protocol: int
    source: int
    source_port: int
    """:data:`NO_PORT` where the packet has none."""
    destination: int
    destination_port: int
    flags: int
    """Of TCP: its 14th byte."""
    icmp_type: int | None = None
    """None: it is not ICMP."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports, both ends included; or all ports but these."""

    low: int
    high: int
    inverted: bool = False

    def __contains__(self, port: int) -> bool:
        return port >= 0 and (self.low <= port <= self.high) is not self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a line of an extended list compares besides the source address."""

    protocol: int | None = None
    """None: any."""
    source_ports: PortRange | None = None
    destination: int = 0
    destination_wildcard: int = 0xFFFFFFFF
    destination_ports: PortRange | None = None
    established: bool = False
    """TCP with ACK or RST."""
    icmp_type: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """``permit|deny ADDRESS WILDCARD ...``; bits that are set in a wildcard are not compared."""

    permit: bool
    address: int
    wildcard: int
    narrowing: Narrowing | None = None
    """None: the line is about the source alone."""


@dataclass(frozen=True, slots=True)
class AccessList:
    """The first line that matches decides, none means deny."""

    lines: tuple[Line, ...]

    @property
    def by_source(self) -> bool:
        """Whether it compares nothing but sources."""
        return all(line.narrowing is None for line in self.lines)

    def permits(self, address: int) -> bool:
        """Whether an IPv4 address, as an integer, is permitted. Only for lists that compare nothing else."""
        for line in self.lines:
            if not (address ^ line.address) & ~line.wildcard & 0xFFFFFFFF:
                return line.permit
        return False

    def matches(
        self,
        protocol: int,
        source: int,
        source_port: int,
        destination: int,
        destination_port: int,
        flags: int,
        icmp_type: int | None = None,
    ) -> bool:
        """Whether a packet is permitted; its :class:`Facts`."""
        for line in self.lines:
            if (source ^ line.address) & ~line.wildcard & 0xFFFFFFFF:
                continue
            narrow = line.narrowing
            if narrow is None or (
                narrow.protocol in (None, protocol)
                and not (destination ^ narrow.destination) & ~narrow.destination_wildcard & 0xFFFFFFFF
                and (narrow.source_ports is None or source_port in narrow.source_ports)
                and (narrow.destination_ports is None or destination_port in narrow.destination_ports)
                and (not narrow.established or (protocol == TCP and bool(flags & (ACK | RST))))
                and narrow.icmp_type in (None, icmp_type)
            ):
                return line.permit
        return False


@dataclass(frozen=True, slots=True)
class RouteMapEntry:
    """``route-map NAME permit|deny N``: it matches what any of its lists permits; without lists, all."""

    permit: bool
    lists: tuple[AccessList, ...] = ()
    leaves: Callable[[int], bool] | None = None
    """Whether a packet to an address leaves by one of its interfaces; None: by whichever."""


@dataclass(frozen=True, slots=True)
class RouteMap:
    """The first entry that matches decides, none means deny. What a list denies, another entry may match."""

    entries: tuple[RouteMapEntry, ...]

    @property
    def by_source(self) -> bool:
        """Whether it compares nothing but sources."""
        anywhere = all(entry.leaves is None for entry in self.entries)
        return anywhere and all(one.by_source for entry in self.entries for one in entry.lists)

    def permits(self, address: int) -> bool:
        """As :meth:`AccessList.permits`."""
        for entry in self.entries:
            if not entry.lists or any(one.permits(address) for one in entry.lists):
                return entry.permit
        return False

    def matches(
        self,
        protocol: int,
        source: int,
        source_port: int,
        destination: int,
        destination_port: int,
        flags: int,
        icmp_type: int | None = None,
    ) -> bool:
        """As :meth:`AccessList.matches`."""
        facts = Facts(protocol, source, source_port, destination, destination_port, flags, icmp_type)
        for entry in self.entries:
            if entry.leaves is not None and not entry.leaves(destination):
                continue
            if not entry.lists or any(one.matches(*facts) for one in entry.lists):
                return entry.permit
        return False


Condition = AccessList | RouteMap
"""For whom, or for what, a rule is."""
