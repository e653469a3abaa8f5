"""Routers between a client and a server in namespaces, as the row ``vs-kernel`` measures them.

Each router has a client and a server of its own, joined by veth pairs. Needs root and iperf3.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from snat.lab.process import wait_for
from snat.lab.router import Router
from snat.net.kernel import Kernel
from snat.net.kernel_plan import INSIDE_TUN, OUTSIDE_TUN, KernelPlan
from tests.system.namespaces import Namespace, cable, namespaces

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


def compiled(name: str, directory: Path) -> Path | None:
    """The program of a C file here; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    program = directory / name
    subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCES / f"{name}.c")], check=True)
    return program


def cpu_seconds(process: int | None) -> float:
    """Seconds of CPU that a process has used, in the kernel too; 0 of none."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def triple_of(way: str) -> Iterator[Triple]:
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
def kernel_nat() -> Iterator[Triple]:
    with triple_of("kernel") as triple:
        _nft(triple.router, KERNEL_NAT)
        yield triple


@contextmanager
def c_loop(program: Path) -> Iterator[Triple]:
    with triple_of("loop") as triple:
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
def through_snat(directory: Path) -> Iterator[Triple]:
    with triple_of("snat") as triple:
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
