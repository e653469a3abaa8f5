"""Flows that an inside host begins: static rule, the mapping that it has, or a dynamic rule and its pool."""

from snat.nat.address_pool import AddressPool
from snat.nat.entry import NOWHERE
from snat.nat.pool import NO_PORT, Pool
from snat.nat.rules import Rule
from snat.nat.static import Static
from snat.nat.tracking import CLASSES, ICMP
from snat.translate.entries import OCTETS, WHOLE, facts, opens
from snat.translate.outside_hosts import OutsideHosts


class Outward(OutsideHosts):
    """Makes the entry of a packet from inside."""

    def _open_outward(self, key: bytes, protocol: int, buffer: bytearray) -> bytes | None:
        rules = self.rules
        outside_local = outside_global = key[4:8] + key[10:12]
        mapping_id = 0
        if rules.twice:
            known = self._outside_global(outside_local, protocol)
            if known is None:
                self._counters.unknown_outbound += 1
                return None
            mapping_id, outside_global = known
        static = self._static_of(key, protocol, buffer) if rules.statics else None
        rule = None if static is not None else self._rule_of(key, protocol, buffer)
        chosen = static or rule
        if chosen is not None:
            mapping_id = chosen.mapping_id
        if not self._may_create(mapping_id, protocol, opens(protocol, buffer)) or self._is_limited(key[:4]):
            return None
        inside_local = key[:4] + key[8:10] + OCTETS[protocol]
        if rule is not None:
            inside_global = self._allocated(rule, inside_local, outside_global)
        else:
            inside_global = self._stated(static, inside_local, outside_global)
        if inside_global is None:
            return None
        if protocol == ICMP:  # the outside host answers to the identifier that it is sent
            outside_global = outside_global[:4] + inside_global[5:]
        return self._create(mapping_id, inside_local, inside_global, outside_local, outside_global)

    def _static_of(self, key: bytes, protocol: int, buffer: bytearray) -> Static | None:
        for rule in self.rules.statics.of_local(key[:4] + key[8:10], protocol):
            if rule.condition is None or rule.condition.matches(*facts(key, protocol, buffer)):
                return rule
        return None

    def _rule_of(self, key: bytes, protocol: int, buffer: bytearray) -> Rule | None:
        if key is not self._asked:
            rules = self.rules
            by_source = rules.by_source
            rule = rules.for_source(key[:4]) if by_source else rules.for_packet(facts(key, protocol, buffer))
            self._asked, self._answer = key, rule
        return self._answer

    def _stated(self, static: Static | None, inside_local: bytes, outside_global: bytes) -> bytes | None:
        """The inside-global endpoint that a static rule says, or of a host that keeps its address."""
        inside_global = inside_local[6:] + inside_local[:6]
        if static is not None:
            if static.global_ is None:
                self._counters.no_address += 1
                return None
            inside_global = inside_local[6:] + static.to_global(inside_local[:6])
        if self._table.from_outside(inside_global, outside_global) is not None:
            self._counters.ambiguous += 1
            return None
        return inside_global

    def _allocated(self, rule: Rule, inside_local: bytes, outside_global: bytes) -> bytes | None:
        """The inside-global endpoint by a dynamic rule: the one that it has already, or a new one."""
        pool, protocol = rule.pool, inside_local[6]
        if isinstance(pool, AddressPool):
            return self._given(rule, pool, inside_local)
        if not isinstance(pool, Pool):
            self._counters.no_address += 1
            return None
        if protocol not in CLASSES:
            return self._without_port(pool, inside_local, outside_global)
        if inside_local in self._table.inside:
            for inside_global in self._mapped.of(inside_local):  # RFC 4787 REQ-1
                if inside_global[1:5] in pool and self._is_dynamic(inside_global):
                    return inside_global
        port = inside_local[4] << 8 | inside_local[5]
        found = pool.allocate(protocol, inside_local[:4], port, self._table.outside, self._now)
        if found is None:
            self._counters.exhausted += 1
        return found

    def _without_port(self, pool: Pool, inside_local: bytes, outside_global: bytes) -> bytes | None:
        """An address that tells the answers of this outside host from those to other inside hosts."""
        protocol = OCTETS[inside_local[6]]
        for address in pool.without_port(inside_local[:4]):
            inside_global = protocol + address + NO_PORT
            if self._table.from_outside(inside_global, outside_global) is None:
                return inside_global
        self._counters.address_taken += 1
        return None

    def _is_dynamic(self, inside_global: bytes) -> bool:
        """Whether a dynamic rule chose this endpoint, not a static one."""
        statics = self.rules.statics
        return not statics or next(statics.of_global(inside_global[1:], inside_global[0]), None) is None

    def _given(self, rule: Rule, pool: AddressPool, inside_local: bytes) -> bytes | None:
        """An address as a whole, with an entry that says so."""
        host = inside_local[:4]
        address = pool.assign(host, self._now)
        if address is None:
            self._counters.exhausted += 1
            return None
        if rule.simple and self._table.from_inside(host + WHOLE, NOWHERE) is None:
            ends = host + WHOLE, b"\0" + address + b"\0\0", NOWHERE, NOWHERE
            self._create(rule.mapping_id, *ends, flags=0)
        return inside_local[6:] + address + inside_local[4:6]
