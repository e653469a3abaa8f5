"""The IP redundancy modules whose word groups follow (Fig. 2B): VRRP instances of keepalived."""

from collections.abc import Callable, Iterable
from functools import partial

from twisted.internet.interfaces import IReactorFDSet

from snat.config.model import Configuration
from snat.config.stateful import Keepalived
from snat.device.group import Group
from snat.net.keepalived import KeepalivedInstance


class Modules:
    """One module for each that a group of the configuration follows."""

    def __init__(self, reactor: IReactorFDSet, told: Callable[[Keepalived, bool], None]) -> None:
        """``told`` gets whose word it is, and whether this router is active."""
        self._reactor = reactor
        self._told = told
        self._instances: dict[Keepalived, KeepalivedInstance] = {}

    def open(self, configuration: Configuration) -> None:
        """Listen to those that are new. Raises KernelRefused, and then to none of them."""
        new: dict[Keepalived, KeepalivedInstance] = {}
        try:
            for keepalived in _followed(configuration) - self._instances.keys():
                told = partial(self._told, keepalived)
                new[keepalived] = made = KeepalivedInstance(keepalived, self._reactor, told)
                made.start()
        except BaseException:
            for made in new.values():
                made.stop()
            raise
        self._instances.update(new)

    def close(self, configuration: Configuration | None = None) -> None:
        """Listen no more to those that no group follows; without a configuration, to none.

        The router may not be active for them any more, so that another one is.
        """
        followed = _followed(configuration) if configuration is not None else set()
        for keepalived in self._instances.keys() - followed:
            self._instances.pop(keepalived).stop()

    def tell(self, groups: Iterable[Group]) -> None:
        """Say of each group whether it may be active: only what is synchronised may. Raises KernelRefused."""
        for group in groups:
            keepalived = group.configuration.keepalived
            if keepalived is not None and keepalived in self._instances:
                self._instances[keepalived].ready(group.ready)


def _followed(configuration: Configuration) -> set[Keepalived]:
    return {group.keepalived for group in configuration.groups if group.keepalived is not None}
