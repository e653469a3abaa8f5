"""Pitfalls 1, 16 and 17: clocks that are set, and clocks that differ."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import snat
from snat.config.model import ConfiguredRole
from snat.wire.actions import Standing
from tests.device.groups import flow, settled, tables_equal
from tests.packets import udp
from tests.simulation.network import Network, Router
from tests.test_tap import LOCAL, configured

YEARS: Final = 3 * 365 * 86400.0
ROLES: Final = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}


def restarted(router: Router, ahead: float) -> None:
    """It comes back with another clock."""
    router.kill()
    router.skew = ahead
    router.start()


@pytest.fixture
def pair() -> Network:
    network = Network(11, ROLES)
    network.run_until(network.quiet)
    return network


@pytest.mark.parametrize("ahead", [-999.0, 86400.0, YEARS])
@pytest.mark.parametrize("nat_id", [1, 2])
def test_a_router_that_restarts_with_its_clock_set_back_is_believed(
    pair: Network, nat_id: int, ahead: float
) -> None:
    """Pitfall 1: nothing that a router numbers begins with a time."""
    for host in (5, 6, 7):
        flow(pair.routers[1], host)
    settled(pair)
    restarted(pair.routers[nat_id], ahead)
    settled(pair)
    manager = next(one for one in pair.routers.values() if one.standing is Standing.MANAGE)
    before = [len(one.device.table) for one in pair.routers.values()]
    assert before == [3, 3]
    flow(manager, 8)
    pair.run(0.5)
    assert [len(one.device.table) for one in pair.routers.values()] == [4, 4]
    assert tables_equal(pair)


@pytest.mark.parametrize("ahead", [-999.0, YEARS])
def test_routers_whose_clocks_differ_by_years_age_alike(pair: Network, ahead: float) -> None:
    """Pitfall 17. What the primary makes has its whole time on the backup that takes over, and no more."""
    primary, backup = pair.routers.values()
    restarted(backup, ahead)
    settled(pair)
    outside = flow(primary, 5)
    settled(pair)
    pair.run(40)
    assert tables_equal(pair)
    assert len(backup.device.table) == 1
    primary.kill()
    pair.run_until(lambda: backup.standing is Standing.MANAGE)
    time_out = backup.device.configuration.nat.timeouts.dns
    pair.run(time_out - 5)
    assert flow(backup, 5) == outside, "it is there until its time is over"
    pair.run(time_out - 5)
    assert len(backup.device.table) == 1, "it was used"
    pair.run(10)
    assert len(backup.device.table) == 0
    answer = bytes(udp("198.51.100.7", 53, *outside))
    assert backup.raw(answer, from_outside=True) is None


# Pitfall 16

DATED: Final = {
    "snat/net/credentials.py": "certificates",
    "snat/net/machine.py": "show clock, and the dates of lines",
    "snat/net/message.py": "the dates of lines",
    "snat/net/service.py": "the date of a snapshot",
    "snat/net/trap.py": "the dates of lines",
    "snat/pki.py": "certificates",
}
"""What asks the wall clock or has to do with dates, and why."""
WALL: Final = {"time", "time_ns", "localtime", "gmtime", "ctime", "datetime", "CLOCK_REALTIME"}


def test_only_what_is_dated_asks_the_wall_clock() -> None:
    root = Path(snat.__file__).parent
    asking = {
        str(path.relative_to(root.parent))
        for path in root.rglob("*.py")
        if any(map(_asks, ast.walk(ast.parse(path.read_text()))))
    }
    assert asking == DATED.keys()


def _asks(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="time"), attr=name):
            return name in WALL
        case ast.ImportFrom(module="time" | "datetime", names=names):
            return any(one.name in WALL for one in names)
        case ast.Import(names=names):
            return any(one.name == "datetime" for one in names)
    return False


STEPPED: Final = """
import json, sys, time
real, step = time.time, [0.0]
time.time = lambda: real() + step[0]
from snat.tap import Options, makeService
from twisted.internet import reactor
options = Options()
options.parseOptions(sys.argv[2:])
makeService(options)
fired, began = [], time.monotonic()
reactor.callLater(0.05, fired.append, "soon")
reactor.callLater(3600, fired.append, "in an hour")
def set_clock():
    step[0] = float(sys.argv[1])
def end():
    seconds = reactor.seconds() - began
    print(json.dumps([fired, 0 <= seconds < 60]))
    sys.stdout.flush()
    reactor.stop()
import threading
reactor.callWhenRunning(set_clock)
threading.Timer(0.4, lambda: reactor.callFromThread(end)).start()
reactor.run()
"""


@pytest.mark.parametrize("step", [-7200, 7200])
def test_the_reactor_s_clock_is_not_the_wall_clock(tmp_path: Path, step: int) -> None:
    """Twisted's own is: set back it stops all timers, set forward it rings them all and ages all entries."""
    command = [sys.executable, "-P", "-c", STEPPED, str(step), *configured(tmp_path, LOCAL)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == [["soon"], True]
