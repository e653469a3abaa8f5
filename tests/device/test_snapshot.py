"""The table's snapshot: bytes that come back, bytes that are refused, and a device that begins with one."""

import random
import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.packet import Packet
from xxhash import xxh3_64_intdigest

from snat.config.model import Configuration, ConfiguredRole
from snat.device import snapshot
from snat.device.device import Device
from snat.device.events import Noted
from snat.device.snapshot import (
    HASH,
    HEADER,
    KEPT,
    LENGTH,
    MAGIC,
    VERSION,
    Snapshot,
    SnapshotDamagedError,
    SnapshotEncoder,
    decode,
    fill,
)
from snat.nat.entry import MAXIMUM_CONTEXT, NEVER, PLAIN_SIZE, TAIL, Entry, Flag
from snat.nat.table import NatTable
from snat.replication.digest import FeedDigest
from snat.replication.feed import FeedState
from snat.translate.translator import Verdict
from snat.wire.actions import Standing
from snat.wire.header import Feed, Position, Term
from tests import packets
from tests.nat.records import MAPPING, record
from tests.simulation.network import configuration

FEED = Feed(0, MAPPING)
HERE = Position(Term(7, 2), 1 << 40)
DATE = 1_700_000_000


def own_tail(entry: bytes, _: float) -> int:
    return int.from_bytes(entry[-4:], "big")


def left(entry: bytes) -> int:
    return own_tail(entry, 0.0)


def flow(number: int, **fields: object) -> bytes:
    """An entry of an endpoint of its own."""
    ends = {"inside_local": ("10.0.0.2", 5000 + number), "inside_global": ("203.0.113.1", 5000 + number)}
    return record(number, **({"remaining": 300} | ends | fields))  # type: ignore[arg-type]


def encoded(
    records: Iterable[bytes], positions: Mapping[Feed, Position] | None = None, *, slice_: int = 3
) -> bytes:
    table = NatTable()
    table.add(list(records))
    encoder = SnapshotEncoder(table, positions or {}, own_tail, date=DATE, now=0.0)
    while encoder.step(slice_):
        pass
    data = b"".join(encoder.parts())
    assert len(data) == encoder.size
    return data


def signed(data: bytes) -> bytes:
    """With the right checksum: only what it says can be wrong."""
    return data + HASH.pack(xxh3_64_intdigest(data))


# Bytes


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
def test_a_table_comes_back_in_whatever_slices_it_is_taken(count: int) -> None:
    records = [flow(number) for number in range(count)]
    got = decode(encoded(records, {FEED: HERE, Feed(0, 20): Position()}))
    assert sorted(got.records) == sorted(records)
    assert got.positions == {FEED: HERE, Feed(0, 20): Position()}
    assert (got.date, got.age, got.expired) == (DATE, 0, 0)


def test_entries_with_context_and_several_flows_of_an_endpoint_come_back() -> None:
    near: dict[str, object] = {"inside_local": ("10.0.0.2", 5000), "inside_global": ("203.0.113.1", 5000)}
    records = [flow(n, outside=(f"198.51.100.{n}", 53), **near) for n in range(1, 9)]
    records += [flow(20, context=b"x"), flow(21, context=bytes(MAXIMUM_CONTEXT))]
    assert sorted(decode(encoded(records)).records) == sorted(records)


def test_local_entries_are_in_it_and_static_ones_are_not() -> None:
    local = flow(1, nat_id=0, mapping_id=0)
    static = Entry.unpack(flow(2))._replace(flags=Flag.EXTENDED | Flag.STATIC).pack()
    assert decode(encoded([local, static])).records == [local]


def test_the_layout_is_the_documented_one() -> None:
    """Written out by hand: a later version must still read what this one wrote, or say that it cannot."""
    entry = flow(1)
    by_hand = struct.pack("!8sHHIQQ", b"snat tbl", 1, 0, 1, DATE, 1)
    by_hand += struct.pack("!IIIIQ", 0, MAPPING, 7, 2, 1 << 40)
    by_hand += struct.pack("!H", len(entry)) + entry
    assert encoded([entry], {FEED: HERE}) == by_hand + struct.pack("!Q", xxh3_64_intdigest(by_hand))


