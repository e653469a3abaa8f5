"""The row ``replicate``: two processes, mutual TLS 1.3 on loopback."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from snat import pki
from snat.lab.loopback import free_ports

ENTRIES = 1_000_000
ADDS = 300_000
RATE = 20_000


class Process:
    """One router, see :mod:`tests.bench.router`."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.bench.router", *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command: str) -> dict[str, Any]:
        """Do a command; what the process says of itself then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def until(self, key: str, value: object, seconds: float = 60.0) -> dict[str, Any]:
        """Ask until something is so."""
        end = time.monotonic() + seconds
        while (said := self.ask("tell"))[key] != value:
            assert time.monotonic() < end, said
            time.sleep(0.005)
        return said

    def end(self) -> None:
        """Stop it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def replicate() -> dict[str, float]:
    """A dump of 1,000,000 entries to a member that has none, then adds at a steady rate; both over TLS."""
    with tempfile.TemporaryDirectory() as directory:
        authority = Path(directory) / "pki"
        pki.init(authority)
        for nat_id in (1, 2):
            pki.issue(authority, f"r{nat_id}.example", nat_id)
        ports = free_ports(2)
        member = Process(2, ports[1], 1, ports[0], authority)
        manager = Process(1, ports[0], 2, ports[1], authority)
        try:
            manager.until("standing", "MANAGE")
            member.until("synchronised", True)
            member.end()
            before = manager.ask(f"load {ENTRIES}")
            member = Process(2, ports[1], 1, ports[0], authority)
            return _dump(manager, member, before) | _adds(manager, member)
        finally:
            manager.end()
            member.end()


def _dump(manager: Process, member: Process, before: dict[str, Any]) -> dict[str, float]:
    empty = member.ask("tell")
    while not (first := member.ask("tell"))["entries"]:
        empty = first
    done = member.until("synchronised", True)
    after = manager.ask("tell")
    assert done["entries"] == ENTRIES
    return {
        "dump_s": done["now"] - empty["now"],
        "dump_manager_cpu_s": after["cpu"] - before["cpu"],
        "dump_member_cpu_s": done["cpu"] - empty["cpu"],
        "dump_bytes_per_entry": (after["bytes_out"] - before["bytes_out"]) / ENTRIES,
        "member_resident_bytes_per_entry": (done["resident"] - empty["resident"]) / ENTRIES,
    }


def _adds(manager: Process, member: Process) -> dict[str, float]:
    before, behind = manager.ask("tell"), member.ask("tell")
    after = manager.ask(f"add {ADDS} {RATE}")
    done = member.until("sequence", after["sequence"])
    return {
        "adds_per_s": ADDS / (after["now"] - before["now"]),
        "adds_lag_ms": (done["now"] - after["now"]) * 1000,
        "add_manager_cpu_us": (after["cpu"] - before["cpu"]) / ADDS * 1e6,
        "add_member_cpu_us": (done["cpu"] - behind["cpu"]) / ADDS * 1e6,
    }
