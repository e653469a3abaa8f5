"""Protocols without ports through a real daemon: raw sockets, and UDP-Lite, whose sums the kernel checks."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import ICMP, IP

from tests.system.namespaces import Namespace
from tests.system.probes import SECONDS
from tests.system.site import POOL, SERVER, Site, site

pytestmark = pytest.mark.root

CLIENT = "10.0.0.5"
ESP, UNKNOWN, UDP_LITE = 50, 253, 136
SEND_COVERAGE = 10
"""UDPLITE_SEND_CSCOV of linux/udp.h."""
LONG = 5000


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site")) as made:
        yield made


def raw(namespace: Namespace, protocol: int) -> socket.socket:
    """Sends and gets what is behind an IPv4 header; it gets the header, too."""
    with namespace.entered():
        port = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    port.settimeout(SECONDS)
    return port


def pooled(address: str) -> bool:
    return IPv4Address(address) in POOL


@pytest.mark.parametrize("size", [100, LONG], ids=["whole", "in pieces"])
@pytest.mark.parametrize("protocol", [ESP, UNKNOWN])
def test_b2_any_protocol_there_and_back(here: Site, protocol: int, size: int) -> None:
    payload = bytes(range(250)) * (size // 250 + 1)
    with raw(here.client, protocol) as client, raw(here.server, protocol) as server:
        client.sendto(payload, (SERVER, 0))
        got, (seen, _) = server.recvfrom(1 << 16)
        assert pooled(seen)
        assert got[20:] == payload
        server.sendto(payload[::-1], (seen, 0))
        got, (came_from, _) = client.recvfrom(1 << 16)
        assert came_from == SERVER
        assert got[20:] == payload[::-1]


@pytest.mark.parametrize("coverage", [0, 8, 12], ids=["all", "the header", "a part"])
def test_d1_the_kernel_takes_the_sum_of_udp_lite(here: Site, coverage: int) -> None:
    ports = []
    for namespace in (here.client, here.server):
        with namespace.entered():
            try:
                ports.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM, UDP_LITE))
            except OSError as error:  # not every kernel has it
                pytest.skip(f"no UDP-Lite in this kernel: {error}")
    client, server = ports
    with client, server:
        for port in ports:
            port.settimeout(SECONDS)
            port.setsockopt(UDP_LITE, SEND_COVERAGE, coverage)
        server.bind((SERVER, 7001))
        client.sendto(b"there and covered", (SERVER, 7001))
        data, seen = server.recvfrom(100)
        assert data == b"there and covered"
        assert pooled(seen[0])
        server.sendto(b"back", seen)
        assert client.recvfrom(100) == (b"back", (SERVER, 7001))


def test_i1_a_time_stamp_is_answered_by_the_kernel(here: Site) -> None:
    with raw(here.client, socket.IPPROTO_ICMP) as client:
        client.sendto(bytes(ICMP(type=13, id=77, seq=5)), (SERVER, 0))
        answer = IP(client.recv(1 << 16))
    assert (answer.src, answer.dst) == (SERVER, CLIENT)
    assert (answer[ICMP].type, answer[ICMP].id, answer[ICMP].seq) == (14, 77, 5)


def test_what_belongs_to_nobody_does_not_come_in(here: Site) -> None:
    before = here.daemon.counters()["translate"]["unknown_inbound"]
    with raw(here.server, UNKNOWN + 1) as server:
        server.sendto(b"unasked", (str(POOL[1]), 0))
    with raw(here.client, UNKNOWN) as client, raw(here.server, UNKNOWN) as server:
        client.sendto(b"after it", (SERVER, 0))
        seen = server.recvfrom(100)[1]
        server.sendto(b"answer", seen)
        assert client.recv(100)[20:] == b"answer"  # so the daemon has seen the other one, too
    assert here.daemon.counters()["translate"]["unknown_inbound"] == before + 1
