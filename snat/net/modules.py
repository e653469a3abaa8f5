"""The IP redundancy modules whose word groups follow (Fig. 2B): HSRP of our own, and VRRP by keepalived."""

from collections.abc import Callable, Collection, Iterable
from functools import partial

from snat.config.model import Configuration, ConfiguredRole
from snat.config.stateful import Group as GroupConfiguration
from snat.config.stateful import Keepalived
from snat.device.group import Group
from snat.net.hsrp import Holder, Hsrp
from snat.net.keepalived import KeepalivedInstance
from snat.net.kernel_monitor import ReactorFDSetTime
from snat.status import StandbyStatus

Followed = Keepalived | str
"""What a group follows: an instance of keepalived, or the name of an HSRP group."""


class Modules:
    """All HSRP groups of the configuration, and the instances of keepalived that groups follow."""

    def __init__(
        self,
        reactor: ReactorFDSetTime,
        holder: Holder,
        told: Callable[[Followed, bool], None],
        preempts: Callable[[Followed], None],
    ) -> None:
        """``told`` gets whose word it is, and whether this router is active.

        ``preempts`` gets whose word is that it will be, as soon as what it is to manage was handed over.
        """
        self._reactor = reactor
        self._told = told
        self._preempts = preempts
        self._hsrp = Hsrp(reactor, holder, told, self._preempt)
        self._handovers: set[str] = set()
        """HSRP groups that wait for one."""
        self._instances: dict[Keepalived, KeepalivedInstance] = {}

    def open(self, configuration: Configuration) -> None:
        """Listen to instances that are new. Raises KernelRefused, and then to none of them."""
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

    def follow(self, configuration: Configuration) -> None:
        """Go by another configuration, whose instances are open and whose links exist.

        Who follows a group that is gone is not active any more. No HSRP group that is followed is active
        before it is told that it may.
        """
        self._close(_followed(configuration))
        names = {one for one in map(followed_by, configuration.groups) if isinstance(one, str)}
        self._hsrp.hold_back(names)
        self._hsrp.configure(configuration)

    def forgo(self, configuration: Configuration) -> None:
        """What was opened for another configuration is not needed: this one stays."""
        self._close(_followed(configuration))

    def stop(self) -> None:
        """This router may not be active any more, so that another one is."""
        self._hsrp.stop()
        self._close(set())

    def tell(self, groups: Iterable[Group]) -> None:
        """Say of each group whether it may be active: only what is synchronised may. Raises KernelRefused."""
        for group in groups:
            followed = followed_by(group.configuration)
            if isinstance(followed, str):
                self._hsrp.synchronise(followed, group.ready)
            elif followed is not None and followed in self._instances:
                self._instances[followed].ready(group.ready, proved=group.synchronised)

    def hand_over(self, groups: Collection[Group]) -> None:
        """Let HSRP groups preempt whose followers manage by now; said once their terms are stored."""
        for name in list(self._handovers):
            followers = [one for one in groups if followed_by(one.configuration) == name]
            if all(one.manages for one in followers):
                self._handovers.discard(name)
                self._hsrp.released(name)
            elif not any(one.preempts for one in followers):
                self._handovers.discard(name)  # refused: HSRP will ask again

    def standby(self) -> tuple[StandbyStatus, ...]:
        """The HSRP groups, as ``show standby`` has them."""
        return self._hsrp.status()

    def counters(self) -> dict[str, dict[str, int]]:
        """By subject."""
        return self._hsrp.counters()

    def _preempt(self, name: str) -> None:
        self._handovers.add(name)
        self._preempts(name)

    def _close(self, followed: set[Keepalived]) -> None:
        for keepalived in self._instances.keys() - followed:
            self._instances.pop(keepalived).stop()


def followed_by(group: GroupConfiguration) -> Followed | None:
    """What a group follows; None: nothing."""
    if group.keepalived is not None:
        return group.keepalived
    return group.name if group.role is ConfiguredRole.REDUNDANCY else None


def _followed(configuration: Configuration) -> set[Keepalived]:
    return {group.keepalived for group in configuration.groups if group.keepalived is not None}
