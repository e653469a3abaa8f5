"""A capture file in large pieces."""

from typing import BinaryIO, Final

from snat.net.capture_frame import CaptureError

PIECE: Final = 1 << 18
"""Bytes that are read at once, unless a record is longer."""


class Pieces:
    """A file, a piece at a time: ``data[at:]`` is what was read and not yet looked at."""

    def __init__(self, file: BinaryIO) -> None:
        self.name = str(getattr(file, "name", "capture"))
        self.data = b""
        self.at = 0
        self._file = file
        self._before = 0
        """Bytes of the file before ``data``."""

    @property
    def offset(self) -> int:
        """Where in the file ``at`` is."""
        return self._before + self.at

    def more(self, wanted: int) -> bool:
        """Have ``wanted`` bytes at ``at``, reading on; False: the file has no more. Moves ``at``."""
        if len(self.data) - self.at >= wanted:
            return True
        parts = [self.data[self.at :]]
        self._before += self.at
        missing = wanted - len(parts[0])
        while missing > 0 and (part := self._file.read(max(PIECE, missing))):
            parts.append(part)
            missing -= len(part)
        self.data, self.at = b"".join(parts), 0
        return missing <= 0

    def damaged(self, what: str) -> CaptureError:
        """The file is not what it should be at ``at``."""
        return CaptureError(self.name, self.offset, what, "the file is damaged from here on")
