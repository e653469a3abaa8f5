"""The SNAT process, receiving side (Fig. 13B): a member applies what the feed's manager sends.

A member is *synchronised* when its digest agreed with the manager's at a sequence and every message since
then was applied. Anything else (a gap, a mismatch, a term it does not stand at the base of) makes it ask for
a dump, which is marked and swept: what the manager does not have, disappears.
"""

from dataclasses import dataclass, field
from typing import Final

from snat.nat.entry import ID
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState, belongs_to
from snat.wire.actions import Action, Digest, DumpBegin, DumpEnd, Released, changes
from snat.wire.errors import ErrorCode
from snat.wire.header import Message, Position

REQUEST_TIME: Final = 3.0
"""Seconds without a byte of the dump before it is asked for again."""


@dataclass(slots=True)
class Receiver:
    """A member's side of one feed."""

    state: FeedState
    table: NatTable
    counters: FeedCounters
    synchronised: bool = False
    _request: int = 0
    """Number of the last dump asked for."""
    _asked: float | None = None
    """When it was asked for or last progressed; None when none is under way."""
    _unseen: dict[bytes, bytes] | None = field(default=None)
    """Between begin and end: our records, by id, that no slice has shown yet."""

    def apply(self, message: Message, now: float) -> ErrorCode | None:
        """A numbered message, or a slice of a dump. The code to answer with, if it was refused.

        Raises WireError for a malformed message, before anything of it is applied.
        """
        position = self.state.position
        if message.term < position.term:
            self.counters.old_terms += 1
            return ErrorCode.OLD_TERM
        runs = changes(message.body, self.state.feed.mapping_id)
        if message.sequence == 0:
            self._take_slice(message, runs, now)
            return None
        if message.term != position.term or message.sequence != position.sequence + 1:
            # Not ours to apply: a gap while synchronised, expected while a dump is on its way.
            self.counters.gaps += self.synchronised
            self.synchronised = False
            return None
        self._change(runs)
        self.state.position = Position(position.term, message.sequence)
        self.counters.messages_applied += 1
        return None

    def compare(self, statement: Digest, now: float) -> ErrorCode | None:
        """The manager's statement; the code to answer with, if it was refused."""
        state = self.state
        if statement.position.term < state.position.term:
            self.counters.old_terms += 1
            return ErrorCode.OLD_TERM
        state.heard(statement.position.term)
        if self._unseen is not None and statement.position == state.position:
            return None  # the dump's end will tell
        if statement.position == Position(statement.position.term, 0) and statement.base == state.position:
            state.base, state.position = state.position, statement.position
        if statement.position != state.position:
            self.counters.gaps += self.synchronised
            self.synchronised = False
        elif (statement.count, statement.digest) == (state.digest.count, state.digest.value):
            self._verified(now)
        else:
            self.counters.mismatches += 1
            self.synchronised = False
        return None

    def agrees(self, released: Released) -> bool:
        """Whether we are exactly where the manager stopped."""
        state = self.state
        return (released.position, released.count, released.digest) == (
            state.position,
            state.digest.count,
            state.digest.value,
        )

    def wants_dump(self, now: float) -> bool:
        """Whether a dump should be asked for now."""
        return not self.synchronised and (self._asked is None or now - self._asked >= REQUEST_TIME)

    def request(self, now: float) -> int:
        """A dump is being asked for; its number."""
        self._request += 1
        self._asked = now
        self._unseen = None
        return self._request

    def begin(self, dump: DumpBegin, now: float) -> None:
        """The dump begins: from here on, what no slice shows is swept."""
        if dump.number != self._request or dump.position.term < self.state.position.term:
            return
        self._asked = now
        belongs = belongs_to(self.state.feed)
        self._unseen = {record[ID]: record for record in self.table if belongs(record)}
        self.state.position = dump.position
        self.state.heard(dump.position.term)
        self.synchronised = False

    def end(self, dump: DumpEnd, now: float) -> None:
        """The dump is complete: sweep, and prove that the tables are equal."""
        if dump.number != self._request or self._unseen is None:
            return
        removed = self.table.remove(self._unseen.values())
        self.counters.swept += len(removed)
        self.state.digest.change(removed, [])
        self._unseen = self._asked = None
        ours = (self.state.position, self.state.digest.count, self.state.digest.value)
        if ours == (dump.position, dump.count, dump.digest):
            self.counters.dumps_received += 1
            self._verified(now)
        else:
            self.counters.dumps_failed += 1

    def interrupted(self) -> None:
        """The link that brought the feed is gone, and a dump with it."""
        if self._asked is not None:
            self.counters.dumps_failed += 1
        self._asked = self._unseen = None

    def _verified(self, now: float) -> None:
        self.synchronised = True
        self._asked = None
        self.state.verified = now

    def _take_slice(self, message: Message, runs: list[tuple[Action, list[bytes]]], now: float) -> None:
        if self._unseen is not None and message.term == self.state.position.term:
            self._asked = now
            self._change(runs)

    def _change(self, runs: list[tuple[Action, list[bytes]]]) -> None:
        for action, records in runs:
            self.counters.items_applied += len(records)
            if action is Action.DELETE:
                removed = self.table.remove(records)
                self.counters.deletes_unknown += len(records) - len(removed)
                self.state.digest.change(removed, [])
            else:
                self.state.digest.change(self.table.add(records), records)
                if self._unseen:
                    for record in records:
                        self._unseen.pop(record[ID], None)
