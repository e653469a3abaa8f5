"""What a device asks of the world, drained by its caller *before* any byte of it is sent."""

from dataclasses import dataclass, field
from typing import Any

from snat.config.model import Group
from snat.device.links import Link
from snat.wire.header import Feed, Term


@dataclass(frozen=True, slots=True)
class TermTaken:
    """A term of this device; to be stored, for good, before it is announced."""

    feed: Feed
    term: Term


@dataclass(frozen=True, slots=True)
class RoleTaken:
    """This device manages the group now: claim its addresses."""

    group: Group


@dataclass(frozen=True, slots=True)
class RoleLeft:
    """This device no longer manages the group: withdraw its addresses."""

    group: Group


@dataclass(frozen=True, slots=True, eq=False)
class LinkClosed:
    """The session of a link is over: end its transport."""

    link: Link


@dataclass(frozen=True, slots=True)
class IncarnationRefused:
    """A neighbor saw another run under our incarnation: take a new one, stored before it is used."""

    incarnation: int
    """Which it refused: if another was taken since, that is done."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something for the log: a format with named fields, as twisted.logger takes it."""

    text: str
    fields: dict[str, Any] = field(default_factory=dict)
    alarm: bool = False
    repeats: bool = False
    """A neighbor can cause it again and again: the log says it once in a while."""
    mnemonic: str = ""
    """What messages of this kind are called, with their severity: ``SNAT-5-PROCESS``."""


DeviceEvent = TermTaken | RoleTaken | RoleLeft | LinkClosed | IncarnationRefused | Noted
