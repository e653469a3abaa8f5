"""Which entries of the NAT table an operator means: to be shown, counted or cleared (ios-cli.md 2.2).

Imports nothing of ours, so that the shell may make one.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple


class Place(NamedTuple):
    """An address, and perhaps a port (of an ICMP query: its identifier)."""

    address: IPv4Address
    port: int | None = None
    """None: whatever it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Entries that are all of what is given; without anything, every entry."""

    protocol: int | None = None
    inside: Place | None = None
    """What inside hosts are called, be it the local or the global address."""
    outside: Place | None = None
    """The same of outside hosts."""
    inside_local: Place | None = None
    inside_global: Place | None = None
    outside_local: Place | None = None
    outside_global: Place | None = None
    global_range: tuple[IPv4Address, IPv4Address] | None = None
    """First and last inside-global address."""
    nat_id: int | None = None
    """Of the device that made them; 0: the local ones."""


EVERYTHING = Selection()
