"""Doors as the framework would open them, and conversations: what a gateway is given in tests."""

from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import NamedTuple

from snat.translate.alg.gateway import Conversation, Edit, Endpoint, Gateway

INSIDE, GLOBAL, OUTSIDE = "10.0.0.5", "203.0.113.10", "198.51.100.7"
OTHER_INSIDE, OTHER_OUTSIDE = "10.0.0.6", "198.51.100.8"


def packed(address: str) -> bytes:
    return IPv4Address(address).packed


def at(address: str, port: int) -> Endpoint:
    return Endpoint(packed(address), port)


class Opened(NamedTuple):
    """What a gateway asked for."""

    protocol: int
    inside: Endpoint
    peer: Endpoint
    life: float
    follows: str
    pair: bool


class FakeDoors:
    """Opens what it is asked for, from ``first`` on, and writes everything down."""

    def __init__(self, first: int = 40000) -> None:
        self.first = first
        self.address = packed(GLOBAL)
        self.opened: dict[tuple[int, Endpoint], Opened] = {}
        self.given: dict[tuple[int, Endpoint], Endpoint] = {}
        self.calls: list[tuple[int, Endpoint, float, str]] = []
        self.names: dict[tuple[bytes, bool], bytes] = {}
        self.counts: Counter[str] = Counter()
        self.refuses = False

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
        if self.refuses:
            self.counts["refused"] += 1
            return None
        self.opened[protocol, inside] = Opened(protocol, inside, peer, life, follows, pair)
        if (protocol, inside) not in self.given:
            self.given[protocol, inside] = Endpoint(self.address, self.first)
            self.first += 2
        return self.given[protocol, inside]

    def called(self, protocol: int, peer: Endpoint, *, life: float, follows: str) -> None:
        self.calls.append((protocol, peer, life, follows))

    def named(self, address: bytes, *, from_outside: bool) -> bytes | None:
        return self.names.get((address, from_outside))

    def close(self, protocol: int, inside: Endpoint) -> None:
        self.opened.pop((protocol, inside), None)

    def count(self, what: str) -> None:
        self.counts[what] += 1

    @property
    def refusals(self) -> dict[str, int]:
        return {what: times for what, times in self.counts.items() if what not in ("message", "edit")}


def conversation(protocol: int, port: int, *, begun_inside: bool = True) -> Conversation:
    """Of an inside host with an outside host; ``port`` is the server's."""
    inside, outer, outside = (1025, 2025, port) if begun_inside else (port, port, 3025)
    return Conversation(
        protocol=protocol,
        inside_local=at(INSIDE, inside),
        inside_global=at(GLOBAL, outer),
        outside_local=at(OUTSIDE, outside),
        outside_global=at(OUTSIDE, outside),
        begun_inside=begun_inside,
    )


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes as they leave; the edits are as the contract has them."""
    parts, done = [], 0
    for start, end, text in edits:
        assert done <= start < end <= len(data)
        parts += [data[done:start], text]
        done = end
    return b"".join([*parts, data[done:]])


def through(gateway: Gateway, from_outside: bool, data: bytes, *cuts: int) -> bytes:
    """What of some bytes comes out, given in pieces that end at ``cuts``."""
    out, done = b"", 0
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]:
        piece = data[done:cut]
        out += piece if gateway.ended else edited(piece, gateway.take(from_outside, piece))
        done = cut
    return out
