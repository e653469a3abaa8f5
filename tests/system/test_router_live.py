"""One real `twistd snat` between a client and a server: live traffic, and what a kill leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from tests.system.namespaces import Namespace, cable, namespaces
from tests.system.probes import Capture, connect_tcp, echo_udp, transfer, udp, within

pytestmark = pytest.mark.root


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


INSIDE = IPv4Network("10.0.0.0/24")
POOL = IPv4Network("203.0.113.8/30")
SERVER = "203.0.113.100"
CONFIGURATION = f"""
hostname R
interface in0
 ip nat inside
interface out0
 ip nat outside
ip nat pool P {POOL[0]} {POOL[-1]} prefix-length 24
ip nat inside source list 1 pool P overload
access-list 1 permit 10.0.0.0 0.0.0.127
end
"""


class Router:
    """The daemon in its namespace."""

    def __init__(self, namespace: Namespace, directory: Path) -> None:
        self.namespace = namespace
        self._control = directory / "control.sock"
        self._log = directory / "log"
        self._command = (
            "ip", "netns", "exec", namespace.name,
            str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "snat",
            "--config", str(directory / "r.conf"), "--control", str(self._control),
            "--state-dir", str(directory),
        )  # fmt: skip
        (directory / "r.conf").write_text(CONFIGURATION)
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        eventually(lambda: self.ask("show ip nat statistics | json") is not None, self._log.read_text)

    def ask(self, command: str) -> object | None:
        cli = [sys.executable, "-m", "cli.terminal", "--control", str(self._control), "-c", command]
        done = subprocess.run(cli, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def counter(self, subject: str, name: str) -> int:
        said = self.ask("show ip nat statistics | json")
        assert isinstance(said, dict)
        return int(said["counters"][subject][name])

    def log(self) -> str:
        return self._log.read_text()

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(10)


def eventually(question: Callable[[], bool], otherwise: Callable[[], str], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, otherwise()


class Hosts:
    """client - router - server, and the router's daemon."""

    def __init__(self, client: Namespace, router: Router, server: Namespace) -> None:
        self.client, self.router, self.server = client, router, server


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with namespaces("client", "router", "server") as (client, router, server):
        cable(client, "c0", router, "in0")
        cable(router, "out0", server, "eth0")
        client.ip("addr", "add", "10.0.0.5/24", "dev", "c0")
        router.ip("addr", "add", "10.0.0.1/24", "dev", "in0")
        router.ip("addr", "add", "203.0.113.1/24", "dev", "out0")
        server.ip("addr", "add", f"{SERVER}/24", "dev", "eth0")
        client.ip("route", "add", "default", "via", "10.0.0.1")
        daemon = Router(router, tmp_path)
        try:
            yield Hosts(client, daemon, server)
        finally:
            daemon.process.kill()
            daemon.process.wait()


def test_udp_leaves_with_a_pool_address_and_the_answer_comes_back(hosts: Hosts) -> None:
    with udp(hosts.client) as client, udp(hosts.server, SERVER) as server:
        address, _ = echo_udp(client, server, (SERVER, server.getsockname()[1]))
    assert IPv4Address(address) in POOL


def test_tcp_crosses_both_ways_in_super_packets(hosts: Hosts) -> None:
    client, server, address = connect_tcp(hosts.client, hosts.server, SERVER)
    with client, server:
        transfer(client, server, 20_000_000)
        transfer(server, client, 20_000_000)
    assert IPv4Address(address) in POOL
    assert hosts.router.counter("snat-i", "bytes_in") / hosts.router.counter("snat-i", "packets_in") > 2000
    assert hosts.router.counter("snat-i", "dropped_refused") == 0


@needs("ping")
def test_ping_is_answered(hosts: Hosts) -> None:
    assert "3 received" in hosts.client.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "2", SERVER)


@needs("traceroute")
def test_the_router_is_one_hop(hosts: Hosts) -> None:
    said = hosts.client.run("traceroute", "-n", "-I", "-w", "1", "-q", "1", "-m", "5", SERVER)
    assert [line.split()[1] for line in said.splitlines()[1:]] == ["10.0.0.1", SERVER], said


def test_a_host_that_no_rule_is_for_passes_untranslated(hosts: Hosts) -> None:
    """As IOS does: not permitted by the list means not translated."""
    hosts.client.ip("addr", "add", "10.0.0.200/24", "dev", "c0")
    hosts.server.ip("route", "add", "10.0.0.0/24", "via", "203.0.113.1")
    with udp(hosts.client, "10.0.0.200") as client, udp(hosts.server, SERVER) as server:
        address, _ = echo_udp(client, server, (SERVER, server.getsockname()[1]))
    assert address == "10.0.0.200"


def test_what_comes_for_a_pool_address_without_entry_is_dropped_and_counted(hosts: Hosts) -> None:
    with udp(hosts.server, SERVER) as server:
        server.sendto(b"?", (str(POOL[1]), 4000))
    eventually(lambda: hosts.router.counter("translate", "unknown_inbound") == 1, lambda: "not counted")


def test_nothing_leaks_when_the_daemon_is_killed_and_a_restart_works(hosts: Hosts) -> None:
    with udp(hosts.client) as client, udp(hosts.server, SERVER) as server:
        at = (SERVER, server.getsockname()[1])
        echo_udp(client, server, at)
        capture = Capture(hosts.server)
        assert hosts.router.end(signal.SIGKILL) == -signal.SIGKILL
        for _ in range(200):
            client.sendto(b"after the kill", at)
        with udp(hosts.router.namespace) as end:
            end.sendto(b"all the rest would have arrived before this", (SERVER, 9))
        seen = capture.until(IPv4Address("203.0.113.1"))
        capture.close()
        assert within(INSIDE, seen) == set()
        hosts.router.start()
        address, _ = echo_udp(client, server, at)
        assert IPv4Address(address) in POOL


def test_a_terminated_daemon_ends_well_and_leaves_no_interface(hosts: Hosts) -> None:
    """twistd stops its services in order, and then ends by the signal."""
    assert hosts.router.end(signal.SIGTERM) == -signal.SIGTERM
    assert "Traceback" not in hosts.router.log()
    assert "snat-" not in hosts.router.namespace.ip("-o", "link")


def test_a_second_daemon_in_the_namespace_is_refused_with_a_sentence(hosts: Hosts, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    command = [*hosts.router._command]
    command[command.index("--control") + 1] = str(other / "control.sock")
    command[command.index("--state-dir") + 1] = str(other)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=os.environ)
    assert done.returncode == 1
    assert "snat-i" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_deleted_tun_ends_the_daemon_so_that_another_takes_over(hosts: Hosts) -> None:
    hosts.router.namespace.ip("link", "del", "snat-o")
    assert hosts.router.process.wait(10) == 0
