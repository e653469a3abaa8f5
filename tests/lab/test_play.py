"""What ``snat lab`` prints and how it ends, whatever its scenario does."""

import json
import os
import signal
from collections.abc import Callable, Sequence

import pytest

from snat.lab import TOPOLOGIES, failover, play, run
from snat.lab.errors import LabError
from snat.lab.faults import FAULTS
from snat.lab.laboratory import Laboratory
from snat.lab.measure import FlowOutcome
from snat.lab.report import Report

Scenario = Callable[[Laboratory, int, Sequence[str]], Report]


def survivor(number: int, *faults: str) -> FlowOutcome:
    end = f"10.0.0.100:{number}"
    return FlowOutcome(protocol="tcp", inside=end, outside_before=end, outside_after=end, faults=faults)


def scenario(*faults: str) -> Scenario:
    def played(lab: Laboratory, flows: int, _faults: Sequence[str]) -> Report:
        lab.say("working")
        return Report(
            topology="none",
            outcomes=tuple(survivor(number, *faults) for number in range(flows)),
            outage=0.5,
            outage_meaning="imagined",
            tables_equal=True,
            seconds=1.0,
        )

    return played


def play_this(monkeypatch: pytest.MonkeyPatch, played: Scenario, *, json: bool) -> int:
    monkeypatch.setattr(play, "SCENARIOS", {"none": played})
    return run("none", json=json, flows=3, keep=False)


def test_every_topology_offered_can_be_played() -> None:
    assert set(TOPOLOGIES) == set(play.SCENARIOS)


def test_nothing_lost_is_exit_status_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play_this(monkeypatch, scenario(), json=False) == 0
    assert "none: passed" in capsys.readouterr().out


def test_a_lost_flow_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play_this(monkeypatch, scenario("stuck"), json=False) == 1
    assert "FAILED" in capsys.readouterr().out


def test_json_has_standard_output_to_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play_this(monkeypatch, scenario(), json=True) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["flows"] == 3
    assert "working" in printed.err


@pytest.mark.parametrize("asked", [True, False])
def test_a_laboratory_that_cannot_go_on_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: bool
) -> None:
    def broken(lab: Laboratory, flows: int, faults: Sequence[str]) -> Report:
        raise LabError("no ground to build on")

    assert play_this(monkeypatch, broken, json=asked) == 1
    printed = capsys.readouterr()
    assert "no ground to build on" in printed.err
    if asked:
        said = json.loads(printed.out)
        assert (said["error"], said["passed"], said["flows_lost"]) == ("no ground to build on", False, None)


def test_a_termination_signal_ends_it_with_everything_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def terminated(lab: Laboratory, flows: int, faults: Sequence[str]) -> Report:
        lab.callback(ended.append, "removed")
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was lost")

    before = signal.getsignal(signal.SIGTERM)
    assert play_this(monkeypatch, terminated, json=False) == 130
    assert ended == ["removed"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("topology", "flows"), [("moon", 3), ("none", 0), ("none", 65536)])
def test_what_cannot_be_played_is_refused(
    topology: str, flows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(topology, json=False, flows=flows, keep=False) == 2
    assert (
        "topologies are failover, standby, vrrp, peers, rolling, splitbrain, alg, none"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("topology", "known"), [("failover", "it has: kill, reload"), ("none", "none has no choice of faults")]
)
def test_a_fault_that_a_topology_does_not_have_is_refused(
    topology: str, known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(topology, json=False, flows=3, keep=False, faults=["moon"]) == 1
    assert known in capsys.readouterr().err


def test_every_fault_of_every_topology_is_there() -> None:
    for arrangement in failover.ARRANGEMENTS.values():
        assert set(arrangement.faults) <= set(arrangement.possible) <= set(FAULTS)
