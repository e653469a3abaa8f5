"""What a device tells of itself: frozen data that ``show`` renders and ``| json`` prints.

Imports nothing of ours, so that the shell may read it.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Endpoint(NamedTuple):
    """An address with a port; port 0 where the protocol has none, the identifier for ICMP queries."""

    address: str
    port: int


class Translation(NamedTuple):
    """One row of ``show ip nat translations``: an entry of the NAT table (Fig. 4B)."""

    protocol: int
    """IP protocol number."""
    inside_global: Endpoint
    inside_local: Endpoint
    outside_local: Endpoint | None
    """None for a simple entry, which names no outside host."""
    outside_global: Endpoint | None
    nat_id: int
    """The device that created the entry; 0: local."""
    number: int
    mapping_id: int
    state: str
    """``transitory``, ``established``, ``closing``, or ``open`` where the protocol has no states."""


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
    process_id: int
    mapping_ids: tuple[int, ...]
    state: str
    """``Idle``, ``Connect``, ``Establish`` or ``Close``."""
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    queued_bytes: int = 0
    needs_resync: bool = False
    last_refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """One feed: who manages it, how far it is, and whether it is proved equal."""

    process_id: int
    mapping_id: int
    manager_nat_id: int
    """0: nobody known."""
    term: int
    sequence: int
    entries: int
    digest: int
    synchronised: bool
    verified_age: float | None
    """Seconds since the digest last agreed with the manager's (or a member's, if we manage); None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatus:
    """One redundancy group of ``show ip snat distributed``."""

    mode: str
    """``PRIMARY`` or ``BACKUP``: the configured role."""
    standing: str
    """``START``, ``LISTEN``, ``CLAIM`` or ``MANAGE``: see doc/design.md, roles."""
    state: str
    """``READY`` when synchronised, else ``CONVERGING``."""
    local_address: str
    local_nat_id: int
    mapping_ids: tuple[int, ...]
    why: str = ""
    """Why the role is not held, in a sentence; empty when there is nothing to explain."""
    feeds: tuple[FeedStatus, ...] = ()
    links: tuple[LinkStatus, ...] = ()
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counters by subject, as the packages keep them: ``{"translate": {"hits": 12, ...}, ...}``."""

    counters: dict[str, dict[str, int]] = field(default_factory=dict)
