"""Which side a captured packet came from: a capture has no TUNs that would tell."""

from collections.abc import Callable
from typing import Final

from snat.config.model import Configuration, Side
from snat.nat.addresses import Spans
from snat.nat.rules import Rules
from snat.net.capture_frame import CapturedPacket

_REMEMBERED: Final = 65536
"""Pairs of addresses whose side is remembered; it can be found again."""


class Realms:
    """Decides by the interface, where the capture (pcapng) names one that is inside or outside here.

    Otherwise by the addresses. What is addressed to an inside global address (of a pool, a static rule, an
    interface) or to hosts that take turns came from outside, unless an inside host sent it: one that a static
    rule, or a rule with a standard list, translates. All else came from inside.
    """

    def __init__(self, configuration: Configuration, rules: Callable[[], Rules]) -> None:
        """``rules`` are those in force."""
        self._sides = {
            one.name: one.side is Side.OUTSIDE for one in configuration.interfaces if one.side is not None
        }
        self.known: dict[bytes, bool] = {}
        """By source and destination, where no interface decides."""
        self._rules_in_force = rules
        self._take(rules())

    def from_outside(self, packet: CapturedPacket) -> bool:
        """Whether a packet came from outside."""
        if packet.interface.name in self._sides:
            return self._sides[packet.interface.name]
        rules = self._rules_in_force()
        if rules is not self._rules:
            self._take(rules)
        addresses = packet.data[packet.start + 12 : packet.start + 20]
        known = self.known.get(addresses)
        if known is None:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            known = self.known[addresses] = self._is_outside(addresses[:4], addresses[4:])
        return known

    def _take(self, rules: Rules) -> None:
        self._rules = rules
        self._locals = Spans(list(rules.statics.ranges(local=True)))
        self.known.clear()

    def _is_outside(self, source: bytes, destination: bytes) -> bool:
        return self._is_global(destination) and not self._is_inside(source)

    def _is_global(self, address: bytes) -> bool:
        rotary = (rule.access_list for rule in self._rules.destinations)
        number = int.from_bytes(address, "big")
        return self._rules.owns(address) or any(one.by_source and one.permits(number) for one in rotary)

    def _is_inside(self, address: bytes) -> bool:
        listed = self._rules.by_source and self._rules.for_source(address) is not None
        return listed or address in self._locals
