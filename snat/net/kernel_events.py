"""What the kernel tells of changes, over netlink, to the reactor: that there are some, not which.

Subscribed are links, and IPv4 addresses, rules and routes. Of routes the kernel tells only those that could
be ours (a socket filter): a router that learns the routes of the Internet would hear of nothing else. Of
proxy neighbours it tells nothing to anybody.
"""

import errno
import socket
import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pyroute2.netlink.rtnl import (
    RTM_DELROUTE,
    RTM_NEWROUTE,
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV4_ROUTE,
    RTMGRP_IPV4_RULE,
    RTMGRP_LINK,
)
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from snat.net.log import MESSAGES
from snat.net.netlink import PROTOCOL, TABLE_COMPAT

READS_PER_TURN: Final = 64
"""Messages taken before the reactor looks at anything else."""
GROUPS: Final = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE

_SO_ATTACH_FILTER: Final = 26
_INSTRUCTION: Final = struct.Struct("=HBBI")
_PROGRAM: Final = struct.Struct("@HP")
_LOAD_HALF, _LOAD_BYTE, _EQUALS, _RETURN = 0x28, 0x30, 0x15, 0x06
_TYPE_AT, _TABLE_AT, _PROTOCOL_AT = 4, 20, 21
"""Where in a message its type is (of two bytes), and of a route its table and protocol (of one)."""
_ALL: Final = 0xFFFFFFFF


@dataclass(slots=True)
class EventCounters:
    """What was heard."""

    events: int = 0
    """Messages of the kernel."""
    overruns: int = 0
    """Times that there were more than the socket holds. Some are lost; a look finds what they told."""


def route_filter() -> bytes:
    """The filter (classic BPF): of routes, ours and those in tables above 255, as ours are; all else."""
    # What is loaded is taken for network byte order, but a message has the machine's.
    program = (
        (_LOAD_HALF, 0, 0, _TYPE_AT),
        (_EQUALS, 1, 0, socket.htons(RTM_NEWROUTE)),
        (_EQUALS, 0, 4, socket.htons(RTM_DELROUTE)),
        (_LOAD_BYTE, 0, 0, _TABLE_AT),
        (_EQUALS, 2, 0, TABLE_COMPAT),
        (_LOAD_BYTE, 0, 0, _PROTOCOL_AT),
        (_EQUALS, 0, 1, PROTOCOL),
        (_RETURN, 0, 0, _ALL),
        (_RETURN, 0, 0, 0),
    )
    return b"".join(_INSTRUCTION.pack(*one) for one in program)


def subscribe() -> socket.socket:
    """A non-blocking socket that hears of changes in this network namespace. Raises OSError."""
    listening = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    try:
        program = array("B", route_filter())
        where, size = program.buffer_info()
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM.pack(size // _INSTRUCTION.size, where)
        )
        listening.bind((0, GROUPS))
    except OSError:
        listening.close()
        raise
    return listening


@implementer(IReadDescriptor)
class KernelEvents:
    """The socket in the reactor. ``noticed()`` is called once for all that came in one turn."""

    log = Logger(observer=MESSAGES)

    def __init__(
        self,
        listening: socket.socket,
        reactor: IReactorFDSet,
        noticed: Callable[[], None],
        counters: EventCounters,
    ) -> None:
        """Listens from now on."""
        self._socket = listening
        self._reactor = reactor
        self._noticed = noticed
        self._counters = counters
        self._buffer = bytearray(1)
        """What a message says is not looked at, so it may be cut."""
        reactor.addReader(self)

    def stop(self) -> None:
        """Listen no more; for good."""
        self._reactor.removeReader(self)
        self._socket.close()

    def doRead(self) -> Failure | None:
        """Take what waits, 64 messages at most; the reactor comes again for the rest."""
        for _ in range(READS_PER_TURN):
            try:
                self._socket.recv_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return Failure(error)
                self._counters.overruns += 1
            else:
                self._counters.events += 1
        self._noticed()
        return None

    def connectionLost(self, reason: Failure) -> None:
        """The reactor gave the socket up: from now on changes are found by looking only."""
        if self._socket.fileno() < 0:
            return
        self._socket.close()
        self.log.warn(
            "the kernel does not tell of changes any more: {reason}",
            reason=reason.getErrorMessage(),
            mnemonic="SNAT-4-KERNEL",
        )

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """How the reactor names us in its log."""
        return "kernel events"
