"""Checks of rules, pools and what they name: what :func:`snat.config.verify.verify` says of translation."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from snat.config import lines
from snat.config.gateways import verify_services
from snat.config.model import Configuration, DynamicRule, ListKind, Pool, PoolType, RuleKind, Side, StaticRule
from snat.config.problem import Problem

MAX_POOL = 65536
"""Addresses of one pool."""
Rule = DynamicRule | StaticRule


def verify_nat(configuration: Configuration) -> Iterator[Problem]:
    """What is wrong with the rules, pools, limits and services of a configuration."""
    yield from _names(configuration)
    yield from _dynamic(configuration)
    yield from _static(configuration)
    yield from _shared_pools(configuration)
    yield from _uses(configuration)
    yield from _pools(configuration)
    yield from _overlaps(configuration)
    yield from verify_services(configuration)


# --- names


def _names(configuration: Configuration) -> Iterator[Problem]:
    """What a line names is there."""
    for rule in configuration.dynamic_rules:
        yield from _named_by_rule(configuration, rule, lines.dynamic(rule))
        if rule.pool and rule.pool not in {pool.name for pool in configuration.pools}:
            what = f"there is no pool {rule.pool}"
            yield _missing(lines.dynamic(rule), what, f"add ip nat pool {rule.pool}")
        yield from _list(configuration, rule.access_list, lines.dynamic(rule))
    for static in configuration.static_rules:
        yield from _named_by_rule(configuration, static, lines.static(static))
    for name, entries in configuration.nat.limits.lists:
        yield from _list(configuration, name, lines.list_limit(name, entries))
        yield from _limit_by_source(configuration, name, lines.list_limit(name, entries))
    for service in configuration.nat.services:
        yield from _list(configuration, service.access_list, lines.service(service))


def _named_by_rule(configuration: Configuration, rule: Rule, line: str) -> Iterator[Problem]:
    """Route-map, interface and mapping ID, which both kinds of rules may have."""
    if rule.route_map and rule.route_map not in {one.name for one in configuration.route_maps}:
        what = f"there is no route-map {rule.route_map}"
        yield _missing(line, what, f"add route-map {rule.route_map} permit 10")
    outside = {one.name for one in configuration.interfaces if one.side is Side.OUTSIDE}
    if rule.interface and rule.interface not in outside:
        what = f"interface {rule.interface} is not an outside interface"
        yield _missing(line, what, f"add ip nat outside under interface {rule.interface}")
    groups = configuration.groups
    shared = {mapping_id for group in groups for mapping_id in group.mapping_ids}
    if rule.mapping_id and rule.mapping_id not in shared:
        what = f"no block of ip nat Stateful id has mapping-id {rule.mapping_id}"
        yield _missing(line, what, "add it to a block, or remove it from the rule")


def _list(configuration: Configuration, name: str, line: str) -> Iterator[Problem]:
    if name and name not in {one.name for one in configuration.access_lists}:
        yield _missing(line, f"there is no access list {name}", f"add access-list {name} permit")


def _limit_by_source(configuration: Configuration, name: str, line: str) -> Iterator[Problem]:
    """A limit is for hosts, so its list must say which hosts, not which packets."""
    if any(one.name == name and one.kind is ListKind.EXTENDED for one in configuration.access_lists):
        what = f"access list {name} is extended: it chooses packets, and a limit is for hosts"
        yield Problem(what=what, where=line, remedy="use a standard list that permits the hosts")


# --- rules


def _dynamic(configuration: Configuration) -> Iterator[Problem]:
    for rule in configuration.dynamic_rules:
        if rule.extended and not rule.overload:
            what = "extended says which ports overload shares, and there is no overload"
            yield Problem(what=what, where=lines.dynamic(rule), remedy="add overload, or leave extended out")


def _static(configuration: Configuration) -> Iterator[Problem]:
    for rule in configuration.static_rules:
        if rule.reversible and not rule.route_map:
            what = "reversible belongs to a route-map, and the rule has none"
            yield Problem(what=what, where=lines.static(rule), remedy="add a route-map, or leave it out")
        for address in (rule.local, rule.global_) if rule.prefix_length else ():
            network = IPv4Network((address or 0, rule.prefix_length), strict=False)
            if network.network_address != address:
                what = f"{address} is no network of this length: {network} is"
                remedy = f"write {network.network_address}, or a longer prefix"
                yield Problem(what=what, where=lines.static(rule), remedy=remedy)


def _shared_pools(configuration: Configuration) -> Iterator[Problem]:
    """One pool serves one mapping ID: the ports of a pool are dealt among the members of one (design 8)."""
    first: dict[str, DynamicRule] = {}
    for rule in (one for one in configuration.dynamic_rules if one.pool):
        other = first.setdefault(rule.pool, rule)
        if other.mapping_id != rule.mapping_id:
            what = f"pool {rule.pool} serves {_mapping(other)} already, in the rule of {_whom(other)}"
            yield Problem(what=what, where=lines.dynamic(rule), remedy="use a pool of its own")


def _uses(configuration: Configuration) -> Iterator[Problem]:
    """A pool gives away one thing: ports, whole addresses, outside addresses or turns."""
    first: dict[str, DynamicRule] = {}
    rotary = {pool.name for pool in configuration.pools if pool.kind is PoolType.ROTARY}
    for rule in (one for one in configuration.dynamic_rules if one.pool):
        other = first.setdefault(rule.pool, rule)
        if _use(other) != _use(rule):
            what = f"pool {rule.pool} is for {_use(other)} already, in the rule of {_whom(other)}"
            yield Problem(what=what, where=lines.dynamic(rule), remedy="use a pool of its own")
        turns = rule.kind is RuleKind.INSIDE_DESTINATION
        if turns and rule.pool not in rotary and rule.pool in {pool.name for pool in configuration.pools}:
            what = f"inside hosts take turns in pools of type rotary, and {rule.pool} is none"
            yield Problem(what=what, where=lines.dynamic(rule), remedy="add type rotary to the pool")
        elif rule.pool in rotary and not turns:
            what = f"pool {rule.pool} is of type rotary, whose hosts take turns at a destination"
            yield Problem(what=what, where=lines.dynamic(rule), remedy="leave type rotary out of the pool")


def _use(rule: DynamicRule) -> str:
    match rule.kind:
        case RuleKind.OUTSIDE_SOURCE:
            return "outside hosts"
        case RuleKind.INSIDE_DESTINATION:
            return "inside hosts that take turns"
    return "inside hosts that share addresses" if rule.overload else "inside hosts with whole addresses"


def _mapping(rule: DynamicRule) -> str:
    return f"mapping-id {rule.mapping_id}" if rule.mapping_id else "a rule without mapping-id"


def _whom(rule: DynamicRule) -> str:
    return f"list {rule.access_list}" if rule.access_list else f"route-map {rule.route_map}"


# --- pools


def _pools(configuration: Configuration) -> Iterator[Problem]:
    used = {rule.pool for rule in configuration.dynamic_rules}
    for pool in configuration.pools:
        yield from _size(pool)
        if not pool.ranges and pool.name in used:
            what = "the pool has no addresses, and a rule translates to it"
            yield _missing(lines.pool(pool), what, "add address with the first and the last below it")
        for start, end in pool.ranges:
            network = IPv4Network((start, pool.prefix_length), strict=False)
            if start <= end and end not in network:
                what = f"{end} is outside of the prefix {network}"
                yield Problem(
                    what=what, where=lines.pool(pool), remedy="make the prefix shorter or the pool smaller"
                )


def _size(pool: Pool) -> Iterator[Problem]:
    size = sum(int(end) - int(start) + 1 for start, end in pool.ranges)
    if any(end < start for start, end in pool.ranges):
        yield Problem(
            what="the end address is less than the start address",
            where=lines.pool(pool),
            remedy="write the lower address first",
        )
    elif size > MAX_POOL:
        what = f"the pool has {size} addresses, more than {MAX_POOL}"
        yield Problem(what=what, where=lines.pool(pool), remedy="make it smaller")


# --- what has which addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Addresses that something translates to, and nothing else may."""

    start: IPv4Address
    end: IPv4Address
    whose: str
    """As told of the other: ``pool P``, ``the static rule of 10.0.0.9``."""
    what: str
    """As told of itself: ``the pool``, ``the static rule``."""
    line: str


