"""Where packets come from and go to: the two TUNs and the kernel around them, or a capture in their place."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from snat.config.model import Configuration, ConfiguredRole, Group, Side
from snat.config.networks import global_networks, routed_networks, shared_addresses
from snat.config.refused import ConfigurationRefused
from snat.counters import as_dict
from snat.device.device import Device
from snat.net.egress import Egress
from snat.net.gratuitous_arp import GratuitousArp
from snat.net.host import Host
from snat.net.host_plan import HostPlan, host_plan
from snat.net.kernel import Kernel
from snat.net.kernel_monitor import KernelMonitor, ReactorFDSetTime, Restored
from snat.net.kernel_plan import INSIDE_TUN, OUTSIDE_TUN, KernelPlan
from snat.net.own_sockets import own_ports
from snat.net.refused import KernelRefused
from snat.net.tun import Offload, Tun, open_tun, queue_drops
from snat.net.virtual_links import virtual_links
from snat.translate.translator import Verdict

TUN_TTL_STEP: Final = 1
"""The kernel forwards twice, into a TUN and out of the other; the traveller shall see one hop."""


class DataPath(Protocol):
    """Packets in and out of a device."""

    def start(self) -> None:
        """Begin to take packets. Raises KernelRefused, CaptureError or OSError."""
        ...

    def stop(self) -> None:
        """Take no more; what must not outlive the process is gone afterwards."""
        ...

    def claim(self, groups: Iterable[Group]) -> None:
        """Answer for the addresses of exactly these groups, which this device manages."""
        ...

    def configure(self, configuration: Configuration, managed: Iterable[Group]) -> None:
        """Take another configuration. Raises ConfigurationRefused, and then nothing changed."""
        ...

    def flush(self) -> None:
        """Write what the device has to send without a packet that asks for it."""
        ...

    def take(self, link: str, addresses: tuple[IPv4Address, ...]) -> None:
        """Have these addresses of an HSRP group, and listen to its MAC address. Raises KernelRefused."""
        ...

    def leave(self, link: str) -> None:
        """Have the addresses of an HSRP group no more."""
        ...

    def counters(self) -> dict[str, dict[str, int]]:
        """By subject."""
        ...


def kernel_plan(
    configuration: Configuration, addresses: Mapping[str, IPv4Address] | None = None
) -> KernelPlan:
    """What the kernel must look like for a configuration, and the addresses that interfaces have."""
    links = virtual_links(configuration)
    placed = [(one.name, one.side) for one in configuration.interfaces]
    placed += [(one.name, one.side) for one in links]
    sides = {side: tuple(name for name, of in placed if of is side) for side in Side}
    return KernelPlan(
        inside=sides[Side.INSIDE],
        outside=sides[Side.OUTSIDE],
        pool_networks=(*global_networks(configuration), *routed_networks(configuration)),
        queue=configuration.nat.tun_queue,
        links=links,
        own=shared_addresses(configuration, addresses or {}),
    )


def _offload(configuration: Configuration) -> Offload:
    return Offload.AUTO if configuration.nat.tun_offload else Offload.OFF


def _claimed_pools(
    configuration: Configuration, managed: Iterable[Group], active: frozenset[str]
) -> tuple[IPv4Network, ...]:
    """The pools to answer for: of local rules, and of groups that this device manages, or is active for.

    Not those of peers: several routers have them at once, and routes lead there.
    """
    shared = (group.mapping_ids for group in managed if group.role is not ConfiguredRole.PEERS)
    return global_networks(configuration, {0}.union(*shared), active)


def _needed(
    configuration: Configuration,
    managed: tuple[Group, ...],
    addresses: Mapping[str, IPv4Address],
    active: frozenset[str],
) -> object:
    """All that the kernel has to know of a configuration."""
    return (
        kernel_plan(configuration, addresses),
        (_virtual_addresses(managed), _claimed_pools(configuration, managed, active)),
        _virtual_addresses(configuration.groups),
        _host_plan(configuration),
        _offload(configuration),
    )


def _host_plan(configuration: Configuration) -> HostPlan:
    return host_plan(configuration, global_networks(configuration))


def _virtual_addresses(groups: Iterable[Group]) -> tuple[tuple[IPv4Address, str], ...]:
    return tuple((one.address, one.interface) for group in groups for one in group.virtual_addresses)


class TunPath:
    """Live traffic: packets from inside are read from one TUN, packets from outside from the other."""

    def __init__(
        self,
        device: Device,
        reactor: ReactorFDSetTime,
        batch_done: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        """``lost`` is called when somebody deletes a TUN: a router without packets must not hold the role."""
        self._device = device
        self._more = device.translator.more
        self._lost = lost
        self._reactor = reactor
        self._batch_done = batch_done
        self._configuration = device.configuration
        self._managed: tuple[Group, ...] = ()
        """Whose addresses are answered for."""
        self._taken: set[str] = set()
        """Links of the HSRP groups that this router is active for."""
        self._active: frozenset[str] = frozenset()
        """And their names."""
        self._addresses: Mapping[str, IPv4Address] = {}
        """Of interfaces, as of the last look."""
        self._host = Host()
        self._kernel = Kernel(kernel_plan(device.configuration))
        self._arp = GratuitousArp(reactor)
        self._monitor = KernelMonitor(reactor, self.restore, self._ask_tables)
        self._egress = Egress(reactor.seconds)
        self._tuns: dict[str, Tun] = {}

    def start(self) -> None:
        """Open the TUNs, which refuses while another daemon has them, and lead packets to them."""
        for name, received in ((INSIDE_TUN, self._from_inside), (OUTSIDE_TUN, self._from_outside)):
            self._tuns[name] = Tun(
                open_tun(name, _offload(self._configuration)),
                name,
                self._reactor,
                received,
                self._batch_done,
                self._lost,
                self._is_late,
            )
        self._inside, self._outside = self._tuns[INSIDE_TUN], self._tuns[OUTSIDE_TUN]
        try:
            self._prepare()
            self._kernel.check(_virtual_addresses(self._configuration.groups))
            self.claim(())
            self._host.shut()
        except KernelRefused:
            with suppress(KernelRefused):  # what went wrong first is what is told
                self._host.undo()
            raise
        self._device.route_by(self._egress.of)
        for tun in self._tuns.values():
            tun.start()
        self._monitor.start()

    def stop(self) -> None:
        """Withdraw the addresses and close the TUNs; rules, blackholes and guard stay."""
        self._monitor.stop()
        self._egress.close()
        self._arp.close()
        self._kernel.withdraw()
        for tun in self._tuns.values():
            tun.close()

    def claim(self, groups: Iterable[Group]) -> None:
        """Answer ARP for the groups' addresses and for the pools of local rules, and announce them."""
        managed = tuple(groups)
        if set(managed) - set(self._managed):
            self._serve_waiting()
        self._managed = managed
        self._arp.withdraw()
        self._arp.announce(self._claim())

    def restore(self, tables: bool) -> Restored:
        """Put back in the kernel what somebody took away. What is refused does not hinder the rest.

        ``tables``: also those of nftables.
        """
        self._kernel.changes.clear()
        self._host.changes.clear()
        refusals = []
        try:
            self._host.restore(tables=tables)
        except KernelRefused as refused:
            refusals.append(refused)
        self._learn_addresses()
        refusals += self._kernel.restore(tables=tables)
        changes = self._host.changes + self._kernel.changes
        if changes:
            self._arp.withdraw()
            self._arp.announce(self._kernel.claimed())
        return Restored(changes=changes, refusals=refusals, gone=self._kernel.gone)

    def configure(self, configuration: Configuration, managed: Iterable[Group]) -> None:
        """Make the kernel what the configuration needs, which it checks before it changes anything."""
        before, managed_before = self._configuration, self._managed
        managed = tuple(managed)
        known = self._addresses, self._active
        if _needed(configuration, managed, *known) == _needed(before, managed_before, *known):
            self._configuration, self._managed = configuration, managed
            return
        try:
            self._follow(configuration, managed)
            self._kernel.check(_virtual_addresses(configuration.groups))
            self._host.shut()
        except KernelRefused as refused:
            with suppress(KernelRefused):  # what went wrong first is what is told
                self._host.undo()
            with suppress(KernelRefused):
                self._follow(before, managed_before)
                self._host.shut()
            raise ConfigurationRefused(str(refused)) from refused

    def flush(self) -> None:
        """Write errors that waited: fragments follow the packet that releases them."""
        if self._more:
            self._forward_more()

    def take(self, link: str, addresses: tuple[IPv4Address, ...]) -> None:
        """Have these addresses, and listen to the MAC address of the link."""
        self._kernel.take(link, addresses)
        self._follow_elections({*self._taken, link})

    def leave(self, link: str) -> None:
        """Have them no more."""
        self._kernel.leave(link)
        self._follow_elections(self._taken - {link})

    def counters(self) -> dict[str, dict[str, int]]:
        """Those of the TUNs, of gratuitous ARP and of the looks at the kernel."""
        dropped = queue_drops()
        named: dict[str, Any] = {
            name: replace(tun.counters, dropped_queue=dropped.get(name, 0))
            for name, tun in self._tuns.items()
        }
        named["arp"] = self._arp.counters
        return {name: as_dict(counters) for name, counters in named.items()} | {
            "kernel": self._monitor.all_counters()
        }

    def _follow_elections(self, taken: set[str]) -> None:
        """Answer for what rules with ``redundancy`` say of the groups that this router is active for."""
        self._taken = taken
        active = frozenset(one.group for one in virtual_links(self._configuration) if one.name in taken)
        before, self._active = self._active, active - {""}
        pools = [_claimed_pools(self._configuration, self._managed, of) for of in (before, self._active)]
        if pools[0] != pools[1]:
            self.claim(self._managed)

    def _prepare(self) -> None:
        """All but what answers for addresses. Those of interfaces are known once the host has its own."""
        self._host.apply(_host_plan(self._configuration))
        self._learn_addresses()
        self._kernel.prepare()
        self._kernel.attach()

    def _learn_addresses(self) -> None:
        self._addresses = addresses = self._kernel.addresses()
        self._kernel.plan = kernel_plan(self._configuration, addresses)
        outside = {one.name for one in self._configuration.interfaces if one.side is Side.OUTSIDE}
        learnt = {name: address.packed for name, address in addresses.items() if name in outside}
        self._device.readdress(learnt, own_ports())

    def _ask_tables(self) -> "Deferred[bool]":
        threads: Any = self._reactor
        return deferToThreadPool(threads, threads.getThreadPool(), self._has_whole_tables)

    def _has_whole_tables(self) -> bool:
        """Whether nftables holds what it should. Runs in a thread."""
        return self._kernel.has_whole_guard() and self._host.has_whole_tables()

    def _claim(self) -> tuple[tuple[IPv4Address, str], ...]:
        pools = _claimed_pools(self._configuration, self._managed, self._active)
        return self._kernel.claim(_virtual_addresses(self._managed), pools)

    def _follow(self, configuration: Configuration, managed: tuple[Group, ...]) -> None:
        self._configuration = configuration
        self._prepare()
        for tun in self._tuns.values():
            tun.offload(_offload(configuration))
        self.claim(managed)

    def _is_late(self) -> bool:
        return self._device.is_late(self._reactor.seconds())

    def _serve_waiting(self) -> None:
        """A role begins with packets that come now: those that came before open no flow under it."""
        flows = self._device.translator.flows
        flows.closed = True
        try:
            for tun in self._tuns.values():
                tun.serve()
        finally:
            flows.closed = False

    def _from_inside(self, buffer: bytearray, length: int) -> None:
        self._forward(buffer, length, self._device.packet(buffer, length, False, self._reactor.seconds()))

    def _from_outside(self, buffer: bytearray, length: int) -> None:
        self._forward(buffer, length, self._device.packet(buffer, length, True, self._reactor.seconds()))

    def _forward(self, buffer: bytearray, length: int, verdict: Verdict) -> None:
        if verdict is Verdict.TO_OUTSIDE:
            self._outside.write(memoryview(buffer)[:length])
        elif verdict is Verdict.TO_INSIDE:
            self._inside.write(memoryview(buffer)[:length])
        if self._more:
            self._forward_more()

    def _forward_more(self) -> None:
        for verdict, packet in self._more:
            (self._outside if verdict is Verdict.TO_OUTSIDE else self._inside).write(packet)
        self._more.clear()
