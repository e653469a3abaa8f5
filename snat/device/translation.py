"""The configuration's rules, pools and time-outs as the translator works with them."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import Final

from snat.config.model import (
    DEFAULT_PORT,
    Configuration,
    ConfiguredRole,
    DynamicRule,
    Nat,
    PoolType,
    RuleKind,
    Side,
    StaticRule,
)
from snat.config.model import Pool as PoolConfiguration
from snat.config.nat import NEVER
from snat.device.conditions import Conditions, Egress, access_list_of
from snat.nat.address_pool import AddressPool
from snat.nat.limits import Limits
from snat.nat.own_ports import OwnPorts
from snat.nat.parking import Parking
from snat.nat.pool import Pool
from snat.nat.rotary import RotaryPool
from snat.nat.rules import AnyPool, Rule, Rules
from snat.nat.static import Static
from snat.nat.tracking import TCP, UDP, Timeouts

Pools = dict[object, AnyPool]
"""Pools that exist, by what they were made from: one that is configured again keeps its quarantine."""
_PROTOCOLS: Final = {"": 0, "tcp": TCP, "udp": UDP}
_DNS: Final = 53
_SERVICES: Final = ((TCP, 22), (UDP, 1985), (UDP, 2029))
"""Of the router itself, besides its links: SSH and HSRP."""


def rules_of(
    configuration: Configuration,
    slots: Sequence[int],
    choice: random.Random,
    existing: Pools,
    learnt: Mapping[str, bytes] | None = None,
    own_ports: OwnPorts | None = None,
    egress: Egress | None = None,
) -> Rules:
    """The rules in their order. The configuration is verified: every name is there.

    ``learnt``: the addresses of outside interfaces as they are; without, those of the configuration.
    ``own_ports``: what the router itself uses there, besides what it always does. ``egress``: by which of
    several outside interfaces packets leave; without, by the first.
    """
    addresses = addresses_of(configuration) if learnt is None else learnt
    own = own_ports or OwnPorts()
    building = _Building(configuration, slots, choice, existing, addresses, own, egress)
    return Rules(
        building.dynamic(RuleKind.INSIDE_SOURCE),
        building.pools.values(),
        statics=building.statics(RuleKind.INSIDE_SOURCE),
        outside=building.dynamic(RuleKind.OUTSIDE_SOURCE),
        outside_statics=building.statics(RuleKind.OUTSIDE_SOURCE),
        destinations=building.dynamic(RuleKind.INSIDE_DESTINATION),
        own=(addresses[name] for name in _outside(configuration) if name in addresses),
    )


def addresses_of(configuration: Configuration) -> dict[str, bytes]:
    """The primary address of each interface that is configured with one."""
    return {one.name: one.addresses[0].address.packed for one in configuration.interfaces if one.addresses}


def _outside(configuration: Configuration) -> Iterator[str]:
    return (one.name for one in configuration.interfaces if one.side is Side.OUTSIDE)


class _Building:
    """What the rules of a configuration are made of."""

    def __init__(
        self,
        configuration: Configuration,
        slots: Sequence[int],
        choice: random.Random,
        existing: Pools,
        addresses: Mapping[str, bytes],
        own_ports: OwnPorts,
        egress: Egress | None,
    ) -> None:
        self._configuration = configuration
        self._own_ports = own_ports
        self._addresses = addresses
        self._slots = slots
        self._choice = choice
        self._existing = existing
        self._conditions = Conditions(configuration, egress)
        self.pools: dict[str, AnyPool] = {}
        """By the names of pools, and of interfaces whose address is one."""
        for pool in configuration.pools:
            kind = _kind(configuration, pool)
            self.pools[pool.name] = self._kept(
                (pool, kind, configuration.nat.paired), partial(self._pool, pool, kind)
            )
        for rule in configuration.dynamic_rules:
            if rule.interface and rule.interface in addresses:
                self._interface(rule.interface)
        among_peers = _among_peers(configuration)
        for name, made in self.pools.items():
            if isinstance(made, Pool):
                if name not in among_peers:
                    made.parking = None
                elif made.parking is None:
                    made.parking = Parking()

    def dynamic(self, kind: RuleKind) -> list[Rule]:
        """The dynamic rules of a kind."""
        return [
            Rule(
                self._conditions.of(rule.access_list, rule.route_map),
                self.pools.get(_pool_name(rule)),
                rule.mapping_id,
                number=number,
                reversible=rule.reversible,
                simple=not rule.route_map,
            )
            for number, rule in enumerate(self._configuration.dynamic_rules, start=1)
            if rule.kind is kind
        ]

    def statics(self, kind: RuleKind) -> list[Static]:
        """The static rules of a kind."""
        return [self._static(rule) for rule in self._configuration.static_rules if rule.kind is kind]

    def _static(self, rule: StaticRule) -> Static:
        named = rule.global_.packed if rule.global_ is not None else None
        return Static(
            local=rule.local.packed,
            global_=self._addresses.get(rule.interface) if rule.interface else named,
            protocol=_PROTOCOLS[rule.protocol],
            local_port=rule.local_port,
            global_port=rule.global_port,
            prefix_length=rule.prefix_length or 32,
            mapping_id=rule.mapping_id,
            condition=self._conditions.route_map(rule.route_map),
            reversible=rule.reversible,
            no_payload=rule.no_payload,
        )

    def _pool(self, pool: PoolConfiguration, kind: type[AnyPool]) -> AnyPool:
        ranges = [(int(one.start), int(one.end)) for one in pool.ranges]
        match_host = pool.prefix_length if pool.kind is PoolType.MATCH_HOST else 0
        if kind is RotaryPool:
            return RotaryPool(pool.name, ranges)
        if kind is AddressPool:
            return AddressPool(pool.name, ranges, self._slots, match_host=match_host)
        paired = self._configuration.nat.paired
        return Pool(pool.name, ranges, self._slots, self._choice, match_host=match_host, paired=paired)

    def _interface(self, name: str) -> None:
        address = int(IPv4Address(self._addresses[name]))
        services = (*_SERVICES, *((TCP, port) for port in _listened(self._configuration)))
        ranges = [(address, address)]
        pool = self._kept((name, address), lambda: Pool(name, ranges, self._slots, self._choice))
        if isinstance(pool, Pool):
            pool.reserve(self._own_ports.with_services(services))
        self.pools[_INTERFACE + name] = pool

    def _kept(self, key: object, make: Callable[[], AnyPool]) -> AnyPool:
        pool = self._existing.get(key)
        if pool is None:
            pool = self._existing[key] = make()
        pool.deal(self._slots)
        return pool


_INTERFACE: Final = "interface "
"""Before the name of an interface, which no pool is called."""


def _pool_name(rule: DynamicRule) -> str:
    return rule.pool or _INTERFACE + rule.interface


def _among_peers(configuration: Configuration) -> set[str]:
    """The pools whose mapping is one of peers, which all make entries of it."""
    shared = {
        mapping_id
        for group in configuration.groups
        if group.role is ConfiguredRole.PEERS
        for mapping_id in group.mapping_ids
    }
    return {_pool_name(rule) for rule in configuration.dynamic_rules if rule.mapping_id in shared}


def _listened(configuration: Configuration) -> set[int]:
    """Ports at which this device hears its neighbors, as far as they are configured alike."""
    return {DEFAULT_PORT} | {group.port for group in configuration.groups}


def _kind(configuration: Configuration, pool: PoolConfiguration) -> type[AnyPool]:
    """What a pool is used for; its rules agree."""
    if pool.kind is PoolType.ROTARY:
        return RotaryPool
    users = [rule for rule in configuration.dynamic_rules if rule.pool == pool.name]
    return AddressPool if users and not any(rule.overload for rule in users) else Pool


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
        other=_seconds(wanted.other),
        pptp=_seconds(wanted.pptp),
        ports=_ports(configuration.nat),
    )


def _ports(nat: Nat) -> dict[bytes, float]:
    """DNS first: somebody may name its port."""
    found = {_place(UDP, _DNS): _seconds(nat.timeouts.dns)}
    for one in nat.port_timeouts:
        found[_place(_PROTOCOLS[one.protocol], one.port)] = _seconds(one.seconds)
    return found


def _place(protocol: int, port: int) -> bytes:
    return bytes((protocol, port >> 8, port & 0xFF))


def limits_of(configuration: Configuration) -> Limits:
    """How many flows there may be."""
    wanted = configuration.nat.limits
    lists = {one.name: one for one in configuration.access_lists}
    return Limits(
        total=wanted.total,
        all_host=wanted.all_host,
        hosts={host.packed: entries for host, entries in wanted.hosts},
        lists=[(access_list_of(lists[name]), entries) for name, entries in wanted.lists],
    )


def waits_for_peers(configuration: Configuration) -> bool:
    """Whether packets from outside wait for the entry that a peer is making (``as-queuing``)."""
    return any(group.role is ConfiguredRole.PEERS and group.as_queuing for group in configuration.groups)


def retain_of(configuration: Configuration) -> float:
    """Seconds without use after which a steward may let a lost peer's entry go; infinite without peers."""
    groups = (group for group in configuration.groups if group.role is ConfiguredRole.PEERS)
    return min((float(group.retain) for group in groups if group.retain), default=float("inf"))


def _seconds(configured: int) -> float:
    return float("inf") if configured == NEVER else configured
