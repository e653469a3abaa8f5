"""What traffic notices of every fault that the laboratory can make of every topology. Needs root."""

import json
import re
import subprocess
import sys
from typing import Any

from snat.lab.failover import ARRANGEMENTS
from tests.bench.runs import medians

RUNS = 5
FLOWS = 50
_SECONDS = 180


def failover() -> dict[str, float]:
    """ms without an answer to UDP probes (100 a second) at each step of each fault; TCP connections lost.

    A fault is several steps: what goes, and comes back. Medians of five runs of `snat lab` for each fault of
    each topology, on a site of its own each; of the lost the sum of a topology.
    """
    figures: dict[str, float] = {}
    for topology, arrangement in ARRANGEMENTS.items():
        lost = 0
        for fault in arrangement.possible:
            runs = [_run(topology, fault) for _ in range(RUNS)]
            outages = medians(
                {_figure(one["fault"]): one["outage_ms"] for one in run["faults"]} for run in runs
            )
            figures |= {f"{topology}_{fault}_{name}": value for name, value in outages.items()}
            lost += sum(run["flows_lost"] for run in runs)
        figures[f"{topology}_flows_lost"] = lost
    return figures


def _figure(step: str) -> str:
    """``kill -9 of R1``: ``kill_9_of_r1_ms``."""
    return re.sub(r"[^a-z0-9]+", "_", step.lower()) + "_ms"


def _run(topology: str, fault: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "snat", "lab", topology, "--flows", str(FLOWS), "--json"]
    command += ["--faults", fault]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(
            f"snat lab {topology} --faults {fault}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
