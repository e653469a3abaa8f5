"""What the shell shows of the system around the device: clock, program, users, processor, start-up file."""

from dataclasses import dataclass

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
    """Why it is in Init: ``interface down``."""
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
