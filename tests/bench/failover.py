"""What traffic notices of a router's death and reload, in the topologies of the laboratory. Needs root."""

import json
import subprocess
import sys
from statistics import median
from typing import Any

RUNS = 5
FLOWS = 50
TOPOLOGIES = ("failover", "standby", "vrrp")
STEPS = {"kill": "kill -9 of R1", "return": "return of R1", "planned": "reload of R1"}
"""By the name of the figure: all three are steps of every run."""
_SECONDS = 120


def failover() -> dict[str, float]:
    """ms without an answer to UDP probes (100 a second) at kill -9, return and reload; TCP connections lost.

    Median, best and worst of five runs of `snat lab` for each topology.
    """
    figures: dict[str, float] = {}
    for topology in TOPOLOGIES:
        runs = [_run(topology) for _ in range(RUNS)]
        for figure, step in STEPS.items():
            outages = [
                fault["outage_ms"] for run in runs for fault in run["faults"] if fault["fault"] == step
            ]
            figures[f"{topology}_{figure}_ms"] = median(outages)
            figures[f"{topology}_{figure}_best_ms"] = min(outages)
            figures[f"{topology}_{figure}_worst_ms"] = max(outages)
        figures[f"{topology}_flows_lost"] = sum(run["flows_lost"] for run in runs)
    return figures


def _run(topology: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "snat", "lab", topology, "--flows", str(FLOWS), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"snat lab {topology}: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
