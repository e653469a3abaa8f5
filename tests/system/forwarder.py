"""A router for the live tests of the TUNs and the kernel: one inside host has one pool address.

Runs as a process of its own in a namespace, ``python -m tests.system.forwarder PLAN``, with PLAN in JSON:
``{"inside": [...], "outside": [...], "pools": [...], "host": address, "public": address}``. Each line
on stdin is a command (claim ADDRESS INTERFACE, announce ADDRESS INTERFACE, withdraw, counters), answered
by a JSON line. Independent of :mod:`snat.translate`: what fails here fails in the TUNs or in the kernel.
"""

import json
import struct
import sys
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from twisted.internet import epollreactor
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver

from snat.net.gratuitous_arp import GratuitousArp
from snat.net.kernel import Kernel
from snat.net.kernel_plan import INSIDE_TUN, OUTSIDE_TUN, KernelPlan
from snat.net.tun import VNET_HEADER, Tun, open_tun

NEEDS_CSUM = 1
CHECKSUM_AT = {6: 16, 17: 6}
"""Where TCP and UDP have their checksum."""
SOURCE, DESTINATION = 12, 16


def add(checksum: int, old: bytes, new: bytes) -> int:
    """RFC 1624, equation 3: the checksum with some bytes exchanged."""
    total: int = (~checksum & 0xFFFF) + sum(~word & 0xFFFF for (word,) in struct.iter_unpack("!H", old))
    total += sum(word for (word,) in struct.iter_unpack("!H", new))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def exchange(buffer: bytearray, at: int, new: bytes) -> None:
    """Exchange the address at ``at`` of the packet, raise the TTL by one, and mend the checksums."""
    ip = VNET_HEADER
    old = bytes(buffer[ip + at : ip + at + 4])
    buffer[ip + at : ip + at + 4] = new
    ttl, protocol = bytes(buffer[ip + 8 : ip + 10])
    buffer[ip + 8] = min(ttl + 1, 255)
    lifted = (bytes([ttl, protocol]) + old, bytes(buffer[ip + 8 : ip + 10]) + new)
    _mend(buffer, ip + 10, *lifted)
    if protocol in CHECKSUM_AT:
        partial = bool(buffer[0] & NEEDS_CSUM)
        _mend(buffer, ip + (buffer[ip] & 15) * 4 + CHECKSUM_AT[protocol], old, new, partial=partial)


def _mend(buffer: bytearray, at: int, old: bytes, new: bytes, *, partial: bool = False) -> None:
    (checksum,) = struct.unpack_from("!H", buffer, at)
    # A partial checksum is the sum itself, not its complement.
    mended = ~add(~checksum & 0xFFFF, old, new) & 0xFFFF if partial else add(checksum, old, new)
    struct.pack_into("!H", buffer, at, mended)


class Forwarder(LineOnlyReceiver):
    """Both TUNs, and the commands on stdin."""

    delimiter = b"\n"

    def __init__(self, plan: dict[str, Any], reactor: Any) -> None:
        self.host, self.public = IPv4Address(plan["host"]).packed, IPv4Address(plan["public"]).packed
        pools = tuple(map(IPv4Network, plan["pools"]))
        self.kernel = Kernel(
            KernelPlan(inside=tuple(plan["inside"]), outside=tuple(plan["outside"]), pool_networks=pools)
        )
        self.arp = GratuitousArp(reactor)
        self.batches = 0
        self.inside = Tun(open_tun(INSIDE_TUN), INSIDE_TUN, reactor, self.outbound, self.count, reactor.stop)
        self.outside = Tun(
            open_tun(OUTSIDE_TUN), OUTSIDE_TUN, reactor, self.inbound, self.count, reactor.stop
        )

    def run(self) -> None:
        self.kernel.prepare()
        self.kernel.attach()
        self.inside.start()
        self.outside.start()

    def connectionMade(self) -> None:
        self.answer("ready")

    def lineReceived(self, line: bytes) -> None:
        match line.decode().split():
            case ["claim", address, interface]:
                claimed = self.kernel.claim(((IPv4Address(address), interface),))
                self.answer([[str(address), interface] for address, interface in claimed])
            case ["announce", address, interface]:
                self.arp.announce([(IPv4Address(address), interface)])
                self.answer(asdict(self.arp.counters))
            case ["withdraw"]:
                self.arp.withdraw()
                self.kernel.withdraw()
                self.answer("withdrawn")
            case ["counters"]:
                self.answer({tun.name: asdict(tun.counters) for tun in (self.inside, self.outside)})

    def answer(self, value: Any) -> None:
        self.sendLine(json.dumps(value).encode())

    def outbound(self, buffer: bytearray, length: int) -> None:
        if buffer[VNET_HEADER + SOURCE : VNET_HEADER + SOURCE + 4] == self.host:
            exchange(buffer, SOURCE, self.public)
            self.outside.write(memoryview(buffer)[:length])

    def inbound(self, buffer: bytearray, length: int) -> None:
        if buffer[VNET_HEADER + DESTINATION : VNET_HEADER + DESTINATION + 4] == self.public:
            exchange(buffer, DESTINATION, self.host)
            self.inside.write(memoryview(buffer)[:length])

    def count(self) -> None:
        self.batches += 1


def main() -> None:
    reactor = epollreactor.EPollReactor()
    forwarder = Forwarder(json.loads(sys.argv[1]), reactor)
    forwarder.run()
    StandardIO(forwarder, reactor=reactor)
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
