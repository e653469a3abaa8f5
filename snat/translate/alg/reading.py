"""Gateways at work: which flows are read, what passes of them, and what other routers learn.

What is in order passes at once. A segment that came too early waits, within bounds; one that was edited
before is edited the same way. An edit that changes a length leaves when other routers know of it, or after 20
ms: a router that took over without knowing would number everything behind it wrongly.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from snat.nat.entry import PLAIN_SIZE, STATE, State, context_of, with_context
from snat.nat.tracking import ACK, FIN, RST, SYN, TCP, Closing
from snat.translate.alg import segment
from snat.translate.alg.application import Application, conversation_of, is_outdated, is_silent
from snat.translate.alg.context import Expected, Read, decode
from snat.translate.alg.doors import FlowDoors
from snat.translate.alg.gateway import Edit, Gateway
from snat.translate.alg.sequence import Numbers, unwrap
from snat.translate.alg.switched import Service as Service
from snat.translate.alg.switched import Services as Services
from snat.translate.alg.switched import Switched
from snat.translate.alg.waiting import HELD_FOR as HELD_FOR
from snat.translate.alg.waiting import DelayedPackets, HeldSegments
from snat.translate.flow_cache import Path
from snat.translate.flows import Flows
from snat.translate.packet import START, TCP_FLAGS, TRANSPORT, Verdict

DELAY: Final = 0.02
"""Seconds that other routers get to learn of an edit (design section 9)."""
FARTHEST: Final = 1 << 21
"""Bytes ahead of what was read that a sender may be; a segment still farther away is no part of it."""
_LONGEST: Final = 65535 - 60
"""Bytes of payload that a segment never exceeds."""


class Rewrite(NamedTuple):
    """What a gateway wrote otherwise, for who debugs."""

    name: str
    record: bytes
    from_outside: bool
    before: bytes
    after: bytes


class Reader(Switched):
    """The gateways of a translator."""

    def __init__(
        self,
        flows: Flows,
        gateways: Mapping[str, type[Gateway]],
        finish: Callable[[bytearray, Path], None],
        more: list[tuple[Verdict, bytes]],
    ) -> None:
        """``gateways``: all that there are, by name.

        ``finish`` translates the addresses of a packet; ``more`` is for packets that are to be sent.
        """
        super().__init__(flows, gateways)
        self._finish = finish
        self._more = more
        self.counters: dict[str, Counter[str]] = {}
        """Of messages, edits and refusals, by gateway."""
        self.is_shared: Callable[[int], bool] = lambda _mapping_id: False
        """Whether another router stands by for a mapping."""
        self.saw: Callable[[Rewrite], None] | None = None
        self._counters = flows.counters
        self._delayed = DelayedPackets()
        self._unknown: list[tuple[Application, bool]] = []
        """Whose edits, and in which direction, other routers may not know yet."""
        self.newest = 0
        """Edits that were to wait, so far."""
        self._held = HeldSegments(flows.counters)
        self._now = 0.0

    # Flows

    def begin(self, path: Path, from_outside: bool, now: float) -> None:
        """A flow has begun: perhaps it is to be read. ``path`` is that of its first packet."""
        gateway = self.chosen(path, from_outside)
        if gateway is not None:
            self._now = now
            self._attach(path, gateway, begun_inside=not from_outside)

    def resume(self, path: Path, now: float) -> None:
        """A flow from before has a path now: perhaps it was read by another router."""
        if len(path.record) == PLAIN_SIZE:
            return
        self._now = now
        application = self._resumed(path.record)
        if application is not None:
            _join(path, application)

    def _attach(self, path: Path, gateway: type[Gateway], *, begun_inside: bool) -> Application:
        context = Read(name=gateway.name, version=gateway.version, begun_inside=begun_inside)
        application = Application(context, None, None, context_of(path.record))
        self._employ(application, gateway, path.record)
        _join(path, application)
        return application

    def _employ(self, application: Application, gateway: type[Gateway], record: bytes) -> None:
        conversation = conversation_of(record, application.context.begun_inside)
        counters = self.counters.setdefault(gateway.name, Counter())
        mapping_id = int.from_bytes(record[12:16], "big")
        doors = FlowDoors(conversation, mapping_id, self._flows, counters, lambda: self._now)
        application.doors, application.gateway = doors, gateway(conversation, doors)

    def _resumed(self, record: bytes) -> Application | None:
        """By the context of an entry; None: it says nothing of what was read."""
        written = context_of(record)
        context = decode(written)
        if context is None or isinstance(context, Expected):
            return None
        application = Application(context, None, None, written)
        gateway = self._gateways.get(context.name)
        if gateway is not None and not context.ended and gateway.version == context.version:
            self._employ(application, gateway, record)
            assert application.gateway is not None
            if application.gateway.restore(context.own):
                application.resume()
            else:
                self.counters[gateway.name]["unknown context"] += 1
                application.gateway = None
        return application if application.is_needed else None

    # Packets

    def prepare(self, path: Path, buffer: bytearray, from_outside: bool, now: float) -> bool:
        """Translate what a TCP segment acknowledges, before its flags are followed; whether it is to be read.

        False: nobody reads the flow any more.
        """
        self._now = now
        application = path.application
        if application is not None and is_outdated(path, application):
            application = self._resumed(path.record)
            _join(path, application)
        if application is None:
            return False
        if path.record[22] != TCP:
            return True
        flags = buffer[TCP_FLAGS]
        if flags & (SYN | ACK | RST) == SYN and _begins_anew(path, application, buffer, from_outside):
            gateway = self._gateways.get(application.context.name)
            if gateway is None:
                _join(path, None)
                return False
            application = self._attach(path, gateway, begun_inside=not from_outside)
        if flags & ACK and 20 <= segment.header_size(buffer) <= segment.total_of(buffer) - 20:
            _acknowledge(application.numbers(not from_outside), buffer)
        return True

    def read(self, path: Path, buffer: bytearray, from_outside: bool, now: float) -> Verdict:
        """Read what :meth:`prepare` prepared, and finish it in its buffer if its length stays the same.

        What else there is to send is among the further packets, now or later.
        """
        application, released = path.application, self._release(now)
        assert application is not None
        self._now = now
        work = _Work(path, application, from_outside)
        read = self._segment if path.record[22] == TCP else self._datagram
        if not read(work, buffer):
            work.made.insert(0, bytearray(buffer[: START + segment.total_of(buffer)]))
        self._remember(work)
        made = work.made
        if not made:
            return Verdict.DROP
        self._counters.slow += 1
        self._wait(work, now)
        if len(made) == 1 and not released and application.until[from_outside] <= now:
            (only,) = made
            if len(only) == START + segment.total_of(buffer):
                buffer[: len(only)] = only
                self._finish(buffer, path)
                return path.goes
        self._send(work, now)
        return Verdict.ELSEWHERE

    def expire(self, now: float) -> None:
        """Send what waited for other routers; forget what waited for segments that did not come."""
        self._now = now
        self._release(now)
        self._held.expire(now)

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        return min(self._delayed.next_deadline(), self._held.next_deadline())

    # Segments

    def _segment(self, work: "_Work", packet: bytearray) -> bool:
        """What becomes of a TCP segment is added to the work; False: it goes as it is now."""
        size, total = segment.header_size(packet), segment.total_of(packet)
        if not 20 <= size <= total - 20:
            self._counters.read_corrupt += 1
            return True
        numbers, flags, length = work.numbers, packet[TCP_FLAGS], total - 20 - size
        start = numbers.of(segment.sequence(packet))
        if flags & SYN:
            self._syn(work, start, length)
        elif not flags & RST and length and not self._text(work, packet, start, start + length):
            return True
        elif not length and flags & FIN and self._is_early(work, start):
            self._hold(work, packet, start)
            return True
        if length and numbers.touches(start, start + length):
            for part in segment.parts(packet) if segment.is_super(packet) else (packet,):
                self._render(work, part)
        else:
            segment.resequence(packet, numbers.told(start))
            work.made.append(bytearray(packet[: START + total]))
        self._follow(work)
        return True

    def _syn(self, work: "_Work", start: int, length: int) -> None:
        """The first number of a direction is known."""
        if work.numbers.next is None:
            work.numbers.next = start + 1 + length
            work.application.adopts[work.from_outside] = False
            if length:
                self._give_up(work, "data with the SYN")

    def _text(self, work: "_Work", packet: bytearray, start: int, end: int) -> bool:
        """Read what is new in a segment; False: it does not go on now."""
        application, numbers = work.application, work.numbers
        if numbers.next is None or application.adopts[work.from_outside]:
            self._adopt(work, start, end)
        assert numbers.next is not None
        if not application.reads:
            numbers.next = max(numbers.next, end)
            return True
        if self._is_early(work, start):
            self._hold(work, packet, start)
            return False
        if end <= numbers.next and not numbers.touches(start, end):
            return True
        if not segment.is_intact(packet):
            self._counters.read_corrupt += 1
            return False
        if end > numbers.next:
            self._take(work, segment.payload_of(packet)[numbers.next - start :])
        return True

    def _adopt(self, work: "_Work", start: int, end: int) -> None:
        """A direction in its middle: new is what no router has read, and its receiver does not have."""
        numbers, adopts = work.numbers, work.application.adopts
        if not adopts[work.from_outside]:
            self._give_up(work, "beginning not seen")
            numbers.next = start
            return
        floor = max((one for one in (numbers.next, numbers.acknowledged) if one is not None), default=start)
        numbers.next = max(start, floor) if end > floor else floor
        adopts[work.from_outside] = end <= floor

    def _is_early(self, work: "_Work", start: int) -> bool:
        return work.application.reads and work.numbers.next is not None and start > work.numbers.next

    def _take(self, work: "_Work", data: bytes) -> None:
        """Give the gateway the next bytes, and note what it writes otherwise."""
        numbers, application = work.numbers, work.application
        begin = numbers.next or 0
        for edit in application.take(work.from_outside, data):
            numbers.change(begin + edit.start, begin + edit.end, edit.text)
            application.changes += 1
            work.grows |= len(edit.text) != edit.end - edit.start
            self._tell(work, data, edit)
        numbers.next = begin + len(data)

    def _render(self, work: "_Work", packet: bytearray) -> None:
        """A segment that holds changes."""
        numbers, payload = work.numbers, segment.payload_of(packet)
        start = numbers.of(segment.sequence(packet))
        written = numbers.written(start, payload)
        if written is None:
            self._counters.read_forgotten += 1
            return
        begins, urgent = numbers.told(start), segment.urgent_pointer(packet)
        if urgent is not None:
            urgent = numbers.told(start + urgent) - begins
        most = min(max(len(payload), segment.SMALL), _LONGEST)
        work.made += segment.rewritten(packet, begins, written, most, urgent)

    def _give_up(self, work: "_Work", why: str) -> None:
        """Read no more of a flow."""
        application = work.application
        if application.gateway is not None:
            application.gateway.ended = True
            self.counters[application.context.name][why] += 1

    # Segments that came too early

    def _hold(self, work: "_Work", packet: bytearray, start: int) -> None:
        if start - (work.numbers.next or 0) > FARTHEST:
            self._counters.read_beyond += 1
            return
        copy = bytearray(packet[: START + segment.total_of(packet)])
        self._held.put(work.application, work.from_outside, copy, start, self._now)

    def _follow(self, work: "_Work") -> None:
        """What waited for a segment that has come."""
        held = work.held
        while held and work.numbers.next is not None:
            start = min(held)
            if start > work.numbers.next and work.application.reads:
                return
            self._segment(work, self._held.take(work.application, work.from_outside, start))

    # Datagrams

    def _datagram(self, work: "_Work", packet: bytearray) -> bool:
        """What becomes of a datagram, or of several in one packet; False: it goes as it is."""
        edited, made = False, []
        for one in segment.parts(packet) if segment.is_super(packet) else (packet,):
            length = one[TRANSPORT + 4] << 8 | one[TRANSPORT + 5]
            if length != segment.total_of(one) - 20 or not segment.is_intact(one):
                self._counters.read_corrupt += 1
                return True
            data = segment.payload_of(one)
            edits = work.application.take(work.from_outside, data)
            work.application.changes += len(edits)
            for edit in edits:
                self._tell(work, data, edit)
            edited |= bool(edits)
            made.append(segment.datagram(one, _edited(data, edits)) if edits else one)
        if edited:
            work.made += [bytearray(one[: START + segment.total_of(one)]) for one in made]
        return edited

    # What follows

    def _tell(self, work: "_Work", data: bytes, edit: Edit) -> None:
        if self.saw is not None:
            before = data[edit.start : edit.end]
            name, record = work.application.context.name, work.path.record
            self.saw(Rewrite(name, record, work.from_outside, before, edit.text))

    def _remember(self, work: "_Work") -> None:
        """Into the entry, what another router would have to know; read no more what nobody wants."""
        path, application = work.path, work.application
        context = application.changed()
        if context is None:
            return
        record = path.record
        if self._flows.ages(record) and not is_silent(application, record[22]):
            application.written = context
            self._flows.restate(with_context(record, context), self._now)
        if not application.is_needed:
            for start in sorted(work.held):
                work.made.append(self._held.take(application, work.from_outside, start))
            _join(path, None)

    def _wait(self, work: "_Work", now: float) -> None:
        """An edit that changes a length waits, if there is another router to know of it."""
        mapping_id = int.from_bytes(work.path.record[12:16], "big")
        if work.grows and self.is_shared(mapping_id):
            work.application.until[work.from_outside] = now + DELAY
            self._unknown.append((work.application, work.from_outside))
            self.newest += 1

    @property
    def waits(self) -> bool:
        """Whether an edit waits for other routers to know of it."""
        return bool(self._unknown)

    def others_know(self, now: float) -> None:
        """Other routers know of all edits: what waits may leave."""
        for application, from_outside in self._unknown:
            application.until[from_outside] = 0.0
        self._unknown.clear()
        self._more += self._delayed.all()
        self._now = now

    def _send(self, work: "_Work", now: float) -> None:
        until, goes = work.application.until[work.from_outside], work.path.goes
        for packet in work.made:
            self._finish(packet, work.path)
        if until <= now:
            self._more += [(goes, bytes(packet)) for packet in work.made]
            return
        self._counters.read_delayed += len(work.made)
        for packet in work.made:
            early = self._delayed.put(until, goes, bytes(packet))
            self._more += [early] if early is not None else []

    def _release(self, now: float) -> bool:
        """Send what waited long enough; whether there was anything."""
        if self._unknown and not any(one.until[side] > now for one, side in self._unknown):
            self._unknown.clear()
        due = self._delayed.due(now)
        self._more += due
        return bool(due)


class _Work:
    """A packet that is read, and what it becomes."""

    __slots__ = ("application", "from_outside", "grows", "made", "path")

    def __init__(self, path: Path, application: Application, from_outside: bool) -> None:
        self.path = path
        self.application = application
        self.from_outside = from_outside
        self.made: list[bytearray] = []
        self.grows = False
        """Whether an edit changed a length."""

    @property
    def numbers(self) -> Numbers:
        """Of its direction."""
        return self.application.numbers(self.from_outside)

    @property
    def held(self) -> dict[int, bytearray]:
        """What waits in its direction."""
        return self.application.held[self.from_outside]


def _join(path: Path, application: Application | None) -> None:
    """Have a flow read, or not any more. An empty :class:`Closing` keeps its packets off the fast path."""
    path.application = path.other.application = application
    closing = path.closing
    if application is not None:
        closing = closing or Closing()
    elif closing is not None and not closing.begun:
        closing = None
    path.closing = path.other.closing = closing


def _begins_anew(path: Path, application: Application, buffer: bytearray, from_outside: bool) -> bool:
    """Whether a SYN begins another connection between the same endpoints."""
    numbers = application.numbers(from_outside)
    known = numbers.next
    if known is None or path.record[STATE] not in (State.TRANSITORY, State.CLOSING):
        return False
    return numbers.of(segment.sequence(buffer)) + 1 != known


def _acknowledge(numbers: Numbers, buffer: bytearray) -> None:
    """Note and translate what a segment says of the other direction."""
    near = numbers.next if numbers.next is not None else numbers.acknowledged
    told = segment.acknowledgement(buffer) if near is None else numbers.told(near)

    def meant(number: int, first: bool) -> int:
        return numbers.meant(unwrap(number, told), first=first)

    acknowledged = unwrap(segment.acknowledgement(buffer), told)
    if abs(acknowledged - told) <= FARTHEST:
        numbers.acknowledge(acknowledged)
    if numbers.changes or numbers.base:
        segment.reacknowledge(buffer, meant)


def _edited(data: bytes, edits: list[Edit]) -> bytes:
    made, at = [], 0
    for start, end, text in edits:
        made += [data[at:start], text]
        at = end
    return b"".join([*made, data[at:]])
