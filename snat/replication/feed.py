"""The state of one feed on one device, whoever manages it: how far it is, and the digest there.

The manager's :class:`~snat.replication.sender.Sender` and a member's
:class:`~snat.replication.receiver.Receiver` work on the same :class:`FeedState`, so a takeover hands over
nothing: the position at which a term is taken is its base, and the journal goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from snat.nat.entry import LOCAL_NAT_ID
from snat.replication.digest import FeedDigest
from snat.replication.journal import Journal
from snat.wire.actions import Had
from snat.wire.header import Feed, Position, Term

_LOCAL: Final = LOCAL_NAT_ID.to_bytes(4, "big")
_LAST_NUMBER: Final = (1 << 32) - 1
_TERMS: Final = 64
"""Former terms that are remembered; managements are rare."""


@dataclass(slots=True)
class FeedState:
    """Position, history and digest of one feed."""

    feed: Feed
    position: Position = field(default_factory=Position)
    """Last compiled, as manager; last applied, as member."""
    digest: FeedDigest = field(default_factory=FeedDigest)
    highest: Term = Term(0, 0)
    """The highest term heard of, stored ones included; the next is above it."""
    kept: Position = field(default_factory=Position)
    """Where the table was last proved whole before this run, as its snapshot tells; zeros: never."""
    verified: float | None = None
    """When the digest last agreed with another device's."""
    journal: Journal = field(init=False)
    left: dict[Term, int] = field(default_factory=dict)
    """The former terms this table came through, and the sequence up to which it has each."""

    def __post_init__(self) -> None:
        self.journal = Journal(self.feed)

    def heard(self, term: Term) -> None:
        """Remember the highest term."""
        self.highest = max(self.highest, term)

    def next_term(self, nat_id: int) -> Term:
        """The term that a taker takes: above all it has seen (design section 5).

        At the last number there is, which no honest member reaches, the NAT IDs alone decide.
        """
        return Term(min(max(self.highest, self.position.term).number + 1, _LAST_NUMBER), nat_id)

    def advance(self, body: bytes) -> None:
        """One message further, made or applied; ``body`` are its items."""
        self.position = Position(self.position.term, self.position.sequence + 1)
        self.journal.put(self.position, body)

    def enter(self, term: Term) -> Position:
        """A term begins where this table stands; its base."""
        base = self.position
        self.has(base)
        self.position = Position(term, 0)
        self.heard(term)
        self.journal.begin(term, base)
        return base

    def restart(self, position: Position) -> None:
        """A dump begins: how the table came to ``position`` is not known here."""
        self.position = position
        self.heard(position.term)
        self.journal.restart(position)
        self.left.clear()

    def has(self, position: Position) -> None:
        """This table has what led to ``position``: it was there, or that was merged into it."""
        self.left[position.term] = max(position.sequence, self.left.get(position.term, 0))
        while len(self.left) > _TERMS:
            del self.left[min(self.left)]

    def history(self) -> list[Had]:
        """What this table has beside its present term."""
        return [Had(self.feed, Position(term, sequence)) for term, sequence in self.left.items()]

    def knows(self, term: Term) -> bool:
        """Whether this table came through ``term``, for sure."""
        return term == self.position.term or term in self.left

    def has_been_at(self, position: Position) -> bool:
        """Whether this table has what led to ``position``; a term older than all it knows counts as had."""
        if position.term == self.position.term:
            return position.sequence <= self.position.sequence
        if position.term in self.left:
            return position.sequence <= self.left[position.term]
        return position.term < min(self.left, default=self.position.term)


@dataclass(slots=True)
class FeedCounters:
    """What happened to feeds, and why items were refused."""

    messages_sent: int = 0
    items_sent: int = 0
    messages_applied: int = 0
    items_applied: int = 0
    deletes_unknown: int = 0
    """Deletes of entries this device does not have."""
    old_terms: int = 0
    past: int = 0
    """Messages that were applied before."""
    gaps: int = 0
    not_managed: int = 0
    """Changes or statements by a device that does not manage the feed."""
    resumed: int = 0
    """Members that were served from the journal."""
    dumps_sent: int = 0
    dumps_received: int = 0
    dumps_failed: int = 0
    swept: int = 0
    """Entries that a dump did not have, and so removed here."""
    mismatches: int = 0
    """Digests that differed at the same sequence."""
    unknown_feeds: int = 0
    pulls_answered: int = 0
    pulls: int = 0
    """Tables of others that were merged into ours."""
    merged: int = 0
    """Entries taken from them."""
    merge_losers: int = 0
    """Entries of theirs that had the key of one of ours."""
    cleared: int = 0
    """Times that all entries of a feed were removed at once."""
    hints_sent: int = 0
    """What packets of entries say that another manages."""
    hints_lost: int = 0
    """The same, and there was nobody to tell, or too much to be told at once."""
    hints_received: int = 0
    hints_unknown: int = 0
    """Hints about entries that are not here, or that another manages."""
    entry_errors_sent: int = 0
    entry_errors_received: int = 0
    """Errors about one entry (Fig. 4A, the action of a queue entry)."""


def belongs_to(feed: Feed) -> Callable[[bytes], bool]:
    """Whether a record belongs to a feed; local entries belong to none."""
    mapping, owner = feed.mapping_id.to_bytes(4, "big"), feed.process_id.to_bytes(4, "big")
    if feed.process_id:
        return lambda record: record[12:16] == mapping and record[:4] == owner  # MAPPING, NAT_ID
    return lambda record: record[12:16] == mapping and record[:4] != _LOCAL
