"""Counters since they were cleared."""

from snat.counters import since

GAUGES = frozenset({("table", "entries")})


def test_counters_begin_anew_and_gauges_do_not() -> None:
    before = {"translate": {"hits": 10, "slow": 4}, "table": {"entries": 7, "collisions": 1}}
    now = {"translate": {"hits": 12, "slow": 4}, "table": {"entries": 5, "collisions": 3}}
    assert since(now, before, GAUGES) == {
        "translate": {"hits": 2, "slow": 0},
        "table": {"entries": 5, "collisions": 2},
    }


def test_what_began_anew_itself_or_was_not_there_counts_from_its_own_beginning() -> None:
    now = {"listener": {"accepted": 2}, "dialler": {"attempts": 3}}
    assert since(now, {"listener": {"accepted": 9}}, GAUGES) == now
    assert since(now, {}, GAUGES) == now
