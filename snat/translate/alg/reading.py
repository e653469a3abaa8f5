"""Gateways at work: which flows are read, what passes of them, and what other routers learn.

What is in order passes at once. A segment that came too early waits, within bounds; one that was edited
before is edited the same way. An edit that changes a length leaves when other routers know of it, or after 20
ms: a router that took over without knowing would number everything behind it wrongly.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from snat.nat.entry import PLAIN_SIZE, STATE, State, context_of, with_context
from snat.nat.tracking import ACK, FIN, RST, SYN, TCP, Closing
from snat.translate.alg import segment
from snat.translate.alg.application import (
    MOST_HELD,
    MOST_HELD_BYTES,
    Application,
    conversation_of,
    is_outdated,
    is_silent,
)
from snat.translate.alg.context import Expected, Read, decode
from snat.translate.alg.doors import FlowDoors
from snat.translate.alg.gateway import Edit, Gateway
from snat.translate.alg.pptp import Pptp
from snat.translate.alg.sequence import Numbers, unwrap
from snat.translate.flow_cache import Path
from snat.translate.flows import Flows
from snat.translate.packet import START, TCP_FLAGS, TRANSPORT, Verdict

DELAY: Final = 0.02
"""Seconds that other routers get to learn of an edit (design section 9)."""
HELD_FOR: Final = 2.0
"""Seconds that a segment waits for one before it; its sender repeats both meanwhile."""
MOST_HELD_IN_ALL: Final = 4 << 20
"""Bytes of segments that wait, of all flows."""
MOST_DELAYED: Final = 1024
"""Packets that wait for other routers; when there are more the first goes."""
FARTHEST: Final = 1 << 21
"""Bytes ahead of what was read that a sender may be; a segment still farther away is no part of it."""
_NEVER_CALL: Final = frozenset({"ftp", "tftp", "dns", "irc", "pptp"})
"""Gateways that never announce whom an inside host will call; where there are no others, nobody is asked."""
_LONGEST: Final = 65535 - 60
"""Bytes of payload that a segment never exceeds."""


class Service(NamedTuple):
    """A gateway at a port."""

    gateway: type[Gateway]
    reads: Callable[[bytes], bool] | None = None
    """Which inside hosts' flows; None: all."""


Services = Mapping[int, Mapping[bytes, Service]]
"""By protocol and port (2 bytes)."""


class Rewrite(NamedTuple):
    """What a gateway wrote otherwise, for who debugs."""

    name: str
    record: bytes
    from_outside: bool
    before: bytes
    after: bytes


class _Delayed(NamedTuple):
    at: float
    goes: Verdict
    packet: bytes


class _Held(NamedTuple):
    until: float
    application: Application
    from_outside: bool
    packet: bytearray
    start: int


