"""What we ask of the kernel over netlink about the machine itself: marked addresses, routes with next hops.

Addresses of ours carry the protocol number in IFA_PROTO (Linux 5.18), routes in their protocol field.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRNOTAVAIL, ESRCH
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from socket import AF_INET
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_SECONDARY

from snat.config.interface import HIGHEST_DISTANCE
from snat.net.host_plan import Hop, HostAddress, HostRoute
from snat.net.kernel_change import KernelChange, Kind
from snat.net.kernel_check import check_exists
from snat.net.kernel_plan import TUNS
from snat.net.netlink import (
    PROTOCOL,
    SCOPE_LINK,
    SCOPE_UNIVERSE,
    TABLE_MAIN,
    Netlink,
    destination_of,
    refusing,
)

UNICAST: Final = 1
"""The type of a route that leads somewhere."""
_SMALLEST_WITH_BROADCAST: Final = 30
"""Prefix length of the smallest subnet that has a broadcast address (RFC 3021)."""


class HostNetlink(Netlink):
    """One conversation with the kernel about the machine itself."""

    def host_addresses(self) -> list[HostAddress]:
        """All IPv4 addresses but those of the TUNs."""
        return [one for one in self.all_addresses() if one.interface not in TUNS]

    def all_addresses(self) -> list[HostAddress]:
        """All IPv4 addresses; of each interface in the order of the kernel."""
        return [
            _address(self.names[message["index"]], message)
            for message in self.iproute.get_addr(family=AF_INET)
            if message["index"] in self.names
        ]

    def give(self, interface: str, address: IPv4Interface) -> None:
        """Add an address of ours."""
        broadcast = address.network.prefixlen <= _SMALLEST_WITH_BROADCAST
        extra = {"broadcast": str(address.network.broadcast_address)} if broadcast else {}
        with refusing(f"cannot add the address {address}", f"interface {interface}"):
            self.iproute.addr("add", **self._addressed(interface, address), proto=PROTOCOL, **extra)
        self.changes.append(KernelChange(Kind.ADDRESSES, f"address {address} dev {interface}"))

    def take(self, interface: str, address: IPv4Interface) -> None:
        """Delete an address; no error if it is gone."""
        with refusing(f"cannot delete the address {address}", f"interface {interface}", EADDRNOTAVAIL):
            self.iproute.addr("del", **self._addressed(interface, address))
        self.changes.append(KernelChange(Kind.ADDRESSES, f"no address {address} dev {interface}"))

    def host_routes(self) -> list[HostRoute]:
        """Our routes in the main table that lead to other routers and interfaces."""
        messages = self.dump_routes(table=TABLE_MAIN, proto=PROTOCOL)
        routes = [self.host_route(message) for message in messages if message["type"] == UNICAST]
        return [
            route
            for route in routes
            if 1 <= route.distance <= HIGHEST_DISTANCE
            and not any(hop.interface in TUNS for hop in route.hops)
        ]

    def host_route(self, message: Any) -> HostRoute:
        """A route of a dump; interfaces that went meanwhile have no name."""
        hops = [_hop(self.names.get(one["oif"], ""), one) for one in message.get("multipath") or ()]
        if message.get("oif"):
            hops.append(_hop(self.names.get(message.get("oif"), ""), message))
        return HostRoute(
            prefix=destination_of(message), distance=message.get("priority") or 0, hops=frozenset(hops)
        )

    def put_host_route(self, route: HostRoute, *, replace: bool) -> None:
        """Add a route; or put it in the place of one of ours."""
        with refusing("cannot add the route", f"ip route {route}"):
            self.iproute.route("replace" if replace else "add", **self._routed(route))
        self.changes.append(KernelChange(Kind.ROUTES, f"route {route}"))

    def delete_host_route(self, route: HostRoute) -> None:
        """Delete a route of ours; no error if it is gone."""
        with refusing("cannot delete the route", f"ip route {route}", ESRCH):
            self.iproute.route("del", **self._placed(route))
        self.changes.append(KernelChange(Kind.ROUTES, f"no route {route}"))

    def _addressed(self, interface: str, address: IPv4Interface) -> dict[str, Any]:
        check_exists(interface, self)
        return {
            "index": self.links[interface].index,
            "address": str(address.ip),
            "prefixlen": address.network.prefixlen,
        }

    def _placed(self, route: HostRoute) -> dict[str, Any]:
        return {
            "family": AF_INET,
            "dst": str(route.prefix),
            "table": TABLE_MAIN,
            "priority": route.distance,
            "proto": PROTOCOL,
        }

    def _routed(self, route: HostRoute) -> dict[str, Any]:
        for hop in route.hops:
            check_exists(hop.interface, self)
        hops = [
            {
                "oif": self.links[hop.interface].index,
                **({} if hop.gateway is None else {"gateway": str(hop.gateway)}),
            }
            for hop in sorted(route.hops, key=str)
        ]
        scope = SCOPE_UNIVERSE if any("gateway" in hop for hop in hops) else SCOPE_LINK
        way = hops[0] if len(hops) == 1 else {"multipath": hops}
        return {**self._placed(route), "scope": scope, **way}


@contextmanager
def host_netlink() -> Iterator[HostNetlink]:
    """Open a conversation with the kernel of the namespace this process runs in."""
    with IPRoute(strict_check=True) as iproute:
        yield HostNetlink(iproute)


def _address(interface: str, message: Any) -> HostAddress:
    address = IPv4Interface((message.get("local"), message["prefixlen"]))
    # With a peer, IFA_ADDRESS is the other end's.
    far = message.get("address") or message.get("local")
    reached = IPv4Network((far, message["prefixlen"]), strict=False)
    return HostAddress(
        interface,
        address,
        ours=message.get("proto") == PROTOCOL,
        secondary=bool(message["flags"] & IFA_F_SECONDARY),
        subnet=None if reached == address.network else reached,
    )


def _hop(interface: str, message: Any) -> Hop:
    gateway = message.get("gateway") or message.get("RTA_GATEWAY")
    return Hop(interface, None if gateway is None else IPv4Address(gateway))
