"""One redundancy group of a device: its feeds, its standing, and what moves it.

The rules of :mod:`snat.redundancy.roles` in terms of neighbors and feeds. A group looks at what is known at
``now`` and takes the steps that follow (:meth:`Group.turn`); messages only change what is known.
"""

from collections.abc import Callable, Collection, Iterable

from snat.config.model import ConfiguredRole
from snat.config.model import Group as GroupConfiguration
from snat.device.events import Noted, RoleLeft, RoleTaken, TermTaken
from snat.device.feeds import GroupFeeds
from snat.device.links import Neighbor
from snat.device.merging import Merged, Merging, Restrain
from snat.device.succession import goes_first, is_best, manager_of, told_by
from snat.nat.table import NatTable
from snat.redundancy.roles import ALONE_EXTRA, CLAIM_TIME, Input, leads, preferred, step
from snat.replication.feed import FeedCounters, FeedState
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

ROLES = {
    ConfiguredRole.PRIMARY: Role.PRIMARY,
    ConfiguredRole.BACKUP: Role.BACKUP,
    ConfiguredRole.REDUNDANCY: Role.STANDBY,
}
"""The role at the start; that of a group with a module follows its word."""


class Group(GroupFeeds):
    """A group as this device lives it: primary/backup, or one that follows an IP redundancy module."""

    def __init__(
        self,
        configuration: GroupConfiguration,
        configuration_digests: dict[int, int],
        nat_id: int,
        neighbors: Iterable[Neighbor],
        table: NatTable,
        counters: FeedCounters,
        terms: dict[Feed, Term],
        managed: Callable[[int, bool, float], None],
        merged: Merged,
        restrain: Restrain,
        now: float,
    ) -> None:
        super().__init__(configuration, neighbors, table, counters, terms, now)
        self.role = ROLES[configuration.role]
        self.standing = Standing.START
        self.since = now
        """When the standing last changed."""
        self.why = "waits for another member to appear"
        self.configuration_digests = {feed: configuration_digests[feed.mapping_id] for feed in self.feeds}
        self._nat_id = nat_id
        self._managed = managed
        self._unmanaged_since = now
        self._former: Neighbor | None = None
        """Who managed last."""
        self._claimed_of: Neighbor | None = None
        """Who was asked to release the role."""
        self._released: set[Feed] = set()
        self._refused = False
        """Who was asked to release the role is active too."""
        self._claims_from = now
        """Since when, or from when on, an active member may claim the role from another active one."""
        self.merging = Merging(self.feeds, self.neighbors, table, counters, merged, restrain)
        self._tell_convergence()

    # What is known

    @property
    def manager(self) -> int:
        """NAT ID of who manages, as far as known; 0: nobody."""
        if self.manages:
            return self._nat_id
        return self._manager.nat_id if self._manager is not None else 0

    def roles(self) -> list[RoleChange]:
        """What this device says of itself."""
        return [
            RoleChange(feed, self.role, self.standing, state.position.term)
            for feed, state in self.feeds.items()
        ]

    @property
    def follows_module(self) -> bool:
        """Whether an IP redundancy module says who is to manage."""
        return self.configuration.role is ConfiguredRole.REDUNDANCY

    @property
    def ready(self) -> bool:
        """Whether the module may make this device active: its table is what it is to be."""
        return self.standing is not Standing.START

    def told(self, active: bool, now: float) -> None:
        """The module's word. A member that it takes the word from manages until another can."""
        role = Role.ACTIVE if active else Role.STANDBY
        if self.follows_module and role is not self.role:
            self.role = role
            self._claims_from = now
            self.announce()

    # Steps

    def turn(self, now: float) -> None:
        """Take every step that what is known now calls for."""
        self.work(now)
        while (happened := self._next(now)) is not None:
            self._enter(happened, now)
        if self.manages:
            self.merging.turn(now, self.configuration.hold_time)
        else:
            self._ask(now)
        self._compile_due(now)
        self.events += self.merging.events
        self.merging.events = []

    def next_deadline(self, now: float) -> float | None:
        """When time alone may move the group; for all else keepalives wake it often enough."""
        if self.works:
            return now
        if self.standing is Standing.CLAIM:
            return self.since + CLAIM_TIME
        waits = any(sender.pending for sender in self.senders.values())
        return self._compile_at if waits else None

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

    def released(self, neighbor: Neighbor, released: Released) -> None:
        """The manager has stopped; take the role once every feed is there, and equal."""
        receiver = self.receivers.get(released.feed)
        if self.standing is not Standing.CLAIM or receiver is None or neighbor is not self._claimed_of:
            return
        if receiver.agrees(released):
            self._released.add(released.feed)
        else:
            receiver.synchronised = False

    def insists(self, neighbor: Neighbor, said: RoleChange) -> None:
        """A neighbor tells its standing: who is asked to release the role, and is to manage, keeps it."""
        if self.standing is Standing.CLAIM and neighbor is self._claimed_of:
            self._refused |= said.standing == Standing.MANAGE and leads(neighbor.role(said.feed))

    def unavailable(self, neighbor: Neighbor, said: Unavailable) -> None:
        """A neighbor leaves. Who followed it and is not where it stopped, does not go first."""
        neighbor.leaves(said.feed)
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
        if managed:
            self.events.append(RoleLeft(self.configuration))

    def drop(self, feeds: Collection[Feed], now: float) -> None:
        """These feeds are the group's no more; what this device manages of them, it says the last word of."""
        self._leave_feeds(feeds)
        managed = self.manages
        self._drop(feeds)
        self.merging.follow(self.neighbors, now)
        for feed in feeds if managed else ():
            self._managed(feed.mapping_id, False, now)

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
        self.configuration = configuration
        if not (self.follows_module and self.role in (Role.ACTIVE, Role.STANDBY)):
            self.role = ROLES[configuration.role]
        self.neighbors = tuple(neighbors)
        self.merging.follow(self.neighbors, now)
        for state in added:
            self.feeds[state.feed] = state
        self.configuration_digests = {feed: configuration_digests[feed.mapping_id] for feed in self.feeds}
        if self.manages:
            self._take_terms([state.feed for state in added])
            for state in added:
                self._managed(state.feed.mapping_id, True, now)
        else:
            for state in added:
                self.receivers[state.feed] = self._receiver(state)
        self._limit()
        self.announce()

    # Which step

    def _next(self, now: float) -> Input | None:
        found = manager_of(self.feeds, self.neighbors, now, self.configuration.hold_time)
        if found is None and self._manager is not None:
            self._unmanaged_since = now
            self._former = self._manager
        self._manager = found
        match self.standing:
            case Standing.START:
                if self._manager is not None:
                    return Input.SYNCHRONISED if self.synchronised else None
                if self.follows_module:
                    return Input.STANDS_BY if self._may_stand_by(now) else None
                return Input.ALONE if self._alone(now) else None
            case Standing.LISTEN:
                return self._next_following(now) if self.follows_module else self._next_listening(now)
            case Standing.CLAIM:
                return self._next_claiming(now)
            case Standing.MANAGE:
                return self._next_managing()

    def _next_listening(self, now: float) -> Input | None:
        if self._manager is None:
            if not self.synchronised and self.has_company(now):
                return Input.UNSYNCHRONISED  # another knows better what the manager had
            gone = self._successor_overdue(now)
            return Input.MANAGER_LOST if gone else None
        if not self.synchronised:
            return Input.UNSYNCHRONISED
        role = self._manager.role(told_by(self._manager, self.feeds))
        return Input.MAY_CLAIM if role is not None and preferred(self.role, role) else None

    def _next_following(self, now: float) -> Input | None:
        active = self.role is Role.ACTIVE
        if self._manager is None:  # what others have of it and we have not, is pulled when we manage
            return Input.MANAGER_LOST if active else None
        if not self.synchronised:
            return Input.UNSYNCHRONISED
        # Whose last word is that it is active may be dead: the module knows first, and a live one refuses.
        theirs = self._manager.role(told_by(self._manager, self.feeds))
        may = active and (not leads(theirs) or now >= self._claims_from)
        return Input.MAY_CLAIM if may else None

    def _next_claiming(self, now: float) -> Input | None:
        if self._released >= self.feeds.keys():
            return Input.RELEASED
        if self._refused or not leads(self.role):
            return Input.REFUSED
        if self._manager is None:
            if self._hands_over(self._claimed_of, now) and now - self.since < CLAIM_TIME:
                return None  # its last changes and its release come on the other link
            return Input.MANAGER_LOST
        if not self.synchronised:
            return Input.UNSYNCHRONISED
        return Input.CLAIM_EXPIRED if now - self.since >= CLAIM_TIME else None

    def _next_managing(self) -> Input | None:
        feeds = self.feeds.values()
        rival = self._rival()
        if rival is not None:
            other = rival.role(told_by(rival, self.feeds))
            if other is None or not preferred(self.role, other):
                return Input.OUTRANKED
        if any(state.position.term < state.highest < state.next_term(self._nat_id) for state in feeds):
            # A live manager that hears of a higher term announces itself above it (design section 5).
            self._take_terms(self.feeds)
            self.announce()
        return None

    def _rival(self) -> Neighbor | None:
        """Somebody who manages the same feed under a higher term than ours."""
        for neighbor in self.neighbors:
            for feed, state in self.feeds.items():
                said = neighbor.standings.get(feed)
                if said is not None and said.standing == Standing.MANAGE and said.term > state.position.term:
                    return neighbor
        return None

    def _successor_overdue(self, now: float) -> bool:
        """Nobody manages: whether it is for us to, now, or still for a member that goes before us."""
        hold_time = self.configuration.hold_time
        if now - self._unmanaged_since >= hold_time:
            return True
        if self._hands_over(self._former, now):
            return False
        return goes_first(self.feeds, self.role, self._nat_id, self.neighbors, now, hold_time)

    def has_company(self, now: float) -> bool:
        """Whether another member listens."""
        return any(self._listens(one, now) for one in self.neighbors)

    def _hands_over(self, former: Neighbor | None, now: float) -> bool:
        """Whether who managed is there and listens: somebody else has claimed the role."""
        return former is not None and self._listens(former, now)

    def _listens(self, neighbor: Neighbor, now: float) -> bool:
        standing = neighbor.standing(told_by(neighbor, self.feeds))
        return standing is Standing.LISTEN and not neighbor.silent(now, self.configuration.hold_time)

    def _alone(self, now: float) -> bool:
        """Whether a starting member may take the role with what it has."""
        hold_time, waited = self.configuration.hold_time, self._waited(now)
        return is_best(
            self.feeds, self.vouched, self.role, self._nat_id, self.neighbors, now, hold_time, waited=waited
        )

    def _may_stand_by(self, now: float) -> bool:
        """Whether the module may make a starting member active: none that listens was, for long enough."""
        return self._alone(now) or (self._waited(now) and not any(map(self._leads, self.neighbors)))

    def _leads(self, neighbor: Neighbor) -> bool:
        return leads(neighbor.role(told_by(neighbor, self.feeds)))

    def _waited(self, now: float) -> bool:
        """Nobody managed for so long that nobody will."""
        return now - max(self.since, self._unmanaged_since) >= self.configuration.hold_time + ALONE_EXTRA

    # What a step does

    def _enter(self, happened: Input, now: float) -> None:
        before = self.standing
        self.standing = standing = step(before, happened)
        self.since = now
        self._released = set()
        if happened is Input.REFUSED:
            self._claims_from = now + self.configuration.hold_time
        self.events.append(
            Noted(
                "group {group}: {before} -> {standing} ({happened})",
                {
                    "group": self.configuration.address,
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
        self.why = _WHY[standing]
        if standing is Standing.MANAGE:
            alone = happened is Input.ALONE or (self.follows_module and not self.synchronised)
            self.unverified = alone and any(feed.highest != NO_TERM for feed in self.feeds.values())
            self._take(now)
        self.announce()
        if standing is Standing.CLAIM:
            self._claim()

    def _tell_convergence(self) -> None:
        """In the words of IOS (ios-cli.md 2.1)."""
        how = "start converging" if self.standing is Standing.START else "fully converged"
        text = "Id {nat_id}, System {how}"
        self.events.append(Noted(text, {"nat_id": self._nat_id, "how": how}, mnemonic="SNAT-5-PROCESS"))

    def _take(self, now: float) -> None:
        self.receivers = {}
        self._take_terms(self.feeds)
        self.merging.begin(now)
        for feed in self.feeds:
            self._managed(feed.mapping_id, True, now)
        self.events.append(RoleTaken(self.configuration))

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
            self._managed(feed.mapping_id, False, now)
        for neighbor in self.neighbors:
            if neighbor.outgoing is not None:
                for feed in self.feeds:
                    neighbor.outgoing.dumps.pop(feed, None)
        self.senders = {}
        self.unverified = False
        self.merging.end()
        self.receivers = self._listening(synchronised=synchronised, whole=True)
        self._unmanaged_since = now
        self.events.append(RoleLeft(self.configuration))

    def _claim(self) -> None:
        self._claimed_of, self._refused = self._manager, False
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


_WHY = {
    Standing.START: "not synchronised: waits for the manager's table, or for another member to appear",
    Standing.LISTEN: "another member manages, or is to",
    Standing.CLAIM: "waits for the manager to release the role",
    Standing.MANAGE: "",
}
