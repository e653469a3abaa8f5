"""The bytes of action items: ``action 1 | flags 1 | data length 2 | data``, big-endian.

Changes of entries carry records (:mod:`snat.nat.entry`): *add* and *update* a whole one, *delete* its
reference, *delete-all* nothing. They are decoded in bulk, because they are nearly all the traffic there is:
:func:`changes` makes no object per field. What the other actions carry is declared in
:mod:`snat.wire.actions`.
"""

import struct
from collections.abc import Container, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final, NamedTuple, TypeVar

from snat.nat.entry import LOCAL_NAT_ID, MAPPING, MAXIMUM_SIZE, NAT_ID, PLAIN_SIZE, REFERENCE_SIZE
from snat.wire.actions import (
    MAXIMUM_HEARD,
    MAXIMUM_REASON,
    Action,
    Applied,
    Authenticate,
    Claim,
    Control,
    Digest,
    DumpBegin,
    DumpEnd,
    DumpKind,
    DumpRequest,
    Error,
    Had,
    Hears,
    Hint,
    ItemFlag,
    Prompt,
    Released,
    RoleChange,
    TermBegin,
    Unavailable,
    Unit,
)
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import Feed, Term

T = TypeVar("T")

ITEM: Final = struct.Struct("!BBH")
"""Action, flags, data length."""
_FEED, _POSITION = "II", "IIQ"
AUTHENTICATE: Final = struct.Struct("!IIQIIIH")
UNIT: Final = struct.Struct("!" + _FEED + _POSITION + "BBHQH")
APPLIED: Final = struct.Struct("!" + _FEED + _POSITION)
HINT: Final = struct.Struct(f"!{REFERENCE_SIZE}sBBII")
MAXIMUM_HINTS: Final = 256
"""In one item: about what a TLS record holds."""
ERROR: Final = struct.Struct("!H" + _FEED + "IIB")
"""And then the entry, of the length that the last byte says, and the reason."""
LAYOUTS: Final[dict[Action, tuple[type[Any], struct.Struct]]] = {
    Action.DIGEST: (Digest, struct.Struct("!" + _FEED + _POSITION + "IQ")),
    Action.TERM: (TermBegin, struct.Struct("!" + _FEED + "II" + _POSITION)),
    Action.HAD: (Had, struct.Struct("!" + _FEED + _POSITION)),
    Action.UNAVAILABLE: (Unavailable, struct.Struct("!" + _FEED + _POSITION + "IQB")),
    Action.ROLE: (RoleChange, struct.Struct("!" + _FEED + "BBII")),
    Action.CLAIM: (Claim, struct.Struct("!" + _FEED + _POSITION)),
    Action.RELEASED: (Released, struct.Struct("!" + _FEED + _POSITION + "IQ")),
    Action.DUMP_REQUEST: (DumpRequest, struct.Struct("!I" + _FEED + "B" + _POSITION + "IIB")),
    Action.DUMP_BEGIN: (DumpBegin, struct.Struct("!I" + _FEED + "B" + _POSITION)),
    Action.DUMP_END: (DumpEnd, struct.Struct("!I" + _FEED + _POSITION + "IQ")),
}
"""Items of one fixed layout: the class whose fields it fills, in order."""
_MEANT: Final[dict[type[Any], dict[str, Container[int]]]] = {
    DumpRequest: {"kind": tuple(DumpKind), "prefix_length": range(33)},
    DumpBegin: {"kind": (DumpKind.FEED, DumpKind.PULL)},
    Unavailable: {"keep": range(2)},
}
"""Values that have a meaning, of fields that could be misunderstood."""
_ACTIONS: Final = {kind: (action, layout) for action, (kind, layout) in LAYOUTS.items()}

ADD_PLAIN: Final = ITEM.pack(Action.ADD, 0, PLAIN_SIZE)
"""The item header of an entry without context."""
_PLAIN_ITEM: Final = ITEM.size + PLAIN_SIZE
_PLAIN_RECORD: Final = f"{ITEM.size}x{PLAIN_SIZE}s"
_MANY: Final = 16
"""Items from which on it is faster to check them in bulk than one by one."""
_KINDS: Final[dict[int, tuple[Action, range]]] = {
    int(Action.ADD): (Action.ADD, range(PLAIN_SIZE, MAXIMUM_SIZE + 1)),
    int(Action.UPDATE): (Action.UPDATE, range(PLAIN_SIZE, MAXIMUM_SIZE + 1)),
    int(Action.DELETE): (Action.DELETE, range(REFERENCE_SIZE, REFERENCE_SIZE + 1)),
    int(Action.DELETE_ALL): (Action.DELETE_ALL, range(1)),
}
"""The changes, and how long their data may be. Numbers: an enum's operators are slow."""
_FORMAT: Final = int(ItemFlag.FORMAT)
_LOCAL: Final = LOCAL_NAT_ID.to_bytes(4, "big")
CHANGES: Final = frozenset(Action(code) for code in _KINDS)
"""The actions that change entries; no other item shares a message with them."""

