"""What a device tells of itself: frozen data that ``show`` renders and ``| json`` prints.

Imports nothing of ours, so that the shell may read it.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Endpoint(NamedTuple):
    """An address with a port; port 0 where the protocol has none, the identifier for ICMP queries."""

    address: str
    port: int


class Detail(NamedTuple):
    """What ``show ip nat translations verbose`` adds; ages and times are seconds."""

    created: float | None
    """Ago; None: another device made the entry, or this one in an earlier run."""
    used: float | None
    """Ago; None: this device has seen no packet of it."""
    timeout: int | None
    """Without a packet until it goes; None: it does not age."""
    left: int | None
    """Of that; None: it does not age, or another device ages it."""
    rule: int
    """Place, from 1, of the dynamic rule that would make it now; 0: it is static, or none would."""
    flags: tuple[str, ...]
    """Of ``static``, ``extended``, ``outside``, ``destination``, ``timing-out``."""
    uses: int
    """Extended entries of the same inside endpoint, if it is a simple one."""
    paths: int
    """Directions in which packets take the fast path: 0 or 2."""
    manager_nat_id: int
    """Who tracks and ages it; 0: nobody known. A local entry is managed by this device."""
    managed: bool
    """By this device."""
    context: tuple[str, ...] = ()
    """What a gateway keeps of the flow (Fig. 4B, application context), in words."""


class Translation(NamedTuple):
    """One row of ``show ip nat translations``: an entry of the NAT table (Fig. 4B)."""

    protocol: int
    """IP protocol number."""
    inside_global: Endpoint | None
    """None for the simple entry of an outside host."""
    inside_local: Endpoint | None
    outside_local: Endpoint | None
    """None for any other simple entry, which names no outside host."""
    outside_global: Endpoint | None
    nat_id: int
    """The device that created the entry; 0: local."""
    number: int
    mapping_id: int
    state: str
    """``transitory``, ``established``, ``closing``, or ``open`` where the protocol has no states."""
    detail: Detail | None = None
    """If it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStatus:
    """A dynamic rule, and how much of the table is its."""

    number: int
    """Its place, from 1."""
    kind: str
    """``inside source``, ``inside destination`` or ``outside source``."""
    access_list: str
    route_map: str
    """Instead of a list."""
    pool: str
    interface: str
    """Instead of a pool."""
    mapping_id: int
    """0: its entries are not shared."""
    references: int
    """Entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """A pool, and what is in use of it."""

    name: str
    kind: str
    """``generic``, ``match-host`` or ``rotary``."""
    prefix_length: int
    ranges: tuple[tuple[str, str], ...]
    """First and last address of each."""
    addresses: int
    allocated: int
    """Addresses that entries have."""
    misses: int
    """Flows that found no port free."""
    quarantined: int
    """Ports that were freed and wait before they are used again."""


class LimitStatus(NamedTuple):
    """``max-entries``."""

    total: int
    """Flows that there may be; 0: no limit."""
    all_host: int
    """Flows that a host may have to which no other limit applies; 0: no limit."""
    used: int
    missed: int
    """Flows that were refused, by whichever limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatStatus:
    """What the table is used for, as ``show ip nat statistics`` tells it."""

    total: int
    static: int
    extended: int
    """Entries that name an outside host; static or not."""
    peak: int
    """The most entries at a time."""
    peak_age: float
    """Seconds since that was reached."""
    rules: tuple[RuleStatus, ...] = ()
    pools: tuple[PoolStatus, ...] = ()
    limits: LimitStatus | None = None
    """None: there are no limits."""


class PortUse(NamedTuple):
    """Ports or addresses of a pool."""

    assigned: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPorts:
    """``show ip nat pool name``: low ports are those below 1024."""

    name: str
    number: int
    """Its place in the configuration, from 1."""
    addresses: PortUse
    udp_low: PortUse
    tcp_low: PortUse
    udp_high: PortUse
    tcp_high: PortUse
    icmp: PortUse
    """Identifiers."""
    quarantined: int
    """Ports that are assigned to nobody, and not to be used yet: in ``available`` too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """One Connection Management structure (Fig. 7), as ``show ip snat distributed verbose`` prints it."""

    neighbor: str
    """The neighbor's configured name."""
    direction: str
    """``out``: we dialled, our entries leave on it; ``in``: the neighbor did."""
    local_address: str
    destination_address: str
    destination_port: int
    local_nat_id: int
    destination_nat_id: int
    incarnation: int = 0
    """Of the neighbor, as it last authenticated; 0: it never did."""
    process_id: int
    mapping_ids: tuple[int, ...]
    state: str
    """``Idle``, ``Connect``, ``Establish`` or ``Close``."""
    connection: int = 0
    """Its number among all connections of this run; 0: there is none."""
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    queued_bytes: int = 0
    """Compiled, and not yet handed to the transport."""
    inbound_bytes: int = 0
    """Received, and not yet applied."""
    needs_resync: bool = False
    last_refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatus:
    """Another member of a feed, as its manager knows it."""

    neighbor: str
    """The member's configured name."""
    nat_id: int
    standing: str
    """As in :class:`GroupStatus`; empty: it has not said."""
    term: int
    sequence: int
    """With ``term``: the last message that it told us it had applied."""
    lag_messages: int = 0
    """Messages of ours that it has not applied; after another term than ours, all of this term."""
    lag_seconds: float = 0.0
    """Since it last had applied all of ours; 0: it has."""
    pulls: bool = False
    """It asks for changes at intervals, instead of getting each at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """One feed: who manages it, how far it is, and whether it is proved equal."""

    process_id: int
    """Among peers the NAT ID of whose entries these are; otherwise 0."""
    mapping_id: int
    manager_nat_id: int
    """0: nobody known. Among peers that of the owner, or of the steward while that is lost."""
    term: int
    sequence: int
    entries: int
    digest: int
    synchronised: bool
    verified_age: float | None
    """Seconds since the digest last agreed with the manager's (or a member's, if we manage); None: never."""
    lag_messages: int = 0
    """Messages of the manager that are not applied here; 0 if we manage: ``members`` have theirs."""
    lag_seconds: float = 0.0
    """Since all that the manager told of was last applied here; 0: it is."""
    diverged: bool = False
    """Repairs have failed again and again: an operator should look (design section 7)."""
    repairs: int = 0
    """Attempts in a row to make the table equal again; 0 once it is proved equal."""
    journal_messages: int = 0
    """Recent messages kept for members that missed them."""
    journal_bytes: int = 0
    members: tuple[MemberStatus, ...] = ()
    """If we manage: the others, in the order of the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatus:
    """One redundancy group of ``show ip snat distributed``."""

    mode: str
    """``PRIMARY``, ``BACKUP``, ``PEER``: configured; ``ACTIVE``, ``STANDBY``, ``PREEMPTING``: by a module."""
    standing: str
    """``START``, ``LISTEN``, ``CLAIM`` or ``MANAGE``: see doc/design.md, roles."""
    state: str
    """``READY`` when synchronised, else ``CONVERGING``."""
    local_address: str
    local_nat_id: int
    mapping_ids: tuple[int, ...]
    why: str = ""
    """Why the role is not held, or not for long, in a sentence; empty when there is nothing to explain."""
    feeds: tuple[FeedStatus, ...] = ()
    links: tuple[LinkStatus, ...] = ()
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counters by subject, as the packages keep them: ``{"translate": {"hits": 12, ...}, ...}``."""

    counters: dict[str, dict[str, int]] = field(default_factory=dict)
