"""The row ``vs-kernel``: live traffic through kernel NAT, snat, and a loop in C that does nothing.

Each router has a client and a server of its own, joined by veth pairs; all three stand during the whole row
and are measured by turns. Needs root and iperf3; what is written in C is compiled on the spot.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.bench.request import percentiles
from tests.bench.runs import medians
from tests.bench.traffic import SECONDS, datagrams, tcp
from tests.bench.ways import (
    SERVER,
    Triple,
    Unmeasurable,
    c_loop,
    compiled,
    cpu_seconds,
    kernel_nat,
    through_snat,
)
from tests.system.namespaces import Namespace

RUNS: Final = 5
PINGS, PING_EVERY_S = 500, 0.002
REQUESTS: Final = 3000
LATENCIES: Final = ("ping_p50_us", "ping_p99_us", "request_p50_us", "request_p99_us")


def vs_kernel() -> dict[str, float]:
    """TCP Gbit/s both ways, 64-byte UDP packets/s, and us of a ping and of a TCP request with its answer
    (p50, p99), through kernel NAT, snat, and the C loop between two TUNs; medians of five turns."""
    for program in ("ip", "nft", "iperf3", "ping", "cc"):
        if shutil.which(program) is None:
            raise Unmeasurable(f"vs-kernel: {program} is not installed")
    with tempfile.TemporaryDirectory(prefix="snat-bench-") as name, ExitStack() as undo:
        directory = Path(name)
        loop, udp_rate = compiled("tun_loop", directory), compiled("udp_rate", directory)
        assert loop is not None
        assert udp_rate is not None
        ways = [
            undo.enter_context(kernel_nat()),
            undo.enter_context(through_snat(directory)),
            undo.enter_context(c_loop(loop)),
        ]
        return medians(_turn(ways, udp_rate) for _ in range(RUNS))


def _turn(ways: list[Triple], udp_rate: Path) -> dict[str, float]:
    """Everything once, and what snat has of the others in this turn."""
    figures: dict[str, float] = {}
    for one in ways:
        measured = {"tcp_out_gbit_s": tcp(one), "tcp_back_gbit_s": tcp(one, "-R")}
        before = cpu_seconds(one.process)
        measured["udp_packets_per_s"] = rate = datagrams(one, udp_rate)
        if one.process is not None:
            measured["udp_cpu_us"] = (cpu_seconds(one.process) - before) / (rate * SECONDS) * 1e6
        measured |= latencies(one.client, one.server, SERVER)
        figures |= {f"{one.way}_{name}": value for name, value in measured.items()}
    for other in ("kernel", "loop"):
        for name in ("tcp_out_gbit_s", "tcp_back_gbit_s", "udp_packets_per_s"):
            figures[f"{name}_to_{other}"] = figures[f"snat_{name}"] / figures[f"{other}_{name}"]
        for name in LATENCIES:
            figures[f"added_to_{other}_{name}"] = figures[f"snat_{name}"] - figures[f"{other}_{name}"]
    figures["udp_cpu_us_to_loop"] = figures["snat_udp_cpu_us"] / figures["loop_udp_cpu_us"]
    return figures


def latencies(client: Namespace, server: Namespace, address: str, bound: str = SERVER) -> dict[str, float]:
    """us of a ping and of a request, p50 and p99; the server listens at ``bound``."""
    said = client.run("ping", "-c", str(PINGS), "-i", str(PING_EVERY_S), address)
    pings = percentiles([float(one) / 1000 for one in re.findall(r"time=([\d.]+) ms", said)])
    with _serving(server, bound) as port:
        asked = client.run(sys.executable, "-m", "tests.bench.request", "ask", address, port, str(REQUESTS))
    requests = [float(one) for one in asked.split()]
    return dict(zip(LATENCIES, (*pings, *requests), strict=True))


@contextmanager
def _serving(server: Namespace, address: str) -> Iterator[str]:
    process = server.start(sys.executable, "-m", "tests.bench.request", "serve", address)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(10)