Run = tuple[Action, list[bytes]]
"""Consecutive items of one action, with their records or references."""


def item(action: Action, data: bytes, flags: int = 0) -> bytes:
    """One action item."""
    return ITEM.pack(action, flags, len(data)) + data


def control(value: NamedTuple) -> bytes:
    """The item of a :class:`~typing.NamedTuple` with a fixed layout."""
    action, layout = _ACTIONS[type(value)]
    return item(action, layout.pack(*_flat(value)))


def authenticate(value: Authenticate, units: Sequence[Unit]) -> bytes:
    """The authenticate item: the identity, then a unit for each feed the sender is a member of."""
    data = AUTHENTICATE.pack(*value) + b"".join(UNIT.pack(*_flat(unit)) for unit in units)
    return item(Action.AUTHENTICATE, data)


def keepalive(applied: Sequence[Applied]) -> bytes:
    """The keepalive item: how far the sender has applied each feed."""
    return item(Action.KEEPALIVE, b"".join(APPLIED.pack(*_flat(one)) for one in applied))


def hears(value: Hears) -> bytes:
    """The hears item, which a receiver may ignore."""
    data = b"".join(nat_id.to_bytes(4, "big") for nat_id in value.nat_ids)
    return item(Action.HEARS, data, ItemFlag.OPTIONAL)


def hints(values: Sequence[Hint]) -> bytes:
    """The hint item, which a receiver may ignore; at most MAXIMUM_HINTS."""
    return item(Action.HINT, b"".join(HINT.pack(*value) for value in values), ItemFlag.OPTIONAL)


def prompt() -> bytes:
    """The prompt item, which a receiver may ignore."""
    return item(Action.PROMPT, b"", ItemFlag.OPTIONAL)


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


