"""A member's place in its group: what it knows of itself and of the others, and what step that calls for.

The rules of :mod:`snat.redundancy.roles` in terms of neighbors and feeds; :mod:`snat.device.group` takes the
steps.
"""

from collections.abc import Iterable, Sequence

from snat.config.model import ConfiguredRole
from snat.config.model import Group as GroupConfiguration
from snat.device.feeds import GroupFeeds
from snat.device.links import Neighbor
from snat.device.succession import goes_first, is_best, manager_of, told_by
from snat.nat.table import NatTable
from snat.redundancy.roles import ALONE_EXTRA, CLAIM_TIME, Input, leads, preferred
from snat.replication.feed import FeedCounters
from snat.wire.actions import Role, RoleChange, Standing
from snat.wire.header import Feed, Term

ROLES = {
    ConfiguredRole.PRIMARY: Role.PRIMARY,
    ConfiguredRole.BACKUP: Role.BACKUP,
    ConfiguredRole.REDUNDANCY: Role.STANDBY,
    ConfiguredRole.PEERS: Role.BACKUP,
}
"""The role at the start; that of a group with a module follows its word, and owners are primaries."""


class Member(GroupFeeds):
    """This device in one group.

    Peers are as many groups as there are members, each for the entries of one owner. The owner is primary
    there; the others back it up, and the first of them is *steward* while it is lost (Fig. 2C).
    """

    def __init__(
        self,
        configuration: GroupConfiguration,
        nat_id: int,
        neighbors: Iterable[Neighbor],
        table: NatTable,
        counters: FeedCounters,
        terms: dict[Feed, Term],
        owner: int,
        now: float,
    ) -> None:
        super().__init__(configuration, neighbors, table, counters, terms, owner, now)
        self._nat_id = nat_id
        self.role = self._configured_role()
        self.standing = Standing.START
        self.since = now
        """When the standing last changed."""
        self.claimed_of: Neighbor | None = None
        """Who was asked to release the role."""
        self.claims_from = now
        """Since when, or from when on, an active member may claim the role from another active one."""
        self._unmanaged_since = now
        self._former: Neighbor | None = None
        """Who managed last."""
        self._released: set[Feed] = set()
        self._refused = False
        """Who was asked to release the role is active too."""
        self.others: Sequence[Member] = ()
        """Of a block of peers: the groups of the other owners, by whose entries it translates, too."""
        self._discards = False
        """The owner left, and wants nothing of it kept."""
        self._yielding: tuple[Neighbor, float] | None = None
        """To whom we, who are active, released the role, and until when we wait for it to take it."""

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
    def mode(self) -> str:
        """What ``show ip snat distributed`` calls its role."""
        return "PEER" if self.configuration.role is ConfiguredRole.PEERS else self.role.name

    @property
    def is_own(self) -> bool:
        """Whether this device makes entries while it manages: not for another peer."""
        return self.owner in (0, self._nat_id)

    @property
    def ready(self) -> bool:
        """Whether the module may make this device active: its table is what it is to be."""
        return self.standing is not Standing.START

    @property
    def preempts(self) -> bool:
        """Whether the module waits for the role to be handed over."""
        return self.role is Role.PREEMPTING

    @property
    def alone_at(self) -> float:
        """When a starting member has waited for others long enough."""
        waits = self.configuration.hold_time + ALONE_EXTRA
        return max(self.since, self._unmanaged_since) + waits

    @property
    def yields_to(self) -> Neighbor | None:
        """To whom an active member that manages no more has released the role."""
        return self._yielding[0] if self._yielding is not None else None

    def _configured_role(self) -> Role:
        return Role.PRIMARY if self.owner == self._nat_id else ROLES[self.configuration.role]

    # Which step

    def next_step(self, now: float) -> Input | None:
        """What has happened, if anything that moves the group."""
        found = manager_of(self.feeds, self.neighbors, now, self.configuration.hold_time)
        if found is None and self._manager is not None:
            self._unmanaged_since = now
            self._former = self._manager
        self._manager = found
        self._discards &= found is None or found.nat_id != self.owner
        match self.standing:
            case Standing.START:
                if self._manager is not None:
                    return Input.SYNCHRONISED if self.synchronised else None
                if self.follows_module:
                    return Input.STANDS_BY if self._may_stand_by(now) else None
                return Input.ALONE if self._alone(now) and not self._learns_of_others(now) else None
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
        may_claim = role is not None and preferred(self.role, role) and not self._learns_of_others(now)
        return Input.MAY_CLAIM if may_claim else None

    def _next_following(self, now: float) -> Input | None:
        wanted = leads(self.role)
        if self._manager is None:  # what others have of it and we have not, is pulled when we manage
            return Input.MANAGER_LOST if wanted and not self._yields(now) else None
        if not self.synchronised:
            return Input.UNSYNCHRONISED
        # Whose last word is that it is active may be dead: the module knows first, and a live one refuses.
        theirs = self._manager.role(told_by(self._manager, self.feeds))
        again = self.role is Role.ACTIVE and now >= self.claims_from
        return Input.MAY_CLAIM if wanted and (again or preferred(self.role, theirs)) else None

    def _yields(self, now: float) -> bool:
        """Whether somebody is about to take the role that we released to it."""
        if self._yielding is None or now >= self._yielding[1]:
            return False
        claimant = self._yielding[0]
        return claimant.standing(told_by(claimant, self.feeds)) is Standing.CLAIM

    def _next_claiming(self, now: float) -> Input | None:
        if self._released >= self.feeds.keys():
            return Input.RELEASED
        if self._refused or not leads(self.role) or self._manager not in (None, self.claimed_of):
            return Input.REFUSED
        if self._manager is None:
            if self._hands_over(self.claimed_of, now) and now - self.since < CLAIM_TIME:
                return None  # its last changes and its release come on the other link
            return Input.MANAGER_LOST
        if not self.synchronised:
            return Input.UNSYNCHRONISED
        return Input.CLAIM_EXPIRED if now - self.since >= CLAIM_TIME else None

    def _next_managing(self) -> Input | None:
        rival = self._rival()
        if rival is not None:
            other = rival.role(told_by(rival, self.feeds))
            if other is None or not preferred(self.role, other):
                return Input.OUTRANKED
        return None

    @property
    def is_behind(self) -> bool:
        """Whether somebody took a higher term of what this device manages."""
        return any(
            state.position.term < state.highest < state.next_term(self._nat_id)
            for state in self.feeds.values()
        )

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
        if self._is_heard(self._former, now):
            return False
        if now - self._unmanaged_since >= hold_time:
            return True
        if self._hands_over(self._former, now):
            return False
        return goes_first(self.feeds, self.role, self._nat_id, self.neighbors, now, hold_time)

    def _is_heard(self, former: Neighbor | None, now: float) -> bool:
        """Whether a member that we hear still hears who managed, and did not leave (Fig. 2C)."""
        hold_time = self.configuration.hold_time
        if former is None or former.standing(told_by(former, self.feeds)) is not Standing.MANAGE:
            return False
        return any(
            former.nat_id in one.hears and not one.silent(now, hold_time)
            for one in self.neighbors
            if one is not former
        )

    def has_company(self, now: float) -> bool:
        """Whether another member listens."""
        return any(self.listens(one, now) for one in self.neighbors)

    def _hands_over(self, former: Neighbor | None, now: float) -> bool:
        """Whether who managed is there and listens: somebody else has claimed the role."""
        return former is not None and self.listens(former, now)

    def listens(self, neighbor: Neighbor, now: float) -> bool:
        """Whether a member is there, and has what the manager had."""
        standing = neighbor.standing(told_by(neighbor, self.feeds))
        return standing is Standing.LISTEN and not neighbor.silent(now, self.configuration.hold_time)

    def _alone(self, now: float) -> bool:
        """Whether a starting member may take the role with what it has."""
        hold_time, waited = self.configuration.hold_time, self._waited(now)
        return is_best(
            self.feeds, self.vouched, self.role, self._nat_id, self.neighbors, now, hold_time, waited=waited
        )

    def learns(self, now: float) -> bool:
        """Whether this device lacks a table that another member has."""
        return self.standing is Standing.START and any(
            one.standing(told_by(one, self.feeds)) not in (None, Standing.START)
            and not one.silent(now, self.configuration.hold_time)
            for one in self.neighbors
        )

    def _learns_of_others(self, now: float) -> bool:
        """Whether a peer is not to make entries yet: it would give a flow of another owner's a second one.

        Nobody's trouble keeps it from its work for longer than it would wait for somebody to appear.
        """
        patience = self.configuration.hold_time + ALONE_EXTRA
        return now < self.since + patience and any(group.learns(now) for group in self.others)

    def _may_stand_by(self, now: float) -> bool:
        """Whether the module may make a starting member active: none that listens was, for long enough."""
        return self._alone(now) or (self._waited(now) and not any(map(self._leads, self.neighbors)))

    def _leads(self, neighbor: Neighbor) -> bool:
        return leads(neighbor.role(told_by(neighbor, self.feeds)))

    def _waited(self, now: float) -> bool:
        """Nobody managed for so long that nobody will."""
        return now >= self.alone_at
