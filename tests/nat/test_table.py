"""The table against a list of records, and what each kind of change does."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from snat.nat.entry import (
    ID,
    INSIDE_GLOBAL,
    INSIDE_LOCAL,
    MAPPING,
    NAT_ID,
    OUTSIDE_GLOBAL,
    OUTSIDE_LOCAL,
    REFERENCE,
)
from snat.nat.table import COLLIDED, NatTable, records_in
from tests.nat.records import record

INSIDE = [("10.0.0.2", 5000), ("10.0.0.3", 5000)]
GLOBAL = [("203.0.113.1", 5000), ("203.0.113.1", 6000)]
FAR = [("198.51.100.10", 53), ("198.51.100.11", 53), ("198.51.100.10", 54)]

RECORDS = st.builds(
    record,
    number=st.integers(1, 3),
    nat_id=st.integers(1, 3),
    mapping_id=st.sampled_from([10, 10, 10, 20]),
    inside_local=st.sampled_from(INSIDE),
    inside_global=st.sampled_from(GLOBAL),
    outside=st.sampled_from(FAR),
    outside_local=st.sampled_from([None, None, FAR[0]]),
    state=st.integers(0, 1),
    remaining=st.integers(0, 1),
)


def inside_key(one: bytes) -> tuple[bytes, bytes]:
    return one[INSIDE_LOCAL], one[OUTSIDE_LOCAL]


def outside_key(one: bytes) -> tuple[bytes, bytes]:
    return one[INSIDE_GLOBAL], one[OUTSIDE_GLOBAL]


class Model:
    """What the table promises, naively."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.collisions = 0

    def add(self, new: bytes) -> None:
        known = any(one[REFERENCE] == new[REFERENCE] for one in self.records)
        for key in (inside_key, outside_key):
            same = [one for one in self.records if key(one) == key(new)]
            mine = [one for one in same if one[ID] == new[ID]]
            self.collisions += bool(same) and not mine and not known
            for one in mine:
                self.records.remove(one)
        self.records.append(new)

    def remove(self, reference: bytes) -> None:
        self.records = [one for one in self.records if one[REFERENCE] != reference[REFERENCE]]


class StrictListener:
    """Keeps a set of records from what it is told; objects to anything but the net change."""

    def __init__(self) -> None:
        self.records: set[bytes] = set()
        self.batches = 0

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        self.batches += 1
        assert len(set(removed)) == len(removed)
        assert len(set(added)) == len(added)
        assert self.records.issuperset(removed)
        self.records.difference_update(removed)
        assert self.records.isdisjoint(added)
        self.records.update(added)


