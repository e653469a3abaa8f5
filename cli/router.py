"""All that commands read of a router, or do to it. ``snat.net.service`` satisfies it; tests fake it."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Protocol

from snat.config.model import Configuration
from snat.config.refused import ConfigurationRefused
from snat.device.refused import CommandRefused
from snat.device.selection import EVERYTHING, Selection
from snat.device.status import GroupStatus, NatStatus, PoolPorts, Statistics, Translation
from snat.status import (
    ArpStatus,
    Change,
    Clock,
    DebugStatus,
    InterfaceStatus,
    LogStatus,
    Memory,
    PendingReload,
    Processor,
    Resolver,
    RouteStatus,
    StandbyStatus,
    StartupText,
    User,
    Version,
)

__all__ = [
    "CommandRefused",
    "ConfigurationRefused",
    "Debugging",
    "Interfaces",
    "Log",
    "Machine",
    "Reloads",
    "Router",
    "Startup",
    "Storing",
]


class Machine(Protocol):
    """The machine and the process that the router is."""

    def clock(self, later: float = 0.0) -> Clock:
        """The wall clock, so many seconds from now."""
        ...

    def version(self, configuration: Configuration) -> Version:
        """What runs here."""
        ...

    def users(self) -> tuple[User, ...]:
        """Sessions, by line."""
        ...

    def processor(self) -> Processor:
        """What the daemon uses of the processors."""
        ...

    def memory(self) -> Memory:
        """What the daemon uses of the memory."""
        ...

    def resolver(self) -> Resolver:
        """How names are resolved."""
        ...


class Reloads(Protocol):
    """Restarts of the daemon."""

    def schedule(self, seconds: float, user: str, line: int) -> None:
        """Restart after so many seconds, for this user; what was ordered before is forgotten.

        Raises :class:`CommandRefused` if the program cannot be started again.
        """
        ...

    def cancel(self) -> bool:
        """Forget what was ordered; False if nothing was."""
        ...

    def pending(self) -> PendingReload | None:
        """What was ordered."""
        ...


class Storing(Protocol):
    """Something that a disk is asked to do, which may take long."""

    @property
    def done(self) -> bool:
        """Whether it is over."""
        ...

    @property
    def refusal(self) -> str:
        """Why it could not be done; empty: it could, or is not over."""
        ...


class Startup(Protocol):
    """The start-up configuration, and what is not in it yet."""

    @property
    def last_change(self) -> Change | None:
        """The last change by a user; None: none since the daemon began."""
        ...

    def changed(self, user: str) -> None:
        """A user changed the running configuration just now."""
        ...

    def is_stored(self, configuration: Configuration) -> bool:
        """Whether a restart would give this configuration, as far as the daemon knows."""
        ...

    def read(self) -> StartupText | None:
        """What the file says now; None: there is no file. Raises :class:`CommandRefused`."""
        ...

    def conflict(self) -> str:
        """What somebody else did to the file since the daemon read or wrote it; empty: nothing.

        Raises :class:`CommandRefused`.
        """
        ...

    def store(self, text: str, configuration: Configuration) -> Storing:
        """Replace the file, whole or not at all; the previous one is kept beside it."""
        ...

    def erase(self) -> Storing:
        """Remove the file; it is kept as the previous one."""
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


class Interfaces(Protocol):
    """The interfaces of the machine, and what the kernel knows of their neighbourhood.

    All raise :class:`CommandRefused` if the kernel does not tell.
    """

    def interfaces(self) -> tuple[InterfaceStatus, ...]:
        """All interfaces, in the order of the kernel."""
        ...

    def routes(self) -> tuple[RouteStatus, ...]:
        """Connected and static routes by prefix; not those of routing protocols, maybe a million."""
        ...

    def arp(self) -> tuple[ArpStatus, ...]:
        """Neighbours and own addresses, by address."""
        ...


class Log(Protocol):
    """The messages of the router."""

    def status(self) -> LogStatus:
        """Where they go, and the buffer."""
        ...

    def clear(self) -> None:
        """Empty the buffer."""
        ...


class Debugging(Protocol):
    """Messages about every packet, or about every message between members."""

    def status(self) -> DebugStatus:
        """What is debugged."""
        ...

    def set(self, status: DebugStatus) -> None:
        """Debug this from now on, and nothing else."""
        ...


class Router(Protocol):
    """A running router, as the shell sees it."""

    @property
    def log(self) -> Log:
        """Its messages."""
        ...

    @property
    def debugging(self) -> Debugging:
        """What it is made to tell of."""
        ...

    @property
    def machine(self) -> Machine:
        """What it runs on."""
        ...

    @property
    def network(self) -> Interfaces:
        """Its interfaces."""
        ...

    @property
    def reloads(self) -> Reloads:
        """Its restarts."""
        ...

    @property
    def nat(self) -> Nat:
        """The NAT table."""
        ...

    @property
    def startup(self) -> Startup:
        """Its start-up file."""
        ...

    def note(self, mnemonic: str, text: str) -> None:
        """Log a message: ``SYS-5-CONFIG_I`` and its text."""
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