def test_what_remains_is_asked_for_as_of_the_date_however_late_the_slice() -> None:
    asked: list[float] = []

    def remaining(_: bytes, now: float) -> int:
        asked.append(now)
        return 42

    table = NatTable()
    table.add([flow(1), flow(2)])
    encoder = SnapshotEncoder(table, {}, remaining, date=DATE, now=77.0)
    while encoder.step(1):
        pass
    assert [left(one) for one in decode(b"".join(encoder.parts())).records] == [42, 42]
    assert asked == [77.0, 77.0]


def test_a_walk_survives_changes_and_every_entry_that_stays_is_in_it_once() -> None:
    table = NatTable()
    stay = [flow(number) for number in range(20)]
    go = [flow(number) for number in range(100, 120)]
    table.add([entry for both in zip(stay, go, strict=True) for entry in both])
    encoder = SnapshotEncoder(table, {}, own_tail, date=DATE, now=0.0)
    come = 1000
    while encoder.step(4):
        table.remove([go.pop()])
        table.add([flow(come := come + 1)])
    taken = decode(b"".join(encoder.parts())).records
    assert set(stay) <= set(taken)
    assert len(taken) == len(set(taken))


def test_a_walk_survives_changes_in_the_middle_of_an_endpoint() -> None:
    near: dict[str, object] = {"inside_local": ("10.0.0.2", 5000), "inside_global": ("203.0.113.1", 5000)}
    records = [flow(n, outside=(f"198.51.100.{n}", 53), **near) for n in range(1, 9)]
    table = NatTable()
    table.add(records)
    encoder = SnapshotEncoder(table, {}, own_tail, date=DATE, now=0.0)
    encoder.step(2)
    table.remove(records[4:])
    table.add([flow(20, outside=("198.51.100.20", 53), **near)])
    while encoder.step(2):
        pass
    assert set(records[:4]) <= set(decode(b"".join(encoder.parts())).records)


def damaged(data: bytes) -> str:
    with pytest.raises(SnapshotDamagedError) as caught:
        decode(data)
    return str(caught.value)


GOOD = encoded([flow(1), flow(2, context=b"context")], {FEED: HERE})
BODY = GOOD[: -HASH.size]
FEEDS_AT, ENTRIES_AT = 12, 24
FIRST = HEADER.size + KEPT.size


def with_number(at: int, size: int, value: int) -> bytes:
    return signed(BODY[:at] + value.to_bytes(size, "big") + BODY[at + size :])


def test_what_is_no_snapshot_is_said_to_be_none() -> None:
    assert damaged(b"") == "0 bytes are no snapshot"
    assert damaged(GOOD[:39]) == "39 bytes are no snapshot"
    assert damaged(signed(b"SNAT TBL" + BODY[8:])) == "it does not begin as a snapshot does"
    later = signed(BODY[:8] + b"\0\2" + BODY[10:])
    assert damaged(later) == f"it has format 2; this router reads {VERSION}"


def test_a_longer_one_than_is_ever_written_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAXIMUM_BYTES", len(GOOD))
    decode(GOOD)
    monkeypatch.setattr(snapshot, "MAXIMUM_BYTES", len(GOOD) - 1)
    assert damaged(GOOD) == f"{len(GOOD)} bytes are no snapshot"


def test_every_single_changed_or_missing_byte_is_noticed() -> None:
    for at in range(len(GOOD)):
        damaged(GOOD[:at] + bytes((GOOD[at] ^ 1,)) + GOOD[at + 1 :])
        damaged(GOOD[:at])
    damaged(GOOD + b"\0")


@pytest.mark.parametrize("count", [2, 1000, 0xFFFFFFFF])
def test_no_count_of_feeds_is_believed_that_cannot_be(count: int) -> None:
    text = damaged(with_number(FEEDS_AT, 4, count))
    assert "cannot hold" in text or "has a length of" in text


def test_no_more_feeds_are_read_than_a_device_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAXIMUM_FEEDS", 0)
    assert damaged(GOOD) == "it cannot hold 1 feeds"