class TableMachine(RuleBasedStateMachine):
    """Adds, updates, removals and collisions in any order."""

    @initialize()
    def begin(self) -> None:
        self.table = NatTable()
        self.model = Model()
        self.strict = StrictListener()
        self.summed: Counter[bytes] = Counter()
        self.table.listen(self.strict)
        self.table.listen(self)

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        self.summed.subtract(removed)
        self.summed.update(added)

    @rule(batch=st.lists(RECORDS, max_size=4))
    def add(self, batch: list[bytes]) -> None:
        before = Counter(self.model.records)
        for one in batch:
            self.model.add(one)
        replaced = self.table.add(batch)
        assert Counter(self.model.records) == before + Counter(batch) - Counter(replaced)

    @rule(data=st.data())
    def add_again(self, data: Any) -> None:
        """The very same objects, twice in one batch."""
        if self.model.records:
            one = data.draw(st.sampled_from(self.model.records))
            self.model.add(one)
            self.table.add([one, one])

    @rule(batch=st.lists(RECORDS, max_size=3), data=st.data())
    def remove(self, batch: list[bytes], data: Any) -> None:
        """By record, by reference, twice, and what is not there."""
        if self.model.records:
            known = data.draw(st.lists(st.sampled_from(self.model.records), max_size=3))
            batch = [*batch, *known, *(one[REFERENCE] for one in known[:1])]
        before = Counter(self.model.records)
        for one in batch:
            self.model.remove(one)
        removed = self.table.remove(batch)
        assert Counter(self.model.records) == before - Counter(removed)

    @invariant()
    def holds_the_same_records(self) -> None:
        assert sorted(self.table) == sorted(self.model.records)
        assert len(self.table) == len(self.model.records)
        assert self.table.collisions == self.model.collisions

    @invariant()
    def both_indexes_agree(self) -> None:
        outside = [one for slot in self.table.outside.values() for one in records_in(slot)]
        assert sorted(outside) == sorted(self.model.records)
        assert sorted(self.table.endpoints()) == sorted({one[INSIDE_LOCAL] for one in self.model.records})
        for endpoint in self.table.endpoints():
            expected = [one for one in self.model.records if one[INSIDE_LOCAL] == endpoint]
            assert sorted(self.table.at(endpoint)) == sorted(expected)

    @invariant()
    def an_endpoint_with_one_flow_holds_the_record_itself(self) -> None:
        for index, key in ((self.table.inside, INSIDE_LOCAL), (self.table.outside, INSIDE_GLOBAL)):
            flows = Counter(one[key] for one in self.model.records)
            assert {endpoint: isinstance(slot, bytes) for endpoint, slot in index.items()} == {
                endpoint: count == 1 for endpoint, count in flows.items()
            }

    @invariant()
    def the_lowest_id_leads_in_both_directions(self) -> None:
        by_inside, by_outside = {}, {}
        for one in sorted(self.model.records, reverse=True):
            by_inside[inside_key(one)] = one
            by_outside[outside_key(one)] = one
        for near in {key[0] for key in by_inside} | {bytes(7)}:
            for far in {key[1] for key in by_inside} | {bytes(6)}:
                assert self.table.from_inside(near, far) == by_inside.get((near, far))
        for near in {key[0] for key in by_outside} | {bytes(7)}:
            for far in {key[1] for key in by_outside} | {bytes(6)}:
                assert self.table.from_outside(near, far) == by_outside.get((near, far))

    @invariant()
    def listeners_saw_the_net_change(self) -> None:
        assert self.strict.records == set(self.model.records)
        assert +self.summed == Counter(self.model.records)
        assert min(self.summed.values(), default=0) >= 0

    @invariant()
    def current_finds_what_is_there(self) -> None:
        for one in self.model.records:
            assert self.table.current(one) == one
            assert self.table.current(one[REFERENCE]) == one


TestTable = TableMachine.TestCase
TestTable.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


class LongTableMachine(TableMachine):
    """The same, for long."""


TestTableLong = pytest.mark.soak(LongTableMachine.TestCase)
TestTableLong.settings = settings(max_examples=3000, stateful_step_count=60, deadline=None)


# One kind of change each


def table_of(*records: bytes) -> tuple[NatTable, StrictListener]:
    table, listener = NatTable(), StrictListener()
    table.listen(listener)
    table.add(records)
    return table, listener


def test_a_batch_is_told_once() -> None:
    _, listener = table_of(*(record(n, inside_local=("10.0.0.2", n)) for n in range(1, 5)))
    assert (listener.batches, len(listener.records)) == (1, 4)


def test_an_update_replaces_the_record_with_the_same_id() -> None:
    old, new = record(1, state=0), record(1, state=1)
    table, listener = table_of(old)
    assert table.add([new]) == [old]
    assert listener.records == {new}
    assert len(table) == 1


def test_an_update_of_one_flow_among_several_of_an_endpoint() -> None:
    flows = [record(n, outside=(f"198.51.100.{n}", 53)) for n in range(1, 6)]
    table, listener = table_of(*flows)
    new = record(3, outside=("198.51.100.3", 53), state=1)
    assert table.add([new]) == [flows[2]]
    assert listener.records == {*flows[:2], new, *flows[3:]}


def test_a_stale_id_removes_nothing() -> None:
    """A late delete cannot hit the entry that has the endpoint now."""
    table, listener = table_of(record(2))
    assert table.remove([record(1), record(2, nat_id=2)]) == []
    assert len(table) == 1
    assert listener.batches == 1, "nothing changed, so nothing is told"


