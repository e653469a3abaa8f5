"""Gratuitous ARP: telling a LAN at once that an address has moved to us (RFC 826, RFC 5227)."""

import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
_ETHERNET: Final = struct.Struct("!6s6sH")
_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST: Final = 1

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


def transmit(interface: str, addresses: Sequence[IPv4Address]) -> int:
    """Announce addresses on one interface, now, with its own hardware address; returns how many were sent.

    An interface without ARP (a TUN, PPP) sends none. Raises :class:`OSError`: interface gone or down,
    its queue full, or not permitted.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0) as port:
        port.bind((interface, 0))
        _name, _protocol, _kind, hardware_type, hardware = port.getsockname()
        if hardware_type != ARPHRD_ETHER:
            return 0
        for address in addresses:
            port.send(announcement(hardware, address))
    return len(addresses)


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
        self, clock: IReactorTime, transmit: Callable[[str, Sequence[IPv4Address]], int] = transmit
    ) -> None:
        self.counters = GratuitousArpCounters()
        self._clock = clock
        self._transmit = transmit
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
