"""Address translation as it is configured: pools, rules, time-outs, limits, services (ios-cli.md 1.2-1.4)."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from typing import NamedTuple

NEVER = 0
"""Of a time-out: entries do not end by it (``never``)."""


class AddressRange(NamedTuple):
    """Addresses, both ends included."""

    start: IPv4Address
    end: IPv4Address


class PoolType(StrEnum):
    """``type match-host|rotary``."""

    GENERIC = "generic"
    MATCH_HOST = "match-host"
    ROTARY = "rotary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """``ip nat pool NAME START END prefix-length N``; ranges may stand below it instead."""

    name: str
    ranges: tuple[AddressRange, ...] = ()
    prefix_length: int
    as_netmask: bool = False
    """Entered as ``netmask``; the running configuration prints what was entered."""
    as_block: bool = False
    """Entered without addresses: they stand below it, any number of ranges."""
    kind: PoolType = PoolType.GENERIC
    add_route: bool = False


class RuleKind(StrEnum):
    """What a rule translates, in the words of its line."""

    INSIDE_SOURCE = "inside source"
    INSIDE_DESTINATION = "inside destination"
    OUTSIDE_SOURCE = "outside source"


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicRule:
    """``ip nat inside source {list L | route-map R} {pool P | interface IF} [...]`` and its like."""

    kind: RuleKind = RuleKind.INSIDE_SOURCE
    access_list: str = ""
    route_map: str = ""
    """Instead of a list."""
    pool: str = ""
    interface: str = ""
    """Instead of a pool: the address of this interface."""
    mapping_id: int = 0
    """0: entries are local to this device and never sent."""
    redundancy: str = ""
    """Of ``inside source list``: answer for the pool while this HSRP group is active."""
    reversible: bool = False
    overload: bool = False
    """Many inside hosts share an address."""
    extended: bool = False
    add_route: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRule:
    """``ip nat {inside|outside} source static ...``; ``local`` and ``global`` are the two addresses."""

    kind: RuleKind = RuleKind.INSIDE_SOURCE
    """Not INSIDE_DESTINATION."""
    protocol: str = ""
    """``tcp`` or ``udp``: one port; empty: the whole address, or network."""
    local: IPv4Address
    local_port: int = 0
    global_: IPv4Address | None = None
    """None: the address of ``interface``."""
    interface: str = ""
    global_port: int = 0
    prefix_length: int = 0
    """Of ``static network``; 0: one address."""
    as_netmask: bool = False
    mapping_id: int = 0
    redundancy: str = ""
    """Name of the HSRP group whose active router answers for the global address."""
    route_map: str = ""
    reversible: bool = False
    extendable: bool = False
    no_alias: bool = False
    no_payload: bool = False
    add_route: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """``ip nat translation ...-timeout``, seconds. Defaults satisfy RFC 4787, 5382 and 5508."""

    udp: int = 300
    tcp: int = 7440
    syn: int = 240
    closing: int = 240
    """Until both FINs are acknowledged, and after a RST (RFC 5382 REQ-5)."""
    finrst: int = 60
    icmp: int = 60
    other: int = 86400
    """``timeout``: all else."""
    dns: int = 60
    pptp: int = 86400
    routemap_entry: int = 3600
    arp_ping: int = 60


class PortTimeout(NamedTuple):
    """``ip nat translation port-timeout tcp|udp PORT SECONDS``."""

    protocol: str
    port: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``ip nat translation max-entries``: entries at most; 0: no limit."""

    total: int = 0
    all_host: int = 0
    hosts: tuple[tuple[IPv4Address, int], ...] = ()
    """Of single inside hosts."""
    lists: tuple[tuple[str, int], ...] = ()
    """Of each host that an access list permits."""


class Filtering(StrEnum):
    """``ip nat filtering``: who may send to a mapped inside endpoint (RFC 4787 section 5)."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-port-dependent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """``ip nat service NAME [tcp|udp] [port N]``: a gateway for a protocol that carries addresses."""

    name: str
    protocol: str = ""
    port: int = 0
    """0: the protocol's own."""
    access_list: str = ""
    """Of ``ip nat service list L``: only for these hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """What is said once for all translation."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    port_timeouts: tuple[PortTimeout, ...] = ()
    limits: Limits = field(default_factory=Limits)
    filtering: Filtering = Filtering.ADDRESS_DEPENDENT
    paired: bool = True
    """``ip nat settings pap``: a host whose address has no port left gets none of another (RFC 7857, 4)."""
    log_translations: bool = False
    log_bind_only: bool = False
    services: tuple[Service, ...] = ()
    """Switched on."""
    no_services: tuple[Service, ...] = ()
    """Switched off, although on by default."""
    fullrange: tuple[Service, ...] = ()
    """``ip nat service fullrange``: ports whose low numbers may map to any free port."""
    flow_entries: bool = True
    """``ip nat create flow-entries``: an entry for every flow, not only for every inside endpoint."""
    http_switchover: bool = True
    """``ip nat switchover replication http``: short web connections are shared with members too."""
    http_ports: tuple[int, ...] = ()
    """Of these ports besides 80."""
    tun_offload: bool = True
    """``ip nat tun offload``: the kernel may hand over super-packets."""
    tun_queue: int = 4000
    """``ip nat tun queue-length``: packets that wait for us in the kernel."""
