"""One redundancy group of a device: its feeds, its standing, and what moves it.

The rules of :mod:`snat.redundancy.roles` in terms of neighbors and feeds. A group looks at what is known at
``now`` and takes the steps that follow (:meth:`Group.turn`); messages only change what is known.
"""

from collections.abc import Collection, Iterable
from typing import Protocol

from snat.config.model import Group as GroupConfiguration
from snat.device.events import Noted, RoleLeft, RoleTaken, TermTaken
from snat.device.links import Neighbor
from snat.device.member import Member
from snat.device.merging import Merging
from snat.nat.table import NatTable
from snat.redundancy.roles import CLAIM_TIME, YIELD_TIME, Input, leads, preferred, step
from snat.replication.feed import FeedCounters, FeedState
from snat.translate.managed import FOREVER
from snat.wire.actions import (
    Claim,
    Released,
    Role,
    RoleChange,
    Standing,
    Unavailable,
)
from snat.wire.header import NO_TERM, Feed, Term, encode
from snat.wire.items import control


class NatProcess(Protocol):
    """What a group tells the NAT process; see :class:`snat.translate.flows.Flows`."""

    def manage(self, mapping_id: int, managed: bool, now: float, *, owner: int, retain: float) -> None:
        """Whether this device manages a mapping, or what an owner made in it."""

    def give_up(self, losers: list[bytes], now: float) -> None:
        """These did not come into the table."""

    def restrain(self, mapping_id: int, restrained: bool, *, owner: int) -> None:
        """Whether entries are on their way here."""


