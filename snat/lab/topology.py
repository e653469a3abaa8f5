"""What a laboratory is made of: hosts, their interfaces and the segments between them, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

VIRTUAL_ADDRESS: Final = "10.0.0.1"
POOL: Final = ("203.0.113.10", "203.0.113.20", 24)
"""First and last address and prefix length; on-link for the server, so routers must answer for them."""
ROUTED_POOL: Final = ("198.18.5.10", "198.18.5.20", 24)
"""The same where it is on nobody's link: routes lead to it."""
ONE_ADDRESS: Final = ("203.0.113.10", "203.0.113.10", 24)
"""A pool in which everybody competes for the ports of one address."""
SERVER: Final = "203.0.113.100"
CLIENT: Final = "10.0.0.100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One host's interface on a segment."""

    host: str
    interface: str
    address: str
    """With its prefix length: ``10.0.0.2/24``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A client and the server that it talks with."""

    client: str
    server: str
    address: str
    """The server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Hosts (each a namespace) and segments: two ports are a cable, more are a bridge of that name."""

    segments: Mapping[str, tuple[Port, ...]]
    routers: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    default_routes: Mapping[str, str] = field(default_factory=dict)
    """Host to next hop."""
    switched: tuple[str, ...] = ()
    """Segments that have a bridge even with two ports on them: a bridge can be parted in two."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host once, in the order of the segments."""
        return tuple(dict.fromkeys(port.host for ports in self.segments.values() for port in ports))

    @property
    def bridges(self) -> tuple[str, ...]:
        """Segments that need a bridge, and so a namespace of their own."""
        return tuple(name for name, ports in self.segments.items() if len(ports) > 2 or name in self.switched)


def routers_between(count: int, *, pairs: int = 1) -> Topology:
    """Clients and as many servers, routers between them, and a replication network of the routers' own."""
    routers = tuple(f"r{number}" for number in range(1, count + 1))
    clients, servers = (_numbered(name, pairs) for name in ("client", "server"))
    return Topology(
        segments={
            "lan": (*_ports(clients, "eth0", CLIENT), *_ports(routers, "in0", "10.0.0.2")),
            "wan": (*_ports(servers, "eth0", SERVER), *_ports(routers, "out0", "203.0.113.2")),
            "replication": _ports(routers, "rep0", "192.168.77.1"),
        },
        routers=routers,
        pairs=tuple(
            Pair(client=client, server=server, address=str(IPv4Address(SERVER) + place))
            for place, (client, server) in enumerate(zip(clients, servers, strict=True))
        ),
        default_routes=dict.fromkeys(clients, VIRTUAL_ADDRESS),
        switched=("replication",),
    )


def _numbered(name: str, count: int) -> tuple[str, ...]:
    """``client``, ``client2``, ..."""
    return (name, *(f"{name}{number}" for number in range(2, count + 1)))


def _ports(hosts: Sequence[str], interface: str, first: str) -> tuple[Port, ...]:
    """One for each, with consecutive addresses from ``first`` on."""
    begin = IPv4Address(first)
    return tuple(
        Port(host=host, interface=interface, address=f"{begin + place}/24")
        for place, host in enumerate(hosts)
    )
