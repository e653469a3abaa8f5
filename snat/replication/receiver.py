"""The SNAT process, receiving side (Fig. 13B): a member applies what the feed's manager sends.

A member's table is *whole* when it is what the manager had at the member's position, and it is *synchronised*
when it is whole, the digests agreed, and every message since then was applied. After a gap it is still whole
and asks for what it missed; after a mismatch it asks for a dump, which is swept: what the manager does not
have, disappears.
"""

from dataclasses import dataclass, field
from typing import Final

from snat.nat.table import NatTable
from snat.replication.digest import FeedDigest
from snat.replication.feed import FeedCounters, FeedState, belongs_to
from snat.replication.sweep import Sweep
from snat.wire.actions import (
    Action,
    Digest,
    DumpBegin,
    DumpEnd,
    DumpKind,
    DumpRequest,
    Had,
    Released,
    TermBegin,
    Unavailable,
)
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import Feed, Message, Position
from snat.wire.items import Run, changes

REQUEST_TIME: Final = 3.0
"""Seconds without a byte of what was asked for before it is asked for again."""
LONGEST_DELAY: Final = 300.0
"""Seconds between two repairs that did not help, at most; and without a failure, until all are forgotten."""
_SOON: Final = 0.2
"""Seconds until somebody is asked again who was not synchronised."""
_DIVERGED: Final = 2
"""Failed repairs after which it is an alarm."""


def changes_of(message: Message, feed: Feed) -> list[Run]:
    """The changes of a message of ``feed``. Raises WireError if one is malformed, or no add in a slice."""
    runs = changes(message.body, feed)
    if message.sequence == 0 and any(action is not Action.ADD for action, _ in runs):
        raise WireError(ErrorCode.MALFORMED, "a slice of a dump holds adds alone")
    return runs


