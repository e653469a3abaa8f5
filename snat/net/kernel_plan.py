"""What the kernel shall hold: rules, routes, sysctls and neighbours, computed from the interfaces and pools.

Pure arithmetic; :mod:`snat.net.kernel` makes it so. The numbers are fixed, so that what a killed run left
is found again, and listed in ``doc/operations.md`` for those who use policy routing themselves.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from snat.net.netlink import ANY, TABLE_LOCAL, TABLE_MAIN, Link, ProxyNeighbour, Route, Rule
from snat.net.refused import KernelRefused
from snat.net.virtual_links import PARENT_SYSCTLS, VirtualLink

INSIDE_TUN: Final = "snat-i"
"""Read from it: what came from inside. Written to it: what goes inside."""
OUTSIDE_TUN: Final = "snat-o"
"""Read from it: what came from outside. Written to it: what goes outside."""
TUNS: Final = (INSIDE_TUN, OUTSIDE_TUN)

INSIDE_GROUP: Final = 1001
"""Link group of the inside interfaces and ``snat-i``."""
OUTSIDE_GROUP: Final = 0
"""Link group of all others: the kernel's default, so an interface nobody told us of counts as outside."""

PREF_OWN: Final = 50
"""Rules that bring what is for an address that the router shares with inside hosts to a TUN first."""
PREF_LOCAL: Final = 100
"""Where the rule for the local table then is: at the kernel's place, 0, it would come before those."""
PREF_ERROR_MAIN: Final = 900
PREF_ERROR: Final = 901
"""Rules for the kernel's own ICMP errors about what came out of ``snat-i``: they quote inside addresses."""
PREF_POOL: Final = 998
"""Rules that drop what a TUN sends to a pool: it came from there, unmatched, and would circle for ever."""
PREF_MAIN: Final = 1000
"""Rules that look in the main table for routes that stay on one side."""
PREF_TUN: Final = 1001
"""Rules that give the rest to the tables that lead to a TUN."""
PREFERENCES: Final = (
    *(PREF_OWN, PREF_LOCAL, PREF_ERROR_MAIN, PREF_ERROR),
    *(PREF_POOL, PREF_MAIN, PREF_TUN),
)

TABLE_INSIDE: Final = 1001
"""Holds one way: ``snat-i``."""
TABLE_OUTSIDE: Final = 1002
"""Holds one way: ``snat-o``."""
TABLE_ERRORS: Final = 1003
"""Holds one way: ``snat-i``, where errors about an inside host's packets come from inside."""
TABLE_OWN_OUTSIDE: Final = 1004
"""Holds one way: ``snat-o``. No blackhole: without the daemon the router's own services answer."""
TABLE_OWN_INSIDE: Final = 1005
"""The same, to ``snat-i``."""
TABLES: Final = (TABLE_INSIDE, TABLE_OUTSIDE, TABLE_ERRORS, TABLE_OWN_OUTSIDE, TABLE_OWN_INSIDE)

MARK: Final = 0x53
"""Of packets out of ``snat-i``; the kernel's errors about them have it too (``fwmark_reflect``)."""
ICMP: Final = 1
OWN_PROTOCOLS: Final = (ICMP, 6, 17, 47, 50)
"""What is looked at before it is the router's own: ICMP, TCP, UDP, GRE, ESP. By protocol, or else ARP
requests for the address would be looked up by the rule, too, and not be answered."""

METRIC_LIVE: Final = 10
"""Routes to a TUN, which vanish with it."""
METRIC_LAST: Final = 4278198272
"""The blackholes below them, which stay."""

TUN_ADDRESS: Final = IPv4Address("192.0.0.8")
"""The IPv4 dummy address (RFC 7600), scope host, on both TUNs for good: without an address rp_filter drops,
and with the last address the kernel would delete the routes."""
TUN_QUEUE: Final = 4000
"""Packets that wait for us; the default of 500 loses whole TCP windows."""
TUN_SYSCTLS: Final = (
    ("ipv6/conf/{}/disable_ipv6", "1"),
    ("ipv4/conf/{}/rp_filter", "2"),
    ("ipv4/conf/{}/accept_local", "1"),  # the kernel's own ICMP errors, which we write back
    ("ipv4/conf/{}/send_redirects", "0"),
)
DEFAULT_MTU: Final = 1500
"""Of a TUN whose other side has no interface yet."""

