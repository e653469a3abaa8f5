"""Doors that keep what a gateway asks of them, and a harness that applies its edits."""

from dataclasses import dataclass, field

from snat.translate.alg.gateway import Conversation, Edit, Endpoint, Gateway

TCP, UDP = 6, 17
INSIDE = bytes([10, 1, 1, 10])
OTHER_INSIDE = bytes([10, 1, 1, 11])
GLOBAL = bytes([203, 0, 113, 5])
OUTSIDE = bytes([192, 0, 2, 80])
FIRST_PORT = 20000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A door."""

    protocol: int
    inside: Endpoint
    peer: Endpoint
    shown: Endpoint
    life: float
    follows: str
    pair: bool


@dataclass(slots=True, kw_only=True)
class FakeDoors:
    """As the contract says: the same call again returns the same endpoint, no port below 1024."""

    static: dict[bytes, bytes] = field(default_factory=dict)
    """Inside addresses mapped as a whole, and their global ones."""
    address: bytes = GLOBAL
    refusing: bool = False
    opened: list[Opened] = field(default_factory=list)
    closed: list[tuple[int, Endpoint]] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    fixed: dict[Endpoint, int] = field(default_factory=dict)
    """Inside endpoints that have a mapping with this port."""
    _next: int = FIRST_PORT

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
        assert 0 <= inside.port <= 65535
        assert not pair or inside.port < 65535
        assert life > 0
        if self.refusing or inside.port < 1024:
            self.count("refused by the doors")
            return None
        for door in self.opened:
            if (door.protocol, door.inside, door.peer) == (protocol, inside, peer):
                return door.shown
        if inside in self.fixed:
            shown = Endpoint(self.address, self.fixed[inside])
        else:
            shown = Endpoint(self.address, self._next)
            self._next += 2
        self.opened.append(
            Opened(
                protocol=protocol,
                inside=inside,
                peer=peer,
                shown=shown,
                life=life,
                follows=follows,
                pair=pair,
            )
        )
        return shown

    def called(self, protocol: int, peer: Endpoint, *, life: float, follows: str) -> None:
        raise AssertionError("no text protocol needs this")

    def named(self, address: bytes, *, from_outside: bool) -> bytes | None:
        if from_outside:
            return next((inside for inside, shown in self.static.items() if shown == address), None)
        return self.static.get(address)

    def close(self, protocol: int, inside: Endpoint) -> None:
        self.closed.append((protocol, inside))

    def count(self, what: str) -> None:
        self.counted[what] = self.counted.get(what, 0) + 1

    def ports(self) -> list[int]:
        """The inside ports opened, in order."""
        return [door.inside.port for door in self.opened]


def conversation(
    protocol: int,
    port: int,
    *,
    outside_port: int,
    global_port: int | None = None,
    begun_inside: bool = True,
    outside_local: bytes = OUTSIDE,
) -> Conversation:
    """A flow of INSIDE, seen as GLOBAL, with OUTSIDE."""
    return Conversation(
        protocol=protocol,
        inside_local=Endpoint(INSIDE, port),
        inside_global=Endpoint(GLOBAL, global_port or port),
        outside_local=Endpoint(outside_local, outside_port),
        outside_global=Endpoint(OUTSIDE, outside_port),
        begun_inside=begun_inside,
    )


def edited(data: bytes, edits: list[Edit] | tuple[Edit, ...]) -> bytes:
    """What leaves; edits are in order, do not overlap, and lie inside of the bytes given."""
    out, at = b"", 0
    for edit in edits:
        assert at <= edit.start < edit.end <= len(data)
        out += data[at : edit.start] + edit.text
        at = edit.end
    return out + data[at:]


def passed(gateway: Gateway, data: bytes, *, from_outside: bool = False) -> bytes:
    """What becomes of bytes that a gateway reads; one that ended is not asked."""
    if gateway.ended:
        return data
    edits = gateway.take(from_outside, data)
    assert len(gateway.context()) <= 256
    return edited(data, list(edits))


def in_pieces(gateway: Gateway, pieces: list[bytes], *, from_outside: bool = False) -> bytes:
    """What becomes of a stream that comes in these pieces."""
    return b"".join(passed(gateway, piece, from_outside=from_outside) for piece in pieces)
