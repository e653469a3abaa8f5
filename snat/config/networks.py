"""The addresses by which outside hosts reach inside ones, as networks: what the kernel must bring to us."""

from collections.abc import Container, Iterator
from ipaddress import IPv4Network, collapse_addresses, summarize_address_range

from snat.config.model import Configuration, RuleKind


def global_networks(
    configuration: Configuration, mapping_ids: Container[int] | None = None
) -> tuple[IPv4Network, ...]:
    """Of all pools and static rules, or of those of some mappings, which somebody has to answer for.

    Pools of outside hosts and of hosts that take turns are no such addresses; those of interfaces are
    answered for anyway, and what says ``no-alias`` by nobody.
    """
    pools = tuple(_pools(configuration, mapping_ids))
    statics = {
        one for one in _statics(configuration, mapping_ids) if not any(one.subnet_of(pool) for pool in pools)
    }
    return (*pools, *collapse_addresses(statics))


def _pools(configuration: Configuration, mapping_ids: Container[int] | None) -> Iterator[IPv4Network]:
    rules = configuration.dynamic_rules
    elsewhere = {rule.pool for rule in rules if rule.kind is not RuleKind.INSIDE_SOURCE}
    used = {rule.pool for rule in rules if mapping_ids is not None and rule.mapping_id in mapping_ids}
    for pool in configuration.pools:
        if pool.name not in elsewhere and (mapping_ids is None or pool.name in used):
            for addresses in pool.ranges:
                yield from summarize_address_range(*addresses)


def _statics(configuration: Configuration, mapping_ids: Container[int] | None) -> Iterator[IPv4Network]:
    own = {one.address.ip for interface in configuration.interfaces for one in interface.addresses}
    for rule in configuration.static_rules:
        if rule.kind is not RuleKind.INSIDE_SOURCE or rule.global_ is None or rule.global_ in own:
            continue
        if mapping_ids is None or (rule.mapping_id in mapping_ids and not rule.no_alias):
            yield IPv4Network((rule.global_, rule.prefix_length or 32))
