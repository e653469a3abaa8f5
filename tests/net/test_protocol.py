"""One connection and its link, on a transport without TLS: what is written when, and when it ends."""

import random
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from snat.config.model import ConfiguredRole
from snat.device.device import Device
from snat.device.links import Link
from snat.net import protocol
from snat.net.protocol import HANDSHAKE_TIME, LAST_WORD_TIME, LinkProtocol
from snat.net.tls import Identity
from snat.wire.header import encode
from tests.net.memory import Wired
from tests.simulation.network import configuration

IDENTITY = Identity(frozenset({"r2.example"}), frozenset({2}))
MESSAGE = encode(bytes(1000))


class Told:
    """Everything that a connection says to its router."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def opened(self, connection: LinkProtocol, link: Link) -> None:
        link.session.open(0.0)
        self.calls.append("opened")

    def received(self, link: Link, data: bytes) -> None:
        self.calls.append(data)

    def ended(self, link: Link, reason: str) -> None:
        self.calls.append(f"ended: {reason}")

    def pump(self) -> None:
        self.calls.append("pump")


class Scene:
    """A connection to R2, which is accepted unless ``refusal`` says why not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: str = "") -> None:
        monkeypatch.setattr(protocol, "peer_identity", lambda _: IDENTITY)
        self.clock = Clock()
        self.told = Told()
        self.over: list[str] = []
        made = configuration(1, ConfiguredRole.PRIMARY, (2,))
        device = Device(
            made,
            incarnation=1,
            terms={},
            ports=random.Random(1),
            ttl_step=1,
            now=0.0,
        )
        self.link = device.dialled(2, 0.0)
        self.asked: list[tuple[Identity | None, str]] = []

        def choose(identity: Identity | None, host: str) -> Link | str:
            self.asked.append((identity, host))
            return refusal or self.link

        self.connection = LinkProtocol(self.told, choose, self.clock, lambda _, why: self.over.append(why))
        self.transport = Wired(IPv4Address("TCP", "192.0.2.1", 40000), IPv4Address("TCP", "192.0.2.2", 15555))
        self.connection.makeConnection(self.transport)

    def establish(self) -> None:
        self.connection.handshakeCompleted()
        self.connection.flush()
        self.link.session.state = type(self.link.session.state).ESTABLISH
        self.transport.clear()

    def aborted(self) -> bool:
        return bool(self.transport.disconnected)

    def lose(self) -> None:
        self.connection.connectionLost(Failure(ConnectionDone()))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_tcp_alone_is_nobody_s_link(scene: Scene) -> None:
    scene.connection.dataReceived(b"early")
    assert scene.told.calls == []
    assert not scene.connection.flush()
    scene.lose()
    assert scene.told.calls == []
    assert scene.over == ["Connection was closed cleanly."]
    assert scene.clock.getDelayedCalls() == []


def test_the_link_begins_with_the_certificate(scene: Scene) -> None:
    scene.connection.handshakeCompleted()
    assert scene.asked == [(IDENTITY, "192.0.2.2")]
    assert scene.told.calls == ["opened"]
    link = scene.link
    assert (link.local_address, link.destination_address, link.destination_port) == (
        "192.0.2.1",
        "192.0.2.2",
        15555,
    )
    assert scene.transport.producer is scene.connection
    assert scene.clock.getDelayedCalls() == []
    scene.connection.dataReceived(b"hello")
    scene.lose()
    assert scene.told.calls[1:] == [b"hello", "ended: Connection was closed cleanly."]


def test_a_refusal_aborts_and_is_the_reason_told(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, refusal="it is somebody else")
    scene.connection.handshakeCompleted()
    assert scene.aborted()
    assert scene.transport.value() == b""
    scene.connection.dataReceived(b"more")
    scene.lose()
    assert scene.told.calls == []
    assert scene.over == ["it is somebody else"]


def test_tls_has_a_bounded_time(scene: Scene) -> None:
    scene.clock.advance(HANDSHAKE_TIME - 0.01)
    assert not scene.aborted()
    scene.clock.advance(0.02)
    assert scene.aborted()
    scene.lose()
    assert scene.over == ["no TLS within 5 s"]


def test_a_full_transport_is_given_nothing_until_it_has_room(scene: Scene) -> None:
    scene.establish()
    scene.connection.pauseProducing()
    scene.link.put(MESSAGE)
    assert not scene.connection.flush()
    assert (scene.transport.value(), scene.link.queue.size) == (b"", len(MESSAGE))
    scene.connection.resumeProducing()
    assert scene.told.calls[-1] == "pump"
    assert scene.connection.flush()
    assert (scene.transport.value(), scene.link.queue.size) == (MESSAGE, 0)


def test_a_transport_that_fills_up_in_between_is_given_no_more(scene: Scene) -> None:
    scene.establish()
    write = scene.transport.write

    def fill(data: bytes) -> None:
        write(data)
        scene.connection.pauseProducing()

    scene.transport.write = fill  # type: ignore[method-assign]
    for _ in range(200):
        scene.link.put(MESSAGE)
    assert scene.connection.flush()
    assert 0 < len(scene.transport.value()) <= 1 << 16
    assert scene.link.queue.size == 200 * len(MESSAGE) - len(scene.transport.value())


def test_a_transport_that_is_gone_is_given_nothing(scene: Scene) -> None:
    scene.establish()
    scene.connection.stopProducing()
    scene.link.put(MESSAGE)
    assert not scene.connection.flush()


def test_a_link_that_is_choked_is_read_no_more_until_it_is_not(scene: Scene) -> None:
    scene.establish()
    states = []
    for choked in (False, True, True, False, False, True):
        scene.connection.hold_back(choked)
        states.append(scene.transport.producerState)
    assert states == ["producing", "paused", "paused", "producing", "producing", "paused"]


def test_reading_resumes_for_the_end_of_tls(scene: Scene) -> None:
    scene.establish()
    scene.connection.hold_back(True)
    scene.connection.close(last_word=True)
    assert scene.transport.producerState == "producing"
    assert scene.transport.disconnecting


@pytest.mark.parametrize("last_word", [True, False])
def test_the_end_has_a_last_word_and_a_bounded_time(scene: Scene, last_word: bool) -> None:
    scene.establish()
    scene.link.put(MESSAGE)
    scene.link.session.stop("the device stops")
    scene.connection.close(last_word=last_word)
    assert (b"the device stops" in scene.transport.value()) is last_word
    assert MESSAGE not in scene.transport.value()
    assert scene.transport.disconnecting
    assert scene.transport.producer is None
    scene.clock.advance(LAST_WORD_TIME + 0.01)
    assert scene.aborted()


def test_an_end_in_time_leaves_no_call(scene: Scene) -> None:
    scene.establish()
    scene.connection.close(last_word=True)
    scene.lose()
    assert scene.clock.getDelayedCalls() == []
