"""What a session tells its caller, who drains them after each call."""

from dataclasses import dataclass

from snat.wire.actions import Authenticate, Unit
from snat.wire.errors import ErrorCode
from snat.wire.header import Message


@dataclass(frozen=True, slots=True)
class Established:
    """The neighbor has authenticated itself."""

    hello: Authenticate
    units: list[Unit]


@dataclass(frozen=True, slots=True)
class Received:
    """A message on an established link; its items are not yet looked at."""

    message: Message


@dataclass(frozen=True, slots=True)
class Closed:
    """The link is over."""

    code: ErrorCode
    reason: str
    """For the log: what was wrong, and on which side."""
    orderly: bool = False
    """Nobody's fault: the device stops, or a newer link took this one's place."""


Event = Established | Received | Closed
