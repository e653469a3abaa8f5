"""What can be configured and is not carried out by this version yet: refused, never ignored.

Each line here goes with the issue that builds the thing.
"""

from collections.abc import Iterator

from snat.config import lines
from snat.config.model import (
    Configuration,
    ConfiguredRole,
    DynamicRule,
    ListKind,
    Nat,
    PoolType,
    RuleKind,
    Timeouts,
)
from snat.config.problem import Problem


def unbuilt_roles(configuration: Configuration) -> Iterator[Problem]:
    """Blocks and lines of ``ip nat Stateful id`` that this version has no roles for."""
    for group in configuration.stateful.groups if configuration.stateful else ():
        if group.role is ConfiguredRole.REDUNDANCY:
            yield _not_yet("follow the role of an HSRP group", f"redundancy {group.name}", _BLOCKS)
        elif group.role is ConfiguredRole.PEERS:
            yield _not_yet("share a table among peers", f"peers {group.name}".rstrip(), _BLOCKS)
        if group.udp:
            yield _not_yet("speak UDP to neighbors", "protocol   udp", "leave it out: links are TLS over TCP")
        if group.defer:
            yield _not_yet("hold packets back", "defer", "leave it out")


def unbuilt_translation(configuration: Configuration) -> Iterator[Problem]:
    """Rules, pools and settings that the translator of this version does not know."""
    extended = {one.name for one in configuration.access_lists if one.kind is ListKind.EXTENDED}
    for rule in configuration.dynamic_rules:
        what = _rule(rule) or ("translate by extended access lists" if rule.access_list in extended else "")
        if what:
            yield _not_yet(what, lines.dynamic(rule), "use ip nat inside source list N pool P overload")
    for static in configuration.static_rules:
        yield _not_yet("translate by static rules", lines.static(static), "leave it out")
    for pool in configuration.pools:
        if pool.kind is not PoolType.GENERIC or pool.add_route:
            what = "add routes to pools" if pool.add_route else f"choose addresses by type {pool.kind}"
            yield _not_yet(what, lines.pool(pool), "leave it out")
    yield from _settings(configuration.nat)


def _rule(rule: DynamicRule) -> str:
    """What of a rule is not carried out; empty: all is."""
    if rule.kind is not RuleKind.INSIDE_SOURCE:
        return f"translate by rules of {rule.kind}"
    if rule.route_map:
        return "translate by route-maps"
    if rule.interface:
        return "translate to the address of an interface"
    if not rule.overload:
        return "translate without overload"
    if rule.reversible or rule.extended or rule.redundancy:
        return "know reversible, extended or redundancy in rules"
    return ""


def _settings(nat: Nat) -> Iterator[Problem]:
    normal, times = Nat(), Timeouts()
    later = {
        "limit entries": (nat.limits == normal.limits, "ip nat translation max-entries"),
        "know time-outs of single ports": (not nat.port_timeouts, "ip nat translation port-timeout"),
        "filter otherwise": (nat.filtering is normal.filtering, f"ip nat filtering {nat.filtering}"),
        "look into protocols": (not nat.services, "ip nat service"),
        "give low ports any other": (not nat.fullrange, "ip nat service fullrange"),
        "make entries for endpoints only": (nat.flow_entries, "no ip nat create flow-entries"),
        "share only some entries": (
            nat.http_switchover and not nat.http_ports,
            "ip nat switchover replication http",
        ),
    }
    for what, (same, where) in later.items():
        if not same:
            yield _not_yet(what, where, "leave it out")
    for field, word in _LATER_TIMES.items():
        if getattr(nat.timeouts, field) != getattr(times, field):
            yield _not_yet("use this time-out", f"ip nat translation {word}", "leave it out")


_LATER_TIMES = {
    "other": "timeout",
    "dns": "dns-timeout",
    "pptp": "pptp-timeout",
    "routemap_entry": "routemap-entry-timeout",
    "arp_ping": "arp-ping-timeout",
}
_BLOCKS = "use primary and backup blocks"


def _not_yet(what: str, where: str, remedy: str) -> Problem:
    return Problem(what=f"this version does not {what} yet", where=where, remedy=remedy)
