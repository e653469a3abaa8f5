"""What is looked at when, what is said, and what becomes of refusals."""

from collections.abc import Callable
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from snat.net import kernel_monitor
from snat.net.kernel_change import KernelChange, Kind
from snat.net.kernel_monitor import KernelCounters, KernelMonitor, Restored
from snat.net.pace import FIRST_WAIT, GATHER, LOOK, SPARE
from snat.net.refused import KernelRefused
from tests.net.memory import Log

FOREIGN = KernelRefused("another program's rule", where="pref 1000", remedy="move it")


class Kernel:
    """What a look finds."""

    def __init__(self) -> None:
        self.wrong: list[KernelChange] = []
        self.refusals: list[KernelRefused] = []
        self.error: Exception | None = None
        self.gone: frozenset[str] = frozenset()
        self.looks: list[bool] = []
        """Of each, whether it was one at nftables, too."""
        self.asked: list[Deferred[bool]] = []

    def restore(self, tables: bool) -> Restored:
        self.looks.append(tables)
        if self.error is not None:
            raise self.error
        changes, self.wrong = self.wrong, []
        return Restored(changes=changes, refusals=self.refusals, gone=self.gone)

    def ask_tables(self) -> "Deferred[bool]":
        self.asked.append(Deferred())
        return self.asked[-1]


class Events:
    """The socket's place."""

    made: "list[Events]"

    def __init__(self, listening: object, _reactor: object, noticed: Callable[[], None], _: object) -> None:
        assert listening == "a socket"
        self.noticed = noticed
        self.stopped = False
        Events.made.append(self)

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def clock() -> MemoryReactorClock:
    return MemoryReactorClock()


@pytest.fixture
def monitor(kernel: Kernel, clock: MemoryReactorClock, monkeypatch: pytest.MonkeyPatch) -> KernelMonitor:
    Events.made = []
    monkeypatch.setattr(kernel_monitor, "subscribe", lambda: "a socket")
    monkeypatch.setattr(kernel_monitor, "KernelEvents", Events)
    live: Any = clock
    made = KernelMonitor(live, kernel.restore, kernel.ask_tables)
    made.start()
    return made


def rule(number: int = 1) -> KernelChange:
    return KernelChange(Kind.RULES, f"rule {number}")


def again(clock: MemoryReactorClock, wait: float = LOOK) -> None:
    """Something changes, and is looked at."""
    Events.made[0].noticed()
    clock.advance(wait)


