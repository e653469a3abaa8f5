"""What a laboratory is made of: hosts, their interfaces and the segments between them, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

VIRTUAL_ADDRESS: Final = "10.0.0.1"
POOL: Final = ("203.0.113.10", "203.0.113.20", 24)
"""First and last address and prefix length; on-link for the server, so routers must answer for them."""
ROUTED_POOL: Final = ("198.18.5.10", "198.18.5.20", 24)
"""The same where it is on nobody's link: routes lead to it."""
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
class Topology:
    """Hosts (each a namespace) and segments: two ports are a cable, more are a bridge of that name."""

    segments: Mapping[str, tuple[Port, ...]]
    routers: tuple[str, ...] = ()
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


def routers_between(count: int) -> Topology:
    """A client and a server, routers between them, and a replication network of the routers' own."""
    numbers = range(1, count + 1)

    def ports(interface: str, network: str, first: int) -> tuple[Port, ...]:
        return tuple(
            Port(host=f"r{n}", interface=interface, address=f"{network}.{first + n}/24") for n in numbers
        )

    return Topology(
        segments={
            "lan": (
                Port(host="client", interface="eth0", address=f"{CLIENT}/24"),
                *ports("in0", "10.0.0", 1),
            ),
            "wan": (
                Port(host="server", interface="eth0", address=f"{SERVER}/24"),
                *ports("out0", "203.0.113", 1),
            ),
            "replication": ports("rep0", "192.168.77", 0),
        },
        routers=tuple(f"r{n}" for n in numbers),
        default_routes={"client": VIRTUAL_ADDRESS},
        switched=("replication",),
    )
