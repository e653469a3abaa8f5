"""The ageing wheel against a list of deadlines."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.ageing import GRANULARITY, Wheel

TIMES = st.floats(0, 50, allow_nan=False)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.one_of(st.floats(-5, 50), st.just(float("inf")))),
        st.tuples(st.just("turn"), st.floats(0, 20)),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(TIMES, OPERATIONS, st.integers(1, 4))
def test_nothing_is_due_early_and_everything_within_the_granularity(
    start: float, operations: list[tuple[str, float]], most: int
) -> None:
    """``put`` is relative to now, ``turn`` lets time pass."""
    wheel, now = Wheel(start), start
    waiting: dict[bytes, tuple[float, float]] = {}
    for number, (what, value) in enumerate(operations):
        if what == "put":
            record = number.to_bytes(2, "big")
            wheel.put(record, now + value)
            waiting[record] = now + value, max(now, now + value)
            continue
        now += value
        while True:
            found = wheel.due(now, most)
            assert len(found) <= most
            for record in found:
                deadline, _ = waiting.pop(record)
                assert deadline <= now
            if len(found) < most:
                break
        assert not [record for record, (_, at) in waiting.items() if at <= now - GRANULARITY]
    ahead = [at for _, at in waiting.values() if at != float("inf")]
    if ahead:
        assert wheel.next_deadline() <= min(ahead) + GRANULARITY
    else:
        assert wheel.due(now + 100, most) == []


@given(st.lists(st.floats(0, 30), min_size=1, max_size=30), st.integers(1, 5))
def test_turning_at_each_next_deadline_finds_all_exactly_once(deadlines: list[float], most: int) -> None:
    wheel = Wheel(0.0)
    for number, deadline in enumerate(deadlines):
        wheel.put(bytes((number,)), deadline)
    found: list[bytes] = []
    for _ in range(200):
        now = wheel.next_deadline()
        if now == float("inf"):
            break
        due = wheel.due(now, most)
        assert all(deadlines[one[0]] <= now <= deadlines[one[0]] + 40 for one in due)
        found += due
    assert sorted(found) == [bytes((number,)) for number in range(len(deadlines))]


def test_an_infinite_deadline_never_comes() -> None:
    wheel = Wheel(0.0)
    wheel.put(b"static", float("inf"))
    assert wheel.next_deadline() == float("inf")
    assert wheel.due(1e5, 10) == []


def test_a_slice_is_bounded_and_the_rest_follows_at_once() -> None:
    wheel = Wheel(0.0)
    for number in range(2500):
        wheel.put(number.to_bytes(2, "big"), 5.0)
    assert len(wheel.due(7.0, 1000)) == 1000
    assert wheel.next_deadline() <= 7.0
    assert len(wheel.due(7.0, 1000)) == 1000
    assert len(wheel.due(7.0, 1000)) == 500
    assert wheel.due(7.0, 1000) == []
    assert wheel.next_deadline() == float("inf")


@pytest.mark.parametrize("late", [0.0, 3.0])
def test_a_deadline_that_has_passed_is_due_within_the_granularity(late: float) -> None:
    wheel = Wheel(100.0)
    assert wheel.due(110.0, 10) == []
    wheel.put(b"old", 110.0 - late)
    assert wheel.due(111.0, 10) == [b"old"]


def test_a_leap_of_many_years_takes_no_longer() -> None:
    """A capture begins decades after zero; a loop over its seconds would not end in this test's time."""
    wheel = Wheel(0.0)
    wheel.put(b"early", 5.0)
    wheel.put(b"late", 1.8e12 + 7.0)
    assert wheel.due(1.8e12, 10) == [b"early"]
    assert wheel.due(1.8e12 + 6.0, 10) == []
    assert wheel.due(1.8e12 + 9.0, 10) == [b"late"]
    assert wheel.next_deadline() == float("inf")
