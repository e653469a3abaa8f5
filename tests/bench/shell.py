"""The row ``shell``: what a user of ``snat-cli`` waits for, and what the router's other work waits for it."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from tests.bench.runs import medians

RUNS = 5
ENTRIES = 1_000_000


def shell() -> dict[str, float]:
    """s from the start of ``snat-cli -c`` to its end for a short answer, and to the first line of
    ``show ip nat translations`` of 1 000 000 entries; lines a second of all of it; and ms that the router's
    reactor was kept from its other work meanwhile, at most; medians of five."""
    with tempfile.TemporaryDirectory(prefix="snat-bench-") as directory:
        path = Path(directory, "control.sock")
        router = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.shell_router", str(path), str(ENTRIES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with router:
            assert router.stdin is not None
            assert router.stdout is not None
            assert router.stdout.readline() == "ready\n"
            figures = _figures(path, router.stdin, router.stdout)
            router.stdin.close()
    return figures


def _figures(path: Path, asks: IO[str], tells: IO[str]) -> dict[str, float]:
    return medians(_once(path, asks, tells) for _ in range(RUNS))


def _once(path: Path, asks: IO[str], tells: IO[str]) -> dict[str, float]:
    _, start, _ = _timed(path, "show running-config | include hostname")
    _worst(asks, tells)
    first, whole, lines = _timed(path, "show ip nat translations")
    assert lines == ENTRIES + 1
    return {
        "start_s": start,
        "first_line_of_1M_s": first,
        "lines_per_s": lines / whole,
        "reactor_kept_ms": _worst(asks, tells),
    }


def _worst(asks: IO[str], tells: IO[str]) -> float:
    asks.write("worst\n")
    asks.flush()
    return float(tells.readline())


def _timed(path: Path, command: str) -> tuple[float, float, int]:
    """Seconds to the first line and to the end of a command, and its lines."""
    begun = time.perf_counter()
    program = [sys.executable, "-m", "cli.terminal", "--control", str(path), "-c", command]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline()
        first = time.perf_counter() - begun
        lines = 1 + sum(1 for _ in client.stdout)
    assert client.returncode == 0
    return first, time.perf_counter() - begun, lines
