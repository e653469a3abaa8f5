"""What is read of this machine, from files of a machine that is none."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from snat.config.model import Configuration, Interface
from snat.net.machine import Machine
from snat.net.processes import INTERVAL, Processes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "etc/resolv.conf": "# domain\ndomain a.example\nsearch b.example\nnameserver 192.0.2.1\nnameserver\n",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "proc/meminfo": "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    600 kB\nHugePages:  0\n",
        "proc/self/status": "Name:\tpython\nVmHWM:\t  30 kB\nVmRSS:\t  20 kB\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_names_memory_and_board(root: Path) -> None:
    machine = Machine(lambda: 0.0, root=root)
    resolver, memory = machine.resolver(), machine.memory()
    assert (resolver.domain, resolver.servers) == ("b.example", ("192.0.2.1",))
    assert (memory.total, memory.available) == (1024000, 614400)
    assert (memory.resident, memory.peak, memory.process) == (20480, 30720, os.getpid())
    board = machine.version(Configuration()).board
    assert 0 < board < 1 << 32
    assert board != 0x01234567
    assert machine.version(Configuration()).board == board


def test_a_machine_without_these_files(tmp_path: Path) -> None:
    machine = Machine(lambda: 0.0, root=tmp_path)
    assert (machine.resolver().domain, machine.resolver().servers) == ("", ())
    assert (machine.memory().total, machine.memory().resident) == (0, 0)
    assert machine.version(Configuration()).board == 0


def test_the_version() -> None:
    now = [100.0]
    machine = Machine(lambda: now[0], reload_reason="Reload Command")
    now[0] = 160.0
    shown = machine.version(Configuration(hostname="R7", interfaces=(Interface(name="in0"),)))
    assert (shown.hostname, shown.interfaces, shown.uptime) == ("R7", 1, 60.0)
    assert (shown.reload_reason, shown.image) == ("Reload Command", f"snatd-{shown.version}")


def test_the_clock_is_that_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2026, 7, 1, 12, 0, tzinfo=UTC).timestamp()
    machine = Machine(lambda: 0.0, wall=lambda: moment)
    try:
        monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        clock = machine.clock(60.0)
        assert (clock.seconds, clock.zone, clock.offset) == (moment + 60.0, "CEST", 7200)
        assert machine.clock(86400.0 * 183).zone == "CET"
    finally:
        monkeypatch.undo()
        time.tzset()


# --- processor time


class Threads:
    """A /proc/self/task of our own."""

    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self._directory = directory
        self.use(7, 0, 0)
        self.processes = Processes(lambda: self.now, directory)

    def use(self, number: int, user: int, system: int, name: str = "a (b) c") -> None:
        """A thread that used so many seconds."""
        ticks = os.sysconf("SC_CLK_TCK")
        task = self._directory / str(number)
        task.mkdir(exist_ok=True)
        fields = ["S", *["0"] * 10, str(user * ticks), str(system * ticks), *["0"] * 30]
        (task / "stat").write_text(f"{number} ({name}) {' '.join(fields)}\n")
        (task / "status").write_text("voluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t3\n")

    def pass_time(self, samples: int) -> None:
        for _ in range(samples):
            self.now += INTERVAL
            self.processes.sample()


def test_the_use_of_five_seconds_a_minute_and_five(tmp_path: Path) -> None:
    threads = Threads(tmp_path)
    threads.pass_time(100)
    threads.use(7, 2, 1)
    threads.now += INTERVAL
    processor = threads.processes.processor()
    use = processor.use
    assert (use.five_seconds, use.one_minute, use.five_minutes) == pytest.approx((60.0, 5.0, 1.0))
    assert processor.system == pytest.approx(20.0)
    (thread,) = processor.threads
    assert (thread.number, thread.name, thread.milliseconds, thread.switches) == (7, "a (b) c", 3000, 7)


def test_threads_come_and_go(tmp_path: Path) -> None:
    threads = Threads(tmp_path)
    threads.pass_time(2)
    threads.use(9, 1, 0, "worker")
    (tmp_path / "7" / "stat").unlink()
    threads.now += INTERVAL
    processor = threads.processes.processor()
    assert [thread.name for thread in processor.threads] == ["worker"]
    assert processor.use.five_seconds == pytest.approx(20.0)


def test_before_the_first_five_seconds(tmp_path: Path) -> None:
    threads = Threads(tmp_path)
    threads.use(7, 1, 0)
    threads.now = 2.0
    use = threads.processes.processor().use
    assert use.five_seconds == use.five_minutes == pytest.approx(50.0)


def test_this_process_is_seen() -> None:
    processor = Processes(time.monotonic).processor()
    assert os.getpid() in [thread.number for thread in processor.threads]
