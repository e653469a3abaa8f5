"""After a split: what others made while they managed is pulled from them, and merged, by who manages now.

A neighbor is *forked* when it stands at a position that is not in our history: it has entries of a management
that we were no part of. Until they are merged it gets no dump, which would sweep them.
"""

from collections.abc import Callable, Iterable, Mapping

from snat.device.events import DeviceEvent, Noted
from snat.device.links import Neighbor
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.pull import TRIES, Pull
from snat.wire.actions import DumpBegin, DumpEnd, Had, RoleChange, Standing
from snat.wire.header import Feed, Position, encode
from snat.wire.items import control

Merged = Callable[[Feed, list[bytes], float], None]
"""Feed, losers, now: entries of others are in the table, the losers' ports are not to be used soon."""
Restrain = Callable[[Feed, bool], None]
"""Feed: whether packets that may belong to an entry we do not have yet make none."""


class Merging:
    """The pulls of one group, while this device manages it."""

    def __init__(
        self,
        feeds: Mapping[Feed, FeedState],
        neighbors: Iterable[Neighbor],
        table: NatTable,
        counters: FeedCounters,
        merged: Merged,
        restrain: Restrain,
    ) -> None:
        self.events: list[DeviceEvent] = []
        self.had: list[Had] = []
        """What was merged, to be told behind the entries that came in: who knows of it, and has not these,
        would have them swept where they are from."""
        self._feeds = feeds
        self._neighbors = {neighbor.nat_id: neighbor for neighbor in neighbors}
        self._table = table
        self._counters = counters
        self._merged = merged
        self._restrain = restrain
        self._pulls: dict[tuple[int, Feed], Pull] = {}
        self._rivals: set[int] = set()
        """Neighbors that were seen to manage what we manage: whatever their term, it is not our history."""
        self._given_up: dict[tuple[int, Feed], Position] = {}
        """Where a neighbor stood when what it made was given up."""
        self._number = 0

    def begin(self, now: float) -> None:
        """This device manages from now on."""
        for neighbor in self._neighbors.values():
            for feed in self._feeds:
                self.consider(neighbor, feed, now)

    def follow(self, neighbors: Iterable[Neighbor], now: float) -> None:
        """Other neighbors, or other feeds: what was to be pulled of those that are gone is given up."""
        names = {neighbor.nat_id: neighbor for neighbor in neighbors}
        for nat_id, feed in list(self._pulls):
            if nat_id not in names or feed not in self._feeds:
                self._forget(self._neighbors[nat_id], feed, now)
        self._rivals &= names.keys()
        self._given_up = {
            (nat_id, feed): at
            for (nat_id, feed), at in self._given_up.items()
            if nat_id in names and feed in self._feeds
        }
        self._neighbors = names

    def end(self) -> None:
        """It manages no more."""
        for (_, feed), pull in self._pulls.items():
            self._count(pull)
            self._restrain(feed, False)
        self._pulls, self._rivals, self._given_up, self.had = {}, set(), {}, []

    def consider(self, neighbor: Neighbor, feed: Feed, now: float) -> None:
        """A neighbor told where it stands, or that it manages."""
        if feed not in neighbor.applied:  # it manages, or said nothing; what it says on two links may swap
            said = neighbor.standings.get(feed)
            if said is not None and self._is_rival(said):
                self._rivals.add(neighbor.nat_id)
        elif self._forked(neighbor, feed):
            self._pulls.setdefault((neighbor.nat_id, feed), Pull(feed, self._table))
            self._restrain(feed, True)
        elif (neighbor.nat_id, feed) in self._pulls:
            self._forget(neighbor, feed, now)

    def holds(self, neighbor: Neighbor, feed: Feed) -> bool:
        """Whether a neighbor has what we lack: it is not to be swept yet."""
        return (neighbor.nat_id, feed) in self._pulls

    def turn(self, now: float, hold_time: float) -> None:
        """Ask, ask again, or give up."""
        for (nat_id, feed), pull in list(self._pulls.items()):
            neighbor = self._neighbors[nat_id]
            link = neighbor.incoming
            if neighbor.silent(now, hold_time):
                self._forget(neighbor, feed, now)
            elif link is not None and link.established and pull.due(now):
                if pull.tries < TRIES:
                    self._number += 1
                    link.put(encode(control(pull.request(self._number, now))))
                else:
                    self.refused(neighbor, feed, now)

    def refused(self, neighbor: Neighbor, feed: Feed, now: float) -> None:
        """It does not vouch for what it has, or does not answer: what it made is given up."""
        at = neighbor.applied.get(feed)
        if self.holds(neighbor, feed) and at is not None:
            self._given_up[neighbor.nat_id, feed] = at
            self._note("mapping {mapping}: what {neighbor} made is given up", neighbor, feed)
            self._forget(neighbor, feed, now)

    # The answer

    def pull_of(self, neighbor: Neighbor, feed: Feed) -> Pull | None:
        """What was asked of a neighbor, if anything was."""
        return self._pulls.get((neighbor.nat_id, feed))

    def control(self, neighbor: Neighbor, pull: Pull, said: DumpBegin | DumpEnd, now: float) -> None:
        """Its begin, or its end."""
        if isinstance(said, DumpBegin):
            pull.begin(said, now)
        elif pull.end(said) and pull.at is not None:
            self._counters.pulls += 1
            self._feeds[pull.feed].has(pull.at)
            self.had.append(Had(pull.feed, pull.at))
            text = "mapping {mapping}: {added} entries of {neighbor} merged, {losers} had keys of ours"
            self._note(text, neighbor, pull.feed, added=pull.added, losers=len(pull.losers))
            self._forget(neighbor, pull.feed, now)

    # Inside

    def _is_rival(self, said: RoleChange) -> bool:
        return said.standing == Standing.MANAGE and not self._feeds[said.feed].knows(said.term)

    def _forked(self, neighbor: Neighbor, feed: Feed) -> bool:
        at, state = neighbor.applied.get(feed), self._feeds[feed]
        if at is None or at == Position() or self._given_up.get((neighbor.nat_id, feed)) == at:
            return False
        if neighbor.nat_id in self._rivals:
            return not state.has_been_at(at) or not state.knows(at.term)
        return not state.has_been_at(at)

    def _forget(self, neighbor: Neighbor, feed: Feed, now: float) -> None:
        pull = self._pulls.pop((neighbor.nat_id, feed))
        self._count(pull)
        if pull.added or pull.losers:
            self._merged(feed, pull.losers, now)
        if not any(other == feed for _, other in self._pulls):
            self._restrain(feed, False)

    def _count(self, pull: Pull) -> None:
        self._counters.merged += pull.added
        self._counters.merge_losers += len(pull.losers)

    def _note(self, text: str, neighbor: Neighbor, feed: Feed, **fields: object) -> None:
        fields = {"mapping": feed.mapping_id, "neighbor": neighbor.name, **fields}
        self.events.append(Noted(text, fields, repeats=True, mnemonic="SNAT-5-MERGE"))
