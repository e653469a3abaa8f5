"""Gratuitous ARP: telling a LAN at once that an address has moved to us (RFC 826, RFC 5227)."""

import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fcntl import ioctl
from ipaddress import IPv4Address
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from snat.net.log import MESSAGES

REPEATS: Final = 3
"""How often an announcement is sent again after the first: frames get lost, and switches learn late."""
INTERVAL: Final = 1.0
"""Seconds between two."""

BROADCAST: Final = b"\xff" * 6
ETHERTYPE_ARP: Final = 0x0806
ARPHRD_ETHER: Final = 1
SIOCGIFHWADDR: Final = 0x8927
_ETHERNET: Final = struct.Struct("!6s6sH")
_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST: Final = 1
_REQUEST_OF_INTERFACE: Final = struct.Struct("=16sH6s16x")
"""``struct ifreq``: a name, then kind and bytes of its hardware address."""

Announced = tuple[IPv4Address, str]
"""An address and the interface it is announced on."""


def announcement(hardware: bytes, address: IPv4Address) -> bytes:
    """The frame that says ``address`` is at ``hardware`` (6 bytes): an ARP announcement of RFC 5227, 2.3.

    Request form, sender and target address the same, target hardware zero, to the broadcast address;
    42 bytes, which the interface pads.
    """
    if len(hardware) != 6:
        raise ValueError(f"an Ethernet address has 6 bytes, not {len(hardware)}: {hardware.hex(':')}")
    packed = address.packed
    arp = _ARP.pack(ARPHRD_ETHER, 0x0800, 6, 4, _REQUEST, hardware, packed, bytes(6), packed)
    return _ETHERNET.pack(BROADCAST, hardware, ETHERTYPE_ARP) + arp


class Transmitter:
    """Announces on any interface, over one socket: to close one takes the kernel 10 ms, amid a takeover."""

    def __init__(self) -> None:
        self._port: socket.socket | None = None

    def __call__(self, interface: str, addresses: Sequence[IPv4Address]) -> int:
        """Announce addresses on one interface, with its own hardware address; returns how many were sent.

        An interface without ARP (a TUN, PPP) sends none. Raises :class:`OSError`: interface gone or down,
        its queue full, or not permitted.
        """
        if self._port is None:
            self._port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        asked = _REQUEST_OF_INTERFACE.pack(interface.encode(), 0, b"")
        _name, kind, hardware = _REQUEST_OF_INTERFACE.unpack(ioctl(self._port, SIOCGIFHWADDR, asked))
        if kind != ARPHRD_ETHER:
            return 0
        for address in addresses:
            self._port.sendto(announcement(hardware, address), (interface, ETHERTYPE_ARP))
        return len(addresses)

    def close(self) -> None:
        """Close the socket; the next announcement opens one."""
        if self._port is not None:
            self._port.close()
            self._port = None


@dataclass(slots=True)
class GratuitousArpCounters:
    """What was announced."""

    sent: int = 0
    """Frames."""
    failed: int = 0
    """Rounds on an interface that could not be sent, or not wholly."""


class GratuitousArp:
    """Announces addresses at once and again each second, three times, until withdrawn."""

    log = Logger(observer=MESSAGES)

    def __init__(
        self, clock: IReactorTime, transmit: Callable[[str, Sequence[IPv4Address]], int] | None = None
    ) -> None:
        self.counters = GratuitousArpCounters()
        self._clock = clock
        self._transmit = transmit or Transmitter()
        self._repeats: dict[Announced, int] = {}
        self._alarm: IDelayedCall | None = None

    def announce(self, addresses: Iterable[Announced]) -> None:
        """Announce now, and repeat; an address that is still being repeated starts anew."""
        addresses = tuple(addresses)
        self._send(addresses)
        self._repeats.update(dict.fromkeys(addresses, REPEATS))
        self._arm()

    def withdraw(self) -> None:
        """Announce nothing any more: the addresses are not ours."""
        self._repeats.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def close(self) -> None:
        """As :meth:`withdraw`, for good."""
        self.withdraw()
        if isinstance(self._transmit, Transmitter):
            self._transmit.close()

    def _arm(self) -> None:
        if self._repeats and self._alarm is None:
            self._alarm = self._clock.callLater(INTERVAL, self._repeat)

    def _repeat(self) -> None:
        self._alarm = None
        self._send(tuple(self._repeats))
        self._repeats = {announced: left - 1 for announced, left in self._repeats.items() if left > 1}
        self._arm()

    def _send(self, addresses: Sequence[Announced]) -> None:
        for interface in dict.fromkeys(interface for _, interface in addresses):
            try:
                self.counters.sent += self._transmit(interface, [a for a, i in addresses if i == interface])
            except OSError as error:
                # A takeover must go on over the interfaces that work.
                self.counters.failed += 1
                self.log.warn(
                    "gratuitous ARP on {interface}: {error}",
                    interface=interface,
                    error=error.strerror,
                    mnemonic="SNAT-5-INTERFACE",
                )