@pytest.mark.parametrize("count", [3, 1 << 63, (1 << 64) - 1])
def test_no_count_of_entries_is_believed_that_cannot_be(count: int) -> None:
    assert damaged(with_number(ENTRIES_AT, 8, count)) == f"it cannot hold {count} entries"


@pytest.mark.parametrize("length", [0, PLAIN_SIZE - 1, PLAIN_SIZE + MAXIMUM_CONTEXT + 1, 0xFFFF])
def test_no_length_of_an_entry_is_believed_that_cannot_be(length: int) -> None:
    text = damaged(with_number(FIRST, LENGTH.size, length))
    assert text == f"entry 1 of 2 has a length of {length} bytes"


def test_an_entry_longer_than_what_is_left_is_refused() -> None:
    second = FIRST + LENGTH.size + PLAIN_SIZE
    text = damaged(with_number(second, LENGTH.size, PLAIN_SIZE + 8))
    assert text == f"entry 2 of 2 has a length of {PLAIN_SIZE + 8} bytes"


def test_an_entry_longer_than_any_is_refused_though_the_bytes_are_there() -> None:
    length = PLAIN_SIZE + MAXIMUM_CONTEXT + 1
    header = HEADER.pack(MAGIC, VERSION, 0, DATE, 1)
    text = damaged(signed(header + LENGTH.pack(length) + bytes(length)))
    assert text == f"entry 1 of 1 has a length of {length} bytes"


def test_equal_lengths_in_all_do_not_hide_a_wrong_one() -> None:
    """As many bytes as of plain entries; the second of them says that it is longer."""
    data = encoded([flow(1), flow(2)])[: -HASH.size]
    at = HEADER.size + LENGTH.size + PLAIN_SIZE
    text = damaged(signed(data[:at] + LENGTH.pack(PLAIN_SIZE + 1) + data[at + LENGTH.size :]))
    assert text == f"entry 2 of 2 has a length of {PLAIN_SIZE + 1} bytes"


def test_bytes_behind_the_last_entry_are_refused() -> None:
    assert damaged(signed(BODY + b"more")) == "4 bytes follow its last entry"


def test_a_feed_that_comes_twice_is_refused() -> None:
    kept = BODY[HEADER.size : FIRST]
    header = HEADER.pack(MAGIC, VERSION, 2, DATE, 0)
    assert damaged(signed(header + kept + kept)) == "a feed comes twice in it"


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_whatever_a_right_checksum_is_over_is_a_snapshot_or_refused(data: st.DataObject) -> None:
    body = bytearray(BODY)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body += data.draw(st.binary(max_size=60))
    try:
        got = decode(signed(bytes(body)))
    except SnapshotDamagedError:
        return
    assert all(PLAIN_SIZE <= len(one) <= PLAIN_SIZE + MAXIMUM_CONTEXT for one in got.records)
    assert len(got.positions) == HEADER.unpack_from(body)[2]


# Time


def test_time_that_passed_is_subtracted_and_what_has_none_left_is_gone() -> None:
    taken = Snapshot(
        records=[
            flow(number, remaining=seconds) for number, seconds in enumerate((0, 1, 99, 100, 101, NEVER))
        ],
        positions={FEED: HERE},
        date=DATE,
    )
    later = taken.aged(DATE + 100)
    assert [left(one) for one in later.records] == [1, NEVER]
    assert [one[: -TAIL.size] for one in later.records] == [
        taken.records[4][: -TAIL.size],
        taken.records[5][: -TAIL.size],
    ]
    assert (later.age, later.expired, later.date, later.positions) == (100, 4, DATE + 100, {FEED: HERE})


def test_ageing_twice_is_ageing_once() -> None:
    taken = Snapshot(records=[flow(n, remaining=n * 10) for n in range(1, 20)], date=DATE)
    twice = taken.aged(DATE + 33).aged(DATE + 99)
    assert twice == replace(taken.aged(DATE + 99), date=DATE + 99)


