"""What hosts do all day, through one real daemon: web, iperf3, ping, traceroute, DNS, fragments, path MTU.

And what happens to it when the daemon is killed: nothing leaks, and after a restart all works again.
"""

import hashlib
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, UDP, fragment

from snat.lab.process import wait_for
from tests.system.namespaces import Namespace
from tests.system.probes import SECONDS, answered, connect_tcp, echo_udp, transfer, udp
from tests.system.site import INSIDE, NARROW, POOL, ROUTER, ROUTER_OUTSIDE, SERVER, TRANSIT, Site, site

pytestmark = pytest.mark.root

IP_MTU_DISCOVER, IP_MTU, PMTUDISC_DO, PMTUDISC_DONT = 10, 14, 2, 0
ONE_HOP_MORE = [ROUTER, TRANSIT, SERVER]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        yield made


# The web


class Web(BaseHTTPRequestHandler):
    """GET /N gives N bytes; PUT gives back the digest of what came."""

    def do_GET(self) -> None:
        self.answer(bytes(range(256)) * (int(self.path[1:]) // 256))

    def do_PUT(self) -> None:
        came = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(came).hexdigest().encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web(host: Namespace) -> Iterator[str]:
    with host.entered():
        server = ThreadingHTTPServer((SERVER, 0), Web)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://{SERVER}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@needs("curl")
def test_a_download(here: Site, tmp_path: Path) -> None:
    got = tmp_path / "got"
    with web(here.server) as at:
        here.client.run("curl", "-sSf", "-m", "20", "-o", str(got), f"{at}/{50 << 20}")
    assert (
        hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(bytes(range(256)) * (50 << 12)).digest()
    )


@needs("curl")
def test_an_upload(here: Site, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.write_bytes(bytes(range(256)) * (20 << 12))
    with web(here.server) as at:
        said = here.client.run("curl", "-sSf", "-m", "20", "-H", "Expect:", "-T", str(sent), f"{at}/up")
    assert said == hashlib.sha256(sent.read_bytes()).hexdigest()


# Throughput


@needs("iperf3")
@pytest.mark.parametrize(
    "options",
    [(), ("-R",), ("-u", "-b", "20M"), ("-u", "-b", "20M", "-R"), ("-P", "8"), ("--bidir",)],
    ids=["TCP out", "TCP back", "UDP out", "UDP back", "8 at once", "both ways"],
)
def test_iperf3(here: Site, options: tuple[str, ...]) -> None:
    server = here.server.start("iperf3", "-s", "-1", "--forceflush")
    assert server.stdout is not None
    while "listening" not in server.stdout.readline():
        assert server.poll() is None
    said = json.loads(here.client.run("iperf3", "-c", SERVER, "-t", "1", "--json", *options))
    server.communicate(timeout=10)
    end = said["end"]
    if "-u" in options:
        assert end["sum"]["packets"] > 1000
        assert end["sum"]["lost_percent"] < 1
    else:
        assert end["sum_received"]["bits_per_second"] > 100e6
    assert here.daemon.counters()["snat-o"]["dropped_refused"] == 0


# Ping, traceroute, DNS


@needs("ping")
@pytest.mark.parametrize("size", [56, 1400, 4000], ids=["small", "long", "fragmented"])
def test_i10a_ping(here: Site, size: int) -> None:
    options = ("-n", "-c", "3", "-i", "0.05", "-W", "2", "-s", str(size))
    said = subprocess.run(
        ["ip", "netns", "exec", here.client.name, "ping", *options, SERVER],
        capture_output=True, text=True, check=False, timeout=30,
    ).stdout  # fmt: skip
    assert "3 received" in said, said


@needs("traceroute")
@pytest.mark.parametrize(
    "options", [(), ("-I",), ("-T", "-p", "80"), ("-U",)], ids=["UDP", "ICMP", "TCP", "UDP to port 53"]
)
def test_i4_traceroute_shows_us_once_and_what_is_behind(here: Site, options: tuple[str, ...]) -> None:
    said = here.client.run("traceroute", "-n", "-w", "2", "-q", "1", "-m", "6", *options, SERVER)
    assert [line.split()[1] for line in said.splitlines()[1:]] == ONE_HOP_MORE, said


def test_b10_pool_addresses_are_answered_for_outside(here: Site) -> None:
    beside = {IPv4Address("203.0.113.7"), IPv4Address("203.0.113.12")}
    asked = {*POOL, *beside}
    router = IPv4Address(ROUTER_OUTSIDE)
    assert answered(here.transit, TRANSIT, asked, always=router) == set(POOL)


def test_a_dns_query(here: Site) -> None:
    question = DNSQR(qname="www.example.")
    with here.server.entered():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, udp(here.client) as client:
        server.settimeout(SECONDS)
        server.bind((SERVER, 53))
        client.sendto(bytes(DNS(id=4711, rd=1, qd=question)), (SERVER, 53))
        asked, by = server.recvfrom(600)
        query = DNS(asked)
        record = DNSRR(rrname=query.qd[0].qname, rdata="192.0.2.80", ttl=60)
        server.sendto(bytes(DNS(id=query.id, qr=1, qd=query.qd, an=record)), by)
        answer = DNS(client.recv(600))
    assert IPv4Address(by[0]) in POOL
    assert (answer.id, answer.an[0].rdata) == (4711, "192.0.2.80")


# Fragments


def mtu_discovery(port: socket.socket, wanted: int) -> None:
    port.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, wanted)


@pytest.mark.parametrize("size", [1600, 8000, 60_000])
def test_u14_datagrams_in_fragments_out_and_back(here: Site, size: int) -> None:
    data = bytes(range(250)) * (size // 250)
    with udp(here.client) as client, udp(here.server, SERVER) as server:
        for port in (client, server):
            mtu_discovery(port, PMTUDISC_DONT)
        client.sendto(data, server.getsockname())
        got, by = server.recvfrom(size)
        assert got == data
        assert IPv4Address(by[0]) in POOL
        server.sendto(data[::-1], by)
        assert client.recv(size) == data[::-1]


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0), (0, 2, 1), (2, 0, 1)], ids=str)
@pytest.mark.parametrize("from_outside", [False, True], ids=["out", "back"])
def test_u14_fragments_in_any_order(here: Site, order: tuple[int, ...], from_outside: bool) -> None:
    """By hand: the kernel sends its own in order."""
    data = bytes(range(250)) * 12
    with udp(here.client) as client, udp(here.server, SERVER) as server:
        client.sendto(b"first", server.getsockname())
        _, mapped = server.recvfrom(100)
        near, far = ("10.0.0.5", client.getsockname()[1]), server.getsockname()
        host, receiver = (here.server, client) if from_outside else (here.client, server)
        source, target = (far, mapped) if from_outside else (near, far)
        packet = IP(src=source[0], dst=target[0], id=4711) / UDP(sport=source[1], dport=target[1]) / data
        fragments = fragment(packet, 1200)
        with host.entered():
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        with raw:
            for number in order:
                raw.sendto(bytes(fragments[number]), (target[0], 0))
        assert receiver.recv(len(data)) == data


