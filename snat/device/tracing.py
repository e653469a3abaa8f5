"""Messages between devices as somebody who debugs sees them."""

from typing import Final, NamedTuple

from snat.device.links import Link, Stage
from snat.wire import items
from snat.wire.actions import Action
from snat.wire.header import MAXIMUM_MESSAGE, SIZE, VERSION, Message, decode, lengths

_NAMES: Final = {action.value: action.name.replace("_", "-") for action in Action}
_CHANGES: Final = frozenset(int(action) for action in items.CHANGES)


class Trace(NamedTuple):
    """One message at one stage of its way."""

    stage: Stage
    local_address: str
    """Empty: not known yet."""
    destination_address: str
    nat_id: int
    """Of the neighbor."""
    kind: str
    """``SYNC``: numbered changes; ``DUMP``: entries out of turn; or what it asks: ``DUMP-REQUEST``. Empty:
    no message."""
    version: int
    opcode: int
    """The first action."""
    length: int
    """Bytes, header included."""
    owner: int
    """NAT ID of whose term it is of; 0: of none."""


def trace(stage: Stage, link: Link, message: bytes | Message | None) -> Trace:
    """What is told of a message."""
    local, destination, nat_id = link.local_address, link.destination_address, link.neighbor.nat_id
    if isinstance(message, bytes):
        message = decode(message, 0, *lengths(message, 0, MAXIMUM_MESSAGE))
    if message is None:
        return Trace(stage, local, destination, nat_id, "", VERSION, 0, 0, 0)
    opcode = items.first_action(message.body)
    return Trace(
        stage,
        local,
        destination,
        nat_id,
        _kind(message, opcode),
        VERSION,
        opcode,
        SIZE + len(message.body),
        message.term.nat_id,
    )


def _kind(message: Message, opcode: int) -> str:
    if message.sequence:
        return "SYNC"
    return "DUMP" if opcode in _CHANGES else _NAMES.get(opcode, f"ACTION-{opcode}")
