"""The sweep after a dump: what the dump did not show goes, and nothing else."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.table import NatTable
from snat.replication import sweep
from snat.replication.sweep import SLICE, Sweep
from snat.wire.header import Feed
from tests.records import MAPPING, changed, record

FEED: Final = Feed(0, MAPPING)


def again(one: bytes) -> bytes:
    """The same record as another object, as it comes out of a message."""
    return bytes(bytearray(one))


def swept(begun: Sweep) -> list[bytes]:
    """All that goes, to the sweep's end."""
    removed: list[bytes] = []
    while not begun.done:
        removed += begun.step()
    return removed


def table_of(*records: bytes) -> NatTable:
    table = NatTable()
    table.add(list(records))
    return table


def test_what_was_shown_stays_and_what_was_not_goes() -> None:
    table = table_of(record(1), record(2))
    begun = Sweep(table, FEED)
    table.add([again(record(1))])
    assert swept(begun) == [record(2)]
    assert list(table) == [record(1)]


def test_what_changed_meanwhile_stays() -> None:
    table = table_of(record(1), record(2))
    begun = Sweep(table, FEED)
    table.add([changed(record(2))])
    assert swept(begun) == [record(1)]
    assert list(table) == [changed(record(2))]


def test_what_came_meanwhile_stays() -> None:
    table = table_of(record(1))
    begun = Sweep(table, FEED)
    table.add([record(2)])
    assert swept(begun) == [record(1)]
    assert list(table) == [record(2)]


def test_what_went_meanwhile_is_not_swept_again() -> None:
    table = table_of(record(1), record(2))
    begun = Sweep(table, FEED)
    table.remove([record(1)])
    assert swept(begun) == [record(2)]


def test_what_went_and_came_again_meanwhile_stays() -> None:
    table = table_of(record(1))
    begun = Sweep(table, FEED)
    table.remove([record(1)])
    table.add([again(record(1))])
    assert swept(begun) == []
    assert list(table) == [record(1)]


def test_one_flow_of_an_endpoint_goes_and_its_others_stay() -> None:
    flows = [record(1, port=40001), record(2, port=40000, outside=8)]
    table = table_of(*flows)
    assert len(table.endpoints()) == 1
    begun = Sweep(table, FEED)
    table.add([again(flows[0])])
    assert swept(begun) == [flows[1]]
    assert list(table) == [flows[0]]


def test_of_two_entries_for_one_flow_the_one_that_was_not_shown_goes() -> None:
    both = [record(1, nat_id=1), record(1, nat_id=2)]
    table = table_of(*both)
    begun = Sweep(table, FEED)
    table.add([again(both[1])])
    assert swept(begun) == [both[0]]
    assert list(table) == [both[1]]


@pytest.mark.parametrize(
    ("feed", "goes"),
    [(FEED, [record(1), record(2, nat_id=2)]), (Feed(2, MAPPING), [record(2, nat_id=2)])],
)
def test_entries_of_other_feeds_and_local_ones_stay(feed: Feed, goes: list[bytes]) -> None:
    table = table_of(record(1), record(2, nat_id=2), record(3, mapping_id=99), record(4, nat_id=0))
    assert sorted(swept(Sweep(table, feed))) == goes


def test_nothing_is_done_at_once_in_an_empty_table() -> None:
    assert Sweep(NatTable(), FEED).done


def test_a_step_looks_at_a_slice_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SLICE", 4)
    begun = Sweep(table_of(*(record(number) for number in range(1, 11))), FEED)
    steps = []
    while not begun.done:
        steps.append(len(begun.step()))
    assert steps == [4, 4, 2]
    assert SLICE > 100, "in earnest, a slice is worth its turn"


NUMBERS: Final = st.integers(1, 12)


@given(
    st.lists(NUMBERS, unique=True),
    st.lists(st.tuples(st.sampled_from(["show", "change", "remove", "step"]), NUMBERS)),
)
def test_what_stays_is_what_was_touched_after_the_begin(old: list[int], steps: list[tuple[str, int]]) -> None:
    table = table_of(*(record(number, host=number % 3) for number in old))
    begun = Sweep(table, FEED)
    kept, removed = dict[int, bytes](), list[bytes]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "SLICE", 2)
        for what, number in steps:
            one = record(number, host=number % 3)
            match what:
                case "show":
                    table.add([again(one)])
                    kept[number] = one
                case "change":
                    table.add([changed(one)])
                    kept[number] = changed(one)
                case "remove":
                    table.remove([one])
                    kept.pop(number, None)
                case _:
                    removed += begun.step()
        removed += swept(begun)
    assert sorted(table) == sorted(kept.values())
    assert len(removed) == len(set(removed))
