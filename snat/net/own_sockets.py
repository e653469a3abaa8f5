"""Which ports the router itself uses, as its kernel says: inside hosts that share its address get others.

Asked of ``/proc/net`` and not by netlink, which needs a module of the kernel that is often not there.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from snat.nat.own_ports import OwnPorts
from snat.nat.tracking import TCP, UDP
from snat.net import sysctl

ROOT: Final = Path("/proc/thread-self/net")
"""Shows each thread its own namespace."""
MOST: Final = 4096
"""Sockets of one kind that are looked at."""
_LISTENS: Final = "0A"
_UNCONNECTED: Final = "07"
_STATES: Final = {TCP: _LISTENS, UDP: _UNCONNECTED}
"""Of sockets that hear whoever sends."""
_LOOPBACK: Final = frozenset(
    "".join(f"{int.from_bytes(address[at : at + 4], sys.byteorder):08X}" for at in range(0, 16, 4))
    for address in (bytes(15) + b"\x01", bytes(10) + b"\xff\xff\x7f\0\0\x01")
)
"""IPv6's loopback address, and IPv4's in it, as the kernel prints them: words of this machine's order."""


def own_ports() -> OwnPorts:
    """What the router uses now: where it listens, what it keeps, and where its own connections begin."""
    return OwnPorts(listened(), (sysctl.local_ports(), *sysctl.reserved_ports()))


def listened(root: Path = ROOT) -> frozenset[tuple[int, int]]:
    """Protocols and ports at which this machine can be reached from elsewhere."""
    return frozenset(
        (protocol, port)
        for protocol, name in ((TCP, "tcp"), (UDP, "udp"))
        for file in (root / name, root / f"{name}6")
        for port in _ports(file, _STATES[protocol])
    )


def _ports(file: Path, wanted: str) -> Iterator[int]:
    """Of a file with a heading and lines of number, address:port, peer, state and more."""
    try:
        with file.open() as lines:
            for line in islice(lines, 1, MOST + 1):
                _, local, _, state, *_ = line.split(maxsplit=4)
                if state == wanted:
                    address, _, port = local.partition(":")
                    if not _is_loopback(address):
                        yield int(port, 16)
                elif wanted == _LISTENS:
                    return  # those that listen come first, and there may be very many others
    except FileNotFoundError:  # a kernel without IPv6
        return


def _is_loopback(address: str) -> bool:
    if len(address) == 8:
        return int(address, 16).to_bytes(4, sys.byteorder)[0] == 127
    return address in _LOOPBACK
