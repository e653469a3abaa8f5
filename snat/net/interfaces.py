"""What the kernel tells of interfaces, routes and neighbours, for the shell to show."""

import struct
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import ioctl
from ipaddress import IPv4Address
from itertools import chain
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any, Final

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.ifinfmsg import IFF_RUNNING, IFF_UP
from pyroute2.netlink.rtnl.ndmsg import NTF_PROXY, NUD_NOARP

from snat.config.model import Configuration, Interface
from snat.device.refused import CommandRefused
from snat.net.host_netlink import UNICAST, HostNetlink, host_netlink
from snat.net.netlink import PROTOCOL, TABLE_MAIN
from snat.net.refused import KernelRefused
from snat.status import (
    AddressStatus,
    ArpStatus,
    HopStatus,
    InterfaceCounters,
    InterfaceStatus,
    RouteStatus,
)

CONNECTED: Final = 2
"""Protocol number of the routes that the kernel makes of addresses."""
STATIC: Final = (PROTOCOL, 3, 4, 16)
"""Protocol numbers of routes that somebody set: ours, ``ip route``, administrators and DHCP (rtnetlink)."""

_KINDS: Final = {1: "ether", 772: "loopback", 65534: "none"}
"""Names of hardware types (linux/if_arp.h), as ``ip link`` prints them."""
_TICKS: Final = 100 * 60
"""Of the clock of neighbours in a minute: USER_HZ is 100 wherever Linux has a stable interface."""
_ETHTOOL: Final = 0x8946
_GET_SETTINGS: Final = 1
_SETTINGS: Final = 44
"""Bytes of the kernel's struct ethtool_cmd."""
_UNKNOWN_SPEED: Final = 0xFFFFFFFF
_DUPLEX: Final = {0: False, 1: True}

_COUNTERS: Final = {
    "packets_in": "rx_packets",
    "bytes_in": "rx_bytes",
    "errors_in": "rx_errors",
    "drops_in": "rx_dropped",
    "multicast_in": "multicast",
    "crc": "rx_crc_errors",
    "frame": "rx_frame_errors",
    "overrun": "rx_fifo_errors",
    "missed": "rx_missed_errors",
    "runts_and_giants": "rx_length_errors",
    "packets_out": "tx_packets",
    "bytes_out": "tx_bytes",
    "errors_out": "tx_errors",
    "drops_out": "tx_dropped",
    "collisions": "collisions",
    "underruns": "tx_fifo_errors",
    "lost_carrier": "tx_carrier_errors",
}


class Interfaces:
    """The interfaces of the network namespace this process runs in. Satisfies cli.router.Interfaces.

    Each call asks the kernel anew and takes some milliseconds.
    """

    def __init__(self, configuration: Callable[[], Configuration]) -> None:
        """``configuration`` is the one in force: descriptions and sides are its."""
        self._configuration = configuration

    def interfaces(self) -> tuple[InterfaceStatus, ...]:
        """See :class:`cli.router.Interfaces`."""
        configured = {one.name: one for one in self._configuration().interfaces}
        with _asking() as kernel, socket(AF_INET, SOCK_DGRAM) as asked:
            addresses = _addresses(kernel)
            return tuple(
                _interface(message, addresses, configured, asked) for message in kernel.iproute.get_links()
            )

    def routes(self) -> tuple[RouteStatus, ...]:
        """See :class:`cli.router.Interfaces`."""
        with _asking() as kernel:
            dumps = (kernel.dump_routes(table=TABLE_MAIN, proto=proto) for proto in (CONNECTED, *STATIC))
            found = [_route(kernel, one) for one in chain.from_iterable(dumps) if one["type"] == UNICAST]
        return tuple(sorted(found, key=lambda one: (one.prefix, one.distance, one.metric)))

    def arp(self) -> tuple[ArpStatus, ...]:
        """See :class:`cli.router.Interfaces`."""
        with _asking() as kernel:
            macs = {one["index"]: _mac(one.get("address")) for one in kernel.iproute.get_links()}
            known = [
                _neighbour(one, kernel.names[one["ifindex"]])
                for one in kernel.iproute.get_neighbours(family=AF_INET)
                if macs.get(one["ifindex"]) and one["ifindex"] in kernel.names and _is_told(one)
            ]
            own = [
                ArpStatus(
                    address=one.address.ip,
                    mac_address=macs[kernel.links[one.interface].index],
                    interface=one.interface,
                )
                for one in kernel.host_addresses()
                if macs.get(kernel.links[one.interface].index)
            ]
        return tuple(sorted((*own, *known), key=lambda one: (one.address, one.interface)))


