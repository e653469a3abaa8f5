"""What leaves only when the members know of it: first packets (``defer``), and what gateways edit.

Of a flow whose first packet waited until the members have its entry (design section 7), no answer can come to
a router that does not know whom it is for, and no router that dies takes a flow with it of which the outside
host has already heard. The same is so of an edit that changes a length (section 9): who took over without it
would number everything behind wrongly. The wait is short and bounded, whoever is slow.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from snat.device.group import Group
from snat.translate.alg.reading import Reader
from snat.translate.translator import Translator, Verdict
from snat.wire.header import Feed, Position, encode
from snat.wire.items import prompt

PATIENCE: Final = 0.02
"""Seconds that a packet waits at most."""
MOST: Final = 128
"""Packets that wait; more leave at once."""


@dataclass(slots=True)
class DeferralCounters:
    """What became of first packets."""

    deferred: int = 0
    released: int = 0
    """Of those: every member had the entry."""
    timed_out: int = 0
    """Of those: not every member said so in time; they left nevertheless."""
    full: int = 0
    """First packets that did not wait, since too many others did."""


class Agreement:
    """What the members must have applied: all that was changed before this was made."""

    def __init__(self) -> None:
        self._needs: dict[Feed, Position] | None = None
        """None: it is not compiled yet."""

    def is_asked(self, groups: list[Group]) -> bool:
        """Whether the members are to be asked now: it has been compiled since this was asked last."""
        if self._needs is not None or any(group.pending for group in groups):
            return False
        self._needs = {feed: state.position for group in groups for feed, state in group.feeds.items()}
        return True

    def is_reached(self, groups: list[Group], now: float) -> bool:
        """Whether every synchronised member of the groups has said that it has all of it."""
        return self._needs is not None and all(_has(group, self._needs, now) for group in groups)


class Edits:
    """Edits of gateways, until the members know of them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known = 0
        self._agreement = Agreement()

    @property
    def are_new(self) -> bool:
        """Whether there are some that the members were not asked about."""
        return self._reader.newest != self._known

    def turn(self, groups: Iterable[Group], now: float) -> None:
        """Ask for the newest edits; once they are known, all that waits leaves."""
        newest = self._reader.newest
        if newest == self._known and not self._reader.waits:
            return
        if self.are_new:
            self._known, self._agreement = newest, Agreement()
        managed = [group for group in groups if group.manages]
        if self._agreement.is_asked(managed):
            _prompt(managed)
        if self._reader.waits and self._agreement.is_reached(managed, now):
            self._reader.others_know(now)


@dataclass(slots=True)
class _Waiting:
    until: float
    verdict: Verdict
    packet: bytes
    agreement: Agreement


Translate = Callable[[bytearray, int, bool, float], Verdict]
"""As :meth:`Translator.translate`."""


class Deferral:
    """Packets that were translated and have not left."""

    def __init__(self, translator: Translator) -> None:
        self.counters = DeferralCounters()
        self._translator = translator
        self._waiting: list[_Waiting] = []

    def translate(
        self, translate: Translate, buffer: bytearray, length: int, from_outside: bool, now: float
    ) -> Verdict:
        """As :meth:`Translator.translate`; the first packet of a flow is dropped here, and leaves later."""
        created = self._translator.counters.created
        verdict = translate(buffer, length, from_outside, now)
        if self._translator.counters.created == created or verdict in (Verdict.DROP, Verdict.ELSEWHERE):
            return verdict
        if len(self._waiting) >= MOST:
            self.counters.full += 1
            return verdict
        self.counters.deferred += 1
        self._waiting.append(_Waiting(now + PATIENCE, verdict, bytes(buffer[:length]), Agreement()))
        return Verdict.DROP

    def turn(self, groups: Iterable[Group], now: float) -> None:
        """Ask the members where they are, once for all that waits, and let go what they have."""
        if not self._waiting:
            return
        deferring = [group for group in groups if group.configuration.defer and group.manages]
        asked = [waiting.agreement.is_asked(deferring) for waiting in self._waiting]
        if any(asked):
            _prompt(deferring)
        rest = []
        for waiting in self._waiting:
            had = waiting.agreement.is_reached(deferring, now)
            if had or waiting.until <= now:
                self.counters.released += had
                self.counters.timed_out += not had
                self._translator.more.append((waiting.verdict, waiting.packet))
            else:
                rest.append(waiting)
        self._waiting = rest

    def next_deadline(self) -> float:
        """When a packet leaves, whatever the members have; infinite if none waits."""
        return self._waiting[0].until if self._waiting else float("inf")


def _prompt(groups: list[Group]) -> None:
    """On the links that entries leave by, behind them."""
    links = {one.outgoing for group in groups for one in group.neighbors if one.outgoing is not None}
    for link in links:
        link.put(encode(prompt()))


def _has(group: Group, needs: dict[Feed, Position], now: float) -> bool:
    """Whether every synchronised member of a group has applied what it must."""
    return all(
        one.applied.get(feed, Position()) >= needs[feed]
        for feed in group.feeds
        if feed in needs
        for one in group.neighbors
        if group.listens(one, now) and not one.pulls(feed)
    )