class Group(Member):
    """A group as this device lives it: of primary and backup, after a module, or of one owner among peers."""

    def __init__(
        self,
        configuration: GroupConfiguration,
        configuration_digests: dict[int, int],
        nat_id: int,
        neighbors: Iterable[Neighbor],
        table: NatTable,
        counters: FeedCounters,
        terms: dict[Feed, Term],
        nat: NatProcess,
        now: float,
        *,
        owner: int = 0,
    ) -> None:
        super().__init__(configuration, nat_id, neighbors, table, counters, terms, owner, now)
        self.configuration_digests = {feed: configuration_digests[feed.mapping_id] for feed in self.feeds}
        self._nat = nat
        self.merging = Merging(self.feeds, self.neighbors, table, counters, self._has_merged, self._restrain)
        self._tell_convergence()

    # What moves it

    def told(self, active: bool, now: float) -> None:
        """The module's word. A member that it takes the word from manages until another can."""
        role = Role.ACTIVE if active else Role.STANDBY
        if self.follows_module and role is not self.role:
            self.role = role
            self.claims_from = now
            self.announce()

    def preempt(self) -> None:
        """The module makes this member active as soon as it manages: claim the role now.

        Who found nobody to learn from takes a role that is free, and none from another.
        """
        if self.follows_module and self.synchronised and not leads(self.role):
            self.role = Role.PREEMPTING
            self.announce()

    def turn(self, now: float) -> None:
        """Take every step that what is known now calls for."""
        self.work(now)
        while (happened := self.next_step(now)) is not None:
            self._enter(happened, now)
        if self.manages and self.is_behind:  # who lives announces itself above it (design section 5)
            self._take_terms(self.feeds)
            self.announce()
        if self.manages:
            self.merging.turn(now, self.configuration.hold_time)
        else:
            self._ask(now)
        if self.merging.had:
            self._tell_merged()
        self._compile_due(now)
        self.events += self.merging.events
        self.merging.events = []

    def next_deadline(self, now: float) -> float | None:
        """When time alone may move the group; for all else keepalives wake it often enough."""
        if self.works:
            return now
        if self.standing is Standing.CLAIM:
            return self.since + CLAIM_TIME
        if self._yielding is not None and self._yielding[1] > now:
            return self._yielding[1]
        return self._compile_at if self.pending else None

    def claimed(self, neighbor: Neighbor, feed: Feed, now: float) -> None:
        """A synchronised member asks for the role: stop, say the last word of every feed, listen."""
        role, out = neighbor.role(feed), neighbor.outgoing
        if not self.manages or out is None or role is None:
            return
        if not preferred(role, self.role):
            out.put(encode(b"".join(map(control, self.roles()))))  # we manage, and are to: this refuses
            return
        self.compile()
        for sender in self.senders.values():
            out.put(encode(control(sender.released())))
        self._enter(Input.CLAIMED, now)
        if leads(self.role):  # until the module says otherwise
            self._yielding = neighbor, now + YIELD_TIME
            self.claims_from = now + self.configuration.hold_time

    def released(self, neighbor: Neighbor, released: Released) -> None:
        """The manager has stopped; take the role once every feed is there, and equal."""
        receiver = self.receivers.get(released.feed)
        if self.standing is not Standing.CLAIM or receiver is None or neighbor is not self.claimed_of:
            return
        if receiver.agrees(released):
            self._released.add(released.feed)
        else:
            receiver.synchronised = False

    def insists(self, neighbor: Neighbor, said: RoleChange) -> None:
        """A neighbor tells its standing: who is asked to release the role, and is to manage, keeps it."""
        if self.standing is Standing.CLAIM and neighbor is self.claimed_of:
            keeps = not preferred(self.role, neighbor.role(said.feed))
            self._refused |= said.standing == Standing.MANAGE and keeps

    def unavailable(self, neighbor: Neighbor, said: Unavailable) -> None:
        """A neighbor leaves. Who followed it and is not where it stopped, does not go first."""
        neighbor.leaves(said.feed)
        if neighbor.nat_id == self.owner:
            self._discards = not said.keep
        if self.manages:
            if not said.keep:
                self._table.clear(said.feed.mapping_id, neighbor.nat_id)
        elif neighbor is self._manager and not self.receivers[said.feed].agrees(said):
            self.receivers[said.feed].synchronised = False

    # What is configured anew

    def end(self, now: float) -> None:
        """This device is a member no more: whoever follows need not wait."""
        managed = self.manages
        self.drop(list(self.feeds), now)
        self.merging.end()
        if managed and self.is_own:
            self.events.append(RoleLeft(self.configuration))

    def drop(self, feeds: Collection[Feed], now: float) -> None:
        """These feeds are the group's no more; what this device manages of them, it says the last word of."""
        self._leave_feeds(feeds)
        managed = self.manages
        self._drop(feeds)
        self.merging.follow(self.neighbors, now)
        for feed in feeds if managed else ():
            self._manage(feed, False, now)

    def follow(
        self,
        configuration: GroupConfiguration,
        configuration_digests: dict[int, int],
        neighbors: Iterable[Neighbor],
        added: Collection[FeedState],
        now: float,
    ) -> None:
        """Go on with another configuration, in the standing that there is. What it does not have is dropped.

        ``added`` are the feeds that it has and the group had not. Who manages takes a term for them: the
        members of a group follow who manages it.
        """
        again = self.feeds if configuration.retain != self.configuration.retain else ()
        self.configuration = configuration
        if not (self.follows_module and self.role not in (Role.PRIMARY, Role.BACKUP)):
            self.role = self._configured_role()
        self.neighbors = tuple(neighbors)
        self.merging.follow(self.neighbors, now)
        for state in added:
            self.feeds[state.feed] = state
        self.configuration_digests = {feed: configuration_digests[feed.mapping_id] for feed in self.feeds}
        if self.manages:
            self._take_terms([state.feed for state in added])
            for feed in again or [state.feed for state in added]:
                self._manage(feed, True, now)
        else:
            for state in added:
                self.receivers[state.feed] = self._receiver(state)
        self._limit()
        self.announce()

    # What a step does

    def _enter(self, happened: Input, now: float) -> None:
        before = self.standing
        self.standing = standing = step(before, happened)
        self.since = now
        self._released = set()
        self._yielding = None
        if happened is Input.REFUSED:
            self.claims_from = now + self.configuration.hold_time
        if self.role is Role.PREEMPTING and standing in (Standing.START, Standing.LISTEN):
            self.role = Role.STANDBY  # nothing came of it: the module may try again
        self.events.append(
            Noted(
                "group {group}%s: {before} -> {standing} ({happened})"
                % (" of NAT ID {owner}" if self.owner else ""),
                {
                    "group": self.configuration.address,
                    "owner": self.owner,
                    "before": before.name,
                    "standing": standing.name,
                    "happened": happened.value,
                },
                mnemonic="SNAT-5-PROCESS",
            )
        )
        if Standing.START in (before, standing):
            self._tell_convergence()
        if before is Standing.MANAGE:
            self.compile()
            self._leave(synchronised=happened is Input.CLAIMED, now=now)
        if standing is Standing.MANAGE:
            alone = happened is Input.ALONE or (self.follows_module and not self.synchronised)
            self.unverified = alone and any(feed.highest != NO_TERM for feed in self.feeds.values())
            self._take(now)
        self.announce()
        if standing is Standing.CLAIM:
            self._claim()

    def _tell_merged(self) -> None:
        """Behind the entries that came in, and to whom they are sent at once."""
        self.compile()
        for had in self.merging.had:
            self._broadcast(had.feed, [encode(control(had))])
        self.merging.had = []

    def _tell_convergence(self) -> None:
        """In the words of IOS (ios-cli.md 2.1); a device has one convergence, whatever it backs up."""
        if not self.is_own:
            return
        how = "start converging" if self.standing is Standing.START else "fully converged"
        text = "Id {nat_id}, System {how}"
        self.events.append(Noted(text, {"nat_id": self._nat_id, "how": how}, mnemonic="SNAT-5-PROCESS"))

    def _take(self, now: float) -> None:
        self.receivers = {}
        self._take_terms(self.feeds)
        self.merging.begin(now)
        for feed in self.feeds:
            self._manage(feed, True, now)
        if self.is_own:
            self.events.append(RoleTaken(self.configuration))
        elif self._discards or not self.configuration.retain:
            self.clear()

    def _take_terms(self, feeds: Iterable[Feed]) -> None:
        self.compile()  # what a live manager changed so far belongs to the term that ends
        for feed in feeds:
            state = self.feeds[feed]
            if feed in self.senders:
                self.senders[feed].stop()
            term = state.next_term(self._nat_id)
            self.senders[feed] = self._sender(state, term)
            self.events.append(TermTaken(feed, term))
        # Who hears of the term without who manages could think that it is the best of those that start.
        begun = b"".join(control(self.senders[feed].begun) for feed in feeds)
        message = encode(b"".join(map(control, self.roles())) + begun)
        for neighbor in self.neighbors:
            if neighbor.outgoing is not None:
                neighbor.outgoing.put(message)

    def _leave(self, synchronised: bool, now: float) -> None:
        for feed, sender in self.senders.items():
            sender.stop()
            self._manage(feed, False, now)
        for neighbor in self.neighbors:
            if neighbor.outgoing is not None:
                for feed in self.feeds:
                    neighbor.outgoing.dumps.pop(feed, None)
        self.senders = {}
        self.unverified = False
        self.merging.end()
        self.receivers = self._listening(synchronised=synchronised, whole=True)
        self._unmanaged_since = now
        if self.is_own:
            self.events.append(RoleLeft(self.configuration))

    # The NAT process

    def _manage(self, feed: Feed, managed: bool, now: float) -> None:
        retain = FOREVER if self.is_own else float(self.configuration.retain)
        self._nat.manage(feed.mapping_id, managed, now, owner=feed.process_id, retain=retain)

    def _has_merged(self, feed: Feed, losers: list[bytes], now: float) -> None:
        """Entries of others came in: they age from now on."""
        self._manage(feed, True, now)
        self._nat.give_up(losers, now)

    def _restrain(self, feed: Feed, restrained: bool) -> None:
        self._nat.restrain(feed.mapping_id, restrained, owner=feed.process_id)

    # Claiming

    def _claim(self) -> None:
        self.claimed_of, self._refused = self._manager, False
        out = self._manager.outgoing if self._manager is not None else None
        if out is not None:
            for feed, receiver in self.receivers.items():
                out.put(encode(control(Claim(feed, receiver.state.position))))

    def announce(self) -> None:
        """Say the standing on every link, and what we manage on those our entries leave by."""
        self.compile()
        body = b"".join(map(control, self.roles()))
        statements = b"".join(map(control, self.statements()))
        for neighbor in self.neighbors:
            for link in neighbor.links():
                link.put(encode(body + statements if link.outgoing else body))
