"""A hash of what two members must have configured alike for a mapping."""

from dataclasses import replace

from xxhash import xxh3_64_intdigest

from snat.config.model import AccessList, Configuration, RouteMap


def configuration_digest(configuration: Configuration, mapping_id: int) -> int:
    """Hash of all that entries of a mapping depend on (8 bytes, unsigned).

    Its rules with their pools, lists and route-maps; the time-outs; what entries are made and for whom. Not
    what is each member's own affair: limits, logs, what is shared, how packets come from the kernel.
    """
    nat = configuration.nat
    dynamic = [rule for rule in configuration.dynamic_rules if rule.mapping_id == mapping_id]
    static = [rule for rule in configuration.static_rules if rule.mapping_id == mapping_id]
    pools = {pool.name: pool for pool in configuration.pools}
    parts = [
        *((rule, pools.get(rule.pool), _list(configuration, rule.access_list)) for rule in dynamic),
        *static,
        *(_route_map(configuration, rule.route_map) for rule in dynamic),
        *(_route_map(configuration, rule.route_map) for rule in static),
    ]
    settings = (nat.timeouts, _set_of(nat.port_timeouts), nat.filtering, nat.paired, nat.flow_entries)
    protocols = (_set_of(nat.services), _set_of(nat.no_services), _set_of(nat.fullrange))
    return xxh3_64_intdigest(repr((parts, settings, protocols)).encode())


def _set_of(items: tuple[object, ...]) -> list[str]:
    """Lines whose order means nothing, in one order."""
    return sorted(map(repr, items))


def _list(configuration: Configuration, name: str) -> AccessList | None:
    """A list by what decides of it: its remarks and the numbers of its lines do not."""
    found = next((one for one in configuration.access_lists if one.name == name), None)
    if found is None:
        return None
    lines = (replace(line, sequence=0, remarks=(), log=False) for line in found.lines)
    return replace(found, lines=tuple(lines), remarks=())


def _route_map(
    configuration: Configuration, name: str
) -> tuple[RouteMap, tuple[AccessList | None, ...]] | None:
    """A route-map with the lists that it matches."""
    found = next((one for one in configuration.route_maps if one.name == name), None)
    if found is None:
        return None
    return found, tuple(_list(configuration, name) for entry in found.entries for name in entry.lists)