def test_no_time_passes_backwards() -> None:
    taken = Snapshot(records=[flow(1, remaining=1), flow(2, remaining=0)], date=DATE)
    earlier = taken.aged(DATE - 1000)
    assert earlier.records == [taken.records[0]]
    assert (earlier.age, earlier.expired, earlier.date) == (0, 1, DATE)


# What a table takes of it


def test_a_table_takes_its_own_mappings_and_local_entries_only() -> None:
    own, local = flow(1), flow(2, nat_id=0, mapping_id=0)
    foreign = [
        flow(3, mapping_id=99),
        flow(4, nat_id=0),  # local, in a mapping
        flow(5, mapping_id=0),  # of a member, in no mapping
    ]
    table = NatTable()
    assert fill(table, Snapshot(records=[own, *foreign, local]), {MAPPING}) == 3
    assert set(table) == {own, local}


def test_of_two_entries_for_one_flow_from_outside_the_older_had_ended() -> None:
    """Its port was freed and given again while the snapshot was taken."""
    port = ("203.0.113.1", 7000)
    old = flow(1, inside_global=port, inside_local=("10.0.0.2", 5000))
    new = flow(2, inside_global=port, inside_local=("10.0.0.3", 6000))
    newest = flow(3, inside_global=port, inside_local=("10.0.0.4", 6000))
    for order in ([old, new, newest], [newest, old, new], [new, newest, old]):
        table = NatTable()
        assert fill(table, Snapshot(records=order), {MAPPING}) == 0
        assert set(table) == {newest}
        assert len(table.outside) == 1


def test_two_devices_entries_for_one_flow_are_both_kept() -> None:
    port = ("203.0.113.1", 7000)
    one, other = flow(1, inside_global=port), flow(2, nat_id=2, inside_global=port)
    table = NatTable()
    fill(table, Snapshot(records=[one, other]), {MAPPING})
    assert set(table) == {one, other}


def test_an_entry_that_comes_twice_is_there_once() -> None:
    port = ("203.0.113.1", 7000)
    collide = [flow(2, inside_global=port), flow(3, nat_id=2, inside_global=port)]
    table = NatTable()
    fill(table, Snapshot(records=[flow(1), flow(1), *collide]), {MAPPING})
    assert set(table) == {flow(1), *collide}
    assert len(table) == 3


# A device


def device(made: Configuration, taken: Snapshot | None, now: float = 1000.0, incarnation: int = 1) -> Device:
    return Device(
        made,
        incarnation=incarnation,
        terms={},
        ports=random.Random(1),
        ttl_step=1,
        now=now,
        snapshot=taken,
    )


def member() -> Configuration:
    return configuration(1, ConfiguredRole.PRIMARY, (2,))


def local() -> Configuration:
    made = member()
    rules = tuple(replace(rule, mapping_id=0) for rule in made.dynamic_rules)
    return replace(made, stateful=None, dynamic_rules=rules)


def state(of: Device) -> FeedState:
    return of.groups[0].feeds[FEED]


def lone(of: Device, now: float) -> float:
    """Let it find that it is alone; when it took the role."""
    while of.groups[0].standing is not Standing.MANAGE:
        of.turn(now)
        now = max(now, of.next_deadline())
        assert now < 1100.0
    return now


def send(through: Device, packet: Packet, now: float, *, from_outside: bool = False) -> Packet | None:
    filled, end = packets.buffer(packet)
    verdict = through.packet(filled, end, from_outside, now)
    return None if verdict is Verdict.DROP else packets.parse(filled, end)


def taken_of(of: Device, date: int, now: float) -> Snapshot:
    encoder = SnapshotEncoder(of.table, of.positions(), of.translator.flows.remaining, date=date, now=now)
    while encoder.step(100):
        pass
    return decode(b"".join(encoder.parts()))


def test_a_device_begins_with_it_unsynchronised_and_its_digest_is_right() -> None:
    records = [flow(n) for n in range(1, 6)] + [flow(6, nat_id=2), flow(7, nat_id=0, mapping_id=0)]
    one = device(member(), Snapshot(records=[*records, flow(8, mapping_id=99)], positions={FEED: HERE}))
    group = one.groups[0]
    assert (group.standing, group.synchronised) == (Standing.START, False)
    assert set(one.table) == set(records)
    assert state(one).kept == HERE
    assert state(one).position == Position()
    assert state(one).highest == HERE.term
    expected = FeedDigest()
    expected.change([], records[:6])
    assert state(one).digest == expected


