"""Entries as the NAT process makes them, and what follows when they come and go."""

from collections.abc import Callable, Container
from struct import Struct
from typing import Final

from snat.nat.access_list import NO_PORT, Facts
from snat.nat.address_pool import AddressPool
from snat.nat.ageing import Wheel
from snat.nat.entry import (
    FLAGS,
    ID,
    INSIDE_GLOBAL,
    LOCAL_NAT_ID,
    NAT_ID,
    TAIL,
    Flag,
    State,
    TimeoutClass,
    with_context,
)
from snat.nat.rules import Rule, Rules
from snat.nat.table import NatTable
from snat.nat.tracking import ACK, CLASSES, ICMP, RST, SYN, TCP, UDP, Timeouts, in_record
from snat.translate.admission import Admission
from snat.translate.counters import TranslateCounters
from snat.translate.flow_cache import FlowCache
from snat.translate.hints import Hints
from snat.translate.load import Load
from snat.translate.managed import Managed
from snat.translate.mapped import Mapped
from snat.translate.packet import REQUESTS, TCP_FLAGS, TRANSPORT

_HEAD: Final = Struct("!IQI")
"""How a record begins: NAT ID, number, mapping."""
_KIND: Final = Struct("!HBBI")
"""How it ends: flags, state, time-out class, remaining seconds."""
WHOLE: Final = bytes(3)
"""Port and protocol of a simple entry for a whole address."""
NOBODY: Final = bytes(7)
"""The inside endpoints of a simple entry for an outside host."""
EXTENDED: Final = int(Flag.EXTENDED)
INBOUND: Final = int(Flag.EXTENDED | Flag.INBOUND)
"""A flag as a number: an IntFlag takes ten times as long to compare."""
EXPECTED: Final = int(Flag.EXPECTED)
OCTETS: Final = tuple(bytes((value,)) for value in range(256))
"""What a protocol is in an endpoint."""


