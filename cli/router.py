"""All that commands read of a router, or do to it. ``snat.net.service`` satisfies it; tests fake it."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from snat.config.model import Configuration
from snat.config.refused import ConfigurationRefused
from snat.device.refused import CommandRefused
from snat.device.selection import EVERYTHING, Selection
from snat.device.status import GroupStatus, NatStatus, PoolPorts, Statistics, Translation
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


class Nat(Protocol):
    """The NAT table, as operators look at it and change it.

    What is walked comes lazily and tolerates changes meanwhile; None means that it goes on and there is
    nothing to say yet, so that a long walk delays nobody.
    """

    def translations(
        self, selection: Selection = EVERYTHING, *, verbose: bool = False
    ) -> Iterator[Translation | None]:
        """The entries that are meant, with details if that is wanted."""
        ...

    def total(self, selection: Selection) -> Iterator[int | None]:
        """How many entries are meant; it comes last."""
        ...

    def status(self) -> Iterator[NatStatus | None]:
        """What the table is used for; it comes last."""
        ...

    def pool_ports(self, name: str) -> Iterator[PoolPorts | None]:
        """What is in use of a pool that is configured; it comes last."""
        ...

    def clear(self) -> None:
        """Forget the entries that this router manages, the local ones included; members follow.

        Raises :class:`CommandRefused`, naming who manages, if there are shared entries and this router
        manages none of their mappings. Local entries are gone then too.
        """
        ...

    def clear_selected(self, selection: Selection) -> Iterator[None]:
        """Forget the entries that are meant, as far as this router manages them.

        Raises :class:`CommandRefused` if there are none, or if another manages some, which then stay.
        """
        ...


class Router(Protocol):
    """A running router, as the shell sees it."""

    @property
    def nat(self) -> Nat:
        """The NAT table."""
        ...

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

    def distributed(self) -> tuple[GroupStatus, ...]:
        """The redundancy groups with their links and feeds."""
        ...

    def standby(self) -> tuple[StandbyStatus, ...]:
        """The HSRP groups, in the order of the interfaces."""
        ...

    def statistics(self) -> Statistics:
        """All counters, since they were cleared last."""
        ...

    def clear_statistics(self) -> None:
        """Let the counters and the peak of the table begin anew."""
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
