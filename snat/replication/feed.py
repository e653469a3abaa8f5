"""The state of one feed on one device, whoever manages it: how far it is, and the digest there.

The manager's :class:`~snat.replication.sender.Sender` and a member's
:class:`~snat.replication.receiver.Receiver` work on the same :class:`FeedState`, so a takeover hands over
nothing: the digest at the last applied sequence is the base of the new term.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from snat.nat.entry import LOCAL_NAT_ID
from snat.replication.digest import FeedDigest
from snat.wire.header import Feed, Position, Term

_LOCAL: Final = LOCAL_NAT_ID.to_bytes(4, "big")
_LAST_NUMBER: Final = (1 << 32) - 1


@dataclass(slots=True)
class FeedState:
    """Position, digest and base of one feed."""

    feed: Feed
    position: Position = field(default_factory=Position)
    """Last compiled, as manager; last applied, as member."""
    base: Position = field(default_factory=Position)
    """Where the current term began, in the old one."""
    digest: FeedDigest = field(default_factory=FeedDigest)
    highest: Term = Term(0, 0)
    """The highest term heard of, stored ones included; the next is above it."""
    kept: Position = field(default_factory=Position)
    """Where the table was last proved whole before this run, as its snapshot tells; zeros: never."""
    verified: float | None = None
    """When the digest last agreed with another device's."""

    def heard(self, term: Term) -> None:
        """Remember the highest term."""
        self.highest = max(self.highest, term)

    def next_term(self, nat_id: int) -> Term:
        """The term that a taker takes: above all it has seen (design section 5).

        At the last number there is, which no honest member reaches, the NAT IDs alone decide.
        """
        return Term(min(max(self.highest, self.position.term).number + 1, _LAST_NUMBER), nat_id)


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
    gaps: int = 0
    not_managed: int = 0
    """Changes or statements by a device that does not manage the feed."""
    dumps_sent: int = 0
    dumps_received: int = 0
    dumps_failed: int = 0
    swept: int = 0
    """Entries that a dump did not have, and so removed here."""
    mismatches: int = 0
    """Digests that differed at the same sequence."""
    unknown_feeds: int = 0


def belongs_to(feed: Feed) -> Callable[[bytes], bool]:
    """Whether a record belongs to a feed; local entries belong to none."""
    mapping, owner = feed.mapping_id.to_bytes(4, "big"), feed.process_id.to_bytes(4, "big")
    if feed.process_id:
        return lambda record: record[12:16] == mapping and record[:4] == owner  # MAPPING, NAT_ID
    return lambda record: record[12:16] == mapping and record[:4] != _LOCAL
