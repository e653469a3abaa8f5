"""The row ``replicate``: two processes, mutual TLS 1.3 on loopback.

Four parts: a dump of all entries to a member that has none, again and again; adds at a low rate, stamped on
both sides; adds at a steady higher rate, for what one costs; adds at rising rates, until a side falls behind.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from snat import pki
from snat.lab.loopback import free_ports
from tests.bench.runs import medians

ENTRIES = 1_000_000
RUNS = 5
LATENCY_RATE, LATENCY_S = 1000, 3
STEADY_RATE, STEADY_S = 20_000, 3
RISING_FROM, RISING_BY, RISING_S = 40_000, 1.25, 1.5
RISING_BOUND_S = 15
"""No further step after so many seconds."""
_KEEPS_PACE, _IS_BEHIND_S = 0.95, 0.1
"""Of the rate asked for, what the manager must make, and how far behind a step may leave the member. Far less
than 1 s, because a step is short: who is further behind after it would be 1 s behind some steps later."""


class Process:
    """One router, see :mod:`tests.bench.router`."""

    def __init__(self, *arguments: object, prefix: tuple[str, ...] = ()) -> None:
        command = [*prefix, sys.executable, "-m", "tests.bench.router", *map(str, arguments)]
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
    """Dumps of 1,000,000 entries, then adds at 1,000 and 20,000 a second and as many as go; over TLS."""
    with tempfile.TemporaryDirectory() as directory:
        authority = Path(directory) / "pki"
        pki.init(authority)
        for nat_id in (1, 2):
            pki.issue(authority, f"r{nat_id}.example", nat_id)
        ports = free_ports(2)

        def start_member() -> Process:
            return Process(2, ports[1], 1, ports[0], authority)

        member = start_member()
        manager = Process(1, ports[0], 2, ports[1], authority)
        try:
            manager.until("standing", "MANAGE")
            member.until("synchronised", True)
            manager.ask(f"load {ENTRIES}")
            runs = []
            for _ in range(RUNS):
                member.end()
                before = manager.ask("tell")
                member = start_member()
                runs.append(_dump(manager, member, before))
            for run in runs:
                run |= _latency(manager, member)
                run |= _steady(manager, member)
            return medians(runs) | _rising(manager, member)
        finally:
            manager.end()
            member.end()


def _dump(manager: Process, member: Process, before: dict[str, Any]) -> dict[str, float]:
    empty = member.ask("tell")
    while not (first := member.ask("tell"))["entries"]:
        empty = first
    done = member.until("synchronised", True)
    after = manager.ask("tell")
    assert done["entries"] == after["entries"]
    return {
        "dump_s": done["now"] - empty["now"],
        "dump_manager_cpu_s_per_million": (after["cpu"] - before["cpu"]) / ENTRIES * 1e6,
        "dump_member_cpu_s_per_million": (done["cpu"] - empty["cpu"]) / ENTRIES * 1e6,
        "dump_bytes_per_entry": (after["bytes_out"] - before["bytes_out"]) / ENTRIES,
        "member_resident_bytes_per_entry": (done["resident"] - empty["resident"]) / ENTRIES,
    }


def _latency(manager: Process, member: Process) -> dict[str, float]:
    """From the manager's table to the member's."""
    count = LATENCY_RATE * LATENCY_S
    first = manager.ask("tell")["loaded"]
    for process in (manager, member):
        process.ask(f"stamp {first} {count}")
    after = manager.ask(f"add {count} {LATENCY_RATE}")
    member.until("entries", after["entries"])
    entered, applied = (process.ask("stamps")["times"] for process in (manager, member))
    assert all(entered), "every one is stamped"
    assert all(applied)
    taken = sorted(later - earlier for earlier, later in zip(entered, applied, strict=True))
    assert taken[0] > 0, "one clock"
    return {
        "add_to_applied_p50_ms": taken[count // 2] / 1e6,
        "add_to_applied_p99_ms": taken[count * 99 // 100] / 1e6,
        "add_to_applied_worst_ms": taken[-1] / 1e6,
    }


def _steady(manager: Process, member: Process) -> dict[str, float]:
    count = STEADY_RATE * STEADY_S
    before, behind = manager.ask("tell"), member.ask("tell")
    after = manager.ask(f"add {count} {STEADY_RATE}")
    done = member.until("entries", after["entries"])
    return {
        "adds_lag_ms": (done["now"] - after["now"]) * 1000,
        "adds_manager_cpu_s_per_million": (after["cpu"] - before["cpu"]) / count * 1e6,
        "adds_member_cpu_s_per_million": (done["cpu"] - behind["cpu"]) / count * 1e6,
        "adds_bytes_per_entry": (after["bytes_out"] - before["bytes_out"]) / count,
    }


def _rising(manager: Process, member: Process) -> dict[str, float]:
    """The highest rate at which the manager keeps pace and the member is not left behind; two tries each."""
    rate, tries = float(RISING_FROM), 0
    figures = {"sustained_adds_per_s": 0.0, "sustained_lag_ms": 0.0}
    end = time.monotonic() + RISING_BOUND_S
    while tries < 2 and time.monotonic() < end:
        count = int(rate * RISING_S)
        after = manager.ask(f"add {count} {rate:.0f}")
        done = member.until("entries", after["entries"])
        made, lag = count / after["took"], done["now"] - after["now"]
        if made >= rate * _KEEPS_PACE and lag <= _IS_BEHIND_S:
            figures = {"sustained_adds_per_s": made, "sustained_lag_ms": lag * 1000}
            rate, tries = rate * RISING_BY, 0
        else:
            tries += 1
    return figures
