"""SYNs from outside that nobody asked for (RFC 5382 REQ-4).

They may be one half of a simultaneous open, so their senders are told nothing for six seconds; and nothing at
all if the other half comes meanwhile.
"""

from typing import Final

from snat.translate.counters import TranslateCounters
from snat.translate.own_error import OwnErrors
from snat.translate.packet import START, TOTAL_LENGTH

PATIENCE: Final = 6.0
"""Seconds that a simultaneous open may take."""
MOST: Final = 1024
"""SYNs that wait; strangers can send more, whose senders are told nothing."""
_KEPT: Final = 120
"""Bytes of each, enough for all its headers."""


class UnaskedSyns:
    """Those of the last six seconds, by the 5-tuple that they came with."""

    def __init__(self, errors: OwnErrors, counters: TranslateCounters) -> None:
        self._errors = errors
        self._counters = counters
        self._waiting: dict[bytes, tuple[float, bytearray]] = {}
        """When each sender is to be told, and the SYN behind its virtio header; the oldest first."""

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, key: bytes, buffer: bytearray, now: float) -> None:
        """A SYN was dropped. If it was sent again, the first one counts."""
        if key in self._waiting:
            return
        if len(self._waiting) >= MOST:
            self._counters.unasked_forgotten += 1
            return
        total = int.from_bytes(buffer[TOTAL_LENGTH : TOTAL_LENGTH + 2], "big")
        self._waiting[key] = now + PATIENCE, buffer[: START + min(total, _KEPT)]

    def asked(self, key: bytes) -> None:
        """The other half of a simultaneous open has come."""
        self._waiting.pop(key, None)

    def next_deadline(self) -> float:
        """When somebody is to be told; infinite: nobody."""
        return next(iter(self._waiting.values()))[0] if self._waiting else float("inf")

    def expire(self, now: float) -> None:
        """Tell whose time has come that there is nobody."""
        while self.next_deadline() <= now:
            _, buffer = self._waiting.pop(next(iter(self._waiting)))
            self._errors.nobody_there(buffer, now)
