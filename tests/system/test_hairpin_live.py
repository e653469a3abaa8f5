"""Inside hosts that reach each other by their global addresses, through a real daemon and real stacks.

client, web - switch - router - transit        near: two hosts of one link
far ------------------- router                 far: a host of another inside link, which is narrow
"""

import errno
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv4Network
from typing import Final

import pytest

from snat.lab.process import wait_for
from tests.system.daemons import Daemon, poll
from tests.system.namespaces import Namespace, cable, namespaces
from tests.system.probes import SECONDS, echo_udp, udp

pytestmark = pytest.mark.root

CLIENT, WEB, FAR = "10.0.0.5", "10.0.0.6", "10.0.1.7"
WEB_GLOBAL, FAR_GLOBAL, ROUTER_GLOBAL = "203.0.113.20", "203.0.113.21", "203.0.113.1"
POOL: Final = IPv4Network("203.0.113.8/30")
NARROW: Final = 1300
IP_MTU_DISCOVER, IP_MTU, PMTUDISC_DO, PMTUDISC_DONT = 10, 14, 2, 0
READY: Final = 15.0
CONFIGURATION: Final = f"""
hostname R
interface in0
 ip nat inside
interface in1
 ip nat inside
interface out0
 ip nat outside
ip nat pool P {POOL[0]} {POOL[-1]} prefix-length 24
ip nat inside source list 1 pool P overload
ip nat inside source static tcp {WEB} 80 {WEB_GLOBAL} 8080
ip nat inside source static udp {WEB} 53 {WEB_GLOBAL} 5353
ip nat inside source static {FAR} {FAR_GLOBAL}
access-list 1 permit 10.0.0.0 0.0.255.255
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """The inside hosts, and the daemon between them."""

    client: Namespace
    web: Namespace
    far: Namespace
    daemon: Daemon


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with namespaces("client", "web", "far", "switch", "router", "transit") as made:
        client, web, far, switch, router, transit = made
        switch.ip("link", "add", "br0", "type", "bridge")
        switch.ip("link", "set", "br0", "up")
        for port, (host, interface) in enumerate(((client, "eth0"), (web, "eth0"), (router, "in0"))):
            cable(host, interface, switch, f"p{port}")
            switch.ip("link", "set", f"p{port}", "master", "br0")
        cable(far, "eth0", router, "in1")
        for host, interface in ((router, "in1"), (far, "eth0")):
            host.ip("link", "set", interface, "mtu", str(NARROW))
        cable(router, "out0", transit, "eth0")
        for host, interface, address in (
            (client, "eth0", f"{CLIENT}/24"),
            (web, "eth0", f"{WEB}/24"),
            (far, "eth0", f"{FAR}/24"),
            (router, "in0", "10.0.0.1/24"),
            (router, "in1", "10.0.1.1/24"),
            (router, "out0", f"{ROUTER_GLOBAL}/24"),
            (transit, "eth0", "203.0.113.2/24"),
        ):
            host.ip("addr", "add", address, "dev", interface)
        for host, gateway in ((client, "10.0.0.1"), (web, "10.0.0.1"), (far, "10.0.1.1")):
            host.ip("route", "add", "default", "via", gateway)
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
        prefix = ("ip", "netns", "exec", router.name)
        directory = tmp_path_factory.mktemp("hairpin")
        daemon = Daemon("r", CONFIGURATION, directory=directory, prefix=prefix)
        try:
            daemon.start()
            poll(lambda: bool(daemon.counters()), seconds=READY, of=(daemon,))
            yield Inside(client=client, web=web, far=far, daemon=daemon)
        finally:
            daemon.stop()


class Page(BaseHTTPRequestHandler):
    """Says who asked, and as many bytes as were asked for."""

    def do_GET(self) -> None:
        body = f"{self.client_address[0]} ".encode() + bytes(int(self.path[1:]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(host: Namespace, at: str) -> Iterator[None]:
    with host.entered():
        server = ThreadingHTTPServer((at, 80), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetched(host: Namespace, at: str, size: int) -> IPv4Address:
    """Whom the server saw; curl has fetched all of it."""
    got = subprocess.run(
        ["ip", "netns", "exec", host.name, "curl", "-sSf", "-m", "20", f"http://{at}/{size}"],
        capture_output=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    who, _, rest = got.partition(b" ")
    assert rest == bytes(size)
    return IPv4Address(who.decode())


curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@curl
@pytest.mark.parametrize("size", [0, 20 << 20], ids=["small", "20 MB"])
def test_t8_a_page_from_a_neighbour(inside: Inside, size: int) -> None:
    with serving(inside.web, WEB):
        assert fetched(inside.client, f"{WEB_GLOBAL}:8080", size) in POOL


@curl
def test_t8_a_page_from_another_inside_link_and_back(inside: Inside) -> None:
    with serving(inside.far, FAR), serving(inside.web, WEB):
        assert fetched(inside.client, FAR_GLOBAL, 5 << 20) in POOL
        assert fetched(inside.far, f"{WEB_GLOBAL}:8080", 5 << 20) == IPv4Address(FAR_GLOBAL)


@curl
def test_t8_a_server_fetches_its_own_page(inside: Inside) -> None:
    with serving(inside.web, WEB), serving(inside.far, FAR):
        assert fetched(inside.web, f"{WEB_GLOBAL}:8080", 1000) in POOL
        assert fetched(inside.far, FAR_GLOBAL, 1000) == IPv4Address(FAR_GLOBAL)


def test_u9_a_datagram_there_and_back_is_one_hop_older(inside: Inside) -> None:
    with inside.web.entered():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, udp(inside.client) as client:
        server.settimeout(SECONDS)
        server.bind((WEB, 53))
        seen, ttl = echo_udp(client, server, (WEB_GLOBAL, 5353))
    assert IPv4Address(seen) in POOL
    assert ttl == 63


@pytest.mark.parametrize("size", [1600, 60_000])
def test_u14_a_datagram_in_fragments(inside: Inside, size: int) -> None:
    data = bytes(range(250)) * (size // 250)
    with udp(inside.client) as client, udp(inside.far, FAR) as server:
        for port in (client, server):
            port.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
        client.sendto(data, (FAR_GLOBAL, server.getsockname()[1]))
        got, by = server.recvfrom(size)
        assert got == data
        server.sendto(data[::-1], by)
        assert client.recv(size) == data[::-1]


@pytest.mark.skipif(shutil.which("ping") is None, reason="ping is not installed")
@pytest.mark.parametrize("size", [56, 4000], ids=["small", "fragmented"])
def test_i7_ping(inside: Inside, size: int) -> None:
    for host in (inside.client, inside.far):  # far pings itself
        said = host.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "2", "-s", str(size), FAR_GLOBAL)
        assert "3 received" in said


@pytest.mark.skipif(shutil.which("traceroute") is None, reason="traceroute is not installed")
@pytest.mark.parametrize("options", [(), ("-I",)], ids=["UDP", "ICMP"])
def test_i7_traceroute_shows_the_router_once(inside: Inside, options: tuple[str, ...]) -> None:
    said = inside.client.run("traceroute", "-n", "-w", "2", "-q", "1", "-m", "4", *options, FAR_GLOBAL)
    assert [line.split()[1] for line in said.splitlines()[1:]] == ["10.0.0.1", FAR_GLOBAL], said


def test_i7_a_closed_port_is_refused(inside: Inside) -> None:
    """A kernel believes an error only if it quotes what one of its sockets sent."""
    with udp(inside.client) as client:
        client.connect((FAR_GLOBAL, 9))
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError) as refused:
            client.recv(1)
    assert refused.value.errno == errno.ECONNREFUSED


def test_i7_a_narrow_link_inside_is_learnt_of(inside: Inside) -> None:
    """The router's kernel finds that out after translation, and tells our global address."""
    with udp(inside.client) as client, udp(inside.far, FAR) as server:
        client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
        client.connect((FAR_GLOBAL, server.getsockname()[1]))

        def learnt() -> bool | None:
            with suppress(OSError):  # EMSGSIZE: learnt
                client.send(bytes(1400))
            return client.getsockopt(socket.IPPROTO_IP, IP_MTU) == NARROW or None

        wait_for(learnt, seconds=SECONDS, failure=lambda: "the client has not learnt the MTU")


