"""The log of the router: what messages look like, and where they go."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import CannotListenError
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from snat.config.model import Level, Logging, Stamp, StampKind
from snat.net.log import MESSAGES
from snat.net.message import LONGEST, Message, message_of, plain, stamped
from snat.net.syslog import SystemLog
from snat.net.trap import FACILITIES, LONGEST_DATAGRAM, TrapHosts, encoded
from snat.status import Clock
from tests.net.memory import Log

NOW = Clock(seconds=4.123, zone="CET", offset=3600)  # 00:00:04.123 of 1 January 1970
HOST = IPv4Address("192.0.2.9")
STAMP = "*Jan  1 00:00:04.123: "
said = Logger(namespace="snat.test", observer=MESSAGES)
twisted = Logger(namespace="twisted.test")


@dataclass
class Socket:
    """A UDP transport that keeps what is sent, or refuses it."""

    sent: list[tuple[bytes, tuple[str, int]]] = field(default_factory=list)
    refusal: OSError | None = None
    closed: bool = False

    def write(self, data: bytes, address: tuple[str, int]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append((data, address))

    def stopListening(self) -> None:
        self.closed = True


class Reactor(MemoryReactorClock):
    """A reactor with UDP, and with calls from threads that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[Socket] = []
        self.full = False
        self.called: list[tuple[Any, ...]] = []

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Any:  # noqa: N803
        if self.full:
            raise CannotListenError(interface, port, OSError("no room"))
        twisted.info("starting on a port")  # as Twisted does
        protocol.transport = Socket()
        self.sockets.append(protocol.transport)
        return protocol.transport

    def callFromThread(self, *call: Any) -> None:
        self.called.append(call)


class Scene:
    """A log that is attached."""

    def __init__(self, **settings: Any) -> None:
        self.reactor = Reactor()
        live: Any = self.reactor
        self.log = SystemLog(live, lambda: NOW)
        self.configure(**settings)
        self.log.attach()

    def configure(self, **settings: Any) -> None:
        self.log.configure(replace(Logging(), **settings), "R1")

    @property
    def lines(self) -> list[str]:
        return list(self.log.status().lines)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.log.detach()


# --- the form of a message


def event(text: str = "text", **fields: Any) -> Message:
    made = message_of({"log_format": text, "log_level": LogLevel.info, **fields})
    assert made is not None
    return made


def test_a_message_is_called_by_its_mnemonic() -> None:
    made = event("Id {nat_id}, System fully converged", nat_id=1, mnemonic="SNAT-5-PROCESS")
    assert made.level is Level.NOTIFICATIONS
    assert made.body == "%SNAT-5-PROCESS: Id 1, System fully converged"


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"log_namespace": "snat", "log_level": LogLevel.warn}, "SNAT-4-WARNING"),
        ({"log_namespace": "snat.net.tun", "log_level": LogLevel.error}, "SNAT-3-ERROR"),
        ({"log_namespace": "twisted.internet", "log_level": LogLevel.info}, "SYS-6-INFO"),
        ({"log_level": LogLevel.critical}, "SYS-2-CRITICAL"),
        ({"log_level": LogLevel.debug, "mnemonic": ""}, "SYS-7-DEBUG"),
        ({"mnemonic": "SNAT-9-BAD"}, "SYS-6-INFO"),
        ({"mnemonic": "SNAT-5-TWO WORDS"}, "SYS-6-INFO"),
    ],
)
def test_without_one_it_is_called_by_its_level(fields: dict[str, Any], label: str) -> None:
    made = event(**fields)
    assert made.label == label
    assert made.level == int(label.split("-")[1])


def test_a_failure_is_told_with_its_reason() -> None:
    made = event("the look ended", log_failure=Failure(ValueError("a\nb")), log_level=LogLevel.critical)
    assert made.body == "%SYS-2-CRITICAL: the look ended: ValueError: a b"


def test_an_event_without_words_is_no_message() -> None:
    assert message_of({"log_level": LogLevel.info}) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("r2: host Not Found", "r2: host absent"),
        ("ERROR: it fails", "error - it fails"),
        ("TCP connection timed out: 110", "TCP no connection in time: 110"),
        ("% Invalid thing", "Invalid thing"),
        ("enable secret 9 $9$abc", "enable secret *****"),
        ("password hunter2", "password *****"),
        ("two\r\nlines\x1b[2J", "two lines [2J"),
    ],
)
def test_no_tool_takes_it_for_a_failure_and_no_secret_is_in_it(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(max_size=3 * LONGEST))
def test_any_text_is_one_bounded_line(text: str) -> None:
    made = plain(text)
    assert made.isprintable()
    assert len(made) <= LONGEST
    assert "not found" not in made.lower()
    assert "ERROR:" not in made


