"""Interfaces for virtual MAC addresses (kernel.md 6): a macvlan for each HSRP group, up while it is active.

The kernel takes a frame only if an interface has its address. So each group has a macvlan on its interface,
on the same side of the translator. It answers for no address by itself, and has none of its own: what a
killed router leaves is an interface that hears frames, and drops them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final
from zlib import crc32

from snat.config.model import Configuration, Side
from snat.net import sysctl
from snat.net.netlink import Netlink
from snat.net.refused import KernelRefused
from snat.redundancy.hsrp import virtual_mac

PREFIX: Final = "snat-h"
"""How their names begin, and only theirs."""
KIND: Final = "macvlan"
HOST_ADDRESS: Final = IPv4Address("192.0.0.8")
"""The IPv4 dummy address (RFC 7600), scope host."""
SYSCTLS: Final = (
    ("ipv6/conf/{}/disable_ipv6", "1"),
    ("ipv4/conf/{}/arp_ignore", "8"),
    ("ipv4/conf/{}/rp_filter", "2"),
    ("ipv4/conf/{}/accept_local", "1"),
)
PARENT_SYSCTLS: Final = (("ipv4/conf/{}/arp_ignore", "1"), ("ipv4/conf/{}/arp_announce", "2"))
"""Of the interfaces that they are on, else those answer for a virtual address with their own MAC address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualLink:
    """One of them."""

    name: str
    parent: str
    mac_address: bytes
    side: Side | None
    group: str
    """The name of its group, by which rules follow it; empty: none."""


def name_of(parent: str, group: int) -> str:
    """At most 15 bytes, for any interface and group."""
    return f"{PREFIX}{crc32(parent.encode()) & 0xFFF:03x}-{group}"


def virtual_links(configuration: Configuration) -> tuple[VirtualLink, ...]:
    """Those that a configuration needs."""
    return tuple(
        VirtualLink(
            name=name_of(interface.name, group.number),
            parent=interface.name,
            mac_address=group.mac_address or virtual_mac(interface.standby.version, group.number),
            side=interface.side,
            group=group.name,
        )
        for interface in configuration.interfaces
        for group in interface.standby.groups
        if group.enabled
    )


def put(kernel: Netlink, wanted: Iterable[VirtualLink]) -> None:
    """Make exactly these, down if they are new. Raises KernelRefused."""
    links = {one.name: one for one in wanted}
    for name, present in list(kernel.links.items()):
        link = links.get(name)
        if name.startswith(PREFIX) and present.kind == KIND and (link is None or not _fits(kernel, link)):
            kernel.delete_link(name)
    for name, link in links.items():
        if name not in kernel.links:
            _check_parent(kernel, link)
            kernel.add_macvlan(name, parent=link.parent, mac_address=link.mac_address)
            kernel.add_address(name, HOST_ADDRESS, host=True)  # without any, rp_filter would drop
        for path, value in SYSCTLS:
            sysctl.write_if_present(path.format(name), value)


def _fits(kernel: Netlink, link: VirtualLink) -> bool:
    present = kernel.links[link.name]
    parent = kernel.links.get(link.parent)
    return parent is not None and (present.parent, present.mac_address) == (parent.index, link.mac_address)


def _check_parent(kernel: Netlink, link: VirtualLink) -> None:
    if link.parent not in kernel.links:
        raise KernelRefused(
            "no such interface",
            where=f"interface {link.parent}",
            remedy=f"there are: {', '.join(sorted(kernel.links))}",
        )
