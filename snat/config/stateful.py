"""``ip nat Stateful id``: who shares the table with whom, and the files that prove it."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

DEFAULT_PORT = 15555
"""TCP port on which a device listens for its neighbors."""

DEFAULT_KEEPALIVE = 1.0
"""Seconds between two keepalives."""
DEFAULT_HOLD_TIME = 3.0
"""Seconds of silence after which a neighbor is lost."""

DEFAULT_RETAIN = 300
"""Seconds."""
ANY_ADDRESS = IPv4Address(0)
"""Of this device: all that it has."""
DEFAULT_MAXIMUM_BYTES = 16384
"""Bytes of a message of changes, header included: one TLS record."""


class ConfiguredRole(StrEnum):
    """The role a primary/backup block gives this device (Fig. 2A)."""

    PRIMARY = "primary"
    BACKUP = "backup"
    REDUNDANCY = "redundancy"
    """That of an HSRP group (Fig. 2B)."""
    PEERS = "peers"
    """All translate, each for its own flows (Fig. 2C)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """``peer A.B.C.D nat-id N name r2.example [port P]``: a neighbor and its identity."""

    address: IPv4Address
    nat_id: int
    name: str
    """The DNS name its certificate must carry, exactly."""
    port: int = DEFAULT_PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualAddress:
    """``virtual-address A.B.C.D interface IF``: the inside gateway address that follows the role."""

    address: IPv4Address
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalived:
    """``keepalived NAME fifo PATH track-file PATH``: the VRRP instance whose role a group follows."""

    instance: str
    fifo: str
    """Absolute path, also ``vrrp_notify_fifo`` in keepalived.conf."""
    track_file: str
    """Absolute path, also ``file`` in its ``vrrp_track_file``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A ``primary`` or ``backup`` block: the members that share one role (Fig. 2A)."""

    role: ConfiguredRole
    address: IPv4Address = ANY_ADDRESS
    """This device's own address, on which it listens and from which it dials."""
    name: str = ""
    """Of a ``redundancy`` block: the HSRP group whose role this is; a ``peers`` block may have one."""
    port: int = DEFAULT_PORT
    peers: tuple[Peer, ...] = ()
    mapping_ids: tuple[int, ...] = ()
    virtual_addresses: tuple[VirtualAddress, ...] = ()
    keepalive: float = DEFAULT_KEEPALIVE
    """Seconds between two keepalives."""
    hold_time: float = DEFAULT_HOLD_TIME
    """Seconds of silence after which a neighbor is lost."""
    maximum_entries: int = 0
    """Entries of a message of changes, at most; 0: as many as fit. (Fig. 6 has 10.)"""
    maximum_bytes: int = DEFAULT_MAXIMUM_BYTES
    """Bytes of a message of changes, header included; one entry leaves whole even if it alone is longer."""
    update_interval: float = 0.0
    """Seconds between two messages of changes; 0: a change leaves at once (``triggered``), where few do."""
    pull_interval: float = 0.0
    """Seconds after which a backup asks for changes; 0: it does not ask, it listens."""
    defer: bool = False
    """The first packet of a flow waits until the members have its entry (design section 7)."""
    retain: int = DEFAULT_RETAIN
    """Of ``peers``: seconds that the unused entries of a lost peer stay; 0: they go with it."""
    as_queuing: bool = True
    """Packets from outside wait a moment for the entry that another member is making."""
    udp: bool = False
    """``protocol udp``."""
    keepalived: Keepalived | None = None
    """Of a ``redundancy`` block: whose role this is, if no HSRP group's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stateful:
    """``ip nat Stateful id N``."""

    nat_id: int
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trustpoint:
    """``crypto pki trustpoint NAME``: the files this device proves itself with."""

    name: str
    ca_certificate: str = ""
    certificate: str = ""
    private_key: str = ""
    crl: str = ""
    """Optional: certificates that the authority has revoked."""
