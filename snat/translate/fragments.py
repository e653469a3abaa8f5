"""IPv4 fragments in any order (RFC 4787 REQ-14, nat-behaviour.md 2.1), without putting datagrams together.

The first fragment has the transport header and is translated as any packet; how it left, new addresses and
identification, is the :class:`Way` that the others of its datagram go. Fragments that come before it wait,
within bounds of time and memory. The transport's checksum is in the first fragment alone, covers the whole
datagram and is adjusted there, so no other fragment's bytes are looked at.

What a receiver could put together in two ways, or what hides the ports from us, is let through in no part
that comes later: overlaps (RFC 5722), pieces that end or begin within the transport header (RFC 1858, RFC
3128). Fragments that are not to be translated are looked at in the same way: whether they are is said by the
ports too. Nobody is told of what does not come in time: where the first came it was sent on, and the receiver
says so (ICMP 11/1); where it did not, nobody may (RFC 792).
"""

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from snat.nat.tracking import TCP
from snat.translate.checksum import adjust, delta, words
from snat.translate.flow_cache import TTL_WORD
from snat.translate.flows import TranslateCounters
from snat.translate.packet import (
    ADDRESSES,
    CHECKSUM,
    FRAGMENT_WORD,
    IDENTIFICATION,
    MINIMUM,
    MORE_FRAGMENTS,
    OFFSET,
    PLAIN,
    PROTOCOL,
    START,
    TOTAL_LENGTH,
    TTL,
    Verdict,
)

LIFETIME: Final = 5.0
"""Seconds from a datagram's first sign of life in which all of it must come: at least 2 (RFC 6146), and
short, since senders use an identification again after some thousand datagrams (RFC 4963)."""
MEMORY: Final = 4 << 20
"""Bytes that all datagrams may take, as Linux has it (``ipfrag_high_thresh``)."""
DATAGRAM_COST: Final = 700
"""Bytes that count for a datagram,"""
FRAGMENT_COST: Final = 250
"""and for each of its fragments besides the bytes that wait; rounded up from what Python takes."""
MOST_FRAGMENTS: Final = 128
"""In one datagram: 65,535 bytes over a link with an MTU of 576 are 119."""
LARGEST: Final = 0xFFFF - 20
"""Where the payload of a datagram ends at most."""
_MOST_ADDED: Final = DATAGRAM_COST + FRAGMENT_COST + 0xFFFF
"""What one fragment can add."""
_NO_VIRTIO: Final = bytes(START)


@dataclass(frozen=True, slots=True)
class Way:
    """How the first fragment of a datagram left."""

    verdict: Verdict
    addresses: bytes
    """8 bytes: source and destination."""
    identification: bytes
    header_delta: int
    """What addresses, identification and TTL add to the sum under the header's checksum."""
    options: bool
    """Whether the header had options: only then may those of later fragments have any (RFC 791)."""

    def is_for(self, head: int) -> bool:
        """Whether a later fragment may go it, by version and length of its header."""
        return self.options or head == PLAIN


class Datagram:
    """What is known of a datagram whose fragments pass."""

    __slots__ = ("cost", "covered", "deadline", "end", "held", "key", "pieces", "refused", "way", "whole")

    def __init__(self, key: bytes, deadline: float) -> None:
        self.key = key
        self.deadline = deadline
        self.pieces: list[tuple[int, int]] = []
        """Where fragments begin and end, in order; they do not overlap."""
        self.covered = 0
        """The sum of their lengths."""
        self.end: int | None = None
        """Where the payload ends; None until the last fragment has come."""
        self.held: list[tuple[int, bytes]] = []
        """Offset and bytes of the fragments that wait."""
        self.way: Way | None = None
        self.refused = False
        self.whole = False
        """Whether its first fragment has come, and it is wanted in one piece."""
        self.cost = DATAGRAM_COST

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self.covered == self.end

    def contradicts(self, start: int, end: int, more: bool) -> bool:
        """Whether a fragment that is no duplicate cannot be of the same datagram as the others."""
        pieces = self.pieces
        at = bisect_left(pieces, (start, 0))
        return (
            (at < len(pieces) and pieces[at][0] < end)
            or (at > 0 and pieces[at - 1][1] > start)
            or (self.end is not None and end > self.end)
            or (not more and bool(pieces) and pieces[-1][1] > end)
        )

    def is_duplicate(self, start: int, end: int, more: bool) -> bool:
        """Whether a fragment like this one has come before."""
        at = bisect_left(self.pieces, (start, end))
        return self.pieces[at : at + 1] == [(start, end)] and more == (self.end != end)

    def add(self, start: int, end: int, more: bool) -> None:
        """Note a fragment."""
        at = bisect_left(self.pieces, (start, end))
        self.pieces.insert(at, (start, end))
        self.covered += end - start
        if not more:
            self.end = end


