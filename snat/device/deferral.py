"""``defer``: the first packet of a flow waits until the members have the flow's entry (design section 7).

Then no answer can come to a router that does not know whom it is for, and no router that dies takes a flow
with it of which the outside host has already heard. The wait is short and bounded, whoever is slow.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from snat.device.group import Group
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


@dataclass(slots=True)
class _Waiting:
    until: float
    verdict: Verdict
    packet: bytes
    needs: dict[Feed, Position] | None = None
    """What the members must have applied; None: it is not compiled yet."""


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
        if self._translator.counters.created == created or verdict is Verdict.DROP:
            return verdict
        if len(self._waiting) >= MOST:
            self.counters.full += 1
            return verdict
        self.counters.deferred += 1
        self._waiting.append(_Waiting(now + PATIENCE, verdict, bytes(buffer[:length])))
        return Verdict.DROP

    def turn(self, groups: Iterable[Group], now: float) -> None:
        """Ask the members where they are, once for all that waits, and let go what they have."""
        if not self._waiting:
            return
        deferring = [group for group in groups if group.configuration.defer and group.manages]
        asks = False
        for waiting in self._waiting:
            if waiting.needs is None and not any(group.pending for group in deferring):
                waiting.needs = {
                    feed: state.position for group in deferring for feed, state in group.feeds.items()
                }
                asks = True
        if asks:
            _prompt(deferring)
        rest = []
        for waiting in self._waiting:
            had = waiting.needs is not None and all(_has(one, waiting.needs, now) for one in deferring)
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
