"""ICMP errors about translated flows (RFC 5508 REQ-3 to REQ-7, RFC 4884; nat-behaviour.md 1.3 and 2.2).

An error quotes the packet that caused it, which we translated: the quote is given back the endpoints that
its sender knows, and so is the address the error goes to. What is found is an entry that exists; nothing
here makes, changes, refreshes or ends one.

Checksums are followed, never computed: what was wrong stays wrong. An error with a wrong one of its own is
dropped. Those of the quote are not looked at, except that of its header, which is counted: some routers quote
a header after they changed it, and to drop their errors, as RFC 5508 REQ-3a would like, breaks path MTU
discovery.
"""

from struct import Struct
from typing import Final, NamedTuple

from snat.nat.entry import NOWHERE, OUTSIDE_GLOBAL, OUTSIDE_LOCAL
from snat.nat.rules import Rules
from snat.nat.table import NatTable
from snat.nat.tracking import ICMP, TCP, UDP
from snat.translate.checksum import adjust, delta, header_is_valid, words
from snat.translate.flow_cache import TTL_WORD
from snat.translate.flows import TranslateCounters
from snat.translate.gre import CALL_ID, GRE, ports_of_call
from snat.translate.identification import Identifications
from snat.translate.options import Options, judge
from snat.translate.packet import (
    ADDRESSES,
    CHECKSUM,
    CHECKSUM_AT,
    DONT_FRAGMENT,
    FRAGMENT,
    FRAGMENT_WORD,
    NEEDS_CHECKSUM,
    OFFSET,
    START,
    TTL,
)

UNREACHABLE: Final = 3
SOURCE_QUENCH: Final = 4
REDIRECT: Final = 5
TIME_EXCEEDED: Final = 11
PARAMETER_PROBLEM: Final = 12
ERRORS: Final = frozenset({UNREACHABLE, SOURCE_QUENCH, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM})
_EXTENSIBLE: Final = frozenset({UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM})
"""Those whose sixth byte tells how much is quoted, in words of 4 bytes; behind that are extensions."""
_SHORTEST: Final = 28
"""RFC 792: a header and 8 bytes. A length that is less was not meant as one."""
_WITH_PORTS: Final = frozenset({TCP, UDP})
_HEAD: Final = 8
"""Bytes of the ICMP header."""
_PARTIAL: Final = Struct("=HH")
"""Where a checksum is to be computed from, and where it goes, in the virtio header at byte 6."""


class Quote(NamedTuple):
    """The packet that an error quotes, as far as it does; positions are in the buffer."""

    at: int
    transport: int
    end: int
    protocol: int
    later: bool
    """A fragment without ports."""
    source: bytes
    """Address and port. An ICMP query has its identifier for both ports; most protocols have port 0."""
    destination: bytes

    @property
    def key(self) -> bytes:
        """Addresses and ports of a packet the other way, which a flow cache's keys are like."""
        return self.destination[:4] + self.source[:4] + self.destination[4:] + self.source[4:]


def is_error(buffer: bytearray, head: int, total: int, fragment: int) -> bool:
    """Whether a sound ICMP packet is an error. One in fragments is not looked at: none is so long."""
    size = (head & 15) * 4
    return not fragment & FRAGMENT and total >= size + _HEAD and buffer[START + size] in ERRORS


def read_quote(buffer: bytearray, head: int, total: int, *, by_call_id: bool = False) -> Quote | None:
    """What an error quotes; None if that is no IPv4 header and 8 bytes.

    Of a protocol without ports the header is enough. GRE may have ports ``by_call_id``.
    """
    icmp = START + (head & 15) * 4
    at, end = icmp + _HEAD, START + total
    if buffer[icmp] in _EXTENSIBLE and buffer[icmp + 5] * 4 >= _SHORTEST:
        end = min(end, at + buffer[icmp + 5] * 4)
    if at + 20 > end:
        return None
    transport, protocol = at + (buffer[at] & 15) * 4, buffer[at + 9]
    if buffer[at] >> 4 != 4 or transport < at + 20 or transport > end:
        return None
    later = bool(int.from_bytes(buffer[at + 6 : at + 8], "big") & OFFSET)
    near = far = bytes(2)
    if protocol in CHECKSUM_AT and not later:
        if transport + 8 > end:
            return None
        if protocol == ICMP:
            near = far = bytes(buffer[transport + 4 : transport + 6])
        elif protocol in _WITH_PORTS:
            near, far = bytes(buffer[transport : transport + 2]), bytes(buffer[transport + 2 : transport + 4])
    elif protocol == GRE and by_call_id and not later:
        far = ports_of_call(buffer, transport, end)[2:]
    source, destination = bytes(buffer[at + 12 : at + 16]), bytes(buffer[at + 16 : at + 20])
    return Quote(at, transport, end, protocol, later, source + near, destination + far)


