"""One interface of HSRP: datagrams to its multicast group in, frames out, and ARP for virtual addresses."""

import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from snat.net.gratuitous_arp import announcement
from snat.net.hsrp_frames import ETHERTYPE_ARP, arp_reply, asked, hello_frame
from snat.net.refused import KernelRefused
from snat.redundancy.hsrp_events import Send
from snat.redundancy.hsrp_message import DESTINATIONS, PORT

READS_PER_TURN: Final = 32
LONGEST: Final = 2048
"""Bytes of a datagram or frame that are read; HSRP and ARP are far shorter."""
_MEMBERSHIP: Final = struct.Struct("=4s4si")
"""struct ip_mreqn: group, address, interface index."""


@dataclass(slots=True)
class HsrpPortCounters:
    """What went wrong or was answered on an interface."""

    arp_answered: int = 0
    not_sent: int = 0
    """Frames that the kernel did not take: the interface is down, or its queue full."""


@implementer(IReadDescriptor)
class _Reader:
    """A socket in the reactor, read in bounded turns."""

    def __init__(self, reactor: IReactorFDSet, port: socket.socket, take: Callable[[], None]) -> None:
        self._reactor = reactor
        self._port = port
        self._take = take
        self.lost = False
        """The reactor gave the socket up, as it does when the interface goes down."""
        reactor.addReader(self)

    def close(self) -> None:
        """Read no more."""
        self._reactor.removeReader(self)
        self._port.close()

    def fileno(self) -> int:
        return self._port.fileno()

    def logPrefix(self) -> str:
        return "hsrp"

    def doRead(self) -> None:
        for _ in range(READS_PER_TURN):
            try:
                self._take()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in (errno.ENETDOWN, errno.ENODEV):
                    raise
                return  # the interface went down: said once, and known from netlink

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002 - the reactor's shape
        self.lost = True
        self._port.close()


class HsrpPort:
    """The sockets on one interface that is up. When it goes down, or is created anew, they are of no use."""

    def __init__(
        self,
        interface: str,
        index: int,
        version: int,
        reactor: IReactorFDSet,
        received: Callable[[bytes, IPv4Address], None],
    ) -> None:
        """``received`` gets each datagram to the group, and who sent it. Raises KernelRefused."""
        self.index, self.version = index, version
        self.counters = HsrpPortCounters()
        self._received = received
        self._answers: dict[bytes, bytes] = {}
        """MAC addresses by virtual addresses, 4 bytes, that are ours now."""
        self._readers: list[_Reader] = []
        try:
            self._group = _group_socket(interface, index, version)
            self._readers.append(_Reader(reactor, self._group, self._take_datagram))
            self._frames = _frame_socket(interface)
            self._readers.append(_Reader(reactor, self._frames, self._take_frame))
        except OSError as error:
            self.close()
            raise KernelRefused(
                "cannot speak HSRP",
                where=f"interface {interface}",
                remedy=f"the kernel says: {error.strerror}; it needs CAP_NET_RAW, and UDP port {PORT} free",
            ) from error

    @property
    def lost(self) -> bool:
        """Whether its sockets are of no use any more: then it is time for another one."""
        return any(reader.lost for reader in self._readers)

    def close(self) -> None:
        """Neither hear nor say anything any more."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()

    def send(self, hello: Send, own_mac_address: bytes) -> None:
        """Send a hello, coup or resign."""
        mac_address = hello.mac_address or own_mac_address
        self._write(hello_frame(hello.data, hello.source, hello.destination, mac_address))

    def announce(self, addresses: tuple[IPv4Address, ...], mac_address: bytes) -> None:
        """Gratuitous ARP."""
        for address in addresses:
            self._write(announcement(mac_address, address))

    def answer(self, addresses: tuple[IPv4Address, ...], mac_address: bytes) -> None:
        """Answer ARP for these from now on."""
        self._answers.update(dict.fromkeys((one.packed for one in addresses), mac_address))

    def silence(self, addresses: tuple[IPv4Address, ...]) -> None:
        """Answer for them no more."""
        for one in addresses:
            self._answers.pop(one.packed, None)

    # Inside

    def _take_datagram(self) -> None:
        data, (source, _) = self._group.recvfrom(LONGEST)
        self._received(data, IPv4Address(source))

    def _take_frame(self) -> None:
        request = asked(self._frames.recv(LONGEST))
        mac_address = self._answers.get(request.wanted) if request is not None else None
        if request is not None and mac_address is not None and request.mac_address != mac_address:
            self.counters.arp_answered += 1
            self._write(arp_reply(request, mac_address))

    def _write(self, frame: bytes) -> None:
        try:
            self._frames.send(frame)
        except OSError:
            self.counters.not_sent += 1


def _group_socket(interface: str, index: int, version: int) -> socket.socket:
    """Hears what is sent to the group on the interface, and nothing else."""
    group = DESTINATIONS[version]
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one for each interface
        port.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        port.bind((str(group), PORT))
        membership = _MEMBERSHIP.pack(group.packed, bytes(4), index)
        port.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except OSError:
        port.close()
        raise
    return port


def _frame_socket(interface: str) -> socket.socket:
    """Sends any frame, and hears ARP."""
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        port.bind((interface, ETHERTYPE_ARP))
    except OSError:
        port.close()
        raise
    return port
