"""Action items (631 in Fig. 6): ``action 1 | flags 1 | data length 2 | data``, big-endian.

Changes of entries carry records (:mod:`snat.nat.entry`): *add* and *update* a whole one, *delete* its
reference, *delete-all* nothing. They are decoded in bulk, because they are nearly all the traffic there is: :func:`changes` makes
no object per field. Everything else is a :class:`typing.NamedTuple` whose fields, in order, are its layout.
"""

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum, IntFlag
from typing import Any, Final, NamedTuple, TypeVar, cast

from snat.nat.entry import LOCAL_NAT_ID, MAPPING, MAXIMUM_SIZE, NAT_ID, PLAIN_SIZE, REFERENCE_SIZE
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import Feed, Position, Term

ITEM: Final = struct.Struct("!BBH")
MAXIMUM_REASON: Final = 200
"""Bytes of an error's text; more than any sentence of ours."""


class Action(IntEnum):
    """What an item asks for (608). 16 is reserved: hint."""

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
    TERM = 17


class ItemFlag(IntFlag):
    """Bits of an item's flags."""

    FORMAT = 0x0F
    """Record format of a change: 0 IPv4, 1 reserved for IPv6."""
    OPTIONAL = 0x80
    """A receiver that does not know the action ignores the item."""


class Role(IntEnum):
    """What a device is in a unit by its configuration."""

    PRIMARY = 1
    BACKUP = 2


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


class RoleChange(NamedTuple):
    """The sender's standing in a unit."""

    feed: Feed
    role: int
    standing: int
    term: Term


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
    position: Position
    """Where the requester stands: RESUME goes on from there."""
    owner: int = 0
    """PULL: only entries that this device made; 0: any."""
    inside: int = 0
    """PULL: only entries of inside hosts in this network, of this prefix length."""
    prefix_length: int = 0


class DumpBegin(NamedTuple):
    """The dump's slices follow, as unnumbered adds, between the feed's live changes."""

    number: int
    feed: Feed
    kind: int
    position: Position


class DumpEnd(NamedTuple):
    """All of it was sent. FEED: after ``position`` the feed has this count and digest. PULL: so many entries
    were sent, with this digest."""

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
    | Released
    | RoleChange
    | TermBegin
    | Unavailable
)

T = TypeVar("T")
_FEED, _POSITION = "II", "IIQ"
AUTHENTICATE: Final = struct.Struct("!IIQIIIH")
UNIT: Final = struct.Struct("!" + _FEED + _POSITION + "BBHQH")
APPLIED: Final = struct.Struct("!" + _FEED + _POSITION)
ERROR: Final = struct.Struct("!H" + _FEED + "IIB")
"""And then the entry, of the length that the last byte says, and the reason."""
LAYOUTS: Final[dict[Action, tuple[type[Any], struct.Struct]]] = {
    Action.DIGEST: (Digest, struct.Struct("!" + _FEED + _POSITION + "IQ")),
    Action.TERM: (TermBegin, struct.Struct("!" + _FEED + "II" + _POSITION)),
    Action.UNAVAILABLE: (Unavailable, struct.Struct("!" + _FEED + _POSITION + "IQB")),
    Action.ROLE: (RoleChange, struct.Struct("!" + _FEED + "BBII")),
    Action.CLAIM: (Claim, struct.Struct("!" + _FEED + _POSITION)),
    Action.RELEASED: (Released, struct.Struct("!" + _FEED + _POSITION + "IQ")),
    Action.DUMP_REQUEST: (DumpRequest, struct.Struct("!I" + _FEED + "B" + _POSITION + "IIB")),
    Action.DUMP_BEGIN: (DumpBegin, struct.Struct("!I" + _FEED + "B" + _POSITION)),
    Action.DUMP_END: (DumpEnd, struct.Struct("!I" + _FEED + _POSITION + "IQ")),
}
"""Items of one fixed layout: the class whose fields it fills, in order."""
_ACTIONS: Final = {kind: (action, layout) for action, (kind, layout) in LAYOUTS.items()}

