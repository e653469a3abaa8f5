"""``snat kernel show|clean|guard``: all that is ours in the kernel, found by its marks, daemon or not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from snat.net import guard, sysctl, virtual_links
from snat.net.host import change, held
from snat.net.host_netlink import host_netlink
from snat.net.host_plan import HostAddress, HostRoute, HostState
from snat.net.kernel_plan import (
    INSIDE_GROUP,
    INSIDE_TUN,
    MARK,
    OUTSIDE_GROUP,
    OUTSIDE_TUN,
    PREFERENCES,
    TUN_ADDRESS,
    TUNS,
    is_ours,
)
from snat.net.netlink import Link, Netlink, ProxyNeighbour, Route, Rule, netlink


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelState:
    """What of ours is in the kernel of this network namespace; all empty after :func:`clean`."""

    tuns: tuple[Link, ...]
    """There while a daemon has them open."""
    inside: tuple[str, ...]
    """Interfaces in the inside group."""
    rules: tuple[Rule, ...]
    routes: tuple[Route, ...]
    virtual_addresses: tuple[IPv4Address, ...]
    """Claimed now."""
    proxies: tuple[ProxyNeighbour, ...]
    """Pool addresses answered for by ARP, while there is a route to ``snat-o``."""
    guarded: bool
    """Whether the nft guard is in place."""
    guard_dropped: int
    """Packets it stopped."""
    sysctls: Mapping[str, str]
    """Sysctls we changed, with their value before."""
    addresses: tuple[HostAddress, ...] = ()
    """Of ``ip address``."""
    host_routes: tuple[HostRoute, ...] = ()
    """Of ``ip route``."""
    clamps: Mapping[str, int] = field(default_factory=dict)
    """Interfaces and bytes of ``ip tcp adjust-mss``."""

    def __bool__(self) -> bool:
        host = self.addresses, self.host_routes, self.clamps
        return any((self.tuns, self.inside, self.rules, self.routes, self.proxies, self.guarded, *host))


def show() -> KernelState:
    """Read the state; raises :class:`~snat.net.refused.KernelRefused` if nft does not answer."""
    fence = guard.read()
    with host_netlink() as host:
        machine = held(host, set())
    with netlink() as kernel:
        virtual = [address.ip for name, address in kernel.addresses() if name == INSIDE_TUN]
        return KernelState(
            tuns=tuple(link for name, link in kernel.links.items() if name in TUNS),
            inside=_inside(kernel),
            rules=tuple(kernel.rules(PREFERENCES)[0]),
            routes=tuple(filter(is_ours, kernel.our_routes())),
            virtual_addresses=tuple(address for address in virtual if address != TUN_ADDRESS),
            proxies=tuple(sorted(kernel.proxies())),
            guarded=fence is not None,
            guard_dropped=fence.dropped if fence else 0,
            sysctls=fence.before if fence else {},
            addresses=machine.addresses,
            host_routes=machine.routes,
            clamps=machine.clamps,
        )


def clean() -> None:
    """Remove everything a daemon ever set, and give changed sysctls their value back.

    Forwarding is switched off first if we switched it on, and the guard goes last. A TUN belongs to its
    process and goes with it; a daemon that still runs puts all of it back. Interfaces stay up or down.
    """
    fence = guard.read()
    for name, value in (fence.before if fence else {}).items():
        sysctl.write_if_present(name, value)
    with netlink() as kernel:
        kernel.put_local_first(True)
        for rule in kernel.rules(PREFERENCES)[0]:
            kernel.delete_rule(rule)
        for route in filter(is_ours, kernel.our_routes()):
            kernel.delete_route(route)
        for name in _inside(kernel):
            kernel.set_link(name, group=OUTSIDE_GROUP)
        kernel.delete_proxies(kernel.proxies())
        virtual_links.put(kernel, ())
    with host_netlink() as host:
        change(host, HostState())
    if fence:
        guard.remove()


def stand_guard(inside: Iterable[str]) -> None:
    """Let nothing from these interfaces leave untranslated, from now on and whether they exist or not.

    What a guard that stands already remembers, it goes on to remember.
    """
    fence = guard.read()
    guard.install(
        inside=inside,
        inside_group=INSIDE_GROUP,
        outside_group=OUTSIDE_GROUP,
        inside_tun=INSIDE_TUN,
        outside_tun=OUTSIDE_TUN,
        mark=MARK,
        before=fence.before if fence else {},
    )


def _inside(kernel: Netlink) -> tuple[str, ...]:
    return tuple(
        name for name, link in kernel.links.items() if link.group == INSIDE_GROUP and name not in TUNS
    )
