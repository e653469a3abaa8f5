"""The gate before TLS. Who is refused behind it, and by what: test_identity.py."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address

from snat.net import tls
from snat.net.listener import PENDING, Gate
from snat.net.log import RepeatingLog
from tests.net.memory import Log, Reactor, Wired, trustpoint


class Scene:
    """A gate for one neighbor's address."""

    def __init__(self, reactor: Reactor, authority: Path) -> None:
        self.options_asked = 0
        self.good = tls.options(trustpoint(authority, "r1.example"))
        links: Any = None
        self.gate = Gate(
            self.options, links, lambda *_: "nobody", {"192.0.2.2"}, reactor, RepeatingLog(reactor)
        )

    def options(self) -> Any:
        self.options_asked += 1
        return self.good

    def comes(self, host: str) -> Any:
        protocol = self.gate.buildProtocol(IPv4Address("TCP", host, 40000))
        if protocol is None:
            return None
        transport = Wired(peerAddress=IPv4Address("TCP", host, 40000))
        protocol.makeConnection(transport)
        return transport


@pytest.fixture
def scene(reactor: Reactor, authority: Path) -> Scene:
    return Scene(reactor, authority)


def test_an_unknown_address_costs_no_tls(scene: Scene, log: Log) -> None:
    assert scene.comes("192.0.2.3") is None
    assert scene.options_asked == 0
    assert scene.gate.counters.unknown_address == 1
    assert log.lines() == ["refused 192.0.2.3: no neighbor has this address"]


def test_no_address_is_an_unknown_one(scene: Scene) -> None:
    assert scene.gate.buildProtocol(None) is None
    assert scene.gate.counters.unknown_address == 1


def test_those_who_have_not_proved_anything_are_bounded(scene: Scene) -> None:
    come = [scene.comes("192.0.2.2") for _ in range(PENDING + 3)]
    assert [one is None for one in come] == [False] * PENDING + [True] * 3
    assert scene.gate.counters.too_many == 3


def test_closing_the_gate_ends_those_who_have_not_proved_anything(
    scene: Scene, reactor: Reactor, log: Log
) -> None:
    come = [scene.comes("192.0.2.2") for _ in range(3)]
    scene.gate.close()
    assert all(one.disconnected for one in come)
    assert scene.gate.counters.unproved == 0
    assert log.lines() == []


def test_options_are_asked_for_each_connection(scene: Scene) -> None:
    """So that certificates can be replaced under a running gate."""
    for _ in range(2):
        scene.comes("192.0.2.2")
    assert scene.options_asked == 2
