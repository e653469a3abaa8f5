"""What can be wrong with a message, as data: a peer's fault closes its link, it is never our exception."""

from enum import IntEnum


class ErrorCode(IntEnum):
    """Why a link was refused or an item not applied; travels in the action *error*."""

    MALFORMED = 1
    """Lengths or counts lie, or a field has no meaning."""
    UNAUTHENTICATED = 2
    """A message other than authenticate before authentication, or a header without the flag after it."""
    VERSION = 3
    IDENTITY = 4
    """The NAT ID is not the one of the certificate or of the configured neighbor."""
    INCARNATION = 5
    """The incarnation is one that was already seen to end."""
    UNKNOWN_ACTION = 6
    """A mandatory action that this version does not know."""
    NOT_MANAGED = 7
    """A change by a device that does not manage the entry's feed."""
    OLD_TERM = 8
    """A change or announcement of a term that is over."""
    NOT_SYNCHRONISED = 9
    """A dump was asked of a device that has nothing to vouch for."""
    UNKNOWN_FEED = 10
    """A feed that the receiver is no member of."""
    HOLD_TIME = 11
    """No byte for the hold time."""
    REPLACED = 12
    """A newer link of the same neighbor took this one's place."""
    STOPPED = 13
    """The device stops."""
    OVERLONG = 14
    """A length above the agreed limit."""
    COLLISION = 15
    """About an entry: another device's entry has its key. Both are kept; the lowest id leads."""
    PAST = 16
    """A message that was applied already. Written to the log, never sent."""


class WireError(Exception):
    """Bytes that are no message. Caught by the session, which closes the link with :attr:`code`."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