def test_nothing_circulates(inside: Inside) -> None:
    """A pool address that leads nowhere: dropped once, however it is reached."""
    before = inside.daemon.counters()
    with udp(inside.client) as client:
        for _ in range(10):
            client.sendto(b"nobody", (str(POOL[0]), 9))
        dropped = before["translate"]["unknown_inbound"] + 10
        poll(
            lambda: inside.daemon.counters()["translate"]["unknown_inbound"] >= dropped,
            seconds=SECONDS,
            of=(inside.daemon,),
        )
    assert inside.daemon.counters()["translate"]["unknown_inbound"] == dropped


def test_u9_both_entries_are_shown(inside: Inside) -> None:
    with inside.web.entered():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, udp(inside.client) as client:
        server.settimeout(SECONDS)
        server.bind((WEB, 53))
        echo_udp(client, server, (WEB_GLOBAL, 5353))
        port = client.getsockname()[1]
    rows = inside.daemon.translations() or []
    there = next(row for row in rows if row["inside_local"] == {"address": CLIENT, "port": port})
    assert there["outside_global"] == {"address": WEB_GLOBAL, "port": 5353}
    back = [row for row in rows if row["outside_global"] == there["inside_global"]]
    assert [row["inside_local"] for row in back] == [{"address": WEB, "port": 53}]