ADD_PLAIN: Final = ITEM.pack(Action.ADD, 0, PLAIN_SIZE)
"""The item header of an entry without context."""
_PLAIN_ITEM: Final = ITEM.size + PLAIN_SIZE
_PLAIN_CHECK: Final = struct.Struct(f"!4s 4s8x4s {PLAIN_SIZE - 16}x".replace(" ", ""))
_PLAIN_RECORD: Final = struct.Struct(f"!4x{PLAIN_SIZE}s")
_CHANGE_SIZES: Final = {
    Action.ADD: range(PLAIN_SIZE, MAXIMUM_SIZE + 1),
    Action.UPDATE: range(PLAIN_SIZE, MAXIMUM_SIZE + 1),
    Action.DELETE: range(REFERENCE_SIZE, REFERENCE_SIZE + 1),
    Action.DELETE_ALL: range(1),
}
CHANGES: Final = frozenset(_CHANGE_SIZES)
"""The actions that change entries; no other item shares a message with them."""

Run = tuple[Action, list[bytes]]
"""Consecutive items of one action, with their records or references."""


def item(action: Action, data: bytes, flags: int = 0) -> bytes:
    """One action item."""
    return ITEM.pack(action, flags, len(data)) + data


def control(value: NamedTuple) -> bytes:
    """The item of a :class:`NamedTuple` with a fixed layout."""
    action, layout = _ACTIONS[type(value)]
    return item(action, layout.pack(*_flat(value)))


def authenticate(value: Authenticate, units: Sequence[Unit]) -> bytes:
    """The authenticate item: the identity, then a unit for each feed the sender is a member of."""
    data = AUTHENTICATE.pack(*value) + b"".join(UNIT.pack(*_flat(unit)) for unit in units)
    return item(Action.AUTHENTICATE, data)


def keepalive(applied: Sequence[Applied]) -> bytes:
    """The keepalive item: how far the sender has applied each feed."""
    return item(Action.KEEPALIVE, b"".join(APPLIED.pack(*_flat(one)) for one in applied))


def error(value: Error) -> bytes:
    """The error item; its text is cut to MAXIMUM_REASON bytes."""
    fixed = ERROR.pack(value.code, *value.feed, *value.term, len(value.entry))
    return item(Action.ERROR, fixed + value.entry + value.reason.encode()[:MAXIMUM_REASON])