@pytest.mark.parametrize(
    ("stamp", "shown"),
    [
        (None, ""),
        (Stamp(), "*Jan  1 00:00:04: "),
        (Stamp(milliseconds=True), STAMP),
        (Stamp(show_timezone=True), "*Jan  1 00:00:04 UTC: "),
        (Stamp(localtime=True, show_timezone=True), "*Jan  1 01:00:04 CET: "),
        (Stamp(kind=StampKind.UPTIME), "01:02:03: "),
    ],
)
def test_how_messages_are_dated(stamp: Stamp | None, shown: str) -> None:
    assert stamped(stamp, NOW, 3723.9) == shown


def test_the_star_goes_when_something_keeps_the_clock_right() -> None:
    assert stamped(Stamp(), replace(NOW, synchronised=True), 0) == "Jan  1 00:00:04: "


@pytest.mark.parametrize(
    ("seconds", "shown"), [(59, "00:00:59: "), (86399, "23:59:59: "), (93600, "1d02h: "), (777600, "1w2d: ")]
)
def test_spans_of_uptime(seconds: float, shown: str) -> None:
    assert stamped(Stamp(kind=StampKind.UPTIME), NOW, seconds) == shown


# --- the buffer


def test_messages_are_kept(scene: Scene) -> None:
    said.info("Id {nat_id}, System start converging", nat_id=1, mnemonic="SNAT-5-PROCESS")
    said.debug("{line}", line="NAT: s=1->2", debugging=True)
    twisted.info("something of Twisted")
    assert scene.lines == [
        f"{STAMP}%SNAT-5-PROCESS: Id 1, System start converging",
        f"{STAMP}NAT: s=1->2",
        f"{STAMP}%SYS-6-INFO: something of Twisted",
    ]
    assert scene.log.status().buffered == 3
    scene.log.clear()
    assert scene.lines == []


def test_stamps_and_numbers_are_configured(scene: Scene) -> None:
    scene.configure(log_stamp=None, debug_stamp=Stamp(kind=StampKind.UPTIME), sequence_numbers=True)
    scene.reactor.advance(62)
    said.info("one", mnemonic="SYS-5-ONE")
    said.debug("{line}", line="two", debugging=True)
    assert scene.lines == ["000001: %SYS-5-ONE: one", "000002: 00:01:02: two"]


def test_the_oldest_go_when_the_buffer_is_full(scene: Scene) -> None:
    scene.configure(buffer_size=4096, log_stamp=None)
    for number in range(1000):
        said.info("message {number:04} é", number=number, mnemonic="SYS-5-M")
    size = len(f"%SYS-5-M: message {0:04} é\n".encode())
    assert len(scene.lines) == 4096 // size
    assert scene.lines[-1] == "%SYS-5-M: message 0999 é"
    scene.configure(buffer_size=size, log_stamp=None)
    assert scene.lines == ["%SYS-5-M: message 0999 é"]
    scene.log.clear()
    said.info("{text}", text="x" * LONGEST, mnemonic="SYS-5-M")
    assert scene.lines == []  # longer than all the room


def test_a_buffer_takes_what_is_severe_enough(scene: Scene) -> None:
    scene.configure(buffered=Level.WARNINGS)
    said.warn("yes")
    said.info("no")
    said.info("yes too", mnemonic="SNAT-3-X")
    assert [line.split(": ")[-1] for line in scene.lines] == ["yes", "yes too"]
    scene.configure(buffered=None)
    said.critical("no")
    assert scene.log.status().buffered == 2


# --- the console


def test_the_log_of_the_daemon_gets_each_message_once_and_as_it_was(scene: Scene, log: Log) -> None:
    said.info("text {number}", number=1, mnemonic="SYS-5-ONE")
    twisted.info("twisted")
    assert log.lines() == ["text 1", "twisted"]
    assert scene.log.status().console == 2


def test_the_console_may_want_less_but_what_is_not_ours(scene: Scene, log: Log) -> None:
    scene.configure(console=Level.WARNINGS)
    said.info("left out")
    said.warn("severe")
    scene.configure(console=None)
    said.critical("left out")
    twisted.info("twisted")
    assert log.lines() == ["severe", "twisted"]
    assert len(scene.lines) == 4


def test_detached_all_goes_to_the_log_of_the_daemon(log: Log) -> None:
    scene = Scene(console=None)
    said.info("not there")
    scene.log.detach()
    said.info("there")
    assert log.lines() == ["there"]
    assert len(scene.lines) == 1


