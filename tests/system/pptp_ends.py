"""Ends of PPTP calls in namespaces: real TCP connections for control, raw sockets for GRE."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from scapy.layers.inet import IP
from scapy.layers.l2 import GRE_PPTP
from scapy.layers.pptp import (
    PPTP,
    PPTPOutgoingCallReply,
    PPTPOutgoingCallRequest,
    PPTPStartControlConnectionReply,
    PPTPStartControlConnectionRequest,
)

from tests.system.namespaces import Namespace

CONTROL, GRE = 1723, 47
PATIENCE = 10.0
"""Seconds that anything may take."""


class End:
    """One side of calls: its control connection and its packets."""

    def __init__(self, control: socket.socket, packets: socket.socket, other: str) -> None:
        self.control, self._packets, self._other = control, packets, other
        for one in (control, packets):
            one.settimeout(PATIENCE)

    def tell(self, message: PPTP) -> None:
        self.control.sendall(bytes(message))

    def hear(self, kind: type[PPTP]) -> PPTP:
        """The next message, of that kind."""
        data = b""
        while len(data) < 2 or len(data) < int.from_bytes(data[:2], "big"):
            got = self.control.recv(4096)
            assert got, "the connection has ended"
            data += got
        assert len(data) == int.from_bytes(data[:2], "big")
        return kind(data)

    def send(self, call_id: int, payload: bytes) -> None:
        header = GRE_PPTP(call_id=call_id, payload_len=len(payload), seqnum_present=1, sequence_number=1)
        self._packets.sendto(bytes(header) + payload, (self._other, 0))

    def receive(self, payload: bytes) -> tuple[str, int]:
        """Who sent this payload, and to which call ID; what else comes is passed over."""
        while True:
            packet = IP(self._packets.recv(65535))
            if bytes(packet).endswith(payload):
                return packet.src, int(packet[GRE_PPTP].call_id)

    def forget(self) -> None:
        """What has come."""
        self._packets.setblocking(False)
        try:
            while True:
                self._packets.recv(65535)
        except BlockingIOError:
            self._packets.settimeout(PATIENCE)


@contextmanager
def control_connection(
    client: Namespace, client_address: str, server: Namespace, server_address: str, called: str
) -> Iterator[tuple[End, End]]:
    """Client and server, and a connection that is granted; ``called`` is how the client knows the server."""
    with ExitStack() as undo:
        with server.entered():
            listener = undo.enter_context(socket.create_server((server_address, CONTROL)))
            listener.settimeout(PATIENCE)
            at_server = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_RAW, GRE))
            at_server.bind((server_address, 0))
        with client.entered():
            control = undo.enter_context(
                socket.create_connection((called, CONTROL), PATIENCE, source_address=(client_address, 0))
            )
            at_client = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_RAW, GRE))
            at_client.bind((client_address, 0))
        accepted, (seen_as, _) = listener.accept()
        undo.enter_context(accepted)
        one, other = End(control, at_client, called), End(accepted, at_server, seen_as)
        one.tell(PPTPStartControlConnectionRequest())
        other.hear(PPTPStartControlConnectionRequest)
        other.tell(PPTPStartControlConnectionReply())
        one.hear(PPTPStartControlConnectionReply)
        yield one, other


def call(client: End, server: End, own: int, theirs: int) -> tuple[int, int]:
    """Set up a call; how the server knows the client's ID, and the client the server's."""
    client.tell(PPTPOutgoingCallRequest(call_id=own))
    asked = server.hear(PPTPOutgoingCallRequest).call_id
    server.tell(PPTPOutgoingCallReply(call_id=theirs, peer_call_id=asked))
    reply = client.hear(PPTPOutgoingCallReply)
    assert reply.peer_call_id == own
    return int(asked), int(reply.call_id)
