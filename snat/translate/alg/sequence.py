"""The numbers of a TCP direction whose bytes are edited: what its sender counts, and its receiver is told.

A change says that ``start`` to ``end`` of what the sender sends became ``text``. So the stream that the
receiver gets is a function of the one that was sent, however it was cut into segments, and however often: a
retransmission becomes what the first transmission became. Numbers are not bounded: the nearest to what
was seen last is meant by 32 bits.
"""

from typing import Final, NamedTuple

_MODULUS: Final = 1 << 32
_HALF: Final = 1 << 31
KEPT: Final = 8
"""Changes that the receiver has acknowledged and that are remembered: the acknowledgement may get lost."""
MOST_CHANGES: Final = 256
"""Changes of a direction that are remembered at all,"""
MOST_TEXT: Final = 16384
"""and bytes of them. What is older is forgotten: it can be told apart, and not be sent again."""


class Change(NamedTuple):
    """``start`` to ``end``, not empty, became ``text``; None: it is not known any more as what."""

    start: int
    end: int
    text: bytes | None
    grows: int
    """Bytes that the text is longer than what it replaces; negative: shorter."""


def unwrap(number: int, near: int) -> int:
    """The number that 32 bits mean: the one nearest to ``near``."""
    return near + ((number - near + _HALF) % _MODULUS) - _HALF


class Numbers:
    """One direction. ``None`` is what is not known: after a takeover, until a segment tells."""

    __slots__ = ("acknowledged", "base", "changes", "next")

    def __init__(self) -> None:
        self.next: int | None = None
        """The first byte that was not read."""
        self.acknowledged: int | None = None
        """The first byte that the receiver has not acknowledged, as far as was seen."""
        self.base = 0
        """What is added to numbers before the first change that is remembered."""
        self.changes: list[Change] = []

    @property
    def shift(self) -> int:
        """What is added to a number behind all changes."""
        return self.base + sum(change.grows for change in self.changes)

    def of(self, number: int) -> int:
        """What 32 bits of the sender mean."""
        near = self.next if self.next is not None else self.acknowledged
        return number if near is None else unwrap(number, near)

    def told(self, at: int) -> int:
        """What a number of the sender is for the receiver."""
        shift = self.base
        for start, end, _, grows in self.changes:
            if at <= start:
                break
            if at < end:
                return start + shift + min(at - start, end - start + grows)
            shift += grows
        return at + shift

    def meant(self, told: int, *, first: bool = False) -> int:
        """What a number of the receiver is for the sender: the last one that is told so.

        ``first``: where something begins that the receiver has from there on; never within a change of which
        it may have but a part.
        """
        shift = self.base
        for start, end, _, grows in self.changes:
            begin, size = start + shift, end - start + grows
            if told < begin or (first and told == begin):
                break
            if told < begin + size:
                inside = start + min(told - begin, end - start - 1)
                return end if first and self.told(inside) < told else inside
            shift += grows
        return told - shift

    def written(self, start: int, payload: bytes) -> bytes | None:
        """What a segment's payload becomes; None: it was something else once, and nobody knows what."""
        end, at, made = start + len(payload), start, []
        for change in self.changes:
            if change.end <= start or change.start >= end:
                continue
            if change.text is None:
                return None
            if at < change.start:
                made.append(payload[at - start : change.start - start])
            begin = min(max(0, start - change.start), len(change.text))
            stop = len(change.text) if end >= change.end else min(end - change.start, len(change.text))
            made.append(change.text[begin:stop])
            at = min(change.end, end)
        if not made:
            return payload
        made.append(payload[at - start :])
        return b"".join(made)

    def touches(self, start: int, end: int) -> bool:
        """Whether anything there was changed."""
        return any(change.start < end and change.end > start for change in self.changes)

    def change(self, start: int, end: int, text: bytes) -> None:
        """From now on, ``start`` to ``end`` is ``text``. It lies behind all that was changed before."""
        self.changes.append(Change(start, end, text, len(text) - (end - start)))
        self._forget()

    def acknowledge(self, told: int) -> None:
        """The receiver has everything before a number of its own."""
        at = self.meant(told)
        if self.acknowledged is None or at > self.acknowledged:
            self.acknowledged = at
            self._forget()

    def _forget(self) -> None:
        """What is acknowledged becomes part of the base; what takes too much loses its text."""
        changes = self.changes
        known = self.acknowledged
        while len(changes) > MOST_CHANGES or (
            len(changes) > KEPT and known is not None and changes[0].end <= known
        ):
            self.base += changes.pop(0).grows
        spare = sum(len(change.text or b"") for change in changes) - MOST_TEXT
        for place, change in enumerate(changes if spare > 0 else ()):
            if spare <= 0:
                break
            spare -= len(change.text or b"")
            changes[place] = change._replace(text=None)
