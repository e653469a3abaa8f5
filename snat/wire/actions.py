"""What action items (631 in Fig. 6) say, as values; :mod:`snat.wire.items` has their bytes.

Everything but the changes of entries, which are records (:mod:`snat.nat.entry`), is a
:class:`typing.NamedTuple` whose fields, in order, are its layout.
"""

from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

from snat.wire.header import Feed, Position, Term

MAXIMUM_REASON: Final = 200
"""Bytes of an error's text; more than any sentence of ours."""
MAXIMUM_HEARD: Final = 1024
"""NAT IDs in a *hears*: more members than any group has."""


class Action(IntEnum):
    """What an item asks for (608)."""

    AUTHENTICATE = 1
    ADD = 2
    UPDATE = 3
    DELETE = 4
    DELETE_ALL = 5
    UNAVAILABLE = 6
    ERROR = 7
    DUMP_REQUEST = 8
    DUMP_BEGIN = 9
    DUMP_END = 10
    KEEPALIVE = 11
    DIGEST = 12
    ROLE = 13
    CLAIM = 14
    RELEASED = 15
    HINT = 16
    TERM = 17
    HAD = 18
    HEARS = 19
    PROMPT = 20


class ItemFlag(IntFlag):
    """Bits of an item's flags."""

    FORMAT = 0x0F
    """Record format of a change: 0 IPv4, 1 reserved for IPv6."""
    OPTIONAL = 0x80
    """A receiver that does not know the action ignores the item."""


class Role(IntEnum):
    """What a device is in a unit by its configuration, or by the word of its IP redundancy module."""

    PRIMARY = 1
    BACKUP = 2
    ACTIVE = 3
    """By the word of its IP redundancy module, now (Fig. 2B)."""
    STANDBY = 4
    PREEMPTING = 5
    """Its module makes it active as soon as it manages: a planned handover."""


class Standing(IntEnum):
    """Where a device is in a unit; the states of :mod:`snat.redundancy.roles`."""

    START = 1
    """Unsynchronised: vouches for nothing, claims nothing."""
    LISTEN = 2
    """Synchronised, and another manages or nobody does."""
    CLAIM = 3
    """Has asked the manager to release the role."""
    MANAGE = 4


class Capability(IntFlag):
    """Bits of authenticate: what a device can do beyond the least; both sides use what both have."""

    RESUME = 1
    """Serves a dump-request of kind RESUME out of its journal."""


class Seen(IntFlag):
    """Bits of a hint: of a TCP segment what its flags do not say."""

    FROM_OUTSIDE = 1
    DATA = 2
    """It carries some."""


class UnitOption(IntFlag):
    """Bits of a unit's options."""

    PERIODIC = 1
    """The sender asks for changes now and then, and wants none in between."""


class DumpKind(IntEnum):
    """What a dump-request asks for."""

    FEED = 1
    """All entries, of the manager; what it does not have, disappears."""
    RESUME = 2
    """What the manager changed since a position, if its journal has that; otherwise as FEED."""
    PULL = 3
    """All or selected entries, of anybody whose table is whole; to be merged, never swept."""


class Unit(NamedTuple):
    """A unit of management, as authenticate presents it."""

    feed: Feed
    applied: Position
    role: int
    standing: int
    slots: int
    """Bit n: allocates ports of slot n (design section 8)."""
    configuration: int
    """Hash of the rules, pools and time-outs of the mapping; a difference is an alarm."""
    options: int = 0
    """Bits of UnitOption."""


class Authenticate(NamedTuple):
    """Who the sender is; the first message of either side."""

    nat_id: int
    incarnation: int
    run: int
    """Chosen at random by each process: tells two runs apart that claim one incarnation."""
    keepalive: int
    """Milliseconds between the sender's keepalives."""
    maximum_message: int
    """Bytes of the longest message the sender takes."""
    capabilities: int
    """Bits of Capability."""
    record_formats: int
    """Bit n: understands record format n."""


