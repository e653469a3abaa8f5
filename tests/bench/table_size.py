"""One size of the table in a process of its own: ``python -m tests.bench.table_size N``; one JSON object.

The entries are those of ``tests.bench.codec.record``, and each has a path, as its first packet makes one.
"""

import gc
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median

from snat.nat.access_list import AccessList, Line
from snat.nat.pool import SLOTS, Pool
from snat.nat.rules import Rule, Rules
from snat.nat.table import NatTable
from snat.nat.tracking import Timeouts
from snat.translate.translator import Translator
from tests.bench.codec import record
from tests.packets import buffer, raw_tcp, raw_udp

HOT = 10_000
DRAWN, NEW, REPEATS = 100_000, 20_000, 5
IDLE_S = 7440
"""After which an entry that nobody used is due."""
_BATCH = 1000
_WEB = bytes((198, 51, 100, 2))
_POOL = (int(IPv4Address("198.18.0.0")), int(IPv4Address("198.18.0.255")))
_ACK = 0x10


def translator_of(table: NatTable) -> Translator:
    """One with a pool apart from what the records use."""
    pool = Pool("P", [_POOL], range(SLOTS), random.Random(1))
    everyone = AccessList((Line(True, int(IPv4Address("10.0.0.0")), 0x00FFFFFF),))
    numbers = iter(range(1 << 40, 1 << 41))
    return Translator(
        table,
        Rules((Rule(everyone, pool, 10),), (pool,)),
        Timeouts(udp=IDLE_S, tcp=IDLE_S, syn=240, closing=240, finrst=60, icmp=60),
        identity=lambda: (1, next(numbers)),
        ttl_step=1,
        now=0.0,
    )


def packet_of(number: int) -> bytes:
    """An acknowledgement of the number-th entry from inside."""
    entry = record(number)
    return raw_tcp(entry[16:20], int.from_bytes(entry[20:22], "big"), _WEB, 443, flags=_ACK)


def measured(count: int) -> dict[str, float]:
    """All figures of one size; what the machine is slow at is in it, so the median of repeats is taken."""
    empty = _resident()
    table = NatTable()
    made = translator_of(table)
    for first in range(0, count, _BATCH):
        table.add([record(n) for n in range(first, first + _BATCH)])
    made.flows.manage(10, True, 0.0)
    for _ in range(0, count + _BATCH, _BATCH):
        made.expire(0.0)  # puts them on the wheel, some thousands at once
    gc.collect()
    entries = _resident()
    room, _ = buffer(b"")
    end = 10 + len(packet_of(0))
    translate = made.translate
    for number in range(count):
        room[10:end] = packet_of(number)
        translate(room, end, False, 1.0)
    paths = _resident()
    drawn = random.Random(count)
    hot = [packet_of(n) for n in drawn.sample(range(count), HOT)] * (DRAWN // HOT)
    uniform = [packet_of(drawn.randrange(count)) for _ in range(DRAWN)]

    def hits(packets: Sequence[bytes]) -> None:
        for packet in packets:
            room[10:end] = packet
            translate(room, end, False, 2.0)

    before = made.counters.hits
    figures = {
        "resident_bytes_per_entry": (entries - empty) / count,
        "resident_bytes_per_path": (paths - entries) / count,
        "hit_hot_us": _median(lambda: hits(hot), DRAWN),
        "hit_uniform_us": _median(lambda: hits(uniform), DRAWN),
    }
    assert made.counters.hits - before == 2 * REPEATS * DRAWN, "every packet is of a known flow"
    return figures | _new(made, room) | _expiry(made, table)


def _new(made: Translator, room: bytearray) -> dict[str, float]:
    """us a flow that is new to a table that is full; the median of parts of them."""
    taken = []
    for part in range(REPEATS):
        packets = [
            raw_udp(bytes((10, 200 + part, n >> 8, n & 255)), 5000, _WEB, 53) for n in range(NEW // REPEATS)
        ]
        end = 10 + len(packets[0])
        before, begin = made.counters.created, time.process_time()
        for packet in packets:
            room[10:end] = packet
            made.translate(room, end, False, 3.0)
        taken.append((time.process_time() - begin) / len(packets) * 1e6)
        assert made.counters.created - before == len(packets)
    return {"new_flow_us": median(taken)}


def _expiry(made: Translator, table: NatTable) -> dict[str, float]:
    """Entries a second of CPU that go when all are due, and the longest turn of that, in ms of CPU."""
    now, worst = 3.0 + 2 * IDLE_S, 0.0
    begin, entries, turns = time.process_time(), len(table), 0
    while len(table):
        start = time.process_time()
        made.expire(now)
        worst, turns = max(worst, time.process_time() - start), turns + 1
        assert turns < 1000 + entries / 100, f"{len(table)} entries stay"
    taken = time.process_time() - begin
    return {"expired_per_s": entries / taken, "expiry_turn_worst_ms": worst * 1000}


def _median(run: Callable[[], object], count: int) -> float:
    """us of one of so many."""
    taken = []
    gc.collect()
    gc.disable()
    for _ in range(REPEATS):
        begin = time.process_time()
        run()
        taken.append((time.process_time() - begin) / count * 1e6)
    gc.enable()
    return median(taken)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]))))
