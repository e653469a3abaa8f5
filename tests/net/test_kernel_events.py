"""What the kernel tells, what its filter lets through, and how much of it is read in a turn."""

import errno
import socket
import struct
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from snat.net.kernel_events import READS_PER_TURN, EventCounters, KernelEvents, route_filter, subscribe
from snat.net.netlink import PROTOCOL, TABLE_MAIN
from tests.net.memory import Log

LOAD_HALF, LOAD_BYTE, EQUALS, RETURN = 0x28, 0x30, 0x15, 0x06


def passes(message: bytes) -> bool:
    """An interpreter of the few instructions used (linux/filter.h), which take network byte order."""
    program = list(struct.iter_unpack("=HBBI", route_filter()))
    accumulator = at = 0
    while True:
        code, when, otherwise, operand = program[at]
        at += 1
        match code:
            case _ if code == LOAD_HALF:
                (accumulator,) = struct.unpack_from("!H", message, operand)
            case _ if code == LOAD_BYTE:
                accumulator = message[operand]
            case _ if code == EQUALS:
                at += when if accumulator == operand else otherwise
            case _:
                assert code == RETURN
                return bool(operand)


def encoded(made: Any, kind: int) -> bytes:
    """As pyroute2 writes it: an independent witness of where the fields are."""
    made["header"]["type"] = kind
    made.encode()
    return bytes(made.data)


def route(protocol: int, kind: int = 24, table: int = TABLE_MAIN) -> bytes:
    made = rtmsg()
    made["family"], made["proto"] = socket.AF_INET, protocol
    made["table"] = table if table < 256 else 252
    made["attrs"] = [("RTA_DST", "192.0.2.1"), ("RTA_TABLE", table)]
    return encoded(made, kind)


@pytest.mark.parametrize("kind", [24, 25])
def test_of_routes_only_those_that_can_be_ours_are_told(kind: int) -> None:
    assert passes(route(PROTOCOL, kind))
    assert passes(route(4, kind, 1001)), "somebody else's in one of our tables"
    assert not passes(route(4, kind))
    assert not passes(route(186, kind, 100))


def test_all_else_is_told() -> None:
    for kind in (16, 17, 20, 21, 32, 33):
        assert passes(encoded(ndmsg(), kind))


@given(st.binary(min_size=22, max_size=60))
def test_every_message_has_an_answer(message: bytes) -> None:
    assert passes(message) in (True, False)


# Reading


class Reactor:
    """Reads when it is told to."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)


class Socket:
    """Messages, or errors, in order; then nothing."""

    def __init__(self, *script: OSError | None) -> None:
        self.script = list(script)
        self.closed = False

    def recv_into(self, buffer: bytearray) -> int:
        if not self.script:
            raise BlockingIOError
        found = self.script.pop(0)
        if found is not None:
            raise found
        return len(buffer)

    def fileno(self) -> int:
        return -1 if self.closed else 7

    def close(self) -> None:
        self.closed = True


LOST: Final = OSError(errno.ENOBUFS, "No buffer space available")


@pytest.mark.parametrize(
    ("script", "counted"),
    [
        ((), EventCounters()),
        ((None,) * 3, EventCounters(events=3)),
        ((LOST, None), EventCounters(events=1, overruns=1)),
        ((None,) * (READS_PER_TURN + 9), EventCounters(events=READS_PER_TURN)),
    ],
)
def test_a_turn_is_bounded_and_told_once(script: tuple[OSError | None, ...], counted: EventCounters) -> None:
    fake, heard, reactor, counters = Socket(*script), list[int](), Reactor(), EventCounters()
    live: Any = reactor
    listening: Any = fake
    events = KernelEvents(listening, live, lambda: heard.append(1), counters)
    assert reactor.readers == [events]
    assert events.doRead() is None
    assert (heard, counters) == ([1], counted)
    assert len(fake.script) == max(0, len(script) - READS_PER_TURN)
    events.stop()
    assert fake.closed
    assert reactor.readers == []


def test_a_socket_that_fails_is_told_of_and_closed(log: Log) -> None:
    fake, reactor = Socket(OSError(errno.EBADF, "Bad file descriptor")), Reactor()
    events = KernelEvents(fake, reactor, lambda: None, EventCounters())  # type: ignore[arg-type]
    failure = events.doRead()
    assert failure is not None
    events.connectionLost(failure)
    assert fake.closed
    assert events.fileno() == -1
    (line,) = log.lines()
    assert "does not tell of changes any more: [Errno 9] Bad file descriptor" in line
    events.connectionLost(Failure(ConnectionLost()))
    assert len(log.lines()) == 1


def test_the_kernel_lets_anybody_listen() -> None:
    with subscribe() as listening:
        assert listening.gettimeout() == 0.0
