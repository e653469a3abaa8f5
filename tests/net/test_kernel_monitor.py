"""When the kernel is looked at, what of its messages asks for that, and what is said."""

import errno
import socket
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from twisted.internet.testing import MemoryReactorClock

from snat.net import kernel_events, kernel_monitor
from snat.net.kernel_events import KernelEvents, concerns_us
from snat.net.kernel_monitor import FIRST_WAIT, GATHER, LONGEST_WAIT, LOOK, KernelMonitor, Pace
from snat.net.netlink import PROTOCOL
from snat.net.refused import KernelRefused
from tests.net.memory import Log


def message(kind: int, body: bytes = bytes(12)) -> bytes:
    """A netlink message, aligned."""
    padded = body + bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + padded


def encoded(made: Any, kind: int) -> bytes:
    """As pyroute2 writes it: an independent witness of where the fields are."""
    made["header"]["type"] = kind
    made.encode()
    return bytes(made.data)


def route(protocol: int, kind: int = 24) -> bytes:
    made = rtmsg()
    made["family"], made["proto"], made["table"] = socket.AF_INET, protocol, 254
    made["attrs"] = [("RTA_DST", "192.0.2.1")]
    return encoded(made, kind)


def neighbour(flags: int, kind: int = 28) -> bytes:
    made = ndmsg()
    made["family"], made["flags"], made["ifindex"] = socket.AF_INET, flags, 3
    made["attrs"] = [("NDA_DST", "192.0.2.1")]
    return encoded(made, kind)


@pytest.mark.parametrize(
    ("datagram", "concerns"),
    [
        (b"", False),
        *((message(kind), True) for kind in (16, 17, 20, 21, 32, 33)),
        (route(PROTOCOL), True),
        (route(PROTOCOL, 25), True),
        (route(186), False),
        (route(186, 25), False),
        (neighbour(0), False),
        (neighbour(8), True),
        (neighbour(8, 29), True),
        (message(99), False),
        (route(186) * 50 + route(PROTOCOL), True),
        (neighbour(0) + message(33), True),
        (message(24, b""), False),
        (message(28, b""), False),
    ],
)
def test_what_concerns_us(datagram: bytes, concerns: bool) -> None:
    assert concerns_us(datagram) is concerns


@given(st.binary(max_size=100))
def test_no_bytes_break_the_reader(datagram: bytes) -> None:
    assert concerns_us(datagram) in (True, False)


# When


def test_a_change_is_looked_at_soon_and_the_next_later() -> None:
    pace = Pace(100.0)
    assert pace.due == 100.0 + LOOK
    pace.noticed(110.0)
    pace.noticed(110.04)
    assert pace.due == 110.0 + GATHER, "a burst is one change"
    pace.looked(True, 110.1)
    pace.noticed(110.2)
    assert pace.due == 110.1 + FIRST_WAIT


def test_a_look_that_changed_nothing_delays_nothing() -> None:
    pace = Pace(100.0)
    pace.looked(False, 101.0)
    assert pace.due == 101.0 + LOOK
    pace.noticed(101.0)
    assert pace.due == 101.0 + GATHER


def test_who_insists_is_answered_ever_slower() -> None:
    pace, now, waits = Pace(0.0), 0.0, []
    for _ in range(9):
        pace.noticed(now)
        waits.append(round(pace.due - now, 6))
        now = pace.due
        pace.looked(True, now)
    assert waits == [GATHER, 1, 2, 4, 8, 16, 32, LONGEST_WAIT, LONGEST_WAIT]
    assert pace.due == now + LONGEST_WAIT, "time does not ask earlier either"
    now += 2 * LONGEST_WAIT + 1
    pace.looked(True, now)
    assert pace.due == now + LOOK
    pace.noticed(now)
    assert pace.due == now + FIRST_WAIT, "it had lasted for a minute"


def test_what_cannot_be_helped_is_tried_again_when_something_changes() -> None:
    pace, now = Pace(0.0), 0.0
    for _ in range(10):
        pace.refused(now)
        assert pace.due == now + LOOK
        pace.noticed(now)
        assert pace.due == now + FIRST_WAIT
        now = pace.due


# The monitor


