"""Access lists: which inside hosts a rule is for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """``permit|deny ADDRESS WILDCARD``; bits that are set in the wildcard are not compared."""

    permit: bool
    address: int
    wildcard: int


@dataclass(frozen=True, slots=True)
class AccessList:
    """A standard list: the first line that matches decides, none means deny."""

    lines: tuple[Line, ...]

    def permits(self, address: int) -> bool:
        """Whether an IPv4 address, as an integer, is permitted."""
        for line in self.lines:
            if not (address ^ line.address) & ~line.wildcard & 0xFFFFFFFF:
                return line.permit
        return False
