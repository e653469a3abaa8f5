"""The laboratory end to end: real daemons, real traffic, every fault of every topology."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snat.lab.namespaces import NAMESPACES, PREFIX

FLOWS = 200
LONGEST_OUTAGE = 5000
"""Milliseconds."""
TAKEOVERS = ["kill -9 of R1", "return of R1", "reload of R1"]
EACH_IN_TURN = [f"{what} of R{number}" for number in (1, 2, 3) for what in ("end", "return")]
SPLIT = ["parted in two halves", "new connections in both", "joined again"]
LINKS = [
    *(f"{link} link of R1 {way}" for link in ("inside", "outside", "replication") for way in ("down", "up")),
    "R1 parted from the others",
    "partition healed",
]


def lab(*arguments: str, directory: Path) -> tuple[dict[str, Any], str]:
    """What ``snat lab ... --json`` says, and its progress; run from somewhere else than the source."""
    command = [sys.executable, "-P", "-m", "snat", "lab", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=directory)
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode == 0) == said["passed"], done.stderr
    assert said["passed"], f"{said}\n{done.stderr}"
    return said, done.stderr


def test_none_loses_no_flow_without_any_privilege(tmp_path: Path) -> None:
    said, _ = lab("none", directory=tmp_path)
    assert (said["topology"], said["flows"], said["flows_lost"]) == ("none", 30, 0)
    assert said["same_outside"] is True
    assert said["tables_equal"] is True
    assert 0 < said["outage_ms"] < LONGEST_OUTAGE


def played(topology: str, *arguments: str, directory: Path) -> dict[str, Any]:
    """What a topology with live traffic says, once it has lost nothing and left nothing behind."""
    said, progress = lab(topology, "--flows", str(FLOWS), *arguments, directory=directory)
    assert (said["topology"], said["flows_lost"], said["same_outside"]) == (topology, 0, True)
    assert said["flows"] >= FLOWS
    assert said["tables_equal"] is True
    assert said["tables_equal_again"] is True
    for fault in said["faults"]:
        assert 0 < fault["outage_ms"] < LONGEST_OUTAGE, fault
        assert (fault["flows_lost"], fault["bytes_lost"], fault["bytes_repeated"]) == (0, 0, 0), fault
        assert fault["ping of client"] is True
        assert fault["download of client"] is True
    assert said["outage_ms"] == max(fault["outage_ms"] for fault in said["faults"])
    built = re.search(rf"namespaces ({PREFIX}[0-9a-f]+-)\*", progress)
    assert built is not None, progress
    assert list(NAMESPACES.glob(f"{built[1]}*")) == []
    return said


def names(said: dict[str, Any]) -> list[str]:
    """Of the faults, in order."""
    return [fault["fault"] for fault in said["faults"]]


def managers(said: dict[str, Any]) -> list[str]:
    """Who managed after each."""
    return [fault["manager"] for fault in said["faults"]]


@pytest.mark.root
@pytest.mark.parametrize("topology", ["failover", "standby", "vrrp", "peers"])
def test_kill_return_and_reload_lose_no_connection(tmp_path: Path, topology: str) -> None:
    said = played(topology, directory=tmp_path)
    assert (names(said), said["flows"]) == (TAKEOVERS, FLOWS)
    assert managers(said) == ["R2", "R1", "R1"]


@pytest.mark.root
def test_an_ftp_session_outlives_its_router(tmp_path: Path) -> None:
    pytest.importorskip("pyftpdlib")
    said, _ = lab("alg", directory=tmp_path)
    assert (said["topology"], said["flows"], said["flows_lost"], said["passed"]) == ("alg", 2, 0, True)
    assert said["same_outside"] is True
    assert said["tables_equal"] is True
    assert 0 < said["outage_ms"] < LONGEST_OUTAGE
    assert names(said) == ["kill -9 of R1", "return of R1"]


@pytest.mark.root
def test_routers_are_restarted_in_turn_without_a_loss(tmp_path: Path) -> None:
    said = played("rolling", directory=tmp_path)
    assert names(said) == EACH_IN_TURN
    assert managers(said) == ["R2", "R1", "R1", "R1", "R1", "R1"]


@pytest.mark.root
def test_every_link_fails_and_comes_back_without_a_loss(tmp_path: Path) -> None:
    said = played("standby", "--faults", "inside,outside,replication,partition", directory=tmp_path)
    assert names(said) == LINKS
    assert managers(said) == ["R2", "R1", "R2", "R1", "R1", "R1", "R1", "R1"]


@pytest.mark.root
def test_two_halves_that_both_managed_meet_and_nothing_is_lost(tmp_path: Path) -> None:
    """Both made connections from the same source ports, in a pool of one address.

    Who merges is who manages when the links are back: HSRP may have decided by then, or not yet.
    """
    said = played("splitbrain", directory=tmp_path)
    assert names(said) == SPLIT
    assert said["flows"] == FLOWS + 40
    (told,) = [f"{name}: {text}" for name, text in said["others"].items() if name.endswith("merged")]
    each_other = r"R1 merged: (\d+) entries of r2\S+|R2 merged: (\d+) entries of r1\S+"
    merged = re.fullmatch(rf"(?:{each_other}) merged, 0 had keys of ours", told)
    assert merged is not None, said
    assert int(merged[1] or merged[2]) >= 20
