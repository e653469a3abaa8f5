"""What the shell shows of the system around the device: clock, program, users, processor, start-up file."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from snat.config.interface import StandbyGroup
from snat.config.system import Logging


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A moment of the wall clock, and how far the clock can be believed."""

    seconds: float
    """Since 1970, UTC."""
    zone: str = "UTC"
    """Name of the local time zone at that moment."""
    offset: int = 0
    """Seconds that local time is ahead of UTC."""
    synchronised: bool = False
    """Whether the kernel says that something (NTP) keeps its clock right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """When the running configuration was changed, or stored, and by whom."""

    at: Clock
    user: str
    """Empty: the account is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """``show version``."""

    version: str
    hostname: str
    uptime: float
    """Seconds since the daemon began."""
    reload_reason: str
    """``Reload Command`` after ``reload``; empty: the daemon was started from outside."""
    image: str
    """The package that runs, with its version."""
    board: int
    """A number of this machine, derived from its machine ID; 0: it has none."""
    interfaces: int
    """Interfaces in the configuration."""
    kernel: str
    python: str
    twisted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A session of the control socket."""

    line: int
    """Of ``line vty``."""
    user: str
    idle: float
    """Seconds since its last request."""
    location: str = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorTime:
    """What a thread, or all of them, used of one processor lately. Percent."""

    five_seconds: float
    one_minute: float
    five_minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread of the daemon."""

    number: int
    name: str
    milliseconds: int
    """Of a processor, since it began."""
    switches: int
    """How often it was given a processor."""
    use: ProcessorTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """``show processes cpu``."""

    use: ProcessorTime
    system: float
    """Percent of the last five seconds that the kernel worked for the daemon."""
    threads: tuple[Thread, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """``show processes memory``. Bytes."""

    total: int
    """Of this machine."""
    available: int
    """For more, of this machine."""
    process: int
    """Number of the daemon's process."""
    resident: int
    """What the daemon has."""
    peak: int
    """The most it ever had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """``show hosts``: how this machine resolves names."""

    domain: str
    """Empty: none is set."""
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupText:
    """The start-up configuration, as it is in its file."""

    path: str
    text: str
    capacity: int
    """The longest file that is read. Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReload:
    """A restart that was ordered for later."""

    at: Clock
    seconds_left: float
    user: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyRouter:
    """The active or the standby router of an HSRP group, as this one knows it."""

    address: str = ""
    """Empty: unknown. ``local``: this router."""
    priority: int = 0
    mac_address: bytes = b""
    expires: float = 0.0
    """Seconds until it is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyTrack:
    """What a group tracks, and whether it is up; None: there is no such thing."""

    target: str
    up: bool | None
    decrement: int
    shutdown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyStatus:
    """One HSRP group of an interface (``show standby``); times are seconds."""

    interface: str
    version: int
    group: StandbyGroup
    """As configured."""
    state: str
    """``Init``, ``Learn``, ``Listen``, ``Speak``, ``Standby``, ``Active`` or ``Disabled``."""
    why: str = ""
    """Why it is in Init, keeps to Listen or does not preempt: ``interface down``, ``not synchronised``."""
    changes: int = 0
    changed: float = 0.0
    """Since the last change of state."""
    address: str = ""
    """The virtual one, configured or learnt; empty: unknown."""
    mac_address: bytes = b""
    """Virtual, of this group; of the version unless configured."""
    next_hello: float | None = None
    """None: it sends none."""
    active: StandbyRouter = StandbyRouter()
    standby: StandbyRouter = StandbyRouter()
    priority: int = 100
    """What is left of the configured one."""
    tracks: tuple[StandbyTrack, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressStatus:
    """An IPv4 address of an interface."""

    address: IPv4Interface
    secondary: bool = False
    configured: bool = True
    """Whether ``ip address`` set it; if not, others did (``ip``, DHCP)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceCounters:
    """What an interface counted since it was made."""

    packets_in: int = 0
    bytes_in: int = 0
    errors_in: int = 0
    drops_in: int = 0
    multicast_in: int = 0
    crc: int = 0
    frame: int = 0
    overrun: int = 0
    missed: int = 0
    """Packets for which there was no buffer."""
    runts_and_giants: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    errors_out: int = 0
    drops_out: int = 0
    collisions: int = 0
    underruns: int = 0
    lost_carrier: int = 0
    resets: int = 0
    """How often its link went down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceStatus:
    """One network interface (``show interfaces``, ``show ip interface``)."""

    name: str
    description: str = ""
    hardware: str
    """The driver's name or the kind of link: ``veth``, ``ether``, ``loopback``."""
    addresses: tuple[AddressStatus, ...] = ()
    """The one it speaks from first."""
    up: bool
    """Administratively: not ``shutdown``."""
    line_protocol: bool
    """Whether packets pass."""
    mtu: int
    mac_address: bytes = b""
    """Empty: links of this kind have none."""
    queue: int = 0
    """Packets that may wait to leave."""
    megabits: int | None = None
    """Per second; None: the driver does not know."""
    full_duplex: bool | None = None
    """None: the driver does not know."""
    side: str = ""
    """``inside`` or ``outside``; empty: it is not translated."""
    adjust_mss: int = 0
    """Bytes; 0: the MSS is left alone."""
    counters: InterfaceCounters = InterfaceCounters()


@dataclass(frozen=True, slots=True, kw_only=True)
class HopStatus:
    """Where a route leads next."""

    interface: str
    gateway: IPv4Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStatus:
    """A route of the main table, connected or static (``show ip route``)."""

    prefix: IPv4Network
    connected: bool
    distance: int = 0
    """Of static routes: 1, unless ``ip route`` says another."""
    metric: int = 0
    """The kernel's, of routes that others set: the least is used."""
    hops: tuple[HopStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpStatus:
    """What is known of who has an address (``show arp``)."""

    address: IPv4Address
    minutes: int | None = None
    """Since it was last confirmed; None: it is an address of this router."""
    mac_address: bytes = b""
    """Empty: nobody has answered yet."""
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHost:
    """A host that messages are sent to."""

    address: str
    port: int
    sent: int
    dropped: int
    """Messages that this machine could not send; what is lost on the way nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """``show logging``: where messages go, and how many went there."""

    settings: Logging
    console: int
    monitor: int
    buffered: int
    trap: int
    dropped: int
    """Times that a session or a host did not get a message."""
    rate_limited: int
    """Messages that were not even made, because there were too many."""
    hosts: tuple[LogHost, ...]
    lines: tuple[str, ...]
    """The buffer, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugStatus:
    """What is debugged."""

    nat: bool = False
    nat_detailed: bool = False
    nat_list: str = ""
    """Only packets that this access list permits; empty: all."""
    snat: bool = False
    snat_detailed: bool = False
