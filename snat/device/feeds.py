"""What one redundancy group replicates: its feeds, which this device sends or receives (Fig. 13).

Who manages is decided above, in :mod:`snat.device.group`; here it only shows in whether there are senders or
receivers.
"""

from collections.abc import Collection, Container, Iterable
from typing import Final

from snat.config.model import Group as GroupConfiguration
from snat.device.events import DeviceEvent, Noted
from snat.device.links import Neighbor
from snat.nat.entry import MAPPING, NAT_ID, REFERENCE
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.journal import DEFAULT_LIMIT, TOTAL_LIMIT
from snat.replication.receiver import Receiver
from snat.replication.sender import Sender
from snat.wire import items
from snat.wire.actions import Applied, Capability, Digest, DumpKind, Error, Hint
from snat.wire.errors import ErrorCode
from snat.wire.header import NO_TERM, SIZE, Feed, Position, Term, encode
from snat.wire.items import control, error

MANY: Final = 4000
"""Changes a second from which on they are gathered, unless an interval is configured."""
GATHER: Final = 0.004
"""Seconds that many changes are gathered: a message costs as much as some 40 of its entries."""
_TURN: Final = 0.001
"""Seconds that a batch of packets may stand for, however soon it comes after another."""


def feed_of(record: bytes, known: Container[Feed]) -> Feed | None:
    """The feed of an entry, or of its reference: of all who share the mapping, or of its owner alone."""
    mapping_id = int.from_bytes(record[MAPPING], "big")
    for feed in (Feed(0, mapping_id), Feed(int.from_bytes(record[NAT_ID], "big"), mapping_id)):
        if feed in known:
            return feed
    return None


