"""Inside hosts that reach each other by their global addresses (RFC 4787 REQ-9, RFC 5382 REQ-8).

Such a packet is translated as if it went outside, and then as if it came from there: it has an entry for
either, made by the same rules, and filters look at it as at one from outside. Whoever gets it sees its
sender's global endpoint, so the answer comes back here. The two entries are ordinary ones; that they belong
together is seen from their endpoints, so a device that takes over goes on with what is in its table.
"""

from snat.nat.address_pool import AddressPool
from snat.nat.entry import INSIDE_GLOBAL, INSIDE_LOCAL, OUTSIDE_GLOBAL, OUTSIDE_LOCAL
from snat.nat.tracking import ICMP
from snat.translate.entries import OCTETS
from snat.translate.flow_cache import Path
from snat.translate.inward import Inward
from snat.translate.outward import Outward


class Hairpins(Outward, Inward):
    """Finds both entries of a packet that turns back inside, or has them made."""

    def _turns(self, record: bytes) -> bool:
        """Whether what leaves by an entry is for an inside host again: at an address that is ours, or was."""
        if self.rules.owns(record[OUTSIDE_GLOBAL][:4]):
            return True
        return self._table.from_outside(record[22:23] + record[OUTSIDE_GLOBAL], record[23:29]) is not None

    def _open_hairpin(self, key: bytes, protocol: int, buffer: bytearray, now: float) -> Path | None:
        """A new flow from inside to one of our global addresses.

        If its way in is refused, its way out stays open: by that the other host, which knows as little of
        this one, gets through to it.
        """
        if not self._leads_in(key[4:8] + key[10:12], protocol):
            self._counters.unknown_inbound += 1
            return None
        if self._static_of(key, protocol, buffer) is None and self._rule_of(key, protocol, buffer) is None:
            self._counters.hairpins += 1
            return None
        record = self._open_outward(key, protocol, buffer)
        return None if record is None else self._turn_back(record, buffer, now)

    def _turn_back(self, there: bytes, buffer: bytearray, now: float) -> Path | None:
        """The path of a packet that leaves by an entry and comes back by another, which may be made."""
        protocol = there[22]
        key = there[23:27] + there[35:39] + there[27:29] + there[39:41]
        back = self._exact(key, protocol, from_outside=True) or self._open_inward(key, protocol, buffer)
        if back is None:
            return None
        table = self._table
        both = (
            table.from_inside(back[INSIDE_LOCAL], back[OUTSIDE_LOCAL]) is back
            and table.from_outside(there[INSIDE_GLOBAL], there[OUTSIDE_GLOBAL]) is there
        )
        return self._cache.put_turned(there, back, now, both=both)

    def _leads_in(self, inside_global: bytes, protocol: int) -> bool:
        """Whether a global endpoint is anybody's, whoever may send to it. Of ICMP, whose is the address."""
        rules = self.rules
        if protocol != ICMP and OCTETS[protocol] + inside_global in self._table.outside:
            return True
        if next(rules.statics.of_global(inside_global, protocol), None) is not None:
            return True
        pools = (rule.pool for rule in rules.rules)
        return any(isinstance(one, AddressPool) and one.host_of(inside_global[:4]) for one in pools)
