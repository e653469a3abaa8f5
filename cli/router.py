"""All that commands read of a router, or do to it. ``snat.net.service`` satisfies it; tests fake it."""

from collections.abc import Iterator
from typing import Protocol

from snat.config.model import Configuration
from snat.config.refused import ConfigurationRefused
from snat.device.status import GroupStatus, Statistics, Translation

__all__ = ["ConfigurationRefused", "Router"]


class Router(Protocol):
    """A running router, as the shell sees it."""

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

    def statistics(self) -> Statistics:
        """All counters."""
        ...
