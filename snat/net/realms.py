"""Which side a captured packet came from: a capture has no TUNs that would tell."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, ip_network
from typing import Final

from snat.config.model import Configuration, RuleKind, Side
from snat.net.capture_frame import CapturedPacket

_REMEMBERED: Final = 65536
"""Pairs of addresses whose side is remembered; it can be found again."""


class Realms:
    """Decides by the interface, where the capture (pcapng) names one that is inside or outside here.

    Otherwise by the addresses: what is addressed to an inside global address (of a pool or a static rule)
    came from outside, unless an inside host sent it, which a rule translates; all else came from inside.
    """

    def __init__(
        self,
        configuration: Configuration,
        globals_: Iterable[IPv4Network],
        is_inside: Callable[[bytes], bool],
    ) -> None:
        """``globals_`` are the pools; ``is_inside`` tells of a source whether a rule translates it."""
        self._sides = {
            one.name: one.side is Side.OUTSIDE for one in configuration.interfaces if one.side is not None
        }
        statics = (
            ip_network((one.global_, one.prefix_length or 32), strict=False)
            for one in configuration.static_rules
            if one.global_ is not None and one.kind is RuleKind.INSIDE_SOURCE
        )
        networks = [*globals_, *(one for one in statics if isinstance(one, IPv4Network))]
        self._ranges = [(int(one.network_address), int(one.broadcast_address)) for one in networks]
        self._is_inside = is_inside
        self._known: dict[bytes, bool] = {}

    def from_outside(self, packet: CapturedPacket) -> bool:
        """Whether a packet came from outside."""
        if packet.interface.name:
            side = self._sides.get(packet.interface.name)
            if side is not None:
                return side
        addresses = packet.data[packet.start + 12 : packet.start + 20]
        known = self._known.get(addresses)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[addresses] = self._is_outside(addresses)
        return known

    def _is_outside(self, addresses: bytes) -> bool:
        destination = int.from_bytes(addresses[4:], "big")
        is_global = any(first <= destination <= last for first, last in self._ranges)
        return is_global and not self._is_inside(addresses[:4])
