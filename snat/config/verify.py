"""Checks over a whole configuration, before any of it is applied. Nothing is changed here.

What can be judged by looking at one line (ranges, shapes of names) is the grammar's; here are the checks
that need several lines.
"""

from collections import Counter
from collections.abc import Iterator

from snat.config import lines
from snat.config.model import (
    DEFAULT_PORT,
    Configuration,
    ConfiguredRole,
    Group,
    Peer,
    Side,
    VirtualAddress,
)
from snat.config.problem import Problem
from snat.config.unbuilt import unbuilt_lists, unbuilt_roles, unbuilt_translation
from snat.config.verify_interfaces import verify_interfaces
from snat.config.verify_lists import verify_lists
from snat.config.verify_nat import MAX_POOL, verify_nat

__all__ = ["MAX_MAPPING_IDS", "MAX_POOL", "SHORTEST_HOLD", "Problem", "verify"]

MAX_MAPPING_IDS = 256
"""What two members say of each of them must fit into one message, several times over."""
SHORTEST_HOLD = 0.1
"""Seconds (design section 6: the hold time goes down to 100 ms)."""


def verify(configuration: Configuration) -> tuple[Problem, ...]:
    """Every problem of a configuration; none means that it can be applied."""
    return (
        *verify_nat(configuration),
        *_groups(configuration),
        *_mapping_ids(configuration),
        *_names(configuration),
        *_followers(configuration),
        *verify_interfaces(configuration),
        *verify_lists(configuration),
        *unbuilt_roles(configuration),
        *unbuilt_lists(configuration),
        *unbuilt_translation(configuration),
    )


def _groups(configuration: Configuration) -> Iterator[Problem]:
    inside = {i.name for i in configuration.interfaces if i.side is Side.INSIDE}
    for group in configuration.groups:
        yield from _trust(configuration, group)
        yield from _peers(configuration, group)
        yield from _timers(group)
        yield from _intervals(group)
        yield from _module(configuration, group)
        for virtual in group.virtual_addresses:
            if virtual.interface not in inside:
                what = f"interface {virtual.interface} is not an inside interface"
                remedy = f"add ip nat inside under interface {virtual.interface}"
                yield _missing(_virtual_line(virtual), what, remedy)


def _followers(configuration: Configuration) -> Iterator[Problem]:
    """Rules whose addresses the active router of an HSRP group answers for."""
    groups = [one for interface in configuration.interfaces for one in interface.standby.groups]
    names = {one.name for one in groups if one.enabled}
    followers = [(rule.redundancy, lines.dynamic(rule)) for rule in configuration.dynamic_rules]
    followers += [(rule.redundancy, lines.static(rule)) for rule in configuration.static_rules]
    for name, where in followers:
        if name and name not in names:
            what = f"no HSRP group with an ip line has the name {name}"
            yield _missing(where, what, f"add standby N ip and standby N name {name} under an interface")


def _module(configuration: Configuration, group: Group) -> Iterator[Problem]:
    if group.role is not ConfiguredRole.REDUNDANCY or group.keepalived is not None:
        return
    groups = [one for interface in configuration.interfaces for one in interface.standby.groups]
    named = [one for one in groups if one.enabled and one.name == group.name]
    if not named:
        what = f"no HSRP group with an ip line has the name {group.name}"
        remedy = f"add standby N ip and standby N name {group.name} under an interface, or a keepalived line"
        yield _missing(_group_line(group), what, remedy)
    elif leader := named[0].follow:  # it elects nothing, so nobody could hold its role back
        what = f"the HSRP group {group.name} follows another one"
        yield Problem(what=what, where=_group_line(group), remedy=f"name that one: redundancy {leader}")


def _trust(configuration: Configuration, group: Group) -> Iterator[Problem]:
    trustpoint = configuration.trustpoint
    if trustpoint is None:
        remedy = "add crypto pki trustpoint with ca-certificate, certificate and private-key"
        yield _missing(_group_line(group), "there is no trustpoint to prove this router with", remedy)
        return
    files = {
        "ca-certificate": trustpoint.ca_certificate,
        "certificate": trustpoint.certificate,
        "private-key": trustpoint.private_key,
    }
    absent = [name for name, path in files.items() if not path]
    if absent:
        where = f"crypto pki trustpoint {trustpoint.name}"
        yield _missing(where, f"it has no {', no '.join(absent)}", f"add {' and '.join(absent)} with a path")


