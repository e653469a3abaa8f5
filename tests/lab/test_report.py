"""What a report says follows from what was measured, and from nothing else."""

import dataclasses
import json

import pytest

from snat.lab.measure import FaultOutcome, FlowOutcome
from snat.lab.report import WIDTH, Report, Standing, draw

GOOD = FlowOutcome(
    protocol="tcp",
    inside="10.0.0.100:40001",
    outside_before="203.0.113.10:1025",
    outside_after="203.0.113.10:1025",
)
OTHER = dataclasses.replace(
    GOOD, inside="10.0.0.100:40002", outside_before="203.0.113.10:9", outside_after="203.0.113.10:9"
)
MOVED = dataclasses.replace(GOOD, outside_after="203.0.113.11:7")
KILL = FaultOutcome(
    name="kill -9 of R1",
    moment=4.04,
    manager="R2",
    outage=0.8124,
    flows_lost=0,
    bytes_lost=0,
    bytes_repeated=0,
    tables_equal=None,
)
RETURN = dataclasses.replace(KILL, name="return of R1", manager="R1", outage=0.04, tables_equal=True)
LOST = dataclasses.replace(GOOD, faults=("client: connection reset",))


def report(*outcomes: FlowOutcome, **changes: object) -> Report:
    whole = Report(
        topology="failover",
        outcomes=outcomes or (GOOD, OTHER),
        outage=0.8124,
        outage_meaning="probes",
        tables_equal=True,
        faults=(KILL, RETURN),
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
        report(OTHER, LOST),
        report(OTHER, MOVED),
        report(GOOD, GOOD),
        report(faults=(dataclasses.replace(KILL, others={"ping": False}),)),
        report(tables_equal=False),
        report(faults=(KILL, dataclasses.replace(RETURN, tables_equal=False))),
        report(wrong=("the probes came from nowhere",)),
        report(outcomes=()),
    ],
)
def test_a_report_passes_only_if_nothing_was_lost_moved_or_unequal(bad: Report) -> None:
    assert report().passed
    assert not bad.passed
    assert "FAILED" in bad.as_text()


def test_tables_that_could_not_be_compared_do_not_fail_a_report() -> None:
    assert report(faults=(KILL,)).passed
    assert report(faults=(KILL,)).tables_equal_again is None


def test_each_fault_is_told_with_what_came_of_it() -> None:
    broken = dataclasses.replace(KILL, flows_lost=2, bytes_lost=8, bytes_repeated=16)
    said = report(faults=(broken, RETURN)).as_json()["faults"]
    assert said[0] == {
        "fault": "kill -9 of R1",
        "at_s": 4.0,
        "manager": "R2",
        "outage_ms": 812,
        "flows_lost": 2,
        "bytes_lost": 8,
        "bytes_repeated": 16,
        "tables_equal": None,
    }
    assert (said[1]["fault"], said[1]["outage_ms"], said[1]["tables_equal"]) == ("return of R1", 40, True)
    text = report(faults=(broken, RETURN)).as_text()
    assert "812 ms, 2 lost, 8 bytes lost, 16 repeated; R2 manages" in text
    assert "40 ms, 0 lost; R1 manages" in text


def test_tables_that_differ_are_told_with_the_step_after_which_they_do() -> None:
    unequal = report(faults=(KILL, dataclasses.replace(RETURN, tables_equal=False)))
    assert unequal.as_json()["wrong"] == ["tables differ after: return of R1"]
    assert unequal.as_json()["tables_equal_again"] is False


def test_a_lost_flow_is_counted_and_its_reason_told() -> None:
    bad = report(OTHER, LOST)
    assert bad.as_json()["flows_lost"] == 1
    assert bad.as_json()["wrong"] == ["tcp 10.0.0.100:40001: client: connection reset"]
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


def test_other_traffic_that_stands_still_and_an_address_used_twice_are_told() -> None:
    stuck = report(faults=(dataclasses.replace(KILL, others={"ping": False, "download": True}),))
    assert stuck.as_json()["wrong"] == ["ping stands still after: kill -9 of R1"]
    assert stuck.as_json()["faults"][0]["ping"] is False
    assert report(GOOD, GOOD).as_json()["wrong"] == ["tcp 203.0.113.10:1025 is used twice"]


def test_what_became_of_other_traffic_is_in_the_report() -> None:
    said = report(others={"ping": "9 of 10 answered"})
    assert said.as_json()["others"] == {"ping": "9 of 10 answered"}
    assert "9 of 10 answered" in said.as_text()


def test_the_drawing_and_the_table_name_a_step_by_the_same_letter() -> None:
    timeline = [Standing(moment=0.0, router="R1", standing="MANAGE")]
    marks, line, *_ = draw(timeline, 12.0, [6.0, 11.99])
    assert (marks[38], marks[67]) == ("a", "b")
    assert marks.split() == ["a", "b"]
    assert line[38] == "#"
    text = report(timeline=timeline).as_text()
    assert "  a   4.0 s  kill -9 of R1" in text
    assert "  b   4.0 s  return of R1" in text
