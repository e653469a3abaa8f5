"""HSRP on the interfaces of this router: :class:`~snat.redundancy.hsrp_router.HsrpRouter` with its I/O.

What it asks for is done in its order: an address is had before it is announced, and left before the others
are told. Interfaces are known from netlink, read after each change there.
"""

import random
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from ipaddress import IPv4Address
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from snat.config.model import Configuration
from snat.counters import as_dict
from snat.net.hsrp_port import HsrpPort
from snat.net.kernel_events import EventCounters, KernelEvents, subscribe
from snat.net.kernel_monitor import ReactorFDSetTime
from snat.net.log import MESSAGES, RepeatingLog
from snat.net.netlink import Link, netlink
from snat.net.refused import KernelRefused
from snat.net.virtual_links import name_of
from snat.redundancy.hsrp_events import (
    AddressLeft,
    AddressTaken,
    Event,
    GratuitousArpDue,
    GroupId,
    MessageRefused,
    PreemptionDue,
    Send,
    StateChanged,
)
from snat.redundancy.hsrp_message import Refusal, State
from snat.redundancy.hsrp_router import HsrpRouter
from snat.redundancy.hsrp_status import status
from snat.status import StandbyStatus

GATHER: Final = 0.02
"""Seconds after a change in the kernel that its like are waited for."""


class Holder(Protocol):
    """Who has addresses, and hears what is sent to MAC addresses: the data path."""

    def take(self, link: str, addresses: tuple[IPv4Address, ...]) -> None:
        """Have them. Raises KernelRefused."""
        ...

    def leave(self, link: str) -> None:
        """Have them no more. Raises KernelRefused."""
        ...