class Kernel:
    """What a look finds."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.refusal: KernelRefused | None = None
        self.looks = 0

    def restore(self) -> Sequence[str]:
        self.looks += 1
        if self.refusal is not None:
            raise self.refusal
        put_back, self.wrong = self.wrong, []
        return put_back


class Events:
    """The socket's place."""

    made: "list[Events]"

    def __init__(self, _reactor: object, noticed: Any) -> None:
        self.noticed = noticed
        self.stopped = False
        Events.made.append(self)

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def clock() -> MemoryReactorClock:
    return MemoryReactorClock()


@pytest.fixture
def monitor(kernel: Kernel, clock: MemoryReactorClock, monkeypatch: pytest.MonkeyPatch) -> KernelMonitor:
    Events.made = []
    monkeypatch.setattr(kernel_monitor, "KernelEvents", Events)
    made = KernelMonitor(clock, kernel.restore)  # type: ignore[arg-type]
    made.start()
    return made


def test_it_looks_after_changes_and_now_and_then(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock
) -> None:
    (events,) = Events.made
    events.noticed()
    events.noticed()
    assert kernel.looks == 0
    clock.advance(GATHER)
    assert kernel.looks == 1
    clock.pump([LOOK / 2] * 4)
    assert kernel.looks == 3
    assert monitor.counters.looks == 3
    assert monitor.counters.restored == 0


def test_what_is_put_back_is_counted_and_said(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    kernel.wrong = [f"rule {number}" for number in range(7)]
    Events.made[0].noticed()
    clock.advance(GATHER)
    assert monitor.counters.restored == 7
    (said,) = log.lines()
    assert "put back: rule 0, rule 1, rule 2, rule 3, rule 4 and 2 more" in said
    Events.made[0].noticed()
    clock.advance(FIRST_WAIT)
    assert len(log.lines()) == 1, "our own changes come back as events, and are no news"


def test_a_refusal_is_said_once_until_it_is_over(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    kernel.refusal = KernelRefused("no such interface", where="interface in0", remedy="there are: lo")
    for _ in range(3):
        clock.advance(LOOK)
    assert monitor.counters.refused == 3
    assert [line for line in log.lines() if "no such interface" in line] == log.lines()
    assert len(log.lines()) == 1
    kernel.refusal, kernel.wrong = None, ["in0 group 1001"]
    Events.made[0].noticed()
    clock.advance(FIRST_WAIT)
    assert "as it should be again" in log.lines()[1]
    assert "put back: in0 group 1001" in log.lines()[2]


def test_after_the_stop_nothing_is_looked_at(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock
) -> None:
    monitor.stop()
    assert Events.made[0].stopped
    clock.advance(10 * LOOK)
    assert kernel.looks == 0
    assert clock.getDelayedCalls() == []
    monitor.stop()


# The socket


class Reader:
    """A reactor that reads when it is told to."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)


class Socket:
    """Datagrams, or errors, in order; then nothing."""

    def __init__(self, *script: bytes | OSError) -> None:
        self.script = list(script)
        self.closed = False

    def recv(self, _size: int) -> bytes:
        if not self.script:
            raise BlockingIOError
        found = self.script.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    def setblocking(self, _flag: bool) -> None: ...
    def bind(self, _address: tuple[int, int]) -> None: ...

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("script", "noticed"),
    [
        ([], 0),
        ([route(186)], 0),
        ([route(186), route(PROTOCOL), route(PROTOCOL)], 1),
        ([OSError(errno.ENOBUFS, "lost"), route(186)], 1),
        ([route(186)] * 100, 0),
    ],
)
def test_the_socket_is_read_in_bounded_turns(
    script: list[bytes | OSError], noticed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, heard, reader = Socket(*script), list[int](), Reader()
    monkeypatch.setattr(socket, "socket", lambda *_: fake)
    events = KernelEvents(reader, lambda: heard.append(1))  # type: ignore[arg-type]
    assert reader.readers == [events]
    events.doRead()
    assert len(heard) == noticed
    assert len(fake.script) == max(0, len(script) - kernel_events.READS_PER_TURN)
    events.stop()
    assert fake.closed
    assert reader.readers == []


def test_the_kernel_lets_anybody_listen() -> None:
    reader = Reader()
    events = KernelEvents(reader, lambda: None)  # type: ignore[arg-type]
    assert events.fileno() >= 0
    events.doRead()
    events.stop()
