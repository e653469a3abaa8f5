"""What a packet and an entry cost is counted in calls of functions, which no noise of a machine changes.

A count above its bound is a regression, to be undone or explained: the bounds are what was counted with
CPython 3.11, and a tenth. Later versions make fewer calls, since they inline comprehensions.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.receiver import Receiver
from snat.replication.sender import Sender
from snat.translate.translator import Translator
from snat.wire.framing import Framing
from snat.wire.header import Position
from tests.bench.codec import FEED, TERM, record
from tests.bench.table_size import packet_of, translator_of
from tests.packets import buffer, raw_udp

PACKETS = 1000
BATCH = 308
"""Records of one message."""
BATCHES = 20
_WEB = bytes((198, 51, 100, 2))


class Work(NamedTuple):
    """Calls for one item: of functions written in Python, and of functions written in C."""

    python: float
    c: float

    def within(self, counted: "Work") -> bool:
        """Whether this is no more than what was counted once, and a tenth."""
        return self.python <= counted.python * 1.1 and self.c <= counted.c * 1.1


def work(run: Callable[[], object], items: int) -> Work:
    """What one of so many items costs in a run."""
    python = c = 0

    def saw(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal python, c
        python += event == "call"
        c += event == "c_call"

    before = sys.getprofile()
    sys.setprofile(saw)
    try:
        run()
    finally:
        sys.setprofile(before)
    return Work(python / items, c / items)


def _datagrams() -> list[bytes]:
    return [raw_udp(bytes((10, 1, n >> 8, n & 255)), 5000, _WEB, 53) for n in range(PACKETS)]


def _passing(through: Translator, packets: list[bytes], now: float) -> Work:
    room, _ = buffer(b"")
    end = 10 + len(packets[0])

    def run() -> None:
        for packet in packets:
            room[10:end] = packet
            through.translate(room, end, False, now)

    return work(run, len(packets))


def test_the_count_sees_calls() -> None:
    """A guard that counts nothing would hold whatever happens."""

    def one() -> int:
        return len([abs(-1), abs(-2)])

    assert work(lambda: [one() for _ in range(100)], 100).python >= 1
    assert work(lambda: [one() for _ in range(100)], 100).c >= 3
    assert not Work(1.2, 5).within(Work(1, 5))
    assert not Work(1, 6).within(Work(1, 5))


def test_packets_of_new_and_of_known_flows() -> None:
    translator = translator_of(NatTable())
    translator.flows.manage(10, True, 0.0)
    packets = _datagrams()
    new = _passing(translator, packets, 0.0)
    assert translator.counters.created == PACKETS
    hit = _passing(translator, packets, 1.0)
    assert translator.counters.hits == PACKETS
    assert new.within(Work(41.8, 35.8)), new
    assert hit.within(Work(2, 5)), hit


def test_the_first_packet_of_an_entry_that_another_made() -> None:
    """What each flow costs once after a takeover."""
    table = NatTable()
    translator = translator_of(table)
    translator.flows.manage(10, True, 0.0)
    table.add([record(number) for number in range(PACKETS)])
    packets = [packet_of(number) for number in range(PACKETS)]
    found = _passing(translator, packets, 1.0)
    assert translator.counters.created == 0
    assert found.within(Work(43, 28)), found
    hit = _passing(translator, packets, 1.0)
    assert translator.counters.hits == PACKETS
    assert hit.within(Work(2, 5)), hit


def test_an_entry_that_is_queued_by_itself() -> None:
    """As a translator makes them: the table tells of each."""
    table = NatTable()
    sender = Sender(FeedState(FEED), table, TERM, FeedCounters())
    records = [record(number) for number in range(PACKETS)]

    def one_by_one() -> None:
        for each in records:
            table.add([each])

    queued = work(one_by_one, PACKETS)
    messages: list[bytes] = []
    encoded = work(lambda: messages.extend(sender.compile()), PACKETS)
    assert sum(map(len, messages)) > PACKETS * 50
    assert queued.within(Work(4, 5)), queued
    assert encoded.within(Work(0.05, 0.075)), encoded


def test_entries_that_are_replicated_in_bulk() -> None:
    """Encoding and applying a message of many entries: calls for the message, none for an entry."""
    table = NatTable()
    sender = Sender(FeedState(FEED), table, TERM, FeedCounters())
    records = [record(number) for number in range(BATCH * BATCHES)]
    messages: list[bytes] = []

    def encode() -> None:
        table.add(records)
        messages.extend(sender.compile())

    receiver = Receiver(FeedState(FEED, Position(TERM, 0)), NatTable(), FeedCounters(), synchronised=True)

    def apply() -> None:
        framing = Framing()
        for message in messages:
            framing.feed(message)
            for whole in framing.messages():
                receiver.apply(whole, 0.0)

    encoded, applied = work(encode, len(records)), work(apply, len(records))
    assert len(receiver.table) == len(records)
    assert encoded.within(Work(0.04, 0.065)), encoded
    assert applied.within(Work(0.16, 0.19)), applied
