"""Access lists: which inside hosts, or which packets, a rule is for."""

from dataclasses import dataclass

TCP, ICMP = 6, 1
RST, ACK = 0x04, 0x10
NO_PORT = -1
"""Of a packet that has none: a fragment after the first, a protocol without ports."""


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
        """Whether a packet is permitted. Addresses are integers; ``flags`` are those of TCP (its 14th byte).

        Ports are :data:`NO_PORT` where the packet has none; the ICMP type is None for what is not ICMP.
        """
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
