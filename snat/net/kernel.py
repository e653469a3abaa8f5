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

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from snat.net import guard, sysctl
from snat.net.kernel_check import check_claim, check_prepare, check_tun
from snat.net.kernel_plan import (
    INSIDE_GROUP,
    INSIDE_TUN,
    MARK,
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
        self.changes: list[str] = []
        """What was changed, in words; for who wants to know, and then clears the list."""
        self._claimed: set[ProxyNeighbour] = set()
        self._before: dict[str, str] = {}
        """What the guard remembers, should somebody delete it."""

    def prepare(self) -> None:
        """Set up all that outlives the daemon, and remove what a killed run or an older plan left."""
        with self._netlink() as kernel:
            check_prepare(self.plan, kernel)
            self._install_guard()
            _put_routes(kernel, blackholes(self.plan))
            self._set_groups(kernel)
            self._set_rules(kernel)
            self._delete_stale_routes(kernel)
            _set_proxies(kernel, self._claimed)
        for name, value in sysctls(self.plan).items():
            if sysctl.read(name) != value:
                sysctl.write(name, value)
                self.changes.append(f"sysctl {name} {value}")

    def attach(self) -> None:
        """Bring the open TUNs up and lead packets to them."""
        with self._netlink() as kernel:
            mtu = mtus(self.plan, {name: link.mtu for name, link in kernel.links.items()})
            for name, group in ((INSIDE_TUN, INSIDE_GROUP), (OUTSIDE_TUN, OUTSIDE_GROUP)):
                _bring_up(kernel, name, group=group, mtu=mtu[name], queue=self.plan.queue)
            _put_routes(kernel, live_routes(self.plan, self._inside_address(kernel)))

    def addresses(self) -> dict[str, IPv4Address]:
        """The first address of each interface that has one."""
        with self._netlink() as kernel:
            found = kernel.addresses()
        return {name: address.ip for name, address in reversed(found)}

    def check(self, virtual_addresses: tuple[tuple[IPv4Address, str], ...]) -> None:
        """Raise what :meth:`claim` would: ask at start, since a takeover is too late to learn of it."""
        with self._netlink() as kernel:
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
        with self._netlink() as kernel:
            check_claim(kernel, virtual_addresses)
            claimed = proxies(answered, kernel.addresses())
            _set_virtual_addresses(kernel, {address for address, _ in virtual_addresses})
            self._claimed = claimed
            _set_proxies(kernel, claimed)
        return (*virtual_addresses, *sorted(claimed))

    def withdraw(self) -> None:
        """Answer for nothing any more; translation is not touched."""
        self._claimed = set()
        with self._netlink() as kernel:
            _set_virtual_addresses(kernel, set())
            _set_proxies(kernel, set())

    @contextmanager
    def _netlink(self) -> Iterator[Netlink]:
        with netlink() as kernel:
            try:
                yield kernel
            finally:
                self.changes += kernel.changes

    def _install_guard(self) -> None:
        present = guard.read()
        before = dict(present.before if present else self._before)
        for name, value in sysctls(self.plan).items():
            was = sysctl.read(name)
            if was is not None and was != value:
                before.setdefault(name, was)
        self._before = before
        wanted = frozenset(self.plan.inside), before
        if present is not None and present.whole and (present.inside, present.before) == wanted:
            return
        self.changes.append("the guard in nftables")
        guard.install(
            inside=self.plan.inside,
            inside_group=INSIDE_GROUP,
            outside_group=OUTSIDE_GROUP,
            inside_tun=INSIDE_TUN,
            outside_tun=OUTSIDE_TUN,
            mark=MARK,
            before=before,
        )

    def _set_groups(self, kernel: Netlink) -> None:
        for name, link in kernel.links.items():
            inside = name in self.plan.inside or name == INSIDE_TUN
            if inside != (link.group == INSIDE_GROUP):
                kernel.set_link(name, group=INSIDE_GROUP if inside else OUTSIDE_GROUP)

    def _set_rules(self, kernel: Netlink) -> None:
        wanted = rules(self.plan)
        present, _ = kernel.rules(PREFERENCES)
        for rule in wanted:
            if rule not in present:
                kernel.add_rule(rule)
        kernel.put_local_first(not self.plan.own)
        for rule in present:
            if rule not in wanted:
                kernel.delete_rule(rule)

    def _delete_stale_routes(self, kernel: Netlink) -> None:
        wanted = {route.place for route in (*blackholes(self.plan), *live_routes(self.plan, None))}
        for route in filter(is_ours, kernel.our_routes()):
            if route.place not in wanted:
                kernel.delete_route(route)

    def _inside_address(self, kernel: Netlink) -> IPv4Address | None:
        inside = (address.ip for name, address in kernel.addresses() if name in self.plan.inside)
        return next(inside, None)


def _bring_up(kernel: Netlink, name: str, *, group: int, mtu: int, queue: int) -> None:
    check_tun(kernel, name)
    for path, value in TUN_SYSCTLS:
        sysctl.write_if_present(path.format(name), value)
    if (name, TUN_ADDRESS) not in [(one, address.ip) for one, address in kernel.addresses()]:
        kernel.add_address(name, TUN_ADDRESS, host=True)
    link = kernel.links[name]
    wanted = {"group": group, "mtu": mtu, "txqlen": queue}
    present = {"group": link.group, "mtu": link.mtu, "txqlen": link.queue}
    if wanted != present:
        kernel.set_link(name, **{what: value for what, value in wanted.items() if present[what] != value})
    if not link.up:
        kernel.set_link(name, state="up")


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
