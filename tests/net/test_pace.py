"""When the kernel is looked at."""

from hypothesis import given
from hypothesis import strategies as st

from snat.net.pace import FIRST_WAIT, GATHER, HELD, LONGEST_WAIT, LOOK, SPARE, Pace


def test_a_burst_is_one_change() -> None:
    pace = Pace(100.0)
    assert pace.due == 100.0 + LOOK
    pace.noticed(103.0)
    pace.noticed(103.04)
    assert pace.due == 103.0 + GATHER


def test_looks_that_change_nothing_are_not_too_many() -> None:
    """A thousand interfaces of containers come and go: none of our business, but each is told of."""
    pace, now, looks = Pace(0.0), 0.0, 0
    while now < 100.0:
        pace.noticed(now)
        now += 0.01
        if now >= pace.due:
            pace.looked(now, changed=False, refused=False)
            looks += 1
    assert 100.0 / (SPARE + GATHER) - 10 < looks <= 100.0 / SPARE
    assert pace.tries == 0


def test_who_insists_is_answered_ever_more_slowly() -> None:
    pace, now, waits = Pace(0.0), 0.0, []
    for tries in range(9):
        assert pace.tries == tries
        pace.noticed(now)
        waits.append(round(pace.due - now, 6))
        now = pace.due
        pace.looked(now, changed=True, refused=False)
    assert waits == [GATHER, 1, 2, 4, 8, 16, 32, LONGEST_WAIT, LONGEST_WAIT]
    assert pace.due == now + LONGEST_WAIT, "time does not ask earlier either"


def test_what_lasted_is_put_back_at_once_the_next_time() -> None:
    pace = Pace(0.0)
    for now in (1.0, 2.0, 4.0):
        pace.looked(now, changed=True, refused=False)
    now = 4.0 + 4 * FIRST_WAIT + HELD
    pace.looked(now, changed=False, refused=False)
    assert pace.tries == 3
    pace.looked(now + 0.1, changed=True, refused=False)
    assert pace.tries == 1
    pace.noticed(now + 0.2)
    assert pace.due == now + 0.1 + FIRST_WAIT


def test_what_cannot_be_helped_is_tried_when_something_changes_but_not_all_the_time() -> None:
    pace, now = Pace(0.0), 0.0
    for _ in range(10):
        pace.looked(now, changed=False, refused=True)
        assert pace.due == now + LOOK
        pace.noticed(now)
        assert pace.due == now + FIRST_WAIT
        now = pace.due
    assert pace.tries == 0, "it is no fight"


def test_a_refusal_in_a_fight_makes_nothing_faster() -> None:
    pace = Pace(0.0)
    for now in (0.0, 1.0, 3.0, 7.0):
        pace.looked(now, changed=True, refused=True)
    pace.looked(7.5, changed=False, refused=True)
    pace.noticed(7.6)
    assert pace.due == 7.0 + 8 * FIRST_WAIT


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.booleans()), max_size=50))
def test_there_is_always_a_look_within_a_minute(steps: list[tuple[float, bool, bool]]) -> None:
    pace, now = Pace(0.0), 0.0
    for pause, changed, refused in steps:
        pace.noticed(now)
        assert now < pace.due <= now + LONGEST_WAIT
        now = max(now + pause, pace.due)
        pace.looked(now, changed=changed, refused=refused)
        assert now < pace.due <= now + LONGEST_WAIT
