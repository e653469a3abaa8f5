"""Numbered bytes: a stream of which every byte tells whether it is the one that belongs there.

The stream is a run of 8-byte words: flow, direction, number. A flow's stream can thus not be cut,
repeated, changed or mixed with another without its reader seeing it.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

_WORD: Final = Struct(">HHI")
_PREFIX: Final = Struct(">HH")

MAXIMUM_FLOWS: Final = 0xFFFF
"""A word has 16 bits for the flow."""


class Direction(IntEnum):
    """Which way a stream runs."""

    UP = 1
    """Client to server."""
    DOWN = 2


def numbered(flow: int, direction: Direction, position: int, length: int) -> bytes:
    """``length`` bytes of a stream from byte ``position`` on."""
    first, skipped = divmod(position, _WORD.size)
    last = -(-(position + length) // _WORD.size)
    words = b"".join(_WORD.pack(flow, direction, number) for number in range(first, last))
    return words[skipped : skipped + length]


@dataclass(slots=True, kw_only=True)
class StreamCheck:
    """The reader's side of a stream: what arrived, and the first thing that was wrong with it."""

    flow: int
    direction: Direction
    position: int = 0
    """Bytes that arrived and were right."""
    missing: int = 0
    """Bytes lost at the first fault; negative: repeated; 0: neither, or some that belong nowhere."""
    fault: str = ""
    """Empty while the stream is intact. Nothing is checked after the first fault."""

    def receive(self, data: bytes) -> None:
        """Check the next bytes of the stream."""
        if self.fault:
            return
        if data == numbered(self.flow, self.direction, self.position, len(data)):
            self.position += len(data)
        else:
            self.fault = self._diagnose(data)

    def _diagnose(self, data: bytes) -> str:
        wanted = numbered(self.flow, self.direction, self.position, len(data))
        good = next(i for i, (a, b) in enumerate(zip(data, wanted, strict=True)) if a != b)
        where = self.position + good
        self.missing = self._shift(data)
        if self.missing > 0:
            return f"{self.missing} bytes lost at byte {where}"
        if self.missing < 0:
            return f"{-self.missing} bytes repeated at byte {where}"
        return f"wrong bytes at byte {where}: {data[good : good + 8].hex()}"

    def _shift(self, data: bytes) -> int:
        """How far ahead of its place the end of ``data`` is, if it is a piece of this stream; else 0."""
        prefix = _PREFIX.pack(self.flow, self.direction)
        at = data.find(prefix)
        while 0 <= at <= len(data) - _WORD.size:
            place = _WORD.unpack_from(data, at)[2] * _WORD.size
            # A word across the cut begins here and ends elsewhere: believe one that all the rest follows.
            if data[at:] == numbered(self.flow, self.direction, place, len(data) - at):
                return int(place) - (self.position + at)
            at = data.find(prefix, at + 1)
        return 0
