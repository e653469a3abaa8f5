"""The arithmetic of outages and of what counts as a lost flow."""

import pytest

from snat.lab.ends import FlowEnd
from snat.lab.measure import Snapshot, Stage, fault_outcome, longest_gap, tcp_outcomes

OUTSIDE = "203.0.113.10:1025"
INSIDE = "10.0.0.100:40001"
TABLE = {INSIDE: OUTSIDE}


def end(
    *,
    received: int,
    local: str = INSIDE,
    remote: str = OUTSIDE,
    fault: str = "",
    closed: str = "",
    missing: int = 0,
) -> FlowEnd:
    return FlowEnd(
        flow=1,
        local=local,
        remote=remote,
        received=received,
        missing=missing,
        fault=fault,
        closed=closed,
    )


def snapshot(up: int, down: int, *, fault: str = "", closed: str = "", seen: str = OUTSIDE) -> Snapshot:
    return Snapshot.of(
        [end(received=down, fault=fault, closed=closed)], [end(received=up, local="server", remote=seen)]
    )


def stage(start: Snapshot, finish: Snapshot, table: dict[str, str] | None = TABLE) -> Stage:
    return Stage(
        after="kill -9 of R1", began=0.0, ended=5.0, start=start, end=finish, manager="R2", table=table
    )


@pytest.mark.parametrize(
    ("arrivals", "gap"),
    [
        ([9.9, 10.1, 10.2, 12.0, 12.1, 14.9], 2.8),
        ([9.0, 10.5], 4.5),  # nothing more until the end
        ([9.0, 11.0, 14.9], 3.9),
        ([8.0, 14.9], 6.9),  # the gap began before the measurement did
        ([], 5.0),
        ([20.0], 5.0),  # answers after the measurement are no part of it
        ([14.0, 11.0, 12.0], 2.0),  # in any order
    ],
)
def test_the_longest_gap_counts_from_the_last_answer_to_the_end(arrivals: list[float], gap: float) -> None:
    assert longest_gap(arrivals, start=10.0, end=15.0) == pytest.approx(gap)


def test_a_flow_survives_that_moved_both_ways_with_its_outside_address() -> None:
    (outcome,) = tcp_outcomes(before=snapshot(10, 10), stages=[stage(snapshot(20, 20), snapshot(21, 21))])
    assert outcome.survived
    assert outcome.same_outside
    assert (outcome.inside, outcome.outside_after) == (INSIDE, OUTSIDE)


@pytest.mark.parametrize(("up", "down"), [(20, 21), (21, 20), (20, 20)])
def test_a_flow_that_stands_still_one_way_is_lost(up: int, down: int) -> None:
    (outcome,) = tcp_outcomes(before=snapshot(10, 10), stages=[stage(snapshot(20, 20), snapshot(up, down))])
    assert outcome.faults == ("no bytes both ways after: kill -9 of R1",)


@pytest.mark.parametrize("wrong", [{"fault": "8 bytes lost at byte 16"}, {"closed": "connection reset"}])
def test_a_broken_or_closed_flow_is_lost(wrong: dict[str, str]) -> None:
    (outcome,) = tcp_outcomes(
        before=snapshot(10, 10), stages=[stage(snapshot(20, 20), snapshot(30, 30, **wrong))]
    )
    assert not outcome.survived
    assert next(iter(wrong.values())) in outcome.faults[0]


def test_a_flow_that_the_new_manager_does_not_know_is_lost() -> None:
    (outcome,) = tcp_outcomes(before=snapshot(10, 10), stages=[stage(snapshot(20, 20), snapshot(30, 30), {})])
    assert outcome.faults == ("no entry for it in the table of R2 after: kill -9 of R1",)
    assert not outcome.same_outside


def test_a_table_that_contradicts_the_server_is_a_fault() -> None:
    (outcome,) = tcp_outcomes(
        before=snapshot(10, 10),
        stages=[stage(snapshot(20, 20), snapshot(30, 30), {INSIDE: "203.0.113.11:9"})],
    )
    assert not outcome.survived
    assert not outcome.same_outside
    assert outcome.outside_after == "203.0.113.11:9"


def test_a_flow_that_never_arrived_is_lost() -> None:
    client_only = Snapshot.of([end(received=0, closed="never connected: no answer")], [])
    (outcome,) = tcp_outcomes(before=client_only, stages=[stage(client_only, client_only)])
    assert not outcome.survived
    assert not outcome.same_outside


def noticed(before: Snapshot, after: Stage) -> tuple[int, int, int]:
    outcome = fault_outcome(after, moment=4.0, before=before, outage=0.7, tables_equal=None)
    assert (outcome.name, outcome.manager, outcome.outage) == ("kill -9 of R1", "R2", 0.7)
    return outcome.flows_lost, outcome.bytes_lost, outcome.bytes_repeated


def test_a_step_that_all_flows_survive_lost_none() -> None:
    assert noticed(snapshot(10, 10), stage(snapshot(20, 20), snapshot(21, 21))) == (0, 0, 0)


def test_a_step_is_charged_with_what_broke_in_it() -> None:
    lost = Snapshot.of([end(received=30, fault="8 bytes lost", missing=8)], [end(received=30)])
    repeated = Snapshot.of([end(received=30)], [end(received=30, fault="8 bytes repeated", missing=-8)])
    assert noticed(snapshot(10, 10), stage(snapshot(20, 20), lost)) == (1, 8, 0)
    assert noticed(snapshot(10, 10), stage(snapshot(20, 20), repeated)) == (1, 0, 8)
    assert noticed(snapshot(10, 10), stage(snapshot(20, 20), snapshot(20, 21))) == (1, 0, 0)  # stuck


def test_a_step_is_not_charged_with_what_broke_before_it() -> None:
    broken = Snapshot.of([end(received=30, fault="8 bytes lost", missing=8)], [end(received=30)])
    assert noticed(broken, stage(broken, broken)) == (0, 0, 0)


def test_a_flow_is_judged_from_the_stage_on_at_whose_beginning_it_was_there() -> None:
    none = Snapshot.of([], [])
    earlier = stage(none, none, {})
    later = stage(snapshot(20, 20), snapshot(30, 30))
    (outcome,) = tcp_outcomes(before=none, stages=[earlier, later])
    assert (outcome.survived, outcome.same_outside) == (True, True)


def test_a_table_that_was_not_looked_at_accuses_nobody() -> None:
    (outcome,) = tcp_outcomes(
        before=snapshot(10, 10), stages=[stage(snapshot(20, 20), snapshot(30, 30), None)]
    )
    assert outcome.survived