class GroupFeeds:
    """The feeds of a group, on the side that this device is on."""

    def __init__(
        self,
        configuration: GroupConfiguration,
        neighbors: Iterable[Neighbor],
        table: NatTable,
        counters: FeedCounters,
        terms: dict[Feed, Term],
        owner: int,
        now: float,
    ) -> None:
        """``owner``: among peers the NAT ID of whose entries these are; 0 in role groups."""
        self.configuration = configuration
        self.owner = owner
        self.neighbors = tuple(neighbors)
        self.events: list[DeviceEvent] = []
        self.feeds = {
            feed: FeedState(feed, highest=terms.get(feed, NO_TERM))
            for feed in (Feed(owner, mapping_id) for mapping_id in configuration.mapping_ids)
        }
        self._bound_journals()
        self.unverified = False
        """The role was taken with what this device had, without a member to learn from."""
        self._table = table
        self._counters = counters
        self._manager: Neighbor | None = None
        """Who manages, if it is another."""
        self._compiled = self._compile_at = now
        """When changes last left, and when the next may leave."""
        self.senders: dict[Feed, Sender] = {}
        self.receivers = self._listening()

    # What is known

    @property
    def manages(self) -> bool:
        """Whether this device manages the group's feeds."""
        return bool(self.senders)

    @property
    def synchronised(self) -> bool:
        """Whether every feed is proved equal to the manager's."""
        return self.manages or all(receiver.synchronised for receiver in self.receivers.values())

    @property
    def pending(self) -> bool:
        """Whether there are changes that no message has yet."""
        return any(sender.pending for sender in self.senders.values())

    def whole(self, feed: Feed) -> bool:
        """Whether this device can vouch for its entries of a feed: for what there was at its position."""
        return self.manages or self.receivers[feed].whole

    def vouched(self, feed: Feed) -> Position:
        """Where its table was whole last, if only by its snapshot."""
        state = self.feeds[feed]
        return state.position if self.whole(feed) and state.position != Position() else state.kept

    def applied(self) -> list[Applied]:
        """How far this device has applied what others manage."""
        return [Applied(feed, receiver.state.position) for feed, receiver in self.receivers.items()]

    def statements(self) -> list[Digest]:
        """The digests of what this device manages; everything must be compiled."""
        return [sender.statement() for sender in self.senders.values()]

    def verified(self, feed: Feed, now: float) -> None:
        """A synchronised member stands where we stand."""
        self.feeds[feed].verified = now
        self.unverified = False

    def heard_term(self, feed: Feed, term: Term) -> None:
        """Somebody knows of this term."""
        self.feeds[feed].heard(term)

    def begin_with(self) -> None:
        """What the table has now is of a snapshot: nobody vouches for it."""
        for receiver in self.receivers.values():
            receiver.whole = not receiver.state.digest.count

    # What is sent

    def compile(self) -> int:
        """Compile what is pending, once for all members; how many changes that were."""
        before = self._counters.items_sent
        for feed, sender in self.senders.items():
            if sender.pending:
                self._broadcast(feed, sender.compile())
        return self._counters.items_sent - before

    def clear(self) -> int:
        """Remove all entries of what this device manages, here and at the members; how many there were."""
        before = len(self._table)
        for feed, sender in self.senders.items():
            self._broadcast(feed, sender.clear())
        return before - len(self._table)

    def leave(self) -> None:
        """This device stops: say the last word of every feed."""
        self._leave_feeds(self.feeds)

    def report(self, feed: Feed, record: bytes) -> None:
        """The NAT process found fault with an entry (Fig. 4A, the action *error*): tell who manages it."""
        who = {"mapping": feed.mapping_id, "nat_id": int.from_bytes(record[NAT_ID], "big")}
        text = "mapping {mapping}: an entry of NAT ID {nat_id} has the key of another"
        self.events.append(Noted(text, who, repeats=True, mnemonic="SNAT-4-COLLISION"))
        link = self._manager.outgoing if self._manager is not None else None
        if link is not None:
            self._counters.entry_errors_sent += 1
            said = Error(ErrorCode.COLLISION, feed, NO_TERM, "collision", record[REFERENCE])
            link.put(encode(error(said)))

    def hint(self, hints: list[Hint]) -> bool:
        """Tell the manager what this device saw of its entries; False if nobody can be told."""
        links = self._manager.links() if self._manager is not None else []
        link = next((one for one in links if one.established), None)
        if link is None:
            return False
        for at in range(0, len(hints), items.MAXIMUM_HINTS):
            link.put(encode(items.hints(hints[at : at + items.MAXIMUM_HINTS])))
        return True

    def _leave_feeds(self, feeds: Collection[Feed]) -> None:
        self.compile()
        body = b"".join(
            control(sender.unavailable(keep=bool(self.owner == 0 or self.configuration.retain)))
            for feed, sender in self.senders.items()
            if feed in feeds
        )
        for neighbor in self.neighbors:
            for link in neighbor.links() if body else ():
                link.put(encode(body))

    def _compile_due(self, now: float) -> None:
        if now >= self._compile_at and self.pending:
            changes = self.compile()
            many = changes > MANY * max(_TURN, now - self._compiled)
            self._compile_at = now + (self.configuration.update_interval or (GATHER if many else 0.0))
            self._compiled = now

    def _broadcast(self, feed: Feed, messages: list[bytes]) -> None:
        """Queue messages of changes on every outgoing link, but for members that ask periodically."""
        for neighbor in self.neighbors:
            if neighbor.outgoing is not None and not neighbor.pulls(feed):
                for message in messages:
                    neighbor.outgoing.put(message)

    def _sender(self, state: FeedState, term: Term) -> Sender:
        return Sender(
            state,
            self._table,
            term,
            self._counters,
            maximum_entries=self.configuration.maximum_entries,
            maximum_bytes=self.configuration.maximum_bytes - SIZE,
        )

    # What is configured anew

    def _drop(self, feeds: Iterable[Feed]) -> None:
        """Neither send nor receive these feeds any more."""
        for feed in feeds:
            sender = self.senders.pop(feed, None)
            if sender is not None:
                sender.stop()
            self.receivers.pop(feed, None)
            del self.feeds[feed]
            for neighbor in self.neighbors:
                neighbor.leaves(feed)

    def _limit(self) -> None:
        """What the configuration says of messages, of journals and of how often to ask."""
        self._bound_journals()
        for sender in self.senders.values():
            sender.maximum_entries = self.configuration.maximum_entries
            sender.maximum_bytes = self.configuration.maximum_bytes - SIZE
        for receiver in self.receivers.values():
            receiver.interval = self.configuration.pull_interval

    def _bound_journals(self) -> None:
        for state in self.feeds.values():
            state.journal.bound(min(DEFAULT_LIMIT, TOTAL_LIMIT // len(self.feeds)))

    # What is received

    @property
    def works(self) -> bool:
        """Whether a sweep goes on."""
        return any(receiver.works for receiver in self.receivers.values())

    def work(self, now: float) -> None:
        """A slice of each sweep."""
        for receiver in self.receivers.values():
            receiver.work(now)

    def refresh(self, now: float, *, forget: bool) -> None:
        """Ask the manager for a dump of everything, whatever is known, and perhaps forget that before."""
        for feed, receiver in self.receivers.items():
            if forget:
                self.feeds[feed].digest.change(self._table.clear(feed.mapping_id, feed.process_id), [])
            receiver.refresh(now)
        self._ask(now)

    def interrupted(self, neighbor: Neighbor) -> None:
        """The link that brought this neighbor's entries is gone, and a dump with it."""
        if neighbor is self._manager:
            for receiver in self.receivers.values():
                receiver.interrupted()

    def _ask(self, now: float) -> None:
        """Ask the manager for what this device lacks, on the link that its entries come by."""
        link = self._manager.incoming if self._manager is not None else None
        if link is None or not link.established:
            return
        for receiver in self.receivers.values():
            kind = receiver.wanted(now)
            if kind is not None:
                if kind is DumpKind.RESUME and not link.neighbor.can(Capability.RESUME):
                    kind = DumpKind.FEED
                link.put(encode(control(receiver.request(kind, now))))

    def _listening(self, *, synchronised: bool = False, whole: bool = False) -> dict[Feed, Receiver]:
        return {
            feed: self._receiver(state, synchronised=synchronised, whole=whole)
            for feed, state in self.feeds.items()
        }

    def _receiver(self, state: FeedState, *, synchronised: bool = False, whole: bool = False) -> Receiver:
        interval = self.configuration.pull_interval
        return Receiver(state, self._table, self._counters, synchronised, whole, interval)