class Hsrp:
    """All groups of this router."""

    log = Logger(observer=MESSAGES)

    def __init__(
        self,
        reactor: ReactorFDSetTime,
        holder: Holder,
        told: Callable[[str, bool], None],
        preempts: Callable[[str], None],
    ) -> None:
        """``told`` gets the name of a group and whether this router is active, whenever that changes.

        ``preempts`` gets that of a group that is held back (:meth:`hold_back`) and is to preempt: once what
        the role manages was handed over, it does (:meth:`released`).
        """
        self._reactor = reactor
        self._holder = holder
        self._told = told
        self._preempts = preempts
        self._router = HsrpRouter(reactor.seconds(), random.SystemRandom())
        self._configuration = Configuration()
        self._repeating = RepeatingLog(reactor)
        self._ports: dict[str, HsrpPort] = {}
        self._links: dict[str, Link] = {}
        self._events: KernelEvents | None = None
        self._alarm: IDelayedCall | None = None
        self._look: IDelayedCall | None = None
        self._working = False
        self._synchronised: dict[str, bool] = {}

    # The router's side

    def configure(self, configuration: Configuration) -> None:
        """Take another configuration, whose links exist."""
        self._configuration = configuration
        speaking = {one.name for one in configuration.interfaces if one.standby.groups}
        if speaking:
            self._listen()
            self._attach()
        self._router.configure(configuration.interfaces, self._now())
        self._work()
        for name in self._ports.keys() - speaking:  # the last word was said
            self._close_port(name)

    def hold_back(self, names: AbstractSet[str]) -> None:
        """Just these groups are active only once they may be, and claim the role before they preempt.

        Said before they are configured.
        """
        self._router.claim_first(names)
        for name in names - self._synchronised.keys():
            self._synchronised[name] = False
            self._router.synchronise(name, self._now(), synchronised=False)
        for name in list(self._synchronised.keys() - names):
            del self._synchronised[name]
            self._router.synchronise(name, self._now(), synchronised=True)
        self._work()

    def synchronise(self, name: str, synchronised: bool) -> None:
        """Whether the group of this name may be active."""
        if self._synchronised.get(name) is not synchronised:
            self._synchronised[name] = synchronised
            self._router.synchronise(name, self._now(), synchronised=synchronised)
            self._work()

    def released(self, name: str) -> None:
        """What the role of this group manages was handed over to us. Who cannot preempt any more says so."""
        self._router.released(name, self._now())
        self._work()
        if not any(state is State.ACTIVE for state in self._router.states(name)):
            self._told(name, False)

    def stop(self) -> None:
        """Leave every group in good order, so that the others take over at once."""
        self._router.stop(self._now())
        self._work()
        for call in (self._alarm, self._look):
            if call is not None and call.active():
                call.cancel()
        self._alarm = self._look = None
        if self._events is not None:
            self._events.stop()
            self._events = None
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    def status(self) -> tuple[StandbyStatus, ...]:
        """As ``show standby`` has it."""
        return status(self._router, self._now())

    def counters(self) -> dict[str, dict[str, int]]:
        """By subject: an interface."""
        ports = {name: as_dict(port.counters) for name, port in self._ports.items()}
        return {
            f"hsrp {name}": as_dict(counters) | ports.get(name, {})
            for name, counters in self._router.counters().items()
        }

    # The kernel's side

    def _listen(self) -> None:
        if self._events is None:
            self._events = KernelEvents(subscribe(), self._reactor, self._noticed, EventCounters())

    def _noticed(self) -> None:
        if self._look is None:
            self._look = self._reactor.callLater(GATHER, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        self._attach()
        self._work()

    def _attach(self) -> None:
        """Tell the router of its interfaces, and have a port on each with groups."""
        with netlink() as kernel:
            self._links = dict(kernel.links)
            addresses = {name: address.ip for name, address in reversed(kernel.addresses())}
        now = self._now()
        for interface in self._configuration.interfaces:
            link = self._links.get(interface.name)
            up = link is not None and link.up and link.running
            mac_address = link.mac_address if link is not None else bytes(6)
            self._router.interface(
                interface.name,
                up=up,
                address=addresses.get(interface.name),
                mac_address=mac_address,
                now=now,
            )
            self._router.track(interface.name, now, up=up)
            if interface.standby.groups:
                self._put_port(interface.name, link, interface.standby.version)
        for tracked in self._configuration.tracked:
            link = self._links.get(tracked.interface)
            up = link is not None and link.up and link.running
            up &= not tracked.ip_routing or tracked.interface in addresses
            self._router.track(str(tracked.number), now, up=up)

    def _put_port(self, name: str, link: Link | None, version: int) -> None:
        """One on an interface that is up; another where it was down meanwhile, or created anew."""
        port = self._ports.get(name)
        if link is None or not link.up:
            self._close_port(name)
        elif port is None or port.lost or (port.index, port.version) != (link.index, version):
            self._close_port(name)
            try:
                received = partial(self._received, name)
                self._ports[name] = HsrpPort(name, link.index, version, self._reactor, received)
            except KernelRefused as refused:
                self._repeating.say("{reason}", reason=str(refused), mnemonic="HSRP-3-NOSOCKET")

    def _close_port(self, name: str) -> None:
        if name in self._ports:
            self._ports.pop(name).close()

    def _received(self, interface: str, data: bytes, source: IPv4Address) -> None:
        self._router.receive(interface, data, source, self._now())
        self._work()

    # What follows

    def _work(self) -> None:
        """Do what the router asks for, in order; doing may make it ask for more."""
        if self._working:
            return
        self._working = True
        try:
            while events := self._router.events():
                for event in events:
                    self._do(event)
        finally:
            self._working = False
        self._arm()

    def _arm(self) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        due = self._router.next_deadline()
        self._alarm = None
        if due is not None:
            self._alarm = self._reactor.callLater(max(0.0, due - self._now()), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._router.tick(self._now())
        self._work()

    def _do(self, event: Event) -> None:
        match event:
            case Send():
                self._send(event)
            case AddressTaken():
                self._take(event)
            case AddressLeft():
                self._leave(event)
            case GratuitousArpDue():
                port = self._ports.get(event.group.interface)
                if port is not None:
                    port.announce(event.addresses, event.mac_address)
            case PreemptionDue():
                self._preempts(self._name_of(event.group))
            case StateChanged():
                self._changed(event)
            case MessageRefused():
                self._repeating.say(
                    "{interface}: {reason} from {whom}",
                    interface=event.interface,
                    reason=event.reason,
                    whom=str(event.source),
                    mnemonic=_MNEMONICS.get(event.refusal, "HSRP-4-REFUSED"),
                )

    def _send(self, event: Send) -> None:
        interface = event.group.interface
        port, link = self._ports.get(interface), self._links.get(interface)
        if port is not None and link is not None:
            port.send(event, link.mac_address)

    def _take(self, event: AddressTaken) -> None:
        port = self._ports.get(event.group.interface)
        try:
            self._holder.take(_link(event.group), event.addresses)
        except KernelRefused as refused:
            self._repeating.say("{reason}", reason=str(refused), mnemonic="HSRP-3-MISCONFIG")
        if port is not None:
            port.answer(event.addresses, event.mac_address)

    def _leave(self, event: AddressLeft) -> None:
        port = self._ports.get(event.group.interface)
        if port is not None:
            port.silence(event.addresses)
        try:
            self._holder.leave(_link(event.group))
        except KernelRefused as refused:
            self._repeating.say("{reason}", reason=str(refused), mnemonic="HSRP-3-MISCONFIG")

    def _changed(self, event: StateChanged) -> None:
        self.log.info(
            "{interface} Grp {group} state {before} -> {after}",
            interface=event.group.interface,
            group=event.group.number,
            before=event.before.value,
            after=event.after.value,
            mnemonic="HSRP-5-STATECHANGE",
        )
        name = self._name_of(event.group)
        if State.ACTIVE in (event.before, event.after) and name:
            self._told(name, event.after is State.ACTIVE)

    def _name_of(self, group: GroupId) -> str:
        """The name of a group, by which others follow it."""
        for interface in self._configuration.interfaces:
            for one in interface.standby.groups if interface.name == group.interface else ():
                if one.number == group.number:
                    return one.name
        return ""

    def _now(self) -> float:
        return self._reactor.seconds()


_MNEMONICS: Final = {
    Refusal.AUTHENTICATION: "HSRP-4-BADAUTH",
    Refusal.OWN_ADDRESS: "HSRP-4-DUPADDR",
}


def _link(group: GroupId) -> str:
    return name_of(group.interface, group.number)
