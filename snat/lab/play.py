"""Plays a topology and prints what came of it: what ``snat lab`` does."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from json import dumps
from types import FrameType
from typing import Any, Final

from snat.lab import alg, failover, loopback
from snat.lab.errors import LabError
from snat.lab.laboratory import Laboratory
from snat.lab.report import Report
from snat.lab.stream import MAXIMUM_FLOWS

Scenario = Callable[[Laboratory, int, Sequence[str]], Report]
"""Plays with so many flows, and these faults in the place of its own; none: its own."""


def _loopback(lab: Laboratory, _flows: int, faults: Sequence[str]) -> Report:
    """Its flows are the capture's."""
    if faults:
        raise LabError("none has no choice of faults")
    return loopback.play(lab)


def _alg(lab: Laboratory, _flows: int, faults: Sequence[str]) -> Report:
    """Its flows are those of one session."""
    if faults:
        raise LabError("alg has no choice of faults")
    return alg.play(lab)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    **{name: partial(failover.play, one) for name, one in failover.ARRANGEMENTS.items()},
    "alg": _alg,
    "none": _loopback,
}

PASSED: Final = 0
FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


def play(topology: str, *, json: bool, flows: int, keep: bool, faults: Sequence[str] = ()) -> int:
    """See :func:`snat.lab.run`."""
    if topology not in SCENARIOS or not 1 <= flows <= MAXIMUM_FLOWS:
        known = ", ".join(SCENARIOS)
        print(f"snat lab: topologies are {known}; flows 1 to {MAXIMUM_FLOWS}", file=sys.stderr)
        return MISUSED
    laboratory = Laboratory(progress=sys.stderr if json else sys.stdout)
    try:
        with _interruptible(), laboratory:
            report = SCENARIOS[topology](laboratory, flows, faults)
            _print(report, json=json)
            if not report.passed:
                laboratory.show_logs()
            if keep:
                _keep(laboratory)
    except LabError as error:
        _print_error(topology, error, json=json)
        return FAILED
    except KeyboardInterrupt:
        laboratory.say("interrupted; everything is removed")
        return INTERRUPTED
    return PASSED if report.passed else FAILED


def _print(report: Report, *, json: bool) -> None:
    print(dumps(report.as_json()) if json else report.as_text(), flush=True)


def _print_error(topology: str, error: LabError, *, json: bool) -> None:
    """No report; yet the last line of ``--json`` is an object, and says why."""
    print(f"snat lab {topology}: {error}", file=sys.stderr)
    if json:
        unknown: dict[str, Any] = dict.fromkeys(("flows", "flows_lost", "outage_ms", "tables_equal"))
        print(dumps({"topology": topology, **unknown, "passed": False, "error": str(error)}))


def _keep(laboratory: Laboratory) -> None:
    """Leave everything running until a Ctrl-C."""
    for router in laboratory.routers:
        laboratory.say(f"{router.name}: snat-cli --control {router.control}")
    laboratory.say("kept running; Ctrl-C ends and removes it")
    try:
        signal.pause()
    except KeyboardInterrupt:
        laboratory.say("ending")


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end a laboratory as Ctrl-C does: with everything removed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
