"""``show ip nat``: the classic layouts of IOS 12.4 and 15M (ios-cli.md 2.2), then lines of ours.

Of ours none may look like one of those that parsers look for (ios-cli.md 4.5): no ``name: value``, and not
words alone, which are taken for names of interfaces.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from cli.render_standby import duration
from cli.tree import Lines
from snat.config.model import Configuration, DynamicRule, Interface, Side, StaticRule
from snat.device.status import (
    Detail,
    Endpoint,
    LimitStatus,
    NatStatus,
    PoolPorts,
    PoolStatus,
    PortUse,
    RuleStatus,
    Translation,
)

PROTOCOLS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50}
"""Those that have a name; others are printed as numbers."""
_NAMES: Final = {number: name for name, number in PROTOCOLS.items()}
_MISSES: Final = (
    *("created", "not_managed", "restrained", "not_syn", "not_query"),
    *("filtered", "crowded", "unknown_inbound", "hairpins", "exhausted", "address_taken", "limited"),
)
"""What becomes of packets that find no entry: it is made, or there is a reason against it."""
_UNLIMITED: Final = (1 << 31) - 1
_KINDS: Final = {
    "inside source": "Inside Source",
    "outside source": "Outside Source",
    "inside destination": "Inside Destination",
}
"""Headings. A parser does not know the last, and fails if it comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatStatistics:
    """What ``show ip nat statistics`` shows."""

    interfaces: tuple[Interface, ...]
    counters: Mapping[str, Mapping[str, int]]
    table: NatStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What ``show ip nat translations total`` shows."""

    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedundancyUse:
    """A global address, and the HSRP group whose active router answers for it."""

    address: str
    name: str
    """Empty: none."""
    mapping_id: int
    rules: int
    """That use it so."""


def translations(rows: Iterable[Translation | None]) -> Lines:
    """``show ip nat translations [verbose]``: columns begin at 0, 4, 23, 42 and 61, no footer."""
    yield "Pro Inside global      Inside local       Outside local      Outside global"
    for row in rows:
        if row is None:
            yield None
            continue
        begin = f"{protocol_of(row):<3} {endpoint(row.inside_global)}"
        local = f"{endpoint(row.inside_local):<18} {endpoint(row.outside_local):<18}"
        yield f"{begin:<22} {local} {endpoint(row.outside_global)}"
        if row.detail is not None:
            yield from _verbose(row, row.detail)


def protocol_of(row: Translation) -> str:
    """The first column."""
    simple = row.outside_global is None or row.inside_global is None
    place = row.inside_local or row.outside_global
    if simple and not (place and place.port):
        return "---"
    return _NAMES.get(row.protocol) or str(row.protocol)


def endpoint(place: Endpoint | None) -> str:
    """One of the other columns."""
    if place is None:
        return "---"
    return f"{place.address}:{place.port}" if place.port else place.address


def total(shown: Total) -> Iterator[str]:
    """``show ip nat translations total``: the footer of IOS-XE alone."""
    yield f"Total number of translations: {shown.total}"


def _verbose(row: Translation, detail: Detail) -> Iterator[str]:
    """Three lines of IOS, with its blanks at the end and its missing comma; and one of ours.

    What IOS counts of line cards (lc_entries) we count of the fast path.
    """
    timeout = f"timeout:{(detail.timeout or 0) * 1000}, "
    left = "" if detail.left is None else f"left {duration(detail.left)}, "
    rule = f"Map-Id(In): {detail.rule}, " if detail.rule else ""
    yield f"    create {_age(detail.created)}, use {_age(detail.used)} {timeout}{left}{rule}"
    yield "    flags: "
    flags = ", ".join(detail.flags) or "none"
    yield f"{flags}, use_count: {detail.uses}, entry-id: {row.number}, lc_entries: {detail.paths}"
    yield f"    {_owner(row, detail)}"
    if detail.context:
        yield f"    context {', '.join(detail.context)}"


def _owner(row: Translation, detail: Detail) -> str:
    manager = f"NAT ID {detail.manager_nat_id}" if detail.manager_nat_id else "nobody"
    managed = "this router" if detail.managed else manager
    owner = (
        f"owner NAT ID {row.nat_id}, mapping-id {row.mapping_id}"
        if row.nat_id
        else "owner local (not shared)"
    )
    return f"{owner}, state {row.state}, managed by {managed}"


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else duration(seconds)


def statistics(shown: NatStatistics) -> Iterator[str]:
    """``show ip nat statistics``: the form of 15M, one interface a line; then our counters."""
    table = shown.table
    dynamic = table.total - table.static
    yield (
        f"Total active translations: {table.total} "
        f"({table.static} static, {dynamic} dynamic; {table.extended} extended)"
    )
    yield f"Peak translations: {table.peak}, occurred {duration(table.peak_age)} ago"
    yield "Outside interfaces:"
    yield from (f"  {i.name}" for i in shown.interfaces if i.side is Side.OUTSIDE)
    yield "Inside interfaces: "
    yield from (f"  {i.name}" for i in shown.interfaces if i.side is Side.INSIDE)
    yield from _packets(shown.counters.get("translate", {}))
    yield "Dynamic mappings:"
    yield from _mappings(table)
    if table.limits is not None:
        yield from _limits(table.limits)
    for subject, counters in shown.counters.items():
        yield f"Counters of {subject}:"
        yield from (f"  {name.replace('_', ' ')} = {count}" for name, count in counters.items())


def _limits(limits: LimitStatus) -> Iterator[str]:
    """As IOS says it; without a limit, its largest number."""
    yield "nat-limit statistics:"
    most = limits.total or _UNLIMITED
    yield f" max entry: max allowed {most}, used {limits.used}, missed {limits.missed}"
    if limits.all_host:
        yield f" All Host Max allowed: {limits.all_host}"


def _packets(counters: Mapping[str, int]) -> Iterator[str]:
    """Hits found an entry, misses did not. What IOS counts of CEF we count of the fast path."""
    fast, slow = counters.get("hits", 0), counters.get("slow", 0)
    misses = sum(counters.get(name, 0) for name in _MISSES)
    yield f"Hits: {fast + slow - counters.get('created', 0)}  Misses: {misses}"
    yield f"CEF Translated packets: {fast}, CEF Punted packets: {slow}"
    yield f"Expired translations: {counters.get('expired', 0)}"


def _mappings(table: NatStatus) -> Iterator[str]:
    pools = {pool.name: pool for pool in table.pools}
    for kind, heading in _KINDS.items():
        rules = [rule for rule in table.rules if rule.kind == kind]
        if rules or (kind == "inside source" and table.rules):
            yield f"-- {heading}"
        for rule in rules:
            yield from _mapping(rule, pools.get(rule.pool))


def _mapping(rule: RuleStatus, pool: PoolStatus | None) -> Iterator[str]:
    who = f"route-map {rule.route_map}" if rule.route_map else f"access-list {rule.access_list}"
    what = f"interface {rule.interface}" if rule.interface else f"pool {rule.pool}"
    yield f"[Id: {rule.number}] {who} {what} refcount {rule.references}"
    shared = f"mapping-id {rule.mapping_id}" if rule.mapping_id else "mapping-id none"
    if pool is None:
        yield f"\t{shared}"
        return
    yield f" pool {pool.name}: netmask {netmask(pool.prefix_length)}"
    yield from (f"\tstart {first} end {last}" for first, last in pool.ranges)
    share = 100 * pool.allocated // pool.addresses if pool.addresses else 0
    yield (
        f"\ttype {pool.kind}, total addresses {pool.addresses}, allocated {pool.allocated} ({share}%), "
        f"misses {pool.misses}"
    )
    yield f"\t{shared}, quarantined ports {pool.quarantined}"


def netmask(prefix_length: int) -> IPv4Address:
    """``255.255.255.0`` of 24."""
    return IPv4Address((0xFFFFFFFF << (32 - prefix_length)) & 0xFFFFFFFF)


def pool_ports(pool: PoolPorts) -> Iterator[str]:
    """``show ip nat pool name``: the form of IOS-XE, then a line of ours."""
    yield from ("NAT Pool Statistics", "", f"Pool name {pool.name}, id {pool.number}")
    yield f"{'Assigned':>38}{'Available':>21}"
    rows: dict[str, PortUse] = {
        "Addresses": pool.addresses,
        "UDP Low Ports": pool.udp_low,
        "TCP Low Ports": pool.tcp_low,
        "UDP High Ports": pool.udp_high,
        "TCP High Ports": pool.tcp_high,
    }
    yield from (f"  {name:<22}{use.assigned:>14}{use.available:>21}" for name, use in rows.items())
    yield ""
    yield "(Low ports are less than 1024. High ports are greater than or equal to 1024.)"
    yield f"(ICMP identifiers: {pool.icmp.assigned} assigned. Ports in quarantine: {pool.quarantined}.)"


def redundancy_uses(configuration: Configuration) -> tuple[RedundancyUse, ...]:
    """The global addresses of static rules, and the pools of dynamic ones that follow an HSRP group."""
    pools = {pool.name: pool for pool in configuration.pools}
    used: dict[tuple[str, str, int], int] = {}
    static: Iterator[tuple[str, StaticRule | DynamicRule]] = (
        (str(one.global_ or one.interface), one) for one in configuration.static_rules
    )
    dynamic: Iterator[tuple[str, StaticRule | DynamicRule]] = (
        (str(addresses.start), one)
        for one in configuration.dynamic_rules
        if one.redundancy and one.pool in pools
        for addresses in pools[one.pool].ranges
    )
    for address, rule in (*static, *dynamic):
        key = (address, rule.redundancy, rule.mapping_id)
        used[key] = used.get(key, 0) + 1
    return tuple(
        RedundancyUse(address=address, name=name, mapping_id=mapping_id, rules=count)
        for (address, name, mapping_id), count in used.items()
    )


def redundancy(uses: Iterable[RedundancyUse]) -> Iterator[str]:
    """``show ip nat redundancy``: the form of IOS-XE."""
    yield "IP       Redundancy-Name    ID     Use-count"
    for use in uses:
        yield f"{use.address} {use.name or 'NONE'}         {use.mapping_id}         {use.rules}"
