"""When entries were made: to a second, whatever happens, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from snat.device.creation import CreationTimes


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0.0, 5.0)), min_size=1, max_size=60))
def test_the_time_of_every_entry_to_a_second(steps: list[tuple[int, float]]) -> None:
    times, made, now = CreationTimes(), [], 1000.0
    for count, pause in steps:
        now += pause
        made += [now] * count
        times.note(len(made), now)
    for counter, at in enumerate(made, start=1):
        told = times.of(counter)
        assert told is not None
        assert 0 <= at - told < 1.0
    assert times.of(len(made) + 1) is None


def test_nothing_is_known_before_it_is_noted() -> None:
    assert CreationTimes().of(1) is None


def test_memory_is_bounded_and_the_past_grows_coarse_instead() -> None:
    times = CreationTimes(most=8)
    for second in range(100):
        times.note(second + 1, 1000.0 + second)
        assert len(times._last) == len(times._begun) <= 8
    for second in range(100):
        told = times.of(second + 1)
        assert told is not None
        assert 0 <= 1000.0 + second - told < 32
