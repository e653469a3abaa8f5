"""A flow that a gateway reads: the gateway, the numbers of both directions, and what waits for its turn."""

from typing import Final

from snat.nat.entry import context_of
from snat.nat.tracking import UDP
from snat.translate.alg.context import Read, encode
from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint, Gateway
from snat.translate.alg.sequence import Numbers
from snat.translate.flow_cache import Path

MOST_HELD: Final = 32
"""Segments of a direction that wait for one before them,"""
MOST_HELD_BYTES: Final = 128 << 10
"""and their bytes: two super-packets."""


class Application:
    """What is kept of a flow while it is read. Changes of its entry's context are found by comparison."""

    __slots__ = (
        "_said",
        "adopts",
        "changes",
        "context",
        "doors",
        "gateway",
        "held",
        "until",
        "written",
    )

    def __init__(self, context: Read, gateway: Gateway | None, doors: Doors | None, written: bytes) -> None:
        """Without a gateway only the numbers are translated: it ended, or this version has no such one."""
        self.context = context
        self.gateway = gateway
        self.doors = doors
        self.written = written
        """The context that its entry has."""
        self.adopts = [False, False]
        """By from_outside: the next segment tells where the direction is; see :meth:`resume`."""
        self.held: tuple[dict[int, bytearray], dict[int, bytearray]] = ({}, {})
        """By from_outside: segments that came before others, by their first number."""
        self.until = [0.0, 0.0]
        """By from_outside: until when its segments wait, behind one whose context is under way."""
        self.changes = 0
        """Edits since it began here."""
        self._said: tuple[bytes, bool, int] | None = (context.own, context.ended, 0) if written else None
        """What :meth:`changed` told; of a new flow nothing yet."""

    def numbers(self, from_outside: bool) -> Numbers:
        """Those of the direction from outside, or from inside."""
        return self.context.inward if from_outside else self.context.outward

    @property
    def reads(self) -> bool:
        """Whether a gateway is to see what comes."""
        return self.gateway is not None and not self.gateway.ended

    @property
    def is_needed(self) -> bool:
        """Whether anything would be different without it."""
        numbers = (self.context.outward, self.context.inward)
        return self.reads or any(one.changes or one.base for one in numbers)

    def resume(self) -> None:
        """It comes from another router, which saw segments that this one has not: take up where they are."""
        self.adopts = [True, True]

    def take(self, from_outside: bool, data: bytes) -> list[Edit]:
        """What the gateway says of the next bytes; each edit replaces at least one of them."""
        gateway = self.gateway
        if gateway is None or gateway.ended or not data:
            return []
        edits, at = [], 0
        for start, end, text in gateway.take(from_outside, data):
            assert at <= start <= end <= len(data), "edits lie in the data, in order"
            at = end
            if start < end:
                edits.append(Edit(start, end, text))
            elif end < len(data):
                edits.append(Edit(start, end + 1, text + data[end : end + 1]))
                at = end + 1
            else:
                edits.append(Edit(start - 1, end, data[start - 1 : end] + text))
        return [edit for edit in edits if data[edit.start : edit.end] != edit.text]

    def changed(self) -> bytes | None:
        """The context that is new since this was asked last; None: there is nothing new to say."""
        gateway, context = self.gateway, self.context
        if gateway is not None:
            context.own, context.ended = gateway.context(), gateway.ended
        said = context.own, context.ended, self.changes
        if said == self._said:
            return None
        self._said = said
        return encode(context)


def conversation_of(record: bytes, begun_inside: bool) -> Conversation:
    """The flow of an entry."""
    return Conversation(
        protocol=record[22],
        inside_local=Endpoint(record[16:20], int.from_bytes(record[20:22], "big")),
        inside_global=Endpoint(record[23:27], int.from_bytes(record[27:29], "big")),
        outside_local=Endpoint(record[29:33], int.from_bytes(record[33:35], "big")),
        outside_global=Endpoint(record[35:39], int.from_bytes(record[39:41], "big")),
        begun_inside=begun_inside,
    )


def is_outdated(path: Path, application: Application) -> bool:
    """Whether another router said more of the flow since: it managed it for a while."""
    return context_of(path.record) != application.written


def is_silent(application: Application, protocol: int) -> bool:
    """Whether there is nothing that another router would have to know: most datagrams tell nothing."""
    return protocol == UDP and not application.context.own and not application.changes