MAX_PROXIES: Final = 4096
"""Pool addresses answered for by ARP; the kernel keeps them in 16 chains that each ARP request walks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPlan:
    """What the kernel set-up depends on."""

    inside: tuple[str, ...]
    """Interfaces of the private side."""
    outside: tuple[str, ...]
    """Interfaces of the public side."""
    pool_networks: tuple[IPv4Network, ...]
    """The addresses of all pools, summarised (:func:`ipaddress.summarize_address_range`)."""
    links: tuple[VirtualLink, ...] = ()
    """Interfaces of virtual MAC addresses; those of a side are among its interfaces, too."""
    own: tuple[IPv4Address, ...] = ()
    """Addresses of outside interfaces that inside hosts share (``interface``)."""
    queue: int = TUN_QUEUE
    """Packets that may wait in each TUN (``ip nat tun queue-length``)."""


def present(plan: KernelPlan, links: Collection[str]) -> KernelPlan:
    """The plan, as far as its interfaces are there."""

    def there(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in links)

    return replace(plan, inside=there(plan.inside), outside=there(plan.outside))


def group_of(plan: KernelPlan, link: Link) -> int:
    """The link group that an interface should be in; one that nobody told us of keeps another than ours."""
    if link.name in plan.inside or link.name == INSIDE_TUN:
        return INSIDE_GROUP
    ours = link.name in plan.outside or link.name == OUTSIDE_TUN or link.group == INSIDE_GROUP
    return OUTSIDE_GROUP if ours else link.group


def without_links(plan: KernelPlan) -> KernelPlan:
    """The plan as of what others have made: all interfaces but those of virtual MAC addresses."""
    names = {link.name for link in plan.links}
    inside, outside = (tuple(one for one in side if one not in names) for side in (plan.inside, plan.outside))
    return replace(plan, inside=inside, outside=outside, links=())


def rules(plan: KernelPlan) -> tuple[Rule, ...]:
    """The routing rules, in the order in which to add them: so that what is half done lets nothing out."""
    to_tun = [Rule(priority=PREF_TUN, interface=name, table=TABLE_INSIDE) for name in plan.inside]
    to_tun += [Rule(priority=PREF_TUN, interface=name, table=TABLE_OUTSIDE) for name in plan.outside]
    stay = [_stay(name, suppress=OUTSIDE_GROUP) for name in plan.inside]
    stay += [_stay(name, suppress=INSIDE_GROUP) for name in plan.outside]
    unmatched = [
        Rule(priority=PREF_POOL, interface=tun, destination=pool)
        for tun in TUNS
        for pool in plan.pool_networks
    ]
    return (*to_tun, *stay, *unmatched, *_ERRORS, *_own(plan))


_ERRORS: Final = (
    Rule(priority=PREF_ERROR, interface="lo", table=TABLE_ERRORS, mark=MARK, protocol=ICMP),
    Rule(
        priority=PREF_ERROR_MAIN,
        interface="lo",
        table=TABLE_MAIN,
        suppress_group=OUTSIDE_GROUP,
        mark=MARK,
        protocol=ICMP,
    ),
)


def _own(plan: KernelPlan) -> Iterator[Rule]:
    """The local table first of all, so that it is never missing while the kernel's own rule is moved."""
    if plan.own:
        yield Rule(priority=PREF_LOCAL, interface="", table=TABLE_LOCAL)
    sides = (plan.outside, TABLE_OWN_OUTSIDE), (plan.inside, TABLE_OWN_INSIDE)
    for address in plan.own:
        for interfaces, table in sides:
            for name in interfaces:
                for protocol in OWN_PROTOCOLS:
                    yield Rule(
                        priority=PREF_OWN,
                        interface=name,
                        destination=IPv4Network(address),
                        table=table,
                        protocol=protocol,
                    )


def _stay(interface: str, *, suppress: int) -> Rule:
    return Rule(priority=PREF_MAIN, interface=interface, table=TABLE_MAIN, suppress_group=suppress)


