"""What keeps a configuration from being applied."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that keeps a configuration from being applied."""

    what: str
    where: str
    """The line of the running configuration that it concerns, without indent."""
    remedy: str
    """What to do."""
    missing: bool = False
    """Whether adding lines cures it: then a session may go on typing, a file may not end so."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"
