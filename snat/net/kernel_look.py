"""What in the kernel is not as it should be, and whose doing hinders us; nothing here changes anything."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address

from snat.net import sysctl
from snat.net.kernel_check import check_place
from snat.net.kernel_plan import (
    INSIDE_GROUP,
    INSIDE_TUN,
    OUTSIDE_GROUP,
    OUTSIDE_TUN,
    PREFERENCES,
    TUN_ADDRESS,
    TUN_SYSCTLS,
    TUNS,
    KernelPlan,
    blackholes,
    is_ours,
    live_routes,
    mtus,
    proxies,
    rules,
    sysctls,
)
from snat.net.netlink import Link, Netlink, ProxyNeighbour, Route
from snat.net.refused import KernelRefused


class Kind(StrEnum):
    """What of ours somebody can change."""

    RULES = "rules"
    ROUTES = "routes"
    INTERFACES = "interfaces"
    """Link groups; or an interface was made anew, so that nothing that was of the old one holds."""
    TUNS = "tuns"
    """A TUN is down, or has another MTU or group."""
    ADDRESSES = "addresses"
    """Virtual addresses, and those of the TUNs."""
    PROXIES = "proxies"
    """Proxy neighbours."""
    SYSCTLS = "sysctls"
    GUARD = "guard"
    """The nft table; :func:`look` does not see it."""
    HOST = "host"
    """What ``ip address``, ``ip route`` and ``shutdown`` say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the kernel found."""

    changed: frozenset[Kind] = frozenset()
    """What is not as it should be."""
    indices: Mapping[str, int] = field(default_factory=dict)
    """The numbers of the inside and outside interfaces that are there."""
    missing: frozenset[str] = frozenset()
    """Those that are not."""
    refusal: str = ""
    """What somebody else set and we do not touch, though it hinders us; empty if there is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What ARP is answered for."""

    virtual: tuple[tuple[IPv4Address, str], ...] = ()
    """Virtual addresses, and the inside interface of each."""
    plan: KernelPlan | None = None
    """With the pools that are answered for; None if none are."""

    @property
    def addresses(self) -> set[IPv4Address]:
        """The virtual addresses."""
        return {address for address, _ in self.virtual}

    def proxies(self, kernel: Netlink) -> set[ProxyNeighbour]:
        """As the outside subnets are now. Raises :class:`KernelRefused`."""
        return set() if self.plan is None else proxies(self.plan, kernel.addresses())


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


def look(plan: KernelPlan, claim: Claim, kernel: Netlink) -> Look:
    """Compare the kernel with what it should be. Raises :class:`KernelRefused` if it does not tell."""
    there = present(plan, kernel.links)
    named = {*plan.inside, *plan.outside}
    refusal = ""
    changed = set()
    try:
        check_place(there, kernel)
        if kernel.proxies() != claim.proxies(kernel):
            changed.add(Kind.PROXIES)
    except KernelRefused as refused:
        refusal = str(refused)
    if set(kernel.rules(PREFERENCES)[0]) != set(rules(plan)):
        changed.add(Kind.RULES)
    if set(filter(is_ours, kernel.our_routes())) != _routes(there, kernel):
        changed.add(Kind.ROUTES)
    if any(group_of(plan, link) != link.group for name, link in kernel.links.items() if name not in TUNS):
        changed.add(Kind.INTERFACES)
    if not _are_tuns_up(there, kernel.links):
        changed.add(Kind.TUNS)
    if _held(kernel) != {TUN_ADDRESS, *claim.addresses}:
        changed.add(Kind.ADDRESSES)
    if any(sysctl.read(name) != value for name, value in all_sysctls(there).items()):
        changed.add(Kind.SYSCTLS)
    return Look(
        changed=frozenset(changed),
        indices={name: kernel.links[name].index for name in named if name in kernel.links},
        missing=frozenset(name for name in named if name not in kernel.links),
        refusal=refusal,
    )


def all_sysctls(plan: KernelPlan) -> dict[str, str]:
    """The sysctls of the plan and of the TUNs, without those that this kernel has not."""
    of_tuns = {path.format(name): value for name in TUNS for path, value in TUN_SYSCTLS}
    return {name: value for name, value in (sysctls(plan) | of_tuns).items() if sysctl.read(name) is not None}


def inside_address(plan: KernelPlan, kernel: Netlink) -> IPv4Address | None:
    """The address that the router's own packets to a pool come from."""
    return next((address.ip for name, address in kernel.addresses() if name in plan.inside), None)


def _routes(plan: KernelPlan, kernel: Netlink) -> set[Route]:
    return {*blackholes(plan), *live_routes(plan, inside_address(plan, kernel))}


def _are_tuns_up(plan: KernelPlan, links: Mapping[str, Link]) -> bool:
    mtu = mtus(plan, {name: link.mtu for name, link in links.items()})
    return all(
        name in links
        and links[name].up
        and links[name].group == group_of(plan, links[name])
        and links[name].mtu == mtu[name]
        for name in TUNS
    )


def _held(kernel: Netlink) -> set[IPv4Address]:
    """Of ``snat-i``; and of ``snat-o``, if it is not the one that it should have."""
    of = {tun: {address.ip for name, address in kernel.addresses() if name == tun} for tun in TUNS}
    return of[INSIDE_TUN] if of[OUTSIDE_TUN] == {TUN_ADDRESS} else set()
