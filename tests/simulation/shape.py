"""What a simulated group is made of: its configuration, and what its network does to bytes."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from snat.config.model import (
    AccessLine,
    AccessList,
    AddressRange,
    Configuration,
    ConfiguredRole,
    DynamicRule,
    Group,
    Nat,
    Peer,
    Pool,
    Stateful,
    Timeouts,
)
from snat.replication.connection_queue import DEFAULT_LIMIT
from snat.replication.journal import DEFAULT_LIMIT as JOURNAL_LIMIT
from snat.wire.header import Feed

MAPPING: Final = 10
FEED: Final = Feed(0, MAPPING)
POOL: Final = [f"203.0.113.{host}" for host in range(10, 14)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What all members of a group have in common, and the network between them."""

    keepalive: float = 0.2
    hold_time: float = 0.6
    timeouts: Timeouts = field(default_factory=Timeouts)
    window: int = 1 << 16
    """Bytes of a direction of a connection under way at most; then its sender waits until some were read."""
    queue_limit: int = DEFAULT_LIMIT
    """Bytes of a connection queue."""
    journal_limit: int = JOURNAL_LIMIT
    """Bytes of the journal of a feed."""
    maximum_entries: int = 0
    update_interval: float = 0.0
    pull_interval: float = 0.0
    """Seconds between two requests of backups that do not listen."""
    retain: int = 300
    """Seconds that unused entries of a lost peer stay."""
    as_queuing: bool = True
    defer: bool = False
    snapshots: bool = False
    """Whether a router that starts finds the table it had when it died."""
    delay: float = 0.02
    """Seconds that a piece of bytes is under way at most."""
    cut_pieces: float = 0.2
    """How likely bytes that were written at once arrive in pieces."""


PLAIN: Final = Shape()


def configuration(
    nat_id: int, role: ConfiguredRole, peers: tuple[int, ...], shape: Shape = PLAIN
) -> Configuration:
    """A member of a group with one pool."""
    group = Group(
        role=role,
        address=IPv4Address(f"192.168.77.{nat_id}"),
        peers=tuple(
            Peer(address=IPv4Address(f"192.168.77.{peer}"), nat_id=peer, name=f"r{peer}.example")
            for peer in peers
        ),
        mapping_ids=(MAPPING,),
        keepalive=shape.keepalive,
        hold_time=shape.hold_time,
        maximum_entries=shape.maximum_entries,
        update_interval=shape.update_interval,
        retain=shape.retain,
        as_queuing=shape.as_queuing,
        defer=shape.defer,
        pull_interval=shape.pull_interval if role is ConfiguredRole.BACKUP else 0.0,
    )
    inside = AccessLine(permit=True, address=IPv4Address("10.0.0.0"), wildcard=IPv4Address("0.0.0.255"))
    return Configuration(
        hostname=f"R{nat_id}",
        stateful=Stateful(nat_id=nat_id, groups=(group,)),
        pools=(
            Pool(
                name="P",
                ranges=(AddressRange(IPv4Address(POOL[0]), IPv4Address(POOL[-1])),),
                prefix_length=24,
            ),
        ),
        dynamic_rules=(DynamicRule(overload=True, access_list="1", pool="P", mapping_id=MAPPING),),
        access_lists=(AccessList(name="1", lines=(inside,)),),
        nat=Nat(timeouts=shape.timeouts),
    )
