"""All that commands read of a router, or do to it. ``snat.net.service`` satisfies it; tests fake it."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from snat.config.model import Configuration
from snat.config.refused import ConfigurationRefused
from snat.device.refused import CommandRefused
from snat.device.status import GroupStatus, Statistics, Translation
from snat.status import StandbyStatus

__all__ = ["CommandRefused", "ConfigurationRefused", "Router"]


class Startup(Protocol):
    """The start-up file: the text of the configuration that the router begins with."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def changed(self) -> bool:
        """Whether somebody else wrote it since the router last read or wrote it. Raises OSError."""
        ...

    @property
    def free(self) -> int:
        """Bytes that its disk has left."""
        ...

    def look(self) -> str | None:
        """Its text; None if there is none. Raises OSError, and ValueError for what is no text."""
        ...

    def save(self, text: str) -> None:
        """Replace its text, whole or not at all; the previous one is kept. Raises CommandRefused."""
        ...

    def erase(self) -> None:
        """Remove it; the text is kept as the previous one. Raises CommandRefused."""
        ...


class Router(Protocol):
    """A running router, as the shell sees it."""

    @property
    def startup(self) -> Startup:
        """The start-up file."""
        ...

    def running_configuration(self) -> Configuration:
        """The configuration in force."""
        ...

    def apply(self, configuration: Configuration) -> None:
        """Verify, then apply; applying the same configuration twice changes nothing.

        Raises :class:`ConfigurationRefused`, and then nothing was changed.
        """
        ...

    def translations(self) -> Iterator[Translation]:
        """The NAT table, lazily; tolerates changes while it is walked."""
        ...

    def distributed(self) -> tuple[GroupStatus, ...]:
        """The redundancy groups with their links and feeds."""
        ...

    def standby(self) -> tuple[StandbyStatus, ...]:
        """The HSRP groups, in the order of the interfaces."""
        ...

    def statistics(self) -> Statistics:
        """All counters."""
        ...

    def clear_translations(self) -> None:
        """Forget the entries that this router manages, the local ones included; members follow.

        Raises :class:`CommandRefused`, naming who manages, if there are shared entries and this router
        manages none of their mappings. Local entries are gone then too.
        """
        ...

    def clear_sessions(self, address: IPv4Address | None) -> None:
        """Close the links to the peer with this address, or to all (None); they are dialled anew.

        Raises :class:`CommandRefused` if no peer has the address.
        """
        ...

    def refresh(self, address: IPv4Address | None, *, forget: bool) -> None:
        """Ask the peer with this address for all entries of what it manages; None: whoever manages.

        With ``forget`` the entries that this router has of it go first. Raises :class:`CommandRefused`
        if no peer has the address, or that peer manages nothing that this router receives.
        """
        ...
