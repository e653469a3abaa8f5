"""Sessions that monitor the log: they get its lines, and one that does not read gets no backlog."""

import json
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from cli.shell import Shell
from snat.net.control import ControlFactory
from snat.net.control_session import ControlSession
from snat.net.visitor import Visitor
from tests.cli.fake_router import FakeRouter


class User:
    """A session with a shell of the real kind."""

    def __init__(self) -> None:
        self.clock = Clock()
        router = FakeRouter()

        def shell(_visitor: Visitor) -> Shell:
            return Shell(router, privileged=True)

        self.factory = ControlFactory(self.clock, shell, lambda _transport: 0)
        session = self.factory.buildProtocol(None)
        assert isinstance(session, ControlSession)
        self.session = session
        self.transport = StringTransport()
        session.makeConnection(self.transport)

    def run(self, line: str) -> None:
        self.session.dataReceived(json.dumps({"id": 1, "request": "run", "line": line}).encode() + b"\n")
        for _ in range(10):
            self.clock.advance(0)

    def frames(self) -> list[dict[str, Any]]:
        frames = [json.loads(line) for line in self.transport.value().splitlines()]
        self.transport.clear()
        return frames


@pytest.fixture
def user() -> User:
    made = User()
    made.frames()
    return made


LINE = {"type": "log", "text": "%SYS-5-X: one\n"}


def test_only_a_session_that_monitors_gets_lines(user: User) -> None:
    assert user.factory.log("%SYS-5-X: one") == 0
    assert user.frames() == []
    user.run("terminal monitor")
    assert user.frames()[-1]["terminal"]["monitor"] is True
    assert user.factory.log("%SYS-5-X: one") == 0
    assert user.frames() == [LINE]
    user.run("terminal no monitor")
    assert user.frames()[-1]["terminal"]["monitor"] is False
    assert user.transport.producer is None
    assert user.factory.log("%SYS-5-X: one") == 0
    assert user.frames() == []


def test_a_session_that_does_not_read_gets_nothing_until_it_does(user: User) -> None:
    user.run("terminal monitor")
    user.frames()
    assert user.transport.producer is user.session
    user.session.pauseProducing()  # the transport is full
    assert [user.factory.log("%SYS-5-X: one") for _ in range(1000)] == [1] * 1000
    assert user.frames() == []
    user.session.resumeProducing()
    assert user.factory.log("%SYS-5-X: one") == 0
    assert user.frames() == [LINE]


def test_a_command_waits_while_the_session_does_not_read(user: User) -> None:
    user.run("terminal monitor")
    user.frames()
    user.session.pauseProducing()
    user.run("show clock")
    assert user.frames() == []
    user.session.resumeProducing()
    for _ in range(10):
        user.clock.advance(0)
    assert [frame["type"] for frame in user.frames()] == ["text", "end"]
    assert user.factory.log("%SYS-5-X: one") == 0
    assert user.frames() == [LINE]


@pytest.mark.parametrize("end", ["exit", "malformed"])
def test_a_session_that_monitors_can_leave(user: User, end: str) -> None:
    user.run("terminal monitor")
    if end == "exit":
        user.run("exit")
    else:
        user.session.dataReceived(b"{}\n")
    assert user.transport.disconnecting
    assert user.transport.producer is None
    user.frames()
    assert user.factory.log("%SYS-5-X: one") == 0
    assert user.frames() == []
