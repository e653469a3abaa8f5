"""The links of a device: they come up, bring messages, and end; what they bring is applied in slices."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from snat.device.events import DeviceEvent, LinkClosed, Noted
from snat.device.exchange import Exchange, Hinted
from snat.device.group import Group
from snat.device.links import Link, Neighbor, Stage, Watch
from snat.replication.feed import FeedCounters
from snat.session.events import Closed, Established, Received
from snat.session.session import Session
from snat.wire.actions import Authenticate, Capability, Unit, UnitOption
from snat.wire.errors import ErrorCode
from snat.wire.header import MAXIMUM_MESSAGE, Feed

_IPV4_RECORDS: Final = 1
_SLICE: Final = 256 << 10
"""Bytes of messages applied in one turn: 5 000 entries, about 5 ms."""


@dataclass(slots=True)
class LinkCounters:
    """Links of all neighbors together."""

    begun: int = 0
    """Dialled or accepted, whatever became of it."""
    established: int = 0
    closed: int = 0
    """Established or not: an attempt that came to nothing counts too."""
    refused: int = 0
    """Closed for the neighbor's fault."""
    replaced: int = 0
    resyncs: int = 0
    """Neighbors that did not keep up, lost their queue, and were told so."""


class Linking:
    """Neighbors, and the links to them."""

    _watch: Watch | None = None
    """Of whoever debugs; it outlives a change of members."""

    def __init__(
        self,
        nat_id: int,
        incarnation: int,
        run: int,
        neighbors: dict[int, Neighbor],
        slots: Sequence[int],
        groups: list[Group],
        counters: FeedCounters,
        hinted: Hinted,
        now: float,
    ) -> None:
        """``run`` is random: it tells this process from others of the same incarnation."""
        self.incarnation = incarnation
        self.link_counters = LinkCounters()
        self._run = run
        self._group_of: dict[Feed, Group] = {}
        self._take(nat_id, neighbors, slots, groups)
        self._exchange = Exchange(self._group_of, counters, hinted)
        self._events: list[DeviceEvent] = []
        self._last_turn = now

    def dialled(self, nat_id: int, now: float) -> Link:
        """A link that we are about to dial."""
        neighbor = self.neighbors[nat_id]
        link = Link(neighbor, True, self._session(neighbor), self._next_number(), watch=self._watch)
        link.session.dial(now)
        link.seen(Stage.DIALLED)
        self._replace(neighbor.outgoing, now)
        neighbor.outgoing = link
        return link

    def accepted(self, nat_id: int, now: float) -> Link:
        """A link that a neighbor dialled; its certificate said who it is."""
        neighbor = self.neighbors[nat_id]
        link = Link(neighbor, False, self._session(neighbor), self._next_number(), watch=self._watch)
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

    def watch_messages(self, watch: Watch | None) -> None:
        """Tell of every message from now on; None: of none any more."""
        self._watch = watch
        for neighbor in self.neighbors.values():
            for link in neighbor.links():
                link.watch = watch

    def stop(self, now: float) -> None:
        """End all links in good order: everything that was changed is said before."""
        for group in self.groups:
            group.leave()
        for neighbor in self.neighbors.values():
            for link in neighbor.links():
                link.session.stop()
                self._drain(link, now)

    def has_company(self) -> bool:
        """Whether there is a link to anybody."""
        return any(link.established for one in self.neighbors.values() for link in one.links())

    def drop(self, nat_ids: Collection[int], now: float) -> None:
        """Close the links to these neighbors that are established; whoever dialled dials anew."""
        for nat_id in nat_ids:
            for link in self.neighbors[nat_id].links():
                if link.established:
                    link.session.stop("an operator closed it", ErrorCode.REPLACED)
                    self._drain(link, now)

    def renew(self, incarnation: int, now: float) -> None:
        """Go on under another incarnation: a neighbor knew the one we had from another run."""
        self.incarnation = incarnation
        for neighbor in self.neighbors.values():
            for link in neighbor.links():
                link.session.stop("it takes another incarnation", ErrorCode.REPLACED)
                self._drain(link, now)

    # Inside

    def _next_number(self) -> int:
        self.link_counters.begun += 1
        return self.link_counters.begun

    def _take(
        self, nat_id: int, neighbors: dict[int, Neighbor], slots: Sequence[int], groups: list[Group]
    ) -> None:
        """Who this device is, and with whom. Sessions that go on are judged by the present hold time."""
        self.nat_id = nat_id
        self.neighbors = neighbors
        self.slots = slots
        self.groups = groups
        for group in groups:
            block = [one for one in groups if one.configuration is group.configuration]
            group.others = [one for one in block if one is not group] if group.is_own else []
        self._group_of.clear()  # it is known elsewhere
        self._group_of.update({feed: group for group in groups for feed in group.feeds})
        self._keepalive = min((group.configuration.keepalive for group in groups), default=1.0)
        self._hold_time = min((group.configuration.hold_time for group in groups), default=3.0)
        for neighbor in neighbors.values():
            for link in neighbor.links():
                link.session.hold_time = self._hold_time

    def _hear_out(self, neighbor: Neighbor, now: float) -> None:
        """What came by now belongs to the configuration that there is now."""
        for link in neighbor.links():
            self._apply_rest(link, now)
            self._drain(link, now)

    def _part(self, neighbor: Neighbor, reason: str, code: ErrorCode, now: float) -> None:
        """Close the links to a neighbor, in whatever state they are."""
        for link in neighbor.links():
            link.session.stop(reason, code)
            self._drain(link, now)

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
                        link.seen(Stage.READ, event.message)
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

    def _forgive(self, now: float) -> None:
        """This device was paused: nobody else's silence is to be judged by it."""
        for neighbor in self.neighbors.values():
            if neighbor.heard is not None:
                neighbor.heard = now
            for link in neighbor.links():
                link.session.forgive(now)
        silence = {"seconds": now - self._last_turn}
        self._events.append(Noted("paused for {seconds:.1f} s", silence, mnemonic="SNAT-4-PAUSED"))

    def _note(self, text: str, link: Link, *, alarm: bool = False, **fields: object) -> None:
        direction = "out" if link.outgoing else "in"
        fields = {"neighbor": link.neighbor.name, "direction": direction, **fields}
        self._events.append(Noted(text, fields, alarm, repeats=True, mnemonic="SNAT-5-PEER"))
