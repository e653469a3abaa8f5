"""Examples of every kind of message, as commented hex: what doc/protocol.md says, in bytes."""

from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).parent

NAMES: Final = sorted(path.stem for path in DIRECTORY.glob("*.hex"))


def vector(name: str) -> bytes:
    """The bytes of a vector; ``#`` begins a comment."""
    lines = (DIRECTORY / f"{name}.hex").read_text().splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))
