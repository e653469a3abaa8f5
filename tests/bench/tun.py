"""The row ``tun``: live traffic in namespaces through kernel NAT, snat, and a loop in C that does nothing.

Each router has a client and a server of its own, joined by veth pairs; all three stand during the whole row
and are measured by turns. Needs root and iperf3; what is written in C is compiled on the spot.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from snat.lab.process import wait_for
from snat.lab.router import Router
from snat.net.kernel import Kernel
from snat.net.kernel_plan import INSIDE_TUN, OUTSIDE_TUN, KernelPlan
from tests.system.namespaces import Namespace, cable, namespaces

SECONDS: Final = 1.5
"""Of one measurement."""
ROUNDS: Final = 3
PAYLOAD: Final = 22
"""Of a UDP datagram: 64 bytes of Ethernet."""
FLOWS: Final = 16
SERVER: Final = "203.0.113.100"
KERNEL_NAT: Final = """
table ip nat {
    chain leave {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "out0" masquerade
    }
}
"""
CONFIGURATION: Final = """
hostname R
interface in0
 ip nat inside
interface out0
 ip nat outside
ip nat pool P 203.0.113.8 203.0.113.11 prefix-length 24
ip nat inside source list 1 pool P overload
access-list 1 permit 10.0.0.0 0.0.0.255
end
"""
SOURCES: Final = Path(__file__).parent


class Unmeasurable(SystemExit):
    """What the row needs is not here; the message says what."""


@dataclass(frozen=True, slots=True)
class Triple:
    """A client, a router and a server, and the name of what routes between them."""

    way: str
    client: Namespace
    router: Namespace
    server: Namespace
    process: int | None = None
    """That translates, if it is not the kernel itself."""


def tun() -> dict[str, float]:
    """TCP Gbit/s out and back and 64-byte UDP packets/s through kernel NAT, through snat, and through a loop
    in C that only forwards between two TUNs; and us of CPU for such a packet; the best of three turns."""
    for program in ("ip", "nft", "iperf3"):
        if shutil.which(program) is None:
            raise Unmeasurable(f"tun: {program} is not installed")
    with tempfile.TemporaryDirectory(prefix="snat-bench-") as name, ExitStack() as undo:
        directory = Path(name)
        programs = {one: compiled(one, directory) for one in ("tun_loop", "udp_rate")}
        triples = [undo.enter_context(_kernel_nat()), undo.enter_context(_snat(directory))]
        if (loop := programs["tun_loop"]) is not None:
            triples.append(undo.enter_context(_c_loop(loop)))
        figures = _measured(triples, programs["udp_rate"])
    return figures | _ratios(figures)


def compiled(name: str, directory: Path) -> Path | None:
    """The program of a C file here; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    program = directory / name
    subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCES / f"{name}.c")], check=True)
    return program


def _measured(triples: list[Triple], udp_rate: Path | None) -> dict[str, float]:
    most: dict[str, float] = {}
    least: dict[str, float] = {}
    for _ in range(ROUNDS):
        for one in triples:
            rates = {"tcp_out_gbit_s": _tcp(one), "tcp_back_gbit_s": _tcp(one, "-R")}
            before = _cpu(one.process)
            rates["udp_packets_per_s"] = _udp(one) if udp_rate is None else _datagrams(one, udp_rate)
            for figure, value in rates.items():
                name = f"{one.way}_{figure}"
                most[name] = max(most.get(name, 0.0), value)
            if one.process is not None:
                name = f"{one.way}_udp_cpu_us"
                taken = (_cpu(one.process) - before) / (rates["udp_packets_per_s"] * SECONDS) * 1e6
                least[name] = min(least.get(name, taken), taken)
    return most | least


def _cpu(process: int | None) -> float:
    """Seconds of CPU that a process has used, in the kernel too; 0 of none."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


# Ways through


@contextmanager
def _triple(way: str) -> Iterator[Triple]:
    with namespaces("client", "router", "server") as (client, router, server):
        cable(client, "c0", router, "in0")
        cable(router, "out0", server, "eth0")
        for host, address, interface in (
            (client, "10.0.0.5/24", "c0"),
            (router, "10.0.0.1/24", "in0"),
            (router, "203.0.113.1/24", "out0"),
            (server, f"{SERVER}/24", "eth0"),
        ):
            host.ip("addr", "add", address, "dev", interface)
        client.ip("route", "add", "default", "via", "10.0.0.1")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        listening = server.start("iperf3", "-s", "--forceflush")
        assert listening.stdout is not None
        while "listening" not in (line := listening.stdout.readline()):
            assert line, "iperf3 has ended"
        yield Triple(way, client, router, server)


@contextmanager
def _kernel_nat() -> Iterator[Triple]:
    with _triple("kernel") as triple:
        _nft(triple.router, KERNEL_NAT)
        yield triple


@contextmanager
def _c_loop(program: Path) -> Iterator[Triple]:
    with _triple("loop") as triple:
        triple.server.ip("route", "add", "10.0.0.0/24", "via", "203.0.113.1")
        loop = triple.router.start(str(program), INSIDE_TUN, OUTSIDE_TUN)
        assert loop.stdout is not None
        assert loop.stdout.readline() == "ready\n"
        kernel = Kernel(KernelPlan(inside=("in0",), outside=("out0",), pool_networks=()))
        with triple.router.entered():
            kernel.prepare()
            kernel.attach()
        yield replace(triple, process=loop.pid)


@contextmanager
def _snat(directory: Path) -> Iterator[Triple]:
    with _triple("snat") as triple:
        prefix = ("ip", "netns", "exec", triple.router.name)
        router = Router("r1", CONFIGURATION, directory=directory, prefix=prefix)
        router.start()
        try:
            wait_for(lambda: router.show("show ip nat statistics"), seconds=15, failure=router.tail)
            assert router._program is not None
            yield replace(triple, process=router._program._process.pid)
        finally:
            router.kill()


def _nft(namespace: Namespace, rules: str) -> None:
    command = ["ip", "netns", "exec", namespace.name, "nft", "-f", "-"]
    subprocess.run(command, input=rules, text=True, check=True)


# Traffic


def _iperf(triple: Triple, *options: str) -> dict[str, dict[str, float]]:
    """What iperf3 says of the whole of a test; its server may be busy with the end of the one before."""
    command = [
        "ip",
        "netns",
        "exec",
        triple.client.name,
        "iperf3",
        "-c",
        SERVER,
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


def _tcp(triple: Triple, *options: str) -> float:
    """Gbit/s of one TCP connection."""
    return _iperf(triple, *options)["sum_received"]["bits_per_second"] / 1e9


def _udp(triple: Triple) -> float:
    """Packets/s that arrive, where there is no compiler: iperf3 sends no more than it can itself."""
    said = _iperf(triple, "-u", "-l", str(PAYLOAD), "-b", "0")["sum"]
    return (said["packets"] - said["lost_packets"]) / said["seconds"]


def _datagrams(triple: Triple, program: Path) -> float:
    """Packets/s that arrive of as many as a sender can send."""
    receiver = triple.server.start(str(program), "receive", SERVER, str(SECONDS))
    assert receiver.stdout is not None
    port = receiver.stdout.readline().strip()
    triple.client.run(str(program), "send", SERVER, port, str(SECONDS), str(PAYLOAD), str(FLOWS))
    words = receiver.stdout.readline().split()
    assert receiver.wait(10) == 0, f"no datagram passed {triple.way}"
    return int(words[0]) / float(words[1])
