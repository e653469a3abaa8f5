"""By which interface the kernel would send a packet: asked once a second at most for each destination.

Before translation nobody has routed a packet outward yet, so `match interface` of a route-map has to ask.
The question is 28 bytes to a netlink socket that stays open; pyroute2 takes a hundred times as long.
"""

import socket
import struct
from collections.abc import Callable
from typing import Final

LASTS: Final = 1.0
"""Seconds for which an answer holds."""
MOST: Final = 4096
"""Destinations remembered."""
_GET_ROUTE, _NEW_ROUTE, _REQUEST = 26, 24, 1
_DESTINATION, _OUT_INTERFACE = 1, 4
_HEADER: Final = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, destination length, ..."""
_ATTRIBUTE: Final = struct.Struct("=HH")
_ANSWER: Final = 4096


class Egress:
    """Asks the kernel of the namespace this process runs in."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._number = 0
        self._known: dict[bytes, str] = {}
        self._until = 0.0

    def of(self, destination: bytes) -> str:
        """The interface by which packets to an address, 4 bytes, leave; empty: there is no route."""
        now = self._seconds()
        if now >= self._until or len(self._known) >= MOST:
            self._known.clear()
            self._until = now + LASTS
        found = self._known.get(destination)
        if found is None:
            found = self._known[destination] = self._ask(destination)
        return found

    def close(self) -> None:
        """Ask no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, destination: bytes) -> str:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                self._socket.settimeout(LASTS)  # the kernel answers before send returns
            self._number += 1
            self._socket.send(question(destination, self._number))
            index = out_interface(self._socket.recv(_ANSWER), self._number)
            return socket.if_indextoname(index) if index else ""
        except OSError:
            self.close()
            return ""


def question(destination: bytes, number: int) -> bytes:
    """A request for the route to an address."""
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + 4, _DESTINATION) + destination
    route = _ROUTE.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0) + attribute
    return _HEADER.pack(_HEADER.size + len(route), _GET_ROUTE, _REQUEST, number, 0) + route


def out_interface(answer: bytes, number: int) -> int:
    """The index of the interface in an answer; 0: there is no route."""
    if len(answer) < _HEADER.size + _ROUTE.size:
        return 0
    length, kind, _, answered, _ = _HEADER.unpack_from(answer)
    if kind != _NEW_ROUTE or answered != number:
        return 0
    at, end = _HEADER.size + _ROUTE.size, min(length, len(answer))
    while at + _ATTRIBUTE.size <= end:
        size, kind = _ATTRIBUTE.unpack_from(answer, at)
        if size < _ATTRIBUTE.size:
            return 0
        if kind == _OUT_INTERFACE and at + 8 <= end:
            return int.from_bytes(answer[at + 4 : at + 8], "little" if struct.pack("=H", 1)[0] else "big")
        at += (size + 3) & ~3
    return 0
