"""What a report says follows from what was measured, and from nothing else."""

import dataclasses
import json

import pytest

from snat.lab.measure import FlowOutcome
from snat.lab.report import WIDTH, Report, Standing, draw

GOOD = FlowOutcome(
    protocol="tcp",
    inside="10.0.0.100:40001",
    outside_before="203.0.113.10:1025",
    outside_after="203.0.113.10:1025",
)
MOVED = dataclasses.replace(GOOD, outside_after="203.0.113.11:7")
LOST = dataclasses.replace(GOOD, faults=("client: connection reset",))


def report(*outcomes: FlowOutcome, **changes: object) -> Report:
    whole = Report(
        topology="failover",
        outcomes=outcomes or (GOOD, GOOD),
        outage=0.8124,
        outage_meaning="probes",
        tables_equal=True,
        tables_equal_again=True,
        seconds=12.34,
    )
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def test_json_has_what_others_rely_on() -> None:
    said = json.loads(json.dumps(report().as_json()))
    assert {"flows": 2, "flows_lost": 0, "outage_ms": 812, "tables_equal": True}.items() <= said.items()
    assert {
        "topology": "failover",
        "same_outside": True,
        "seconds": 12.3,
        "passed": True,
    }.items() <= said.items()


@pytest.mark.parametrize(
    "bad",
    [
        report(GOOD, LOST),
        report(GOOD, MOVED),
        report(tables_equal=False),
        report(tables_equal_again=False),
        report(faults=("the probes came from nowhere",)),
        report(outcomes=()),
    ],
)
def test_a_report_passes_only_if_nothing_was_lost_moved_or_unequal(bad: Report) -> None:
    assert report().passed
    assert not bad.passed
    assert "FAILED" in bad.as_text()


def test_a_router_that_was_not_brought_back_does_not_fail_a_report() -> None:
    assert report(tables_equal_again=None).passed


def test_a_lost_flow_is_counted_and_its_reason_told() -> None:
    bad = report(GOOD, LOST)
    assert bad.as_json()["flows_lost"] == 1
    assert bad.as_json()["faults"] == ["tcp 10.0.0.100:40001: client: connection reset"]
    assert "! tcp 10.0.0.100:40001: client: connection reset" in bad.as_text()


def test_the_text_shows_samples_and_how_many_more_there_are() -> None:
    text = report(*[GOOD] * 9).as_text()
    assert text.count("tcp  10.0.0.100:40001 -> 203.0.113.10:1025") == 5
    assert "... 4 more" in text
    assert "(was 203.0.113.10:1025)" in report(MOVED).as_text()


def test_the_drawing_shows_who_was_active_when() -> None:
    timeline = [
        Standing(moment=0.0, router="R1", standing="starting"),
        Standing(moment=2.0, router="R1", standing="MANAGE"),
        Standing(moment=0.0, router="R2", standing="LISTEN"),
        Standing(moment=6.0, router="R1", standing="killed"),
        Standing(moment=7.0, router="R2", standing="MANAGE"),
    ]
    first, second, *_ = draw(timeline, 12.0)
    assert first == "  R1   |" + "." * 10 + "#" * 20 + "x" + " " * 29 + "|"
    assert second == "  R2   |" + "-" * 35 + "#" * 25 + "|"


def test_the_drawing_keeps_its_width_whatever_happens_at_its_end() -> None:
    timeline = [
        Standing(moment=0.0, router="R1", standing="MANAGE"),
        Standing(moment=9.999, router="R1", standing="killed"),
        Standing(moment=10.0, router="R1", standing="starting"),
    ]
    assert len(draw(timeline, 10.0)[0]) == len("  R1   |") + WIDTH + 1


def test_no_timeline_no_drawing() -> None:
    assert draw([], 1.0) == []
