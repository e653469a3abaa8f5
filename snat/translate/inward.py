"""Flows that an outside host begins, as far as anything leads in.

That is a static rule, a rotary pool, an address that a host has as a whole, or a flow of the mapping that
lets the outside host in, by the filtering that is configured.
"""

from snat.nat.address_pool import AddressPool
from snat.nat.entry import INSIDE_LOCAL, MAPPING, Flag
from snat.nat.rotary import RotaryPool
from snat.nat.rules import Rule
from snat.nat.static import Static
from snat.nat.tracking import ICMP, TCP
from snat.translate.entries import INBOUND, OCTETS, facts, opens
from snat.translate.expected import ExpectedFlows
from snat.translate.outside_hosts import OutsideHosts


class Inward(OutsideHosts, ExpectedFlows):
    """Makes the entry of a packet from outside."""

    def _open_inward(self, key: bytes, protocol: int, buffer: bytearray) -> bytes | None:
        rules = self.rules
        inside_global = OCTETS[protocol] + key[4:8] + key[10:12]
        outside_local = outside_global = key[:4] + key[8:10]
        expected = self.expected_from(inside_global, outside_global)
        found = (
            self._inside_local(inside_global, key, protocol, buffer)
            if expected is None
            else (int.from_bytes(expected[MAPPING], "big"), expected[INSIDE_LOCAL], 0)
        )
        if found is None:
            return None
        mapping_id, inside_local, flags = found
        outside = self._outside_rule(key, protocol, buffer) if rules.twice else None
        if outside is not None and not rules.owns(key[4:8]) and not flags & Flag.DESTINATION:
            mapping_id = outside.mapping_id  # the inside host keeps its address
        may = self._may_create(mapping_id, protocol, opens(protocol, buffer))
        if not may or self._is_limited(inside_local[:4]):
            return None
        if outside is not None:
            called = self._outside_local(outside, outside_global)
            if called is None:
                return None
            outside_local = called
        if protocol == ICMP:
            outside_local = outside_local[:4] + inside_local[4:6]
        if self._table.from_inside(inside_local, outside_local) is not None:
            self._counters.ambiguous += 1
            return None
        record = self._create(
            mapping_id, inside_local, inside_global, outside_local, outside_global, INBOUND | flags
        )
        if expected is not None:
            self.came(expected)
        return record

    def _inside_local(
        self, inside_global: bytes, key: bytes, protocol: int, buffer: bytearray
    ) -> tuple[int, bytes, int] | None:
        """Whom a packet from outside is for: mapping, inside-local endpoint, flags; None: nobody, counted."""
        rules = self.rules
        static = self._static_to(key, protocol, buffer) if rules.statics else None
        if static is not None:
            return static.mapping_id, static.to_local(inside_global[1:]) + inside_global[:1], 0
        rotation = self._rotation(key, protocol, buffer) if rules.destinations else None
        if rotation is not None:
            return self._turn(rotation, inside_global, key, opens(protocol, buffer))
        if not rules.owns(key[4:8]):
            return 0, inside_global[1:] + inside_global[:1], 0
        known = self._admitted(inside_global, key[:4])
        if known is not None:
            if self._admission.is_full(inside_global) and rules.pool_of(key[4:8]) is not None:
                self._counters.crowded += 1
                return None
            return int.from_bytes(known[MAPPING], "big"), known[INSIDE_LOCAL], 0
        given = self._given_to(key, protocol, buffer) if rules.address_pools else None
        if given is not None:
            return given[0], given[1] + inside_global[5:] + inside_global[:1], 0
        if inside_global in self._table.outside:
            self._counters.filtered += 1
        else:
            self._counters.unknown_inbound += 1
        return None

    def _static_to(self, key: bytes, protocol: int, buffer: bytearray) -> Static | None:
        """The static rule for a packet from outside; one with a condition is asked about the answer to it."""
        endpoint = key[4:8] + key[10:12]
        for rule in self.rules.statics.of_global(endpoint, protocol):
            if rule.condition is None:
                return rule
            if rule.reversible:
                answer = rule.to_local(endpoint) + key[:4] + key[8:10]
                answered = answer[:4] + answer[6:10] + answer[4:6] + answer[10:12]
                if rule.condition.matches(*facts(answered, protocol, buffer)):
                    return rule
        return None

    def _given_to(self, key: bytes, protocol: int, buffer: bytearray) -> tuple[int, bytes] | None:
        """The mapping and the inside host that has an address as a whole, if outside hosts may begin."""
        for rule in self.rules.rules:
            host = rule.pool.host_of(key[4:8]) if isinstance(rule.pool, AddressPool) else None
            if host is None:
                continue
            answered = host + key[:4] + key[10:12] + key[8:10]
            if rule.simple or (
                rule.reversible and rule.access_list.matches(*facts(answered, protocol, buffer))
            ):
                return rule.mapping_id, host
        return None

    def _rotation(self, key: bytes, protocol: int, buffer: bytearray) -> Rule | None:
        """The rule by which hosts take turns at an address: of TCP only, as in IOS."""
        return self.rules.for_destination(facts(key, protocol, buffer)) if protocol == TCP else None

    def _turn(
        self, rule: Rule, inside_global: bytes, key: bytes, opens: bool
    ) -> tuple[int, bytes, int] | None:
        """The host whose turn it is, and which can tell this connection from its others."""
        if not self._may_create(rule.mapping_id, inside_global[0], opens):
            return None
        for host in rule.pool.turns() if isinstance(rule.pool, RotaryPool) else ():
            inside_local = host + inside_global[5:] + inside_global[:1]
            if self._table.from_inside(inside_local, key[:4] + key[8:10]) is None:
                return rule.mapping_id, inside_local, Flag.DESTINATION
        self._counters.ambiguous += 1
        return None

    def _admitted(self, inside_global: bytes, source: bytes) -> bytes | None:
        """A flow by which an outside host may send to this inside-global endpoint; a ping's is its alone."""
        return None if inside_global[0] == ICMP else self._admission.by(inside_global, source)
