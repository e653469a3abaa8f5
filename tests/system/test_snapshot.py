"""A real daemon that is alone, stopped or killed and started again: its flows go on from its snapshot."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from snat.device.snapshot import SnapshotDamagedError, decode
from snat.lab.configuration import issue_certificates
from snat.lab.process import PYTHON, Program
from snat.lab.router import Row, same_rows
from tests.system.daemons import Daemon, made, members, poll
from tests.system.test_pair import CLEAN, FLOWS

READY = 15.0
HASTY = """\
from functools import partial
from snat import tap
tap.RouterService = partial(tap.RouterService, snapshot_interval=0.2)
from twisted.scripts.twistd import run
run()
"""


class Hasty(Daemon):
    """It saves its table many times a second."""

    def start(self) -> None:
        command = [*PYTHON, "-c", HASTY, "-n", "--pidfile=", "snat", *self._arguments]
        self._program = Program(self.host, command, log=self._log)


Lone = Callable[[type[Daemon]], Daemon]


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Lone]:
    """Makes a member whose only neighbor never comes, and starts it."""
    with ExitStack() as ends:

        def start(kind: type[Daemon]) -> Daemon:
            one, other = members([("r1", 1, "primary"), ("r2", 2, "backup")])
            issue_certificates(tmp_path / "pki", [one, other])
            daemon = made(one, [other], tmp_path / "pki", tmp_path, kind)
            ends.callback(daemon.stop)
            daemon.start()
            return daemon

        yield start


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return tmp_path / "r1.state" / "table.snapshot"


def flows(daemon: Daemon) -> list[Row]:
    """Its table, once it manages and the capture's flows are in it."""
    poll(lambda: len(daemon.translations() or ()) == FLOWS, seconds=READY, of=[daemon])
    rows = daemon.translations()
    assert rows is not None
    return rows


def replayed(daemon: Daemon) -> bool:
    """Whether it manages again and its capture is through once more."""
    return any("replayed" in line for line in daemon.log())


def goes_on(daemon: Daemon, rows: list[Row]) -> None:
    """It has the same entries under the same numbers, and the flows' packets make no others."""
    poll(lambda: same_rows(rows, daemon.translations()), seconds=READY, of=[daemon])
    poll(lambda: replayed(daemon), seconds=READY, of=[daemon])
    assert same_rows(rows, daemon.translations())
    translate = daemon.counters()["translate"]
    assert translate["created"] == 0
    assert translate["slow"] > 0
    assert sum(f"table of {FLOWS} entries loaded" in line for line in daemon.log()) == 1


def holds(snapshot: Path, count: int) -> bool:
    try:
        return len(decode(snapshot.read_bytes()).records) == count
    except (FileNotFoundError, SnapshotDamagedError):
        return False


def forget_log(daemon: Daemon) -> None:
    daemon._log.unlink()


def test_a_daemon_that_was_stopped_goes_on_with_its_flows(lone: Lone, snapshot: Path) -> None:
    daemon = lone(Daemon)
    rows = flows(daemon)
    assert not snapshot.exists()
    assert daemon.terminate() in CLEAN
    assert holds(snapshot, FLOWS)
    forget_log(daemon)
    daemon.start()
    goes_on(daemon, rows)


def test_a_daemon_that_was_killed_goes_on_with_the_flows_of_its_last_snapshot(
    lone: Lone, snapshot: Path
) -> None:
    daemon = lone(Hasty)
    rows = flows(daemon)
    poll(lambda: holds(snapshot, FLOWS), seconds=READY, of=[daemon])
    daemon.kill()
    assert holds(snapshot, FLOWS)
    forget_log(daemon)
    daemon.start()
    goes_on(daemon, rows)


def test_a_damaged_snapshot_is_set_aside_and_the_daemon_starts_without(lone: Lone, snapshot: Path) -> None:
    daemon = lone(Daemon)
    rows = flows(daemon)
    assert daemon.terminate() in CLEAN
    data = snapshot.read_bytes()
    damaged = data[:1000] + bytes((data[1000] ^ 1,)) + data[1001:]
    snapshot.write_bytes(damaged)
    forget_log(daemon)
    daemon.start()
    assert not same_rows(rows, flows(daemon))  # the capture's flows, opened anew
    assert [line for line in daemon.log() if f"{snapshot} is damaged (its checksum is wrong" in line]
    assert not [line for line in daemon.log() if "Traceback" in line]
    assert snapshot.with_name("table.snapshot.damaged").read_bytes() == damaged
    assert daemon.counters()["translate"]["created"] == FLOWS
