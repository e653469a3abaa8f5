"""What the router tells of itself beyond its device, as frozen data: ``show`` renders them, or ``| json``."""

from dataclasses import dataclass

from snat.config.interface import StandbyGroup


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
