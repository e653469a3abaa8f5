"""Translation rules and their order: static ones first, then the first whose condition permits decides."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from snat.nat.access_list import Condition, Facts
from snat.nat.address_pool import AddressPool
from snat.nat.addresses import Spans
from snat.nat.pool import Pool
from snat.nat.rotary import RotaryPool
from snat.nat.static import Static, Statics

T = TypeVar("T")
AnyPool = Pool | AddressPool | RotaryPool
_SOURCES: Final = 65536
"""Sources whose rule is remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """``ip nat inside source list L pool P [mapping-id M] overload`` and its like."""

    access_list: Condition
    """Of ``inside destination``, the destinations; a standard list names them as its sources."""
    pool: AnyPool | None
    """None: the address of an interface that has none now."""
    mapping_id: int
    number: int = 1
    """Its place, from 1, among all dynamic rules."""
    reversible: bool = False
    simple: bool = True
    """Of a rule without overload: a host's address has an entry, so that outside hosts may begin."""


class Rules:
    """All rules of a device, and the pools they use."""

    def __init__(
        self,
        rules: Iterable[Rule],
        pools: Iterable[AnyPool],
        *,
        statics: Iterable[Static] = (),
        outside: Iterable[Rule] = (),
        outside_statics: Iterable[Static] = (),
        destinations: Iterable[Rule] = (),
        own: Iterable[bytes] = (),
    ) -> None:
        """``rules`` are of inside sources. ``own``: addresses at which the router itself may be meant."""
        self.rules = tuple(rules)
        self.pools = tuple(pools)
        self.statics = Statics(statics)
        self.outside = tuple(outside)
        self.outside_statics = Statics(outside_statics)
        self.destinations = tuple(destinations)
        self.own = frozenset(own)
        self.twice = bool(self.outside or self.outside_statics)
        """Whether outside hosts are translated too."""
        self.address_pools = _pools_of(self.rules, AddressPool)
        self.outside_pools = _pools_of(self.outside, AddressPool)
        self.by_source = all(rule.access_list.by_source for rule in self.rules)
        """Whether the source alone decides which rule is for a packet from inside."""
        self._of_source: dict[bytes, Rule | None] = {}
        outside_pools = set(self.outside_pools)
        shown = [
            pool for pool in self.pools if not isinstance(pool, RotaryPool) and pool not in outside_pools
        ]
        self._port_pools = tuple(pool for pool in shown if isinstance(pool, Pool))
        self._globals = Spans(
            [one for pool in shown for one in pool.ranges] + list(self.statics.ranges(local=False))
        )
        self.owns: Callable[[bytes], bool] = self._globals.__contains__
        """Whether outside hosts reach inside ones by an address: of a pool, a static rule, an interface."""
        self._outside_locals = Spans(
            [one for pool in self.outside_pools for one in pool.ranges]
            + list(self.outside_statics.ranges(local=True))
        )

    def for_source(self, source: bytes) -> Rule | None:
        """As :meth:`for_packet`, where the rules compare nothing but sources (:attr:`by_source`)."""
        try:
            return self._of_source[source]
        except KeyError:
            pass
        address = int.from_bytes(source, "big")
        found = next((rule for rule in self.rules if rule.access_list.permits(address)), None)
        if len(self._of_source) >= _SOURCES:
            self._of_source.clear()
        self._of_source[source] = found
        return found

    def for_packet(self, facts: Facts) -> Rule | None:
        """The rule for a packet from inside; None: it is not to be translated."""
        return next((rule for rule in self.rules if rule.access_list.matches(*facts)), None)

    def for_outside(self, facts: Facts) -> Rule | None:
        """The rule for the source of a packet from outside."""
        return next((rule for rule in self.outside if rule.access_list.matches(*facts)), None)

    def for_destination(self, facts: Facts) -> Rule | None:
        """The rule for the destination of a packet from outside."""
        for rule in self.destinations:
            condition = rule.access_list
            if condition.by_source:
                if condition.permits(facts.destination):
                    return rule
            elif condition.matches(*facts):
                return rule
        return None

    def is_outside_local(self, address: bytes) -> bool:
        """Whether inside hosts may reach outside ones by an address."""
        return address in self._outside_locals

    def address_of_ours(self, host: bytes) -> bytes | None:
        """An address that this router may speak under to a host that is told no better one."""
        for pool in self._port_pools:
            return pool.address_for(host)
        return min(self.own, default=None)

    def pool_of(self, address: bytes) -> Pool | None:
        """The pool of shared addresses that an inside-global address is in."""
        for pool in self._port_pools:
            if address in pool:
                return pool
        return None


def _pools_of(rules: Iterable[Rule], kind: type[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(rule.pool for rule in rules if isinstance(rule.pool, kind)))
