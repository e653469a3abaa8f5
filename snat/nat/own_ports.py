"""Ports that a router itself uses at an address that it shares with inside hosts (``interface``)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_LOCAL_PORTS: Final = range(32768, 61000)
"""From which Linux takes the ports of connections that the router begins (``ip_local_port_range``)."""
_PROTOCOLS: Final = (6, 17)


@dataclass(frozen=True, slots=True)
class OwnPorts:
    """A set of protocols with ports, 3 bytes each: those never to be handed out."""

    services: tuple[tuple[int, int], ...]
    """Protocols and ports at which the router listens."""

    def __init__(self, services: Iterable[tuple[int, int]]) -> None:
        object.__setattr__(self, "services", tuple(sorted(set(services))))

    def __contains__(self, place: object) -> bool:
        if not isinstance(place, bytes) or place[0] not in _PROTOCOLS:
            return False
        port = int.from_bytes(place[1:], "big")
        return port in _LOCAL_PORTS or (place[0], port) in self.services
