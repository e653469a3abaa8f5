"""Traffic through the ways of the rows ``vs-kernel`` and ``vs-tayga``: iperf3, and datagrams in C."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from snat.lab.process import wait_for
from tests.bench.ways import SERVER, Triple

SECONDS: Final = 1.5
"""Of one measurement."""
PAYLOAD: Final = 22
"""Of a UDP datagram: 64 bytes of Ethernet."""
FLOWS: Final = 16


def iperf(triple: Triple, *options: str, address: str = SERVER) -> dict[str, dict[str, float]]:
    """What iperf3 says of the whole of a test; its server may be busy with the end of the one before."""
    command = [
        "ip",
        "netns",
        "exec",
        triple.client.name,
        "iperf3",
        "-c",
        address,
        "-t",
        str(SECONDS),
        "--json",
    ]
    said: dict[str, Any] = {}

    def measured() -> dict[str, dict[str, float]] | None:
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=30)
        said.clear()
        said.update(json.loads(done.stdout))
        return None if "error" in said else said["end"]

    return wait_for(measured, seconds=15, failure=lambda: f"iperf3 through {triple.way}: {said['error']}")


def tcp(triple: Triple, *options: str) -> float:
    """Gbit/s of one TCP connection."""
    return iperf(triple, *options)["sum_received"]["bits_per_second"] / 1e9


def datagrams(triple: Triple, program: Path) -> float:
    """Packets/s that arrive of as many as a sender can send."""
    receiver = triple.server.start(str(program), "receive", SERVER, str(SECONDS))
    assert receiver.stdout is not None
    port = receiver.stdout.readline().strip()
    triple.client.run(str(program), "send", SERVER, port, str(SECONDS), str(PAYLOAD), str(FLOWS))
    words = receiver.stdout.readline().split()
    assert receiver.wait(10) == 0, f"no datagram passed {triple.way}"
    return int(words[0]) / float(words[1])
