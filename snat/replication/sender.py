"""The SNAT process, sending side (Fig. 13A): a feed's changes become messages, once for all members."""

from typing import Final

from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.snat_queue import SnatQueue
from snat.wire.actions import Action, Digest, Released, TermBegin, Unavailable, item
from snat.wire.header import SIZE, Term, encode

MESSAGE_SIZE: Final = 16384 - SIZE
"""Bytes of items in a message when there is that much to say: one TLS record."""
_CHANGES_AT_ONCE: Final = 512


class Sender:
    """The manager's side of one feed, for as long as the term lasts."""

    def __init__(self, state: FeedState, table: NatTable, term: Term, counters: FeedCounters) -> None:
        self.state = state
        self._table = table
        self._counters = counters
        self._queue = SnatQueue(state.feed.mapping_id)
        self.begun = TermBegin(state.feed, term, state.enter(term))
        """What members that stand at the base of the term are told."""
        table.listen(self._queue)

    @property
    def pending(self) -> bool:
        """Whether there are changes to compile."""
        return bool(self._queue)

    def compile(self) -> list[bytes]:
        """Messages for everything in the SNAT queue. The digest advances here: it is "at sequence s"."""
        messages: list[bytes] = []
        parts: list[bytes] = []
        size = 0
        while changes := self._queue.drain(_CHANGES_AT_ONCE):
            self.state.digest.change(
                [old for *_, old, _ in changes if old], [new for *_, new in changes if new]
            )
            for action, data, _, _ in changes:
                if size and size + len(data) + 4 > MESSAGE_SIZE:
                    messages.append(self._number(parts))
                    parts, size = [], 0
                parts.append(item(action, data))
                size += len(parts[-1])
        if parts:
            messages.append(self._number(parts))
        return messages

    def statement(self) -> Digest:
        """What members compare themselves with; true once everything is compiled."""
        state = self.state
        return Digest(state.feed, state.position, state.digest.count, state.digest.value)

    def released(self) -> Released:
        """The last word of a term that is handed over."""
        state = self.state
        return Released(state.feed, state.position, state.digest.count, state.digest.value)

    def unavailable(self) -> Unavailable:
        """The last word of a device that leaves; its entries go on under another manager."""
        state = self.state
        return Unavailable(state.feed, state.position, state.digest.count, state.digest.value, keep=1)

    def clear(self) -> list[bytes]:
        """Remove all entries of the feed; the messages, of which the last is one item for all of them."""
        messages = self.compile()
        feed = self.state.feed
        self._table.unlisten(self._queue)
        removed = self._table.clear(feed.mapping_id, feed.process_id)
        self._table.listen(self._queue)
        self.state.digest.change(removed, [])
        self._counters.cleared += 1
        return [*messages, self._number([item(Action.DELETE_ALL, b"")])]

    def stop(self) -> None:
        """This device no longer manages the feed."""
        self._table.unlisten(self._queue)

    def _number(self, parts: list[bytes]) -> bytes:
        state = self.state
        body = b"".join(parts)
        state.advance(body)
        self._counters.messages_sent += 1
        self._counters.items_sent += len(parts)
        return encode(body, state.feed, state.position.term, state.position.sequence)
