"""One SNAT device (300 in Fig. 3), without I/O: wiring, messages, the next deadline.

Its caller hands it bytes, packets and ``now``, calls :meth:`Device.turn` after every batch of bytes, after
packets when :meth:`Device.heed` says, then drains :meth:`Device.events` (a term is stored before it is
announced), then sends what each link has to say.
"""

import random
from collections.abc import Callable, Collection
from typing import Final

from snat.config.model import Configuration
from snat.counters import as_dict
from snat.device.accounting import PeerAccount
from snat.device.change import peers_of
from snat.device.conditions import Egress
from snat.device.creation import CreationTimes
from snat.device.deferral import Deferral, Edits
from snat.device.events import DeviceEvent, Noted
from snat.device.feeds import feed_of
from snat.device.gateways import missed_of, services_of
from snat.device.links import Neighbor
from snat.device.own_address import inside_address, silent_sides
from snat.device.refused import CommandRefused
from snat.device.snapshot import Snapshot, account, fill
from snat.device.telling import Telling
from snat.device.translation import Pools, limits_of, rules_of, timeouts_of
from snat.nat.entry import (
    COUNTER_BITS,
    FLAGS,
    INCARNATION_BITS,
    LOCAL_NAT_ID,
    NAT_ID,
    Entry,
    Flag,
    entry_number,
)
from snat.nat.own_ports import OwnPorts
from snat.nat.pool import member_slots
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters
from snat.translate.alg.reading import Rewrite
from snat.translate.translator import Translator, Verdict
from snat.translate.watch import Sight
from snat.wire.header import Feed, Position, Term

UNHURRIED: Final = 0.004
"""Seconds that a turn may wait after packets of which nobody waits for the consequences."""
_LOCAL: Final = LOCAL_NAT_ID.to_bytes(4, "big")


