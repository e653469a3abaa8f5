"""Access lists and route-maps (ios-cli.md 1.5)."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import NamedTuple

EVERY_BIT = IPv4Address("255.255.255.255")
"""The wildcard of ``any``."""
STEP = 10
"""Between the sequence numbers that lines get by themselves."""


class ListKind(StrEnum):
    """What the lines of a list compare."""

    STANDARD = "standard"
    """The source."""
    EXTENDED = "extended"
    """Protocol, source, destination, ports."""


class Ports(NamedTuple):
    """``eq|neq|lt|gt PORT`` or ``range LOW HIGH``."""

    operator: str
    low: int
    high: int
    """As ``low``, but for ``range``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLine:
    """One line: ``permit 10.0.0.0 0.0.0.255``, ``permit tcp any host 192.0.2.1 eq 80``."""

    sequence: int = 0
    """Its place in the list; 0 in a list that was not numbered yet."""
    permit: bool
    address: IPv4Address
    """Source."""
    wildcard: IPv4Address = IPv4Address(0)
    """Bits that are set are not compared."""
    log: bool = False
    remarks: tuple[str, ...] = ()
    """Printed above it."""
    protocol: int | None = None
    """IP protocol number; None: any (``ip``), as in every standard list."""
    ports: Ports | None = None
    destination: IPv4Address = IPv4Address(0)
    destination_wildcard: IPv4Address = EVERY_BIT
    destination_ports: Ports | None = None
    established: bool = False
    """TCP with ACK or RST."""
    icmp_type: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessList:
    """``access-list 1 ...`` or ``ip access-list extended NAME``; no line matches: deny."""

    name: str
    """A number in 1-199 or 1300-2699, or a word."""
    kind: ListKind = ListKind.STANDARD
    lines: tuple[AccessLine, ...] = ()
    """In the order of their sequence numbers."""
    remarks: tuple[str, ...] = ()
    """After the last line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMapEntry:
    """``route-map NAME permit|deny SEQUENCE`` with its ``match`` lines; one without any matches all."""

    sequence: int
    permit: bool = True
    description: str = ""
    lists: tuple[str, ...] = ()
    """``match ip address``: any of them must permit."""
    interfaces: tuple[str, ...] = ()
    """``match interface``: the packet must leave by one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMap:
    """The entries of one name, in the order of their sequence numbers; none matches: deny."""

    name: str
    entries: tuple[RouteMapEntry, ...] = ()
