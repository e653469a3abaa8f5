"""The configuration's rules, pools and time-outs as the translator works with them."""

import random
from collections.abc import Sequence
from dataclasses import asdict

from snat.config.model import Configuration
from snat.config.model import Pool as PoolConfiguration
from snat.nat.access_list import AccessList, Line
from snat.nat.pool import Pool
from snat.nat.rules import Rule, Rules
from snat.nat.tracking import Timeouts

Pools = dict[PoolConfiguration, Pool]
"""Pools that exist, by what they were made from: one that is configured again keeps its quarantine."""


def rules_of(
    configuration: Configuration, slots: Sequence[int], choice: random.Random, existing: Pools
) -> Rules:
    """The rules in their order. The configuration is verified: every name is there."""
    for pool in configuration.pools:
        if pool not in existing:
            existing[pool] = Pool(
                pool.name, [(int(one.start), int(one.end)) for one in pool.ranges], slots, choice
            )
        existing[pool].deal(slots)
    pools = {pool.name: existing[pool] for pool in configuration.pools}
    lists = {
        one.name: AccessList(
            tuple(Line(line.permit, int(line.address), int(line.wildcard)) for line in one.lines)
        )
        for one in configuration.access_lists
    }
    rules = tuple(
        Rule(lists[rule.access_list], pools[rule.pool], rule.mapping_id)
        for rule in configuration.dynamic_rules
    )
    return Rules(rules, tuple(pools.values()))


def timeouts_of(configuration: Configuration) -> Timeouts:
    """The time-outs in force."""
    return Timeouts(**asdict(configuration.nat.timeouts))