class Entries:
    """What this device may make, and makes."""

    def __init__(
        self,
        table: NatTable,
        cache: FlowCache,
        timeouts: Timeouts,
        counters: TranslateCounters,
        identity: Callable[[], tuple[int, int]],
        now: float,
    ) -> None:
        self.rules = Rules((), ())
        self.timeouts = timeouts
        self._table = table
        self._cache = cache
        self._counters = counters
        self._identity = identity
        self._wheel = Wheel(now)
        self.closed = False
        """This device stops: no flow is opened any more."""
        self.hints = Hints(cache, lambda record: self._managed.since(record) is not None, now)
        self._managed = Managed(now)
        self._bases: dict[bytes, bytes] = {}
        """The entries of static rules."""
        self._expected: dict[bytes, float] = {}
        """By reference: until when a flow is expected for which this device made an entry."""
        self._kinds: dict[int, tuple[bytes, float]] = {}
        """How records of new entries end, and after how long they are looked at, by what decides that."""
        self._asked = b""
        self._answer: Rule | None = None
        """The rule for the packet of which this is the key: each is asked about twice."""
        self._admission = Admission(table)
        self._mapped = Mapped(table)
        self.load = Load(table)
        self.known_to_lost = b""
        """The newest entry of ours of which a peer knew that is lost now, by its id; empty: none is lost."""
        self._counts = False
        """Whether addresses are given away as a whole. Otherwise what is new changes nothing here."""
        self._now = now

    def use(self, rules: Rules) -> None:
        """Go by other rules from now on. Flows that exist stay; entries of static rules follow at once."""
        known = {*self.rules.pools}
        self.rules = rules
        self._asked = b""
        counts = bool(rules.address_pools or rules.outside_pools)
        if counts != self._counts:
            self._counts = counts
            self._table.unlisten(self)
            self._table.listen(self, new=counts)
        for pool in rules.pools:
            if pool not in known:  # it is new, or was not told what became of its ports for a while
                pool.forget()
        counted = [pool for pool in (*rules.address_pools, *rules.outside_pools) if pool not in known]
        if counted:
            self._count(self._table.records(), 1, only=counted)
        sides = ((rules.statics, False), (rules.outside_statics, True))
        made = [
            rule.base(outside=outside)
            for statics, outside in sides
            for rule in statics.rules
            if rule.global_ is not None
        ]
        bases = {record: record for record in made}
        self._table.remove([record for record in self._bases if record not in bases])
        self._table.add([record for record in bases if record not in self._bases])
        self._bases = bases

    # Entries

    def has_entry(self, key: bytes, protocol: int) -> bool:
        """Whether a packet from inside belongs to a flow that is being translated."""
        return self._exact(key, protocol, from_outside=False) is not None

    def _exact(self, key: bytes, protocol: int, from_outside: bool) -> bytes | None:
        """The entry of just this flow."""
        table = self._table
        if from_outside:
            inside_global = OCTETS[protocol] + key[4:8] + key[10:12]
            if inside_global not in table.outside:
                return None
            return table.from_outside(inside_global, key[:4] + key[8:10])
        inside_local = key[:4] + key[8:10] + OCTETS[protocol]
        if inside_local not in table.inside:
            return None
        return table.from_inside(inside_local, key[4:8] + key[10:12])

    def _may_create(self, mapping_id: int, protocol: int, opens: bool) -> bool:
        if not opens and protocol == TCP:
            self._counters.not_syn += 1
        elif not opens:
            self._counters.not_query += 1
        elif self.closed or mapping_id not in self._managed.makes:
            self._counters.not_managed += 1
        elif protocol != TCP and mapping_id in self._managed.restrained:
            self._counters.restrained += 1
        else:
            return True
        return False

    def _is_limited(self, host: bytes) -> bool:
        """Whether an inside host has as many flows as it may have."""
        if self.load.refuses(host, self._now):
            self._counters.limited += 1
            return True
        return False

    def _create(
        self,
        mapping_id: int,
        inside_local: bytes,
        inside_global: bytes,
        outside_local: bytes,
        outside_global: bytes,
        flags: int = EXTENDED,
        context: bytes = b"",
        life: float = 0.0,
    ) -> bytes:
        """Put an entry into the table: the endpoints are slices of a record, and it is made of them.

        ``life``: seconds after which it is looked at, if its time-out does not say that.
        """
        protocol = inside_local[6]
        nat_id, number = self._identity()
        key = protocol << 16 | flags
        if protocol == UDP and self.timeouts.ports:
            port = b"\x11" + outside_global[4:]
            if port in self.timeouts.ports and flags == EXTENDED:
                key |= int.from_bytes(port, "big") << 24
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = self._kind(protocol, flags, outside_global[4:])
        record = (
            _HEAD.pack(nat_id if mapping_id else LOCAL_NAT_ID, number, mapping_id)
            + inside_local
            + inside_global[1:]
            + outside_local
            + outside_global
            + kind[0]
        )
        if context:
            record = with_context(record, context)
        if life:
            record = record[: -TAIL.size] + TAIL.pack(int(life))
        self._table.insert(record)
        self._wheel.put(record, self._now + (life or kind[1]))
        self._counters.created += 1
        return record

    def _kind(self, protocol: int, flags: int, port: bytes) -> tuple[bytes, float]:
        state = State.TRANSITORY if protocol == TCP else State.OPEN
        timeout_class = CLASSES.get(protocol, TimeoutClass.OTHER)
        timeout = self.timeouts.of(timeout_class, state)
        if protocol == UDP and flags == EXTENDED:
            timeout = self.timeouts.ports.get(b"\x11" + port, timeout)
        return _KIND.pack(flags, state, timeout_class, in_record(timeout)), timeout

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries came and went (:class:`snat.nat.table.Listener`): ports and addresses are free again."""
        self._free(removed)
        if self._counts:
            self._count(added, 1)
            self._count(removed, -1)

    def _free(self, removed: list[bytes], *, quarantine: bool = False) -> None:
        for record in removed:
            endpoint = record[INSIDE_GLOBAL]
            if endpoint not in self._table.outside:
                pool = self.rules.pool_of(endpoint[1:5])
                if pool is not None:
                    newest = self.known_to_lost
                    lost = bool(newest) and (record[ID] <= newest or record[NAT_ID] != newest[NAT_ID])
                    pool.free(endpoint, self._now, quarantine=quarantine or record[22] != TCP, lost=lost)

    def _count(self, records: list[bytes], change: int, only: Container[AddressPool] | None = None) -> None:
        """Entries that have an address as a whole, one more of each or one less."""
        sides = ((self.rules.address_pools, 23, 16), (self.rules.outside_pools, 29, 35))
        for pools, at, of in sides:
            for pool in pools if only is None else [pool for pool in pools if pool in only]:
                tell = pool.hold if change > 0 else pool.release
                for record in records:
                    address = record[at : at + 4]
                    if address in pool and not record[FLAGS] & Flag.STATIC:
                        tell(address, record[of : of + 4], self._now)

    def _needed_since(self, record: bytes) -> float:
        """When the last flow of a simple entry's host went, or now while there are any."""
        outside = record[FLAGS] & Flag.OUTSIDE
        address = record[29:33] if outside else record[23:27]
        for pool in self.rules.outside_pools if outside else self.rules.address_pools:
            if address in pool:
                return self._now if pool.entries_of(address) > 1 else pool.changed_at(address)
        return float("-inf")


def opens(protocol: int, buffer: bytearray) -> bool:
    """Whether a packet may begin a flow: of TCP a SYN, of ICMP a query."""
    if protocol == TCP:
        return buffer[TCP_FLAGS] & (SYN | RST | ACK) == SYN
    return protocol != ICMP or buffer[TRANSPORT] in REQUESTS


def facts(key: bytes, protocol: int, buffer: bytearray) -> Facts:
    """What of a packet lists compare; its addresses and ports are those of ``key``."""
    source, destination = int.from_bytes(key[:4], "big"), int.from_bytes(key[4:8], "big")
    sport = dport = NO_PORT
    if protocol in (TCP, UDP):
        sport, dport = key[8] << 8 | key[9], key[10] << 8 | key[11]
    flags = buffer[TCP_FLAGS] if protocol == TCP else 0
    icmp_type = buffer[TRANSPORT] if protocol == ICMP else None
    return Facts(protocol, source, sport, destination, dport, flags, icmp_type)
