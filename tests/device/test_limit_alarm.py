"""The alarm of ``max-entries``: as long as flows were refused lately."""

from snat.device.alarms import EXHAUSTED, LIMIT, limit_alarms
from snat.nat.limits import Limits
from snat.nat.table import NatTable
from snat.translate.load import Load
from tests.records import record

HOST = bytes((10, 0, 0, 5))


def refused(times: int, at: float) -> Load:
    """A host that has a flow, which is all it may have, asked for more."""
    load = Load(NatTable())
    load.limit(Limits(all_host=1))
    load.changed([], [record(host=5)])
    assert all(load.refuses(HOST, at) for _ in range(times))
    return load


def test_none_while_nobody_was_refused() -> None:
    assert limit_alarms(Load(NatTable()), 0.0) == {}


def test_it_tells_how_many_flows_were_refused() -> None:
    ((alarm, text),) = limit_alarms(refused(3, 1000.0), 1000.0).items()
    assert alarm == (LIMIT, "")
    assert text.endswith("misses 3")


def test_it_ends_some_time_after_the_last_refusal() -> None:
    load = refused(1, 1000.0)
    assert limit_alarms(load, 1000.0 + EXHAUSTED - 0.1)
    assert limit_alarms(load, 1000.0 + EXHAUSTED) == {}
