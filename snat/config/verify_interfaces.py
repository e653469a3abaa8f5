"""Checks of interfaces, their HSRP groups, tracked objects and routes over a whole configuration."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface
from typing import NamedTuple

from snat.config.lines import NETMASKS
from snat.config.model import Configuration, Interface, StandbyGroup, StaticRoute
from snat.config.problem import Problem

HIGHEST_NUMBER = {1: 255, 2: 4095}
"""Of a group of HSRP, by version."""


class _Placed(NamedTuple):
    """A group, and where it is."""

    interface: Interface
    group: StandbyGroup


def verify_interfaces(configuration: Configuration) -> Iterator[Problem]:
    """Every problem of interfaces, groups and routes."""
    yield from _addresses(configuration)
    groups = [_Placed(one, group) for one in configuration.interfaces for group in one.standby.groups]
    yield from _numbers(groups)
    yield from _virtual_addresses(configuration, groups)
    yield from _names(groups)
    yield from _tracks(configuration, groups)
    yield from _timers(groups)
    yield from _routes(configuration)


def overlapping(configuration: Configuration, interface: Interface, address: IPv4Interface) -> str:
    """Another interface that has an address in the same network, shut down or not; empty: none."""
    for other in configuration.interfaces:
        same = (address.network.overlaps(theirs.address.network) for theirs in other.addresses)
        if other.name != interface.name and any(same):
            return other.name
    return ""


def _addresses(configuration: Configuration) -> Iterator[Problem]:
    for interface in configuration.interfaces:
        for address, secondary in interface.addresses:
            other = overlapping(configuration, interface, address)
            if other:
                yield Problem(
                    what=f"{address.network.network_address} overlaps with {other}",
                    where=_address_line(address, secondary),
                    remedy="give every interface a network of its own",
                )


def _numbers(groups: list[_Placed]) -> Iterator[Problem]:
    for interface, group in groups:
        highest = HIGHEST_NUMBER[interface.standby.version]
        if group.enabled and group.number > highest:
            what = f"version {interface.standby.version} has groups 0 to {highest}"
            remedy = "use standby version 2, or a lower number"
            yield Problem(what=what, where=standby_line(group), remedy=remedy)


def _virtual_addresses(configuration: Configuration, groups: list[_Placed]) -> Iterator[Problem]:
    own = {one.address.ip: i.name for i in configuration.interfaces for one in i.addresses}
    taken: dict[IPv4Address, str] = {}
    for interface, group in groups:
        here = f"group {group.number} of {interface.name}"
        for address in _virtual(group):
            where = _ip_line(group, address)
            if address in taken:
                what = f"{address} is the address of {taken[address]} already"
                yield Problem(what=what, where=where, remedy="give every group its own address")
            elif address in own:
                what = f"{address} is the address of {own[address]} itself"
                yield Problem(what=what, where=where, remedy="use one that no router has")
            elif interface.addresses and not _in_network(interface, address):
                what = f"{address} is in no network of {interface.name}"
                yield Problem(what=what, where=where, remedy="use an address of the network")
            taken.setdefault(address, here)


def _virtual(group: StandbyGroup) -> tuple[IPv4Address, ...]:
    return (group.address, *group.secondary) if group.address else group.secondary


def _in_network(interface: Interface, address: IPv4Address) -> bool:
    return any(address in one.address.network for one in interface.addresses)


def _names(groups: list[_Placed]) -> Iterator[Problem]:
    """Other lines name a group by its name alone, so each name is that of one group."""
    named: dict[str, _Placed] = {}
    for placed in groups:
        name = placed.group.name
        if name and name in named:
            other = named[name]
            what = f"group {other.group.number} of {other.interface.name} has this name already"
            where = f"standby {placed.group.number} name {name}"
            yield Problem(what=what, where=where, remedy="give every group its own name")
        elif name:
            named[name] = placed
    for placed in groups:
        if placed.group.follow:
            yield from _follows(placed.group, named.get(placed.group.follow))


def _follows(group: StandbyGroup, followed: _Placed | None) -> Iterator[Problem]:
    where = f"standby {group.number} follow {group.follow}"
    if followed is None:
        what = f"there is no group {group.follow}"
        remedy = f"add standby name {group.follow} to the group to follow"
        yield Problem(what=what, where=where, remedy=remedy, missing=True)
    elif followed.group is group:
        yield Problem(what="a group cannot follow itself", where=where, remedy="name another group")
    elif followed.group.follow:
        what = f"group {group.follow} follows another one"
        yield Problem(what=what, where=where, remedy=f"follow {followed.group.follow} too")


def _tracks(configuration: Configuration, groups: list[_Placed]) -> Iterator[Problem]:
    objects = {str(one.number) for one in configuration.tracked}
    for _, group in groups:
        for track in group.tracks:
            if track.target.isdecimal() and track.target not in objects:
                effect = " shutdown" if track.shutdown else ""
                if not track.shutdown and track.decrement != 10:
                    effect = f" decrement {track.decrement}"
                yield Problem(
                    what=f"there is no tracked object {track.target}",
                    where=f"standby {group.number} track {track.target}{effect}",
                    remedy=f"add track {track.target} interface",
                    missing=True,
                )


def _timers(groups: list[_Placed]) -> Iterator[Problem]:
    for _, group in groups:
        if group.hold <= group.hello:
            yield Problem(
                what=f"hold time {group.hold:g} s is not greater than hello time {group.hello:g} s",
                where=f"standby {group.number} timers {_time(group.hello)} {_time(group.hold)}",
                remedy="use a hold time of three hellos",
            )


def _routes(configuration: Configuration) -> Iterator[Problem]:
    own = {one.address.ip for interface in configuration.interfaces for one in interface.addresses}
    for route in configuration.routes:
        if route.next_hop in own:
            yield Problem(
                what=f"the next hop {route.next_hop} is this router itself",
                where=route_line(route),
                remedy="give the address of another router",
            )


# The lines that problems concern, as the shell prints them (tests/config/test_verify_interfaces.py compares).


def _address_line(address: IPv4Interface, secondary: bool) -> str:
    return f"ip address {address.ip} {address.netmask}{' secondary' if secondary else ''}"


def _ip_line(group: StandbyGroup, address: IPv4Address) -> str:
    secondary = "" if address == group.address else " secondary"
    return f"standby {group.number} ip {address}{secondary}"


def standby_line(group: StandbyGroup) -> str:
    """The line that enables a group."""
    return f"standby {group.number} ip {group.address or ''}".rstrip()


def route_line(route: StaticRoute) -> str:
    """``ip route 10.0.0.0 255.0.0.0 eth0 192.0.2.1 200 name X``."""
    distance = str(route.distance) if route.distance != 1 else ""
    name = f"name {route.name}" if route.name else ""
    words = (route.prefix.network_address, NETMASKS[route.prefix.prefixlen], route.interface)
    rest = (route.next_hop or "", distance, name)
    return "ip route " + " ".join(str(word) for word in (*words, *rest) if str(word))


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"msec {milliseconds}" if milliseconds % 1000 else str(milliseconds // 1000)