def test_it_looks_after_changes_and_now_and_then(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    Events.made[0].noticed()
    Events.made[0].noticed()
    assert kernel.looks == []
    clock.advance(GATHER)
    assert kernel.looks == [False]
    clock.pump([LOOK / 2] * 4)
    assert kernel.looks == [False] * 3
    assert monitor.counters == KernelCounters(looks=3)
    assert log.lines() == []


def test_what_is_put_back_is_counted_by_kind_and_said(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    kernel.wrong = [*map(rule, range(6)), *(KernelChange(kind, kind) for kind in Kind)]
    again(clock, GATHER)
    counted = {name: n for name, n in monitor.all_counters().items() if name.startswith("restored_")}
    assert counted == {f"restored_{kind}": 1 + 6 * (kind is Kind.RULES) for kind in Kind}
    (said,) = log.lines()
    assert "put back: rule 0, rule 1, rule 2, rule 3, rule 4 and 8 more" in said
    again(clock, FIRST_WAIT)
    assert len(log.lines()) == 1, "our own changes come back as events, and are no news"


def test_a_fight_is_told_of_twice_and_counted(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    for _ in range(6):
        kernel.wrong = [rule()]
        again(clock, 60.0)
    assert monitor.counters.restored_rules == 6
    assert [("again and again" in line) for line in log.lines()] == [False, True]
    clock.pump([LOOK] * 20)
    kernel.wrong = [rule()]
    again(clock)
    assert [("again and again" in line) for line in log.lines()] == [False, True, False], "it had lasted"


def test_a_refusal_is_said_once_until_it_is_over(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    other = KernelRefused("another", where="table 1001", remedy="move it")
    kernel.refusals = [FOREIGN]
    for refusals in ([FOREIGN], [FOREIGN], [other, FOREIGN], [other]):
        kernel.refusals = refusals
        clock.advance(LOOK)
    assert monitor.counters.refused == 4
    assert [line.split(" (")[0].split("] ")[-1] for line in log.lines()] == [
        "another program's rule",
        "another",
    ]
    kernel.refusals, kernel.wrong = [], [rule()]
    again(clock, FIRST_WAIT)
    assert "as it should be again" in log.lines()[2]
    assert "put back: rule 1" in log.lines()[3]


def test_an_interface_that_goes_and_comes_is_told_of_once(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    for gone in (("in0",), ("in0", "out0"), ("out0",), ()):
        kernel.gone = frozenset(gone)
        again(clock)
        again(clock)
    expected = ("in0 is gone", "out0 is gone", "in0 is back", "out0 is back")
    assert [words in line for words, line in zip(expected, log.lines(), strict=True)] == [True] * 4
    assert (monitor.counters.interfaces_gone, monitor.counters.refused) == (2, 0)


@pytest.mark.parametrize("error", [NetlinkError(105, "no buffer space"), OSError(24, "too many files")])
def test_a_kernel_that_does_not_tell_is_asked_again(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log, error: Exception
) -> None:
    kernel.gone = frozenset({"in0"})
    again(clock)
    kernel.error = error
    again(clock)
    assert "does not tell" in log.lines()[-1]
    kernel.error = None
    again(clock)
    assert "as it should be again" in log.lines()[-1]
    assert len(log.lines()) == 3, "whether in0 is back, nobody said"


def test_after_a_failure_that_nobody_thought_of_it_looks_again(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock
) -> None:
    kernel.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        clock.advance(LOOK)
    kernel.error = None
    clock.advance(LOOK)
    assert len(kernel.looks) == 2
    assert monitor.counters.looks == 2


# nftables


def test_nft_is_asked_beside_and_only_what_is_broken_there_is_looked_at(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock
) -> None:
    again(clock, GATHER)
    assert kernel.asked == [], "it tells nobody of changes, so these are no reason"
    clock.pump([LOOK] * 3)
    assert len(kernel.asked) == 1, "it is not asked twice at once"
    kernel.asked[0].callback(True)
    clock.advance(LOOK)
    assert True not in kernel.looks
    kernel.wrong = [KernelChange(Kind.TABLES, "the guard")]
    kernel.asked[1].callback(False)
    clock.advance(SPARE)
    again(clock, LOOK)
    assert kernel.looks[-2:] == [True, False]
    assert monitor.counters.restored_tables == 1


def test_what_nft_says_last_counts(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock, log: Log
) -> None:
    """Refused: it is tried again with each look. Silent: it is told, and not tried while packets wait."""
    clock.advance(LOOK)
    kernel.refusals = [FOREIGN]
    kernel.asked[0].callback(False)
    again(clock, FIRST_WAIT)
    again(clock, FIRST_WAIT)
    assert kernel.looks[-2:] == [True, True]
    kernel.refusals = []
    clock.advance(LOOK)
    kernel.asked[1].errback(KernelRefused("nft does not answer", where="nft", remedy="try it"))
    clock.advance(LOOK)
    assert kernel.looks[-1] is False
    assert "nft does not answer" in log.lines()[-1]
    kernel.asked[2].callback(True)
    clock.advance(LOOK)
    assert "as it should be again" in log.lines()[-1]
    assert monitor.counters.restored_tables == 0


def test_after_the_stop_nothing_is_looked_at(
    monitor: KernelMonitor, kernel: Kernel, clock: MemoryReactorClock
) -> None:
    clock.advance(LOOK)
    monitor.stop()
    assert Events.made[0].stopped
    kernel.asked[0].callback(False)
    clock.advance(10 * LOOK)
    assert kernel.looks == [False]
    assert clock.getDelayedCalls() == []
    monitor.stop()
