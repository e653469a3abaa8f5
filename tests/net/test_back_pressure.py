"""Holding back a connection over real TCP and TLS, on loopback, in a reactor of its own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.selectreactor import SelectReactor
from twisted.protocols.tls import TLSMemoryBIOFactory

from snat.device.links import Link
from snat.net import tls
from snat.net.protocol import LinkProtocol
from tests.net.memory import trustpoint

DEADLINE = 10.0
MUCH = 8 << 20
"""Bytes; more than the buffers of both ends hold."""


class Links:
    """The router's side: it counts what comes."""

    def __init__(self) -> None:
        self.received_bytes = 0
        self.why: list[str] = []

    def opened(self, connection: LinkProtocol, link: Link) -> None:
        pass

    def received(self, link: Link, data: bytes) -> None:
        self.received_bytes += len(data)

    def ended(self, link: Link, reason: str) -> None:
        self.why.append(reason)

    def pump(self) -> None:
        pass


class Scene:
    """A connection that we hold back, and a neighbor that writes as long as it may."""

    def __init__(self, reactor: Any, authority: Path) -> None:
        self.reactor = reactor
        self.links = Links()
        link: Any = type("Link", (), {})()
        self.held: Any = None

        def ours() -> LinkProtocol:
            made = self.held = LinkProtocol(self.links, lambda *_: link, reactor, lambda *_: None)
            return made

        self.neighbor = Protocol()
        server = self._tls(authority, 1, False, Factory.forProtocol(ours))
        self.port = reactor.listenTCP(0, server, interface="127.0.0.1")
        client = self._tls(authority, 2, True, ClientFactory.forProtocol(lambda: self.neighbor))
        reactor.connectTCP("127.0.0.1", self.port.getHost().port, client)
        self.until(lambda: self.held is not None and self.held.link is not None)

    def _tls(self, authority: Path, nat_id: int, client: bool, inner: Any) -> Any:
        inner.noisy = False
        options = tls.options(trustpoint(authority, f"r{nat_id}.example"))
        made = TLSMemoryBIOFactory(options, client, inner, self.reactor)
        made.noisy = False
        return made

    def until(self, reached: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not reached():
            assert time.monotonic() < end, self.links.received_bytes
            self.reactor.iterate(0.01)

    def settle(self) -> None:
        """Until nothing has come for a while."""
        quiet = 0
        while quiet < 10:
            before = self.links.received_bytes
            self.reactor.iterate(0.01)
            quiet = quiet + 1 if self.links.received_bytes == before else 0

    def end(self) -> None:
        transports: tuple[Any, ...] = self.held.transport, self.neighbor.transport
        for transport in transports:
            if transport.connected:
                transport.abortConnection()
        self.port.stopListening()
        for _ in range(5):
            self.reactor.iterate(0.01)


@pytest.fixture
def scene(authority: Path) -> Iterator[Scene]:
    reactor: Any = SelectReactor()
    made = Scene(reactor, authority)
    yield made
    made.end()
    for descriptor in reactor.removeAll():
        descriptor.connectionLost(None)


def write(scene: Scene, data: bytes) -> None:
    transport: Any = scene.neighbor.transport
    transport.write(data)


def test_a_connection_that_is_held_back_brings_no_more_until_it_is_let_go(scene: Scene) -> None:
    scene.held.hold_back(True)
    write(scene, bytes(MUCH))
    scene.settle()
    assert scene.links.received_bytes == 0
    scene.held.hold_back(False)
    scene.until(lambda: scene.links.received_bytes == MUCH)


def test_what_is_held_back_in_the_middle_stops_within_one_read(scene: Scene) -> None:
    write(scene, bytes(MUCH))
    scene.until(lambda: scene.links.received_bytes > 0)
    scene.held.hold_back(True)
    at = scene.links.received_bytes
    scene.settle()
    assert scene.links.received_bytes == at < MUCH
    scene.held.hold_back(False)
    scene.until(lambda: scene.links.received_bytes == MUCH)


def test_the_neighbor_s_end_is_noticed_once_it_is_let_go_behind_all_it_wrote(scene: Scene) -> None:
    scene.held.hold_back(True)
    write(scene, b"last words")
    transport: Any = scene.neighbor.transport
    transport.loseConnection()
    scene.settle()
    assert scene.links.why == []
    scene.held.hold_back(False)
    scene.until(lambda: bool(scene.links.why))
    assert scene.links.received_bytes == len(b"last words")


def test_a_connection_that_is_held_back_can_be_ended(scene: Scene) -> None:
    scene.held.hold_back(True)
    scene.held.link = None  # it has no last word
    scene.held.close(last_word=False)
    transport: Any = scene.neighbor.transport
    scene.until(lambda: not transport.connected)