def test_u13_what_may_be_fragmented_crosses_a_narrow_link(fresh: Site) -> None:
    data = bytes(range(200)) * 7
    with (
        narrowed((fresh.router, "out0"), (fresh.transit, "eth0")),
        udp(fresh.client) as client,
        udp(fresh.server, SERVER) as server,
    ):
        for port in (client, server):
            mtu_discovery(port, PMTUDISC_DONT)
        client.sendto(data, server.getsockname())
        got, by = server.recvfrom(2000)
        assert got == data
        server.sendto(data, by)
        assert client.recv(2000) == data


# Path MTU


@contextmanager
def narrowed(*ends: tuple[Namespace, str]) -> Iterator[None]:
    """A link with a small MTU, for a while; what was learnt of it is forgotten afterwards."""
    for host, interface in ends:
        host.ip("link", "set", interface, "mtu", str(NARROW))
    try:
        yield
    finally:
        for host, interface in ends:
            host.ip("link", "set", interface, "mtu", "1500")


def learns(port: socket.socket, size: int) -> Callable[[], bool | None]:
    """Whether a connected socket has learnt the path MTU; it sends another datagram each time it is asked."""

    def ask() -> bool | None:
        try:
            port.send(bytes(size))
        except OSError:  # EMSGSIZE: learnt
            pass
        return port.getsockopt(socket.IPPROTO_IP, IP_MTU) == NARROW or None

    return ask


def connected(client: socket.socket, server: socket.socket) -> None:
    """Both ends of a UDP flow connected to each other, and sending nothing in fragments."""
    client.connect(server.getsockname())
    client.send(b"first")
    _, by = server.recvfrom(100)
    server.connect(by)
    for port in (client, server):
        mtu_discovery(port, PMTUDISC_DO)


def test_u12_a_narrow_link_outside_is_learnt_of_through_us(fresh: Site) -> None:
    with (
        narrowed((fresh.transit, "eth1"), (fresh.server, "eth0")),
        udp(fresh.client) as client,
        udp(fresh.server, SERVER) as server,
    ):
        connected(client, server)
        wait_for(learns(client, 1400), seconds=SECONDS, failure=lambda: "the client has not learnt the MTU")


def test_u13_a_narrow_link_inside_is_learnt_of_through_us(tmp_path: Path) -> None:
    with site(tmp_path) as made:
        made.daemon.stop()
        with narrowed((made.router, "in0"), (made.client, "eth0")):
            made.start()  # the MTU of a TUN is that of the other side
            with udp(made.client) as client, udp(made.server, SERVER) as server:
                connected(client, server)
                wait_for(
                    learns(server, 1400), seconds=SECONDS, failure=lambda: "the server has not learnt the MTU"
                )


