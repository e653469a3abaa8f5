"""A gateway of :mod:`snat.translate.alg` by itself: its conversation, and doors that open for anybody."""

from collections import Counter
from dataclasses import dataclass, field

from snat.nat.tracking import TCP
from snat.translate.alg.gateway import Conversation, Endpoint, Gateway

INSIDE, GLOBAL = bytes((10, 0, 0, 2)), bytes((203, 0, 113, 1))
OUTSIDE = bytes((198, 51, 100, 10))


@dataclass
class OpenDoors:
    """Satisfies :class:`snat.translate.alg.gateway.Doors`; port 50000 and on, as they are asked for."""

    opened: list[tuple[int, Endpoint, Endpoint]] = field(default_factory=list)
    closed: list[Endpoint] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refuses: bool = False

    def open(
        self,
        protocol: int,
        inside: Endpoint,
        peer: Endpoint,
        *,
        life: float,
        follows: str = "",
        pair: bool = False,
    ) -> Endpoint | None:
        self.opened.append((protocol, inside, peer))
        return None if self.refuses else Endpoint(GLOBAL, 50000 + len(self.opened))

    def called(self, protocol: int, peer: Endpoint, *, life: float, follows: str) -> None:
        raise AssertionError("nobody is called")

    def named(self, address: bytes, *, from_outside: bool) -> bytes | None:
        raise AssertionError("nobody asks for names")

    def close(self, protocol: int, inside: Endpoint) -> None:
        self.closed.append(inside)

    def count(self, what: str) -> None:
        self.counts[what] += 1


def conversation(*, begun_inside: bool = True, outside_local: bytes = OUTSIDE) -> Conversation:
    server = (21, 40000) if begun_inside else (40000, 21)
    return Conversation(
        protocol=TCP,
        inside_local=Endpoint(INSIDE, server[1]),
        inside_global=Endpoint(GLOBAL, server[1]),
        outside_local=Endpoint(outside_local, server[0]),
        outside_global=Endpoint(OUTSIDE, server[0]),
        begun_inside=begun_inside,
    )


def edited(gateway: Gateway, from_outside: bool, data: bytes) -> bytes:
    """What becomes of the next bytes."""
    made, at = b"", 0
    for start, end, text in gateway.take(from_outside, data):
        assert at <= start <= end <= len(data)
        made, at = made + data[at:start] + text, end
    return made + data[at:]
