"""What we ask of the kernel over netlink, as values: links, rules, routes, addresses, proxy neighbours.

A thin layer over pyroute2, whose synchronous IPRoute runs an event loop of its own for each call: it is
opened per use and closed, 1-3 ms, and leaves nothing in the process. It works inside any Twisted reactor but
the asyncio one (its loop cannot run inside another).

Everything of ours carries the protocol number 83, where the kernel has a place for it. Dumps are filtered
by the kernel (strict checking), since a router may carry a million routes that are none of our business.
"""

import errno
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from socket import AF_INET
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTM_DELNEIGH, RTM_GETNEIGH, RTM_GETROUTE, RTM_NEWNEIGH
from pyroute2.netlink.rtnl.ifinfmsg import IFF_RUNNING, IFF_UP
from pyroute2.netlink.rtnl.ndmsg import NTF_PROXY, NUD_PERMANENT, ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from snat.net.kernel_change import KernelChange, Kind
from snat.net.refused import KernelRefused

PROTOCOL: Final = 83
"""Our number in the protocol field of routes, rules and neighbours; unassigned, as "S" is 83."""
TABLE_MAIN: Final = 254
TABLE_LOCAL: Final = 255
SCOPE_UNIVERSE: Final = 0
SCOPE_LINK: Final = 253
SCOPE_HOST: Final = 254
ANY: Final = IPv4Network("0.0.0.0/0")

TABLE_COMPAT: Final = 252
"""What the one byte of the header says when the table is in an attribute."""
_BLACKHOLE: Final = 6
_KERNEL: Final = 2
"""The protocol number of what the kernel made itself."""
_NEIGHBOURS_PER_BATCH: Final = 128
"""Answers to one batch wait in the socket's buffer: 128 of them fit the smallest default."""

_REMEDIES: Final = {
    errno.EPERM: "run as root, or with CAP_NET_ADMIN",
    errno.EEXIST: "another program has something in its place: remove that, or give it another metric",
}

ProxyNeighbour = tuple[IPv4Address, str]
"""An address we answer ARP for, and the interface on which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface."""

    index: int
    name: str
    group: int
    mtu: int
    kind: str
    """The driver's name such as ``veth``, ``tun``; empty for most hardware."""
    up: bool = True
    """Whether it is up administratively."""
    queue: int = 0
    """Packets that may wait in it (``txqueuelen``)."""
    running: bool = True
    """Whether its link is there, too."""
    mac_address: bytes = b""
    parent: int = 0
    """Index of the interface that it is on; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A routing rule for packets from one interface, or any; without a table it drops them."""

    priority: int
    interface: str
    table: int | None = None
    suppress_group: int | None = None
    """Routes out of an interface of this group do not count."""
    destination: IPv4Network = ANY
    mark: int = 0
    """Only packets with this mark; 0: any."""
    protocol: int = 0
    """Only packets of this IP protocol; 0: any."""

    def __str__(self) -> str:
        of = f" iif {self.interface}" if self.interface else ""
        of += f" fwmark {self.mark:#x}" if self.mark else ""
        of += f" ipproto {self.protocol}" if self.protocol else ""
        to = "" if self.destination == ANY else f" to {self.destination}"
        action = "blackhole" if self.table is None else f"lookup {self.table}"
        suppress = "" if self.suppress_group is None else f" suppress_ifgroup {self.suppress_group}"
        return f"pref {self.priority}{of}{to} {action}{suppress}"

    def arguments(self) -> dict[str, Any]:
        """As pyroute2 takes it."""
        chosen: dict[str, Any] = {"action": "blackhole"} if self.table is None else {"table": self.table}
        if self.suppress_group is not None:
            chosen["suppress_ifgroup"] = self.suppress_group
        if self.destination != ANY:
            chosen |= {
                "dst": str(self.destination.network_address),
                "dst_len": self.destination.prefixlen,
            }
        if self.interface:
            chosen["iifname"] = self.interface
        if self.mark:
            chosen["fwmark"] = self.mark
        if self.protocol:
            chosen["ip_proto"] = self.protocol
        return {"priority": self.priority, "protocol": PROTOCOL, **chosen}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route out of a device; without a device it drops."""

    destination: IPv4Network
    table: int
    metric: int
    device: str | None = None
    source: IPv4Address | None = None
    """The router's own address on packets it sends by this route."""

    def __str__(self) -> str:
        via = "blackhole" if self.device is None else f"dev {self.device}"
        source = "" if self.source is None else f" src {self.source}"
        return f"{self.destination} {via} table {self.table} metric {self.metric}{source}"

    @property
    def place(self) -> tuple[int, IPv4Network, int]:
        """What the kernel tells routes apart by: there is room for one of ours."""
        return self.table, self.destination, self.metric


