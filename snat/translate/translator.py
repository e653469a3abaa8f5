"""The NAT process (Fig. 9) on packet bytes, in place.

A packet of a known flow takes the fast path: one look-up by 5-tuple, one assignment of twelve bytes, two
folded sums; without DF a new identification besides. Everything else takes the slow path: what opens or
closes a flow, fragments, what is malformed, what is not to be translated.
"""

from collections.abc import Callable, Mapping
from typing import Final

from snat.config.nat import Filtering
from snat.nat.limits import Limits
from snat.nat.rules import Rules
from snat.nat.table import NatTable
from snat.nat.tracking import ICMP, TCP, UDP, Timeouts
from snat.translate.alg.quoted import requote
from snat.translate.alg.reading import Reader, Services
from snat.translate.alg.registry import GATEWAYS
from snat.translate.checksum import adjust, header_is_valid
from snat.translate.early import EarlyPackets
from snat.translate.entries import opens
from snat.translate.flow_cache import TTL_WORD, FlowCache, Path
from snat.translate.flows import Flows, TranslateCounters
from snat.translate.fragments import Datagram, Fragments
from snat.translate.gre import CALL_ID, GRE, ports_of_call
from snat.translate.icmp_error import IcmpErrors, is_error, read_quote
from snat.translate.identification import Identifications, Renewal
from snat.translate.options import Options, judge, take_over, without_options
from snat.translate.own_error import OwnErrors
from snat.translate.packet import (
    ADDRESSES,
    AH,
    CHECKSUM,
    CHECKSUM_AT,
    DCCP,
    DONT_FRAGMENT,
    FRAGMENT,
    HEADER,
    IDENTIFICATION,
    MINIMUM,
    NEEDS_CHECKSUM,
    OFFSET,
    PLAIN,
    QUERIES,
    START,
    TCP_FLAGS,
    TRANSPORT,
    TTL,
    WITH_PORTS,
)
from snat.translate.packet import Verdict as Verdict
from snat.translate.segment import SEGMENT
from snat.translate.unasked import UnaskedSyns

_UNPACK: Final = HEADER.unpack_from
_NO_PORTS: Final = bytes(4)
_SPARE: Final = 64
"""Bytes behind a packet that was put together: no header that is looked at ends outside a buffer."""
_EVERYBODY: Final = b"\xff" * 4
_GROUPS, _RESERVED = 224, 240
"""First bytes of the first multicast address, and of the first behind all of them."""
_ANY_SUM: Final = frozenset({TCP, DCCP})
"""Protocols whose checksum may be 0; UDP and UDP-Lite have 0xFFFF for that, and UDP 0 for none."""