def test_it_says_what_it_began_with() -> None:
    taken = Snapshot(records=[flow(1), flow(2, mapping_id=99)], age=42, expired=3)
    (event,) = device(member(), taken).events()
    assert isinstance(event, Noted)
    assert not event.alarm
    assert event.text.format(**event.fields) == (
        "table of 1 entries loaded from 42 s ago, 3 expired, 1 of mappings that are not configured"
    )


def test_without_one_it_has_nothing_and_says_nothing() -> None:
    one = device(member(), None)
    assert len(one.table) == 0
    assert one.events() == []
    assert one.positions() == {FEED: Position()}


def test_the_position_is_where_the_table_was_last_proved_whole() -> None:
    one = device(member(), Snapshot(records=[flow(1)], positions={FEED: HERE, Feed(0, 99): HERE}))
    assert one.positions() == {FEED: HERE}  # nothing was proved since
    receiver = one.groups[0].receivers[FEED]
    later = Position(HERE.term, HERE.sequence + 5)
    state(one).position = later
    assert one.positions() == {FEED: HERE}
    receiver.whole = True
    assert one.positions() == {FEED: later}
    receiver.whole = False
    state(one).position = Position()
    lone(one, 1000.0)
    assert one.positions() == {FEED: state(one).position}
    assert state(one).position.term > HERE.term


def test_a_lone_device_goes_on_with_its_flows_after_a_restart() -> None:
    first = device(member(), None)
    now = lone(first, 1000.0)
    out = send(first, packets.udp("10.0.0.5", 5000, "198.51.100.9", 500), now)
    assert out is not None
    taken = taken_of(first, DATE, now).aged(DATE + 30)

    second = device(member(), taken, now=1.0, incarnation=2)
    now = lone(second, 1.0)
    again = send(second, packets.udp("10.0.0.5", 5000, "198.51.100.9", 500), now)
    assert again is not None
    assert (again.src, again.sport) == (out.src, out.sport)
    back = send(second, packets.udp("198.51.100.9", 500, out.src, out.sport), now, from_outside=True)
    assert back is not None
    assert (back.dst, back.dport) == ("10.0.0.5", 5000)
    assert second.translator.counters.created == 0
    other = send(second, packets.udp("10.0.0.6", out.sport, "198.51.100.9", 500), now)
    assert other is not None
    assert (other.src, other.sport) != (out.src, out.sport)  # the port is in use
    assert len({entry[:12] for entry in second.table}) == 2
    assert state(second).digest.count == 1
    second.turn(now)
    assert state(second).digest.count == 2


def test_local_entries_of_a_snapshot_age_and_are_found_by_packets() -> None:
    first = device(local(), None)
    out = send(first, packets.udp("10.0.0.5", 5000, "198.51.100.9", 500), 1000.0)
    assert out is not None
    taken = taken_of(first, DATE, 1000.0)

    second = device(local(), taken.aged(DATE + 30), now=1.0)
    again = send(second, packets.udp("10.0.0.5", 5000, "198.51.100.9", 500), 1.0)
    assert again is not None
    assert (again.src, again.sport) == (out.src, out.sport)
    now = 1.0
    while len(second.table):
        second.turn(now)
        now = max(now, second.next_deadline())
        assert now < 400.0
    assert now >= 301.0


def test_what_was_used_shortly_before_the_snapshot_has_its_time_in_it() -> None:
    """The record itself still says what it said when it was made."""
    first = device(local(), None)
    for now in (1000.0, 1250.0):
        send(first, packets.udp("10.0.0.5", 5000, "198.51.100.9", 500), now)
    taken = taken_of(first, DATE, 1260.0)
    assert [left(entry) for entry in taken.records] == [290]
    assert len(taken.aged(DATE + 289).records) == 1
    assert len(taken.aged(DATE + 290).records) == 0