def blackholes(plan: KernelPlan) -> tuple[Route, ...]:
    """The routes that drop while nobody translates."""
    closed = TABLE_INSIDE, TABLE_OUTSIDE, TABLE_ERRORS
    everything = [Route(destination=ANY, table=table, metric=METRIC_LAST) for table in closed]
    pools = [Route(destination=pool, table=TABLE_MAIN, metric=METRIC_LAST) for pool in plan.pool_networks]
    return (*everything, *pools)


def live_routes(plan: KernelPlan, source: IPv4Address | None) -> tuple[Route, ...]:
    """The routes to the TUNs. ``source`` is an inside address for the router's own traffic to a pool."""
    ways = [(TABLE_INSIDE, INSIDE_TUN), (TABLE_OUTSIDE, OUTSIDE_TUN), (TABLE_ERRORS, INSIDE_TUN)]
    if plan.own:
        ways += [(TABLE_OWN_OUTSIDE, OUTSIDE_TUN), (TABLE_OWN_INSIDE, INSIDE_TUN)]
    return (
        *(Route(destination=ANY, table=table, metric=METRIC_LIVE, device=device) for table, device in ways),
        *(
            Route(destination=pool, table=TABLE_MAIN, metric=METRIC_LIVE, device=OUTSIDE_TUN, source=source)
            for pool in plan.pool_networks
        ),
    )


def is_ours(route: Route) -> bool:
    """Whether a route with our protocol number is one of this plan: nobody owns that number.

    The routes of ``ip route`` have it too (:mod:`snat.net.host_netlink`): they lead elsewhere.
    """
    if route.table not in (TABLE_MAIN, *TABLES):
        return False
    return (route.device in TUNS, route.metric) == (True, METRIC_LIVE) or (
        (route.device, route.metric) == (None, METRIC_LAST)
    )


def sysctls(plan: KernelPlan) -> dict[str, str]:
    """The sysctls that outlive the daemon, by path below ``net``."""
    # proxy_delay: by default the kernel waits up to 0.8 s before it answers for a proxy neighbour.
    delays = {f"ipv4/neigh/{name}/proxy_delay": "0" for name in plan.outside}
    # early_demux: with ip_forward the kernel drops what it has a socket for, and is to forward to a TUN.
    demux = ("ipv4/tcp_early_demux", "ipv4/udp_early_demux") if plan.own else ()
    arp = {path.format(link.parent): value for link in plan.links for path, value in PARENT_SYSCTLS}
    always = {"ipv4/ip_forward": "1", "ipv4/fwmark_reflect": "1"}
    return always | delays | dict.fromkeys(demux, "0") | arp


def mtus(plan: KernelPlan, by_interface: dict[str, int]) -> dict[str, int]:
    """The MTU of each TUN: the smallest of the other side.

    So the kernel says "need to frag" before translation, and quotes the packet its sender knows.
    """

    def smallest(names: Iterable[str]) -> int:
        return min((by_interface[name] for name in names), default=DEFAULT_MTU)

    return {INSIDE_TUN: smallest(plan.outside), OUTSIDE_TUN: smallest(plan.inside)}


def proxies(plan: KernelPlan, subnets: Iterable[tuple[str, IPv4Interface]]) -> set[ProxyNeighbour]:
    """The pool addresses in the subnet of an outside interface, where neighbours ask for them by ARP.

    ``subnets`` are all addresses of the router. Raises :class:`KernelRefused` if there are more than
    ``MAX_PROXIES`` of them.
    """
    ranges = [
        (name, subnet.network, pool if pool.subnet_of(subnet.network) else subnet.network)
        for name, subnet in subnets
        if name in plan.outside
        for pool in plan.pool_networks
        if pool.overlaps(subnet.network)
    ]
    asked = sum(shared.num_addresses for _, _, shared in ranges)
    if asked > MAX_PROXIES:
        raise KernelRefused(
            f"{asked} pool addresses to answer for by ARP, {MAX_PROXIES} at most",
            where=", ".join(sorted({name for name, _, _ in ranges})),
            remedy="use a pool outside the interface's subnet and route it to this router",
        )
    return {(address, name) for name, subnet, shared in ranges for address in _hosts(subnet, shared)}


def _hosts(subnet: IPv4Network, shared: IPv4Network) -> Iterator[IPv4Address]:
    reserved = () if subnet.prefixlen >= 31 else (subnet.network_address, subnet.broadcast_address)
    return (address for address in shared if address not in reserved)