class Applied(NamedTuple):
    """How far the sender has applied a feed; keepalive carries any number."""

    feed: Feed
    position: Position


class Hears(NamedTuple):
    """Whom the sender hears: it is lost to a member only when no connected member hears it (Fig. 2C)."""

    nat_ids: tuple[int, ...]
    """At most MAXIMUM_HEARD."""


class Prompt(NamedTuple):
    """Asks for a keepalive now: how far the receiver is, once it has applied what came before this."""


class Digest(NamedTuple):
    """The manager's statement of a feed at a sequence; what members compare themselves with."""

    feed: Feed
    position: Position
    count: int  # type: ignore[assignment]  # hides tuple.count
    digest: int


class TermBegin(NamedTuple):
    """A term began where the manager had applied the old one; who stands there stands in the new one."""

    feed: Feed
    term: Term
    base: Position


class Had(NamedTuple):
    """The manager's table has what led to ``position``: of a former term, or of a table it merged."""

    feed: Feed
    position: Position


class RoleChange(NamedTuple):
    """The sender's standing in a unit."""

    feed: Feed
    role: int
    standing: int
    term: Term


class Hint(NamedTuple):
    """The sender translates by an entry that the receiver manages: it is used, and what changes its state."""

    entry: bytes
    """Its reference."""
    seen: int
    """Bits of Seen, of the TCP segment that this is about."""
    flags: int
    """Of that segment; 0: about none, the entry is only used."""
    after: int
    """The sequence number that follows it."""
    acknowledged: int


class Claim(NamedTuple):
    """The sender, synchronised at ``position``, asks the manager for the role."""

    feed: Feed
    position: Position


class Released(NamedTuple):
    """The manager has stopped at ``position``; whoever claimed may take the next term."""

    feed: Feed
    position: Position
    count: int  # type: ignore[assignment]  # hides tuple.count
    digest: int


class Unavailable(NamedTuple):
    """The sender leaves the unit after ``position``: whoever follows need not wait for its silence."""

    feed: Feed
    position: Position
    count: int  # type: ignore[assignment]  # hides tuple.count
    digest: int
    keep: int
    """1: its entries go on under another manager; 0: they are to be deleted."""


class DumpRequest(NamedTuple):
    """Asks for entries of a feed."""

    number: int
    """Chosen by the requester; names the dump."""
    feed: Feed
    kind: int
    """One of DumpKind."""
    position: Position
    """Where the requester stands: RESUME goes on from there."""
    owner: int = 0
    """PULL: only entries that this device made; 0: any."""
    inside: int = 0
    """PULL: only entries of inside hosts in this network; bits beyond its length do not count."""
    prefix_length: int = 0
    """0 to 32."""


class DumpBegin(NamedTuple):
    """The dump's slices follow, as unnumbered adds, between the feed's live changes."""

    number: int
    feed: Feed
    kind: int
    """FEED or PULL: RESUME is answered by the messages themselves, or as FEED."""
    position: Position


class DumpEnd(NamedTuple):
    """All of it was sent.

    FEED: after ``position`` the feed has this count and digest. PULL: so many entries were sent, with this
    digest.
    """

    number: int
    feed: Feed
    position: Position
    count: int  # type: ignore[assignment]  # hides tuple.count
    digest: int


class Error(NamedTuple):
    """Why something was refused; ``reason`` is text for a log."""

    code: int
    feed: Feed
    term: Term
    """The term in force, where the code is OLD_TERM."""
    reason: str = ""
    entry: bytes = b""
    """Reference of the one entry that it is about, if it is (Fig. 4A: the action of a queue entry)."""


Control = (
    Applied
    | Authenticate
    | Claim
    | Digest
    | DumpBegin
    | DumpEnd
    | DumpRequest
    | Error
    | Had
    | Hears
    | Hint
    | Prompt
    | Released
    | RoleChange
    | TermBegin
    | Unavailable
)
