"""What the kernel says of changes by netlink, as far as they may concern us.

The multicast messages are read by hand: pyroute2's reader cannot run inside Twisted's reactor, and of the
changes of a router with a million routes only the header of each message is looked at here.
"""

import errno
import socket
from collections.abc import Callable
from struct import Struct
from typing import Final

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from snat.net.netlink import PROTOCOL

READS_PER_TURN: Final = 16
"""Datagrams read before the reactor looks at anything else."""
_DATAGRAM: Final = 1 << 16
_GROUPS: Final = 0x1 | 0x4 | 0x10 | 0x40 | 0x80
"""RTMGRP_LINK, RTMGRP_NEIGH, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV4_RULE."""
_HEADER: Final = Struct("=IH10x")
"""struct nlmsghdr: length, type."""
_LINKS_ADDRESSES_RULES: Final = frozenset({16, 17, 20, 21, 32, 33})
_ROUTES: Final = frozenset({24, 25})
_ROUTE_PROTOCOL: Final = _HEADER.size + 5
"""Of struct rtmsg."""
_NEIGHBOURS: Final = frozenset({28, 29})
_NEIGHBOUR_FLAGS: Final = _HEADER.size + 10
"""Of struct ndmsg."""
_PROXY: Final = 0x08
"""NTF_PROXY."""


def concerns_us(datagram: bytes) -> bool:
    """Whether one of the messages is about a link, an address, a rule, our routes or a proxy neighbour."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind = _HEADER.unpack_from(datagram, at)
        if kind in _LINKS_ADDRESSES_RULES:
            return True
        if not _HEADER.size <= length <= len(datagram) - at:
            return True  # no kernel says so; a look does no harm
        if kind in _ROUTES and length > _ROUTE_PROTOCOL and datagram[at + _ROUTE_PROTOCOL] == PROTOCOL:
            return True
        if kind in _NEIGHBOURS and length > _NEIGHBOUR_FLAGS and datagram[at + _NEIGHBOUR_FLAGS] & _PROXY:
            return True
        at += (length + 3) & ~3
    return False


@implementer(IReadDescriptor)
class KernelEvents:
    """The socket on which the kernel of this namespace tells of changes, listening from the start.

    ``noticed()`` is called after a batch of them in which one may concern us.
    """

    def __init__(self, reactor: IReactorFDSet, noticed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._noticed = noticed
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        self._socket.bind((0, _GROUPS))
        reactor.addReader(self)

    def stop(self) -> None:
        """Listen no more."""
        self._reactor.removeReader(self)
        self._socket.close()

    def fileno(self) -> int:
        """For the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "kernel"

    def doRead(self) -> None:
        """Read what came. What was lost since nobody read may have been anything."""
        concerned = False
        for _ in range(READS_PER_TURN):
            try:
                concerned |= concerns_us(self._socket.recv(_DATAGRAM))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                concerned = True
        if concerned:
            self._noticed()

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002
        """The reactor gives up on the socket: from now on only time asks for looks."""
        self._socket.close()
