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

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from snat.net import guard, sysctl, virtual_links
from snat.net.kernel_change import KernelChange, Kind
from snat.net.kernel_check import check_claim, check_place, check_prepare, check_tun
from snat.net.kernel_plan import (
    INSIDE_GROUP,
    INSIDE_TUN,
    MARK,
    OUTSIDE_GROUP,
    OUTSIDE_TUN,
    PREFERENCES,
    TUN_ADDRESS,
    TUN_SYSCTLS,
    TUNS,
    KernelPlan,
    blackholes,
    group_of,
    is_ours,
    live_routes,
    mtus,
    present,
    proxies,
    rules,
    sysctls,
    without_links,
)
from snat.net.netlink import Netlink, ProxyNeighbour, Route, netlink
from snat.net.refused import KernelRefused

VirtualAddresses = tuple[tuple[IPv4Address, str], ...]
"""Each with its inside interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What ARP is answered for."""

    virtual: VirtualAddresses = ()
    plan: KernelPlan | None = None
    """With the pools that are answered for; None if none are."""

    def proxies(self, kernel: Netlink) -> set[ProxyNeighbour]:
        """The pool addresses, as the subnets outside are now. Raises :class:`KernelRefused`."""
        return set() if self.plan is None else proxies(self.plan, kernel.addresses())


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
        self.changes: list[KernelChange] = []
        """What was changed; for who wants to know, and then clears the list."""
        self._claim = Claim()
        self._elected: dict[str, tuple[IPv4Address, ...]] = {}
        """Addresses of HSRP groups that this router is active for, by the links of their MAC addresses."""
        self._before: dict[str, str] = {}
        """What the guard remembers, should somebody delete it."""
        self.gone: frozenset[str] = frozenset()
        """Interfaces of the plan that were not there when something was last restored."""

    def prepare(self) -> None:
        """Set up all that outlives the daemon, and remove what a killed run or an older plan left."""
        with self._netlink() as kernel:
            check_prepare(without_links(self.plan), kernel)
            virtual_links.put(kernel, self.plan.links)
            self._install_guard(kernel, self.plan)
            for put in _LASTING:
                put(kernel, self.plan)
            _set_proxies(kernel, self._claim.proxies(kernel))

    def attach(self) -> None:
        """Bring the open TUNs up and lead packets to them."""
        with self._netlink() as kernel:
            for put in _LIVE:
                put(kernel, self.plan)

    def restore(self, *, tables: bool) -> list[KernelRefused]:
        """Put back all that is not as it should be, as far as it can be; returns what could not.

        As :meth:`prepare`, :meth:`attach` and :meth:`claim` do, but what is refused does not hinder the rest,
        and an interface that is gone hinders nothing: its rules wait for it. ``tables``: nft is asked, too.
        """
        refusals: list[KernelRefused] = []
        with self._netlink() as kernel:
            with _collecting(refusals):
                virtual_links.put(kernel, self.plan.links)
            there = present(self.plan, kernel.links)
            self.gone = frozenset((*self.plan.inside, *self.plan.outside)) - set(kernel.links)
            steps: list[tuple[Put, KernelPlan]] = [(_check, there)]
            if tables:
                steps.append((self._install_guard, self.plan))
            steps += [(put, self.plan if put is _set_rules else there) for put in (*_LASTING, *_LIVE)]
            for put, plan in (*steps, (self._put_claim, there)):
                with _collecting(refusals):
                    put(kernel, plan)
        return refusals

    def has_whole_guard(self) -> bool:
        """Whether the guard is as it should be. Asks nft only: may be called in a thread."""
        held = guard.read()
        return held is not None and held.whole and held.inside == frozenset(self.plan.inside)

    def claimed(self) -> VirtualAddresses:
        """What is answered for, each with the interface it is announced on, as far as these are there."""
        with self._netlink() as kernel:
            answered = (*self._claim.virtual, *sorted(self._claim.proxies(kernel)))
            return tuple(one for one in answered if one[1] in kernel.links)

    def addresses(self) -> dict[str, IPv4Address]:
        """The first address of each interface that has one."""
        with self._netlink() as kernel:
            found = kernel.addresses()
        return {name: address.ip for name, address in reversed(found)}

    def check(self, virtual_addresses: VirtualAddresses) -> None:
        """Raise what :meth:`claim` would: ask at start, since a takeover is too late to learn of it."""
        with self._netlink() as kernel:
            check_claim(kernel, virtual_addresses)

    def claim(
        self,
        virtual_addresses: VirtualAddresses,
        pools: tuple[IPv4Network, ...] | None = None,
    ) -> VirtualAddresses:
        """Answer ARP for exactly these virtual addresses (with their inside interfaces) and these pools.

        All pools of the plan if they are not told. For pools only where they lie in the subnet of an outside
        interface: else they are routed to us. Returns all of them with the interface each is to be
        announced on (gratuitous ARP).
        """
        answered = self.plan if pools is None else replace(self.plan, pool_networks=pools)
        with self._netlink() as kernel:
            check_claim(kernel, virtual_addresses)
            claimed = proxies(answered, kernel.addresses())
            self._claim = Claim(virtual=virtual_addresses, plan=answered)
            _set_virtual_addresses(kernel, self._virtual())
            _set_proxies(kernel, claimed)
        return (*virtual_addresses, *sorted(claimed))

    def withdraw(self) -> None:
        """Answer for nothing any more; translation is not touched."""
        self._claim = Claim()
        self._elected.clear()
        with self._netlink() as kernel:
            _set_virtual_addresses(kernel, set())
            _set_proxies(kernel, set())
            self._raise_links(kernel, self.plan)

    def take(self, link: str, addresses: tuple[IPv4Address, ...]) -> None:
        """Have the addresses of an HSRP group, and hear what is sent to its MAC address."""
        self._elected[link] = addresses
        self._put_elected()

    def leave(self, link: str) -> None:
        """Have them no more."""
        if self._elected.pop(link, None) is not None:
            self._put_elected()

    def _put_elected(self) -> None:
        with self._netlink() as kernel:
            _set_virtual_addresses(kernel, self._virtual())
            self._raise_links(kernel, self.plan)

    def _virtual(self) -> set[IPv4Address]:
        elected = {address for addresses in self._elected.values() for address in addresses}
        return elected | {address for address, _ in self._claim.virtual}

    def _raise_links(self, kernel: Netlink, plan: KernelPlan) -> None:
        """Up are those whose groups this router is active for: the others must not hear their frames."""
        for link in plan.links:
            held = kernel.links.get(link.name)
            if held is not None and held.up != (link.name in self._elected):
                kernel.set_link(link.name, state="down" if held.up else "up")

    @contextmanager
    def _netlink(self) -> Iterator[Netlink]:
        with netlink() as kernel:
            try:
                yield kernel
            finally:
                self.changes += kernel.changes

    def _put_claim(self, kernel: Netlink, plan: KernelPlan) -> None:
        self._raise_links(kernel, plan)
        _set_virtual_addresses(kernel, self._virtual())
        _set_proxies(kernel, self._claim.proxies(kernel))

    def _install_guard(self, kernel: Netlink, plan: KernelPlan) -> None:
        held = guard.read()
        before = dict(held.before if held else self._before)
        for name, value in sysctls(plan).items():
            was = sysctl.read(name)
            if was is not None and was != value:
                before.setdefault(name, was)
        self._before = before
        wanted = frozenset(plan.inside), before
        if held is not None and held.whole and (held.inside, held.before) == wanted:
            return
        guard.install(
            inside=plan.inside,
            inside_group=INSIDE_GROUP,
            outside_group=OUTSIDE_GROUP,
            inside_tun=INSIDE_TUN,
            outside_tun=OUTSIDE_TUN,
            mark=MARK,
            before=before,
        )
        kernel.changes.append(KernelChange(Kind.TABLES, "the guard in nftables"))


