"""One SNAT device (300 in Fig. 3), without I/O: wiring, messages, the next deadline.

Its caller hands it bytes, packets and ``now``, calls :meth:`Device.turn` after every batch of them, then
drains :meth:`Device.events` (a term is stored before it is announced), then sends what each link has to say.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from snat.config.model import Configuration
from snat.counters import as_dict
from snat.device.alarms import Alarm, alarms
from snat.device.digest import configuration_digest
from snat.device.events import DeviceEvent, LinkClosed, Noted
from snat.device.exchange import Exchange
from snat.device.group import Group
from snat.device.links import Link, Neighbor
from snat.device.refused import CommandRefused
from snat.device.serving import serve
from snat.device.snapshot import Snapshot, account, fill
from snat.device.translation import Pools, rules_of, timeouts_of
from snat.nat.entry import LOCAL_NAT_ID, MAPPING, NAT_ID, entry_number
from snat.nat.pool import member_slots
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters
from snat.session.events import Closed, Established, Received
from snat.session.session import Session
from snat.translate.translator import Translator, Verdict
from snat.wire import items
from snat.wire.actions import Authenticate, Capability, Unit, UnitOption
from snat.wire.errors import ErrorCode
from snat.wire.header import MAXIMUM_MESSAGE, Feed, Position, Term, encode

_IPV4_RECORDS: Final = 1
_LOCAL: Final = LOCAL_NAT_ID.to_bytes(4, "big")
_SLICE: Final = 256 << 10
"""Bytes of messages applied in one turn: 5 000 entries, about 5 ms."""


@dataclass(slots=True)
class LinkCounters:
    """Links of all neighbors together."""

    established: int = 0
    closed: int = 0
    """Established or not: an attempt that came to nothing counts too."""
    refused: int = 0
    """Closed for the neighbor's fault."""
    replaced: int = 0
    resyncs: int = 0
    """Neighbors that did not keep up, lost their queue, and were told so."""


