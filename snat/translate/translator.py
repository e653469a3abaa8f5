"""The NAT process (Fig. 9) on packet bytes, in place.

A packet of a known flow takes the fast path: one look-up by 5-tuple, one assignment of twelve bytes, two
folded sums. Everything else takes the slow path: what opens or closes a flow, what is malformed, what is not
to be translated.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from snat.nat.rules import Rules
from snat.nat.table import NatTable
from snat.nat.tracking import ICMP, TCP, UDP, Timeouts
from snat.translate.checksum import adjust, header_is_valid
from snat.translate.flow_cache import TTL_WORD, FlowCache, Path
from snat.translate.flows import Flows, TranslateCounters
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
    TCP_FLAGS,
    TRANSPORT,
    TTL,
)

_UNPACK: Final = HEADER.unpack_from
_NO_PORTS: Final = bytes(4)


class Verdict(IntEnum):
    """Where a packet goes."""

    DROP = 0
    TO_OUTSIDE = 1
    TO_INSIDE = 2


DROP, TO_OUTSIDE, TO_INSIDE = Verdict


class Translator:
    """Translates packets by the paths of their flows."""

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
        self._ttl_step = ttl_step
        """+1 between the TUNs, where the kernel forwards twice; -1 where we are the only router."""
        self._lowest, self._highest = max(1, 1 - ttl_step), min(255, 255 - ttl_step)
        self._cache = FlowCache(ttl_step)
        self.flows = Flows(table, self._cache, rules, timeouts, self.counters, identity=identity, now=now)
        self._inside, self._outside = self._cache.inside, self._cache.outside

    def configure(self, rules: Rules, timeouts: Timeouts) -> None:
        """Take other rules and time-outs; entries and paths that exist stay, and age by the new time-outs."""
        self.flows.use(rules)
        self.flows.age_by(timeouts)

    # Packets

    def translate(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        """Translate the packet in ``buffer[10:length]``, behind its virtio header, in place."""
        head, total, fragment, ttl, protocol, checksum, key = _UNPACK(buffer, START)
        if (
            head == PLAIN
            and fragment == DONT_FRAGMENT
            and START + 28 <= START + total <= length
            and self._lowest <= ttl <= self._highest
        ):
            paths = (self._outside if from_outside else self._inside).get(protocol)
            path = paths.get(key) if paths else None
            if (
                path is not None
                and (protocol == UDP or (protocol == TCP and total >= 40 and not buffer[TCP_FLAGS] & 7))
                and path.closing is None
            ):
                self.counters.hits += 1
                path.seen = now
                _rewrite(buffer, path, ttl + self._ttl_step, protocol, checksum)
                return TO_INSIDE if from_outside else TO_OUTSIDE
        return self._slow(buffer, length, from_outside, now)

    def _slow(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        head, total, fragment, ttl, protocol, checksum, key = _UNPACK(buffer, START)
        if not self._sound(buffer, length, head, total):
            return DROP
        if protocol == ICMP:
            key = key[:8] + bytes(buffer[TRANSPORT + 4 : TRANSPORT + 6]) * 2
        elif protocol not in MINIMUM:
            key = key[:8] + _NO_PORTS
        if self.flows.is_exempt(key, protocol, buffer, from_outside):
            return self._pass(buffer, ttl, checksum, from_outside)
        if not self._supported(buffer, head, total, fragment, protocol):
            return DROP
        if not self._lowest <= ttl <= self._highest:
            self.counters.ttl_exceeded += 1
            return DROP
        paths = self._outside if from_outside else self._inside
        path = paths.get(protocol, {}).get(key) or self.flows.find(key, protocol, buffer, from_outside, now)
        if path is None:
            return DROP
        path.seen = now
        if protocol == TCP:
            self.flows.track(path, buffer, total, from_outside, now)
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

    def _pass(self, buffer: bytearray, ttl: int, checksum: int, from_outside: bool) -> Verdict:
        if not self._lowest <= ttl <= self._highest:
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
        elif total < 20 + MINIMUM.get(protocol, 0):
            counters.malformed += 1
        elif protocol == ICMP and buffer[TRANSPORT] not in (ECHO_REQUEST, ECHO_REPLY):
            counters.unsupported_protocol += 1
        else:
            return True
        return False


def _rewrite(buffer: bytearray, path: Path, ttl: int, protocol: int, checksum: int) -> None:
    """Addresses, ports, TTL and checksums, in place. RFC 1624 Eqn 3, written out: this is the hot path."""
    total = (checksum ^ 0xFFFF) + path.header_delta
    buffer[TTL] = ttl
    buffer[CHECKSUM : CHECKSUM + 2] = (((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF).to_bytes(2, "big")
    if protocol == ICMP:
        _rewrite_query(buffer, path)
        return
    if protocol not in MINIMUM:
        buffer[ADDRESSES : ADDRESSES + 8] = path.target[:8]
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
