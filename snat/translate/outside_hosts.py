"""Outside hosts that inside ones know by another address (twice NAT)."""

from snat.nat.address_pool import AddressPool
from snat.nat.entry import (
    MAPPING,
    Flag,
)
from snat.nat.rules import Rule
from snat.nat.static import Static
from snat.translate.entries import NOBODY, Entries, facts


class OutsideHosts(Entries):
    """What outside hosts are called inside: outside-local, which becomes outside-global, and back."""

    def _outside_global(self, outside_local: bytes, protocol: int) -> tuple[int, bytes] | None:
        """What inside hosts call an outside host, and by which mapping; None: nobody has this address now."""
        for rule in self.rules.outside_statics.of_local(outside_local, protocol):
            if rule.global_ is not None:
                return rule.mapping_id, rule.to_global(outside_local)
        simple = self._table.from_inside(NOBODY, outside_local[:4] + b"\0\0")
        if simple is not None:
            return int.from_bytes(simple[MAPPING], "big"), simple[35:39] + outside_local[4:]
        return None if self.rules.is_outside_local(outside_local[:4]) else (0, outside_local)

    def _outside_rule(self, key: bytes, protocol: int, buffer: bytearray) -> Static | Rule | None:
        """What says how inside hosts call the source of a packet from outside."""
        static = next(self.rules.outside_statics.of_global(key[:4] + key[8:10], protocol), None)
        if static is not None or not self.rules.outside:
            return static
        return self.rules.for_outside(facts(key, protocol, buffer))

    def _outside_local(self, rule: Static | Rule, outside_global: bytes) -> bytes | None:
        """What inside hosts call an outside endpoint; a dynamic rule gives its host an address as a whole."""
        if isinstance(rule, Static):
            return rule.to_local(outside_global)
        host = outside_global[:4]
        address = rule.pool.assign(host, self._now) if isinstance(rule.pool, AddressPool) else None
        if address is None:
            self._counters.exhausted += 1
            return None
        if self._table.from_outside(NOBODY, host + b"\0\0") is None:
            ends = NOBODY, NOBODY, address + b"\0\0", host + b"\0\0"
            self._create(rule.mapping_id, *ends, Flag.OUTSIDE)
        return address + outside_global[4:]
