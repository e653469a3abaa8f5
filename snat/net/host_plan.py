"""What the configuration says of the machine itself: addresses, routes, states and MSS of its interfaces.

Pure; :mod:`snat.net.host` makes it so. A :class:`HostPlan` is what was typed; a :class:`HostState` is what
then has to be in the kernel, which depends on what others have put there.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import NamedTuple

from snat.config.model import Configuration, StaticRoute


class HostAddress(NamedTuple):
    """An address of an interface."""

    interface: str
    address: IPv4Interface
    ours: bool = True
    """Whether we set it."""
    subnet: IPv4Network | None = None
    """What is reached through it, where that is not its subnet: the far end of a point-to-point link."""
    secondary: bool = False
    """Whether the kernel speaks from another address of the same subnet."""

    @property
    def reached(self) -> IPv4Network:
        """The addresses that are reached without a router in between."""
        return self.subnet or self.address.network

    def __str__(self) -> str:
        return f"{self.address} on {self.interface}"


class Hop(NamedTuple):
    """Where a route leads next: out of an interface, to a router behind it."""

    interface: str
    gateway: IPv4Address | None = None
    """None: the destination itself is behind the interface."""

    def __str__(self) -> str:
        return f"dev {self.interface}" if self.gateway is None else f"via {self.gateway} dev {self.interface}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRoute:
    """A route of ``ip route`` in the main table; its packets are spread over the hops."""

    prefix: IPv4Network
    distance: int
    """The kernel's metric."""
    hops: frozenset[Hop]

    @property
    def place(self) -> tuple[IPv4Network, int]:
        """What the kernel tells routes apart by."""
        return self.prefix, self.distance

    def __str__(self) -> str:
        hops = ", ".join(sorted(map(str, self.hops)))
        return f"{self.prefix} {hops} metric {self.distance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """What was typed."""

    addresses: tuple[HostAddress, ...] = ()
    """Of each interface the primary first."""
    up: tuple[str, ...] = ()
    """Interfaces with ``no shutdown``."""
    down: tuple[str, ...] = ()
    """Interfaces with ``shutdown``."""
    routes: tuple[StaticRoute, ...] = ()
    clamps: tuple[tuple[str, int], ...] = ()
    """Interfaces with the bytes of their ``ip tcp adjust-mss``."""
    pools: tuple[IPv4Network, ...] = ()
    """What is translated to: neither an address of the router's own nor routed to anybody."""

    @property
    def first(self) -> str:
        """The line that begins what is asked of the kernel; empty: nothing is asked."""
        named = [one.interface for one in self.addresses] + [*self.up, *self.down]
        lines = [f"interface {name}" for name in (*named, *(name for name, _ in self.clamps))]
        return next(iter([*lines, *(f"ip route {route.prefix}" for route in self.routes)]), "")


def present(plan: HostPlan, links: Collection[str]) -> HostPlan:
    """The plan, as far as its interfaces are there; the MSS is nft's, which waits for them."""
    return replace(
        plan,
        addresses=tuple(one for one in plan.addresses if one.interface in links),
        up=tuple(name for name in plan.up if name in links),
        down=tuple(name for name in plan.down if name in links),
        routes=tuple(one for one in plan.routes if not one.interface or one.interface in links),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What of ours is in the kernel, or shall be; empty: nothing."""

    addresses: tuple[HostAddress, ...] = ()
    up: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    routes: tuple[HostRoute, ...] = ()
    clamps: Mapping[str, int] = field(default_factory=dict)


def host_plan(configuration: Configuration, pools: tuple[IPv4Network, ...]) -> HostPlan:
    """The plan of a configuration."""
    interfaces = configuration.interfaces
    return HostPlan(
        addresses=tuple(
            HostAddress(interface.name, given.address)
            for interface in interfaces
            for given in sorted(interface.addresses, key=lambda given: given.secondary)
        ),
        up=tuple(interface.name for interface in interfaces if interface.shutdown is False),
        down=tuple(interface.name for interface in interfaces if interface.shutdown),
        routes=configuration.routes,
        clamps=tuple(
            (interface.name, interface.adjust_mss) for interface in interfaces if interface.adjust_mss
        ),
        pools=pools,
    )


class AddressSteps(NamedTuple):
    """What to do to the addresses of one interface, in this order; then they are as wanted."""

    add: list[IPv4Interface]
    delete: list[IPv4Interface]
    again: list[IPv4Interface]
    """Deleted and added once more: of the addresses of one subnet, the kernel speaks from the oldest."""


def address_steps(
    present: Sequence[IPv4Interface], ours: Collection[IPv4Interface], wanted: Sequence[IPv4Interface]
) -> AddressSteps:
    """From the addresses that an interface has, in the kernel's order, to what is wanted of us there.

    Adding comes first: with its last address an interface loses its routes, those of others too.
    """
    add = [address for address in wanted if address not in present]
    delete = [address for address in present if address in ours and address not in wanted]
    order = [address for address in present if address in ours and address in wanted] + add
    mine = [address for address in wanted if address in order]
    subnets = dict.fromkeys(address.network for address in mine)
    again = [address for subnet in subnets for address in _misplaced(order, mine, subnet)]
    return AddressSteps(add, delete, again)


def _misplaced(
    order: Iterable[IPv4Interface], wanted: Iterable[IPv4Interface], subnet: IPv4Network
) -> list[IPv4Interface]:
    """What must go to the end of the order, one after the other, so that it is as wanted."""
    left = [address for address in wanted if address.network == subnet]
    for address in order:
        if left and address == left[0]:
            left.pop(0)
    return left
