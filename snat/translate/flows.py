"""Flows: the entries that packets find, make, track and age (Fig. 9, 904-912).

A packet without a path finds its entry, or opens one if a rule and the device's role allow. TCP is followed
by its flags; what was not used for its time-out goes.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from snat.config.nat import Filtering
from snat.nat.ageing import Wheel
from snat.nat.entry import (
    FLAGS,
    NEVER,
    STATE,
    TAIL,
    Flag,
    State,
    with_state,
)
from snat.nat.limits import Limits
from snat.nat.pool import Pool
from snat.nat.rules import Rules
from snat.nat.table import NatTable
from snat.nat.tracking import FIN, RST, TCP, Closing, Timeouts, in_record, next_state
from snat.translate.counters import TranslateCounters as TranslateCounters
from snat.translate.entries import EXPECTED, OCTETS
from snat.translate.expected import life_of
from snat.translate.flow_cache import FlowCache, Path
from snat.translate.managed import ANYBODY, FOREVER
from snat.translate.opening import Opening
from snat.translate.packet import TCP_FLAGS, TRANSPORT
from snat.translate.segment import SEGMENT, belongs
from snat.wire.actions import Hint, Seen

_MOST_DUE: Final = 500
"""Entries looked at in one turn: a few milliseconds."""
_NEVER: Final = float("inf")


class Flows(Opening):
    """The entries of the flows that pass, as far as this device manages them; listens to the table."""

    def __init__(
        self,
        table: NatTable,
        cache: FlowCache,
        rules: Rules,
        timeouts: Timeouts,
        counters: TranslateCounters,
        *,
        identity: Callable[[], tuple[int, int]],
        now: float,
    ) -> None:
        super().__init__(table, cache, timeouts, counters, identity, now)
        self._ages_anew = False
        """All entries are to be put on the wheel again: not at once, for a takeover must not take longer."""
        self._unaged: list[bytes] = []
        """Inside-local endpoints whose entries are yet to be put there."""
        table.listen(cache, new=False)
        table.listen(self, new=False)
        self.use(rules)

    def track(self, path: Path, buffer: bytearray, total: int, from_outside: bool, now: float) -> None:
        """Follow a TCP connection (RFC 7857 section 2), or tell who manages its entry.

        A reset that may be anybody's passes, and changes nothing here (section 2.2).
        A path with a :class:`Closing` never takes the fast path, so nothing of its end is missed.
        """
        flags, segment = buffer[TCP_FLAGS], buffer[SEGMENT]
        self._now = now
        forged = flags & RST and not belongs(segment, path.last, path.other.last)
        if not flags & RST:
            path.last = segment
        if forged:
            self._counters.inexact_resets += 1
            return
        payload = total - 20 - (buffer[TRANSPORT + 12] >> 4) * 4
        after = acknowledged = 0
        if path.closing is not None or flags & FIN:
            after = int.from_bytes(buffer[TRANSPORT + 4 : TRANSPORT + 8], "big") + payload + 1 & 0xFFFFFFFF
            acknowledged = int.from_bytes(buffer[TRANSPORT + 8 : TRANSPORT + 12], "big")
        learns = self._follow if self.ages(path.record) else self.hints.segment
        learns(path, from_outside, flags, payload, after, acknowledged)

    def hinted(self, hint: Hint, now: float) -> bool:
        """Another router saw packets of an entry; False if this device does not manage it, or has it not."""
        self._now = now
        record = self._table.current(hint.entry)
        if record is None or not self.ages(record):
            return False
        path = self._path_of(record)
        path.seen = max(path.seen, now)
        if record[22] == TCP and hint.flags:
            from_outside, payload = bool(hint.seen & Seen.FROM_OUTSIDE), hint.seen & Seen.DATA
            self._follow(path, from_outside, hint.flags, payload, hint.after, hint.acknowledged)
        return True

    def _follow(
        self, path: Path, from_outside: bool, flags: int, payload: int, after: int, acknowledged: int
    ) -> None:
        """What a segment does to the state of an entry that this device manages."""
        now, was = self._now, path.record[STATE]
        was_over = path.closing is not None and path.closing.over
        if flags & (FIN | RST) and path.closing is None:
            path.closing = path.other.closing = Closing()
        if path.closing is not None:
            path.closing.see(from_outside, flags, after, acknowledged)
        state = next_state(was, flags, from_outside, payload, path.closing)
        if state != was:
            self._change_state(path.record, state, now)
            if was == State.CLOSING:
                path.closing = path.other.closing = None if path.application is None else Closing()
        if path.closing is not None and path.closing.over and not was_over:
            self._wheel.put(path.record, now + self.timeouts.finrst)

    def track_turned(self, path: Path, buffer: bytearray, total: int, now: float) -> None:
        """Follow a connection between two inside hosts: one connection, whose two entries say the same of it.

        Which of the two counts as outside makes no difference as long as it stays the same one.
        """
        twin = path.other
        was_over = path.closing is not None and path.closing.over
        self.track(path, buffer, total, path.tuple > twin.tuple, now)
        record, state = twin.record, path.record[STATE]
        if not self.ages(record):
            return
        if record[STATE] != state:
            self._change_state(record, state, now)
        if path.closing is not None and path.closing.over and not was_over:
            self._wheel.put(twin.record, now + self.timeouts.finrst)

    def _change_state(self, record: bytes, state: int, now: float) -> None:
        timeout = self.timeouts.of_record(with_state(record, state, 0))
        changed = with_state(record, state, in_record(timeout))
        self._table.add([changed])
        self._wheel.put(changed, now + timeout)

    def restate(self, record: bytes, now: float) -> None:
        """An entry says more, or something else, of what its flow carries."""
        self._table.add([record])
        self._wheel.put(record, now + self.timeouts.of_record(record))

    # Ageing

    def manage(
        self,
        mapping_id: int,
        managed: bool,
        now: float,
        *,
        owner: int = ANYBODY,
        retain: float = FOREVER,
    ) -> None:
        """Whether this device manages a mapping from now on, or what ``owner`` made in it.

        A taker starts every time-out in full. ``retain``: see :meth:`snat.translate.managed.Managed.take`.
        """
        self._now = now
        if not managed:
            self._managed.leave(mapping_id, owner)
            self.hints.leave()
            return
        self._managed.take(mapping_id, owner, now, retain)
        self._age_anew()  # not by what is left of an earlier time as manager

    def age_by(self, timeouts: Timeouts) -> None:
        """Take other time-outs, for the entries that exist too: one that never ended may end now."""
        if timeouts != self.timeouts:
            self.timeouts = timeouts
            self._kinds.clear()
            self._age_anew()

    def _age_anew(self) -> None:
        self._wheel = Wheel(self._now)
        self._unaged = []
        self._ages_anew = len(self._table) > 0

    def limit_by(self, limits: Limits) -> None:
        """How many flows there may be from now on. Those that exist stay."""
        self.load.limit(limits)

    def filter_by(self, filtering: Filtering) -> None:
        """Who may send to a mapped endpoint from now on. Flows that exist stay."""
        self._admission.filtering = filtering

    def restrain(self, mapping_id: int, restrained: bool, *, owner: int = ANYBODY) -> None:
        """Whether to make entries for TCP SYNs only: others may belong to one that is on its way here."""
        self._managed.restrain(mapping_id, owner, restrained)

    def give_up(self, losers: list[bytes], now: float) -> None:
        """Entries of others did not come into what we manage: their ports are not to be used soon.

        Nobody here followed their connections to the end.
        """
        self._now = now
        self._free(losers, quarantine=True)

    def forget(self, mapping_id: int, now: float, *, owner: int = ANYBODY) -> None:
        """Nobody shares this mapping any more, or the owner is no peer any more.

        Its entries go, and their ports wait before they are used.
        """
        self._now = now
        self._free(self._table.clear(mapping_id, owner), quarantine=True)

    def expire(self, now: float) -> None:
        """Look at the entries that are due, in a bounded slice."""
        self._now = now
        self._put_on_wheel()
        self.hints.expire(now, self.timeouts.of_record)
        gone = [record for due in self._wheel.due(now, _MOST_DUE) if (record := self._expired(due, now))]
        if gone:
            self._counters.expired += len(self._table.remove(gone))

    def next_deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        if self._unaged or self._ages_anew:
            return self._now
        return min(self._wheel.next_deadline(), self.hints.next_deadline())

    def remaining(self, record: bytes, now: float) -> int:
        """Seconds that an entry has left if it is used no more; 0: it is due, NEVER: it does not age.

        Of an entry that another device ages, what its record says: as of when that was made.
        """
        deadline = self._deadline(record)
        if deadline == _NEVER and self.ages(record):
            return NEVER
        if deadline == _NEVER:
            return int(TAIL.unpack_from(record, len(record) - TAIL.size)[0])
        return max(0, ceil(deadline - now))

    def ages(self, record: bytes) -> bool:
        """Whether this device tracks and ages an entry."""
        return self._managed.since(record) is not None

    def answers_for(self, address: bytes) -> bool:
        """Whether this device is who hosts outside reach by an address of a shared pool."""
        return any(
            rule.mapping_id in self._managed.makes
            for rule in self.rules.rules
            if isinstance(rule.pool, Pool) and address in rule.pool
        )

    def is_others(self, key: bytes, protocol: int) -> bool:
        """Whether a packet from outside is for a port that is another device's to give."""
        pool = self.rules.pool_of(key[4:8])
        return isinstance(pool, Pool) and pool.is_others(OCTETS[protocol] + key[4:8] + key[10:12])

    def is_known(self, key: bytes, protocol: int) -> bool:
        """Whether there is an entry for a packet from outside."""
        return self._exact(key, protocol, from_outside=True) is not None

    def idle_timeout(self, record: bytes) -> float:
        """Seconds without a packet after which an entry goes; infinite for what does not age."""
        if record[FLAGS] & EXPECTED:
            return life_of(record)
        path = self._cache.of(record)
        if path is not None and path.closing is not None and path.closing.over:
            return self.timeouts.finrst
        return self.timeouts.of_record(record)

    def used(self, record: bytes) -> float | None:
        """When a packet of an entry last came here; None: this device has seen none."""
        path = self._cache.of(record)
        return None if path is None else max(path.seen, path.other.seen)

    def _put_on_wheel(self) -> None:
        if self._ages_anew:
            self._ages_anew = False
            self._unaged = self._table.endpoints()
        slice_ = self._unaged[-_MOST_DUE:]
        del self._unaged[-_MOST_DUE:]
        for endpoint in slice_:
            for record in self._table.at(endpoint):
                self._wheel.put(record, self._deadline(record))

    def _expired(self, due: bytes, now: float) -> bytes | None:
        """The entry, if it was not used since; otherwise it is looked at again later."""
        record = self._table.current(due)
        if record is not due:
            return None  # gone, or changed: then its newer record is on the wheel too
        deadline = self._deadline(record)
        if deadline <= now:
            return record
        self._wheel.put(record, deadline)
        return None

    def _deadline(self, record: bytes) -> float:
        """When an entry has not been used for its time-out; infinite if another device ages it.

        Who takes over has not seen it used, so the takeover counts as a use.
        """
        since = self._managed.since(record)
        if since is None:
            return _NEVER
        if record[FLAGS] & EXPECTED:
            return self.expected_until(record)
        used = self.used(record)
        if used is None and not record[FLAGS] & Flag.EXTENDED:
            used = self._needed_since(record)
        idle = min(self.idle_timeout(record), self._managed.retain(record))
        return (since if used is None else max(since, used)) + idle
