"""Fragments through a real router: the hosts' kernels cut datagrams and put them together."""

import socket

import pytest
from scapy.layers.inet import fragment

from tests.packets import udp as udp_packet
from tests.system.probes import SECONDS, udp
from tests.system.test_router_live import POOL, SERVER, Hosts, hosts, needs

__all__ = ["hosts"]  # a fixture
pytestmark = pytest.mark.root

BIG = bytes(range(256)) * 200


def test_big_datagrams_cross_both_ways(hosts: Hosts) -> None:
    with udp(hosts.client) as client, udp(hosts.server, SERVER) as server:
        for size in (1472, 1473, 4000, len(BIG)):
            client.sendto(BIG[:size], server.getsockname())
            data, seen = server.recvfrom(1 << 16)
            assert data == BIG[:size]
            assert seen[0] in map(str, POOL)
            server.sendto(data[::-1], seen)
            assert client.recv(1 << 16) == BIG[:size][::-1]
    assert hosts.router.counter("translate", "fragments") >= 2 * (1 + 2 + 34)


@needs("ping")
def test_big_pings_are_answered(hosts: Hosts) -> None:
    said = hosts.client.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "2", "-s", "20000", SERVER)
    assert "3 received" in said


def test_two_hosts_with_one_identification_and_the_last_fragments_first(hosts: Hosts) -> None:
    hosts.client.ip("addr", "add", "10.0.0.6/24", "dev", "c0")
    with hosts.client.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw, udp(hosts.server, SERVER) as server:
        port = server.getsockname()[1]
        payloads = {host: BIG[number : number + 5000] for number, host in enumerate(("10.0.0.5", "10.0.0.6"))}
        cut = [
            fragment(udp_packet(host, 5000, SERVER, port, payload, flags=0, id=7), 1480)[::-1]
            for host, payload in payloads.items()
        ]
        for pieces in zip(*cut, strict=True):
            for piece in pieces:
                raw.sendto(bytes(piece), (SERVER, 0))
        server.settimeout(SECONDS)
        got = [server.recvfrom(1 << 16) for _ in payloads]
    assert {data for data, _ in got} == set(payloads.values())
    assert len({seen for _, seen in got}) == 2
    assert hosts.router.counter("translate", "fragments_released") == 6
