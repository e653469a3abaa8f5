"""The NAT process (Fig. 9) on packet bytes, in place.

A packet of a known flow takes the fast path: one look-up by 5-tuple, one assignment of twelve bytes, two
folded sums. Everything else takes the slow path: what opens or closes a flow, what is malformed, what is not
to be translated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from snat.nat.ageing import Wheel
from snat.nat.entry import (
    INSIDE_GLOBAL,
    LOCAL_NAT_ID,
    MAPPING,
    STATE,
    Entry,
    Flag,
    State,
    with_state,
)
from snat.nat.rules import Rule, Rules
from snat.nat.table import NatTable, records_in
from snat.nat.tracking import CLASSES, FIN, ICMP, RST, SYN, TCP, UDP, Closing, Timeouts, next_state
from snat.translate.checksum import adjust, header_is_valid
from snat.translate.flow_cache import TTL_WORD, FlowCache, Path
from snat.translate.packet import (
    ADDRESSES,
    CHECKSUM,
    CHECKSUM_AT,
    DONT_FRAGMENT,
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAGMENT,
    HEADER,
    MINIMUM,
    NEEDS_CHECKSUM,
    PLAIN,
    START,
    TRANSPORT,
    TTL,
)

_UNPACK: Final = HEADER.unpack_from
_MOST_DUE: Final = 2000
"""Entries looked at in one turn: a few milliseconds."""


class Verdict(IntEnum):
    """Where a packet goes."""

    DROP = 0
    TO_OUTSIDE = 1
    TO_INSIDE = 2


DROP, TO_OUTSIDE, TO_INSIDE = Verdict


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
    fragments: int = 0
    ttl_exceeded: int = 0
    unsupported_protocol: int = 0
    """A protocol or ICMP type that overload cannot translate."""
    not_managed: int = 0
    """New flows while another device manages the mapping."""
    not_syn: int = 0
    """TCP segments that open nothing and belong to nothing."""
    filtered: int = 0
    """From an outside host that the mapped inside host has not sent to (address-dependent filtering)."""
    unknown_inbound: int = 0
    hairpins: int = 0
    exhausted: int = 0
    """New flows without a free port."""


class Translator:
    """Translates packets by the table, and makes, tracks and ages the entries this device manages."""

    def __init__(
        self,
        table: NatTable,
        rules: Rules,
        timeouts: Timeouts,
        *,
        identity: Callable[[], tuple[int, int]],
        ttl_step: int,
        now: float,
    ) -> None:
        self.counters = TranslateCounters()
        self._table = table
        self._rules = rules
        self._timeouts = timeouts
        self._identity = identity
        self._ttl_step = ttl_step
        """+1 between the TUNs, where the kernel forwards twice; -1 where we are the only router."""
        self._cache = FlowCache(ttl_step)
        self._wheel = Wheel(now)
        self._managed: set[int] = {0}
        """Mapping IDs whose entries this device makes, tracks and ages; 0 are its own."""
        self._unaged: list[bytes] = []
        """Inside-local endpoints whose entries are yet to be put on the wheel after a takeover."""
        self._now = now
        table.listen(self._cache)
        table.listen(self)

    def configure(self, rules: Rules, timeouts: Timeouts) -> None:
        """Take other rules and time-outs; entries and paths that exist stay."""
        self._rules = rules
        self._timeouts = timeouts

    # Packets

    def translate(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        """Translate the packet in ``buffer[10:length]``, behind its virtio header, in place."""
        head, total, fragment, ttl, protocol, checksum, key = _UNPACK(buffer, START)
        if (
            head == PLAIN
            and fragment == DONT_FRAGMENT
            and START + 28 <= START + total <= length
            and 1 < ttl < 255
        ):
            paths = (self._cache.outside if from_outside else self._cache.inside).get(protocol)
            path = paths.get(key) if paths else None
            if (
                path is not None
                and (protocol == UDP or (protocol == TCP and total >= 40 and not buffer[START + 33] & 7))
                and path.closing is None
            ):
                self.counters.hits += 1
                path.seen = now
                _rewrite(buffer, path, ttl + self._ttl_step, protocol, checksum)
                return TO_INSIDE if from_outside else TO_OUTSIDE
        return self._slow(buffer, length, from_outside, now)

    def _slow(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        self._now = now
        head, total, fragment, ttl, protocol, checksum, key = _UNPACK(buffer, START)
        if not self._sound(buffer, length, head, total):
            return DROP
        if self._is_exempt(key, from_outside):
            return self._pass(buffer, ttl, checksum, from_outside)
        if not self._supported(buffer, head, total, fragment, protocol):
            return DROP
        if not 1 < ttl < 255:
            self.counters.ttl_exceeded += 1
            return DROP
        if protocol == ICMP:
            key = key[:8] + bytes(buffer[TRANSPORT + 4 : TRANSPORT + 6]) * 2
        paths = self._cache.outside if from_outside else self._cache.inside
        path = paths[protocol].get(key) or self._find(key, protocol, buffer, from_outside, now)
        if path is None:
            return DROP
        path.seen = now
        if protocol == TCP:
            self._track(path, buffer, total, from_outside, now)
        self.counters.slow += 1
        _rewrite(buffer, path, ttl + self._ttl_step, protocol, checksum)
        return TO_INSIDE if from_outside else TO_OUTSIDE

    def _sound(self, buffer: bytearray, length: int, head: int, total: int) -> bool:
        """Whether the header holds together."""
        if head >> 4 != 4:
            self.counters.not_ipv4 += 1
            return False
        size = (head & 15) * 4
        if (
            size < 20
            or not size <= total <= length - START
            or not header_is_valid(bytes(buffer[START : START + size]))
        ):
            self.counters.malformed += 1
            return False
        return True

    def _is_exempt(self, key: bytes, from_outside: bool) -> bool:
        """Whether the packet is routed untranslated, as IOS does without a rule for it.

        A packet for a pool address never is: written back unmatched it would circulate.
        """
        if self._rules.pool_of(key[4:8]) is not None:
            return False
        return from_outside or self._rules.for_source(key[:4]) is None

    def _pass(self, buffer: bytearray, ttl: int, checksum: int, from_outside: bool) -> Verdict:
        if not 1 < ttl < 255:
            self.counters.ttl_exceeded += 1
            return DROP
        buffer[TTL] = ttl + self._ttl_step
        difference = self._ttl_step * TTL_WORD % 0xFFFF
        buffer[CHECKSUM : CHECKSUM + 2] = adjust(checksum, difference).to_bytes(2, "big")
        self.counters.passed += 1
        return TO_INSIDE if from_outside else TO_OUTSIDE

    def _supported(self, buffer: bytearray, head: int, total: int, fragment: int, protocol: int) -> bool:
        counters = self.counters
        if head != PLAIN:
            counters.options += 1
        elif fragment & FRAGMENT:
            counters.fragments += 1
        elif protocol not in MINIMUM:
            counters.unsupported_protocol += 1
        elif total < 20 + MINIMUM[protocol]:
            counters.malformed += 1
        elif protocol == ICMP and buffer[TRANSPORT] not in (ECHO_REQUEST, ECHO_REPLY):
            counters.unsupported_protocol += 1
        else:
            return True
        return False

    # Entries

    def _find(
        self, key: bytes, protocol: int, buffer: bytearray, from_outside: bool, now: float
    ) -> Path | None:
        """The path of a packet that has none yet: by its entry, or by a new one."""
        opens = protocol != TCP or buffer[START + 33] & (SYN | RST | 0x10) == SYN
        if from_outside:
            record = self._entry_from_outside(key, protocol, opens)
            return self._cache.put(record, now).other if record is not None else None
        record = self._entry_from_inside(key, protocol, opens)
        return self._cache.put(record, now) if record is not None else None

    def _entry_from_inside(self, key: bytes, protocol: int, opens: bool) -> bytes | None:
        source, destination, port = key[:4], key[4:8], key[8:10]
        far = destination + key[10:12]
        inside_local = source + port + bytes((protocol,))
        record = self._table.from_inside(inside_local, far)
        if record is not None:
            return record
        if self._rules.pool_of(destination) is not None:
            self.counters.hairpins += 1
            return None
        rule = self._rules.for_source(source)
        if rule is None or not self._may_create(rule.mapping_id, opens):
            return None
        inside_global = self._mapped(inside_local, rule) or self._allocate(rule, protocol, source, port)
        if inside_global is None:
            self.counters.exhausted += 1
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
            self.counters.unknown_inbound += 1
            return None
        known = next((one for one in records_in(slot) if one[35:39] == source), None)
        if known is None or protocol == ICMP:
            self.counters.filtered += 1
            return None
        if not self._may_create(int.from_bytes(known[MAPPING], "big"), opens):
            return None
        return self._create(int.from_bytes(known[MAPPING], "big"), known[16:23], inside_global, far, far)

    def _may_create(self, mapping_id: int, opens: bool) -> bool:
        if not opens:
            self.counters.not_syn += 1
        elif mapping_id not in self._managed:
            self.counters.not_managed += 1
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
        timeout = self._timeouts.of(CLASSES[protocol], state)
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
            remaining=int(timeout),
        ).pack()
        self._table.add([record])
        self._wheel.put(record, self._now + timeout)
        self.counters.created += 1
        return record

    def _track(self, path: Path, buffer: bytearray, total: int, from_outside: bool, now: float) -> None:
        """Follow a TCP connection whose entry this device manages (RFC 7857 section 2)."""
        record = path.record
        if int.from_bytes(record[MAPPING], "big") not in self._managed:
            return
        flags = buffer[START + 33]
        if flags & SYN and record[STATE] == State.CLOSING:
            path.closing = path.other.closing = None
        if flags & FIN and path.closing is None:
            path.closing = path.other.closing = Closing()
        if path.closing is not None:
            sequence = int.from_bytes(buffer[TRANSPORT + 4 : TRANSPORT + 8], "big")
            payload = total - 20 - (buffer[TRANSPORT + 12] >> 4) * 4
            after = (sequence + payload + 1) & 0xFFFFFFFF
            acknowledged = int.from_bytes(buffer[TRANSPORT + 8 : TRANSPORT + 12], "big")
            path.closing.see(from_outside, flags, after, acknowledged)
        state = next_state(record[STATE], flags, from_outside, path.closing)
        if state != record[STATE]:
            timeout = self._timeouts.of(CLASSES[TCP], state)
            self._table.add([with_state(record, State(state), int(timeout))])
            self._wheel.put(record, now + timeout)
        if path.closing is not None and path.closing.over:
            self._wheel.put(record, now + self._timeouts.finrst)

    # Ageing

    def manage(self, mapping_id: int, managed: bool, now: float) -> None:
        """Whether this device manages a mapping from now on. A taker starts every time-out in full."""
        self._now = now
        if not managed:
            self._managed.discard(mapping_id)
            return
        self._managed.add(mapping_id)
        self._unaged = self._table.endpoints()

    def expire(self, now: float) -> None:
        """Look at the entries that are due, in a bounded slice."""
        self._now = now
        self._put_on_wheel(now)
        gone = [record for due in self._wheel.due(now, _MOST_DUE) if (record := self._expired(due, now))]
        if gone:
            self.counters.expired += len(self._table.remove(gone))

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        return self._now if self._unaged else self._wheel.next_deadline()

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:  # noqa: ARG002  Listener's shape
        """Entries went: their ports are free if nothing else has them."""
        for record in removed:
            endpoint = record[INSIDE_GLOBAL]
            if endpoint not in self._table.outside:
                pool = self._rules.pool_of(endpoint[1:5])
                if pool is not None:
                    pool.free(endpoint, self._now, quarantine=record[22] != TCP)

    def _put_on_wheel(self, now: float) -> None:
        slice_ = self._unaged[-_MOST_DUE:]
        del self._unaged[-_MOST_DUE:]
        for endpoint in slice_:
            for record in self._table.at(endpoint):
                if int.from_bytes(record[MAPPING], "big") in self._managed:
                    self._wheel.put(record, now + self._timeouts.of(record[44], record[STATE]))

    def _expired(self, due: bytes, now: float) -> bytes | None:
        """The entry, if it was not used since; otherwise it is looked at again later."""
        record = self._table.current(due)
        if record is None or int.from_bytes(record[MAPPING], "big") not in self._managed:
            return None
        path = self._cache.of(record)
        if path is None:
            return record
        timeout = self._timeouts.of(record[44], record[STATE])
        if path.closing is not None and path.closing.over:
            timeout = self._timeouts.finrst
        deadline = max(path.seen, path.other.seen) + timeout
        if deadline <= now:
            return record
        self._wheel.put(record, deadline)
        return None


def _rewrite(buffer: bytearray, path: Path, ttl: int, protocol: int, checksum: int) -> None:
    """Addresses, ports, TTL and checksums, in place. RFC 1624 Eqn 3, written out: this is the hot path."""
    total = (checksum ^ 0xFFFF) + path.header_delta
    buffer[TTL] = ttl
    buffer[CHECKSUM : CHECKSUM + 2] = (((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF).to_bytes(2, "big")
    if protocol == ICMP:
        _rewrite_query(buffer, path)
        return
    buffer[ADDRESSES : ADDRESSES + 12] = path.target
    at = TRANSPORT + CHECKSUM_AT[protocol]
    field = buffer[at] << 8 | buffer[at + 1]
    if buffer[0] & NEEDS_CHECKSUM:
        total = field + path.address_delta
        field = (total & 0xFFFF) + (total >> 16)
    elif field or protocol == TCP:
        total = (field ^ 0xFFFF) + path.full_delta
        field = ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF
        if not field and protocol == UDP:
            field = 0xFFFF  # 0 would say "no checksum"
    buffer[at : at + 2] = field.to_bytes(2, "big")


def _rewrite_query(buffer: bytearray, path: Path) -> None:
    """An ICMP query: no pseudo header, and the identifier where the ports would be."""
    buffer[ADDRESSES : ADDRESSES + 8] = path.target[:8]
    at = TRANSPORT + CHECKSUM_AT[ICMP]
    old, new = path.tuple[8:10], path.target[8:10]
    difference = (int.from_bytes(new, "big") - int.from_bytes(old, "big")) % 0xFFFF
    field = adjust(int.from_bytes(buffer[at : at + 2], "big"), difference)
    buffer[at : at + 2] = field.to_bytes(2, "big")
    buffer[TRANSPORT + 4 : TRANSPORT + 6] = new
