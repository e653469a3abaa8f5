"""What must hold in the kernel before we change it; nothing here changes anything."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Final

from snat.net import sysctl
from snat.net.kernel_plan import (
    INSIDE_GROUP,
    INSIDE_TUN,
    OUTSIDE_GROUP,
    PREFERENCES,
    TABLES,
    TUNS,
    KernelPlan,
    proxies,
)
from snat.net.netlink import Netlink
from snat.net.refused import KernelRefused

ANSWERS_FOR_ALL: Final = ("0", "3")
"""Values of arp_ignore with which an address on ``snat-i`` is answered for on another interface."""


def check_prepare(plan: KernelPlan, kernel: Netlink) -> None:
    """Raise :class:`KernelRefused` if the plan and the kernel do not fit."""
    _check_interfaces(plan, kernel)
    check_place(plan, kernel)


def check_place(plan: KernelPlan, kernel: Netlink) -> None:
    """Raise :class:`KernelRefused` if somebody else has what is ours, or would answer in our place."""
    _check_tun_names(kernel)
    _check_foreign(kernel)
    _check_pools(plan, kernel)
    for name in plan.outside:
        _check_proxy_arp(name)


def check_claim(kernel: Netlink, virtual_addresses: Iterable[tuple[IPv4Address, str]]) -> None:
    """Raise :class:`KernelRefused` if the kernel would not answer for a virtual address, or always would."""
    check_tun(kernel, INSIDE_TUN)
    holders = {address.ip: name for name, address in kernel.addresses() if name not in TUNS}
    for address, interface in virtual_addresses:
        check_exists(interface, kernel)
        if address in holders:
            raise KernelRefused(
                f"the virtual address {address} is configured there already",
                where=f"interface {holders[address]}",
                remedy="`ip addr del` it: it would be answered for while another router holds it",
            )
        _check_arp_ignore(interface)


def check_tun(kernel: Netlink, name: str) -> None:
    """Raise :class:`KernelRefused` unless a TUN is open."""
    if name not in kernel.links:
        raise KernelRefused("no such TUN", where=f"interface {name}", remedy="open it before attaching")


def _check_interfaces(plan: KernelPlan, kernel: Netlink) -> None:
    for name in (*plan.inside, *plan.outside):
        check_exists(name, kernel)
        if name in plan.inside and name in plan.outside:
            raise KernelRefused("both inside and outside", where=f"interface {name}", remedy="choose one")
        if kernel.links[name].group not in (INSIDE_GROUP, OUTSIDE_GROUP):
            raise KernelRefused(
                f"in link group {kernel.links[name].group}",
                where=f"interface {name}",
                remedy=f"snat tells inside from outside by the groups: `ip link set {name} group 0`",
            )


def check_exists(name: str, kernel: Netlink) -> None:
    """Raise :class:`KernelRefused` unless there is such an interface that is none of our TUNs."""
    if name not in kernel.links or name in TUNS:
        raise KernelRefused(
            "no such interface",
            where=f"interface {name}",
            remedy=f"there are: {', '.join(sorted(set(kernel.links) - set(TUNS)))}",
        )


def _check_tun_names(kernel: Netlink) -> None:
    for name in TUNS:
        if name in kernel.links and kernel.links[name].kind != "tun":
            raise KernelRefused(
                "another program's interface has our name",
                where=f"interface {name}",
                remedy=f"`ip link del {name}`, or rename it",
            )


def _check_foreign(kernel: Netlink) -> None:
    _, foreign = kernel.rules(PREFERENCES)
    if foreign:
        raise KernelRefused(
            "another program's routing rule has our preference",
            where=f"ip rule pref {foreign[0]}",
            remedy=f"see `ip rule show pref {foreign[0]}`, and move it out of {PREFERENCES}",
        )
    for table in TABLES:
        routes = kernel.foreign_routes(table)
        if routes:
            raise KernelRefused(
                f"another program's route in our table: {routes[0]}",
                where=f"table {table}",
                remedy=f"see `ip route show table {table}`, and use another table than {TABLES}",
            )


def _check_pools(plan: KernelPlan, kernel: Netlink) -> None:
    proxies(plan, kernel.addresses())  # refuses too many now, rather than at a takeover
    for name, address in kernel.addresses():
        for pool in plan.pool_networks:
            if address.ip in pool and name not in TUNS:
                raise KernelRefused(
                    f"the pool addresses {pool} include the router's own {address.ip}",
                    where=f"interface {name}",
                    remedy="leave it out of the pool: its packets go to the router, not to the translator",
                )


def _check_proxy_arp(interface: str) -> None:
    for name in (f"ipv4/conf/{interface}/proxy_arp", "ipv4/conf/all/proxy_arp"):
        if sysctl.is_set(name):
            raise KernelRefused(
                "the kernel would answer ARP for the pools even while another router holds them",
                where=f"sysctl net/{name}",
                remedy=f"`sysctl -w net/{name}=0`",
            )


def _check_arp_ignore(interface: str) -> None:
    for name in (f"ipv4/conf/{interface}/arp_ignore", "ipv4/conf/all/arp_ignore"):
        value = sysctl.read(name)
        if value is not None and value not in ANSWERS_FOR_ALL:
            raise KernelRefused(
                f"with the value {value} the kernel does not answer ARP for virtual addresses",
                where=f"sysctl net/{name}",
                remedy=f"`sysctl -w net/{name}=0`",
            )
