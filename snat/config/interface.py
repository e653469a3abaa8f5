"""Interfaces, their HSRP groups, tracked objects and routes (ios-cli.md 1.4-1.6)."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import NamedTuple

HIGHEST_DISTANCE = 255


class Side(StrEnum):
    """Which realm an interface faces (``ip nat inside|outside``)."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class AuthenticationKind(StrEnum):
    """How HSRP messages are proved."""

    TEXT = "text"
    KEY_STRING = "md5 key-string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """``standby G authentication ...``."""

    kind: AuthenticationKind = AuthenticationKind.TEXT
    key: str
    timeout: int = 0
    """Seconds that an old MD5 key is accepted; 0: not."""


class Track(NamedTuple):
    """``standby G track OBJECT|INTERFACE ...``: what lowers the priority while it is down."""

    target: str
    """The number of an object, or the name of an interface."""
    decrement: int = 10
    shutdown: bool = False
    """Instead: the group is disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyGroup:
    """The ``standby G ...`` lines of one group of an interface; times are seconds."""

    number: int
    enabled: bool = False
    """Whether there is an ``ip`` line."""
    address: IPv4Address | None = None
    """Virtual; None: learnt from the others."""
    secondary: tuple[IPv4Address, ...] = ()
    priority: int = 100
    preempt: bool = False
    preempt_minimum: int = 0
    preempt_reload: int = 0
    preempt_sync: int = 0
    hello: float = 3.0
    hold: float = 10.0
    authentication: Authentication | None = None
    name: str = ""
    """Empty: the default name."""
    mac_address: bytes = b""
    """Empty: that of the version and the group."""
    follow: str = ""
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """All ``standby`` lines of an interface; times are seconds."""

    version: int = 1
    delay_minimum: int = 1
    delay_reload: int = 5
    mac_refresh: int = 10
    groups: tuple[StandbyGroup, ...] = ()


class InterfaceAddress(NamedTuple):
    """``ip address A.B.C.D MASK [secondary]``."""

    address: IPv4Interface
    secondary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """``interface NAME`` and what stands under it."""

    name: str
    description: str = ""
    addresses: tuple[InterfaceAddress, ...] = ()
    """The primary first. Addresses that others gave the interface are not touched."""
    side: Side | None = None
    unreachables: bool = True
    """``ip unreachables``: hosts on its side are told when their packets are dropped (RFC 5508 REQ-9)."""
    adjust_mss: int = 0
    """``ip tcp adjust-mss``: bytes; 0: off."""
    shutdown: bool | None = None
    """None: nothing is said; the interface is left as it is."""
    standby: Standby = Standby()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRoute:
    """``ip route PREFIX MASK {A.B.C.D | IF [A.B.C.D]} [DISTANCE] [name WORD]``."""

    prefix: IPv4Network
    next_hop: IPv4Address | None = None
    interface: str = ""
    distance: int = 1
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedObject:
    """``track N interface IF {line-protocol | ip routing}``."""

    number: int
    interface: str
    ip_routing: bool = False
    """Up only while the interface has an address too."""
