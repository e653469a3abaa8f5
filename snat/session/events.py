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
    """The transport may send what it holds; otherwise it is aborted."""


Event = Established | Received | Closed
