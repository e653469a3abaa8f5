"""ICMP errors of our own, about packets that we do not pass on (RFC 1812 4.3.2, RFC 5508 REQ-8 and REQ-10).

They go back to where the packet came from, written after it by the data path. How many there are is limited,
for each sender and in all (RFC 1812 4.3.2.8).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from snat.nat.rules import Rules
from snat.nat.tracking import ICMP, UDP
from snat.translate.checksum import checksum_of
from snat.translate.icmp_error import TIME_EXCEEDED, UNREACHABLE
from snat.translate.packet import (
    ADDRESSES,
    DONT_FRAGMENT,
    FRAGMENT_WORD,
    NEEDS_CHECKSUM,
    OFFSET,
    PROTOCOL,
    START,
    TOTAL_LENGTH,
    Verdict,
)

PORT_UNREACHABLE: Final = 3
NEEDS_FRAGMENTING: Final = 4
PROHIBITED: Final = 13
"""Communication administratively prohibited."""
LONGEST: Final = 576
"""Bytes of an error: what every host takes (RFC 1812 4.3.2.3)."""
RATE: Final = 100.0
"""Errors a second, to all."""
BURST: Final = 50.0
SENDER_RATE: Final = 10.0
"""Errors a second, to one sender."""
SENDER_BURST: Final = 10.0
_SENDERS: Final = 1024
"""Whose last errors are remembered."""
_WAITING: Final = 64
"""Packets that may wait for the data path, which takes them after each packet."""
_HEADER: Final = Struct("!BBHHHBBH4s4s")
_ICMP: Final = Struct("!BBHHH")
_TTL: Final = 64
_DSCP: Final = 0xFC
_QUERIES: Final = frozenset({0, 8, *range(13, 19)})
"""ICMP types that are no errors. Of an unknown type that is not known."""
_PARTIAL: Final = Struct("=HH")
"""Where a checksum is to be computed from, and where it goes, in the virtio header at byte 6."""
_PLAIN_VIRTIO: Final = bytes(START)


@dataclass(slots=True)
class OwnErrorCounters:
    """Errors made, and why others were not."""

    time_exceeded: int = 0
    needs_fragmenting: int = 0
    prohibited: int = 0
    nobody_there: int = 0
    about_icmp: int = 0
    """Not made: about an ICMP packet that is no query."""
    about_fragment: int = 0
    """Not made: about a fragment that is not the first."""
    about_many: int = 0
    """Not made: the packet was for a multicast or broadcast address."""
    bad_source: int = 0
    """Not made: the source is not one host's, or is an address of ours."""
    no_address: int = 0
    """Not made: there is no address to send it from."""
    limited: int = 0
    """Not made: too many lately, to this sender or to all."""
    undelivered: int = 0
    """Not made: nobody takes them."""
    turned_off: int = 0
    """Not made: an interface on the sender's side is configured so."""


class TokenBucket:
    """At most ``burst`` at once, and ``rate`` a second in the long run."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = self._tokens = burst
        self._at = now

    def has_one(self, now: float) -> bool:
        """Whether there is a token now."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 1

    def take(self) -> None:
        """Take one that is there."""
        self._tokens -= 1


