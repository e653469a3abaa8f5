"""The row ``scale``: what a larger table, and more members, make dearer.

Every size of the table is measured in processes of its own; ``SNAT_BENCH_SIZES`` names other sizes. The
``..._ratio`` are the largest size by the smallest, and nine members by one, of one run.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from snat import pki
from snat.lab.loopback import free_ports
from tests.bench.replicate import Process
from tests.bench.runs import medians

SIZES = "10000 100000 1000000 3000000"
RUNS = 5
MEMBERS = (1, 4, 9)
CHANGES, CHANGE_RATE = 20_000, 5000
_GROWS = ("hit_hot_us", "hit_uniform_us", "new_flow_us", "resident_bytes_per_entry")


def scale() -> dict[str, float]:
    """By the size of the table: us a hit (10 000 hot flows; drawn uniformly), us a new flow, bytes an entry
    and a path, expired entries/s and the longest turn of that, s of a dump over TLS. By the number of
    members: CPU us of a change on the manager and on a member."""
    figures: dict[str, float] = {}
    sizes = [int(word) for word in os.environ.get("SNAT_BENCH_SIZES", SIZES).split()]
    for size in sizes:
        runs = [_size(size) for _ in range(RUNS)]
        figures |= {f"{size}_{name}": value for name, value in medians(runs).items()}
    for name in _GROWS:
        figures[f"{name}_ratio"] = figures[f"{max(sizes)}_{name}"] / figures[f"{min(sizes)}_{name}"]
    with tempfile.TemporaryDirectory(prefix="snat-bench-") as name:
        authority = Path(name) / "pki"
        pki.init(authority)
        for nat_id in range(1, max(MEMBERS) + 2):
            pki.issue(authority, f"r{nat_id}.example", nat_id)
        for size in sizes:
            figures[f"{size}_dump_s"] = median(_dump(size, authority) for _ in range(RUNS))
        runs = [_by_members(authority) for _ in range(RUNS)]
    return figures | {f"members_{name}": value for name, value in medians(runs).items()}


def _size(count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.table_size", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def _start(which: int, ports: list[int], authority: Path) -> Process:
    """The member of this index, of as many as there are ports."""
    others = [index for index in range(len(ports)) if index != which]
    ids = ",".join(str(index + 1) for index in others)
    return Process(which + 1, ports[which], ids, ",".join(str(ports[index]) for index in others), authority)


def _dump(count: int, authority: Path) -> float:
    """Seconds from the last sight of an empty table to one that is proved equal."""
    ports = free_ports(2)
    processes = [_start(which, ports, authority) for which in range(2)]
    try:
        manager, member = processes
        manager.until("standing", "MANAGE")
        member.until("synchronised", True)
        member.end()
        manager.ask(f"load {count}")
        processes[1] = member = _start(1, ports, authority)
        empty = member.ask("tell")
        while not (first := member.ask("tell"))["entries"]:
            empty = first
        done = member.until("synchronised", True, 120.0)
        assert done["entries"] == count
        return float(done["now"] - empty["now"])
    finally:
        for process in processes:
            process.end()


def _by_members(authority: Path) -> dict[str, float]:
    """CPU us of a change, for each number of members; and the last number's by the first's."""
    figures: dict[str, float] = {}
    for count in MEMBERS:
        manager, member = _changes(count, authority)
        figures |= {f"{count}_manager_us": manager, f"{count}_member_us": member}
    for one in ("manager", "member"):
        figures[f"{one}_ratio"] = figures[f"{MEMBERS[-1]}_{one}_us"] / figures[f"{MEMBERS[0]}_{one}_us"]
    return figures


def _changes(members: int, authority: Path) -> tuple[float, float]:
    """CPU us of a change on the manager, and on one of its members."""
    ports = free_ports(members + 1)
    processes = [_start(which, ports, authority) for which in range(members + 1)]
    try:
        manager, *others = processes
        manager.until("standing", "MANAGE")
        for one in others:
            one.until("synchronised", True)
        time.sleep(0.5)  # until the last links stand
        before, behind = manager.ask("tell"), others[0].ask("tell")
        manager.ask(f"add {CHANGES} {CHANGE_RATE}")
        ends = [one.until("entries", CHANGES) for one in others]
        done = manager.ask("tell")
    finally:
        for process in processes:
            process.end()
    used = done["cpu"] - before["cpu"], ends[0]["cpu"] - behind["cpu"]
    return used[0] / CHANGES * 1e6, used[1] / CHANGES * 1e6
