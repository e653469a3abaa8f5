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

    places: frozenset[bytes]
    """Protocols with ports at which the router listens."""

    ranges: tuple[range, ...]
    """Ports of connections that the router begins, and what its administrator keeps for it."""

    def __init__(
        self, services: Iterable[tuple[int, int]] = (), ranges: tuple[range, ...] = (LOCAL_PORTS,)
    ) -> None:
        """``services``: protocols and ports. To name those of ``ranges`` makes no other set."""
        places = (
            bytes((protocol,)) + port.to_bytes(2, "big")
            for protocol, port in services
            if not any(port in one for one in ranges)
        )
        object.__setattr__(self, "places", frozenset(places))
        object.__setattr__(self, "ranges", ranges)

    def __contains__(self, place: object) -> bool:
        if place in self.places:
            return True
        if not isinstance(place, bytes) or place[0] not in _PROTOCOLS:
            return False
        port = int.from_bytes(place[1:], "big")
        return any(port in one for one in self.ranges)

    def with_services(self, services: Iterable[tuple[int, int]]) -> "OwnPorts":
        """These, and more protocols and ports at which the router listens."""
        known = ((place[0], int.from_bytes(place[1:], "big")) for place in self.places)
        return OwnPorts((*known, *services), self.ranges)