def changes(body: bytes, feed: Feed) -> list[Run]:
    """The changes of one message of a feed, in order, in runs of one action.

    Raises WireError for anything else: the message is good as a whole or not at all. A message of plain
    adds, the common one by far, is checked and cut without a look at each.
    """
    if are_plain_adds(body, feed):
        return [(Action.ADD, list(struct.unpack(_PLAIN_RECORD * (len(body) // _PLAIN_ITEM), body)))]
    runs: list[Run] = []
    for code, flags, data in items(body):
        action = _check_change(code, flags, data)
        if action is None:
            continue
        if data:
            _check_feed(data, feed)
        if not runs or runs[-1][0] is not action:
            runs.append((action, []))
        runs[-1][1].append(data)
    return runs


def are_plain_adds(body: bytes, feed: Feed) -> bool:
    """Whether all items are good adds of one length, by comparing byte k of all of them at once."""
    count, rest = divmod(len(body), _PLAIN_ITEM)
    if rest or count < _MANY:
        return False
    fixed = [*enumerate(ADD_PLAIN), *enumerate(feed.mapping_id.to_bytes(4, "big"), ITEM.size + MAPPING.start)]
    if feed.process_id:
        fixed += enumerate(feed.process_id.to_bytes(4, "big"), ITEM.size)
    if any(body[at::_PLAIN_ITEM] != bytes((byte,)) * count for at, byte in fixed):
        return False
    nat_id = (int.from_bytes(body[ITEM.size + at :: _PLAIN_ITEM], "big") for at in range(4))
    return 0 not in reduce(or_, nat_id).to_bytes(count, "big")  # a local entry has four zeros


def controls(body: bytes) -> list[Control | tuple[Authenticate, list[Unit]]]:
    """The items of an unnumbered message without changes, in order; unknown optional ones left out.

    Raises WireError MALFORMED for a data length that is not the layout's or a field without meaning,
    UNKNOWN_ACTION for an unknown mandatory item.
    """
    found: list[Control | tuple[Authenticate, list[Unit]]] = []
    for code, flags, data in items(body):
        if code in LAYOUTS:
            found.append(_fixed(*LAYOUTS[Action(code)], data))
        elif code == Action.KEEPALIVE:
            found += _repeated(Applied, APPLIED, data)
        elif code == Action.AUTHENTICATE:
            found.append(_authenticate(data))
        elif code == Action.ERROR:
            found.append(_error(data))
        elif code == Action.PROMPT:
            found.append(_prompt(data))
        elif code == Action.HINT:
            found += _repeated(Hint, HINT, data)
        elif code == Action.HEARS:
            found.append(_hears(data))
        elif not flags & ItemFlag.OPTIONAL:
            raise WireError(ErrorCode.UNKNOWN_ACTION, f"unknown mandatory action {code}")
    return found


def first_action(body: bytes) -> int:
    """The action of the first item; 0 of an empty message."""
    return body[0] if body else 0


def _check_change(code: int, flags: int, data: bytes) -> Action | None:
    """The action of a change; None for an unknown optional item."""
    action, sizes = _KINDS.get(code, (None, range(0)))
    if action is None:
        if flags & ItemFlag.OPTIONAL:
            return None
        raise WireError(ErrorCode.UNKNOWN_ACTION, f"action {code} among changes")
    if flags & _FORMAT:
        raise WireError(ErrorCode.MALFORMED, f"record format {flags & _FORMAT} was not agreed")
    if len(data) not in sizes:
        raise WireError(ErrorCode.MALFORMED, f"{action.name.lower()} of {len(data)} bytes")
    return action


def _check_feed(data: bytes, feed: Feed) -> None:
    if data[NAT_ID] == _LOCAL:
        raise WireError(ErrorCode.MALFORMED, "an entry without NAT ID is local and never sent")
    nat_id, mapping_id = int.from_bytes(data[NAT_ID], "big"), int.from_bytes(data[MAPPING], "big")
    if mapping_id != feed.mapping_id:
        raise WireError(ErrorCode.MALFORMED, f"entry of mapping {mapping_id} in another feed")
    if feed.process_id not in (0, nat_id):
        raise WireError(ErrorCode.MALFORMED, f"entry of NAT ID {nat_id} in the feed of {feed.process_id}")


def _flat(value: tuple[Any, ...]) -> Iterator[Any]:
    for field in value:
        if isinstance(field, tuple):
            yield from _flat(field)
        else:
            yield field


def _build(kind: type[T], fields: Iterator[Any]) -> T:
    """A NamedTuple, nested ones included, from its flat fields."""
    return kind(
        *(next(fields) if of in (int, bytes) else _build(of, fields) for of in kind.__annotations__.values())
    )


def _fixed(kind: type[T], layout: struct.Struct, data: bytes) -> T:
    if len(data) != layout.size:
        raise WireError(ErrorCode.MALFORMED, f"{kind.__name__} of {len(data)} bytes; {layout.size} expected")
    said = _build(kind, iter(layout.unpack(data)))
    for name, meant in _MEANT.get(kind, {}).items():
        if getattr(said, name) not in meant:
            raise WireError(ErrorCode.MALFORMED, f"{kind.__name__} with {name} {getattr(said, name)}")
    return said


def _repeated(kind: type[T], layout: struct.Struct, data: bytes) -> list[T]:
    if len(data) % layout.size:
        raise WireError(ErrorCode.MALFORMED, f"{len(data)} bytes are no number of {kind.__name__}")
    return [_build(kind, iter(fields)) for fields in layout.iter_unpack(data)]


def _authenticate(data: bytes) -> tuple[Authenticate, list[Unit]]:
    if len(data) < AUTHENTICATE.size:
        raise WireError(ErrorCode.MALFORMED, f"authenticate of {len(data)} bytes")
    units = _repeated(Unit, UNIT, data[AUTHENTICATE.size :])
    return Authenticate(*AUTHENTICATE.unpack_from(data)), units


def _prompt(data: bytes) -> Prompt:
    if data:
        raise WireError(ErrorCode.MALFORMED, f"prompt of {len(data)} bytes")
    return Prompt()


def _hears(data: bytes) -> Hears:
    if len(data) % 4 or len(data) > 4 * MAXIMUM_HEARD:
        raise WireError(ErrorCode.MALFORMED, f"hears of {len(data)} bytes")
    return Hears(tuple(int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)))


def _error(data: bytes) -> Error:
    length = data[ERROR.size - 1] if len(data) >= ERROR.size else 0
    text_at = ERROR.size + length
    if length not in (0, REFERENCE_SIZE) or not text_at <= len(data) <= text_at + MAXIMUM_REASON:
        raise WireError(ErrorCode.MALFORMED, f"error of {len(data)} bytes")
    code, process_id, mapping_id, number, nat_id, _ = ERROR.unpack_from(data)
    text = data[text_at:].decode("utf-8", "replace")
    reason = "".join(one if one.isprintable() else "?" for one in text)  # it goes to logs and terminals
    return Error(code, Feed(process_id, mapping_id), Term(number, nat_id), reason, data[ERROR.size : text_at])