DROP, TO_OUTSIDE, TO_INSIDE, ELSEWHERE = Verdict


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
        filtering: Filtering = Filtering.ADDRESS_DEPENDENT,
        limits: Limits | None = None,
        services: Services | None = None,
        off: Mapping[tuple[int, bytes], str] | None = None,
    ) -> None:
        self.counters = TranslateCounters()
        self.more: list[tuple[Verdict, bytes]] = []
        """Packets to be written after the one in the buffer, each behind a virtio header, and where they go.

        To be looked at, and cleared, after every :meth:`translate` or :meth:`expire` by who called it.
        """
        self._ttl_step = ttl_step
        """+1 between the TUNs, where the kernel forwards twice; -1 where we are the only router."""
        self._lowest, self._highest = max(1, 1 - ttl_step), min(255, 255 - ttl_step)
        self._cache = FlowCache(ttl_step)
        self.flows = Flows(table, self._cache, rules, timeouts, self.counters, identity=identity, now=now)
        self.flows.filter_by(filtering)
        self.flows.limit_by(limits or Limits())
        self._inside, self._outside = self._cache.inside, self._cache.outside
        self._fragments = Fragments(self.counters, ttl_step)
        self._identifications = Identifications()
        self._errors = IcmpErrors(table, self.counters, self._identifications, ttl_step)
        self.own_errors = OwnErrors(lambda: self.flows.rules, self.more, now)
        """Tells senders why their packets are dropped."""
        self._unasked = UnaskedSyns(self.own_errors, self.counters)
        self.early = EarlyPackets(self.counters)
        """Packets that wait for an entry which another device is making."""
        gateways = {name: one.gateway for name, one in GATEWAYS.items()}
        self.reader = Reader(self.flows, gateways, self._finish, self.more)
        """Gateways at work."""
        self.reader.use(services or {}, off)

    def configure(
        self,
        rules: Rules,
        timeouts: Timeouts,
        filtering: Filtering = Filtering.ADDRESS_DEPENDENT,
        limits: Limits | None = None,
        services: Services | None = None,
        off: Mapping[tuple[int, bytes], str] | None = None,
    ) -> None:
        """Take another configuration; entries and paths that exist stay, and age by the new time-outs."""
        self.flows.use(rules)
        self.flows.age_by(timeouts)
        self.flows.filter_by(filtering)
        self.flows.limit_by(limits or Limits())
        self.reader.use(services or {}, off)

    @property
    def paths(self) -> int:
        """How many there are, of both directions."""
        return len(self._cache)

    def expire(self, now: float) -> None:
        """Let go what is due: entries, fragments that waited too long, SYNs that nobody wanted.

        Senders are told of the last by :attr:`more`.
        """
        self.flows.expire(now)
        self._take_early(now)
        self._fragments.expire(now)
        self._unasked.expire(now)
        self.reader.expire(now)

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        deadlines = self.flows.next_deadline(), self._fragments.next_deadline()
        return min(
            *deadlines,
            self._unasked.next_deadline(),
            self.early.next_deadline(),
            self.reader.next_deadline(),
        )

    # Packets

    def translate(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        """Translate the packet in ``buffer[10:length]``, behind its virtio header, in place."""
        head, total, fragment, ttl, protocol, checksum, key = _UNPACK(buffer, START)
        if (
            head == PLAIN
            and (fragment == DONT_FRAGMENT or not fragment)
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
                if protocol == TCP:
                    if path.last is None:
                        path.last = buffer[SEGMENT]
                    else:  # in place: the memory of a million flows is far away
                        path.last[:] = buffer[SEGMENT]
                if not fragment:
                    checksum = (path.renew or self._renewal(path, protocol))(buffer, checksum)
                _rewrite(buffer, path, ttl + self._ttl_step, protocol, checksum)
                return path.goes
        return self._slow(buffer, length, from_outside, now)

    def _slow(
        self, buffer: bytearray, length: int, from_outside: bool, now: float, *, first: bool = False
    ) -> Verdict:
        """``first``: this is the first fragment of a datagram, and noted as that."""
        head, total, fragment, ttl, protocol, checksum, key = _UNPACK(buffer, START)
        if not self._sound(buffer, length, head, total):
            return DROP
        if fragment & FRAGMENT and not first:
            return self._fragment(buffer, length, from_outside, now)
        if not self._lowest <= ttl <= self._highest:
            self.counters.ttl_exceeded += 1
            if self._ttl_step < 0:  # between the TUNs the kernel has looked at it
                self.own_errors.time_exceeded(buffer, from_outside, now)
            return DROP
        if protocol == ICMP and is_error(buffer, head, total, fragment):
            return self._error(buffer, head, total, ttl, checksum, key, from_outside)
        if protocol not in (TCP, UDP) or head != PLAIN:
            key = key[:8] + self._ports(buffer, head, total, protocol)
        if self.flows.is_exempt(key, protocol, buffer, from_outside):
            return self._pass(buffer, ttl, checksum, from_outside)
        if head != PLAIN:
            return self._with_options(buffer, total, from_outside, now, first=first)
        if not self._supported(key, buffer, total, protocol):
            return DROP
        paths = self._outside if from_outside else self._inside
        path = paths[protocol].get(key) or self._find(buffer, protocol, key, from_outside, now)
        if path is None:
            return DROP
        path.seen = now
        read = path.application is not None and self.reader.prepare(path, buffer, from_outside, now)
        if protocol == TCP:
            if path.turns and not from_outside:
                self.flows.track_turned(path, buffer, total, now)
            else:
                self.flows.track(path, buffer, total, from_outside, now)
        if read:
            return self.reader.read(path, buffer, from_outside, now)
        self.counters.slow += 1
        if fragment & (FRAGMENT | DONT_FRAGMENT) != DONT_FRAGMENT:
            checksum = (path.renew or self._renewal(path, protocol))(buffer, checksum)
        _rewrite(buffer, path, ttl + self._ttl_step, protocol, checksum)
        return path.goes

    def _finish(self, packet: bytearray, path: Path) -> None:
        """All but what a gateway does: a packet without options, behind its virtio header."""
        _, _, fragment, ttl, protocol, checksum, _ = _UNPACK(packet, START)
        if not fragment & DONT_FRAGMENT:
            checksum = (path.renew or self._renewal(path, protocol))(packet, checksum)
        _rewrite(packet, path, ttl + self._ttl_step, protocol, checksum)

    def _find(
        self, buffer: bytearray, protocol: int, key: bytes, from_outside: bool, now: float
    ) -> Path | None:
        """The path of a new flow; or its sender is told that there is none, maybe later."""
        counters = self.counters
        refused = counters.exhausted + counters.address_taken + counters.limited
        filtered, unknown = counters.filtered, counters.unknown_inbound
        unasked = filtered + unknown
        made, self.flows.follows = counters.created, ""
        path = self.flows.find(key, protocol, buffer, from_outside, now)
        if path is not None and (from_outside or not path.turns):
            if counters.created != made:
                reader, ports = self.reader, self.reader.ports.get(protocol, ())
                called = key[10:12] in ports or path.target[10:12] in ports
                if called or self.flows.follows or reader.calls:
                    reader.begin(path, from_outside, now)
            else:
                self.reader.resume(path, now)
        if path is None:
            if counters.exhausted + counters.address_taken + counters.limited != refused:  # RFC 5508 REQ-8
                self.own_errors.prohibited(buffer, from_outside, now)
            elif (
                from_outside
                and counters.filtered + counters.unknown_inbound != unasked
                and self.flows.is_others(key, protocol)
                and self.early.hold(key, protocol, buffer, now)
            ):
                counters.filtered, counters.unknown_inbound = filtered, unknown
            elif (
                from_outside
                and counters.filtered + counters.unknown_inbound != unasked
                and protocol == TCP
                and opens(TCP, buffer)
                and self.flows.answers_for(key[4:8])
            ):
                self._unasked.hold(key, buffer, now)
        elif protocol == TCP and not from_outside and self._unasked:
            self._unasked.asked(path.other.tuple)
        return path

    def _take_early(self, now: float) -> None:
        """Packets that waited: the entry is here now, or will not come."""
        due = self.early.due(now, self.flows.is_known)
        opened, self.early.open = self.early.open, False
        for packet in due:
            buffer = bytearray(packet) + bytes(_SPARE)
            verdict = self.translate(buffer, len(packet), True, now)
            if verdict in (TO_OUTSIDE, TO_INSIDE):
                self.more.append((verdict, bytes(buffer[: len(packet)])))
        self.early.open = opened

    def _fragment(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        """The first fragment is translated as any packet; the others go its way, or wait for it."""
        datagram = self._fragments.take(buffer, from_outside, now)
        if datagram is None:
            return DROP
        first = not _UNPACK(buffer, START)[2] & OFFSET
        if datagram.whole or (first and self._is_read(buffer, from_outside)):
            datagram.whole = True
            return self._gather(datagram, buffer, from_outside, now)
        if not first:
            return self._fragments.follow(datagram, buffer)
        old = bytes(buffer[IDENTIFICATION : ADDRESSES + 8])
        verdict = self._slow(buffer, length, from_outside, now, first=True)
        way = DROP if verdict is ELSEWHERE else verdict  # a gateway reads whole datagrams, or none
        self.more += self._fragments.lead(datagram, way, old, buffer)
        return verdict

    def _is_read(self, buffer: bytearray, from_outside: bool) -> bool:
        """Whether a gateway reads the flow of a first fragment, or may want to."""
        head, total, _, _, protocol, _, key = _UNPACK(buffer, START)
        if protocol not in (TCP, UDP):
            return False
        key = key[:8] + self._ports(buffer, head, total, protocol)
        path = (self._outside if from_outside else self._inside)[protocol].get(key)
        if path is not None:
            return path.application is not None
        return self.reader.is_read(protocol, key[8:])

    def _gather(self, datagram: Datagram, buffer: bytearray, from_outside: bool, now: float) -> Verdict:
        """A fragment of a datagram that a gateway will see, which sees whole ones."""
        whole = self._fragments.gather(datagram, buffer)
        if whole is None:
            return DROP
        length = len(whole)
        whole += bytes(_SPARE)
        verdict = self._slow(whole, length, from_outside, now)
        if verdict in (TO_OUTSIDE, TO_INSIDE):
            self.more.append((verdict, bytes(whole[:length])))
            return ELSEWHERE
        return verdict

    def _renewal(self, path: Path, protocol: int) -> Renewal:
        """What sees to the identifications of datagrams on a path."""
        path.renew = renewal = self._identifications.of(path.tuple, path.target, protocol)
        return renewal

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

    def _error(
        self,
        buffer: bytearray,
        head: int,
        total: int,
        ttl: int,
        checksum: int,
        key: bytes,
        from_outside: bool,
    ) -> Verdict:
        """An ICMP error: exempt if neither its own addresses nor the flow it is about are translated."""
        quote = read_quote(buffer, head, total, by_call_id=self.reader.by_call_id)
        if self.flows.is_exempt(key[:8] + bytes(4), ICMP, buffer, from_outside) and (
            quote is None or self.flows.is_exempt(quote.key, quote.protocol, buffer, from_outside)
        ):
            return self._pass(buffer, ttl, checksum, from_outside)
        goes_out = self._errors.translate(buffer, total, quote, self.flows.rules, from_outside)
        if goes_out is None:
            return DROP
        if quote is not None and quote.protocol == TCP:
            path = (self._outside if from_outside else self._inside)[TCP].get(quote.key)
            if path is not None and path.application is not None:
                requote(path.application, buffer, quote, from_outside)
        return TO_OUTSIDE if goes_out else TO_INSIDE

    def _with_options(
        self, buffer: bytearray, total: int, from_outside: bool, now: float, *, first: bool
    ) -> Verdict:
        """A packet with options is translated as the same packet without them."""
        verdict = judge(bytes(buffer[TRANSPORT : START + (buffer[START] & 15) * 4]))
        if verdict is Options.BROKEN:
            self.counters.malformed += 1
        elif verdict is Options.ADDRESSES:
            self.counters.options += 1
        else:
            plain = without_options(buffer, total)
            length = START + total - (buffer[START] & 15) * 4 + 20
            goes = self._slow(plain, length, from_outside, now, first=first)
            if goes is not DROP:
                take_over(buffer, total, plain)
            return goes
        return DROP

    def _pass(self, buffer: bytearray, ttl: int, checksum: int, from_outside: bool) -> Verdict:
        buffer[TTL] = ttl + self._ttl_step
        difference = self._ttl_step * TTL_WORD % 0xFFFF
        buffer[CHECKSUM : CHECKSUM + 2] = adjust(checksum, difference).to_bytes(2, "big")
        self.counters.passed += 1
        return TO_INSIDE if from_outside else TO_OUTSIDE

    def _ports(self, buffer: bytearray, head: int, total: int, protocol: int) -> bytes:
        """The ports of a packet, behind its options, or what it has for ports; or zeros.

        An ICMP query has its identifier for both.
        """
        at = START + (head & 15) * 4
        if protocol == GRE and self.reader.by_call_id:
            return ports_of_call(buffer, at, START + total)
        if protocol not in WITH_PORTS:
            return _NO_PORTS
        return bytes(buffer[at + 4 : at + 6]) * 2 if protocol == ICMP else bytes(buffer[at : at + 4])

    def _supported(self, key: bytes, buffer: bytearray, total: int, protocol: int) -> bool:
        """Whether a packet that is to be translated can be."""
        counters = self.counters
        if total < 20 + MINIMUM.get(protocol, 0):
            counters.malformed += 1
        elif protocol == ICMP and buffer[TRANSPORT] not in QUERIES:
            counters.icmp_type += 1
        elif protocol == AH:
            counters.authenticated += 1
        elif key[4] >= _GROUPS and (key[4] < _RESERVED or key[4:8] == _EVERYBODY):
            counters.multicast += 1
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
    if protocol in WITH_PORTS:
        buffer[ADDRESSES : ADDRESSES + 12] = path.target
    else:
        buffer[ADDRESSES : ADDRESSES + 8] = path.target[:8]
        if protocol not in CHECKSUM_AT:
            if protocol == GRE and path.target[10:] != path.tuple[10:]:
                buffer[TRANSPORT + CALL_ID : TRANSPORT + CALL_ID + 2] = path.target[10:]
            return
    at = TRANSPORT + CHECKSUM_AT[protocol]
    field = buffer[at] << 8 | buffer[at + 1]
    if buffer[0] & NEEDS_CHECKSUM:
        total = field + path.address_delta
        field = (total & 0xFFFF) + (total >> 16)
    elif field or protocol in _ANY_SUM:
        total = (field ^ 0xFFFF) + path.full_delta
        field = ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF
        if not field and protocol not in _ANY_SUM:
            field = 0xFFFF  # 0 would say "no checksum"
    buffer[at : at + 2] = field.to_bytes(2, "big")


def _rewrite_query(buffer: bytearray, path: Path) -> None:
    """An ICMP query: no pseudo header, and the identifier where the ports would be."""
    buffer[ADDRESSES : ADDRESSES + 8] = path.target[:8]
    at = TRANSPORT + CHECKSUM_AT[ICMP]
    old, new = path.tuple[8:10], path.target[8:10]
    if not buffer[0] & NEEDS_CHECKSUM:  # else the identifier is among what will be summed
        difference = (int.from_bytes(new, "big") - int.from_bytes(old, "big")) % 0xFFFF
        field = adjust(int.from_bytes(buffer[at : at + 2], "big"), difference)
        buffer[at : at + 2] = field.to_bytes(2, "big")
    buffer[TRANSPORT + 4 : TRANSPORT + 6] = new
