"""Real TUNs: our cutting of super-packets against the kernel's, and what the kernel's queue dropped."""

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet

from snat.net.tun import BUFFER, Offload, open_tun, queue_drops
from snat.translate.offload import GSO_ECN, GSO_TCPV4, GSO_UDP_L4, plain
from tests.packets import tcp, udp
from tests.system.namespaces import Namespace, namespaces
from tests.translate.test_plain import partial

pytestmark = pytest.mark.root

S, D = "192.0.2.2", "198.51.100.2"


@contextmanager
def tuns(host: Namespace) -> Iterator[tuple[int, int]]:
    """Two TUNs and routing between them; what is read from the second is cut by the kernel."""
    with host.entered():
        one, other = open_tun("one"), open_tun("other", Offload.OFF)
    try:
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.disable_ipv6=1")
        for name, address in (("one", "192.0.2.1/24"), ("other", "198.51.100.1/24")):
            host.ip("addr", "add", address, "dev", name)
            host.ip("link", "set", name, "up")
        yield one, other
    finally:
        os.close(one)
        os.close(other)


@pytest.fixture
def router() -> Iterator[Namespace]:
    with namespaces("router") as (host,):
        yield host


def read(tun: int, count: int) -> list[bytes]:
    got: list[bytes] = []
    while len(got) < count:
        assert select.select([tun], [], [], 5)[0], f"{len(got)} of {count} packets came"
        got.append(os.read(tun, BUFFER))
    return got


STAMPS = [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]
CASES = [
    (tcp(S, 5, D, 80, "PA", bytes(range(250)) * 20, seq=2**32 - 300), GSO_TCPV4, 1000),
    (tcp(S, 5, D, 80, "FPA", bytes(range(250)) * 20), GSO_TCPV4, 536),
    (tcp(S, 5, D, 80, "CPA", bytes(range(250)) * 20), GSO_TCPV4 | GSO_ECN, 1448),
    (udp(S, 5, D, 53, bytes(range(250)) * 20), GSO_UDP_L4, 1001),
    (tcp(S, 5, D, 80, "A", b"one"), 0, 0),
    (udp(S, 5, D, 53, b"one"), 0, 0),
]


@pytest.mark.parametrize(("whole", "kind", "size"), CASES, ids=["seq wraps", "FIN", "CWR", "UDP", "-", "-"])
@pytest.mark.parametrize("options", [False, True], ids=["plain", "time stamps"])
def test_we_cut_as_the_kernel_does(
    router: Namespace, whole: Packet, kind: int, size: int, options: bool
) -> None:
    sent = whole.copy()
    if options and TCP in sent:
        sent[TCP].options = STAMPS
    arriving, leaving = sent.copy(), sent.copy()
    arriving.ttl, leaving.ttl = 64, 63
    ours = plain(partial(leaving, kind, size))
    with tuns(router) as (one, other):
        os.write(one, partial(arriving, kind, size))
        assert read(other, len(ours)) == ours


def test_what_waits_in_vain_is_counted_by_the_kernel(router: Namespace) -> None:
    with tuns(router) as (one, _):
        router.ip("link", "set", "other", "txqueuelen", "10")
        for _ in range(50):
            os.write(one, bytes(10) + bytes(udp(S, 5, D, 53)))
        with router.entered():
            end = time.monotonic() + 5
            while (dropped := queue_drops()["other"]) < 40:
                assert time.monotonic() < end, dropped
        assert dropped == 40
