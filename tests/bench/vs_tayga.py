"""The row ``vs-tayga``: Debian's NAT64, which translates in user space between the two ends of one TUN.

It is the nearest to us of what is installed: one process in C that reads, translates and writes each packet.
It translates addresses without ports (a host inside has an address outside to itself), keeps no flows,
and its TUN has no offloads, so a TCP segment of it is one of the wire while ours may have 64 KiB.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.bench.runs import medians
from tests.bench.traffic import PAYLOAD, iperf
from tests.bench.vs_kernel import LATENCIES, latencies
from tests.bench.ways import SERVER, Triple, Unmeasurable, cpu_seconds, through_snat, triple_of

RUNS: Final = 5
RATE: Final = 20_000
"""Datagrams a second, which both pass: iperf3 cannot send as many as either can take, and a flood of it takes
the cores from who translates."""
PREFIX: Final = "2001:db8:64::"
CONFIGURATION: Final = """
tun-device nat64
ipv4-addr 192.168.255.1
ipv6-addr 2001:db8:1::64
prefix {prefix}/96
dynamic-pool 192.168.255.0/24
data-dir {directory}
"""


def vs_tayga() -> dict[str, float]:
    """TCP Gbit/s both ways, us of CPU for a small datagram at 20,000 a second, ping and TCP request (p50,
    p99) through tayga from IPv6, and through snat from IPv4; medians of five turns."""
    for program in ("ip", "iperf3", "ping", "tayga"):
        if shutil.which(program) is None:
            raise Unmeasurable(f"vs-tayga: {program} is not installed")
    with tempfile.TemporaryDirectory(prefix="snat-bench-") as name, ExitStack() as undo:
        directory = Path(name)
        ways = {
            PREFIX + SERVER: undo.enter_context(_tayga(directory)),
            SERVER: undo.enter_context(through_snat(directory)),
        }
        return medians(_turn(ways) for _ in range(RUNS))


def _turn(ways: dict[str, Triple]) -> dict[str, float]:
    """Everything once, by the address at which each client sees the server."""
    figures: dict[str, float] = {}
    for address, one in ways.items():
        figures |= {f"{one.way}_{name}": value for name, value in _figures(one, address).items()}
    for name in ("tcp_out_gbit_s", "tcp_back_gbit_s", "udp_cpu_us", *LATENCIES):
        figures[f"{name}_to_tayga"] = figures[f"snat_{name}"] / figures[f"tayga_{name}"]
    return figures


def _figures(triple: Triple, address: str) -> dict[str, float]:
    tcp = {
        name: iperf(triple, *options, address=address)["sum_received"]["bits_per_second"] / 1e9
        for name, options in (("tcp_out_gbit_s", ()), ("tcp_back_gbit_s", ("-R",)))
    }
    before = cpu_seconds(triple.process)
    said = iperf(triple, "-u", "-l", str(PAYLOAD), "-b", str(RATE * PAYLOAD * 8), address=address)["sum"]
    arrived = said["packets"] - said["lost_packets"]
    return {
        **tcp,
        "udp_arrived_share": arrived / said["packets"],
        "udp_cpu_us": (cpu_seconds(triple.process) - before) / arrived * 1e6,
        **latencies(triple.client, triple.server, address),
    }


@contextmanager
def _tayga(directory: Path) -> Iterator[Triple]:
    with triple_of("tayga") as triple:
        file = directory / "tayga.conf"
        file.write_text(CONFIGURATION.format(prefix=PREFIX, directory=directory), encoding="ascii")
        triple.client.ip("addr", "add", "2001:db8:2::5/64", "dev", "c0", "nodad")
        triple.router.ip("addr", "add", "2001:db8:2::1/64", "dev", "in0", "nodad")
        triple.client.ip("-6", "route", "add", "default", "via", "2001:db8:2::1")
        triple.router.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        triple.router.run("tayga", "-c", str(file), "--mktun")
        triple.router.ip("link", "set", "nat64", "up")
        triple.router.ip("route", "add", "192.168.255.0/24", "dev", "nat64")
        triple.router.ip("-6", "route", "add", f"{PREFIX}/96", "dev", "nat64")
        triple.server.ip("route", "add", "192.168.255.0/24", "via", "203.0.113.1")
        process = triple.router.start("tayga", "-c", str(file), "--nodetach")
        _answers(triple)
        yield replace(triple, process=process.pid)


def _answers(triple: Triple) -> None:
    """Wait until a ping passes, ten times at most."""
    command = ["ip", "netns", "exec", triple.client.name, "ping", "-c1", "-W1", PREFIX + SERVER]
    for _ in range(10):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
    raise Unmeasurable("vs-tayga: no ping passes tayga")