class Device(Telling):
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
        self.table = NatTable()
        self.peak_at = now
        """When the table last grew larger than ever before, to a turn."""
        self._peak = 0
        self._hears = frozenset()
        self._creations = CreationTimes()
        self.feed_counters = FeedCounters()
        self._counter = 0
        self._ports = ports
        self._pools: Pools = {}
        self._learnt: dict[str, bytes] | None = None
        self._own_ports = OwnPorts()
        self._egress: Egress | None = None
        self._terms = dict(terms)
        self._neighbors_since = self._next_keepalive = now
        self._alarms = {}
        nat_id = configuration.stateful.nat_id if configuration.stateful else 0
        neighbors = {one: Neighbor(one, name) for one, name in peers_of(configuration).items()}
        slots = member_slots(nat_id, [*neighbors, nat_id])
        noted = [self._fill(snapshot)] if snapshot is not None else []
        self.translator = Translator(
            self.table,
            rules_of(configuration, slots, ports, self._pools),
            timeouts_of(configuration),
            identity=self._identity,
            ttl_step=ttl_step,
            now=now,
            filtering=configuration.nat.filtering,
            limits=limits_of(configuration),
            services=services_of(configuration),
            off=missed_of(configuration),
        )
        self._adapt_to_peers()
        self.translator.own_errors.inside_address = inside_address(configuration)
        self.translator.own_errors.silent = silent_sides(configuration)
        self._deferral, self._edits = Deferral(self.translator), Edits(self.translator.reader)
        self._peers = PeerAccount()
        self._saw = None
        self._choose_translate()
        groups = [self._group(group, owner, nat_id, neighbors, now) for group, owner in self._configured()]
        run = ports.getrandbits(64)
        super().__init__(
            nat_id,
            incarnation,
            run,
            neighbors,
            slots,
            groups,
            self.feed_counters,
            self.translator.flows.hinted,
            now,
        )
        self._events += noted
        if snapshot is not None:
            self._begin_with(snapshot.positions)
        self.translator.flows.manage(0, True, now)
        self.translator.reader.is_shared = self._is_shared

    # An operator's orders

    def clear(self, now: float) -> None:
        """Forget every entry that this device manages, its own local ones included.

        Raises CommandRefused if it manages no group while there are shared entries: those stay.
        """
        self.translator.flows.expire(now)  # so that it dates the quarantine of ports
        self.table.remove(
            [one for one in self.table.records() if one[NAT_ID] == _LOCAL and not one[FLAGS] & Flag.STATIC]
        )
        for group in self.groups:
            group.clear()
        kept = sum(state.digest.count for group in self.groups for state in group.feeds.values())
        if kept and not any(group.manages for group in self.groups):
            raise self._refusal(f"the {kept} shared entries", {group.manager for group in self.groups})

    def forget(self, references: list[bytes], now: float) -> None:
        """Forget entries, given by records or references, as far as this device manages them.

        Raises CommandRefused if there are none, or others manage some: those stay.
        """
        flows = self.translator.flows
        flows.expire(now)  # so that it dates the quarantine of ports
        found = [record for one in references if (record := self.table.current(one)) is not None]
        if not found:
            raise CommandRefused("No such translation: see show ip nat translations")
        found = [one for one in found if not one[FLAGS] & Flag.STATIC]
        if not found:
            raise CommandRefused("A static translation goes with its line: no ip nat ... source static")
        mine = [one for one in found if one[NAT_ID] == _LOCAL or flows.ages(one)]
        self.table.remove(mine)
        if len(mine) < len(found):
            others = [one for one in found if one[NAT_ID] != _LOCAL and not flows.ages(one)]
            managers = {self.manager_of(one) for one in others}
            raise self._refusal(f"{len(found) - len(mine)} of {len(found)} entries", managers)

    def refresh(self, nat_ids: Collection[int], now: float, *, forget: bool) -> None:
        """Ask for a dump of every feed that one of these neighbors manages, perhaps forgetting it first."""
        for group in self.groups:
            if not group.manages and group.manager in nat_ids:
                group.refresh(now, forget=forget)

    def count_anew(self, now: float) -> None:
        """Let the peak of the table begin anew, and the misses of pools and limits."""
        self.table.peak = self._peak = len(self.table)
        self.peak_at = now
        for pool in self._pools.values():
            pool.misses = 0
        self.translator.flows.load.misses = 0

    # Packets

    def packet(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        """Translate one packet in place; see :class:`snat.translate.translator.Translator`."""
        return self._translate(buffer, length, from_outside, now)

    def watch_packets(self, saw: Callable[[Sight], None] | None) -> None:
        """Tell of every packet from now on; None: of none any more, and nothing is asked for each."""
        self._saw = saw
        self._choose_translate()

    def watch_rewrites(self, saw: Callable[[Rewrite], None] | None) -> None:
        """Tell of everything that gateways write otherwise from now on; None: of nothing any more."""
        self.translator.reader.saw = saw

    # Time

    def turn(self, now: float) -> None:
        """What follows from everything that came in: roles, messages, dumps, expiry, keepalives."""
        if self._was_paused(now):
            self._forgive(now)
        self._last_turn = now
        for neighbor in self.neighbors.values():
            for link in neighbor.links():
                link.session.expire(now)
                self._drain(link, now)
        self._apply_inbound(now)
        self._remember(now)
        self.translator.expire(now)
        self._report_collisions()
        self._report_unread()
        for group in self.groups:
            group.turn(now)
            self._events += group.events
            group.events = []
        self._hint()
        self._deferral.turn(self.groups, now)
        self._edits.turn(self.groups, now)
        self._serve()
        if now >= self._next_keepalive or not self._hears_all(now):
            self._next_keepalive = now + self._keepalive
            self._keep_alive(now)

    def is_late(self, now: float) -> bool:
        """Whether this device was paused, and another may have its role: what waits is to be dropped.

        Until the next turn, after which it hears what happened meanwhile.
        """
        return bool(self.groups) and self._was_paused(now)

    def _was_paused(self, now: float) -> bool:
        late = now - self._next_keepalive  # a turn was due then at the latest
        return late > self._keepalive / 2 and now - self._last_turn > self._hold_time / 2

    def heed(self, now: float) -> float:
        """When :meth:`turn` must follow a batch of packets, for which next_deadline() may be too late.

        At once if somebody waits for what they changed; a turn costs as much as some dozen packets.
        """
        if self._edits.are_new or self.is_late(now):
            return now
        deadlines = [at for group in self.groups if (at := group.next_deadline(now)) is not None]
        return min([now + UNHURRIED, *deadlines])

    @property
    def serves(self) -> bool:
        """Whether a neighbor waits for more of what it asked for."""
        links = (neighbor.outgoing for neighbor in self.neighbors.values())
        return any(link is not None and (link.resumed or link.requests or link.dumps) for link in links)

    def next_deadline(self) -> float:
        """When :meth:`turn` must be called next, if nothing happens before."""
        deadlines = [self._next_keepalive, self.translator.next_deadline(), self._deferral.next_deadline()]
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

    def counters(self) -> dict[str, dict[str, int]]:
        """All counters, by subject."""
        return {
            "translate": as_dict(self.translator.counters),
            **{
                f"gateway {name}": dict(sorted(counts.items()))
                for name, counts in sorted(self.translator.reader.counters.items())
            },
            "own_errors": as_dict(self.translator.own_errors.counters),
            "feeds": as_dict(self.feed_counters),
            "deferral": as_dict(self._deferral.counters),
            "links": as_dict(self.link_counters),
            "table": {"entries": len(self.table), "collisions": self.table.collisions},
        }

    def created(self, entry: Entry) -> float | None:
        """When this device made an entry, to a second; None: another device did, or it did in another run."""
        incarnation, counter = divmod(entry.number, 1 << COUNTER_BITS)
        ours = self.incarnation & ((1 << INCARNATION_BITS) - 1)
        if entry.nat_id not in (LOCAL_NAT_ID, self.nat_id) or incarnation != ours:
            return None
        return self._creations.of(counter)

    def manager_of(self, record: bytes) -> int:
        """NAT ID of who manages an entry, as far as known; 0: nobody."""
        feed = feed_of(record, self._group_of)
        return self._group_of[feed].manager if feed is not None else 0

    # Inside

    def _is_shared(self, mapping_id: int) -> bool:
        """Whether another router would take over the entries of a mapping."""
        group = self._group_of.get(Feed(0, mapping_id)) or self._group_of.get(Feed(self.nat_id, mapping_id))
        return group is not None and group.has_company(self._last_turn)

    def _refusal(self, entries: str, managers: set[int]) -> CommandRefused:
        """Why entries are not forgotten here."""
        known = sorted(managers & self.neighbors.keys())
        names = " and ".join(f"{self.neighbors[one].name} (NAT ID {one})" for one in known)
        who = f"are managed by {names}: clear them there" if names else "have no manager now: try later"
        return CommandRefused(f"{entries} {who}")

    def _remember(self, now: float) -> None:
        """What `show` wants to know of the past."""
        self._creations.note(self._counter, now)
        if self.table.peak > self._peak:
            self._peak, self.peak_at = self.table.peak, now

    def _begin_with(self, positions: dict[Feed, Position]) -> None:
        """What the table has now is there, and nobody vouches for it."""
        states = (state for group in self.groups for state in group.feeds.values())
        account(positions, self.table, states)
        for group in self.groups:
            group.begin_with()

    def _fill(self, snapshot: Snapshot) -> Noted:
        mapping_ids = {one for group, _ in self._configured() for one in group.mapping_ids}
        foreign = fill(self.table, snapshot, mapping_ids)
        return Noted(
            "table of {entries} entries loaded from {age} s ago, {expired} expired, "
            "{foreign} of mappings that are not configured",
            {
                "entries": len(self.table),
                "age": snapshot.age,
                "expired": snapshot.expired,
                "foreign": foreign,
            },
            mnemonic="SNAT-5-SNAPSHOT",
        )

    def _identity(self) -> tuple[int, int]:
        """NAT ID and number for a new entry."""
        self._counter += 1
        return self.nat_id, entry_number(self.incarnation, self._counter)
