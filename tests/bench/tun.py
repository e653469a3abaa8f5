"""The row ``tun``: live traffic in namespaces through kernel NAT, snat, and a loop in C that does nothing.

Each router has a client and a server of its own, joined by veth pairs; all three stand during the whole row
and are measured by turns. Needs root and iperf3; what is written in C is compiled on the spot.
"""

import json
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from snat.lab.process import wait_for
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

SECONDS: Final = 1.5
"""Of one measurement."""
ROUNDS: Final = 3
PAYLOAD: Final = 22
"""Of a UDP datagram: 64 bytes of Ethernet."""
FLOWS: Final = 16


def tun() -> dict[str, float]:
    """TCP Gbit/s out and back and 64-byte UDP packets/s through kernel NAT, through snat, and through a loop
    in C that only forwards between two TUNs; and us of CPU for such a packet; the best of three turns."""
    for program in ("ip", "nft", "iperf3"):
        if shutil.which(program) is None:
            raise Unmeasurable(f"tun: {program} is not installed")
    with tempfile.TemporaryDirectory(prefix="snat-bench-") as name, ExitStack() as undo:
        directory = Path(name)
        programs = {one: compiled(one, directory) for one in ("tun_loop", "udp_rate")}
        triples = [undo.enter_context(kernel_nat()), undo.enter_context(through_snat(directory))]
        if (loop := programs["tun_loop"]) is not None:
            triples.append(undo.enter_context(c_loop(loop)))
        figures = _measured(triples, programs["udp_rate"])
    return figures | _ratios(figures)


def _measured(triples: list[Triple], udp_rate: Path | None) -> dict[str, float]:
    most: dict[str, float] = {}
    least: dict[str, float] = {}
    for _ in range(ROUNDS):
        for one in triples:
            rates = {"tcp_out_gbit_s": tcp(one), "tcp_back_gbit_s": tcp(one, "-R")}
            before = cpu_seconds(one.process)
            rates["udp_packets_per_s"] = _udp(one) if udp_rate is None else datagrams(one, udp_rate)
            for figure, value in rates.items():
                name = f"{one.way}_{figure}"
                most[name] = max(most.get(name, 0.0), value)
            if one.process is not None:
                name = f"{one.way}_udp_cpu_us"
                taken = (cpu_seconds(one.process) - before) / (rates["udp_packets_per_s"] * SECONDS) * 1e6
                least[name] = min(least.get(name, taken), taken)
    return most | least


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    """What snat reaches of the others, by figure; of CPU what they need of snat's."""
    ratios: dict[str, float] = {}
    for other in ("kernel", "loop"):
        for name, figure in (
            ("tcp_out", "tcp_out_gbit_s"),
            ("tcp_back", "tcp_back_gbit_s"),
            ("udp", "udp_packets_per_s"),
        ):
            if f"{other}_{figure}" in figures:
                ratios[f"{name}_to_{other}"] = figures[f"snat_{figure}"] / figures[f"{other}_{figure}"]
    if "loop_udp_cpu_us" in figures:
        ratios["udp_cpu_to_loop"] = figures["loop_udp_cpu_us"] / figures["snat_udp_cpu_us"]
    return ratios


# Traffic


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


def _udp(triple: Triple) -> float:
    """Packets/s that arrive, where there is no compiler: iperf3 sends no more than it can itself."""
    said = iperf(triple, "-u", "-l", str(PAYLOAD), "-b", "0")["sum"]
    return (said["packets"] - said["lost_packets"]) / said["seconds"]


def datagrams(triple: Triple, program: Path) -> float:
    """Packets/s that arrive of as many as a sender can send."""
    receiver = triple.server.start(str(program), "receive", SERVER, str(SECONDS))
    assert receiver.stdout is not None
    port = receiver.stdout.readline().strip()
    triple.client.run(str(program), "send", SERVER, port, str(SECONDS), str(PAYLOAD), str(FLOWS))
    words = receiver.stdout.readline().split()
    assert receiver.wait(10) == 0, f"no datagram passed {triple.way}"
    return int(words[0]) / float(words[1])