@contextmanager
def _collecting(refusals: list[KernelRefused]) -> Iterator[None]:
    try:
        yield
    except KernelRefused as refused:
        refusals.append(refused)


def _check(kernel: Netlink, plan: KernelPlan) -> None:
    """Somebody else's is not touched, but told."""
    check_place(plan, kernel)


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
    kernel.put_local_first(not plan.own)
    for rule in held:
        if rule not in wanted:
            kernel.delete_rule(rule)


def _delete_stale_routes(kernel: Netlink, plan: KernelPlan) -> None:
    wanted = {route.place for route in (*blackholes(plan), *live_routes(plan, None))}
    for route in filter(is_ours, kernel.our_routes()):
        if route.place not in wanted:
            kernel.delete_route(route)


def _set_sysctls(kernel: Netlink, plan: KernelPlan) -> None:
    for name, value in sysctls(plan).items():
        if sysctl.read(name) != value:
            sysctl.write(name, value)
            kernel.changes.append(KernelChange(Kind.SYSCTLS, f"sysctl {name} {value}"))


def _bring_up(kernel: Netlink, plan: KernelPlan) -> None:
    mtu = mtus(plan, {name: link.mtu for name, link in kernel.links.items()})
    for name in TUNS:
        check_tun(kernel, name)
        _set_tun_sysctls(kernel, name)
        if (name, TUN_ADDRESS) not in [(one, address.ip) for one, address in kernel.addresses()]:
            kernel.add_address(name, TUN_ADDRESS, host=True)
        link = kernel.links[name]
        wanted = {"group": group_of(plan, link), "mtu": mtu[name], "txqlen": plan.queue}
        held = {"group": link.group, "mtu": link.mtu, "txqlen": link.queue}
        differing = {what: value for what, value in wanted.items() if held[what] != value}
        if differing:
            kernel.set_link(name, **differing)
        if not link.up:
            kernel.set_link(name, state="up")


