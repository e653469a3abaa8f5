"""Visitors of a running daemon's port: raw TLS with any certificate, and the protocol spoken by hand."""

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from snat.config.model import Trustpoint
from snat.lab.loopback import LOOPBACK
from snat.net.tls import ALPN
from snat.replication.digest import total
from snat.wire import actions
from snat.wire import items as codec
from snat.wire.actions import Authenticate, Role, Standing, Unit
from snat.wire.framing import Framing
from snat.wire.header import MAXIMUM_MESSAGE, Feed, Message, Position, encode
from tests.net.memory import trustpoint

PATIENCE: Final = 10.0
"""Seconds after which a daemon that should have hung up has failed."""
FEED: Final = Feed(0, 10)
KEEPALIVE: Final = encode(codec.keepalive([]))

Credentials = ssl.SSLContext | None
"""None: no TLS at all."""


def holding(point: Trustpoint | None, authority: Path) -> ssl.SSLContext:
    """Who shows the certificate of a trustpoint, or none; takes the daemon's if it is of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority / "ca.pem")
    context.set_alpn_protocols([ALPN.decode()])
    if point is not None:
        context.load_cert_chain(point.certificate, point.private_key)
    return context


def member(authority: Path, name: str) -> ssl.SSLContext:
    """A member with the certificate that it was given."""
    return holding(trustpoint(authority, name), authority)


def old(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same, and knows no TLS but 1.2."""
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class Visitor:
    """One connection to a daemon."""

    def __init__(self, credentials: Credentials, port: int) -> None:
        self._framing = Framing()
        self.heard = b""
        self.over = False
        self._socket = socket.create_connection((LOOPBACK, port), PATIENCE, (LOOPBACK, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if credentials is not None:
            try:
                self._socket = credentials.wrap_socket(self._socket)
            except OSError:  # an alert, or a reset: it would not even finish TLS
                self.close()

    def say(self, data: bytes) -> None:
        """Bytes to the daemon, which may have hung up."""
        if not self.over:
            with contextlib.suppress(OSError):
                self._socket.sendall(data)

    def listen(self, seconds: float = 0.0) -> bytes:
        """What comes within a time; ``over`` is set when the daemon has hung up."""
        if self.over:
            return b""
        waiting = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if not waiting and not select.select([self._socket], [], [], seconds)[0]:
            return b""
        try:
            data = self._socket.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.close()
        self.heard += data
        return data

    def messages(self, seconds: float = 0.0) -> list[Message]:
        """The messages that come within a time."""
        self._framing.feed(self.listen(seconds))
        return list(self._framing.messages())

    def hear_out(self) -> bytes:
        """Everything, until the daemon hangs up."""
        end = time.monotonic() + PATIENCE
        while not self.over:
            assert time.monotonic() < end, f"still connected after {PATIENCE:g} s"
            self.listen(0.1)
        return self.heard

    def close(self) -> None:
        self.over = True
        self._socket.close()


def turned_away(credentials: Credentials, port: int, said: bytes = b"") -> bytes:
    """Come, say something, and be shown out; what the daemon said meanwhile."""
    visitor = Visitor(credentials, port)
    visitor.say(said)
    return visitor.hear_out()


def hello(nat_id: int, *units: Unit, **fields: int) -> bytes:
    """The authenticate message of a member."""
    said = {"nat_id": nat_id, "incarnation": 1, "keepalive": 200, "record_formats": 1} | fields
    said.setdefault("maximum_message", MAXIMUM_MESSAGE)
    whole = Authenticate(**{name: said.get(name, 0) for name in Authenticate._fields})
    return encode(codec.authenticate(whole, units), flags=0)


def manages(position: Position) -> Unit:
    """The unit of a primary that manages."""
    return Unit(FEED, position, Role.PRIMARY, Standing.MANAGE, 0x5555, 0)


class Manager(Visitor):
    """A manager with one table, spoken by hand: it answers the requests for a dump."""

    def __init__(self, credentials: Credentials, port: int, position: Position, records: list[bytes]) -> None:
        super().__init__(credentials, port)
        self._position = position
        self._records = records
        self._spoken = time.monotonic()
        self.say(hello(position.term.nat_id, manages(position)))

    def until(self, question: Callable[[], bool]) -> None:
        """Go on as a good manager until something is so."""
        end = time.monotonic() + PATIENCE
        while not question():
            assert time.monotonic() < end, f"not so in {PATIENCE:g} s"
            for message in self.messages(0.02):
                for said in codec.controls(message.body):
                    if isinstance(said, actions.DumpRequest):
                        self.say(b"".join(self._dump(said)))
            if time.monotonic() - self._spoken > 0.1:
                self._spoken = time.monotonic()
                self.say(KEEPALIVE)

    def _dump(self, asked: actions.DumpRequest) -> Iterator[bytes]:
        said = {
            **asked._asdict(),
            "kind": actions.DumpKind.FEED,
            "position": self._position,
            "count": len(self._records),
            "digest": total(self._records) % (1 << 64),
        }
        begin, end = (_filled(kind, said) for kind in (actions.DumpBegin, actions.DumpEnd))
        body = b"".join(codec.item(actions.Action.ADD, record) for record in self._records)
        yield encode(codec.control(begin))
        yield encode(body, FEED, self._position.term)
        yield encode(codec.control(end))


def _filled(kind: type[Any], fields: dict[str, Any]) -> Any:
    return kind(**{name: fields[name] for name in kind._fields})
