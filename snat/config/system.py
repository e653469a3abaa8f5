"""The router as a system: its log, its lines, its banners, its secret."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address
from typing import Final

DEFAULT_EXEC_TIMEOUT: Final = 600
"""Seconds without a command after which a session ends, where no line says otherwise."""
HIGHEST_LINE: Final = 63
"""Of ``line vty``: as many sessions as the control socket takes."""


class Level(IntEnum):
    """Severities of messages, as syslog and IOS number them."""

    EMERGENCIES = 0
    ALERTS = 1
    CRITICAL = 2
    ERRORS = 3
    WARNINGS = 4
    NOTIFICATIONS = 5
    INFORMATIONAL = 6
    DEBUGGING = 7


class StampKind(StrEnum):
    """``service timestamps log|debug ...``."""

    DATETIME = "datetime"
    UPTIME = "uptime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """How messages are dated."""

    kind: StampKind = StampKind.DATETIME
    milliseconds: bool = False
    localtime: bool = False
    show_timezone: bool = False


DEFAULT_STAMP = Stamp(milliseconds=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """``logging ...``: the least severe level that goes to each place; None: nothing does."""

    on: bool = True
    console: Level | None = Level.DEBUGGING
    """The daemon's own log."""
    monitor: Level | None = Level.DEBUGGING
    """Sessions that said ``terminal monitor``."""
    buffered: Level | None = Level.DEBUGGING
    buffer_size: int = 65536
    """Bytes."""
    trap: Level | None = Level.INFORMATIONAL
    """The hosts."""
    hosts: tuple[IPv4Address, ...] = ()
    facility: str = "local7"
    log_stamp: Stamp | None = DEFAULT_STAMP
    """None: ``no service timestamps log``."""
    debug_stamp: Stamp | None = DEFAULT_STAMP
    sequence_numbers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """``line console 0`` or ``line vty 0 4``: the sessions that these numbers have."""

    kind: str
    """``console`` or ``vty``."""
    first: int
    last: int
    exec_timeout: int = DEFAULT_EXEC_TIMEOUT
    """Seconds without a command after which a session ends; 0: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Banners:
    """``banner motd|login|exec``: text, of any number of lines."""

    motd: str = ""
    login: str = ""
    exec: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Everything about the router but its packets."""

    enable_secret: str = ""
    """Hashed: ``8 $8$salt$hash`` (PBKDF2) or ``9 $9$...`` (scrypt) as IOS writes them."""
    logging: Logging = Logging()
    lines: tuple[Line, ...] = ()
    banners: Banners = Banners()

    def exec_timeout(self, number: int) -> int:
        """Seconds without a command after which the session of a line vty ends; 0: never."""
        for line in self.lines:
            if line.kind == "vty" and line.first <= number <= line.last:
                return line.exec_timeout
        return DEFAULT_EXEC_TIMEOUT
