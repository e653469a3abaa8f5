"""Translation rules and their order: the first rule whose list permits the source decides."""

from dataclasses import dataclass

from snat.nat.access_list import AccessList
from snat.nat.pool import Pool


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """``ip nat inside source list L pool P [mapping-id M] overload``."""

    access_list: AccessList
    pool: Pool
    mapping_id: int


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a device, and the pools they use."""

    rules: tuple[Rule, ...]
    pools: tuple[Pool, ...]

    def for_source(self, source: bytes) -> Rule | None:
        """The rule for a packet from inside; None: it is not to be translated."""
        address = int.from_bytes(source, "big")
        for rule in self.rules:
            if rule.access_list.permits(address):
                return rule
        return None

    def pool_of(self, address: bytes) -> Pool | None:
        """The pool an inside-global address is in."""
        for pool in self.pools:
            if address in pool:
                return pool
        return None
