"""What the live tests see from outside a router: who answers ARP, what arrives, what gets through."""

import hashlib
import select
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from tests.system.namespaces import Namespace

ETH_P_ARP = 0x0806
ETH_P_IP = 0x0800
SECONDS = 5.0
"""Longer than anything here takes; a wait that reaches it fails its test."""
_ARP = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_REPLY = 2
CHUNK = 1 << 16
IP_RECVTTL = 12


class Silence(AssertionError):
    """Nothing came within ``SECONDS``."""


def answered(
    namespace: Namespace, own: str, asked: Iterable[IPv4Address], always: IPv4Address
) -> set[IPv4Address]:
    """The addresses that somebody answers for by ARP, asked by the host with the address ``own``.

    ``always`` is one that is answered for, asked last: once its answer is here, those to the others are.
    """
    sender = IPv4Address(own).packed  # a question from 0.0.0.0 (RFC 5227) is not answered for a proxy
    with (
        namespace.entered(),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as port,
    ):
        port.bind(("eth0", ETH_P_ARP))
        port.settimeout(SECONDS)
        hardware = port.getsockname()[4]
        for address in (*asked, always):
            arp = (1, ETH_P_IP, 6, 4, 1, hardware, sender, bytes(6), address.packed)
            port.send(_ARP.pack(b"\xff" * 6, hardware, ETH_P_ARP, *arp))
        found: set[IPv4Address] = set()
        while always not in found:
            frame = _receive(port)
            if len(frame) >= _ARP.size and (fields := _ARP.unpack_from(frame))[7] == _REPLY:
                found.add(IPv4Address(fields[9]))
    return found - {always}


class Capture:
    """The IPv4 source addresses that arrive at a host."""

    def __init__(self, namespace: Namespace) -> None:
        with namespace.entered():
            self._port = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._port.bind(("eth0", ETH_P_IP))
        self._port.settimeout(SECONDS)

    def close(self) -> None:
        self._port.close()

    def until(self, last: IPv4Address) -> list[IPv4Address]:
        """All sources up to the first packet from ``last``."""
        sources: list[IPv4Address] = []
        while last not in sources[-1:]:
            sources.append(IPv4Address(_receive(self._port)[12:16]))
        return sources


def _receive(port: socket.socket) -> bytes:
    try:
        return port.recv(CHUNK)
    except TimeoutError as error:
        raise Silence(f"nothing came in {SECONDS} s") from error


def udp(namespace: Namespace, address: str = "0.0.0.0", *, port: int = 0) -> socket.socket:
    """A UDP socket of a namespace, at any port unless told."""
    with namespace.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(SECONDS)
    made.bind((address, port))
    return made


def echo_udp(client: socket.socket, server: socket.socket, at: tuple[str, int]) -> tuple[str, int]:
    """One datagram there and back; returns the client's address as the server sees it, and the TTL it saw."""
    server.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    client.sendto(b"there", at)
    data, ancillary, _flags, seen = server.recvmsg(100, 100)
    assert data == b"there"
    server.sendto(b"back", seen)
    assert client.recv(100) == b"back"
    (_level, _kind, ttl) = ancillary[0]
    return seen[0], int.from_bytes(ttl, "little")


def connect_tcp(
    client: Namespace, server: Namespace, at: str, *, listen: tuple[str, int] | None = None
) -> tuple[socket.socket, socket.socket, str]:
    """A TCP connection: the client's end, the server's end, and the client's address as it is seen there.

    ``listen``: the server's own endpoint, if the client calls its port at another address.
    """
    with server.entered():
        listener = socket.create_server(listen or (at, 0))
    with client.entered():
        near = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        for port in (near, listener):
            port.settimeout(SECONDS)
        near.connect((at, listener.getsockname()[1]))
        far, seen = listener.accept()
    far.settimeout(SECONDS)
    return near, far, seen[0]


def transfer(sender: socket.socket, receiver: socket.socket, octets: int) -> None:
    """Send so many bytes over a connection and check that they arrive as they were."""
    chunk = hashlib.sha256(b"seed").digest() * (CHUNK // 32)
    sent, got = hashlib.sha256(), hashlib.sha256()
    left_to_send = left_to_get = octets
    sender.setblocking(False)
    receiver.setblocking(False)
    while left_to_get:
        writers = [sender] if left_to_send else []
        readable, writable, _ = select.select([receiver], writers, [], SECONDS)
        if not readable and not writable:
            raise Silence(f"{left_to_get} of {octets} bytes did not arrive")
        if writable:
            count = sender.send(chunk[:left_to_send])
            sent.update(chunk[:count])
            left_to_send -= count
        if readable:
            data = receiver.recv(CHUNK)
            assert data, "the connection was closed"
            got.update(data)
            left_to_get -= len(data)
    assert got.digest() == sent.digest()


def within(network: IPv4Network, sources: Iterable[IPv4Address]) -> set[IPv4Address]:
    """Those of the sources that lie in a network."""
    return {source for source in sources if source in network}
