"""What traffic notices of a router that dies, reloads or loses a link, in the laboratory. Needs root."""

import json
import re
import subprocess
import sys
from typing import Any

from tests.bench.runs import medians

RUNS = 5
FLOWS = 50
FAULTS = {
    "failover": "kill,reload",
    "standby": "kill,reload,inside,outside",
    "vrrp": "kill,reload,inside,outside",
    "peers": "kill,reload",
}
"""Of each topology. A fault is several steps: what goes, and comes back."""
_SECONDS = 180


def failover() -> dict[str, float]:
    """ms without an answer to UDP probes (100 a second) at each step of each fault; TCP connections lost.

    Medians of five runs of `snat lab` for each topology; of the lost the sum.
    """
    figures: dict[str, float] = {}
    for topology, faults in FAULTS.items():
        runs = [_run(topology, faults) for _ in range(RUNS)]
        outages = medians({_figure(one["fault"]): one["outage_ms"] for one in run["faults"]} for run in runs)
        figures |= {f"{topology}_{name}": value for name, value in outages.items()}
        figures[f"{topology}_flows_lost"] = sum(run["flows_lost"] for run in runs)
    return figures


def _figure(step: str) -> str:
    """``kill -9 of R1``: ``kill_9_of_r1_ms``."""
    return re.sub(r"[^a-z0-9]+", "_", step.lower()) + "_ms"


def _run(topology: str, faults: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "snat", "lab", topology, "--flows", str(FLOWS), "--json"]
    command += ["--faults", faults]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"snat lab {topology}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
