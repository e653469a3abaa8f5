"""ICMP errors through a real `twistd snat`: what the kernels of both ends make of them.

client - router (the daemon) - far, a router outside - server. A kernel believes an error only if what it
quotes is of one of its sockets, so each errno proves that the quote was restored.
"""

import errno
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system import test_router_live
from tests.system.namespaces import Namespace, cable, namespaces
from tests.system.probes import udp
from tests.system.test_router_live import Router, eventually

pytestmark = pytest.mark.root

CLIENT, SERVER, FAR = "10.0.0.5", "192.0.2.9", "203.0.113.100"
MTU = 1400
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14
"""From linux/in.h; the socket module has them not."""
PATIENCE = 10.0


class Way:
    """Whom the tests talk to."""

    def __init__(self, client: Namespace, router: Router, far: Namespace, server: Namespace) -> None:
        self.client, self.router, self.far, self.server = client, router, far, server


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    one_address = test_router_live.CONFIGURATION.replace("203.0.113.11", "203.0.113.8")
    monkeypatch.setattr(test_router_live, "CONFIGURATION", one_address)
    with namespaces("client", "router", "far", "server") as (client, router, far, server):
        cable(client, "c0", router, "in0")
        cable(router, "out0", far, "f0")
        cable(far, "f1", server, "eth0")
        for host, address, interface in (
            (client, f"{CLIENT}/24", "c0"),
            (client, "10.0.0.6/24", "c0"),
            (router, "10.0.0.1/24", "in0"),
            (router, "203.0.113.1/24", "out0"),
            (far, f"{FAR}/24", "f0"),
            (far, "192.0.2.1/24", "f1"),
            (server, f"{SERVER}/24", "eth0"),
        ):
            host.ip("addr", "add", address, "dev", interface)
        client.ip("route", "add", "default", "via", "10.0.0.1")
        router.ip("route", "add", "192.0.2.0/24", "via", FAR)
        server.ip("route", "add", "203.0.113.0/24", "via", "192.0.2.1")
        far.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        daemon = Router(router, tmp_path)
        try:
            yield Way(client, daemon, far, server)
        finally:
            daemon.process.kill()
            daemon.process.wait()


def connected(host: Namespace, source: str, target: tuple[str, int]) -> socket.socket:
    sending = udp(host, source)
    sending.connect(target)
    return sending


def refusal(sending: socket.socket, data: bytes = b"?") -> Callable[[], int]:
    """Sends, and what the kernel says of that then: an errno, 0 as long as it says nothing."""
    sending.settimeout(0.2)

    def ask() -> int:
        try:
            sending.send(data)
            sending.recv(1)
        except TimeoutError:
            return 0
        except OSError as error:
            return error.errno or -1
        return -1

    return ask


def says(sending: socket.socket, expected: int, data: bytes = b"?") -> None:
    ask, heard = refusal(sending, data), [0]

    def heard_it() -> bool:
        heard[0] = ask()
        return heard[0] != 0

    eventually(heard_it, lambda: "no error came", PATIENCE)
    assert errno.errorcode[heard[0]] == errno.errorcode[expected]


def test_u12_a_port_that_nobody_has_is_refused_outside(way: Way) -> None:
    with connected(way.client, CLIENT, (SERVER, 9)) as sending:
        says(sending, errno.ECONNREFUSED)
    assert way.router.counter("translate", "icmp_errors") >= 1


def test_i5_a_port_that_nobody_has_any_more_is_refused_inside(way: Way) -> None:
    with udp(way.server, SERVER) as server:
        with connected(way.client, CLIENT, (SERVER, server.getsockname()[1])) as sending:
            sending.send(b"?")
            server.settimeout(PATIENCE)
            _, address = server.recvfrom(100)
        assert address[0] == "203.0.113.8"
        server.connect(address)
        says(server, errno.ECONNREFUSED)


@pytest.mark.skipif(shutil.which("traceroute") is None, reason="traceroute is not installed")
@pytest.mark.parametrize("how", ["-I", "-U", "-T"])
def test_every_router_is_one_hop(way: Way, how: str) -> None:
    said = way.client.run("traceroute", "-n", how, "-w", "2", "-q", "1", "-m", "6", SERVER)
    assert [line.split()[1] for line in said.splitlines()[1:]] == ["10.0.0.1", FAR, SERVER], said


def test_u13_a_narrow_way_outside_is_found(way: Way) -> None:
    way.far.ip("link", "set", "f1", "mtu", str(MTU))
    with connected(way.client, CLIENT, (SERVER, 9)) as sending:
        sending.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        says(sending, errno.EMSGSIZE, bytes(1472))
        assert sending.getsockopt(socket.IPPROTO_IP, IP_MTU) == MTU


def test_i8_without_a_free_port_the_sender_is_told(way: Way) -> None:
    """One host takes all ports above 1023 of the only pool address; another gets none."""
    with way.client.entered():
        filling = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    with filling, connected(way.client, "10.0.0.6", (SERVER, 7)) as sending:
        filling.bind((CLIENT, 0))

        def full() -> bool:
            for port in range(1024, 65536):
                filling.sendto(struct.pack("!HHHH", port, 7, 8, 0), (SERVER, 0))
            return way.router.counter("table", "entries") >= 64512

        eventually(full, lambda: "ports are left", 60.0)
        says(sending, errno.EHOSTUNREACH)
    assert way.router.counter("own_errors", "prohibited") >= 1
