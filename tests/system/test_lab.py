"""The laboratory end to end: real daemons, real traffic, a real kill -9."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snat.lab.namespaces import NAMESPACES, PREFIX


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
    assert 0 < said["outage_ms"] < 5000


@pytest.mark.root
@pytest.mark.parametrize("topology", ["failover", "standby", "vrrp"])
def test_a_takeover_loses_no_connection_and_leaves_nothing_behind(tmp_path: Path, topology: str) -> None:
    said, progress = lab(topology, "--flows", "20", directory=tmp_path)
    assert (said["topology"], said["flows"], said["flows_lost"]) == (topology, 20, 0)
    assert said["same_outside"] is True
    assert said["tables_equal"] is True
    assert said["tables_equal_again"] is True
    assert 0 < said["outage_ms"] < 5000
    built = re.search(rf"namespaces ({PREFIX}[0-9a-f]+-)\*", progress)
    assert built is not None, progress
    assert list(NAMESPACES.glob(f"{built[1]}*")) == []


@pytest.mark.root
def test_routers_are_restarted_in_turn_without_a_loss(tmp_path: Path) -> None:
    said, _ = lab("rolling", "--flows", "20", directory=tmp_path)
    assert (said["flows"], said["flows_lost"], said["same_outside"]) == (20, 0, True)
    assert said["tables_equal"] is True
    assert said["tables_equal_again"] is True
    assert 0 < said["outage_ms"] < 5000