@pytest.mark.parametrize("way", ["out", "back"])
def test_t9_tcp_crosses_a_narrow_link_outside(fresh: Site, way: str) -> None:
    with narrowed((fresh.transit, "eth1")):  # the server's own MTU stays: its MSS does not tell
        near, far, _ = connect_tcp(fresh.client, fresh.server, SERVER)
        with near, far:
            if way == "out":
                transfer(near, far, 5_000_000)
            else:
                transfer(far, near, 5_000_000)


# Many


def test_500_connections_at_once(here: Site) -> None:
    with ExitStack() as ends:
        with here.server.entered():
            listener = ends.enter_context(socket.create_server((SERVER, 0), backlog=500))
        listener.settimeout(SECONDS)
        pairs = []
        for _ in range(500):
            with here.client.entered():
                near = ends.enter_context(socket.create_connection(listener.getsockname(), SECONDS))
            far = ends.enter_context(listener.accept()[0])
            far.settimeout(SECONDS)
            pairs.append((near, far))
        for number, (near, far) in enumerate(pairs):
            near.sendall(f"question {number}".encode())
            far.sendall(f"answer {number}".encode())
        for number, (near, far) in enumerate(pairs):
            assert far.recv(100) == f"question {number}".encode()
            assert near.recv(100) == f"answer {number}".encode()
        seen = {far.getpeername() for _, far in pairs}
        assert len(seen) == 500
        assert {IPv4Address(address) for address, _ in seen} <= set(POOL)
        rows = here.daemon.translations() or []
        told = {(row["inside_global"]["address"], row["inside_global"]["port"]) for row in rows}
        assert seen <= told


# A kill


class Watch:
    """Counts what reaches the transit router, by whom it is from; no flood is too fast for it."""

    def __init__(self, host: Namespace) -> None:
        self._command = ("ip", "netns", "exec", host.name, "nft")
        kinds = {"inside": str(INSIDE), "pool": str(POOL), "marker": ROUTER_OUTSIDE}
        rules = [f"ip saddr {source} counter name {kind} accept" for kind, source in kinds.items()]
        counters = "\n".join(f"counter {kind} {{ }}" for kind in (*kinds, "others"))
        chain = "; ".join((*rules, "counter name others"))
        hook = "type filter hook prerouting priority raw"
        text = (
            f'table ip watch {{ {counters}\nchain seen {{ {hook}; iifname != "eth0" accept; {chain}\n}}\n}}\n'
        )
        subprocess.run([*self._command, "-f", "-"], input=text, text=True, check=True)

    def counted(self) -> dict[str, int]:
        said = subprocess.run([*self._command, "-j", "list", "counters"], capture_output=True, check=True)
        found = [one["counter"] for one in json.loads(said.stdout)["nftables"] if "counter" in one]
        return {counter["name"]: counter["packets"] for counter in found}


class Flood:
    """A client that sends as fast as it goes, from its own thread, until it is told to stop."""

    def __init__(self, port: socket.socket, at: tuple[str, int]) -> None:
        self.sent = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port, at))
        self._thread.start()

    def _run(self, port: socket.socket, at: tuple[str, int]) -> None:
        while not self._end.is_set():
            try:
                port.sendto(b"flood", at)
                self.sent += 1
            except OSError:
                pass  # what the kernel says of those before

    def more(self, packets: int) -> None:
        """Wait until so many more were sent."""
        goal = self.sent + packets
        wait_for(lambda: self.sent >= goal or None, seconds=10, failure=lambda: "it sends nothing")

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def test_nothing_leaks_from_a_killed_daemon_under_load_and_a_restart_works(fresh: Site) -> None:
    watch = Watch(fresh.transit)
    with udp(fresh.client) as client, udp(fresh.server, SERVER) as server:
        at = (SERVER, server.getsockname()[1])
        for _ in range(2):
            flood = Flood(client, at)
            try:
                flood.more(500)
                fresh.daemon.kill()
                flood.more(2000)
                pinged = ["ip", "netns", "exec", fresh.client.name, "ping", "-c", "2", "-i", "0.1", "-W", "1"]
                assert subprocess.run([*pinged, SERVER], capture_output=True, check=False).returncode == 1
                flood.more(500)
                fresh.start()
                flood.more(500)
            finally:
                flood.stop()
        with udp(fresh.router) as end:
            end.sendto(b"all the rest has arrived before this", (TRANSIT, 9))
        wait_for(lambda: watch.counted()["marker"] or None, seconds=SECONDS, failure=lambda: "no marker")
        seen = watch.counted()
        assert seen["pool"] > 1000, "the flood was seen while a daemon ran"
        assert (seen["inside"], seen["others"]) == (0, 0)
    with udp(fresh.client) as client, udp(fresh.server, SERVER) as server:
        address, _ = echo_udp(client, server, (SERVER, server.getsockname()[1]))
        assert IPv4Address(address) in POOL
    near, far, _ = connect_tcp(fresh.client, fresh.server, SERVER)
    with near, far:
        transfer(near, far, 1_000_000)
        transfer(far, near, 1_000_000)