class _Restored(NamedTuple):
    """An error as whoever gets it must see it: the outer addresses and the quoted endpoints."""

    sender: bytes
    receiver: bytes
    source: bytes
    destination: bytes
    hairpinned: bool


class IcmpErrors:
    """Translates errors about flows of the table."""

    def __init__(
        self,
        table: NatTable,
        counters: TranslateCounters,
        identifications: Identifications,
        ttl_step: int,
    ) -> None:
        self._table = table
        self._counters = counters
        self._identifications = identifications
        self._ttl_step = ttl_step

    def translate(
        self, buffer: bytearray, total: int, quote: Quote | None, rules: Rules, from_outside: bool
    ) -> bool | None:
        """Translate an error in place: whether it goes outside; None: it is dropped, untouched.

        The outer header is sound, and what it says of the length is true.
        """
        icmp = START + (buffer[START] & 15) * 4
        if quote is None:
            self._counters.icmp_truncated += 1
            return None
        if not self._is_trusted(buffer, icmp, START + total) or not self._is_wanted(buffer, icmp, quote):
            return None
        restored = self._restore(buffer, quote, rules, from_outside)
        if restored is None:
            self._counters.icmp_unknown += 1
            return None
        if header_is_valid(bytes(buffer[quote.at : quote.transport])):
            self._counters.icmp_errors += 1
        else:
            self._counters.icmp_bad_quote += 1
        _requote(buffer, icmp, quote, restored)
        self._readdress(buffer, restored)
        return not from_outside and not restored.hairpinned

    def _is_trusted(self, buffer: bytearray, icmp: int, end: int) -> bool:
        """Whether its checksum is right, or left for later by the kernel, and so are its options."""
        if buffer[0] & NEEDS_CHECKSUM:
            if _PARTIAL.unpack_from(buffer, 6) != (icmp - START, CHECKSUM_AT[ICMP]):
                self._counters.malformed += 1
                return False
        else:
            data = bytes(buffer[icmp:end])
            if words(data if len(data) % 2 == 0 else data + b"\0"):
                self._counters.icmp_checksum += 1
                return False
        return self._has_good_options(bytes(buffer[START + 20 : icmp]))

    def _is_wanted(self, buffer: bytearray, icmp: int, quote: Quote) -> bool:
        """Whether an error of its kind, about what it quotes, is translated at all."""
        counters, kind = self._counters, buffer[icmp]
        if kind == SOURCE_QUENCH:
            counters.icmp_source_quench += 1  # RFC 6633: obsolete, and good for attacks only
        elif kind == REDIRECT:
            counters.icmp_redirect += 1  # to a gateway of another realm
        elif quote.later:
            counters.icmp_fragment += 1  # RFC 1812 4.3.2.7: there should be no error about it
        elif quote.protocol == ICMP and buffer[quote.transport] in ERRORS:
            counters.icmp_about_error += 1
        elif buffer[ADDRESSES + 4 : ADDRESSES + 8] != quote.source[:4]:
            counters.icmp_misdirected += 1  # not to whom the quoted packet is from
        else:
            return self._has_good_options(bytes(buffer[quote.at + 20 : quote.transport]))
        return False

    def _has_good_options(self, options: bytes) -> bool:
        verdict = judge(options) if options else Options.HARMLESS
        if verdict is Options.ADDRESSES:
            self._counters.options += 1
        elif verdict is Options.BROKEN:
            self._counters.malformed += 1
        return verdict is Options.HARMLESS

    def _restore(self, buffer: bytearray, quote: Quote, rules: Rules, from_outside: bool) -> _Restored | None:
        """What it becomes by the entry of the quoted packet; None: there is none.

        If one from inside leads back inside, the quote is the packet as we sent it out and took it in again.
        The router's own kernel says that from outside: its way to our addresses leads there.
        """
        sender = bytes(buffer[ADDRESSES : ADDRESSES + 4])
        protocol = bytes((quote.protocol,))
        if from_outside:
            record = self._table.from_outside(protocol + quote.source, quote.destination)
            if record is not None:
                return _inward(record, sender, hairpinned=False)
        record = self._table.from_inside(quote.destination + protocol, quote.source)
        if record is None:
            return None
        source, destination = record[OUTSIDE_GLOBAL], record[23:29]
        sender = self._global_of(sender, record)
        record = self._table.from_outside(protocol + source, destination)
        if record is not None:
            return _inward(record, sender, hairpinned=True)
        if from_outside or rules.owns(source[:4]):
            return None
        return _Restored(sender, source[:4], source, destination, hairpinned=False)

    def _global_of(self, sender: bytes, record: bytes) -> bytes:
        """What an error from inside leaves under (RFC 5508 REQ-5c).

        The sender's own address, if it has one to itself, else that of the flow it is about; no other than it
        has if only the outside host of that flow is translated.
        """
        if record[16:20] == record[23:27]:
            return sender
        if sender != record[16:20]:
            simple = self._table.from_inside(sender + bytes(3), NOWHERE)
            if simple is not None:
                return simple[23:27]
        return record[23:27]

    def _readdress(self, buffer: bytearray, restored: _Restored) -> None:
        addresses = restored.sender + restored.receiver
        before = bytes(buffer[ADDRESSES : ADDRESSES + 8])
        if not int.from_bytes(buffer[FRAGMENT_WORD : FRAGMENT_WORD + 2], "big") & DONT_FRAGMENT:
            renew = self._identifications.of(before, addresses, ICMP)
            checksum = renew(buffer, int.from_bytes(buffer[CHECKSUM : CHECKSUM + 2], "big"))
            buffer[CHECKSUM : CHECKSUM + 2] = checksum.to_bytes(2, "big")
        difference = (delta(before, addresses) + self._ttl_step * TTL_WORD) % 0xFFFF
        _adjust(buffer, CHECKSUM, difference)
        buffer[ADDRESSES : ADDRESSES + 8] = addresses
        buffer[TTL] += self._ttl_step


