"""Real keepalived, with our track file and FIFO: who may be master."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from snat.config.stateful import Keepalived
from snat.lab.process import Program
from snat.net.keepalived import KeepalivedInstance
from tests.net.test_keepalived import Reactor
from tests.system.daemons import poll
from tests.system.namespaces import Namespace, cable, namespaces

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]

CONFIGURATION = """\
global_defs {{
    vrrp_version 3
    vrrp_notify_fifo {directory}/{name}.fifo
}}
vrrp_track_file snat {{
    file {directory}/{name}.track
    weight 1
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 10
    priority {priority}
    advert_int 0.1
    virtual_ipaddress {{
        10.0.0.1/24
    }}
    track_file {{
        snat
    }}
}}
"""
SECONDS = 15.0


class Machine:
    """keepalived of one router, and what snat does beside it."""

    def __init__(self, name: str, priority: int, host: Namespace, directory: Path) -> None:
        self.active = False
        self.instance = KeepalivedInstance(
            Keepalived(
                instance="VI_1", fifo=f"{directory}/{name}.fifo", track_file=f"{directory}/{name}.track"
            ),
            Reactor(),  # type: ignore[arg-type]
            self._told,
        )
        self.instance.start()
        file = directory / f"{name}.conf"
        file.write_text(CONFIGURATION.format(directory=directory, name=name, priority=priority))
        pids = ["-p", f"{directory}/{name}.pid", "-r", f"{directory}/{name}.vrrp"]
        command = ["ip", "netns", "exec", host.name, "keepalived", "-n", "-l", "-P", "-f", str(file), *pids]
        self.program = Program(name, command, log=directory / f"{name}.log")

    def _told(self, active: bool) -> None:
        self.active = active

    def is_active(self) -> bool:
        self.instance.doRead()
        return self.active

    def stop(self) -> None:
        self.program.stop()
        self.instance.stop()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    """The second has the better priority; neither may be master yet."""
    with namespaces("r1", "r2") as (one, other), ExitStack() as ends:
        cable(one, "eth0", other, "eth0")
        machines = []
        for number, (host, priority) in enumerate(((one, 100), (other, 150)), start=1):
            host.ip("addr", "add", f"10.0.0.{1 + number}/24", "dev", "eth0")
            machine = Machine(f"r{number}", priority, host, tmp_path)
            ends.callback(machine.stop)
            machines.append(machine)
        yield machines[0], machines[1]


def until(first: Machine, second: Machine, wanted: tuple[bool, bool]) -> None:
    poll(lambda: (first.is_active(), second.is_active()) == wanted, seconds=SECONDS, of=())


def test_the_track_file_decides_who_may_be_master(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    first.instance.ready(True)
    until(first, second, (True, False))
    second.instance.ready(True, proved=False)  # it found nobody to learn from, and keepalived finds one
    first.instance.ready(False)  # not synchronised any more
    until(first, second, (False, True))
    first.instance.ready(True)
    until(first, second, (True, False))
    second.instance.ready(True)  # proved by now
    until(first, second, (False, True))
    second.instance.ready(False)
    until(first, second, (True, False))


def test_a_track_file_that_flaps_twenty_times_in_a_second_ends_right(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    first.instance.ready(True)
    until(first, second, (True, False))
    for turn in range(20):
        second.instance.ready(turn % 2 == 0)
        poll(lambda: True, seconds=1.0, of=())
        first.is_active()
        second.is_active()
    second.instance.ready(True)
    until(first, second, (False, True))
    for turn in range(20):
        second.instance.ready(turn % 2 == 0)
    second.instance.ready(False)
    until(first, second, (True, False))
