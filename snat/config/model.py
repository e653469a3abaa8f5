"""The running configuration: what a router is told to be.

Every class is frozen, so a configuration can be compared, kept and applied whole. Names are those an
IOS user types; addresses are :class:`ipaddress.IPv4Address`, times are seconds. The parts are in the modules
beside this one, and can be had from here.
"""

from dataclasses import dataclass, field

from snat.config.access import AccessLine, AccessList, ListKind, Ports, RouteMap, RouteMapEntry
from snat.config.interface import (
    Authentication,
    AuthenticationKind,
    Interface,
    InterfaceAddress,
    Side,
    Standby,
    StandbyGroup,
    StaticRoute,
    Track,
    TrackedObject,
)
from snat.config.nat import (
    AddressRange,
    DynamicRule,
    Filtering,
    Limits,
    Nat,
    Pool,
    PoolType,
    PortTimeout,
    RuleKind,
    Service,
    StaticRule,
    Timeouts,
)
from snat.config.stateful import (
    DEFAULT_HOLD_TIME,
    DEFAULT_KEEPALIVE,
    DEFAULT_MAXIMUM_BYTES,
    DEFAULT_PORT,
    ConfiguredRole,
    Group,
    Peer,
    Stateful,
    Trustpoint,
    VirtualAddress,
)
from snat.config.system import Banners, Level, Line, Logging, Stamp, StampKind, System

__all__ = [
    "AccessLine",
    "AccessList",
    "AddressRange",
    "Authentication",
    "AuthenticationKind",
    "Banners",
    "Configuration",
    "ConfiguredRole",
    "DEFAULT_HOLD_TIME",
    "DEFAULT_KEEPALIVE",
    "DEFAULT_MAXIMUM_BYTES",
    "DEFAULT_PORT",
    "DynamicRule",
    "Filtering",
    "Group",
    "Interface",
    "InterfaceAddress",
    "Level",
    "Limits",
    "Line",
    "ListKind",
    "Logging",
    "Nat",
    "Peer",
    "Pool",
    "PoolType",
    "PortTimeout",
    "Ports",
    "RouteMap",
    "RouteMapEntry",
    "RuleKind",
    "Service",
    "Side",
    "Stamp",
    "StampKind",
    "Standby",
    "StandbyGroup",
    "Stateful",
    "StaticRoute",
    "StaticRule",
    "System",
    "Timeouts",
    "Track",
    "TrackedObject",
    "Trustpoint",
    "VirtualAddress",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All of a router's configuration."""

    hostname: str = "Router"
    system: System = field(default_factory=System)
    trustpoint: Trustpoint | None = None
    tracked: tuple[TrackedObject, ...] = ()
    stateful: Stateful | None = None
    interfaces: tuple[Interface, ...] = ()
    nat: Nat = field(default_factory=Nat)
    pools: tuple[Pool, ...] = ()
    dynamic_rules: tuple[DynamicRule, ...] = ()
    static_rules: tuple[StaticRule, ...] = ()
    routes: tuple[StaticRoute, ...] = ()
    access_lists: tuple[AccessList, ...] = ()
    route_maps: tuple[RouteMap, ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """The redundancy groups: the blocks of ``ip nat Stateful id``."""
        return self.stateful.groups if self.stateful is not None else ()
