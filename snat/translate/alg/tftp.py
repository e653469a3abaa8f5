"""TFTP (RFC 1350, RFC 2347): the server answers a request from a new port, which nobody has seen before."""

from collections.abc import Sequence
from typing import ClassVar, Final

from snat.nat.tracking import UDP
from snat.translate.alg.gateway import Edit, Endpoint, Gateway

LIFE: Final = 60.0
"""Seconds until the server must have answered."""
_READ_REQUEST, _WRITE_REQUEST = 1, 2
_SHORTEST: Final = 4
"""Bytes: the operation, and two empty strings."""
_MODES: Final = frozenset({b"netascii", b"octet", b"mail"})


class Tftp(Gateway):
    """Opens the port that a request came from to the server's new one. Nothing is edited."""

    name: ClassVar[str] = "tftp"

    def take(self, from_outside: bool, data: bytes) -> Sequence[Edit]:
        """One datagram. Only a request of an inside client opens anything."""
        self.doors.count("message")
        if from_outside is self.conversation.begun_inside:
            return ()  # the answer came from the port that was asked
        if not _is_request(data):
            self.doors.count("no request")
        elif self.conversation.begun_inside:
            inside, server = self.conversation.inside_local, self.conversation.outside_global
            self.doors.open(UDP, inside, Endpoint(server.address, 0), life=LIFE)
        return ()

    def context(self) -> bytes:
        """Nothing: what was opened is in the table."""
        return b""

    def restore(self, context: bytes) -> bool:
        """There is nothing to know."""
        return not context


def _is_request(data: bytes) -> bool:
    """Whether a datagram asks for a file: an operation, its name, a mode, and options in pairs."""
    if len(data) < _SHORTEST or data[0] or data[1] not in (_READ_REQUEST, _WRITE_REQUEST):
        return False
    words = data[2:].split(b"\0")
    return len(words) >= 3 and not words[-1] and bool(words[0]) and words[1].lower() in _MODES
