"""Routers that follow HSRP, between clients and a server, and what traffic through them sees.

All of them are on three switches: inside, outside, and a network for replication.
"""

import itertools
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from snat.lab.configuration import Member, issue_certificates
from tests.system.daemons import Daemon, poll
from tests.system.namespaces import Namespace, cable, namespaces

SERVER: Final = "203.0.113.100"
PORT: Final = 7000
SECONDS: Final = 30.0
_NUMBER: Final = struct.Struct("!Q")
_NEW: Final = b"a new flow"


def member_lines(certificates: Path, number: int) -> str:
    """The trustpoint of a router, and its hostname."""
    return f"""hostname R{number}
crypto pki trustpoint SNAT
 ca-certificate {certificates / "ca.pem"}
 certificate {certificates / f"r{number}.snat.example.pem"}
 private-key {certificates / f"r{number}.snat.example.key"}
"""


def group_lines(number: int, count: int, name: str, mapping_id: int, *, port: int = 15555) -> str:
    """The block of a group of ``count`` routers, all of them numbered alike."""
    peers = "\n".join(
        f"    peer 192.168.77.{one} nat-id {one} name r{one}.snat.example"
        for one in range(1, count + 1)
        if one != number
    )
    return f"""  redundancy {name}
    local-address 192.168.77.{number}{"" if port == 15555 else f" port {port}"}
{peers}
    mapping-id {mapping_id}
    timers msec 200 msec 600
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The hosts, and a daemon on each router."""

    clients: tuple[Namespace, ...]
    server: Namespace
    routers: tuple[Namespace, ...]
    daemons: tuple[Daemon, ...]

    def states(self, router: int) -> dict[str, str]:
        """HSRP groups by name, each with its state."""
        rows = self.daemons[router].show("show standby") or []
        return {row["group"]["name"]: row["state"] for row in rows}

    def standings(self, router: int) -> dict[int, str]:
        """Redundancy groups by mapping, each with its standing; ``-`` where one is not synchronised."""
        rows = self.daemons[router].show("show ip snat distributed") or []
        return {
            mapping: row["standing"] if row["state"] == "READY" else "-"
            for row in rows
            for mapping in row["mapping_ids"]
        }

    def await_all(self, *wanted: dict[int, str]) -> None:
        """Until the routers stand so; one of which nothing is said may do as it likes."""
        poll(
            lambda: all(self.standings(number) == one for number, one in enumerate(wanted) if one),
            seconds=SECONDS,
            of=self.daemons,
        )


@contextmanager
def redundant(directory: Path, texts: Sequence[str], gateways: Sequence[str]) -> Iterator[Site]:
    """A router for each configuration, running, and a client for each gateway.

    A text may say ``{certificates}`` where :func:`member_lines` belong.
    """
    count = len(texts)
    clients = [f"client{number}" for number in range(len(gateways))]
    routers = [f"r{number}" for number in range(1, count + 1)]
    members = [
        Member(host=host, nat_id=number, role="", address=f"192.168.77.{number}")
        for number, host in enumerate(routers, start=1)
    ]
    issue_certificates(directory / "pki", members)
    with namespaces(*clients, "server", "switch", *routers) as made, ExitStack() as ends:
        hosts = dict(zip((*clients, "server", "switch", *routers), made, strict=True))
        switch = hosts["switch"]
        for bridge in ("lan", "wan", "rep"):
            switch.ip("link", "add", bridge, "type", "bridge")
            switch.ip("link", "set", bridge, "up")
        for number, (client, gateway) in enumerate(zip(clients, gateways, strict=True)):
            _plug(hosts[client], "eth0", f"10.0.0.{100 + number}", switch, "lan")
            hosts[client].ip("route", "add", "default", "via", gateway)
        _plug(hosts["server"], "eth0", SERVER, switch, "wan")
        for number, router in enumerate(routers, start=1):
            for interface, address, bridge in (
                ("in0", f"10.0.0.{1 + number}", "lan"),
                ("out0", f"203.0.113.{1 + number}", "wan"),
                ("rep0", f"192.168.77.{number}", "rep"),
            ):
                _plug(hosts[router], interface, address, switch, bridge)
        daemons = []
        for number, (router, text) in enumerate(zip(routers, texts, strict=True), start=1):
            prefix = ("ip", "netns", "exec", hosts[router].name)
            text = member_lines(directory / "pki", number) + text
            daemon = Daemon(router, text, directory=directory, prefix=prefix)
            ends.callback(daemon.stop)
            daemon.start()
            daemons.append(daemon)
        yield Site(
            clients=tuple(hosts[one] for one in clients),
            server=hosts["server"],
            routers=tuple(hosts[one] for one in routers),
            daemons=tuple(daemons),
        )