class Device:
    """A router's mind: the table, the translator, the groups and the links."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        incarnation: int,
        terms: dict[Feed, Term],
        ports: random.Random,
        ttl_step: int,
        now: float,
        snapshot: Snapshot | None = None,
    ) -> None:
        """A ``snapshot`` counts only where nobody better is there: the device is unsynchronised still."""
        self.configuration = configuration
        self.incarnation = incarnation
        self._run = ports.getrandbits(64)
        self.nat_id = configuration.stateful.nat_id if configuration.stateful else 0
        self.table = NatTable()
        self.feed_counters = FeedCounters()
        self.link_counters = LinkCounters()
        self.neighbors: dict[int, Neighbor] = {}
        self._counter = 0
        self._ports = ports
        self._pools: Pools = {}
        self._events: list[DeviceEvent] = []
        self._started = self._last_turn = now
        self._alarms: dict[Alarm, str] = {}
        groups = configuration.stateful.groups if configuration.stateful else ()
        for group in groups:
            for peer in group.peers:
                self.neighbors.setdefault(peer.nat_id, Neighbor(peer.nat_id, peer.name))
        if snapshot is not None:
            self._fill(snapshot)
        self.slots = member_slots(self.nat_id, [*self.neighbors, self.nat_id])
        self.translator = Translator(
            self.table,
            rules_of(configuration, self.slots, ports, self._pools),
            timeouts_of(configuration),
            identity=self._identity,
            ttl_step=ttl_step,
            now=now,
        )
        self.groups = [
            Group(
                group,
                {one: configuration_digest(configuration, one) for one in group.mapping_ids},
                self.nat_id,
                [self.neighbors[peer.nat_id] for peer in group.peers],
                self.table,
                self.feed_counters,
                terms,
                self.translator.flows.manage,
                self.translator.flows.adopt,
                self.translator.flows.restrain,
                now,
            )
            for group in groups
            if group.mapping_ids
        ]
        if snapshot is not None:
            account(snapshot, self.table, (state for group in self.groups for state in group.feeds.values()))
            for one in self.groups:
                one.begin_with()
        self.translator.flows.manage(0, True, now)
        self._group_of = {feed: group for group in self.groups for feed in group.feeds}
        self._exchange = Exchange(self._group_of, self.feed_counters)
        self._keepalive = min((group.keepalive for group in groups), default=1.0)
        self._hold_time = min((group.hold_time for group in groups), default=3.0)
        self._next_keepalive = now

    def configure(self, configuration: Configuration) -> None:
        """Take other rules, pools, lists and time-outs; entries that exist stay."""
        self.configuration = configuration
        self.translator.configure(
            rules_of(configuration, self.slots, self._ports, self._pools), timeouts_of(configuration)
        )
        for group in self.groups:
            group.configuration_digests = {
                feed: configuration_digest(configuration, feed.mapping_id) for feed in group.feeds
            }

    # Links

    def dialled(self, nat_id: int, now: float) -> Link:
        """A link that we are about to dial."""
        neighbor = self.neighbors[nat_id]
        link = Link(neighbor, True, self._session(neighbor))
        link.session.dial(now)
        self._replace(neighbor.outgoing, now)
        neighbor.outgoing = link
        return link

    def accepted(self, nat_id: int, now: float) -> Link:
        """A link that a neighbor dialled; its certificate said who it is."""
        neighbor = self.neighbors[nat_id]
        link = Link(neighbor, False, self._session(neighbor))
        self._replace(neighbor.incoming, now)
        neighbor.incoming = link
        return link

    def opened(self, link: Link, now: float) -> None:
        """The link's transport is up, and its certificate is the neighbor's."""
        link.session.open(now)

    def received(self, link: Link, data: bytes, now: float) -> None:
        """Bytes off a link."""
        link.neighbor.heard = now
        link.session.receive_data(data, now)
        self._drain(link, now)

    def lost(self, link: Link, reason: str, now: float) -> None:
        """The link's transport ended."""
        link.session.lost(reason)
        self._drain(link, now)

    def stop(self, now: float) -> None:
        """End all links in good order: everything that was changed is said before."""
        for group in self.groups:
            group.leave()
        for neighbor in self.neighbors.values():
            for link in neighbor.links():
                link.session.stop()
                self._drain(link, now)

    # An operator's orders

    def clear(self, now: float) -> None:
        """Forget every entry that this device manages, its own local ones included.

        Raises CommandRefused if it manages no group while there are shared entries: those stay.
        """
        self.translator.flows.expire(now)  # so that it dates the quarantine of ports
        self.table.remove([one for one in self.table.records() if one[NAT_ID] == _LOCAL])
        for group in self.groups:
            group.clear()
        kept = sum(state.digest.count for group in self.groups for state in group.feeds.values())
        if kept and not any(group.manages for group in self.groups):
            managers = {group.manager for group in self.groups} & self.neighbors.keys()
            names = " and ".join(f"{self.neighbors[one].name} (NAT ID {one})" for one in sorted(managers))
            who = f"are managed by {names}: clear them there" if names else "have no manager now: try later"
            raise CommandRefused(f"the {kept} shared entries {who}")

    def drop(self, nat_ids: Collection[int], now: float) -> None:
        """Close the links to these neighbors that are established; whoever dialled dials anew."""
        for nat_id in nat_ids:
            for link in self.neighbors[nat_id].links():
                if link.established:
                    link.session.stop("an operator closed it", ErrorCode.REPLACED)
                    self._drain(link, now)

    def refresh(self, nat_ids: Collection[int], now: float, *, forget: bool) -> None:
        """Ask for a dump of every feed that one of these neighbors manages, perhaps forgetting it first."""
        for group in self.groups:
            if not group.manages and group.manager in nat_ids:
                group.refresh(now, forget=forget)

    def renew(self, incarnation: int, now: float) -> None:
        """Go on under another incarnation: a neighbor knew the one we had from another run."""
        self.incarnation = incarnation
        for neighbor in self.neighbors.values():
            for link in neighbor.links():
                link.session.stop("it takes another incarnation", ErrorCode.REPLACED)
                self._drain(link, now)

    # Packets

    def packet(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        """Translate one packet in place; see :class:`snat.translate.translator.Translator`."""
        return self.translator.translate(buffer, length, from_outside, now)

    # Time

    def turn(self, now: float) -> None:
        """What follows from everything that came in: roles, messages, dumps, expiry, keepalives."""
        late = now - self._next_keepalive  # a turn was due then at the latest
        if late > self._keepalive / 2 and now - self._last_turn > self._hold_time / 2:
            self._forgive(now)
        self._last_turn = now
        for neighbor in self.neighbors.values():
            for link in neighbor.links():
                link.session.expire(now)
                self._drain(link, now)
        self._apply_inbound(now)
        self.translator.flows.expire(now)
        self._report_collisions()
        for group in self.groups:
            group.turn(now)
            self._events += group.events
            group.events = []
        self._serve()
        if now >= self._next_keepalive:
            self._next_keepalive = now + self._keepalive
            self._keep_alive(now)

    def next_deadline(self) -> float:
        """When :meth:`turn` must be called next, if nothing happens before."""
        deadlines = [self._next_keepalive, self.translator.flows.next_deadline()]
        deadlines += [at for group in self.groups if (at := group.next_deadline(self._last_turn)) is not None]
        links = [link for neighbor in self.neighbors.values() for link in neighbor.links()]
        deadlines += [at for link in links if (at := link.session.next_deadline()) is not None]
        deadlines += [self._last_turn for link in links if link.inbound]
        return min(deadlines)

    def events(self) -> list[DeviceEvent]:
        """What the world must do; to be drained, and terms stored, before anything is sent."""
        drained, self._events = self._events + self._exchange.events, []
        self._exchange.events = []
        return drained

    def positions(self) -> dict[Feed, Position]:
        """Of each feed, the position at which the table was last proved whole: now, or before this run."""
        return {
            feed: state.position if group.manages or group.receivers[feed].synchronised else state.kept
            for group in self.groups
            for feed, state in group.feeds.items()
        }

    def counters(self) -> dict[str, dict[str, int]]:
        """All counters, by subject."""
        return {
            "translate": as_dict(self.translator.counters),
            "feeds": as_dict(self.feed_counters),
            "links": as_dict(self.link_counters),
            "table": {"entries": len(self.table), "collisions": self.table.collisions},
        }

    # Inside

    def _fill(self, snapshot: Snapshot) -> None:
        stateful = self.configuration.stateful
        mapping_ids = {one for group in stateful.groups for one in group.mapping_ids} if stateful else set()
        foreign = fill(self.table, snapshot, mapping_ids)
        self._events.append(
            Noted(
                "table of {entries} entries loaded from {age} s ago, {expired} expired, "
                "{foreign} of mappings that are not configured",
                {
                    "entries": len(self.table),
                    "age": snapshot.age,
                    "expired": snapshot.expired,
                    "foreign": foreign,
                },
            )
        )

    def _identity(self) -> tuple[int, int]:
        """NAT ID and number for a new entry."""
        self._counter += 1
        return self.nat_id, entry_number(self.incarnation, self._counter)

    def _session(self, neighbor: Neighbor) -> Session:
        hello = Authenticate(
            nat_id=self.nat_id,
            incarnation=self.incarnation,
            run=self._run,
            keepalive=round(self._keepalive * 1000),
            maximum_message=MAXIMUM_MESSAGE,
            capabilities=Capability.RESUME,
            record_formats=_IPV4_RECORDS,
        )
        units = [
            Unit(
                feed,
                group.vouched(feed),
                group.role,
                group.standing,
                sum(1 << slot for slot in self.slots),
                group.configuration_digests[feed],
                UnitOption.PERIODIC if group.configuration.pull_interval else 0,
            )
            for group in self.groups
            if neighbor in group.neighbors
            for feed in group.feeds
        ]
        return Session(local=hello, units=units, neighbor_nat_id=neighbor.nat_id, hold_time=self._hold_time)

    def _replace(self, older: Link | None, now: float) -> None:
        """A newer link from the same identity takes the older one's place."""
        if older is not None:
            self.link_counters.replaced += 1
            older.session.stop("a newer link took its place", ErrorCode.REPLACED)
            self._drain(older, now)

    def _drain(self, link: Link, now: float) -> None:
        while events := link.session.events():
            for event in events:
                match event:
                    case Established():
                        self._established(link, event, now)
                    case Received() if not link.deaf:
                        link.inbound.put(event.message)
                    case Closed():
                        self._apply_rest(link, now)
                        self._closed(link, event)

    def _established(self, link: Link, event: Established, now: float) -> None:
        neighbor = link.neighbor
        reused = neighbor.reuses(event.hello)
        if reused:
            link.deaf = True
            link.session.refuse(ErrorCode.INCARNATION, reused)
            return
        neighbor.present(event.hello, [unit for unit in event.units if unit.feed in self._group_of])
        neighbor.heard = now
        self.link_counters.established += 1
        self._note("link to {neighbor} ({direction}) established", link)
        for group in self.groups:
            if neighbor in group.neighbors:
                group.announce()

    def _closed(self, link: Link, event: Closed) -> None:
        neighbor = link.neighbor
        self.link_counters.closed += 1
        self.link_counters.refused += not event.orderly and event.code is not ErrorCode.STOPPED
        neighbor.refusal = "" if event.orderly else event.reason
        link.orderly = event.orderly
        self._note(
            "link to {neighbor} ({direction}) closed: {reason}",
            link,
            alarm=not event.orderly,
            reason=event.reason,
        )
        self._events.append(LinkClosed(link))
        link.dumps.clear()
        link.requests.clear()
        if neighbor.outgoing is link:
            neighbor.outgoing = None
        elif neighbor.incoming is link:
            neighbor.incoming = None
            for group in self.groups:
                group.interrupted(neighbor)

    def _apply_inbound(self, now: float) -> None:
        """Apply what came in, a slice of it: keepalives and packets do not wait for a neighbor's flood."""
        waiting = [link for one in self.neighbors.values() for link in one.links() if link.inbound]
        room = _SLICE
        while waiting and room > 0:
            for link in waiting:
                room -= link.inbound.size
                self._exchange.receive(link, link.inbound.take(), now)
                room += link.inbound.size
                self._drain(link, now)
            waiting = [link for link in waiting if link.inbound]

    def _apply_rest(self, link: Link, now: float) -> None:
        """What came before the end of a link counts."""
        while link.inbound:
            self._exchange.receive(link, link.inbound.take(), now)

    def _report_collisions(self) -> None:
        """The NAT process found entries of different devices for one key."""
        for record in self.table.collided:
            feed = Feed(0, int.from_bytes(record[MAPPING], "big"))
            if feed in self._group_of:
                self._group_of[feed].report(feed, record)
        self.table.collided.clear()

    def _serve(self) -> None:
        """What neighbors asked for, as long as their queues are short."""
        for neighbor in self.neighbors.values():
            link = neighbor.outgoing
            if link is None:
                continue
            if link.resumed:
                link.resumed = False
                self.link_counters.resyncs += 1
                link.dumps.clear()
                for group in self.groups:
                    group.announce()  # the member sees the gap and asks
            if link.requests or link.dumps:
                for group in self.groups:
                    group.compile()
                serve(link, self._group_of, self.table, self.feed_counters)

    def _keep_alive(self, now: float) -> None:
        for neighbor in self.neighbors.values():
            applied = [one for group in self.groups if neighbor in group.neighbors for one in group.applied()]
            message = encode(items.keepalive(applied))
            for link in neighbor.links():
                link.put(message)
        for group in self.groups:
            group.announce()
            for sender in group.senders.values():
                sender.sample(now)
        self._raise_alarms(now)

    def _raise_alarms(self, now: float) -> None:
        """Into the log, when they begin and when they end."""
        if now - self._started < self._hold_time:
            return
        present = {alarm: text for group in self.groups for alarm, text in alarms(group, now).items()}
        for alarm, text in present.items():
            if alarm not in self._alarms:
                self._events.append(Noted("alarm: {alarm}", {"alarm": text}, alarm=True))
        for alarm, text in self._alarms.items():
            if alarm not in present:
                self._events.append(Noted("alarm over: {alarm}", {"alarm": text}))
        self._alarms = present

    def _forgive(self, now: float) -> None:
        """This device was paused: nobody else's silence is to be judged by it."""
        for neighbor in self.neighbors.values():
            if neighbor.heard is not None:
                neighbor.heard = now
            for link in neighbor.links():
                link.session.forgive(now)
        self._events.append(Noted("paused for {seconds:.1f} s", {"seconds": now - self._last_turn}))

    def _note(self, text: str, link: Link, *, alarm: bool = False, **fields: object) -> None:
        direction = "out" if link.outgoing else "in"
        self._events.append(
            Noted(
                text, {"neighbor": link.neighbor.name, "direction": direction, **fields}, alarm, repeats=True
            )
        )