@pytest.mark.parametrize(
    "other",
    [
        record(1, inside_global=("203.0.113.1", 6000)),
        record(1, inside_local=("10.0.0.3", 5000)),
        record(1, outside=("198.51.100.11", 53)),
        record(1, outside=("198.51.100.11", 53), outside_local=("198.51.100.10", 53)),
        record(1, mapping_id=20),
    ],
    ids=["inside global", "inside local", "outside", "outside global", "mapping"],
)
def test_a_reference_with_the_right_id_and_another_key_removes_nothing(other: bytes) -> None:
    table, _ = table_of(record(1))
    assert table.remove([other[REFERENCE]]) == []
    assert table.current(other) is None
    assert list(table) == [record(1)]


def test_an_update_that_moves_a_key_leaves_no_ghost() -> None:
    old, new = record(1), record(1, inside_global=("203.0.113.1", 6000))
    table, listener = table_of(old)
    assert table.add([new]) == [old]
    assert list(table.outside) == [new[INSIDE_GLOBAL]]
    assert listener.records == {new}


def test_the_same_entry_twice_in_a_batch_is_one_entry() -> None:
    first, last = record(1, state=0), record(1, state=1)
    table, listener = table_of(first, last)
    assert list(table) == [last]
    assert listener.records == {last}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_two_entries_for_one_flow_form_a_chain_and_the_lowest_nat_id_leads(order: tuple[int, int]) -> None:
    """After a split: two devices mapped the same inside flow to different ports."""
    entries = {
        nat_id: record(9 - nat_id, nat_id=nat_id, inside_global=GLOBAL[nat_id - 1]) for nat_id in (1, 2)
    }
    table, _ = table_of(*(entries[nat_id] for nat_id in order))
    first, second = entries[1], entries[2]
    assert table.from_inside(*inside_key(first)) == first
    assert table.from_outside(*outside_key(first)) == first
    assert table.from_outside(*outside_key(second)) == second, "the other still translates inbound"
    assert table.collisions == 1
    table.remove([first])
    assert table.from_inside(*inside_key(second)) == second


def test_two_inside_hosts_mapped_to_one_endpoint_are_a_collision_too() -> None:
    first = record(1, nat_id=1)
    second = record(1, nat_id=2, inside_local=("10.0.0.3", 5000))
    table, _ = table_of(second, first)
    assert table.collisions == 1
    assert table.from_outside(*outside_key(first)) == first
    assert table.from_inside(*inside_key(second)) == second


def test_a_walk_over_endpoints_survives_changes() -> None:
    flows = [record(n, inside_local=("10.0.0.2", n), inside_global=("203.0.113.1", n)) for n in range(1, 4)]
    table, _ = table_of(*flows)
    seen = []
    for endpoint in table.endpoints():
        seen += list(table.at(endpoint))
        table.remove(flows[1:])
    assert seen == flows[:1]


def test_who_does_not_care_for_what_is_new_hears_of_what_goes() -> None:
    table, listener = NatTable(), StrictListener()
    one, two = record(1), record(2, inside_local=("10.0.0.9", 9), inside_global=("203.0.113.9", 9))
    table.add([one])
    listener.records.add(one)
    table.listen(listener, new=False)
    table.insert(two)
    assert listener.batches == 0
    table.remove([one])
    assert (listener.batches, len(listener.records)) == (1, 0)


def test_who_does_not_listen_any_more_hears_nothing() -> None:
    table, listener = table_of()
    table.unlisten(listener)
    table.add([record(1)])
    assert not listener.records


STRANGERS = [
    record(100 + n, inside_local=("10.0.1.2", 1000 + n), inside_global=("203.0.113.9", 1000 + n))
    for n in range(50)
]
CONTEXT = STRANGERS[0][:-4] + b"x" * len(STRANGERS[0]) + STRANGERS[0][-4:]


def indexes(table: NatTable) -> tuple[dict[bytes, Any], dict[bytes, Any], int, int]:
    return table.inside, table.outside, table.collisions, len(table)


