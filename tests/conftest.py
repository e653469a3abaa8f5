"""What holds for every test: what cannot run is said loudly, what Twisted logs as an error fails."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

TUN: Final = Path("/dev/net/tun")

NOT_TESTED: Final = "NOT TESTED"
"""Heads the summary when a test marked ``root`` was skipped, whatever for; .ci/run looks for it."""


def _why_not_live() -> str | None:
    """Why tests marked ``root`` cannot run here; None: they can."""
    if os.geteuid() != 0:
        return "this is not root"
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return f"{TUN} does not open: {error.strerror}"
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what cannot run here, and leave the long tests out unless ``-m`` names them."""
    why = _why_not_live()
    if why is not None:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason=f"needs root: {why}"))
    if "soak" not in config.getoption("markexpr"):
        soak = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if item not in soak]


def pytest_collection_finish() -> None:
    """Set aside what importing made, so that the collection after each test is short."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and how it is run."""
    not_live = sum("root" in report.keywords for report in terminalreporter.getreports("skipped"))
    if not_live:
        terminalreporter.section(NOT_TESTED, sep="!")
        why = _why_not_live() or "their reasons are above"
        terminalreporter.line(f"{not_live} tests with live traffic did not run: {why}.")
        terminalreporter.line("They run as root on Linux where /dev/net/tun opens: sudo make test")
    soak = sum("soak" in item.keywords for item in terminalreporter.stats.get("deselected", []))
    if soak:
        terminalreporter.line(f"{soak} long tests were left out; they run by: make soak")


@pytest.fixture(autouse=True)
def logged_failures(request: pytest.FixtureRequest) -> Iterator[list[Failure]]:
    """What Twisted logged as a failure, an unhandled Deferred's too. A test that expects one clears the list.

    Twisted's own TestCase does the same (``flushLoggedErrors``) and is left to it.
    """
    failures: list[Failure] = []
    if request.cls is not None and issubclass(request.cls, SynchronousTestCase):
        yield failures
        return

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    try:
        yield failures
        gc.collect()  # a Deferred tells of its failure when it is collected
    finally:
        globalLogPublisher.removeObserver(observe)
    if failures:
        pytest.fail("\n".join(failure.getTraceback() for failure in failures), pytrace=False)