def _peers(configuration: Configuration, group: Group) -> Iterator[Problem]:
    own = configuration.stateful.nat_id if configuration.stateful else 0
    seen: set[int] = set()
    for peer in group.peers:
        if peer.nat_id == own:
            what = f"NAT ID {own} is that of this router"
            yield Problem(what=what, where=_peer_line(peer), remedy="every member has its own NAT ID")
        elif peer.nat_id in seen:
            what = f"another peer of this block has NAT ID {peer.nat_id}"
            yield Problem(what=what, where=_peer_line(peer), remedy="remove one, or correct its NAT ID")
        seen.add(peer.nat_id)
        if (peer.address, peer.port) == (group.address, group.port):
            what = f"{peer.address} port {peer.port} is this router itself"
            yield Problem(
                what=what, where=_peer_line(peer), remedy="give the address or port of the neighbor"
            )


def _timers(group: Group) -> Iterator[Problem]:
    if group.hold_time <= group.keepalive:
        yield Problem(
            what=f"hold time {group.hold_time:g} s is not greater than keepalive {group.keepalive:g} s",
            where=_timers_line(group),
            remedy="use a hold time of three keepalives",
        )
    if group.hold_time < SHORTEST_HOLD:
        yield Problem(
            what=f"the hold time {group.hold_time:g} s is less than {SHORTEST_HOLD:g} s",
            where=_timers_line(group),
            remedy=f"use at least msec {SHORTEST_HOLD * 1000:g}",
        )


def _intervals(group: Group) -> Iterator[Problem]:
    if group.update_interval >= group.keepalive:
        interval, keepalive = round(group.update_interval * 1000), round(group.keepalive * 1000)
        yield Problem(
            what=f"the update interval {interval} ms is not less than the keepalive {keepalive} ms",
            where=f"update-interval msec {interval}",
            remedy="use a shorter interval, or longer timers",
        )
    if group.pull_interval and group.role is not ConfiguredRole.BACKUP:
        yield Problem(
            what=f"{_group_line(group)} is no backup; others ask it for changes",
            where=f"pull interval {group.pull_interval:.0f}",
            remedy="write it into the backup block of the router that is to ask",
        )


def _mapping_ids(configuration: Configuration) -> Iterator[Problem]:
    groups = configuration.groups
    counts = Counter(mapping_id for group in groups for mapping_id in group.mapping_ids)
    for mapping_id, count in counts.items():
        if count > 1:
            what = f"{count} blocks have mapping ID {mapping_id}"
            remedy = "a mapping ID belongs to one block"
            yield Problem(what=what, where=f"mapping-id {mapping_id}", remedy=remedy)
    for group in groups:
        owners = len(group.peers) + 1
        if group.role is ConfiguredRole.PEERS and owners * len(group.mapping_ids) > MAX_MAPPING_IDS:
            what = f"{owners} peers share {len(group.mapping_ids)} mapping IDs: over {MAX_MAPPING_IDS} feeds"
            where = f"mapping-id {group.mapping_ids[-1]}"
            yield Problem(what=what, where=where, remedy="give several rules the same mapping ID")
    if len(counts) > MAX_MAPPING_IDS:
        what = f"there are {len(counts)} mapping IDs, more than {MAX_MAPPING_IDS}"
        where = f"mapping-id {list(counts)[MAX_MAPPING_IDS]}"
        yield Problem(what=what, where=where, remedy="give several rules the same mapping ID")


def _names(configuration: Configuration) -> Iterator[Problem]:
    """One NAT ID is one device, so it has one name in all blocks."""
    names: dict[int, str] = {}
    for group in configuration.groups:
        for peer in group.peers:
            other = names.setdefault(peer.nat_id, peer.name)
            if other != peer.name:
                what = f"NAT ID {peer.nat_id} is {other} in another block"
                yield Problem(what=what, where=_peer_line(peer), remedy="use the same name in both")


def _missing(where: str, what: str, remedy: str) -> Problem:
    return Problem(what=what, where=where, remedy=remedy, missing=True)


# The lines that problems concern, as the shell prints them (tests/config/test_verify.py compares).


def _group_line(group: Group) -> str:
    if group.role in (ConfiguredRole.PRIMARY, ConfiguredRole.BACKUP):
        return f"{group.role} {group.address}{_port(group.port)}"
    return f"{group.role} {group.name}".rstrip()


def _peer_line(peer: Peer) -> str:
    return f"peer {peer.address} nat-id {peer.nat_id} name {peer.name}{_port(peer.port)}"


def _port(port: int) -> str:
    return "" if port == DEFAULT_PORT else f" port {port}"


def _virtual_line(virtual: VirtualAddress) -> str:
    return f"virtual-address {virtual.address} interface {virtual.interface}"


def _timers_line(group: Group) -> str:
    return f"timers {_time(group.keepalive)} {_time(group.hold_time)}"


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"msec {milliseconds}" if milliseconds % 1000 else str(milliseconds // 1000)
