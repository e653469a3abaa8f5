"""The SNAT process, sending side (Fig. 13A): a feed's changes become messages, once for all members."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.packing import pack
from snat.replication.snat_queue import Run, SnatQueue
from snat.wire.actions import Action, Digest, Released, TermBegin, Unavailable
from snat.wire.header import SIZE, Position, Term, encode
from snat.wire.items import item

MESSAGE_SIZE: Final = 16384 - SIZE
"""Bytes of items in a message when there is that much to say: one TLS record."""
_SAMPLES: Final = 512
"""Keepalives that are remembered; who lags longer lags by that long."""
_CHANGES_AT_ONCE: Final = 4096


class Sender:
    """The manager's side of one feed, for as long as the term lasts."""

    def __init__(
        self,
        state: FeedState,
        table: NatTable,
        term: Term,
        counters: FeedCounters,
        *,
        maximum_entries: int = 0,
        maximum_bytes: int = MESSAGE_SIZE,
    ) -> None:
        """Messages hold at most ``maximum_entries`` items (0: any number), in ``maximum_bytes``."""
        self.state = state
        self.maximum_entries = maximum_entries
        self.maximum_bytes = maximum_bytes
        self._table = table
        self._counters = counters
        self._queue = SnatQueue(state.feed)
        self.begun = TermBegin(state.feed, term, state.enter(term))
        """What members that stand at the base of the term are told."""
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        table.listen(self._queue)

    @property
    def pending(self) -> bool:
        """Whether there are changes to compile."""
        return bool(self._queue)

    def compile(self) -> list[bytes]:
        """Messages for everything in the SNAT queue. The digest advances here: it is "at sequence s"."""
        packed = pack(self._runs(), self.maximum_entries, self.maximum_bytes)
        return [self._number(body, count) for body, count in packed]

    def statement(self) -> Digest:
        """What members compare themselves with; true once everything is compiled."""
        state = self.state
        return Digest(state.feed, state.position, state.digest.count, state.digest.value)

    def sample(self, now: float) -> None:
        """Remember how far the feed is now: lags are told in seconds by it."""
        self._samples.append((now, self.state.position.sequence))

    def lag(self, at: Position, now: float) -> tuple[int, float]:
        """How many messages a member at a position is behind, and for how many seconds (to a keepalive)."""
        position = self.state.position
        reached = at.sequence if at.term == position.term else 0
        missed = next((then for then, sequence in self._samples if sequence > reached), now)
        return max(0, position.sequence - reached), now - missed

    def released(self) -> Released:
        """The last word of a term that is handed over."""
        state = self.state
        return Released(state.feed, state.position, state.digest.count, state.digest.value)

    def unavailable(self, *, keep: bool = True) -> Unavailable:
        """The last word of a device that leaves; its entries go on under another manager, or go with it."""
        state = self.state
        return Unavailable(state.feed, state.position, state.digest.count, state.digest.value, keep=int(keep))

    def clear(self) -> list[bytes]:
        """Remove all entries of the feed; the messages, of which the last is one item for all of them."""
        messages = self.compile()
        feed = self.state.feed
        self._table.unlisten(self._queue)
        removed = self._table.clear(feed.mapping_id, feed.process_id)
        self._table.listen(self._queue)
        self.state.digest.change(removed, [])
        self._counters.cleared += 1
        return [*messages, self._number(item(Action.DELETE_ALL, b""), 1)]

    def stop(self) -> None:
        """This device no longer manages the feed."""
        self._table.unlisten(self._queue)

    def _runs(self) -> Iterator[Run]:
        while runs := self._queue.drain(_CHANGES_AT_ONCE):
            for run in runs:
                self.state.digest.change(run.removed, run.added)
                yield run

    def _number(self, body: bytes, count: int) -> bytes:
        """The next message of the feed, of ``count`` items."""
        state = self.state
        state.advance(body)
        self._counters.messages_sent += 1
        self._counters.items_sent += count
        return encode(body, state.feed, state.position.term, state.position.sequence)
