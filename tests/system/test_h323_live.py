"""A call of H.323 through real daemons, said by built messages over real connections; a router is killed."""

import dataclasses
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pycrate_asn1dir.H225 import H323_MESSAGES
from pycrate_asn1dir.H245 import MULTIMEDIA_SYSTEM_CONTROL

from snat.lab.configuration import Member
from snat.lab.failover import FAILOVER
from snat.lab.laboratory import Laboratory
from snat.lab.router import Router
from snat.lab.site import Site as Pair
from snat.lab.topology import CLIENT as PAIR_CLIENT
from snat.lab.topology import SERVER as PAIR_SERVER
from tests.system.namespaces import Namespace
from tests.system.site import CONFIGURATION, SERVER, site
from tests.translate.alg import h323_messages as h

pytestmark = pytest.mark.root

CLIENT = "10.0.0.5"
SERVICE = "ip nat service H225"
SIGNALLING, H245, T120 = 1720, 3333, 1503
PATIENCE = 10.0
UUIE, CONTROL = H323_MESSAGES.H323_UserInformation, MULTIMEDIA_SYSTEM_CONTROL.MultimediaSystemControlMessage


@contextmanager
def connection(
    client: Namespace, source: str, server: Namespace, destination: tuple[str, int], listens: tuple[str, int]
) -> Iterator[tuple[socket.socket, socket.socket]]:
    with ExitStack() as undo:
        with server.entered():
            listener = undo.enter_context(socket.create_server(listens))
            listener.settimeout(PATIENCE)
        with client.entered():
            one = undo.enter_context(
                socket.create_connection(destination, PATIENCE, source_address=(source, 0))
            )
        other = undo.enter_context(listener.accept()[0])
        for end in (one, other):
            end.settimeout(PATIENCE)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield one, other


def exactly(end: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        got = end.recv(length - len(data))
        assert got, "the connection has ended"
        data += got
    return data


def tell(sender: socket.socket, receiver: socket.socket, message: bytes) -> bytes:
    """What comes of a message; its header goes before it by itself, as NetMeeting sends it."""
    whole = h.tpkt(message)
    sender.sendall(whole[:4])
    head = exactly(receiver, 4)
    assert head == whole[:4]
    sender.sendall(whole[4:])
    return exactly(receiver, len(message))


def body(message: bytes) -> dict[str, Any]:
    """The fields of an H.225.0 message."""
    value = h.decoded(UUIE, message[message.index(b"\x7e", 17) + 4 :])
    return dict(value["h323-uu-pdu"]["h323-message-body"][1])


def place(choice: h.Choice) -> tuple[str, int]:
    value = choice[1][1] if choice[0] == "unicastAddress" else choice[1]
    address = value.get("ip", value.get("network"))
    return socket.inet_ntoa(address), int(value.get("port", value.get("tsapIdentifier")))


class Media:
    """RTP at an inside host, and an outside host that sends it where it was told to."""

    def __init__(
        self, undo: ExitStack, inside: Namespace, address: str, port: int, outside: Namespace
    ) -> None:
        with inside.entered():
            self._here = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self._here.bind((address, port))
        with outside.entered():
            self._there = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for one in (self._here, self._there):
            one.settimeout(PATIENCE)

    def flows(self, to: tuple[str, int], payload: bytes) -> None:
        """Both ways."""
        self._there.sendto(payload, to)
        got, sender = self._here.recvfrom(2000)
        assert got == payload
        self._here.sendto(payload[::-1], sender)
        assert self._there.recvfrom(2000) == (payload[::-1], to)


class Call:
    """A call that an inside host makes, with H.245 to the outside host's port."""

    def __init__(
        self, undo: ExitStack, client: Namespace, address: str, server: Namespace, called: str
    ) -> None:
        self._ends = client, address, server, called
        self._address = address
        self.caller, self.callee = undo.enter_context(
            connection(client, address, server, (called, SIGNALLING), (called, SIGNALLING))
        )
        source = h.transport(address, SIGNALLING)
        setup = h.setup(sourceCallSignalAddress=source, destCallSignalAddress=h.transport(called, SIGNALLING))
        seen = body(tell(self.caller, self.callee, h.q931(h.SETUP, setup)))
        assert place(seen["sourceCallSignalAddress"]) == self.callee.getpeername()
        self.connect(h.transport(called, H245))
        self.asker, self.asked = undo.enter_context(
            connection(client, address, server, (called, H245), (called, H245))
        )
        self.rtp, self.rtcp = (Media(undo, client, address, port, server) for port in (5004, 5005))

    def connect(self, h245: h.Choice) -> None:
        message = h.q931(h.CONNECT, h.connect(h245Address=h245), from_caller=False)
        assert tell(self.callee, self.caller, message) == message

    def accept(self) -> tuple[tuple[str, int], tuple[str, int], tuple[str, int]]:
        """Where the other side is to send RTP and RTCP, and to connect for T.120."""
        ports = (5004, 5005, T120)
        message = h.acknowledge(*(h.unicast(self._address, port) for port in ports))
        fields = h.decoded(CONTROL, tell(self.asker, self.asked, message))[1][1]
        found = fields["forwardMultiplexAckParameters"][1]
        media = place(found["mediaChannel"]), place(found["mediaControlChannel"])
        return *media, place(fields["separateStack"]["networkAddress"][1])


def test_a_call_with_media_and_data(tmp_path: Path) -> None:
    text = CONFIGURATION.replace("\nend\n", f"\n{SERVICE}\nend\n")
    with site(tmp_path, text) as here, ExitStack() as undo:
        call = Call(undo, here.client, CLIENT, here.server, SERVER)
        rtp, rtcp, t120 = call.accept()
        call.rtp.flows(rtp, b"audio")
        call.rtcp.flows(rtcp, b"report")
        with connection(here.server, SERVER, here.client, t120, (CLIENT, T120)) as (there, inside):
            there.sendall(b"x.224")
            assert exactly(inside, 5) == b"x.224"
        counted = here.daemon.counters()
        assert counted["gateway h245"]["edit"] == 3
        assert set(counted["gateway H225"]) == {"message", "edit"}


def _with_service(
    member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]
) -> Router:
    router = FAILOVER.router_of(member, members, directory, prefix)
    file = directory / f"{member.host}.conf"
    file.write_text(file.read_text().replace("\nend\n", f"\n{SERVICE}\nend\n"))
    return router


def test_a_call_outlives_its_router(tmp_path: Path) -> None:
    """Audio goes on, and so does what was opened and not used yet; the connections are read on."""
    with Laboratory(progress=sys.stderr) as lab, ExitStack() as undo:
        pair = Pair(lab, dataclasses.replace(FAILOVER, router_of=_with_service))
        first, second = pair.routers
        client, server = (Namespace(pair.network.namespace(name)) for name in ("client", "server"))
        call = Call(undo, client, PAIR_CLIENT, server, PAIR_SERVER)
        rtp, rtcp, t120 = call.accept()
        call.rtp.flows(rtp, b"audio")
        assert pair.equal()
        lab.kill(first)
        lab.await_standing(second, "MANAGE")
        call.rtp.flows(rtp, b"more audio")
        call.rtcp.flows(rtcp, b"report")
        assert call.accept() == (rtp, rtcp, t120)
        call.connect(h.transport(PAIR_SERVER, H245))