class Netlink:
    """One conversation with the kernel. Every method raises :class:`KernelRefused` if the kernel says no."""

    def __init__(self, iproute: IPRoute) -> None:
        self.iproute = iproute
        self.changes: list[KernelChange] = []
        """What was changed."""
        self.links: dict[str, Link] = {}
        """By name, as they were when the conversation began, but for what it created and deleted."""
        self.names: dict[int, str] = {}
        """By number, of the same moment."""
        self._look_at_links()

    def set_link(self, name: str, **changes: Any) -> None:
        """Change an interface: ``group``, ``mtu``, ``txqlen``, ``state``."""
        with refusing(f"cannot set {changes}", name):
            self.iproute.link("set", index=self.links[name].index, **changes)
        self.changes += [
            KernelChange(Kind.INTERFACES, f"{name} {what} {value}") for what, value in changes.items()
        ]

    def add_macvlan(self, name: str, *, parent: str, mac_address: bytes) -> None:
        """Create an interface for another MAC address of an interface, down; see :attr:`links` afterwards."""
        with refusing("cannot create it", f"interface {name}"):
            self.iproute.link(
                "add",
                ifname=name,
                kind="macvlan",
                link=self.links[parent].index,
                address=mac_address.hex(":"),
                macvlan_mode="bridge",  # else what another router sends from this address is not heard
            )
        self.changes.append(KernelChange(Kind.INTERFACES, f"{name} on {parent}"))
        self._look_at_links()

    def delete_link(self, name: str) -> None:
        """Delete an interface; no error if it is gone."""
        with refusing("cannot delete it", f"interface {name}", errno.ENODEV):
            self.iproute.link("del", index=self.links[name].index)
        self.changes.append(KernelChange(Kind.INTERFACES, f"no {name}"))
        self._look_at_links()

    def _look_at_links(self) -> None:
        self.links = self._links()
        self.names = {link.index: link.name for link in self.links.values()}

    def rules(self, priorities: Iterable[int]) -> tuple[list[Rule], list[int]]:
        """Our rules, and the preferences at which other programs have some, among the given ones."""
        chosen = frozenset(priorities)
        found = [m for m in self.iproute.get_rules(family=AF_INET) if m.get("priority") in chosen]
        ours = [_rule(message) for message in found if message.get("protocol") == PROTOCOL]
        return ours, [m.get("priority") for m in found if m.get("protocol") != PROTOCOL]

    def add_rule(self, rule: Rule) -> None:
        """Add a rule that is not there yet."""
        with refusing("cannot add the rule", str(rule), errno.EEXIST):
            self.iproute.rule("add", **rule.arguments())
        self.changes.append(KernelChange(Kind.RULES, f"rule {rule}"))

    def delete_rule(self, rule: Rule) -> None:
        """Delete a rule of ours; no error if it is gone."""
        with refusing("cannot delete the rule", str(rule), errno.ENOENT):
            self.iproute.rule("del", **rule.arguments())
        self.changes.append(KernelChange(Kind.RULES, f"no rule {rule}"))

    def put_local_first(self, first: bool) -> None:
        """Have the kernel's rule for the local table at its place, before all others, or have it not."""
        place = {"priority": 0, "table": TABLE_LOCAL}
        present = any(message.get("priority") is None for message in self.iproute.get_rules(family=AF_INET))
        if present == first:
            return
        with refusing("cannot move the rule for the local table", "ip rule pref 0", errno.EEXIST):
            self.iproute.rule("add" if first else "del", protocol=_KERNEL, **place)
        words = "rule pref 0 lookup local"
        self.changes.append(KernelChange(Kind.RULES, words if first else f"no {words}"))

    def our_routes(self) -> list[Route]:
        """All routes with our protocol number, in any table."""
        return [self._route(message) for message in self.dump_routes(proto=PROTOCOL)]

    def foreign_routes(self, table: int) -> list[Route]:
        """The routes in one of our tables that other programs put there."""
        return [self._route(m) for m in self.dump_routes(table=table) if m["proto"] != PROTOCOL]

    def put_route(self, route: Route, *, replace: bool = False) -> None:
        """Add a route; or put it in the place of one of ours."""
        with refusing("cannot add the route", str(route)):
            self.iproute.route("replace" if replace else "add", **self._arguments(route))
        self.changes.append(KernelChange(Kind.ROUTES, f"route {route}"))

    def delete_route(self, route: Route) -> None:
        """Delete a route of ours; no error if it is gone."""
        with refusing("cannot delete the route", str(route), errno.ESRCH):
            self.iproute.route("del", **self._arguments(route))
        self.changes.append(KernelChange(Kind.ROUTES, f"no route {route}"))

    def addresses(self) -> list[tuple[str, IPv4Interface]]:
        """All IPv4 addresses of this namespace: interface, and address with its prefix length."""
        return [
            (self.names[m["index"]], IPv4Interface((m.get("local"), m["prefixlen"])))
            for m in self.iproute.get_addr(family=AF_INET)
            if m["index"] in self.names
        ]

    def add_address(self, interface: str, address: IPv4Address, *, host: bool = False) -> None:
        """Add a /32; no error if it is there. With ``host`` it is never chosen as a source (scope host)."""
        with refusing(f"cannot add the address {address}", interface, errno.EEXIST):
            self.iproute.addr(
                "add",
                index=self.links[interface].index,
                address=str(address),
                prefixlen=32,
                scope=SCOPE_HOST if host else SCOPE_UNIVERSE,
            )
        self.changes.append(KernelChange(Kind.ADDRESSES, f"address {address} dev {interface}"))

    def delete_address(self, interface: str, address: IPv4Address) -> None:
        """Delete a /32; no error if it is gone."""
        with refusing(f"cannot delete the address {address}", interface, errno.EADDRNOTAVAIL):
            self.iproute.addr("del", index=self.links[interface].index, address=str(address), prefixlen=32)
        self.changes.append(KernelChange(Kind.ADDRESSES, f"no address {address} dev {interface}"))

    def proxies(self) -> set[ProxyNeighbour]:
        """The addresses for which the kernel answers ARP on our account."""
        ask = _neighbour(RTM_GETNEIGH, NLM_F_DUMP)
        return {
            (IPv4Address(message.get("NDA_DST")), self.names[message["ifindex"]])
            for message in self.iproute.nlm_request_batch([ask])
            if message.get("NDA_PROTOCOL") == PROTOCOL and message["ifindex"] in self.names
        }

    def add_proxies(self, proxies: Collection[ProxyNeighbour]) -> None:
        """Answer ARP for addresses; 0.1 ms each."""
        self._send_proxies(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, proxies)
        self.changes += [
            KernelChange(Kind.PROXIES, f"proxy {address} dev {name}") for address, name in sorted(proxies)
        ]

    def delete_proxies(self, proxies: Collection[ProxyNeighbour]) -> None:
        """Answer for them no more; no error for one that is gone."""
        self._send_proxies(RTM_DELNEIGH, NLM_F_ACK, proxies)
        self.changes += [
            KernelChange(Kind.PROXIES, f"no proxy {address} dev {name}") for address, name in sorted(proxies)
        ]

    def _send_proxies(self, message_type: int, flags: int, proxies: Iterable[ProxyNeighbour]) -> None:
        messages = [
            _neighbour(message_type, flags, address, self.links[interface].index)
            for address, interface in proxies
        ]
        for start in range(0, len(messages), _NEIGHBOURS_PER_BATCH):
            batch = messages[start : start + _NEIGHBOURS_PER_BATCH]
            with refusing("cannot change for what ARP is answered", "proxy neighbours", errno.ENOENT):
                tuple(self.iproute.nlm_request_batch(batch))

    def _links(self) -> dict[str, Link]:
        links = (
            Link(
                index=message["index"],
                name=message.get("ifname"),
                group=message.get("group") or 0,
                mtu=message.get("mtu"),
                kind=message.get(("linkinfo", "kind")) or "",
                up=bool(message["flags"] & IFF_UP),
                queue=message.get("txqlen") or 0,
                running=bool(message["flags"] & IFF_RUNNING),
                mac_address=bytes.fromhex((message.get("address") or "").replace(":", "")),
                parent=message.get("link") or 0,
            )
            for message in self.iproute.get_links()
        )
        return {link.name: link for link in links}

    def dump_routes(self, *, table: int = 0, proto: int = 0) -> Iterator[Any]:
        """The IPv4 routes of a table or with a protocol number, or both; 0: any.

        They are messages of pyroute2.
        """
        # pyroute2's own dump takes every route and filters here; asked like this, the kernel filters.
        ask = rtmsg()
        ask["family"], ask["proto"] = AF_INET, proto
        if table:
            ask["table"] = min(table, TABLE_COMPAT)
            ask["attrs"] = [("RTA_TABLE", table)]
        ask["header"]["type"], ask["header"]["flags"] = RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP
        yield from self.iproute.nlm_request_batch([ask])

    def _route(self, message: Any) -> Route:
        source = message.get("prefsrc")
        return Route(
            destination=destination_of(message),
            table=message.get("table"),
            metric=message.get("priority") or 0,
            device=self.names.get(message.get("oif")),
            source=source and IPv4Address(source),
        )

    def _arguments(self, route: Route) -> dict[str, Any]:
        common = {
            "family": AF_INET,
            "dst": str(route.destination),
            "table": route.table,
            "priority": route.metric,
            "proto": PROTOCOL,
        }
        if route.device is None:
            return {**common, "type": "blackhole"}
        source = {} if route.source is None else {"prefsrc": str(route.source)}
        return {**common, "oif": self.links[route.device].index, "scope": SCOPE_LINK, **source}


