"""What traffic notices of a router's death, in the topologies of the laboratory. Needs root."""

import json
import subprocess
import sys
from statistics import median

RUNS = 5
FLOWS = 50
TOPOLOGIES = ("failover", "standby", "vrrp", "rolling")
_SECONDS = 120


def failover() -> dict[str, float]:
    """ms without an answer to UDP probes (100 a second) at kill -9 and at the return; TCP connections lost.

    Median and worst of five runs of `snat lab` for each topology.
    """
    figures: dict[str, float] = {}
    for topology in TOPOLOGIES:
        runs = [_run(topology) for _ in range(RUNS)]
        outages = [run["outage_ms"] for run in runs]
        figures[f"{topology}_outage_ms"] = median(outages)
        figures[f"{topology}_outage_worst_ms"] = max(outages)
        if topology != "rolling":
            figures[f"{topology}_return_ms"] = median(run["return_outage_ms"] for run in runs)
        figures[f"{topology}_flows_lost"] = sum(run["flows_lost"] for run in runs)
    return figures


def _run(topology: str) -> dict[str, float]:
    command = [sys.executable, "-P", "-m", "snat", "lab", topology, "--flows", str(FLOWS), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"snat lab {topology}: {done.stderr[-2000:]}")
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said
