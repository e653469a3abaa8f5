"""The configuration's rules, pools and time-outs as the translator works with them."""

import random
from collections.abc import Sequence

from snat.config.model import AccessLine, Configuration, ListKind, Ports
from snat.config.model import AccessList as ListConfiguration
from snat.config.model import Pool as PoolConfiguration
from snat.config.nat import NEVER
from snat.nat.access_list import AccessList, Line, Narrowing, PortRange
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
    for known in existing.values():
        known.deal(slots)
    pools = {pool.name: existing[pool] for pool in configuration.pools}
    lists = {one.name: access_list_of(one) for one in configuration.access_lists}
    rules = tuple(
        Rule(lists[rule.access_list], pools[rule.pool], rule.mapping_id)
        for rule in configuration.dynamic_rules
    )
    return Rules(rules, tuple(pools.values()))


def access_list_of(configured: ListConfiguration) -> AccessList:
    """A list as packets are compared with it."""
    narrow = _narrowing if configured.kind is ListKind.EXTENDED else _nothing_else
    return AccessList(
        tuple(
            Line(line.permit, int(line.address), int(line.wildcard), narrow(line))
            for line in configured.lines
        )
    )


def _nothing_else(_line: AccessLine) -> None:
    return None


def _narrowing(line: AccessLine) -> Narrowing:
    return Narrowing(
        protocol=line.protocol,
        source_ports=_ports(line.ports),
        destination=int(line.destination),
        destination_wildcard=int(line.destination_wildcard),
        destination_ports=_ports(line.destination_ports),
        established=line.established,
        icmp_type=line.icmp_type,
    )


def _ports(ports: Ports | None) -> PortRange | None:
    match ports:
        case None:
            return None
        case Ports("lt", port, _):
            return PortRange(0, port - 1)
        case Ports("gt", port, _):
            return PortRange(port + 1, 65535)
        case Ports(operator, low, high):
            return PortRange(low, high, inverted=operator == "neq")


def timeouts_of(configuration: Configuration) -> Timeouts:
    """The time-outs in force."""
    wanted = configuration.nat.timeouts
    return Timeouts(
        udp=_seconds(wanted.udp),
        tcp=_seconds(wanted.tcp),
        syn=_seconds(wanted.syn),
        closing=_seconds(wanted.closing),
        finrst=_seconds(wanted.finrst),
        icmp=_seconds(wanted.icmp),
    )


def _seconds(configured: int) -> float:
    return float("inf") if configured == NEVER else configured
