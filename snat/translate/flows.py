"""Flows: the entries that packets find, make, track and age (Fig. 9, 904-912).

A packet without a path finds its entry, or opens one if a rule and the device's role allow. TCP is followed
by its flags; what was not used for its time-out goes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from snat.nat.ageing import Wheel
from snat.nat.entry import (
    INSIDE_GLOBAL,
    INSIDE_LOCAL,
    LOCAL_NAT_ID,
    MAPPING,
    NEVER,
    OUTSIDE_GLOBAL,
    OUTSIDE_LOCAL,
    STATE,
    TAIL,
    TIMEOUT_CLASS,
    Entry,
    Flag,
    State,
    with_state,
)
from snat.nat.rules import Rule, Rules
from snat.nat.table import NatTable, records_in
from snat.nat.tracking import ACK, CLASSES, FIN, ICMP, RST, SYN, TCP, Closing, Timeouts, next_state
from snat.translate.flow_cache import FlowCache, Path
from snat.translate.packet import ECHO_REQUEST, TCP_FLAGS, TRANSPORT

_MOST_DUE: Final = 2000
"""Entries looked at in one turn: a few milliseconds."""
_NEVER: Final = float("inf")


@dataclass(slots=True)
class TranslateCounters:
    """What happened to packets; a name for every reason to drop one."""

    hits: int = 0
    """Translated on the fast path."""
    slow: int = 0
    """Translated on the slow path."""
    passed: int = 0
    """Not to be translated: passed on as they came."""
    created: int = 0
    expired: int = 0
    malformed: int = 0
    not_ipv4: int = 0
    options: int = 0
    """Options that carry addresses."""
    fragments: int = 0
    """Later fragments that went the way of the first of their datagram as they came."""
    fragments_held: int = 0
    """Fragments that came before the first of their datagram and wait for it."""
    fragments_released: int = 0
    """Of those: sent after it."""
    fragments_timed_out: int = 0
    """Of those: dropped, since the first did not come."""
    fragments_abandoned: int = 0
    """Of those: dropped with their datagram, or for options that the first has not."""
    fragments_evicted: int = 0
    """Of those: dropped to have room for newer ones."""
    fragments_tiny: int = 0
    """Cut within the transport header (RFC 1858, RFC 3128)."""
    fragments_overlapping: int = 0
    """They contradict others of their datagram: its last piece drops the datagram (RFC 5722)."""
    fragments_duplicate: int = 0
    """Seen already."""
    fragments_too_many: int = 0
    """More than a datagram is cut into on any reasonable way."""
    fragments_refused: int = 0
    """Of a datagram whose first was dropped or which contradicts itself."""
    ttl_exceeded: int = 0
    unsupported_protocol: int = 0
    """A protocol or ICMP type that overload cannot translate."""
    not_managed: int = 0
    """New flows while another device manages the mapping."""
    restrained: int = 0
    """New flows without a SYN, while the table of another device is being merged into ours."""
    not_syn: int = 0
    """TCP segments that open nothing and belong to nothing."""
    not_query: int = 0
    """ICMP replies from inside to nothing that was asked."""
    filtered: int = 0
    """From an outside host that the mapped inside host has not sent to (address-dependent filtering)."""
    unknown_inbound: int = 0
    hairpins: int = 0
    exhausted: int = 0
    """New flows without a free port."""
    icmp_errors: int = 0
    """ICMP errors translated."""
    icmp_bad_quote: int = 0
    """The same, though the header they quote had a wrong checksum."""
    icmp_unknown: int = 0
    """ICMP errors about a flow that is not there."""
    icmp_checksum: int = 0
    """ICMP errors with a wrong checksum."""
    icmp_truncated: int = 0
    """ICMP errors that quote too little to tell the flow."""
    icmp_fragment: int = 0
    """ICMP errors about a fragment without ports."""
    icmp_about_error: int = 0
    icmp_misdirected: int = 0
    """ICMP errors to somebody else than the sender of what they quote."""
    icmp_redirect: int = 0
    icmp_source_quench: int = 0


class Flows:
    """The entries of the flows that pass, as far as this device manages them; listens to the table."""

    def __init__(
        self,
        table: NatTable,
        cache: FlowCache,
        rules: Rules,
        timeouts: Timeouts,
        counters: TranslateCounters,
        *,
        identity: Callable[[], tuple[int, int]],
        now: float,
    ) -> None:
        self.rules = rules
        self.timeouts = timeouts
        self._table = table
        self._cache = cache
        self._counters = counters
        self._identity = identity
        self._wheel = Wheel(now)
        self._managed: dict[int, float] = {0: now}
        """Mapping IDs whose entries this device makes, tracks and ages, and since when; 0 are its own."""
        self._restrained: set[int] = set()
        self._unaged: list[bytes] = []
        """Inside-local endpoints whose entries are yet to be put on the wheel after a takeover."""
        self._now = now
        table.listen(cache)
        table.listen(self)

    # Entries

    def find(
        self, key: bytes, protocol: int, buffer: bytearray, from_outside: bool, now: float
    ) -> Path | None:
        """The path of a packet that has none yet: by its entry, or by a new one."""
        self._now = now
        opens = _opens(protocol, buffer)
        if from_outside:
            record = self._entry_from_outside(key, protocol, opens)
            if record is None:
                return None
            leads = self._table.from_inside(record[INSIDE_LOCAL], record[OUTSIDE_LOCAL]) is record
            return self._cache.put(record, now, leads_out=leads).other
        record = self._entry_from_inside(key, protocol, opens)
        if record is None:
            return None
        leads = self._table.from_outside(record[INSIDE_GLOBAL], record[OUTSIDE_GLOBAL]) is record
        return self._cache.put(record, now, leads_in=leads)

    def has_entry(self, key: bytes, protocol: int) -> bool:
        """Whether a packet from inside belongs to a flow that is being translated."""
        inside_local = key[:4] + key[8:10] + bytes((protocol,))
        return self._table.from_inside(inside_local, key[4:8] + key[10:12]) is not None

    def _entry_from_inside(self, key: bytes, protocol: int, opens: bool) -> bytes | None:
        source, destination, port = key[:4], key[4:8], key[8:10]
        far = destination + key[10:12]
        inside_local = source + port + bytes((protocol,))
        record = self._table.from_inside(inside_local, far)
        if record is not None:
            return record
        if self.rules.pool_of(destination) is not None:
            self._counters.hairpins += 1
            return None
        rule = self.rules.for_source(source)
        if rule is None or not self._may_create(rule.mapping_id, protocol, opens):
            return None
        inside_global = self._mapped(inside_local, rule) or self._allocate(rule, protocol, source, port)
        if inside_global is None:
            self._counters.exhausted += 1
            return None
        if protocol == ICMP:  # the outside host answers to the identifier that it is sent
            return self._create(
                rule.mapping_id, inside_local, inside_global, far, destination + inside_global[5:]
            )
        return self._create(rule.mapping_id, inside_local, inside_global, far, far)

    def _entry_from_outside(self, key: bytes, protocol: int, opens: bool) -> bytes | None:
        source, far = key[:4], key[:4] + key[8:10]
        inside_global = bytes((protocol,)) + key[4:8] + key[10:12]
        record = self._table.from_outside(inside_global, far)
        if record is not None:
            return record
        slot = self._table.outside.get(inside_global)
        if slot is None:
            self._counters.unknown_inbound += 1
            return None
        known = next((one for one in records_in(slot) if one[OUTSIDE_GLOBAL][:4] == source), None)
        if known is None or protocol == ICMP:
            self._counters.filtered += 1
            return None
        if not self._may_create(int.from_bytes(known[MAPPING], "big"), protocol, opens):
            return None
        return self._create(int.from_bytes(known[MAPPING], "big"), known[16:23], inside_global, far, far)

    def _may_create(self, mapping_id: int, protocol: int, opens: bool) -> bool:
        if not opens and protocol == TCP:
            self._counters.not_syn += 1
        elif not opens:
            self._counters.not_query += 1
        elif mapping_id not in self._managed:
            self._counters.not_managed += 1
        elif protocol != TCP and mapping_id in self._restrained:
            self._counters.restrained += 1
        else:
            return True
        return False

    def _mapped(self, inside_local: bytes, rule: Rule) -> bytes | None:
        """The inside-global endpoint that this inside endpoint has already (RFC 4787 REQ-1)."""
        for record in self._table.at(inside_local):
            if record[23:27] in rule.pool:
                return record[INSIDE_GLOBAL]
        return None

    def _allocate(self, rule: Rule, protocol: int, source: bytes, port: bytes) -> bytes | None:
        found = rule.pool.allocate(
            protocol, source, int.from_bytes(port, "big"), self._table.outside, self._now
        )
        return None if found is None else bytes((protocol,)) + found[0] + found[1].to_bytes(2, "big")

    def _create(
        self,
        mapping_id: int,
        inside_local: bytes,
        inside_global: bytes,
        outside_local: bytes,
        outside_global: bytes,
    ) -> bytes:
        nat_id, number = self._identity()
        protocol = inside_local[6]
        state = State.TRANSITORY if protocol == TCP else State.OPEN
        timeout = self.timeouts.of(CLASSES[protocol], state)
        record = Entry(
            nat_id=nat_id if mapping_id else LOCAL_NAT_ID,
            number=number,
            mapping_id=mapping_id,
            inside_local=inside_local[:4],
            inside_local_port=int.from_bytes(inside_local[4:6], "big"),
            protocol=protocol,
            inside_global=inside_global[1:5],
            inside_global_port=int.from_bytes(inside_global[5:], "big"),
            outside_local=outside_local[:4],
            outside_local_port=int.from_bytes(outside_local[4:], "big"),
            outside_global=outside_global[:4],
            outside_global_port=int.from_bytes(outside_global[4:], "big"),
            flags=Flag.EXTENDED,
            state=state,
            timeout_class=CLASSES[protocol],
            remaining=self.timeouts.remaining(CLASSES[protocol], state),
        ).pack()
        self._table.add([record])
        self._wheel.put(record, self._now + timeout)
        self._counters.created += 1
        return record

    def track(self, path: Path, buffer: bytearray, total: int, from_outside: bool, now: float) -> None:
        """Follow a TCP connection whose entry this device manages (RFC 7857 section 2).

        A path with a :class:`Closing` never takes the fast path, so nothing of its end is missed.
        """
        if int.from_bytes(path.record[MAPPING], "big") not in self._managed:
            return
        flags, was = buffer[TCP_FLAGS], path.record[STATE]
        was_over = path.closing is not None and path.closing.over
        if flags & (FIN | RST) and path.closing is None:
            path.closing = path.other.closing = Closing()
        payload = total - 20 - (buffer[TRANSPORT + 12] >> 4) * 4
        if path.closing is not None:
            after = int.from_bytes(buffer[TRANSPORT + 4 : TRANSPORT + 8], "big") + payload + 1 & 0xFFFFFFFF
            acknowledged = int.from_bytes(buffer[TRANSPORT + 8 : TRANSPORT + 12], "big")
            path.closing.see(from_outside, flags, after, acknowledged)
        state = next_state(was, flags, from_outside, payload, path.closing)
        if state != was:
            self._change_state(path.record, state, now)
            if was == State.CLOSING:
                path.closing = path.other.closing = None
        if path.closing is not None and path.closing.over and not was_over:
            self._wheel.put(path.record, now + self.timeouts.finrst)

    def _change_state(self, record: bytes, state: int, now: float) -> None:
        kind = record[TIMEOUT_CLASS]
        changed = with_state(record, state, self.timeouts.remaining(kind, state))
        self._table.add([changed])
        self._wheel.put(changed, now + self.timeouts.of(kind, state))

    # Ageing

    def manage(self, mapping_id: int, managed: bool, now: float) -> None:
        """Whether this device manages a mapping from now on. A taker starts every time-out in full."""
        self._now = now
        if not managed:
            self._managed.pop(mapping_id, None)
            return
        self._managed[mapping_id] = now
        self._age_anew()  # not by what is left of an earlier time as manager

    def age_by(self, timeouts: Timeouts) -> None:
        """Take other time-outs, for the entries that exist too: one that never ended may end now."""
        if timeouts != self.timeouts:
            self.timeouts = timeouts
            self._age_anew()

    def _age_anew(self) -> None:
        self._wheel = Wheel(self._now)
        self._unaged = self._table.endpoints()

    def restrain(self, mapping_id: int, restrained: bool) -> None:
        """Whether to make entries for TCP SYNs only: others may belong to one that is on its way here."""
        (self._restrained.add if restrained else self._restrained.discard)(mapping_id)

    def adopt(self, mapping_id: int, losers: list[bytes], now: float) -> None:
        """Entries of others came into a mapping that we manage: they age from now on.

        The ports of the ``losers``, which did not come in, are not to be used soon.
        """
        self.manage(mapping_id, True, now)
        self._free(losers, quarantine=True)  # nobody here followed their connections to the end

    def forget(self, mapping_id: int, now: float) -> None:
        """Nobody shares this mapping any more: its entries go, and their ports wait before they are used."""
        self._now = now
        self._free(self._table.clear(mapping_id), quarantine=True)

    def expire(self, now: float) -> None:
        """Look at the entries that are due, in a bounded slice."""
        self._now = now
        self._put_on_wheel()
        gone = [record for due in self._wheel.due(now, _MOST_DUE) if (record := self._expired(due, now))]
        if gone:
            self._counters.expired += len(self._table.remove(gone))

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        return self._now if self._unaged else self._wheel.next_deadline()

    def remaining(self, record: bytes, now: float) -> int:
        """Seconds that an entry has left if it is used no more; 0: it is due, NEVER: it does not age.

        Of an entry that another device ages, what its record says: as of when that was made.
        """
        deadline = self._deadline(record)
        if deadline == _NEVER and self.ages(record):
            return NEVER
        if deadline == _NEVER:
            return int(TAIL.unpack_from(record, len(record) - TAIL.size)[0])
        return max(0, ceil(deadline - now))

    def ages(self, record: bytes) -> bool:
        """Whether this device tracks and ages an entry."""
        return int.from_bytes(record[MAPPING], "big") in self._managed

    def idle_timeout(self, record: bytes) -> float:
        """Seconds without a packet after which an entry goes; infinite for what does not age."""
        path = self._cache.of(record)
        if path is not None and path.closing is not None and path.closing.over:
            return self.timeouts.finrst
        return self.timeouts.of(record[TIMEOUT_CLASS], record[STATE])

    def used(self, record: bytes) -> float | None:
        """When a packet of an entry last came here; None: this device has seen none."""
        path = self._cache.of(record)
        return None if path is None else max(path.seen, path.other.seen)

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:  # noqa: ARG002  Listener's shape
        """Entries went: their ports are free if nothing else has them."""
        self._free(removed)

    def _free(self, removed: list[bytes], *, quarantine: bool = False) -> None:
        for record in removed:
            endpoint = record[INSIDE_GLOBAL]
            if endpoint not in self._table.outside:
                pool = self.rules.pool_of(endpoint[1:5])
                if pool is not None:
                    pool.free(endpoint, self._now, quarantine=quarantine or record[22] != TCP)

    def _put_on_wheel(self) -> None:
        slice_ = self._unaged[-_MOST_DUE:]
        del self._unaged[-_MOST_DUE:]
        for endpoint in slice_:
            for record in self._table.at(endpoint):
                self._wheel.put(record, self._deadline(record))

    def _expired(self, due: bytes, now: float) -> bytes | None:
        """The entry, if it was not used since; otherwise it is looked at again later."""
        record = self._table.current(due)
        if record is not due:
            return None  # gone, or changed: then its newer record is on the wheel too
        deadline = self._deadline(record)
        if deadline <= now:
            return record
        self._wheel.put(record, deadline)
        return None

    def _deadline(self, record: bytes) -> float:
        """When an entry has not been used for its time-out; infinite if another device ages it.

        Who takes over has not seen it used, so the takeover counts as a use.
        """
        since = self._managed.get(int.from_bytes(record[MAPPING], "big"))
        if since is None:
            return _NEVER
        used = self.used(record)
        return (since if used is None else max(since, used)) + self.idle_timeout(record)


def _opens(protocol: int, buffer: bytearray) -> bool:
    """Whether a packet may begin a flow: of TCP a SYN, of ICMP a query."""
    if protocol == TCP:
        return buffer[TCP_FLAGS] & (SYN | RST | ACK) == SYN
    return protocol != ICMP or buffer[TRANSPORT] == ECHO_REQUEST