def items(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Action, flags and data of every item. Raises WireError MALFORMED where a length lies."""
    offset, end = 0, len(body)
    while offset < end:
        if end - offset < ITEM.size:
            raise WireError(ErrorCode.MALFORMED, f"{end - offset} bytes after the last item")
        action, flags, length = ITEM.unpack_from(body, offset)
        offset += ITEM.size
        if length > end - offset:
            raise WireError(ErrorCode.MALFORMED, f"item of {length} bytes with {end - offset} left")
        yield action, flags, body[offset : offset + length]
        offset += length


def changes(body: bytes, mapping_id: int) -> list[Run]:
    """The changes of one message of the feed ``mapping_id``, in order, in runs of one action.

    Raises WireError for anything else: the message is good as a whole or not at all. A message of plain
    adds, the common one by far, is checked and cut by two passes in C.
    """
    mapping = mapping_id.to_bytes(4, "big")
    if len(body) % _PLAIN_ITEM == 0 and body[:4] == ADD_PLAIN:
        heads = set(_PLAIN_CHECK.iter_unpack(body))
        if all(head == ADD_PLAIN for head, _, _ in heads):
            for _, nat_id, of in heads:
                _check_owner(nat_id, of, mapping)
            return [(Action.ADD, [record for (record,) in _PLAIN_RECORD.iter_unpack(body)])]
    runs: list[Run] = []
    for code, flags, data in items(body):
        action = _check_change(code, flags, data)
        if action is None:
            continue
        if data:
            _check_owner(data[NAT_ID], data[MAPPING], mapping)
        if not runs or runs[-1][0] is not action:
            runs.append((action, []))
        runs[-1][1].append(data)
    return runs


def controls(body: bytes) -> list[Control | tuple[Authenticate, list[Unit]]]:
    """The items of an unnumbered message without changes, in order; unknown optional ones left out.

    Raises WireError MALFORMED for a data length that is not the layout's, UNKNOWN_ACTION for an unknown
    mandatory item.
    """
    found: list[Control | tuple[Authenticate, list[Unit]]] = []
    for code, flags, data in items(body):
        if code in LAYOUTS:
            kind, layout = LAYOUTS[Action(code)]
            found.append(_fixed(kind, layout, data))
        elif code == Action.KEEPALIVE:
            found += _repeated(Applied, APPLIED, data)
        elif code == Action.AUTHENTICATE:
            found.append(_authenticate(data))
        elif code == Action.ERROR:
            found.append(_error(data))
        elif not flags & ItemFlag.OPTIONAL:
            raise WireError(ErrorCode.UNKNOWN_ACTION, f"unknown mandatory action {code}")
    return found


def first_action(body: bytes) -> int:
    """The action of the first item; 0 of an empty message."""
    return body[0] if body else 0


def _check_change(code: int, flags: int, data: bytes) -> Action | None:
    """The action of a change; None for an unknown optional item."""
    sizes = _CHANGE_SIZES.get(cast("Action", code))
    if sizes is None:
        if flags & ItemFlag.OPTIONAL:
            return None
        raise WireError(ErrorCode.UNKNOWN_ACTION, f"action {code} among changes")
    if flags & ItemFlag.FORMAT:
        raise WireError(ErrorCode.MALFORMED, f"record format {flags & ItemFlag.FORMAT} was not agreed")
    if len(data) not in sizes:
        raise WireError(ErrorCode.MALFORMED, f"{Action(code).name.lower()} of {len(data)} bytes")
    return Action(code)


def _check_owner(nat_id: bytes, mapping: bytes, wanted: bytes) -> None:
    if int.from_bytes(nat_id, "big") == LOCAL_NAT_ID:
        raise WireError(ErrorCode.MALFORMED, "an entry without NAT ID is local and never sent")
    if mapping != wanted:
        raise WireError(
            ErrorCode.MALFORMED, f"entry of mapping {int.from_bytes(mapping, 'big')} in another feed"
        )


def _flat(value: tuple[Any, ...]) -> Iterator[Any]:
    for field in value:
        if isinstance(field, tuple):
            yield from _flat(field)
        else:
            yield field


def _build(kind: type[T], fields: Iterator[Any]) -> T:
    """A NamedTuple, nested ones included, from its flat fields."""
    return kind(*(next(fields) if of is int else _build(of, fields) for of in kind.__annotations__.values()))


def _fixed(kind: type[T], layout: struct.Struct, data: bytes) -> T:
    if len(data) != layout.size:
        raise WireError(ErrorCode.MALFORMED, f"{kind.__name__} of {len(data)} bytes; {layout.size} expected")
    return _build(kind, iter(layout.unpack(data)))


def _repeated(kind: type[T], layout: struct.Struct, data: bytes) -> list[T]:
    if len(data) % layout.size:
        raise WireError(ErrorCode.MALFORMED, f"{len(data)} bytes are no number of {kind.__name__}")
    return [_build(kind, iter(fields)) for fields in layout.iter_unpack(data)]


def _authenticate(data: bytes) -> tuple[Authenticate, list[Unit]]:
    if len(data) < AUTHENTICATE.size:
        raise WireError(ErrorCode.MALFORMED, f"authenticate of {len(data)} bytes")
    units = _repeated(Unit, UNIT, data[AUTHENTICATE.size :])
    return Authenticate(*AUTHENTICATE.unpack_from(data)), units


def _error(data: bytes) -> Error:
    length = data[ERROR.size - 1] if len(data) >= ERROR.size else 0
    text_at = ERROR.size + length
    if length not in (0, REFERENCE_SIZE) or not text_at <= len(data) <= text_at + MAXIMUM_REASON:
        raise WireError(ErrorCode.MALFORMED, f"error of {len(data)} bytes")
    code, process_id, mapping_id, number, nat_id, _ = ERROR.unpack_from(data)
    text = data[text_at:].decode("utf-8", "replace")
    reason = "".join(one if one.isprintable() else "?" for one in text)  # it goes to logs and terminals
    return Error(code, Feed(process_id, mapping_id), Term(number, nat_id), reason, data[ERROR.size : text_at])
