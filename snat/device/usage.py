"""What the NAT table is used for: how many entries of what kind, by rule and by pool.

Nothing of it is kept: it is counted when somebody asks, in slices that delay no packet. Every iterator here
yields None as long as there is more to count, and then the result.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from snat.config.model import Configuration
from snat.config.model import Pool as PoolConfiguration
from snat.device.device import Device
from snat.device.entries import selected
from snat.device.selection import EVERYTHING
from snat.device.status import LimitStatus, NatStatus, PoolPorts, PoolStatus, PortUse, RuleStatus
from snat.nat.entry import FLAGS, MAPPING, STATE, Flag
from snat.nat.rules import AnyPool, Rules
from snat.nat.tracking import ICMP, TCP, UDP

_KEYS: Final = 2048
"""Inside-global endpoints looked at in one go: a fifth of a millisecond."""
_LOW: Final = 1024
_LOW_PORTS, _HIGH_PORTS = _LOW - 1, 65536 - _LOW
"""Of an address and protocol; port 0 is never handed out."""


def rule_of(rules: Rules, record: bytes) -> int:
    """The place, from 1, of the first rule that would make such an entry now; 0: none would, or a static one.

    Where more than sources is compared, any packet of the host may have been the one.
    """
    flags, mapping_id = record[FLAGS], int.from_bytes(record[MAPPING], "big")
    if flags & Flag.STATIC:
        return 0
    listed, address = rules.rules, record[23:27]
    if flags & Flag.OUTSIDE:
        listed, address = rules.outside, record[29:33]
    elif flags & Flag.DESTINATION:
        listed, address = rules.destinations, record[16:20]
    source = int.from_bytes(record[16:20], "big")
    for rule in listed:
        condition = rule.access_list
        if rule.mapping_id != mapping_id or rule.pool is None or address not in rule.pool:
            continue
        if listed is not rules.rules or not condition.by_source or condition.permits(source):
            return rule.number
    return 0


def nat_status(device: Device, now: float) -> Iterator[NatStatus | None]:
    """What the table has."""
    census = _Census(device.translator.flows.rules)
    for batch in selected(device.table, EVERYTHING):
        census.take(batch)
        yield None
    yield NatStatus(
        total=census.total,
        static=census.static,
        extended=census.extended,
        peak=device.table.peak,
        peak_age=round(now - device.peak_at, 3),
        rules=_rules(device.configuration, census),
        pools=tuple(_pool(device, pool, census) for pool in device.configuration.pools),
        limits=_limits(device),
    )


def _limits(device: Device) -> LimitStatus | None:
    load = device.translator.flows.load
    if not load.limits:
        return None
    return LimitStatus(load.limits.total, load.limits.all_host, load.flows, load.misses)


def pool_ports(device: Device, name: str) -> Iterator[PoolPorts | None]:
    """What is in use of a pool that is configured."""
    number, configured = next(
        found for found in enumerate(device.configuration.pools, start=1) if found[1].name == name
    )
    pool = _pools(device)[name]
    used: Counter[tuple[int, bool]] = Counter()
    addresses: set[bytes] = set()
    endpoints = list(device.table.outside)
    for first in range(0, len(endpoints), _KEYS):
        for endpoint in endpoints[first : first + _KEYS]:
            if endpoint[1:5] in addresses or endpoint[1:5] in pool:
                addresses.add(endpoint[1:5])
                used[endpoint[0], endpoint[5:] >= b"\x04\x00"] += 1
        yield None
    total = _size(configured)

    def ports(protocol: int, high: bool) -> PortUse:
        assigned = used[protocol, high]
        return PortUse(assigned, total * (_HIGH_PORTS if high else _LOW_PORTS) - assigned)

    yield PoolPorts(
        name=name,
        number=number,
        addresses=PortUse(len(addresses), total - len(addresses)),
        udp_low=ports(UDP, False),
        tcp_low=ports(TCP, False),
        udp_high=ports(UDP, True),
        tcp_high=ports(TCP, True),
        icmp=PortUse(
            used[ICMP, False] + used[ICMP, True], ports(ICMP, False).available + ports(ICMP, True).available
        ),
        quarantined=pool.quarantined,
    )


class _Census:
    """Entries by kind, rule and address."""

    def __init__(self, rules: Rules) -> None:
        self.total = self.static = self.extended = 0
        self.references: Counter[int] = Counter()
        self.addresses: set[bytes] = set()
        self._rules = rules

    def take(self, records: list[bytes]) -> None:
        """Count some. Those of one host and address are looked at together."""
        counts: Counter[bytes] = Counter()
        examples: dict[bytes, bytes] = {}
        for record in records:
            flags = record[FLAGS]
            kind = record[12:20] + record[23:27] + record[FLAGS:STATE]
            if flags & Flag.OUTSIDE:
                kind += record[29:33]
            counts[kind] += 1
            examples[kind] = record
        for kind, count in counts.items():
            record = examples[kind]
            flags = record[FLAGS]
            self.total += count
            self.static += count if flags & Flag.STATIC else 0
            self.extended += count if flags & Flag.EXTENDED else 0
            if not flags & Flag.STATIC:
                self.addresses.add(_address(record))
                self.references[rule_of(self._rules, record)] += count


def _address(record: bytes) -> bytes:
    """Which address of its pool an entry has."""
    if record[FLAGS] & Flag.OUTSIDE:
        return record[29:33]
    return record[16:20] if record[FLAGS] & Flag.DESTINATION else record[23:27]


def _rules(configuration: Configuration, census: _Census) -> tuple[RuleStatus, ...]:
    return tuple(
        RuleStatus(
            number=number,
            kind=rule.kind.value,
            access_list=rule.access_list,
            route_map=rule.route_map,
            pool=rule.pool,
            interface=rule.interface,
            mapping_id=rule.mapping_id,
            references=census.references[number],
        )
        for number, rule in enumerate(configuration.dynamic_rules, start=1)
    )


def _pool(device: Device, configured: PoolConfiguration, census: _Census) -> PoolStatus:
    pool = _pools(device)[configured.name]
    return PoolStatus(
        name=configured.name,
        kind=configured.kind.value,
        prefix_length=configured.prefix_length,
        ranges=tuple((str(one.start), str(one.end)) for one in configured.ranges),
        addresses=_size(configured),
        allocated=sum(address in pool for address in census.addresses),
        misses=pool.misses,
        quarantined=pool.quarantined,
    )


def _pools(device: Device) -> dict[str, AnyPool]:
    return {pool.name: pool for pool in device.translator.flows.rules.pools}


def _size(configured: PoolConfiguration) -> int:
    return sum(int(one.end) - int(one.start) + 1 for one in configured.ranges)