class Reader:
    """The gateways of a translator."""

    def __init__(
        self,
        flows: Flows,
        gateways: Mapping[str, type[Gateway]],
        finish: Callable[[bytearray, Path], None],
        more: list[tuple[Verdict, bytes]],
    ) -> None:
        """``gateways``: all that there are, by name; a flow that was read elsewhere may have any of them.

        ``finish`` translates the addresses of a packet; ``more`` is for packets that are to be sent.
        """
        self._finish = finish
        self._more = more
        self.counters: dict[str, Counter[str]] = {}
        """Of messages, edits and refusals, by gateway."""
        self.is_shared: Callable[[int], bool] = lambda _mapping_id: False
        """Whether another router stands by for a mapping."""
        self.saw: Callable[[Rewrite], None] | None = None
        self._flows = flows
        self._counters = flows.counters
        self._gateways = gateways
        self.by_call_id = False
        """GRE packets of PPTP are told apart by call IDs (:mod:`snat.translate.gre`): its gateway is on."""
        self.services: Services = {}
        """Which gateways read at which ports."""
        self.ports: dict[int, frozenset[bytes]] = {}
        """By protocol: at which ports :meth:`begin` is of use."""
        self.calls = False
        """Whether a gateway might have said whom inside hosts will call: then it always is."""
        self._told: set[str] = set()
        self._off: dict[tuple[int, bytes], str] = {}
        self.unread: list[str] = []
        """Gateways that are off and would have something to read; each is told once, and cleared then."""
        self._delayed: list[_Delayed] = []
        self._held: deque[_Held] = deque()
        self._held_bytes = 0
        self._now = 0.0

    def use(self, services: Services, off: Mapping[tuple[int, bytes], str] | None = None) -> None:
        """Read the flows at these ports that begin from now on.

        ``off``: by protocol and port, the gateways that are off, and whose absence is to be told.
        """
        self.services = services
        named = {one.gateway.name for ports in services.values() for one in ports.values()}
        self.by_call_id = Pptp.name in named
        self.calls = bool(named - _NEVER_CALL)
        self._off = dict(off or {})
        found: dict[int, set[bytes]] = {protocol: set(ports) for protocol, ports in services.items()}
        for protocol, port in self._off:
            found.setdefault(protocol, set()).add(port)
        self.ports = {protocol: frozenset(ports) for protocol, ports in found.items()}

    def is_read(self, protocol: int, ports: bytes) -> bool:
        """Whether a flow with these ports, source first, would be read: its datagrams are wanted whole."""
        services = self.services.get(protocol)
        return services is not None and (ports[2:] in services or ports[:2] in services)

    # Flows

    def begin(self, path: Path, from_outside: bool, now: float) -> None:
        """A flow has begun: perhaps it is to be read. ``path`` is that of its first packet."""
        protocol = path.record[22]
        services = self.services.get(protocol)
        gateway = None
        if services is not None:
            service = services.get(path.tuple[10:12]) or services.get(path.target[10:12])
            if service is not None and (service.reads is None or service.reads(path.record[16:20])):
                gateway = service.gateway
        if gateway is None and (self.calls or self._flows.follows):
            gateway = self._expected(path, protocol, from_outside)
        if gateway is None and self._off:
            self._miss(protocol, path.tuple[10:12])
        if gateway is not None and self._may_read(path.record):
            self._now = now
            self._attach(path, gateway, begun_inside=not from_outside)

    def _miss(self, protocol: int, port: bytes) -> None:
        """A gateway that is off would have read a flow: told once."""
        name = self._off.pop((protocol, port), None)
        if name is not None and name not in self._told:
            self._told.add(name)
            self.unread.append(name)

    def _expected(self, path: Path, protocol: int, from_outside: bool) -> type[Gateway] | None:
        """What reads a flow that was announced."""
        flows = self._flows
        if not from_outside:
            record = flows.expected_to(path.record[16:20], protocol, path.record[29:35])
            if record is not None:
                flows.came(record)
        follows, flows.follows = flows.follows, ""
        return self._gateways.get(follows)

    def _may_read(self, record: bytes) -> bool:
        """Whether no static rule says ``no-payload``."""
        statics = self._flows.rules.statics
        rule = next(statics.of_local(record[16:22], record[22]), None) if statics else None
        return rule is None or not rule.no_payload

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
        while self._held and self._held[0].until <= now:
            self._evict()

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        held = self._held[0].until if self._held else float("inf")
        return min(min((one.at for one in self._delayed), default=float("inf")), held)

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
        held, size = work.held, START + segment.total_of(packet)
        waiting = sum(map(len, held.values()))
        if start - (work.numbers.next or 0) > FARTHEST:
            self._counters.read_beyond += 1
        elif start in held or len(held) >= MOST_HELD or waiting + size > MOST_HELD_BYTES:
            self._counters.read_crowded += 1
        else:
            while self._held_bytes + size > MOST_HELD_IN_ALL:
                self._evict()
            held[start] = bytearray(packet[:size])
            self._held_bytes += size
            self._held.append(
                _Held(self._now + HELD_FOR, work.application, work.from_outside, held[start], start)
            )
            self._counters.read_held += 1

    def _follow(self, work: "_Work") -> None:
        """What waited for a segment that has come."""
        held = work.held
        while held and work.numbers.next is not None:
            start = min(held)
            if start > work.numbers.next and work.application.reads:
                return
            packet = held.pop(start)
            self._held_bytes -= len(packet)
            self._counters.read_released += 1
            self._segment(work, packet)

    def _evict(self) -> None:
        one = self._held.popleft()
        held = one.application.held[one.from_outside]
        if held.get(one.start) is one.packet:
            del held[one.start]
            self._held_bytes -= len(one.packet)
            self._counters.read_evicted += 1

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
            for packet in (packet for held in application.held for packet in held.values()):
                self._held_bytes -= len(packet)
                work.made.append(packet)
            _join(path, None)

    def _wait(self, work: "_Work", now: float) -> None:
        """An edit that changes a length waits, if there is another router to know of it."""
        mapping_id = int.from_bytes(work.path.record[12:16], "big")
        if work.grows and self.is_shared(mapping_id):
            work.application.until[work.from_outside] = now + DELAY

    def _send(self, work: "_Work", now: float) -> None:
        until, goes = work.application.until[work.from_outside], work.path.goes
        for packet in work.made:
            self._finish(packet, work.path)
        if until <= now:
            self._more += [(goes, bytes(packet)) for packet in work.made]
            return
        self._delayed += [_Delayed(until, goes, bytes(packet)) for packet in work.made]
        self._counters.read_delayed += len(work.made)
        while len(self._delayed) > MOST_DELAYED:
            self._more.append(self._delayed.pop(0)[1:])

    def _release(self, now: float) -> bool:
        """Send what waited long enough; whether there was anything."""
        if not self._delayed:
            return False
        due = [one for one in self._delayed if one.at <= now]
        if due:
            self._delayed = [one for one in self._delayed if one.at > now]
            self._more += [(one.goes, one.packet) for one in due]
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
