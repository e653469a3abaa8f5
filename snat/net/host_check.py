"""What ``ip address``, ``ip route`` and the like come to in the kernel as it is, or why they cannot be.

Nothing here changes anything. What was in force before is not refused because of what others did since: a
route whose next hop went away is left out until it is back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final, NoReturn

from snat.config.model import StaticRoute
from snat.net.host_netlink import HostNetlink
from snat.net.host_plan import Hop, HostAddress, HostPlan, HostRoute, HostState
from snat.net.kernel_check import check_exists
from snat.net.refused import KernelRefused

_HOSTS: Final = 30
"""Prefix length of the smallest subnet whose first and last address are no host's (RFC 3021)."""


def wanted(plan: HostPlan, kernel: HostNetlink, before: HostPlan | None = None) -> HostState:
    """The state that a plan asks for; ``before`` is the plan in force. Raises :class:`KernelRefused`."""
    for name in _named(plan):
        check_exists(name, kernel)
    present = kernel.host_addresses()
    others = [one for one in present if not one.ours]
    future = _Future(
        (*others, *plan.addresses),
        frozenset(name for name, link in kernel.links.items() if link.up)
        .union(plan.up)
        .difference(plan.down),
    )
    held = {(one.interface, one.address) for one in present}
    settled = [*others, *(one for one in plan.addresses if (one.interface, one.address) in held)]
    for new in plan.addresses:
        if (new.interface, new.address) not in held:
            _check_address(new, settled)
            settled.append(new)
        _check_pools(new, plan)
    routes = _routes(plan, future, set(before.routes) if before else set())
    return HostState(
        addresses=plan.addresses,
        up=frozenset(plan.up),
        down=frozenset(plan.down),
        routes=tuple(routes),
        clamps=dict(plan.clamps),
    )


@dataclass(frozen=True, slots=True)
class _Future:
    """How the machine will be."""

    addresses: Sequence[HostAddress]
    up: frozenset[str]
    """Interfaces."""


def _named(plan: HostPlan) -> Iterator[str]:
    yield from (one.interface for one in plan.addresses)
    yield from (*plan.up, *plan.down)
    yield from (name for name, _ in plan.clamps)
    yield from (route.interface for route in plan.routes if route.interface)


def _check_address(new: HostAddress, settled: Iterable[HostAddress]) -> None:
    network = new.address.network
    where = f"interface {new.interface}: ip address {new.address.ip} {network.netmask}"
    edges = (network.network_address, network.broadcast_address)
    if network.prefixlen <= _HOSTS and new.address.ip in edges:
        raise KernelRefused(
            f"Bad mask /{network.prefixlen} for address {new.address.ip}",
            where=where,
            remedy=f"it is the first or the last address of {network}: use one between",
        )
    for other in settled:
        if other.interface != new.interface and other.reached.overlaps(network):
            raise KernelRefused(
                f"{network} overlaps with {other.interface}",
                where=where,
                remedy=f"{other.interface} has {other.address}: use another subnet, or remove that first",
            )


def _check_pools(new: HostAddress, plan: HostPlan) -> None:
    for pool in plan.pools:
        if new.address.ip in pool:
            raise KernelRefused(
                f"{new.address.ip} is an address of a pool, {pool}",
                where=f"interface {new.interface}",
                remedy="use another, or leave it out of the pool: packets for it go to the translator",
            )


def _routes(plan: HostPlan, future: _Future, before: set[StaticRoute]) -> Iterator[HostRoute]:
    hops: dict[tuple[IPv4Network, int], set[Hop]] = {}
    for route in plan.routes:
        for pool in plan.pools:
            if route.prefix.subnet_of(pool):
                _refuse(route, f"it is in the pool {pool}", "leave it out: the pool leads to the translator")
        hop = _hop(route, future, known=route in before)
        if hop is not None and hop.interface in future.up:
            hops.setdefault((route.prefix, route.distance), set()).add(hop)
    for (prefix, distance), found in hops.items():
        yield HostRoute(prefix=prefix, distance=distance, hops=frozenset(found))


def _hop(route: StaticRoute, future: _Future, *, known: bool) -> Hop | None:
    """Where a route leads; None if it was in force and its next hop is gone."""
    if route.next_hop is None:
        return Hop(route.interface)
    if any(one.address.ip == route.next_hop for one in future.addresses):
        _refuse(route, f"{route.next_hop} is this router itself", "give the address of the next router")
    reaching = [one for one in future.addresses if _reaches(one, route.next_hop, route.interface)]
    if not reaching and not known:
        behind = f"in no subnet of {route.interface or 'this router'}"
        _refuse(route, f"{route.next_hop} is {behind}", "give an interface an address in its subnet first")
    nearest = max(reaching, key=lambda one: one.reached.prefixlen, default=None)
    return nearest and Hop(nearest.interface, route.next_hop)


def _reaches(address: HostAddress, next_hop: IPv4Address, interface: str) -> bool:
    return next_hop in address.reached and interface in ("", address.interface)


def _refuse(route: StaticRoute, what: str, remedy: str) -> NoReturn:
    said = [str(route.prefix.network_address), str(route.prefix.netmask), route.interface]
    hop = "" if route.next_hop is None else str(route.next_hop)
    raise KernelRefused(what, where=" ".join(filter(None, ["ip route", *said, hop])), remedy=remedy)