@contextmanager
def _asking() -> Iterator[HostNetlink]:
    try:
        with host_netlink() as kernel:
            yield kernel
    except (KernelRefused, NetlinkError, OSError) as error:
        raise CommandRefused(f"the kernel does not tell: {error}") from error


def _addresses(kernel: HostNetlink) -> dict[str, list[AddressStatus]]:
    """By interface."""
    found: dict[str, list[AddressStatus]] = {}
    for one in kernel.all_addresses():
        status = AddressStatus(address=one.address, secondary=one.secondary, configured=one.ours)
        found.setdefault(one.interface, []).append(status)
    return found


def _interface(
    message: Any, addresses: dict[str, list[AddressStatus]], configured: dict[str, Interface], asked: socket
) -> InterfaceStatus:
    name, flags = message.get("ifname"), message["flags"]
    known = configured.get(name, Interface(name=name))
    megabits, full_duplex = _settings(name, asked)
    return InterfaceStatus(
        name=name,
        description=known.description,
        hardware=message.get(("linkinfo", "kind")) or _KINDS.get(message["ifi_type"], "unknown"),
        addresses=tuple(addresses.get(name, ())),
        up=bool(flags & IFF_UP),
        line_protocol=bool(flags & IFF_UP and flags & IFF_RUNNING),
        mtu=message.get("mtu"),
        mac_address=_mac(message.get("address")),
        queue=message.get("txqlen") or 0,
        megabits=megabits,
        full_duplex=full_duplex,
        side=known.side or "",
        adjust_mss=known.adjust_mss,
        counters=_counters(message),
    )


def _counters(message: Any) -> InterfaceCounters:
    counted = message.get("stats64") or {}
    resets = message.get("carrier_down_count") or 0
    return InterfaceCounters(
        **{ours: counted.get(name, 0) for ours, name in _COUNTERS.items()}, resets=resets
    )


def _settings(name: str, asked: socket) -> tuple[int | None, bool | None]:
    """Speed in Mb/s and whether it is full-duplex, of those that say so (ethtool, not netlink, knows)."""
    settings = array("B", struct.pack("I", _GET_SETTINGS).ljust(_SETTINGS, b"\0"))
    try:
        ioctl(asked, _ETHTOOL, struct.pack("16sP16x", name.encode(), settings.buffer_info()[0]))
    except OSError:  # a link without such settings: loopback, a TUN that is gone
        return None, None
    low, duplex = struct.unpack_from("HB", settings, 12)
    (high,) = struct.unpack_from("H", settings, 28)
    speed = high << 16 | low
    return (None if speed in (0, _UNKNOWN_SPEED) else speed), _DUPLEX.get(duplex)


def _mac(text: str | None) -> bytes:
    """A link-layer address of six bytes that is one; empty for all others."""
    mac = bytes.fromhex((text or "").replace(":", ""))
    return mac if len(mac) == 6 and any(mac) else b""


def _route(kernel: HostNetlink, message: Any) -> RouteStatus:
    route, ours = kernel.host_route(message), message["proto"] == PROTOCOL
    connected = message["proto"] == CONNECTED
    hops = sorted(route.hops, key=str)
    return RouteStatus(
        prefix=route.prefix,
        connected=connected,
        distance=0 if connected else route.distance if ours else 1,
        metric=0 if ours else route.distance,
        hops=tuple(HopStatus(interface=hop.interface, gateway=hop.gateway) for hop in hops),
    )


def _is_told(message: Any) -> bool:
    """Whether a neighbour is one that was looked for; those answered for by proxy are others."""
    return not message["flags"] & NTF_PROXY and not message["state"] & NUD_NOARP


def _neighbour(message: Any, interface: str) -> ArpStatus:
    mac_address, cache = _mac(message.get("lladdr")), message.get("cacheinfo") or {}
    return ArpStatus(
        address=IPv4Address(message.get("dst")),
        minutes=cache.get("ndm_confirmed", 0) // _TICKS if mac_address else 0,
        mac_address=mac_address,
        interface=interface,
    )
