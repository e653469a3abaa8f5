"""A hash of what two members must have configured alike for a mapping."""

from dataclasses import replace

from xxhash import xxh3_64_intdigest

from snat.config.model import AccessList, Configuration


def configuration_digest(configuration: Configuration, mapping_id: int) -> int:
    """Hash of the rules of a mapping, their pools and lists, and the time-outs (8 bytes, unsigned)."""
    rules = [rule for rule in configuration.dynamic_rules if rule.mapping_id == mapping_id]
    pools = {pool.name: pool for pool in configuration.pools}
    lists = {one.name: _compared(one) for one in configuration.access_lists}
    parts = [(rule, pools.get(rule.pool), lists.get(rule.access_list)) for rule in rules]
    return xxh3_64_intdigest(repr((parts, configuration.nat.timeouts)).encode())


def _compared(access_list: AccessList) -> object:
    """What decides of a list: the numbers of its lines and the remarks do not."""
    lines = (replace(line, sequence=0, remarks=(), log=False) for line in access_list.lines)
    return access_list.kind, tuple(lines)
