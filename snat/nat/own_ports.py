"""Ports that a router itself uses at an address that it shares with inside hosts (``interface``)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LOCAL_PORTS: Final = range(32768, 61000)
"""From which Linux takes the ports of connections that the router begins, unless told otherwise."""
_PROTOCOLS: Final = (6, 17)


@dataclass(frozen=True, slots=True)
class OwnPorts:
    """A set of protocols with ports, 3 bytes each: those never to be handed out."""

    services: tuple[tuple[int, int], ...]
    """Protocols and ports at which the router listens."""

    local: range
    """Ports of connections that the router begins."""

    def __init__(self, services: Iterable[tuple[int, int]], local: range = LOCAL_PORTS) -> None:
        object.__setattr__(self, "services", tuple(sorted(set(services))))
        object.__setattr__(self, "local", local)

    def __contains__(self, place: object) -> bool:
        if not isinstance(place, bytes) or place[0] not in _PROTOCOLS:
            return False
        port = int.from_bytes(place[1:], "big")
        return port in self.local or (place[0], port) in self.services