def test_without_logging_there_is_the_console_alone(scene: Scene, log: Log) -> None:
    scene.configure(on=False, hosts=(HOST,))
    said.warn("text")
    assert log.lines() == ["text"]
    assert scene.lines == []
    assert scene.reactor.sockets == []


# --- sessions


def test_sessions_get_lines_and_those_that_do_not_are_counted(scene: Scene) -> None:
    got: list[str] = []

    def take(line: str) -> int:
        got.append(line)
        return 2

    scene.log.monitor = take
    said.info("text", mnemonic="SYS-5-ONE")
    scene.configure(monitor=Level.ERRORS)
    said.info("left out", mnemonic="SYS-5-ONE")
    assert got == [f"{STAMP}%SYS-5-ONE: text"]
    assert (scene.log.status().monitor, scene.log.status().dropped) == (1, 2)


# --- hosts


def test_hosts_get_datagrams(scene: Scene) -> None:
    scene.configure(hosts=(HOST, IPv4Address("192.0.2.10")))
    said.info("Configured from console by a on vty0", mnemonic="SYS-5-CONFIG_I")
    said.debug("{line}", line="too much for a host", debugging=True)
    (udp,) = scene.reactor.sockets
    datagram = b"<189>Jan  1 01:00:04 R1 snatd: %SYS-5-CONFIG_I: Configured from console by a on vty0"
    assert udp.sent == [(datagram, ("192.0.2.9", 514)), (datagram, ("192.0.2.10", 514))]
    status = scene.log.status()
    assert (status.trap, status.dropped) == (1, 0)
    assert [(host.address, host.sent, host.dropped) for host in status.hosts] == [
        ("192.0.2.9", 1, 0),
        ("192.0.2.10", 1, 0),
    ]
    scene.configure()
    assert udp.closed
    assert [line.split(": ")[1] for line in scene.lines] == ["%SYS-5-CONFIG_I", "too much for a host"]


def test_what_cannot_be_sent_is_counted_and_nothing_else(scene: Scene, log: Log) -> None:
    scene.configure(hosts=(HOST,))
    scene.reactor.full = True
    said.warn("one")
    scene.reactor.full = False
    said.warn("two")
    scene.reactor.sockets[0].refusal = OSError("Network is unreachable")
    said.warn("three")
    (host,) = scene.log.status().hosts
    assert (host.sent, host.dropped, scene.log.status().dropped) == (1, 2, 2)
    assert log.lines() == ["one", "two", "starting on a port", "three"]


@pytest.mark.parametrize(
    ("facility", "level", "priority"),
    [("local7", Level.NOTIFICATIONS, 189), ("kern", Level.EMERGENCIES, 0), ("local0", Level.DEBUGGING, 135)],
)
def test_the_priority(facility: str, level: Level, priority: int) -> None:
    made = encoded(Message(level=level, label="A-1-B", text="t"), facility, "R1", NOW)
    assert made.startswith(f"<{priority}>Jan ".encode())


@given(st.text(max_size=LONGEST), st.sampled_from(sorted(FACILITIES)))
def test_a_datagram_is_bounded(text: str, facility: str) -> None:
    for long in (text, text + "é" * LONGEST, text + "xé" * LONGEST):
        made = encoded(Message(level=Level.ERRORS, label="A-3-B", text=long), facility, "R" * 63, NOW)
        assert len(made) <= LONGEST_DATAGRAM
        made.decode()


def test_a_datagram_arrives() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        reactor: Any = SelectReactor()
        hosts = TrapHosts(reactor, collector.getsockname()[1])
        hosts.configure([IPv4Address("127.0.0.1")])
        message = event("Id 1, System fully converged", mnemonic="SNAT-5-PROCESS")
        assert hosts.send(message, "local7", "R1", NOW) == 0
        datagram, _ = collector.recvfrom(2048)
        hosts.close()
        for _ in range(100):  # until the socket is let go
            if not reactor.getReaders():
                break
            reactor.iterate(0)
        for descriptor in reactor.removeAll():
            descriptor.connectionLost(Failure(ConnectionError()))
    assert datagram == b"<189>Jan  1 01:00:04 R1 snatd: %SNAT-5-PROCESS: Id 1, System fully converged"


# --- threads


def test_a_message_of_another_thread_waits_for_the_reactor(scene: Scene, log: Log) -> None:
    def speak() -> None:
        said.info("ours")
        twisted.info("theirs")

    thread = Thread(target=speak)
    thread.start()
    thread.join()
    assert scene.lines == []
    for function, *arguments in scene.reactor.called:
        function(*arguments)
    assert [line.split(": ")[-1] for line in scene.lines] == ["ours", "theirs"]
    assert log.lines() == ["theirs", "ours"]
