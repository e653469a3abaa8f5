"""A path between two hosts that delays, loses, and carries no packet longer than so many bytes.

Each host is a namespace with a TUN, and a thread of the test carries packets from one to the other. So TCP is
the kernel's, and what happens to it comes from a seed.
"""

import fcntl
import heapq
import os
import random
import selectors
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from scapy.layers.inet import ICMP, IP

from tests.system.namespaces import Namespace, namespaces

ADDRESSES: Final = ("192.0.2.1", "192.0.2.2")
ROUTER: Final = "192.0.2.254"
"""Who tells that a packet was too long."""
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_LONGEST: Final = 65535


class Path(threading.Thread):
    """What carries packets; all of it may be changed at any time."""

    def __init__(self, one: int, other: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.delay = 0.0
        """Seconds, one way."""
        self.loss = 0.0
        """Of packets, at random."""
        self.mtu = _LONGEST
        self.carried = self.lost = self.too_long = 0
        self.longest = 0
        """Bytes of the longest packet that was carried."""
        self._dice = random.Random(seed)
        self._ends = {one: other, other: one}
        self._wake, self._end = os.pipe()
        self._under_way: list[tuple[float, int, int, bytes]] = []
        """When each packet arrives, its number, where, and what it is."""
        self._number = 0

    def run(self) -> None:
        """Until :meth:`stop`."""
        with selectors.DefaultSelector() as selector:
            for each in (*self._ends, self._wake):
                selector.register(each, selectors.EVENT_READ)
            while True:
                due = self._under_way[0][0] - time.monotonic() if self._under_way else None
                for key, _ in selector.select(None if due is None else max(0.0, due)):
                    if key.fd == self._wake:
                        return
                    self._take(key.fd, os.read(key.fd, _LONGEST))
                self._deliver()

    def stop(self) -> None:
        """End it."""
        os.close(self._end)
        self.join(10)
        os.close(self._wake)

    def _take(self, end: int, packet: bytes) -> None:
        if packet[0] >> 4 != 4:
            return
        if len(packet) > self.mtu:
            self.too_long += 1
            told = (
                IP(src=ROUTER, dst=IP(packet).src) / ICMP(type=3, code=4, nexthopmtu=self.mtu) / packet[:28]
            )
            self._send(end, bytes(told))
        elif self._dice.random() < self.loss:
            self.lost += 1
        else:
            self.carried += 1
            self.longest = max(self.longest, len(packet))
            self._send(self._ends[end], packet)

    def _send(self, end: int, packet: bytes) -> None:
        self._number += 1
        heapq.heappush(self._under_way, (time.monotonic() + self.delay, self._number, end, packet))

    def _deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(self._under_way)
            os.write(end, packet)


def _tun(host: Namespace, own: str, other: str) -> int:
    with host.entered():
        opened = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(opened, _TUNSETIFF, struct.pack("16sH22x", b"path0", _IFF_TUN | _IFF_NO_PI))
    host.ip("addr", "add", own, "peer", other, "dev", "path0")
    host.ip("link", "set", "path0", "up", "mtu", "1500")
    host.ip("route", "add", f"{ROUTER}/32", "dev", "path0")
    return opened


@contextmanager
def path(seed: int) -> Iterator[tuple[Namespace, Namespace, Path]]:
    """Two hosts and what is between them."""
    with ExitStack() as undo:
        one, other = undo.enter_context(namespaces("one", "other"))
        ends = _tun(one, *ADDRESSES), _tun(other, *reversed(ADDRESSES))
        for end in ends:
            undo.callback(os.close, end)
        between = Path(*ends, seed)
        between.start()
        undo.callback(between.stop)
        yield one, other, between
