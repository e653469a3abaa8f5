"""``ip address``, ``shutdown``, ``ip route`` and ``ip tcp adjust-mss``, carried out in the kernel.

What is set here stays when the daemon ends, as on any router, until the configuration or ``snat kernel
clean`` takes it away: addresses and routes are found again by our protocol number, the MSS by its nft table.
What others set is never touched, with one exception that is the kernel's: an interface that is shut down
loses all its routes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from snat.net import clamp, sysctl
from snat.net.host_check import wanted
from snat.net.host_netlink import HostNetlink, host_netlink
from snat.net.host_plan import HostPlan, HostState, address_steps, present
from snat.net.kernel_change import KernelChange, Kind
from snat.net.kernel_check import check_exists
from snat.net.refused import KernelRefused


class Host:
    """This machine, as far as the configuration says how it shall be.

    All methods can be called again at any time, change only what is not as it should be, and raise
    :class:`~snat.net.refused.KernelRefused`. They block for some milliseconds.
    """

    def __init__(self) -> None:
        self.changes: list[KernelChange] = []
        """What was changed; for who wants to know, and then clears the list."""
        self._plan: HostPlan | None = None
        self._before: tuple[HostPlan | None, HostState] | None = None

    def apply(self, plan: HostPlan) -> None:
        """Check all of a plan, then carry it out, but for interfaces that go down: :meth:`shut` ends it.

        Between the two there is time for what depends on it and may be refused: a shut interface has lost its
        routes, so that there is no way back. Whoever is refused afterwards calls :meth:`undo`.
        """
        self._before = None
        with host_netlink() as kernel:
            state = wanted(plan, kernel, self._plan)
            self._before = self._plan, held(kernel, {*plan.up, *plan.down})
            self._plan = plan
            change(kernel, state)
            self.changes += kernel.changes

    def shut(self) -> None:
        """Take the interfaces down that the plan wants down."""
        with host_netlink() as kernel:
            _set_links(kernel, frozenset(self._plan.down if self._plan else ()), up=False)
            self.changes += kernel.changes

    def restore(self, *, tables: bool) -> None:
        """Put back what others changed of the plan, for the interfaces that are there.

        ``tables``: nft is asked, too.
        """
        if self._plan is None or not self._plan.first:
            return
        with host_netlink() as kernel:
            plan = replace(present(self._plan, kernel.links), clamps=())
            try:
                state = wanted(plan, kernel, plan)
                _change_netlink(kernel, state)
                _set_links(kernel, state.down, up=False)
                if tables:
                    _change_clamps(kernel, dict(self._plan.clamps))
            finally:
                self.changes += kernel.changes

    def has_whole_tables(self) -> bool:
        """Whether the MSS is as the plan wants it. Asks nft only: may be called in a thread."""
        return self._plan is None or clamp.read() == dict(self._plan.clamps)

    def undo(self) -> None:
        """Make all as it was before the last :meth:`apply`; nothing if that had refused its plan."""
        if self._before is None:
            return
        (self._plan, state), self._before = self._before, None
        with host_netlink() as kernel:
            change(kernel, state)
            _set_links(kernel, state.down, up=False)


def held(kernel: HostNetlink, interfaces: set[str]) -> HostState:
    """What of ours is in the kernel, and whether these interfaces are up."""
    up = frozenset(name for name in interfaces if kernel.links[name].up)
    return HostState(
        addresses=tuple(one for one in kernel.host_addresses() if one.ours),
        up=up,
        down=frozenset(interfaces) - up,
        routes=tuple(kernel.host_routes()),
        clamps=clamp.read(),
    )


def change(kernel: HostNetlink, state: HostState) -> None:
    """From whatever of ours is in the kernel to a state, but for interfaces that go down."""
    _change_netlink(kernel, state)
    _change_clamps(kernel, state.clamps)


def _change_netlink(kernel: HostNetlink, state: HostState) -> None:
    _set_links(kernel, state.up, up=True)
    _set_addresses(kernel, state)
    _set_routes(kernel, state)


def _change_clamps(kernel: HostNetlink, clamps: Mapping[str, int]) -> None:
    if clamp.put(clamps):
        kernel.changes.append(KernelChange(Kind.TABLES, "ip tcp adjust-mss"))


def _set_links(kernel: HostNetlink, names: frozenset[str], *, up: bool) -> None:
    for name in sorted(names):
        check_exists(name, kernel)
        if kernel.links[name].up != up:
            kernel.set_link(name, state="up" if up else "down")


def _set_addresses(kernel: HostNetlink, state: HostState) -> None:
    present = kernel.host_addresses()
    for name in dict.fromkeys(one.interface for one in (*present, *state.addresses)):
        mine = [one.address for one in state.addresses if one.interface == name]
        here = [one for one in present if one.interface == name]
        ours = {one.address for one in here if one.ours}
        steps = address_steps([one.address for one in here], ours, mine)
        for address in steps.add:
            kernel.give(name, address)
        if steps.add:
            _check_marked(kernel, name, set(steps.add))
        with _promoting(name, needed=bool(steps.delete or steps.again)):
            for address in steps.delete:
                kernel.take(name, address)
            for address in steps.again:
                kernel.take(name, address)
                kernel.give(name, address)


def _check_marked(kernel: HostNetlink, interface: str, added: set[object]) -> None:
    """An address without our mark would be a stranger's from now on: no later run could take it away."""
    unmarked = [one for one in kernel.host_addresses() if one.interface == interface and not one.ours]
    lost = [one.address for one in unmarked if one.address in added]
    for address in lost:
        kernel.take(interface, address)
    if lost:
        raise KernelRefused(
            "this kernel cannot mark addresses as ours",
            where=f"interface {interface}",
            remedy=f"use Linux 5.18 or newer; or leave it out, and `ip addr add {lost[0]} dev {interface}`",
        )


@contextmanager
def _promoting(interface: str, *, needed: bool) -> Iterator[None]:
    """While addresses go: by default the kernel deletes the others of the subnet with its oldest one."""
    name = f"ipv4/conf/{interface}/promote_secondaries"
    was = sysctl.read(name)
    if not needed or was is None or was == "1":
        yield
        return
    sysctl.write(name, "1")
    try:
        yield
    finally:
        sysctl.write_if_present(name, was)


def _set_routes(kernel: HostNetlink, state: HostState) -> None:
    present = {route.place: route for route in kernel.host_routes()}
    places = {route.place for route in state.routes}
    for route in present.values():
        if route.place not in places:
            kernel.delete_host_route(route)
    for route in state.routes:
        if present.get(route.place) != route:
            kernel.put_host_route(route, replace=route.place in present)
