"""Namespaces are made as the topology says, and nothing is left of a laboratory, dead or alive."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from snat.lab.laboratory import within
from snat.lab.namespaces import NAMESPACES, PREFIX, Network, claimed, remove_leftovers
from snat.lab.topology import Port, Topology, routers_between

LONER = """
import subprocess, sys, time
from pathlib import Path
from snat.lab.namespaces import Network, claimed
from snat.lab.topology import Port, Topology

with claimed(Path(sys.argv[1])) as directory:
    ends = (Port(host=host, interface="e0", address=f"192.0.2.{n}/24") for n, host in enumerate("ab", 1))
    network = Network(Topology(segments={"cable": tuple(ends)}), directory)
    network.build()
    inside = subprocess.Popen([*network.inside("a"), "sleep", "60"])
    print(directory.name, flush=True)
    time.sleep(60)
"""


def namespaces(identity: str) -> list[str]:
    return sorted(each.name for each in NAMESPACES.glob(f"{PREFIX}{identity}-*"))


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_topology_names_each_host_once_and_bridges_only_what_needs_one() -> None:
    topology = routers_between(2)
    assert topology.hosts == ("client", "r1", "r2", "server")
    assert topology.bridges == ("lan", "wan", "replication")


def test_a_claimed_directory_is_gone_afterwards_even_after_an_error(tmp_path: Path) -> None:
    def work() -> None:
        with claimed(tmp_path) as directory:
            assert directory.is_dir()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_the_dead_go_and_a_running_laboratory_stays(tmp_path: Path) -> None:
    (tmp_path / "0dead0").mkdir()
    (tmp_path / "0dead0" / "r1.conf").write_text("left behind")
    with claimed(tmp_path) as living:
        assert remove_leftovers(tmp_path) == ["0dead0"]
        assert list(tmp_path.iterdir()) == [living]


def test_a_lock_that_another_process_holds_keeps_its_directory(tmp_path: Path) -> None:
    (tmp_path / "0a11ce").mkdir()
    with (tmp_path / "0a11ce" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert remove_leftovers(tmp_path) == []
    assert remove_leftovers(tmp_path) == ["0a11ce"]


def test_no_leftovers_where_no_laboratory_ever_was(tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "none") == []


_KNOCK = """
import errno, socket
with socket.socket() as port:
    port.settimeout(5)
    print(errno.errorcode[port.connect_ex(("{address}", 9))])
"""
"""A host that is there refuses the connection."""


@pytest.mark.root
def test_hosts_get_their_addresses_and_reach_each_other(tmp_path: Path) -> None:
    with claimed(tmp_path) as directory:
        network = Network(routers_between(2), directory)
        network.build()
        assert len(namespaces(directory.name)) == 7
        assert "10.0.0.100/24" in output(*network.inside("client"), "ip", "-brief", "address")
        assert "default via 10.0.0.1" in output(*network.inside("client"), "ip", "route")
        assert output(*network.inside("r1"), "cat", "/proc/sys/net/ipv4/ip_forward").strip() == "1"
        for host, address in (("client", "10.0.0.3"), ("r1", "192.168.77.2"), ("server", "203.0.113.2")):
            knock = _KNOCK.format(address=address)
            assert output(*network.inside(host), sys.executable, "-c", knock).strip() == "ECONNREFUSED"
    assert namespaces(directory.name) == []


@pytest.mark.root
def test_a_segment_is_parted_and_healed_without_loss_of_carrier(tmp_path: Path) -> None:
    def reaches(host: str, address: str) -> bool:
        knock = _KNOCK.format(address=address).replace("settimeout(5)", "settimeout(0.5)")
        return output(*network.inside(host), sys.executable, "-c", knock).strip() == "ECONNREFUSED"

    with claimed(tmp_path) as directory:
        network = Network(routers_between(3), directory)
        network.build()
        network.part("replication", ["r1"])
        assert not reaches("r1", "192.168.77.2")
        assert reaches("r2", "192.168.77.3")
        assert "LOWER_UP" in output(*network.inside("r1"), "ip", "link", "show", "rep0")
        network.heal("replication")
        assert reaches("r1", "192.168.77.2")
        network.link("r1", "rep0", up=False)
        assert not reaches("r1", "192.168.77.2")
        network.link("r1", "rep0", up=True)
        assert within(lambda: reaches("r1", "192.168.77.2"), seconds=5)


@pytest.mark.root
def test_what_runs_in_a_namespace_ends_with_it(tmp_path: Path) -> None:
    ports = tuple(
        Port(host=host, interface="e0", address=f"192.0.2.{n}/24") for n, host in enumerate("ab", 1)
    )
    with claimed(tmp_path) as directory:
        network = Network(Topology(segments={"cable": ports}), directory)
        network.build()
        program = subprocess.Popen([*network.inside("a"), "sleep", "60"])
        assert within(lambda: output("ip", "netns", "pids", network.namespace("a")) != "", seconds=5)
    assert program.wait(5) != 0


@pytest.mark.root
def test_a_laboratory_killed_outright_is_removed_by_the_next(tmp_path: Path) -> None:
    """kill -9 leaves namespaces and a process in them; the next laboratory removes both."""
    loner = subprocess.Popen([sys.executable, "-c", LONER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert loner.stdout is not None
    with loner.stdout:
        identity = loner.stdout.readline().strip()
        try:
            assert namespaces(identity) == [f"{PREFIX}{identity}-a", f"{PREFIX}{identity}-b"]
            assert remove_leftovers(tmp_path) == [], "it still runs"
        finally:
            loner.kill()
            loner.wait()
    assert remove_leftovers(tmp_path) == [identity]
    assert namespaces(identity) == []
