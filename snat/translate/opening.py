"""How the first packet of a flow gets its entry (Fig. 9): found in the table, or opened by a rule.

From inside, a packet's source is an inside-local endpoint and its destination an outside-local one; the entry
says what they become: inside-global and outside-global. A static rule goes before a dynamic one, and what has
an entry keeps it whatever the rules say now. Where only one of the two ends is translated, the other is the
same on both sides. A simple entry says which address a host has as a whole; its flows have their own.
"""

from snat.nat.entry import (
    FLAGS,
    INSIDE_GLOBAL,
    INSIDE_LOCAL,
    OUTSIDE_GLOBAL,
    OUTSIDE_LOCAL,
)
from snat.nat.tracking import ICMP
from snat.translate.entries import EXPECTED, OCTETS
from snat.translate.flow_cache import Path
from snat.translate.gre import GRE
from snat.translate.hairpin import Hairpins


class Opening(Hairpins):
    """Finds the entries of packets that have no path yet, or has them made."""

    def find(
        self, key: bytes, protocol: int, buffer: bytearray, from_outside: bool, now: float
    ) -> Path | None:
        """The path of a packet that has none yet: by its entry, or by a new one."""
        self._now = now
        record = self._exact(key, protocol, from_outside)
        if record is not None and record[FLAGS] & EXPECTED:
            if protocol != GRE:
                self._counters.filtered += 1  # from or to port 0, which stands for any port there
                return None
            record = self.arrived(record)
        if record is None:
            if not from_outside and self.rules.owns(key[4:8]):
                return self._open_hairpin(key, protocol, buffer, now)
            open_ = self._open_inward if from_outside else self._open_outward
            record = open_(key, protocol, buffer)
            if record is None:
                return None
            path = self._cache.put(record, now)
        elif self._turns(record):
            if not from_outside:
                return self._turn_back(record, buffer, now)
            self._counters.filtered += 1  # from one of our addresses, whose host is inside
            return None
        else:
            path = self._path_of(record)
            self.hints.begin(path, self.timeouts.of_record(record), now)
        return path.other if from_outside else path

    def _path_of(self, record: bytes) -> Path:
        """The outward path of an entry that is there; made if nothing used it here yet."""
        path = self._cache.of(record)
        if path is None:
            out = self._table.from_inside(record[INSIDE_LOCAL], record[OUTSIDE_LOCAL]) is record
            back = self._table.from_outside(record[INSIDE_GLOBAL], record[OUTSIDE_GLOBAL]) is record
            path = self._cache.put(record, self._now, leads_out=out, leads_in=back)
        return path

    def is_exempt(self, key: bytes, protocol: int, buffer: bytearray, from_outside: bool) -> bool:
        """Whether the packet is routed untranslated, as IOS does without a rule for it.

        A packet for a pool address never is: written back unmatched it would circulate. Nor is one of a flow
        that an earlier rule was for: half of a connection would leave under its inside address. An address
        that the router itself has is translated for what is mapped, and the rest is the router's.
        """
        rules, destination = self.rules, key[4:8]
        if rules.owns(destination):
            return destination in rules.own and not self._is_mapped(key, protocol, from_outside)
        if from_outside:
            return not (
                (rules.destinations and self._rotation(key, protocol, buffer))
                or (rules.twice and self._outside_rule(key, protocol, buffer))
                or self._exact(key, protocol, from_outside=True)
            )
        return not (
            self._rule_of(key, protocol, buffer)
            or (rules.statics and self._static_of(key, protocol, buffer))
            or (rules.twice and rules.is_outside_local(destination))
            or self._exact(key, protocol, from_outside=False)
        )

    def _is_mapped(self, key: bytes, protocol: int, from_outside: bool) -> bool:
        """Whether a packet for an address that the router has, too, is one to translate."""
        inside_global = OCTETS[protocol] + key[4:8] + key[10:12]
        if next(self.rules.statics.of_global(inside_global[1:], protocol), None) is not None:
            return True
        if not from_outside:
            exact = self._exact(key, protocol, from_outside=False) is not None
            return exact or (protocol != ICMP and inside_global in self._table.outside)
        return (
            self._admitted(inside_global, key[:4]) is not None
            or self.expected_from(inside_global, key[:4] + key[8:10]) is not None
            or self._exact(key, protocol, from_outside=True) is not None
        )