class Fragments:
    """The datagrams whose fragments pass, by realm, addresses, protocol and identification.

    The oldest go when there is no room: in a flood of pieces a datagram that comes within milliseconds
    still passes, and packets that are whole never come here.
    """

    def __init__(self, counters: TranslateCounters, ttl_step: int) -> None:
        self._counters = counters
        self._ttl_step = ttl_step
        self._lowest, self._highest = max(1, 1 - ttl_step), min(255, 255 - ttl_step)
        self._datagrams: OrderedDict[bytes, Datagram] = OrderedDict()
        self._cost = 0

    def __len__(self) -> int:
        return len(self._datagrams)

    @property
    def memory(self) -> int:
        """Bytes that all datagrams take, as they count; never more than MEMORY."""
        return self._cost

    def take(self, buffer: bytearray, from_outside: bool, now: float) -> Datagram | None:
        """Note the fragment in a buffer, whose IPv4 header is sound; None: it is to be dropped, and counted.

        Where its offset is 0, translate it and call :meth:`lead`, otherwise :meth:`follow`.
        """
        counters = self._counters
        start, end, more = _extent(buffer)
        if end == start or end > LARGEST or (more and end % 8):
            counters.malformed += 1
            return None
        if start and not self._lowest <= buffer[TTL] <= self._highest:
            counters.ttl_exceeded += 1
            return None
        self.expire(now)
        datagram = self._of(buffer, from_outside, now)
        if datagram.refused:
            counters.fragments_refused += 1
        elif _is_tiny(buffer, start, end):
            counters.fragments_tiny += 1
            self._refuse(datagram)
        elif datagram.is_duplicate(start, end, more):
            counters.fragments_duplicate += 1
        elif datagram.contradicts(start, end, more):
            counters.fragments_overlapping += 1
            self._refuse(datagram)
        elif len(datagram.pieces) >= MOST_FRAGMENTS:
            counters.fragments_too_many += 1
            self._refuse(datagram)
        else:
            datagram.add(start, end, more)
            self._charge(datagram, FRAGMENT_COST)
            return datagram
        return None

    def lead(
        self, datagram: Datagram, verdict: Verdict, old: bytes, buffer: bytearray
    ) -> list[tuple[Verdict, bytes]]:
        """Learn the way of a datagram from its first fragment; what waited for it, behind a virtio header.

        ``old`` are the 16 bytes from the identification to the addresses as they came.
        """
        if verdict is Verdict.DROP:
            self._refuse(datagram)
            return []
        new = bytes(buffer[IDENTIFICATION : ADDRESSES + 8])
        difference = delta(old[:2] + old[8:], new[:2] + new[8:]) + self._ttl_step * TTL_WORD
        datagram.way = way = Way(
            verdict, new[8:], new[:2], difference % 0xFFFF, options=buffer[START] != PLAIN
        )
        released = [
            (way.verdict, self._rewritten(packet, way))
            for _, packet in sorted(datagram.held)
            if way.is_for(packet[0])
        ]
        self._counters.fragments_released += len(released)
        self._counters.fragments_abandoned += len(datagram.held) - len(released)
        self._drop_held(datagram)
        self._forget_if_whole(datagram)
        return released

    def follow(self, datagram: Datagram, buffer: bytearray) -> Verdict:
        """Send a later fragment the way of the first, or let it wait."""
        if datagram.way is None:
            total = buffer[TOTAL_LENGTH] << 8 | buffer[TOTAL_LENGTH + 1]
            datagram.held.append((_extent(buffer)[0], bytes(buffer[START : START + total])))
            self._charge(datagram, total)
            self._counters.fragments_held += 1
            return Verdict.DROP
        if not datagram.way.is_for(buffer[START]):
            self._counters.options += 1
            self._refuse(datagram)
            return Verdict.DROP
        self._rewrite(buffer, datagram.way)
        self._counters.fragments += 1
        self._forget_if_whole(datagram)
        return datagram.way.verdict

    def gather(self, datagram: Datagram, buffer: bytearray) -> bytearray | None:
        """Keep a fragment of a datagram that is wanted whole; the datagram, once all of it is there.

        It has the header of its first fragment, without options, and stands behind a virtio header.
        """
        total = buffer[TOTAL_LENGTH] << 8 | buffer[TOTAL_LENGTH + 1]
        datagram.held.append((_extent(buffer)[0], bytes(buffer[START : START + total])))
        self._charge(datagram, total)
        if not datagram.is_whole:
            self._counters.fragments_held += 1
            return None
        pieces = [packet for _, packet in sorted(datagram.held)]
        self._counters.fragments_gathered += len(pieces) - 1
        self._drop_held(datagram)
        self._forget_if_whole(datagram)
        return _joined(pieces)

    def expire(self, now: float) -> None:
        """Forget the datagrams whose time is over."""
        while self._datagrams and next(iter(self._datagrams.values())).deadline <= now:
            self._counters.fragments_timed_out += self._forget_oldest()

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do; infinite if nothing waits."""
        return next(iter(self._datagrams.values())).deadline if self._datagrams else float("inf")

    # Inside

    def _of(self, buffer: bytearray, from_outside: bool, now: float) -> Datagram:
        key = bytes(buffer[ADDRESSES : ADDRESSES + 8] + buffer[IDENTIFICATION : IDENTIFICATION + 2])
        key += bytes((buffer[PROTOCOL], from_outside))
        while self._cost > MEMORY - _MOST_ADDED:
            self._counters.fragments_evicted += self._forget_oldest()
        datagram = self._datagrams.get(key)
        if datagram is None:
            datagram = self._datagrams[key] = Datagram(key, now + LIFETIME)
            self._cost += DATAGRAM_COST
        return datagram

    def _charge(self, datagram: Datagram, cost: int) -> None:
        datagram.cost += cost
        self._cost += cost

    def _refuse(self, datagram: Datagram) -> None:
        """Let no more of a datagram through; it is remembered for that until its time is over."""
        self._counters.fragments_abandoned += len(datagram.held)
        datagram.refused = True
        datagram.pieces = []
        datagram.held = []
        self._charge(datagram, DATAGRAM_COST - datagram.cost)

    def _drop_held(self, datagram: Datagram) -> None:
        self._charge(datagram, -sum(len(packet) for _, packet in datagram.held))
        datagram.held = []

    def _forget_if_whole(self, datagram: Datagram) -> None:
        if datagram.is_whole:
            del self._datagrams[datagram.key]
            self._cost -= datagram.cost

    def _forget_oldest(self) -> int:
        """How many fragments go with it that waited."""
        _, oldest = self._datagrams.popitem(last=False)
        self._cost -= oldest.cost
        return len(oldest.held)

    def _rewritten(self, packet: bytes, way: Way) -> bytes:
        held = bytearray(_NO_VIRTIO + packet)
        self._rewrite(held, way)
        return bytes(held)

    def _rewrite(self, buffer: bytearray, way: Way) -> None:
        buffer[TTL] += self._ttl_step
        checksum = int.from_bytes(buffer[CHECKSUM : CHECKSUM + 2], "big")
        buffer[CHECKSUM : CHECKSUM + 2] = adjust(checksum, way.header_delta).to_bytes(2, "big")
        buffer[IDENTIFICATION : IDENTIFICATION + 2] = way.identification
        buffer[ADDRESSES : ADDRESSES + 8] = way.addresses


def _joined(pieces: list[bytes]) -> bytearray:
    """The datagram of fragments in order; their extents were checked, so it is no longer than it may be."""
    made = bytearray(_NO_VIRTIO + pieces[0][:20])
    made += b"".join(piece[(piece[0] & 15) * 4 :] for piece in pieces)
    made[START] = PLAIN
    made[TOTAL_LENGTH : TOTAL_LENGTH + 2] = (len(made) - START).to_bytes(2, "big")
    made[FRAGMENT_WORD : FRAGMENT_WORD + 2] = bytes(2)
    made[CHECKSUM : CHECKSUM + 2] = bytes(2)
    made[CHECKSUM : CHECKSUM + 2] = (words(bytes(made[START : START + 20])) ^ 0xFFFF).to_bytes(2, "big")
    return made


def _extent(buffer: bytearray) -> tuple[int, int, bool]:
    """Where the payload of a fragment begins and ends in its datagram, and whether more follows."""
    total = buffer[TOTAL_LENGTH] << 8 | buffer[TOTAL_LENGTH + 1]
    word = buffer[FRAGMENT_WORD] << 8 | buffer[FRAGMENT_WORD + 1]
    start = (word & OFFSET) * 8
    return start, start + total - (buffer[START] & 15) * 4, bool(word & MORE_FRAGMENTS)


def _is_tiny(buffer: bytearray, start: int, end: int) -> bool:
    """Whether a fragment ends or begins within the transport header."""
    least = MINIMUM.get(buffer[PROTOCOL], 0)
    if start:
        return start < least
    if buffer[PROTOCOL] == TCP and end >= least:
        transport = START + (buffer[START] & 15) * 4
        least = max(least, (buffer[transport + 12] >> 4) * 4)
    return end < least
