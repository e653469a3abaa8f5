"""A ping that goes on: echo requests of one identifier, twenty a second. Needs the right to raw sockets."""

import asyncio
import socket
from typing import Any, Final

from snat.lab.packets import ICMP, Packet, PacketError, build, parse

INTERVAL: Final = 0.05
IDENTIFIER: Final = 4711
_IP_HEADER: Final = 20
_LARGEST: Final = 2048


class Pinger:
    """Sends requests and counts the answers, each request's first."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._sent = 0
        self._answered: set[int] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, ICMP)

    def start(self) -> None:
        """Begin to ping."""
        self._socket.setblocking(False)
        self._socket.connect((self._server, 0))
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        self._send()

    def answer(self) -> dict[str, Any]:
        """Requests sent and answered, and this end as the NAT tables call it."""
        local = self._socket.getsockname()[0]
        return {"sent": self._sent, "answered": len(self._answered), "local": f"{local}:{IDENTIFIER}"}

    def _send(self) -> None:
        ends = ("0.0.0.0", IDENTIFIER), (self._server, IDENTIFIER)  # noqa: S104
        request = Packet(
            protocol=ICMP, source=ends[0], destination=ends[1], sequence=self._sent & 0xFFFF, payload=b"snat"
        )
        try:
            self._socket.send(build(request)[_IP_HEADER:])
        except OSError:
            pass  # no way at present: the request is unanswered, the next is sent as always
        self._sent += 1
        asyncio.get_running_loop().call_later(INTERVAL, self._send)

    def _read(self) -> None:
        try:
            packet = parse(self._socket.recv(_LARGEST))
        except (OSError, PacketError):
            return  # an ICMP error in answer to a request, or about one
        if packet.reply and packet.source == (self._server, IDENTIFIER):
            self._answered.add(packet.sequence)
