"""What was changed in the kernel: told in the log, and counted by its kind."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What there is of ours in the kernel."""

    RULES = "rules"
    ROUTES = "routes"
    INTERFACES = "interfaces"
    """Their groups, and MTU, queue and state of the TUNs."""
    ADDRESSES = "addresses"
    PROXIES = "proxies"
    SYSCTLS = "sysctls"
    TABLES = "tables"
    """Of nftables: the guard, and ``ip tcp adjust-mss``."""


class KernelChange(NamedTuple):
    """One of them."""

    kind: Kind
    words: str
    """In those of ``ip``, where it has some."""

    def __str__(self) -> str:
        return self.words