def _set_tun_sysctls(kernel: Netlink, tun: str) -> None:
    for path, value in TUN_SYSCTLS:
        name = path.format(tun)
        if sysctl.read(name) not in (None, value):
            sysctl.write(name, value)
            kernel.changes.append(KernelChange(Kind.SYSCTLS, f"sysctl {name} {value}"))


def _put_live_routes(kernel: Netlink, plan: KernelPlan) -> None:
    inside = (address.ip for name, address in kernel.addresses() if name in plan.inside)
    _put_routes(kernel, live_routes(plan, next(inside, None)))


Put = Callable[[Netlink, KernelPlan], None]
"""Makes one thing as the plan says, and changes nothing if it is so."""
_LASTING: Final[tuple[Put, ...]] = (
    *(_put_blackholes, _set_groups, _set_rules, _delete_stale_routes),
    _set_sysctls,
)
"""What outlives the daemon, in the order that lets nothing out."""
_LIVE: Final[tuple[Put, ...]] = (_bring_up, _put_live_routes)
"""What goes with the TUNs."""


def _put_routes(kernel: Netlink, wanted: Iterable[Route]) -> None:
    held = {route.place: route for route in kernel.our_routes()}
    for route in wanted:
        if held.get(route.place) != route:
            kernel.put_route(route, replace=route.place in held)


def _set_virtual_addresses(kernel: Netlink, wanted: set[IPv4Address]) -> None:
    held = {a.ip for name, a in kernel.addresses() if name == INSIDE_TUN} - {TUN_ADDRESS}
    for address in wanted - held:
        kernel.add_address(INSIDE_TUN, address)
    for address in held - wanted:
        kernel.delete_address(INSIDE_TUN, address)


def _set_proxies(kernel: Netlink, wanted: set[ProxyNeighbour]) -> None:
    held = kernel.proxies()
    kernel.add_proxies(wanted - held)
    kernel.delete_proxies(held - wanted)