_PORTS = itertools.count()


def _plug(host: Namespace, interface: str, address: str, switch: Namespace, bridge: str) -> None:
    name = f"p{next(_PORTS)}"
    cable(host, interface, switch, name)
    switch.ip("link", "set", name, "master", bridge)
    host.ip("addr", "add", f"{address}/24", "dev", interface)


class Probes:
    """Numbered datagrams from a client, all answered by the server: of one flow, and some of new flows."""

    EVERY: Final = 0.005
    """Seconds between two of the flow, and between two new flows four times that."""

    def __init__(self, client: Namespace, server: Namespace, port: int = PORT) -> None:
        self.seen: set[tuple[str, int]] = set()
        """The flow, as the server sees it."""
        self._client = client
        self._to = (SERVER, port)
        with server.entered():
            self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._server.bind(self._to)
        self._flow = self._socket()
        self._answered: list[float] = []
        self._opened: dict[socket.socket, float] = {}
        self._outcomes: list[tuple[float, bool]] = []
        """When each new flow began, and whether it was answered."""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Send no more."""
        self._ends.set()
        self._thread.join()
        for one in (self._server, self._flow, *self._opened):
            one.close()

    def __enter__(self) -> "Probes":
        poll(lambda: len(self._answered) > 100, seconds=SECONDS, of=())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def outage(self, since: float) -> float:
        """The longest time without an answer to the flow, until now. Seconds of CLOCK_MONOTONIC."""
        answered = [one for one in self._answered if one >= since]
        moments = [max((one for one in self._answered if one < since), default=since), *answered]
        return max(b - a for a, b in itertools.pairwise([*moments, time.monotonic()]))

    def refused(self, since: float) -> float:
        """The longest time in which no new flow that began then was answered. Seconds."""
        longest = 0.0
        for answered, run in itertools.groupby(sorted(self._outcomes), key=lambda one: one[1]):
            began = [when for when, _ in run if when >= since]
            if began and not answered:
                longest = max(longest, began[-1] - began[0] + 4 * self.EVERY)
        return longest

    def _socket(self) -> socket.socket:
        with self._client.entered():
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.connect(self._to)
        made.setblocking(False)
        return made

    def _run(self) -> None:
        for number in itertools.count():
            if self._ends.is_set():
                return
            until = time.monotonic() + self.EVERY
            self._flow.send(_NUMBER.pack(number))
            if number % 4 == 0:
                fresh = self._socket()
                fresh.send(_NEW)
                self._opened[fresh] = time.monotonic()
            while (left := until - time.monotonic()) > 0:
                self._read(left)

    def _read(self, seconds: float) -> None:
        ready, _, _ = select.select([self._server, self._flow, *self._opened], [], [], seconds)
        now = time.monotonic()
        for one in ready:
            data, sender = one.recvfrom(100)
            if one is self._server:
                one.sendto(data, sender)
                if data != _NEW:
                    self.seen.add(sender)
            elif one is self._flow:
                self._answered.append(now)
            else:
                self._outcomes.append((self._opened.pop(one), True))
                one.close()
        for one, when in list(self._opened.items()):
            if now - when > 1.0:
                del self._opened[one]
                one.close()
                self._outcomes.append((when, False))
