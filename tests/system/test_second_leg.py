"""ICMP errors of the router's own kernel about packets on their way in: they hide inside addresses."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, IPerror, UDPerror

from tests.system.probes import SECONDS, udp
from tests.system.site import POOL, SERVER, Site, site

pytestmark = pytest.mark.root


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        made.server.ip("route", "add", "10.0.0.0/8", "via", "198.51.100.1")
        yield made


def errors(port: socket.socket, ready: threading.Event, found: list[IP]) -> None:
    """Collect the ICMP errors that come to a host, until the socket is closed or nothing comes."""
    ready.set()
    try:
        while True:
            packet = IP(port.recv(2000))
            if ICMP in packet and packet[ICMP].type in (3, 11):
                found.append(packet)
                return
    except OSError:
        return


def test_i5_the_router_says_that_a_host_is_gone_and_hides_who_it_was(place: Site) -> None:
    """The inside host answers no ARP: the kernel tells the server, about the address that it knows."""
    with place.server.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    raw.settimeout(SECONDS)
    with udp(place.client) as client, udp(place.server, SERVER) as server, closing(raw):
        client.sendto(b"hello", server.getsockname())
        _, seen = server.recvfrom(100)
        assert seen[0] in map(str, POOL)
        place.client.ip("addr", "flush", "dev", "eth0")
        place.router.ip("neigh", "flush", "dev", "in0")
        found: list[IP] = []
        ready = threading.Event()
        listener = threading.Thread(target=errors, args=(raw, ready, found), daemon=True)
        listener.start()
        ready.wait(SECONDS)
        server.sendto(b"are you there?", seen)
        listener.join(SECONDS)
    (error,) = found
    assert (error[ICMP].type, error[ICMP].code) == (3, 1)
    assert error.src in {*map(str, POOL)}, "not the router's own, which would tell what is behind it"
    quoted = error[IPerror]
    assert (quoted.src, quoted.dst) == (SERVER, seen[0])
    assert quoted[UDPerror].dport == seen[1]