class OwnErrors:
    """Makes them. Each call is about ``buffer``, the untouched packet behind its virtio header."""

    def __init__(self, rules: Callable[[], Rules], waiting: list[tuple[Verdict, bytes]], now: float) -> None:
        """``waiting`` is emptied by the data path after each packet, see :attr:`Translator.more`."""
        self.counters = OwnErrorCounters()
        self.inside_address: bytes | None = None
        """What inside hosts know us by; None: they get errors from a pool address."""
        self.silent: frozenset[bool] = frozenset()
        """Sides that get none: whether that is outside (RFC 5508 REQ-9)."""
        self._rules = rules
        self._waiting = waiting
        self._all = TokenBucket(RATE, BURST, now)
        self._senders: OrderedDict[bytes, TokenBucket] = OrderedDict()

    def time_exceeded(self, buffer: bytearray, from_outside: bool, now: float) -> None:
        """Its time to live ended here (11/0)."""
        if self._make(buffer, TIME_EXCEEDED, 0, 0, from_outside, now):
            self.counters.time_exceeded += 1

    def needs_fragmenting(self, buffer: bytearray, mtu: int, from_outside: bool, now: float) -> None:
        """It is longer than the ``mtu`` of the way on and must not be cut (3/4, RFC 1191)."""
        if self._make(buffer, UNREACHABLE, NEEDS_FRAGMENTING, min(mtu, 0xFFFF), from_outside, now):
            self.counters.needs_fragmenting += 1

    def prohibited(self, buffer: bytearray, from_outside: bool, now: float) -> None:
        """We have nothing left to translate it with, or must not (3/13)."""
        if self._make(buffer, UNREACHABLE, PROHIBITED, 0, from_outside, now):
            self.counters.prohibited += 1

    def nobody_there(self, buffer: bytearray, now: float) -> None:
        """A SYN from outside is for nobody (3/3, RFC 5382 REQ-4)."""
        if self._make(buffer, UNREACHABLE, PORT_UNREACHABLE, 0, True, now):
            self.counters.nobody_there += 1

    def _make(
        self, buffer: bytearray, kind: int, code: int, mtu: int, from_outside: bool, now: float
    ) -> bool:
        if from_outside in self.silent:
            self.counters.turned_off += 1
            return False
        sender = bytes(buffer[ADDRESSES : ADDRESSES + 4])
        if not self._may_answer(buffer, sender):
            return False
        source = self._address(buffer, sender, from_outside)
        if source is None:
            self.counters.no_address += 1
        elif len(self._waiting) >= _WAITING:
            self.counters.undelivered += 1
        elif not self._is_due(sender, now):
            self.counters.limited += 1
        else:
            packet = _packet(kind, code, mtu, source, sender, buffer[START + 1], _quote(buffer))
            goes = Verdict.TO_OUTSIDE if from_outside else Verdict.TO_INSIDE
            self._waiting.append((goes, _PLAIN_VIRTIO + packet))
            return True
        return False

    def _may_answer(self, buffer: bytearray, sender: bytes) -> bool:
        """RFC 1812 4.3.2.7. The header is sound."""
        counters = self.counters
        if int.from_bytes(buffer[FRAGMENT_WORD : FRAGMENT_WORD + 2], "big") & OFFSET:
            counters.about_fragment += 1
        elif buffer[PROTOCOL] == ICMP and not _is_query(buffer):
            counters.about_icmp += 1
        elif buffer[ADDRESSES + 4] >= 224:
            counters.about_many += 1
        elif sender[0] in (0, 127) or sender[0] >= 224 or self._rules().owns(sender):
            counters.bad_source += 1
        else:
            return True
        return False

    def _address(self, buffer: bytearray, sender: bytes, from_outside: bool) -> bytes | None:
        """Ours that the sender may know: outside, the one that it sent to."""
        rules = self._rules()
        destination = bytes(buffer[ADDRESSES + 4 : ADDRESSES + 8])
        if from_outside and rules.owns(destination):
            return destination
        if not from_outside and self.inside_address is not None:
            return self.inside_address
        return rules.address_of_ours(sender)

    def _is_due(self, sender: bytes, now: float) -> bool:
        """Whether an error to a sender is within the limits; then it counts."""
        bucket = self._senders.get(sender)
        if bucket is None:
            bucket = TokenBucket(SENDER_RATE, SENDER_BURST, now)
        if not bucket.has_one(now) or not self._all.has_one(now):
            return False
        bucket.take()
        self._all.take()
        self._senders[sender] = bucket
        self._senders.move_to_end(sender)
        if len(self._senders) > _SENDERS:
            self._senders.popitem(last=False)
        return True


def _is_query(buffer: bytearray) -> bool:
    size = (buffer[START] & 15) * 4
    total = int.from_bytes(buffer[TOTAL_LENGTH : TOTAL_LENGTH + 2], "big")
    return total > size and buffer[START + size] in _QUERIES


def _packet(
    kind: int, code: int, mtu: int, source: bytes, receiver: bytes, service: int, quote: bytes
) -> bytes:
    """A whole error; its service class is that of what it is about (RFC 5508 REQ-10d)."""
    body = _ICMP.pack(kind, code, 0, 0, mtu) + quote
    body = body[:2] + checksum_of(body).to_bytes(2, "big") + body[4:]
    size = _HEADER.size + len(body)
    header = [0x45, service & _DSCP, size, 0, DONT_FRAGMENT, _TTL, ICMP, 0, source, receiver]
    header[7] = checksum_of(_HEADER.pack(*header))
    return _HEADER.pack(*header) + body


def _quote(buffer: bytearray) -> bytes:
    """As much of a packet as an error has room for, as its sender would have sent it.

    Where the kernel left a checksum for later it is computed over the whole packet.
    """
    packet = buffer[START : START + int.from_bytes(buffer[TOTAL_LENGTH : TOTAL_LENGTH + 2], "big")]
    room = LONGEST - _HEADER.size - _ICMP.size
    if buffer[0] & NEEDS_CHECKSUM:
        start, offset = _PARTIAL.unpack_from(buffer, 6)
        if 20 <= start <= start + offset <= min(room, len(packet)) - 2:
            field = checksum_of(bytes(packet[start:]))
            if not field and packet[9] == UDP:
                field = 0xFFFF
            packet[start + offset : start + offset + 2] = field.to_bytes(2, "big")
    return bytes(packet[:room])