@given(
    before=st.lists(RECORDS | st.sampled_from(STRANGERS), max_size=3),
    among=st.lists(
        st.tuples(st.integers(0, 50), RECORDS | st.sampled_from([*STRANGERS, CONTEXT])), max_size=3
    ),
)
def test_a_large_batch_is_added_as_its_records_are_one_by_one(
    before: list[bytes], among: list[tuple[int, bytes]]
) -> None:
    """Large batches of strangers go in bulk: any that meets another, in the table or the batch, must show."""
    batch = list(STRANGERS)
    for place, one in among:
        batch.insert(place, one)
    whole, listener = table_of(*before)
    single, told = table_of(*before)
    replaced = whole.add(batch)
    assert Counter(replaced) == Counter(old for one in batch for old in single.add([one]))
    assert indexes(whole) == indexes(single)
    assert listener.records == told.records == set(whole)


# All at once

MIXED = st.lists(RECORDS | st.builds(record, number=st.integers(90, 99), nat_id=st.just(0)), max_size=8)


@given(MIXED)
def test_all_records_are_those_of_a_walk(records: list[bytes]) -> None:
    table, _ = table_of(*records)
    assert sorted(table.records()) == sorted(table)
    assert len(table.records()) == len(table)


def test_the_list_of_all_records_is_as_of_now() -> None:
    """Changes while somebody goes through it do not touch it."""
    table, _ = table_of(record(1))
    before = table.records()
    table.remove([record(1)])
    table.add([record(2)])
    assert (before, table.records()) == ([record(1)], [record(2)])


@given(MIXED, st.sampled_from([10, 20, 30]), st.integers(0, 3))
def test_a_mapping_is_cleared_of_all_or_of_one_owners_entries(
    records: list[bytes], mapping_id: int, owner: int
) -> None:
    table, listener = table_of(*records)
    before, batches = sorted(table), listener.batches

    def chosen(one: bytes) -> bool:
        made_by = int.from_bytes(one[NAT_ID], "big")
        of_mapping = int.from_bytes(one[MAPPING], "big") == mapping_id
        return of_mapping and made_by != 0 and owner in (0, made_by)

    removed = table.clear(mapping_id, owner)
    assert sorted(removed) == [one for one in before if chosen(one)]
    left = [one for one in before if not chosen(one)]
    assert sorted(table) == left
    assert len(table) == len(left)
    assert sorted(one for slot in table.outside.values() for one in records_in(slot)) == left
    assert listener.records == set(left)
    assert listener.batches == batches + bool(removed), "one batch, and none for nothing"


def test_local_entries_are_never_cleared() -> None:
    local = record(1, nat_id=0)
    table, _ = table_of(local, record(2, inside_local=("10.0.0.3", 1), inside_global=("203.0.113.1", 1)))
    assert len(table.clear(10)) == 1
    assert list(table) == [local]


def test_a_cleared_table_takes_the_same_entries_again() -> None:
    table, _ = table_of(*STRANGERS)
    assert len(table.clear(10)) == len(STRANGERS)
    assert (len(table), table.inside, table.outside) == (0, {}, {})
    table.add(STRANGERS)
    assert sorted(table) == sorted(STRANGERS)
    assert table.collisions == 0


def collide(table: NatTable, first: int, count: int) -> None:
    """Two owners' entries for each of so many flows."""
    for number in range(first, first + count):
        near = (f"10.1.{number >> 8}.{number & 255}", 5000)
        for nat_id in (1, 2):
            port = number * 2 + nat_id
            table.add([record(number, nat_id=nat_id, inside_local=near, inside_global=("203.0.113.5", port))])


def test_collisions_that_wait_to_be_reported_are_bounded_and_all_are_counted() -> None:
    table, _ = table_of()
    collide(table, 1, COLLIDED + 44)
    assert (table.collisions, len(table.collided)) == (COLLIDED + 44, COLLIDED)
    assert all(one[NAT_ID] == (2).to_bytes(4, "big") for one in table.collided), "the one that came second"


def test_reported_collisions_make_room_for_others() -> None:
    table, _ = table_of()
    collide(table, 1, COLLIDED)
    table.collided.clear()
    collide(table, 1000, 3)
    assert (table.collisions, len(table.collided)) == (COLLIDED + 3, 3)


def test_an_update_of_an_entry_in_a_chain_is_no_collision() -> None:
    table, _ = table_of()
    collide(table, 1, 1)
    table.collided.clear()
    for one in list(table):
        table.add([one[:43] + b"\x03" + one[44:]])
    assert (table.collisions, table.collided) == (1, [])
