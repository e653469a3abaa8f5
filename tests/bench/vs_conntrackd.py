"""The row ``vs-conntrackd``: Debian's conntrackd and a pair of ours, by turns, on a veth between namespaces.

Both sides get flows that no packet made: conntrackd's kernel by ``conntrack -R``, ours by additions to the
table. ``SNAT_BENCH_FLOWS`` is how many, 100000 if it is not set. The kernel holds a namespace's flows to
``net.netfilter.nf_conntrack_max`` of the first namespace, which the row does not change.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from snat import pki
from tests.bench.conntrackd import Conntrackd, flow
from tests.bench.replicate import Process
from tests.bench.runs import medians
from tests.bench.takeover import takeover_seconds
from tests.bench.ways import Unmeasurable
from tests.system.namespaces import Namespace, cable, namespaces

FLOWS = 100_000
RUNS = 5
PACED_RATE, PACED_MOST = 20_000, 100_000
"""Flows a second, and how many at most, of the part that tells what one flow costs. The rest comes as fast as
it goes."""
ADDRESSES = ("192.0.2.1", "192.0.2.2")
PORT = 4756
SEGMENT, SEGMENT_HEADERS = 1448, 66
"""Payload and headers (Ethernet, IP, TCP with timestamps) of a full segment on an MTU of 1500."""
_RATIOS = (
    "active_cpu_us",
    "standby_cpu_us",
    "wire_bytes",
    "standby_resident_bytes",
    "resync_s",
    "takeover_ms",
    "flows_per_s",
)


def vs_conntrackd() -> dict[str, float]:
    """A pair of ours over TLS by a pair of conntrackd (FT-FW, UDP), N flows: CPU us, bytes on the wire and
    resident bytes on the standby for a flow; flows/s; s of a full resync; ms of a takeover; medians."""
    for program in ("conntrackd", "conntrack", "ip"):
        if shutil.which(program) is None:
            raise Unmeasurable(f"vs-conntrackd: {program} is not installed")
    count = int(os.environ.get("SNAT_BENCH_FLOWS", FLOWS))
    most = int(Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text())
    if count >= most:
        raise Unmeasurable(f"vs-conntrackd: {count} flows: raise net.netfilter.nf_conntrack_max ({most})")
    runs = []
    with tempfile.TemporaryDirectory(prefix="snat-bench-") as name:
        directory = Path(name)
        flows = [flow(number) for number in range(count)]
        authority = directory / "pki"
        pki.init(authority)
        for nat_id in (1, 2):
            pki.issue(authority, f"r{nat_id}.example", nat_id)
        for _ in range(RUNS):
            theirs = _theirs(flows, directory)
            ours = _ours(count, authority)
            run = {f"conntrackd_{name}": value for name, value in theirs.items()}
            run |= {f"snat_{name}": value for name, value in ours.items()}
            runs.append(run | {f"{one}_ratio": ours[one] / theirs[one] for one in _RATIOS})
    return {"flows": float(count)} | medians(runs)


@contextmanager
def _veth() -> Iterator[list[Namespace]]:
    with namespaces("active", "standby") as pair:
        cable(pair[0], "sync0", pair[1], "sync0")
        for host, address in zip(pair, ADDRESSES, strict=True):
            host.ip("addr", "add", f"{address}/24", "dev", "sync0")
        yield pair


def _sent(hosts: list[Namespace]) -> tuple[int, int]:
    """Packets and bytes that both ends have sent."""
    packets = octets = 0
    for host in hosts:
        numbers = re.findall(r"TX:.*\n\s+(\d+)\s+(\d+)", host.ip("-s", "link", "show", "dev", "sync0"))
        octets, packets = octets + int(numbers[0][0]), packets + int(numbers[0][1])
    return packets, octets


def _until(true: Callable[[], bool], seconds: float = 120.0) -> float:
    """The time when it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)
    return time.monotonic()


# Theirs


def _theirs(flows: list[str], directory: Path) -> dict[str, float]:
    """One run of conntrackd."""
    count, paced = len(flows), min(len(flows) // 2, PACED_MOST)
    with _veth() as hosts:
        active, standby = (
            Conntrackd(host, directory, near, far, count)
            for host, near, far in zip(hosts, ADDRESSES, reversed(ADDRESSES), strict=True)
        )
        try:
            empty = standby.resident()
            before = active.cpu(), standby.cpu(), _sent(hosts)[1]
            active.load(flows[:paced], PACED_RATE)
            _until(lambda: standby.external() == paced)
            after = active.cpu(), standby.cpu(), _sent(hosts)[1]
            begin = time.monotonic()
            active.load(flows[paced:])
            fast = _until(lambda: standby.external() == count) - begin
            resident = standby.resident() - empty
            standby.stop()
            standby.start()
            begin = time.monotonic()
            standby.ask("-n")
            resync = _until(lambda: standby.external() == count) - begin
            begin = time.monotonic()
            standby.ask("-c")
            commit = _until(lambda: standby.in_kernel() == count) - begin
        finally:
            active.stop()
            standby.stop()
    active_cpu, standby_cpu, wire = (
        (late - early) / paced for early, late in zip(before, after, strict=True)
    )
    return {
        "active_cpu_us": active_cpu * 1e6,
        "standby_cpu_us": standby_cpu * 1e6,
        "wire_bytes": wire,
        "standby_resident_bytes": resident / count,
        "flows_per_s": (count - paced) / fast,
        "resync_s": resync,
        "takeover_ms": commit * 1000,
    }


# Ours


def _ours(count: int, authority: Path) -> dict[str, float]:
    """One run of a pair of ours. TCP hands the veth segments that a wire would cut: we add their headers."""
    paced = min(count // 2, PACED_MOST)
    with _veth() as hosts:

        def start(which: int) -> Process:
            near, far = ADDRESSES[which], ADDRESSES[1 - which]
            prefix = ("ip", "netns", "exec", hosts[which].name)
            return Process(which + 1, PORT, 2 - which, PORT, authority, near, far, prefix=prefix)

        active, standby = start(0), start(1)
        try:
            active.until("standing", "MANAGE")
            empty = standby.until("synchronised", True)
            before, sent = active.ask("tell"), _sent(hosts)[1]
            after = active.ask(f"add {paced} {PACED_RATE}")
            behind = standby.until("entries", after["entries"])
            octets = _sent(hosts)[1] - sent
            begin = time.monotonic()
            last = active.ask(f"add {count - paced} 10000000")
            standby.until("entries", last["entries"], 120.0)
            fast = time.monotonic() - begin
            full = standby.ask("tell")
            assert full["entries"] == count
            standby.end()
            standby = start(1)
            resync = _resync(standby)
        finally:
            active.end()
            standby.end()
    return {
        "active_cpu_us": (after["cpu"] - before["cpu"]) / paced * 1e6,
        "standby_cpu_us": (behind["cpu"] - empty["cpu"]) / paced * 1e6,
        "wire_bytes": (octets + octets / SEGMENT * SEGMENT_HEADERS) / paced,
        "standby_resident_bytes": (full["resident"] - empty["resident"]) / count,
        "flows_per_s": (count - paced) / fast,
        "resync_s": resync,
        "takeover_ms": takeover_seconds(count) * 1000,
    }


def _resync(standby: Process) -> float:
    """Seconds from the last sight of an empty table to one that is proved equal."""
    empty = standby.ask("tell")
    while not (first := standby.ask("tell"))["entries"]:
        empty = first
    return float(standby.until("synchronised", True)["now"] - empty["now"])
