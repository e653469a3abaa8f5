"""The addresses by which outside hosts reach inside ones, as networks: what the kernel must bring to us."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses, summarize_address_range

from snat.config.model import Configuration, DynamicRule, ListKind, PoolType, RuleKind, Side, StaticRule


def global_networks(
    configuration: Configuration, mapping_ids: Container[int] | None = None, active: Container[str] = ()
) -> tuple[IPv4Network, ...]:
    """Of all pools, static rules and addresses of hosts that take turns, or of those of some mappings.

    A rule with ``redundancy NAME`` counts where that HSRP group is ``active``, whatever its mapping.
    Pools of outside hosts and the hosts that take turns are no such addresses; those of interfaces are
    answered for anyway, and what says ``no-alias`` by nobody.
    """
    counts = None if mapping_ids is None else _Chosen(mapping_ids, active)
    pools = tuple(_pools(configuration, counts))
    single = {*_statics(configuration, counts), *_virtual(configuration, counts)}
    apart = [one for one in single if not any(one.subnet_of(pool) for pool in pools)]
    return (*pools, *collapse_addresses(apart))


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The rules whose addresses are answered for."""

    mapping_ids: Container[int]
    active: Container[str]

    def has(self, rule: DynamicRule | StaticRule) -> bool:
        return rule.redundancy in self.active if rule.redundancy else rule.mapping_id in self.mapping_ids


def routed_networks(configuration: Configuration) -> tuple[IPv4Network, ...]:
    """The addresses by which inside hosts know outside ones, as far as rules or pools say ``add-route``."""
    pools = {pool.name: pool for pool in configuration.pools}
    found = [
        network
        for rule in configuration.dynamic_rules
        if rule.kind is RuleKind.OUTSIDE_SOURCE and (rule.add_route or pools[rule.pool].add_route)
        for addresses in pools[rule.pool].ranges
        for network in summarize_address_range(*addresses)
    ]
    found += [
        IPv4Network((rule.local, rule.prefix_length or 32))
        for rule in configuration.static_rules
        if rule.kind is RuleKind.OUTSIDE_SOURCE and rule.add_route
    ]
    return tuple(collapse_addresses(found))


def shared_addresses(
    configuration: Configuration, addresses: Mapping[str, IPv4Address]
) -> tuple[IPv4Address, ...]:
    """Of those of outside interfaces, by name: the ones that rules give to inside hosts, too."""
    outside = {one.name for one in configuration.interfaces if one.side is Side.OUTSIDE}
    virtual = {network.network_address for network in _virtual(configuration, None, own=True)}
    inside_sources = [one for one in configuration.static_rules if one.kind is RuleKind.INSIDE_SOURCE]
    dynamic = {one.interface for one in configuration.dynamic_rules}
    named = (dynamic | {one.interface for one in inside_sources}) & outside
    stated = {one.global_ for one in inside_sources} | virtual
    return tuple(
        sorted(
            address
            for name, address in addresses.items()
            if name in named or (name in outside and address in stated)
        )
    )


def _pools(configuration: Configuration, chosen: _Chosen | None) -> Iterator[IPv4Network]:
    rules = configuration.dynamic_rules
    elsewhere = {rule.pool for rule in rules if rule.kind is not RuleKind.INSIDE_SOURCE}
    # Whether a rule uses it or not: flows outlive their rule, but the hosts of this type are real ones.
    elsewhere |= {pool.name for pool in configuration.pools if pool.kind is PoolType.ROTARY}
    used = {rule.pool for rule in rules if chosen is not None and chosen.has(rule)}
    for pool in configuration.pools:
        if pool.name not in elsewhere and (chosen is None or pool.name in used):
            for addresses in pool.ranges:
                yield from summarize_address_range(*addresses)


def _statics(configuration: Configuration, chosen: _Chosen | None) -> Iterator[IPv4Network]:
    own = {one.address.ip for interface in configuration.interfaces for one in interface.addresses}
    for rule in configuration.static_rules:
        if rule.kind is not RuleKind.INSIDE_SOURCE or rule.global_ is None or rule.global_ in own:
            continue
        if chosen is None or (chosen.has(rule) and not rule.no_alias):
            yield IPv4Network((rule.global_, rule.prefix_length or 32))


def _virtual(
    configuration: Configuration, chosen: _Chosen | None, *, own: bool = False
) -> Iterator[IPv4Network]:
    """Addresses at which inside hosts take turns, where a list names them one by one.

    ``own``: those of the router too. Whole networks are somebody's who routes them here.
    """
    held = {one.address.ip for interface in configuration.interfaces for one in interface.addresses}
    lists = {one.name: one for one in configuration.access_lists}
    for rule in configuration.dynamic_rules:
        named = lists.get(rule.access_list) if rule.kind is RuleKind.INSIDE_DESTINATION else None
        if named is None or (chosen is not None and not chosen.has(rule)):
            continue
        for line in named.lines:
            extended = named.kind is ListKind.EXTENDED
            address = line.destination if extended else line.address
            wildcard = line.destination_wildcard if extended else line.wildcard
            if line.permit and not int(wildcard) and (own or address not in held):
                yield IPv4Network(address)