@dataclass(slots=True)
class Receiver:
    """A member's side of one feed."""

    state: FeedState
    table: NatTable
    counters: FeedCounters
    synchronised: bool = False
    whole: bool = False
    interval: float = 0.0
    """Seconds between two requests of a member that does not listen; 0: it listens."""
    failures: int = 0
    """Digests that did not agree, lately."""
    level_at: float | None = None
    """When this member was last where the manager said it was; None: the manager said nothing yet."""
    stated: Position = field(default_factory=Position)
    """Where the manager last said it was."""
    _request: int = 0
    """Number of the last dump asked for."""
    _asked: float | None = None
    """When it was asked for or last progressed; None when nothing is under way."""
    _next: float = 0.0
    """Not before then anything is asked for: after failures, or because of the interval."""
    _failed_at: float = 0.0
    """When something failed last, or was mended: from then on it must hold before all is forgotten."""
    _sweep: Sweep | None = None
    """From the begin of a dump to the end of its sweep."""
    _end: DumpEnd | None = None
    """What the dump's end said; its sweep goes on."""

    def __post_init__(self) -> None:
        untouched = self.state.position == Position() and not self.state.digest.count
        self.whole = self.whole or self.synchronised or untouched

    @property
    def diverged(self) -> bool:
        """Repairs did not help."""
        return self.failures >= _DIVERGED and not self.synchronised

    def lag(self, now: float) -> tuple[int, float]:
        """Messages behind what the manager stated (as far as they can be counted), and seconds."""
        position, stated = self.state.position, self.stated
        if stated <= position or self.level_at is None:
            return 0, 0.0
        begun = position.sequence if position.term == stated.term else 0
        return stated.sequence - begun, now - self.level_at

    # What the manager says

    def apply(self, message: Message, now: float) -> ErrorCode | None:
        """A numbered message, or a slice of a dump. Why it was not applied, if it was refused.

        Raises WireError for a malformed message, before anything of it is applied.
        """
        runs = changes_of(message, self.state.feed)
        position, at = self.state.position, Position(message.term, message.sequence)
        if message.sequence and self.state.knows(at.term) and self.state.has_been_at(at):
            self.counters.past += 1
            return ErrorCode.PAST
        if at.term < position.term:
            self.counters.old_terms += 1
            return ErrorCode.OLD_TERM
        if message.sequence == 0:
            self._take_slice(message, runs, now)
        elif at == (position.term, position.sequence + 1):
            self._change(runs)
            self.state.advance(message.body)
            self.counters.messages_applied += 1
            self._progress(now)
        else:
            self._gap()
        return None

    def enter(self, begin: TermBegin) -> None:
        """A term begins: for us too, if we stand where it does."""
        self.state.heard(begin.term)
        stands = self.state.position == begin.base and begin.term > begin.base.term
        if stands and (self.whole or self._sweep is not None):
            self.state.enter(begin.term)

    def had(self, said: Had) -> None:
        """The manager's table has this too; so has ours, when it is equal."""
        self.state.has(said.position)

    def compare(self, statement: Digest, now: float) -> ErrorCode | None:
        """The manager's statement; the code to answer with, if it was refused."""
        state = self.state
        if statement.position.term < state.position.term:
            self.counters.old_terms += 1
            return ErrorCode.OLD_TERM
        state.heard(statement.position.term)
        self.stated = max(self.stated, statement.position)
        if statement.position > state.position:
            self.level_at = now if self.level_at is None else self.level_at
            self._gap()
            return None
        self.level_at = now
        repairs = self._sweep is not None or (self._asked is not None and not self.whole)
        if not repairs and statement.position == state.position:
            if FeedDigest(statement.count, statement.digest) == state.digest:
                self._verified(now)
            elif self.whole:
                self.counters.mismatches += 1
                self._failed(now)
        return None  # otherwise the end of a dump tells, or it is an old statement

    def agrees(self, said: Released | Unavailable) -> bool:
        """Whether we are exactly where the manager stopped."""
        return said.position == self.state.position and self.state.digest == FeedDigest(
            said.count, said.digest
        )

    # What we ask for

    def wanted(self, now: float) -> DumpKind | None:
        """What should be asked for now."""
        if now < self._next or (self._asked is not None and now - self._asked < REQUEST_TIME):
            return None
        if self.synchronised and not (self.interval and self.stated > self.state.position):
            return None
        return DumpKind.RESUME if self.whole else DumpKind.FEED

    def request(self, kind: DumpKind, now: float) -> DumpRequest:
        """What is asked for now."""
        self._request += 1
        self._asked = now
        self._next = now + self.interval
        self._sweep = self._end = None
        return DumpRequest(self._request, self.state.feed, kind, self.state.position)

    def refused(self, now: float) -> None:
        """Whom we asked cannot vouch for it now; it may soon."""
        self._asked = None
        self._next = now + _SOON

    def refresh(self, now: float) -> None:
        """Ask for a dump, whatever is known (an operator wants it so)."""
        self.synchronised = self.whole = False
        self._asked = None
        self._next = now

    # A dump

    def begin(self, dump: DumpBegin, now: float) -> None:
        """The dump begins: from here on, what it does not show is swept."""
        if dump.number != self._request or dump.kind != DumpKind.FEED or self._asked is None:
            return
        if dump.position.term < self.state.position.term:
            return
        self._asked = now
        self._sweep = Sweep(self.table, self.state.feed)
        self._end = None
        self.state.restart(dump.position)
        self.synchronised = self.whole = False

    def end(self, dump: DumpEnd, now: float) -> None:
        """The dump is complete; its sweep begins."""
        if dump.number != self._request or self._sweep is None or self._end is not None:
            return
        self._end = dump
        if self.state.position == dump.position:
            self.work(now)
        else:
            self._end_dump(now, proved=False)

    @property
    def works(self) -> bool:
        """Whether :meth:`work` has something to do."""
        return self._end is not None

    def work(self, now: float) -> None:
        """A slice of the sweep. At its end the tables are proved equal.

        If the feed went on meanwhile, the table is taken for whole, and asking for what it missed proves it.
        """
        if self._sweep is None or self._end is None:
            return
        removed = self._sweep.step()
        self.counters.swept += len(removed)
        self.state.digest.change(removed, [])
        self._asked = now
        if self._sweep.done and self.state.position == self._end.position:
            expected = FeedDigest(self._end.count, self._end.digest)
            if self.state.digest != expected:
                self._recount()
            self._end_dump(now, proved=self.state.digest == expected)
        elif self._sweep.done:
            self.counters.dumps_received += 1
            self._asked = self._sweep = self._end = None
            self.whole = True

    def interrupted(self) -> None:
        """The link that brought the feed is gone, and a dump with it."""
        if self._asked is not None:
            self.counters.dumps_failed += 1
        self._asked = self._sweep = self._end = None

    # Inside

    def _end_dump(self, now: float, *, proved: bool) -> None:
        self._sweep = self._end = None
        if proved:
            self.counters.dumps_received += 1
            self._verified(now)
        else:
            self.counters.dumps_failed += 1
            self._failed(now)

    def _recount(self) -> None:
        """Take the digest of the table anew: a neighbor's fault in one feed may have removed from another."""
        belongs = belongs_to(self.state.feed)
        self.state.digest = FeedDigest()
        self.state.digest.change([], [one for one in self.table.records() if belongs(one)])

    def _verified(self, now: float) -> None:
        if not self.whole:
            self._failed_at = now
        self.synchronised = self.whole = True
        self._asked = None
        self.state.verified = self.level_at = now
        if now - self._failed_at >= LONGEST_DELAY:
            self.failures = 0

    def _failed(self, now: float) -> None:
        """Not equal at the same position. The first repair begins at once, the next ones wait longer each."""
        self.synchronised = self.whole = False
        self.failures += 1
        self._failed_at = now
        self._asked = None
        doublings = min(self.failures - 2, 9)
        self._next = now + (min(2.0**doublings, LONGEST_DELAY) if doublings >= 0 else 0.0)

    def _gap(self) -> None:
        if not self.interval:
            self.counters.gaps += self.synchronised
            self.synchronised = False

    def _progress(self, now: float) -> None:
        if self._asked is not None:
            self._asked = now

    def _take_slice(self, message: Message, runs: list[Run], now: float) -> None:
        if self._sweep is not None and self._end is None and message.term == self.state.position.term:
            self._asked = now
            self._change(runs)

    def _change(self, runs: list[Run]) -> None:
        feed = self.state.feed
        for action, records in runs:
            self.counters.items_applied += len(records)
            if action is Action.DELETE_ALL:
                self.counters.cleared += 1
                self.state.digest.change(self.table.clear(feed.mapping_id, feed.process_id), [])
            elif action is Action.DELETE:
                removed = self.table.remove(records)
                self.counters.deletes_unknown += len(records) - len(removed)
                self.state.digest.change(removed, [])
            else:
                replaced = self.table.add(records)
                self.state.digest.change(replaced and list(filter(belongs_to(feed), replaced)), records)