@contextmanager
def netlink() -> Iterator[Netlink]:
    """Open a conversation with the kernel of the namespace this process runs in."""
    with IPRoute(strict_check=True) as iproute:
        yield Netlink(iproute)


@contextmanager
def refusing(what: str, where: str, *harmless: int) -> Iterator[None]:
    """What the kernel refuses is a :class:`KernelRefused`, but for some error numbers."""
    try:
        yield
    except NetlinkError as error:
        if error.code not in harmless:
            remedy = _REMEDIES.get(error.code, f"the kernel says: {error}")
            raise KernelRefused(what, where=where, remedy=remedy) from error


def _rule(message: Any) -> Rule:
    return Rule(
        priority=message.get("priority"),
        interface=message.get("iifname") or "",
        table=None if message["action"] == _BLACKHOLE else message.get("table"),
        suppress_group=message.get("suppress_ifgroup"),
        destination=destination_of(message),
        mark=message.get("fwmark") or 0,
        protocol=message.get("ip_proto") or 0,
    )


def destination_of(message: Any) -> IPv4Network:
    """Where a route or rule leads to."""
    return IPv4Network((message.get("dst") or 0, message["dst_len"]))


def _neighbour(message_type: int, flags: int, address: IPv4Address | None = None, index: int = 0) -> Any:
    message = ndmsg()
    message["family"], message["flags"], message["ifindex"] = AF_INET, NTF_PROXY, index
    if address is not None:
        message["state"] = NUD_PERMANENT
        message["attrs"] = [("NDA_DST", str(address)), ("NDA_PROTOCOL", PROTOCOL)]
    message["header"]["type"], message["header"]["flags"] = message_type, NLM_F_REQUEST | flags
    return message
