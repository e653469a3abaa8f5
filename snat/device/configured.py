"""A device takes another configuration while it runs: groups go on, begin and end (doc/design.md)."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from snat.config.model import Configuration
from snat.config.model import Group as GroupConfiguration
from snat.device.change import Change, owners_of, peers_of
from snat.device.conditions import Egress
from snat.device.deferral import Deferral, Translate
from snat.device.digest import configuration_digest
from snat.device.gateways import missed_of, services_of
from snat.device.group import Group
from snat.device.linking import Linking
from snat.device.links import Neighbor
from snat.device.own_address import inside_address, silent_sides
from snat.device.snapshot import account
from snat.device.translation import Pools, limits_of, retain_of, rules_of, timeouts_of, waits_for_peers
from snat.nat.own_ports import OwnPorts
from snat.nat.pool import member_slots
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.translate.translator import Translator
from snat.translate.watch import Sight, WatchedTranslator
from snat.wire.errors import ErrorCode
from snat.wire.header import NO_TERM, Feed, Position, Term


class Configured(Linking):
    """What of a device follows from its configuration."""

    configuration: Configuration
    table: NatTable
    translator: Translator
    feed_counters: FeedCounters
    _ports: random.Random
    _pools: Pools
    _learnt: dict[str, bytes] | None
    """Addresses of outside interfaces, as they are and not as they are configured; None: nobody told."""
    _own_ports: OwnPorts
    _egress: Egress | None
    """What the router uses at them itself."""
    _terms: dict[Feed, Term]
    """The highest of every feed that there was, but for those that have a state now."""
    _deferral: Deferral
    _saw: Callable[[Sight], None] | None
    """Who is told of every packet."""
    _translate: Translate
    _neighbors_since: float
    """Since when the neighbors are these, and have what they have now in common with us."""
    _next_keepalive: float

    def configure(self, configuration: Configuration, now: float) -> None:
        """Become what another configuration says, which is verified; the same one again changes nothing.

        Groups that keep a mapping ID go on, in the standing that they have. Sessions begin anew where their
        *authenticate* would say something else, or the neighbor is found elsewhere. Entries stay, those of
        mappings apart that no group shares any more.
        """
        change = Change(before=self.configuration, after=configuration)
        concerned = change.concerned()
        for nat_id in concerned & self.neighbors.keys():
            self._hear_out(self.neighbors[nat_id], now)
        positions = self.positions()
        kept = self._leave_groups(change, now)
        nat_id = configuration.stateful.nat_id if configuration.stateful else 0
        neighbors = self._rename(concerned, nat_id, peers_of(configuration), now)
        for feed in change.forgotten():
            self.translator.flows.forget(feed.mapping_id, now, owner=feed.process_id)
        self.configuration = configuration
        slots = member_slots(nat_id, [*neighbors, nat_id])
        self._configure_translator(slots)
        self.translator.own_errors.inside_address = inside_address(configuration)
        self.translator.own_errors.silent = silent_sides(configuration)
        groups = [
            self._go_on(kept[group, owner], group, neighbors, positions, now)
            if (group, owner) in kept
            else self._begin(group, owner, nat_id, neighbors, positions, now)
            for group, owner in self._configured()
        ]
        self._take(nat_id, neighbors, slots, groups)
        self._choose_translate()
        self._next_keepalive = min(self._next_keepalive, now + self._keepalive)
        if concerned:
            self._neighbors_since = now

    def positions(self) -> dict[Feed, Position]:
        """Of each feed, the position at which the table was whole last: now, or before this run."""
        return {feed: group.vouched(feed) for group in self.groups for feed in group.feeds}

    def readdress(self, addresses: Mapping[str, bytes], own_ports: OwnPorts | None = None) -> None:
        """Outside interfaces have these addresses, 4 bytes each, whatever the configuration says.

        One that is not named has none. ``own_ports``: those that the router uses there itself. Rules of an
        interface follow at once; flows keep the address and the port that they have.
        """
        own_ports = own_ports or OwnPorts()
        if (addresses, own_ports) != (self._learnt, self._own_ports):
            self._learnt, self._own_ports = dict(addresses), own_ports
            self._configure_translator(self.slots)

    def route_by(self, egress: Egress) -> None:
        """By which outside interface packets leave, is asked here from now on (``match interface``)."""
        self._egress = egress
        self._configure_translator(self.slots)

    # Inside

    def stop(self, now: float) -> None:
        """As :meth:`Linking.stop`. Flows that exist are translated on; one that opened, nobody would know."""
        super().stop(now)
        self.translator.flows.closed = True

    def _configure_translator(self, slots: Sequence[int]) -> None:
        known = self._learnt, self._own_ports, self._egress
        rules = rules_of(self.configuration, slots, self._ports, self._pools, *known)
        self._adapt_to_peers()
        nat = self.configuration.nat
        self.translator.configure(
            rules,
            timeouts_of(self.configuration),
            nat.filtering,
            limits_of(self.configuration),
            services_of(self.configuration),
            missed_of(self.configuration),
        )

    def _adapt_to_peers(self) -> None:
        """What of the translator depends on who else translates."""
        self.translator.flows.hints.retain = retain_of(self.configuration)
        self.translator.early.open = waits_for_peers(self.configuration)

    def _choose_translate(self) -> None:
        """What packets go through: the translator, and who watches it or holds its packets back, if asked."""
        watched = None if self._saw is None else WatchedTranslator(self.translator, self._saw)
        self._translate = (watched or self.translator).translate
        if any(group.defer for group in self.configuration.groups):
            self._translate = partial(self._deferral.translate, self._translate)

    def _configured(self) -> list[tuple[GroupConfiguration, int]]:
        """The groups that share something; each block of peers once for every owner."""
        return [
            (group, owner)
            for group in self.configuration.groups
            if group.mapping_ids
            for owner in owners_of(self.configuration, group)
        ]

    def _group(
        self, group: GroupConfiguration, owner: int, nat_id: int, neighbors: dict[int, Neighbor], now: float
    ) -> Group:
        return Group(
            group,
            self._digests(group),
            nat_id,
            [neighbors[peer.nat_id] for peer in group.peers],
            self.table,
            self.feed_counters,
            self._terms,
            self.translator.flows,
            now,
            owner=owner,
        )

    def _digests(self, group: GroupConfiguration) -> dict[int, int]:
        return {one: configuration_digest(self.configuration, one) for one in group.mapping_ids}

    def _leave_groups(self, change: Change, now: float) -> dict[tuple[GroupConfiguration, int], Group]:
        """End groups, and feeds of others; those that go on, by what they become and their owner."""
        goes_on = change.goes_on()
        kept: dict[tuple[GroupConfiguration, int], Group] = {}
        for group in self.groups:
            becomes = goes_on.get(group.configuration)
            if becomes is not None and group.owner not in owners_of(change.after, becomes):
                becomes = None
            left = [
                feed for feed in group.feeds if becomes is None or feed.mapping_id not in becomes.mapping_ids
            ]
            self._terms |= {feed: group.feeds[feed].highest for feed in left}
            if becomes is None:
                group.end(now)
            else:
                kept[becomes, group.owner] = group
                group.drop(left, now)
            self._events += group.events  # before any of the links ends
            group.events = []
        return kept

    def _rename(
        self, concerned: set[int], nat_id: int, names: dict[int, str], now: float
    ) -> dict[int, Neighbor]:
        """The neighbors of these names; links end where they are concerned."""
        for one in concerned & self.neighbors.keys():
            if one not in names:
                self._part(self.neighbors[one], "it is no neighbor any more", ErrorCode.STOPPED, now)
                self.neighbors[one].leave()
            elif nat_id != self.nat_id:
                self._part(self.neighbors[one], "the device takes another NAT ID", ErrorCode.STOPPED, now)
            else:
                self._part(self.neighbors[one], "it is configured anew", ErrorCode.REPLACED, now)
        neighbors = {one: self.neighbors.get(one) or Neighbor(one, name) for one, name in names.items()}
        for one, name in names.items():
            neighbors[one].name = name
        return neighbors

    def _go_on(
        self,
        group: Group,
        configuration: GroupConfiguration,
        neighbors: dict[int, Neighbor],
        positions: dict[Feed, Position],
        now: float,
    ) -> Group:
        added = [
            FeedState(feed, highest=self._terms.get(feed, NO_TERM))
            for feed in (Feed(group.owner, one) for one in configuration.mapping_ids)
            if feed not in group.feeds
        ]
        self._account(added, positions)
        members = [neighbors[peer.nat_id] for peer in configuration.peers]
        group.follow(configuration, self._digests(configuration), members, added, now)
        return group

    def _begin(
        self,
        configuration: GroupConfiguration,
        owner: int,
        nat_id: int,
        neighbors: dict[int, Neighbor],
        positions: dict[Feed, Position],
        now: float,
    ) -> Group:
        """As at a start, with what the table holds for a snapshot."""
        group = self._group(configuration, owner, nat_id, neighbors, now)
        self._account(group.feeds.values(), positions)
        group.begin_with()
        return group

    def _account(self, states: Collection[FeedState], positions: dict[Feed, Position]) -> None:
        """The table has entries only of feeds that there were, in another group or under another NAT ID."""
        moved = [state for state in states if state.feed in positions]
        if moved:
            account(positions, self.table, moved)
