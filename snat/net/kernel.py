"""How packets reach the two TUNs, and how none passes by when nobody translates.

Inside interfaces and ``snat-i`` are in link group 1001, all others in group 0. A packet from an inside
interface follows the main table as long as that keeps it inside; else table 1001 gives it to ``snat-i``.
What comes from outside follows the main table as long as that keeps it outside, which routes the pools to
``snat-o``; else table 1002 gives it to ``snat-o``. What the translator writes back follows the main table.

Under each route to a TUN lies a blackhole with a far worse metric. The TUNs take their routes and
addresses with them; rules, groups, blackholes and the nft guard stay until the configuration, or
:func:`snat.net.kernel_state.clean`, removes them. So when the daemon is killed, what it would have
translated is dropped, and nothing answers for a pool address or a virtual address.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from snat.net import guard, sysctl
from snat.net.kernel_check import check_claim, check_prepare, check_tun
from snat.net.kernel_look import Claim, Look, group_of, inside_address, look, present
from snat.net.kernel_plan import (
    INSIDE_GROUP,
    INSIDE_TUN,
    OUTSIDE_GROUP,
    OUTSIDE_TUN,
    PREFERENCES,
    TUN_ADDRESS,
    TUN_SYSCTLS,
    KernelPlan,
    blackholes,
    is_ours,
    live_routes,
    mtus,
    proxies,
    rules,
    sysctls,
)
from snat.net.netlink import Netlink, ProxyNeighbour, Route, netlink
from snat.net.refused import KernelRefused


class Kernel:
    """The kernel's side of one router, in the network namespace this process runs in.

    Order: :func:`snat.net.tun.open_tun` for both TUNs (it refuses while another daemon has them),
    :meth:`prepare`, :meth:`attach`; then :meth:`claim` and :meth:`withdraw` as the role comes and goes.
    Every method can be called again at any time, and changes only what is not as it should be. All raise
    :class:`~snat.net.refused.KernelRefused`; :meth:`prepare` and :meth:`claim` check first and change
    nothing when they refuse. They block for some milliseconds.
    """

    def __init__(self, plan: KernelPlan) -> None:
        self.plan = plan
        self._claim = Claim()

    def prepare(self) -> None:
        """Set up all that outlives the daemon, and remove what a killed run or an older plan left."""
        with netlink() as kernel:
            check_prepare(self.plan, kernel)
            _install_guard(self.plan)
            for put in _LASTING:
                put(kernel, self.plan)
            _set_proxies(kernel, self._claim.proxies(kernel))

    def attach(self) -> None:
        """Bring the open TUNs up and lead packets to them."""
        with netlink() as kernel:
            _bring_up(kernel, self.plan)
            _put_live_routes(kernel, self.plan)

    def look(self) -> Look:
        """What is not as it should be; the guard is not looked at."""
        with netlink() as kernel:
            return look(self.plan, self._claim, kernel)

    def restore(self, *, guarded: bool) -> None:
        """Put everything back, as far as it can be: what is refused does not hinder the rest.

        Of an interface that is not there only the rules are set, which wait for it; ``guarded`` tells that
        the guard is whole. Raises the first refusal, at the end.
        """
        refusals = []
        with netlink() as kernel:
            there = present(self.plan, kernel.links)
            puts: tuple[Put, ...] = (*_LASTING, _bring_up, _put_live_routes, self._put_claim)
            for put in puts if guarded else (lambda _, plan: _install_guard(plan), *puts):
                try:
                    put(kernel, self.plan if put is _set_rules else there)
                except KernelRefused as refused:
                    refusals.append(refused)
        if refusals:
            raise refusals[0]

    def check(self, virtual_addresses: tuple[tuple[IPv4Address, str], ...]) -> None:
        """Raise what :meth:`claim` would: ask at start, since a takeover is too late to learn of it."""
        with netlink() as kernel:
            check_claim(kernel, virtual_addresses)

    def claim(
        self,
        virtual_addresses: tuple[tuple[IPv4Address, str], ...],
        pools: tuple[IPv4Network, ...] | None = None,
    ) -> tuple[tuple[IPv4Address, str], ...]:
        """Answer ARP for exactly these virtual addresses (with their inside interfaces) and these pools.

        All pools of the plan if they are not told. For pools only where they lie in the subnet of an outside
        interface: else they are routed to us. Returns all of them with the interface each is to be
        announced on (gratuitous ARP).
        """
        answered = self.plan if pools is None else replace(self.plan, pool_networks=pools)
        with netlink() as kernel:
            check_claim(kernel, virtual_addresses)
            claimed = proxies(answered, kernel.addresses())
            self._claim = Claim(virtual=virtual_addresses, plan=answered)
            _set_virtual_addresses(kernel, self._claim.addresses)
            _set_proxies(kernel, claimed)
        return (*virtual_addresses, *sorted(claimed))

    def claimed(self) -> tuple[tuple[IPv4Address, str], ...]:
        """What is answered for, each with the interface it is announced on, as far as these are there."""
        with netlink() as kernel:
            answered = (*self._claim.virtual, *sorted(self._claim.proxies(kernel)))
            return tuple(one for one in answered if one[1] in kernel.links)

    def withdraw(self) -> None:
        """Answer for nothing any more; translation is not touched."""
        self._claim = Claim()
        with netlink() as kernel:
            _set_virtual_addresses(kernel, set())
            _set_proxies(kernel, set())

    def _put_claim(self, kernel: Netlink, _: KernelPlan) -> None:
        _set_virtual_addresses(kernel, self._claim.addresses)
        _set_proxies(kernel, self._claim.proxies(kernel))


def _install_guard(plan: KernelPlan) -> None:
    """Put the guard in place, unless it is whole and remembers all: its counter would be lost."""
    held = guard.read()
    before = dict(held.before) if held else {}
    for name, value in sysctls(plan).items():
        was = sysctl.read(name)
        if was is not None and was != value:
            before.setdefault(name, was)
    if held is None or not held.whole or before != held.before:
        guard.install(before)


def _put_blackholes(kernel: Netlink, plan: KernelPlan) -> None:
    _put_routes(kernel, blackholes(plan))


def _set_groups(kernel: Netlink, plan: KernelPlan) -> None:
    for name, link in kernel.links.items():
        group = group_of(plan, link)
        if group != link.group:
            kernel.set_link(name, group=group)


def _set_rules(kernel: Netlink, plan: KernelPlan) -> None:
    wanted = rules(plan)
    held, _ = kernel.rules(PREFERENCES)
    for rule in wanted:
        if rule not in held:
            kernel.add_rule(rule)
    for rule in held:
        if rule not in wanted:
            kernel.delete_rule(rule)


def _delete_stale_routes(kernel: Netlink, plan: KernelPlan) -> None:
    wanted = {route.place for route in (*blackholes(plan), *live_routes(plan, None))}
    for route in filter(is_ours, kernel.our_routes()):
        if route.place not in wanted:
            kernel.delete_route(route)


def _set_sysctls(_: Netlink, plan: KernelPlan) -> None:
    for name, value in sysctls(plan).items():
        sysctl.write(name, value)


Put = Callable[[Netlink, KernelPlan], None]
"""Makes one thing as the plan says."""
_LASTING: Final[tuple[Put, ...]] = (
    _put_blackholes,
    _set_groups,
    _set_rules,
    _delete_stale_routes,
    _set_sysctls,
)
"""In the order that lets nothing out."""


def _bring_up(kernel: Netlink, plan: KernelPlan) -> None:
    mtu = mtus(plan, {name: link.mtu for name, link in kernel.links.items()})
    for name, group in ((INSIDE_TUN, INSIDE_GROUP), (OUTSIDE_TUN, OUTSIDE_GROUP)):
        check_tun(kernel, name)
        for path, value in TUN_SYSCTLS:
            sysctl.write_if_present(path.format(name), value)
        kernel.add_address(name, TUN_ADDRESS, host=True)
        kernel.set_link(name, group=group, mtu=mtu[name], txqlen=plan.queue)
        kernel.set_link(name, state="up")


def _put_live_routes(kernel: Netlink, plan: KernelPlan) -> None:
    _put_routes(kernel, live_routes(plan, inside_address(plan, kernel)))


def _put_routes(kernel: Netlink, wanted: Iterable[Route]) -> None:
    present = {route.place: route for route in kernel.our_routes()}
    for route in wanted:
        if present.get(route.place) != route:
            kernel.put_route(route, replace=route.place in present)


def _set_virtual_addresses(kernel: Netlink, wanted: set[IPv4Address]) -> None:
    present = {a.ip for name, a in kernel.addresses() if name == INSIDE_TUN} - {TUN_ADDRESS}
    for address in wanted - present:
        kernel.add_address(INSIDE_TUN, address)
    for address in present - wanted:
        kernel.delete_address(INSIDE_TUN, address)


def _set_proxies(kernel: Netlink, wanted: set[ProxyNeighbour]) -> None:
    present = kernel.proxies()
    kernel.add_proxies(wanted - present)
    kernel.delete_proxies(present - wanted)