def _overlaps(configuration: Configuration) -> Iterator[Problem]:
    widest: _Span | None = None
    for span in sorted(_spans(configuration), key=lambda span: span.start):
        if widest and span.start <= widest.end:
            what = f"{span.what} overlaps with {widest.whose} ({widest.start} to {widest.end})"
            yield Problem(what=what, where=span.line, remedy="give every pool its own addresses")
        if widest is None or span.end > widest.end:
            widest = span


def _spans(configuration: Configuration) -> Iterator[_Span]:
    """Pools, and static rules of whole addresses; a rule of one port leaves the other ports to a pool."""
    for pool in configuration.pools:
        for start, end in pool.ranges:
            yield _Span(
                start=start, end=end, whose=f"pool {pool.name}", what="the pool", line=lines.pool(pool)
            )
    for rule in configuration.static_rules:
        address = rule.global_ if rule.kind is RuleKind.INSIDE_SOURCE else rule.local
        if rule.protocol or address is None:
            continue
        network = IPv4Network((address, rule.prefix_length or 32), strict=False)
        origin = rule.local if rule.kind is RuleKind.INSIDE_SOURCE else rule.global_
        yield _Span(
            start=network.network_address,
            end=network.broadcast_address,
            whose=f"the static rule of {origin}",
            what="the static rule",
            line=lines.static(rule),
        )


def _missing(where: str, what: str, remedy: str) -> Problem:
    return Problem(what=what, where=where, remedy=remedy, missing=True)
