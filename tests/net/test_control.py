"""The control socket: frames, streams with back-pressure, and the socket in the file system."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport

from cli.session import Conversation, Pause, Question, Redirect, Session
from snat.net import control
from snat.net.control import MAX_SESSIONS, ControlFactory, ControlSocket, ControlSocketError, make_way
from snat.net.control_session import LONGEST_PAUSE, LOOK, MAX_REQUEST, ControlSession
from snat.net.visitor import Visitor, user_name
from tests.cli.fake_router import FakeRouter

TERMINAL = {"length": 24, "width": 80, "monitor": False, "history_size": 10}


class TickingClock(Clock):
    """A clock on which every look takes a quarter of a millisecond, so that slices end."""

    def seconds(self) -> float:
        self.rightNow += 0.00025
        return self.rightNow

    def turn(self) -> None:
        """One turn of the reactor: the calls that are due now, not those they make."""
        due = [call for call in self.calls if call.time <= self.rightNow + 0.001]
        self.calls[:] = [call for call in self.calls if call not in due]  # a call knows its list
        for call in due:
            call.called = 1
            call.func(*call.args, **call.kw)


class EchoShell:
    """A shell with a few commands, each of which does what its name says."""

    banner = "Welcome\n"

    def __init__(self, visitor: Visitor | None = None) -> None:
        self.ok = True
        self.closed = False
        self.stopped = False
        self.visitor = visitor
        self.exec_timeout = 0.0
        self.session = Session(router=FakeRouter(), path=())
        self.answers: list[str | None] = []

    @property
    def prompt(self) -> str:
        return "" if self.closed else "R1#"

    def run(self, line: str) -> Conversation:
        self.ok = False
        try:
            yield from self._output(line)
        finally:
            self.stopped = True
        self.ok = not line.startswith("fail")

    def _output(self, line: str) -> Conversation:
        command, *arguments = line.split()
        if command == "lines":
            yield from (f"line {number}\n" for number in range(int(arguments[0])))
        elif command == "endless":
            yield from (f"line {number}\n" for number in count())
        elif command == "silent":
            yield from ("" for _ in range(int(arguments[0])))
        elif command == "break":
            raise LookupError("a fault of the shell")
        elif command == "ask":
            self.answers.append((yield Question("Password: ", echo=False)))
            yield "answered\n"
        elif command == "pause":
            yield Pause(float(arguments[0]))
            yield "later\n"
        elif command == "redirect":
            yield Redirect("file", tee=True)
            yield "text\n"
        elif command == "exit":
            self.closed = True

    def complete(self, line: str) -> list[str]:
        return [line + "ow"]

    def help(self, line: str) -> str:
        return f"help on {line}\n"


class User:
    """A session on a string transport, with the frames it has got."""

    def __init__(self, account: int = 0, exec_timeout: float = 0.0) -> None:
        self.clock = TickingClock()
        self.shell = EchoShell()
        self.left = 0
        self.shell.exec_timeout = exec_timeout
        self.session = ControlSession(self.clock, 3, self._made, self._leave, lambda _: account)
        self.transport = StringTransport()
        self.session.makeConnection(self.transport)

    def _made(self, visitor: Visitor) -> EchoShell:
        self.shell.visitor = visitor
        return self.shell

    def _leave(self, session: ControlSession) -> None:
        assert session is self.session
        self.left += 1

    def send(self, **request: Any) -> None:
        self.session.dataReceived(json.dumps(request).encode() + b"\n")

    def run(self, line: str) -> None:
        self.send(id=1, request="run", line=line)

    def turns(self, number: int = 1) -> None:
        for _ in range(number):
            self.clock.turn()

    def until_idle(self) -> None:
        for _ in range(10000):
            if not self.session.busy:
                return
            self.clock.turn()
        raise AssertionError("the command does not end")

    def frames(self) -> list[dict[str, Any]]:
        """The frames since the last call."""
        frames = [json.loads(line) for line in self.transport.value().splitlines()]
        self.transport.clear()
        return frames


@pytest.fixture
def user() -> User:
    user = User()
    hello = {"type": "hello", "protocol": 1, "prompt": "R1#", "banner": "Welcome\n", "terminal": TERMINAL}
    assert user.frames() == [hello]
    return user


def end(**changes: Any) -> dict[str, Any]:
    frame = {"type": "end", "id": 1, "ok": True, "prompt": "R1#", "closed": False, "interrupted": False}
    frame["terminal"] = TERMINAL
    return frame | changes


def test_a_command_is_answered_with_text_and_an_end(user: User) -> None:
    user.run("lines 2")
    user.until_idle()
    assert user.frames() == [
        {"type": "text", "id": 1, "text": "line 0\n"},
        {"type": "text", "id": 1, "text": "line 1\n"},
        end(),
    ]


def test_a_failed_command_ends_so(user: User) -> None:
    user.run("fail")
    user.until_idle()
    assert user.frames() == [end(ok=False)]


def test_commands_run_one_after_the_other(user: User) -> None:
    for number in (1, 2):
        user.send(id=number, request="run", line="lines 1")
        user.until_idle()
        assert [frame["id"] for frame in user.frames()] == [number, number]


def test_completion_and_help(user: User) -> None:
    user.send(id=5, request="complete", line="sh")
    user.send(id=6, request="help", line="show ")
    assert user.frames() == [
        {"type": "candidates", "id": 5, "words": ["show"]},
        {"type": "help", "id": 6, "text": "help on show \n"},
    ]


def test_leaving_closes_the_connection(user: User) -> None:
    user.run("exit")
    user.until_idle()
    assert user.frames() == [end(closed=True, prompt="")]
    assert user.transport.disconnecting


def test_output_comes_in_slices(user: User) -> None:
    user.run("endless")
    user.turns()
    assert 2 <= len(user.frames()) <= 20
    user.turns()
    assert 2 <= len(user.frames()) <= 20


def test_a_command_that_says_nothing_gives_the_reactor_its_turns(user: User) -> None:
    user.run("silent 1000")
    user.turns(10)
    assert user.frames() == []
    user.until_idle()
    assert user.frames() == [end()]


def test_a_user_who_reads_slowly_stops_the_output(user: User) -> None:
    user.run("endless")
    user.turns()
    producer = user.transport.producer
    assert producer is user.session
    user.session.pauseProducing()
    user.turns(3)
    user.frames()
    user.turns(3)
    assert user.frames() == []
    user.session.resumeProducing()
    user.turns()
    assert user.frames() != []


def test_pausing_within_a_slice_ends_it(user: User) -> None:
    write = user.transport.write

    def write_and_pause(data: bytes) -> None:
        write(data)
        user.session.pauseProducing()

    user.transport.write = write_and_pause  # type: ignore[method-assign]
    user.run("endless")
    user.turns()
    assert len(user.frames()) == 1


def test_an_interrupt_ends_the_command(user: User) -> None:
    user.run("endless")
    user.turns()
    user.frames()
    user.send(id=2, request="interrupt")
    assert user.frames() == [end(ok=False, interrupted=True)]
    assert user.shell.stopped
    assert user.transport.producer is None
    user.run("lines 1")
    user.until_idle()
    assert user.frames()[-1] == end()


def test_an_interrupt_of_nothing_is_nothing(user: User) -> None:
    user.send(id=2, request="interrupt")
    assert user.frames() == []


@pytest.mark.parametrize("request_", ["run", "complete", "help"])
def test_a_request_while_a_command_runs_is_refused(user: User, request_: str) -> None:
    user.run("endless")
    user.send(id=2, request=request_, line="x")
    assert user.frames() == [{"type": "refused", "id": 2, "reason": "a command is running"}]
    user.turns()
    assert user.frames()[0]["type"] == "text"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"show run",
        b"\xff\xfe",
        b"[]",
        b"[" * 10000,
        b"{}",
        b'{"id": 1}',
        b'{"id": "1", "request": "run", "line": "x"}',
        b'{"id": 1, "request": "run"}',
        b'{"id": 1, "request": "run", "line": 7}',
        b'{"id": 1, "request": "reload", "line": ""}',
    ],
)
def test_a_malformed_request_is_told_and_ends_the_connection(user: User, line: bytes) -> None:
    user.session.dataReceived(line + b"\n")
    (frame,) = user.frames()
    assert (frame["type"], frame["id"]) == ("refused", None)
    assert user.transport.disconnecting


def test_a_request_without_end_is_not_collected(user: User) -> None:
    user.session.dataReceived(b"x" * (MAX_REQUEST + 1))
    assert user.frames() == [
        {"type": "refused", "id": None, "reason": "a request is at most 16384 bytes long"}
    ]
    assert user.transport.disconnecting


def test_a_user_who_goes_away_stops_the_command(user: User) -> None:
    user.run("endless")
    user.turns()
    user.session.connectionLost()
    assert user.shell.stopped
    assert user.clock.getDelayedCalls() == []
    assert user.left == 1


def test_a_fault_of_the_shell_ends_the_session_and_is_raised_to_the_reactor(user: User) -> None:
    user.run("break")
    with pytest.raises(LookupError):
        user.turns()
    assert user.transport.disconnected


def test_a_question_waits_for_its_answer(user: User) -> None:
    user.run("ask")
    user.turns(3)
    assert user.frames() == [{"type": "question", "id": 1, "text": "Password: ", "echo": False}]
    user.send(id=1, request="answer", line="secret")
    user.until_idle()
    assert user.frames() == [{"type": "text", "id": 1, "text": "answered\n"}, end()]
    assert user.shell.answers == ["secret"]
    user.send(id=9, request="answer", line="secret")
    assert user.frames() == [{"type": "refused", "id": 9, "reason": "nothing was asked"}]


def test_an_empty_answer_is_an_answer(user: User) -> None:
    user.run("ask")
    user.turns(3)
    user.send(id=2, request="answer", line="")
    user.until_idle()
    assert user.shell.answers == [""]


@pytest.mark.parametrize("request_", ["run", "complete", "help"])
def test_a_question_is_not_answered_by_another_request(user: User, request_: str) -> None:
    user.run("ask")
    user.turns(3)
    user.frames()
    user.send(id=2, request=request_, line="x")
    assert user.frames() == [{"type": "refused", "id": 2, "reason": "a command is running"}]
    user.turns(3)
    assert user.shell.answers == []


def test_a_question_has_one_answer(user: User) -> None:
    user.run("ask")
    user.turns(3)
    user.frames()
    for number in (2, 3):
        user.send(id=number, request="answer", line=f"answer {number}")
    user.until_idle()
    assert user.frames()[0] == {"type": "refused", "id": 3, "reason": "nothing was asked"}
    assert user.shell.answers == ["answer 2"]


def test_an_interrupt_takes_the_question_with_the_command(user: User) -> None:
    user.run("ask")
    user.turns(3)
    user.frames()
    user.send(id=2, request="interrupt")
    assert user.frames() == [end(ok=False, interrupted=True)]
    assert user.shell.stopped
    user.send(id=3, request="answer", line="too late")
    assert user.frames() == [{"type": "refused", "id": 3, "reason": "nothing was asked"}]


def test_the_end_tells_the_terminal_as_the_session_has_it_now(user: User) -> None:
    user.run("lines 1")
    user.shell.session.terminal.length = 0
    user.until_idle()
    assert user.frames()[-1] == end(terminal=TERMINAL | {"length": 0})


def test_a_redirect_is_told_before_its_text(user: User) -> None:
    user.run("redirect")
    user.until_idle()
    frame = {"type": "redirect", "id": 1, "path": "file", "append": False, "tee": True}
    assert user.frames() == [frame, {"type": "text", "id": 1, "text": "text\n"}, end()]


@pytest.mark.parametrize(("asked", "seconds"), [("0.5", 0.5), ("1000", LONGEST_PAUSE)])
def test_a_pause_goes_on_by_itself(user: User, asked: str, seconds: float) -> None:
    user.run(f"pause {asked}")
    user.turns(3)
    assert user.frames() == []
    user.clock.rightNow += seconds - 0.1
    user.turns(3)
    assert user.frames() == []
    user.clock.rightNow += 0.2
    user.until_idle()
    assert user.frames() == [{"type": "text", "id": 1, "text": "later\n"}, end()]


def test_an_interrupt_ends_a_pause(user: User) -> None:
    user.run("pause 5")
    user.turns()
    user.send(id=2, request="interrupt")
    assert user.frames() == [end(ok=False, interrupted=True)]
    user.run("lines 1")
    user.until_idle()
    assert user.frames()[-1] == end()


# --- who it is, and how long


@pytest.mark.parametrize(("account", "privileged"), [(0, True), (os.geteuid(), True), (54321, False)])
def test_the_account_decides_who_has_privilege(account: int, privileged: bool) -> None:
    user = User(account)
    assert user.shell.visitor == Visitor(user=user_name(account), privileged=privileged, line=3)


def test_an_account_without_a_name_has_its_number() -> None:
    assert user_name(54321) == "54321"
    assert user_name(0) == "root"


def test_a_session_has_the_lowest_line_that_is_free() -> None:
    factory = ControlFactory(Clock(), EchoShell, account=lambda _: 0)
    sessions = [factory.buildProtocol(None) for _ in range(3)]
    for session in sessions:
        assert session is not None
        session.makeConnection(StringTransport())
    assert [user.line for user in factory.users()] == [0, 1, 2]
    assert sessions[1] is not None
    sessions[1].connectionLost()
    again = factory.buildProtocol(None)
    assert again is not None
    assert again.line == 1


def idle(user: User, seconds: float) -> list[dict[str, Any]]:
    """What is said while nothing is typed."""
    user.clock.rightNow += seconds
    user.turns()
    return user.frames()


def test_an_idle_session_ends() -> None:
    user = User(exec_timeout=30.0)
    user.frames()
    assert idle(user, 29.0) == []
    user.send(id=5, request="help", line="")
    user.frames()
    assert idle(user, 29.0) == []
    (bye,) = idle(user, 2.0)
    assert bye == {"type": "bye", "text": "\nThis session ends: nothing was typed for 30 seconds.\n"}
    assert user.transport.disconnecting


def test_a_session_that_waits_for_an_answer_is_idle() -> None:
    user = User(exec_timeout=30.0)
    user.run("ask")
    user.turns()
    user.frames()
    assert idle(user, 31.0)[0]["type"] == "bye"


def test_a_session_whose_command_runs_is_not_idle() -> None:
    user = User(exec_timeout=30.0)
    user.run("endless")
    user.turns()
    user.session.pauseProducing()
    user.turns()
    user.frames()
    assert idle(user, 1000.0) == []
    assert not user.transport.disconnecting


def test_an_exec_timeout_that_comes_later_holds_too() -> None:
    user = User()
    user.frames()
    assert idle(user, LOOK + 1) == []
    user.shell.exec_timeout = 30.0
    assert idle(user, LOOK + 1)[0]["type"] == "bye"


def test_who_leaves_is_not_looked_at_any_more(user: User) -> None:
    user.session.connectionLost()
    assert user.clock.getDelayedCalls() == []


def test_there_is_a_bound_to_the_users() -> None:
    factory = ControlFactory(Clock(), EchoShell, account=lambda _: 0)
    sessions = [factory.buildProtocol(None) for _ in range(MAX_SESSIONS)]
    assert None not in sessions
    assert factory.buildProtocol(None) is None
    assert sessions[0] is not None
    sessions[0].makeConnection(StringTransport())
    sessions[0].connectionLost()
    assert factory.buildProtocol(None) is not None


# --- the socket


def test_the_service_listens_with_mode_0660(tmp_path: Path) -> None:
    reactor = MemoryReactorClock()
    service = ControlSocket(reactor, tmp_path / "control.sock", EchoShell)  # type: ignore[arg-type]
    service.startService()
    ((path, factory, _backlog, mode, _pid),) = reactor.unixServers
    assert (path, mode) == (str(tmp_path / "control.sock"), 0o660)
    assert isinstance(factory, ControlFactory)
    session, transport = factory.buildProtocol(None), StringTransport()
    assert session is not None
    ours, other = socket.socketpair(socket.AF_UNIX)
    transport.getHandle = lambda: ours  # type: ignore[attr-defined]
    with ours, other:
        session.makeConnection(transport)
    assert [(seen.line, seen.user) for seen in service.users()] == [(0, user_name(os.geteuid()))]
    service.stopService()
    assert transport.disconnected


def stale_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def test_a_stale_socket_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    stale_socket(path)
    make_way(path)
    assert not path.exists()


def test_a_socket_that_answers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(ControlSocketError, match="another snat daemon answers there"):
            make_way(path)
    assert path.exists()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(ControlSocketError, match="is not a socket"):
        make_way(path)
    assert path.read_text() == "precious"


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ControlSocketError, match="is not a directory; make it first"):
        make_way(tmp_path / "missing" / "control.sock")


DAEMON = """
import sys
from pathlib import Path
from twisted.internet import reactor
from tests.net.test_control import EchoShell
from snat.net.control import ControlSocket
service = ControlSocket(reactor, Path(sys.argv[1]), EchoShell)
service.startService()
reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
print("listening", flush=True)
reactor.run()
"""
Daemon = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def daemon(path: Path) -> Iterator[Daemon]:
    """Starts a process with a real reactor that listens; stopped at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        arguments = [sys.executable, "-c", DAEMON, str(path)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def connect(path: Path) -> "tuple[socket.socket, Any]":
    user = socket.socket(socket.AF_UNIX)
    user.settimeout(10)
    user.connect(str(path))
    return user, user.makefile("rb")


def test_two_users_on_a_real_socket_one_of_whom_does_not_read(path: Path, daemon: Daemon) -> None:
    process = daemon()
    assert stat.S_IMODE(path.stat().st_mode) == control.SOCKET_MODE
    sluggish, _ = connect(path)
    sluggish.sendall(b'{"id": 1, "request": "run", "line": "endless"}\n')
    user, frames = connect(path)
    assert json.loads(frames.readline())["type"] == "hello"
    user.sendall(b'{"id": 1, "request": "run", "line": "lines 20000"}\n')
    answers = [json.loads(frames.readline()) for _ in range(20001)]
    assert answers[-2]["text"] == "line 19999\n"
    assert answers[-1] == end()
    memory = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096
    assert memory < 200 * 2**20
    for closing in (frames, user, sluggish):
        closing.close()
    process.terminate()
    process.wait(timeout=10)
    assert not path.exists()


def test_a_killed_daemon_is_replaced_and_a_live_one_is_not(path: Path, daemon: Daemon) -> None:
    killed = daemon()
    killed.kill()
    killed.wait()
    assert path.is_socket()
    daemon()
    second = daemon()
    assert second.wait(timeout=10) != 0
    assert second.stderr is not None
    assert "another snat daemon answers there" in second.stderr.read()
    user, frames = connect(path)
    assert json.loads(frames.readline())["type"] == "hello"
    frames.close()
    user.close()
