"""What can be configured and is not carried out by this version yet: refused, never ignored.

Each line here goes with the issue that builds the thing.
"""

from collections.abc import Iterator

from snat.config import lines
from snat.config.gateways import UNBUILT
from snat.config.model import (
    Configuration,
    DynamicRule,
    Nat,
    Timeouts,
)
from snat.config.problem import Problem
from snat.config.verify_lists import entry_line


def unbuilt_roles(configuration: Configuration) -> Iterator[Problem]:
    """Blocks and lines of ``ip nat Stateful id`` that this version has no roles for."""
    for group in configuration.groups:
        if group.udp:
            yield _not_yet("speak UDP to neighbors", "protocol   udp", "leave it out: links are TLS over TCP")


def unbuilt_lists(configuration: Configuration) -> Iterator[Problem]:
    """What of the lists and route-maps of rules is not compared, or not done."""
    logging = {one.name for one in configuration.access_lists if any(line.log for line in one.lines)}
    for rule in configuration.dynamic_rules:
        if rule.access_list in logging:
            yield _not_yet("log what a list permits", lines.dynamic(rule), "leave log out of its lines")
    used = {rule.route_map for rule in configuration.dynamic_rules}
    used |= {rule.route_map for rule in configuration.static_rules}
    for route_map in configuration.route_maps:
        for entry in route_map.entries if route_map.name in used else ():
            where = entry_line(route_map.name, entry)
            if logging & set(entry.lists):
                yield _not_yet("log what a list permits", where, "leave log out of its lines")


def unbuilt_translation(configuration: Configuration) -> Iterator[Problem]:
    """Rules, pools and settings that the translator of this version does not know."""
    for rule in configuration.dynamic_rules:
        if what := _rule(rule):
            whole = rule.interface and not rule.overload
            yield _not_yet(what, lines.dynamic(rule), "add overload" if whole else "leave it out")
    yield from _settings(configuration.nat)


def _rule(rule: DynamicRule) -> str:
    """What of a rule is not carried out; empty: all is."""
    if rule.extended:
        return "let flows to different hosts share a port"
    if rule.reversible and rule.overload:
        return "let outside hosts begin where inside ones share an address"
    if rule.interface and not rule.overload:
        return "give the address of an interface to one host"
    return ""


def _settings(nat: Nat) -> Iterator[Problem]:
    for what, where in _later(nat):
        yield _not_yet(what, where, "leave it out")


def _later(nat: Nat) -> Iterator[tuple[str, str]]:
    """What is not done yet, and the very line that asks for it."""
    unbuilt = (one for one in nat.services if one.name in UNBUILT)
    yield from (("look into this protocol", lines.service(one)) for one in unbuilt)
    yield from (("give low ports any other", lines.service(one)) for one in nat.fullrange)
    yield from (("share only some entries", line) for line in lines.switchover(nat))
    if not nat.flow_entries:
        yield "make entries for endpoints only", "no ip nat create flow-entries"
    for field, (word, what) in _LATER_TIMES.items():
        seconds = getattr(nat.timeouts, field)
        if seconds != getattr(Timeouts(), field):
            yield what, lines.timeout(word, seconds)


_LATER_TIMES = {
    "routemap_entry": ("routemap-entry-timeout", "age entries by the route-map that chose them"),
    "arp_ping": ("arp-ping-timeout", "ask by ARP whether an inside host is still there"),
}


def _not_yet(what: str, where: str, remedy: str) -> Problem:
    return Problem(what=f"this version does not {what} yet", where=where, remedy=remedy)