def _inward(record: bytes, sender: bytes, *, hairpinned: bool) -> _Restored:
    """An error to the inside host of an entry. Only the flow's own outside host has another name there."""
    source, destination = record[16:22], record[OUTSIDE_LOCAL]
    if sender == record[OUTSIDE_GLOBAL][:4]:
        sender = destination[:4]
    return _Restored(sender, source[:4], source, destination, hairpinned)


def _requote(buffer: bytearray, icmp: int, quote: Quote, restored: _Restored) -> None:
    """Give the quoted packet its endpoints, and carry what changes up to the error's own checksum."""
    source, destination = restored.source, restored.destination
    stop = min(quote.end, quote.transport + 20)
    stop -= (stop - quote.at) % 2
    before = bytes(buffer[quote.at : stop])
    address_delta = delta(quote.source[:4] + quote.destination[:4], source[:4] + destination[:4])
    port_delta = delta(quote.source[4:] + quote.destination[4:], source[4:] + destination[4:])
    _adjust(buffer, quote.at + 10, address_delta)
    buffer[quote.at + 12 : quote.at + 20] = source[:4] + destination[:4]
    if quote.protocol == ICMP:
        buffer[quote.transport + 4 : quote.transport + 6] = source[4:]
        _adjust_transport(buffer, quote, delta(quote.source[4:], source[4:]))
    elif quote.protocol in CHECKSUM_AT:
        if quote.protocol in _WITH_PORTS:
            buffer[quote.transport : quote.transport + 4] = source[4:] + destination[4:]
        _adjust_transport(buffer, quote, address_delta + port_delta)
    elif quote.protocol == GRE and destination[4:] != quote.destination[4:]:
        buffer[quote.transport + CALL_ID : quote.transport + CALL_ID + 2] = destination[4:]
    if not buffer[0] & NEEDS_CHECKSUM:
        _adjust(buffer, icmp + CHECKSUM_AT[ICMP], delta(before, bytes(buffer[quote.at : stop])))


def _adjust_transport(buffer: bytearray, quote: Quote, difference: int) -> None:
    """The quoted transport checksum, if so much is quoted; for UDP 0 says that there is none."""
    at = quote.transport + CHECKSUM_AT[quote.protocol]
    if at + 2 > quote.end or (quote.protocol == UDP and not buffer[at] and not buffer[at + 1]):
        return
    _adjust(buffer, at, difference % 0xFFFF)
    if quote.protocol == UDP and not buffer[at] and not buffer[at + 1]:
        buffer[at : at + 2] = b"\xff\xff"


def _adjust(buffer: bytearray, at: int, difference: int) -> None:
    field = int.from_bytes(buffer[at : at + 2], "big")
    buffer[at : at + 2] = adjust(field, difference).to_bytes(2, "big")
