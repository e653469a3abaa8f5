"""Routers in their namespaces between a client and a server, and the traffic that both make."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from snat.lab.configuration import Member, issue_certificates
from snat.lab.errors import LabError
from snat.lab.laboratory import Laboratory, within
from snat.lab.measure import Snapshot, Stage, longest_gap
from snat.lab.namespaces import Network, claimed, remove_leftovers
from snat.lab.process import Traffic
from snat.lab.router import Router
from snat.lab.topology import SERVER, Topology, routers_between

PORT: Final = 7000
HTTP_PORT: Final = 8000
FIRST_PORT: Final = 40001
FLOW_TIMEOUT: Final = 10.0
"""Seconds for every flow to move: after a long outage TCP retransmits only every few seconds."""
MEASURE: Final = 3.0
"""Least seconds of traffic measured after a fault."""
QUIET: Final = 1.0
"""Seconds of traffic before the fault."""

RouterOf = Callable[[Member, Sequence[Member], Path, tuple[str, ...]], Router]
"""Makes the router of a member, by all members, the laboratory's directory, and its namespace's prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Who the routers are, and how one of them comes to manage: the first does while it lives."""

    topology: str
    """As ``snat lab`` calls it."""
    routers: int
    router_of: RouterOf
    faults: tuple[str, ...]
    """What is done to it unless told otherwise, by the names of :data:`snat.lab.faults.FAULTS`."""
    possible: tuple[str, ...]
    """All that it is made to come through."""
    site: "type[Site] | None" = None
    """Of what kind its site is, if it is a special one."""


class Site:
    """All of it, in namespaces."""

    def __init__(self, lab: Laboratory, arrangement: Arrangement) -> None:
        """Build and start everything, and wait until the first router manages and all others are equal."""
        _check_privilege(arrangement.topology)
        self.topology = arrangement.topology
        self._lab = lab
        for identity in remove_leftovers():
            lab.say(f"removed what the dead laboratory {identity} left")
        self.directory = lab.enter_context(claimed())
        self.build(arrangement.routers)
        hosts = ", ".join(self.network.topology.hosts)
        lab.say(f"namespaces {self.network.namespace('*')}: {hosts}")
        members = _members(arrangement.routers)
        issue_certificates(self.directory / "pki", members)
        self.routers = tuple(
            arrangement.router_of(one, members, self.directory, self.network.inside(one.host))
            for one in members
        )
        lab.start(*self.routers)
        names = ", ".join(router.name for router in self.routers)
        lab.say(f"certificates issued; {names} started")
        self.await_manager(self.routers[0].host)
        lab.say(self.standing())

    def build(self, count: int) -> None:
        """The namespaces, for so many routers, and what is between them."""
        self.network = Network(self.topology_of(count), self.directory.name)
        self.network.build()

    def topology_of(self, count: int) -> Topology:
        """Of so many routers."""
        return routers_between(count)

    def standing(self) -> str:
        """What it says of itself when it is up."""
        return "R1 manages, the others listen; linked both ways, synchronised and verified"

    def lead_away(self, host: str) -> None:
        """A router is about to be taken down in good order: the roles move the traffic by themselves."""

    def router(self, host: str) -> Router:
        """The router on ``host``."""
        return next(router for router in self.routers if router.host == host)

    def await_manager(self, manager: str) -> None:
        """Wait until that host manages, all others listen, and all are ready."""
        standings = dict.fromkeys((router.host for router in self.routers), "LISTEN")
        self._lab.await_ready({**standings, manager: "MANAGE"})

    def equal(self) -> bool:
        """Whether all tables come to be equal."""
        return self._lab.tables_equal(self.routers)


def _members(count: int) -> tuple[Member, ...]:
    return tuple(
        Member(
            host=f"r{number}",
            nat_id=number,
            role="primary" if number == 1 else "backup",
            address=f"192.168.77.{number}",
        )
        for number in range(1, count + 1)
    )


def _check_privilege(topology: str) -> None:
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        raise LabError(f"{topology} needs root and /dev/net/tun; without them: snat lab none")


class TrafficPair:
    """The client's and the server's traffic programs, and what both say together."""

    def __init__(self, lab: Laboratory, site: Site, flows: int) -> None:
        network, directory = site.network, site.directory
        self._flows = flows
        common = ["--address", SERVER, "--port", str(PORT), "--flows", str(flows)]
        common += ["--http-port", str(HTTP_PORT)]
        self._server = self._start(lab, network, directory, ["server", *common])
        own = ["--first-port", str(FIRST_PORT), "--ping"]
        self._client = self._start(lab, network, directory, ["client", *common, *own])

    def _start(self, lab: Laboratory, network: Network, directory: Path, arguments: list[str]) -> Traffic:
        host = arguments[0]
        program = Traffic(host, arguments, log=directory / f"{host}.log", prefix=network.inside(host))
        lab.started(program)
        program.await_start()
        return program

    def snapshot(self) -> Snapshot:
        """Both ends of all flows, now."""
        others = {
            "ping": self._client.ask("ping")["answered"],
            "download": self._client.ask("download")["bytes"],
        }
        return Snapshot.of(self._client.flows(), self._server.flows(), others)

    def await_progress(self) -> Snapshot:
        """Wait until all flows carry bytes both ways, for a while; :class:`LabError` if not all do."""
        first = self.snapshot()
        quiet = time.monotonic() + QUIET
        if not within(lambda: self._moved_since(first) and time.monotonic() > quiet, seconds=FLOW_TIMEOUT):
            stuck = [number for number in first.client if not self.snapshot().progressed_since(first, number)]
            closed = sorted({end.closed for end in first.client.values() if end.closed})
            raise LabError(f"flows {stuck} do not move, before any fault: {'; '.join(closed) or 'no bytes'}")
        return self.snapshot()

    def stage(self, after: str, *, began: float) -> Stage:
        """What follows a fault that began at ``began``: from now until every flow has moved, or the bound."""
        start = self.snapshot()
        enough = began + MEASURE
        within(lambda: self._moved_since(start) and time.monotonic() > enough, seconds=FLOW_TIMEOUT)
        return Stage(after=after, began=began, ended=time.monotonic(), start=start, end=self.snapshot())

    def outage(self, stage: Stage) -> float:
        """The longest time without an answered probe in ``stage``, seconds."""
        return longest_gap(self._client.probes()["arrivals"], start=stage.began, end=stage.ended)

    def probe_faults(self) -> tuple[str, ...]:
        """What the probes tell besides the outage: their flow, too, must keep its outside address."""
        seen = self._client.probes()["outside"]
        return () if len(seen) == 1 else (f"the server saw the UDP probes come from {seen or 'nowhere'}",)

    def finish_download(self) -> tuple[str, tuple[str, ...]]:
        """End the HTTP download: what came of it, and what is wrong with it."""
        self._server.ask("finish")
        within(
            lambda: bool(self._client.ask("download")["closed"] and self._server.ask("download")["closed"]),
            seconds=FLOW_TIMEOUT,
        )
        sent, got = self._server.ask("download"), self._client.ask("download")
        told = f"{got['bytes']} bytes, SHA-256 {got['sha256'][:16]}..."
        if got == sent and got["closed"] == "finished":
            return f"{told} as sent", ()
        wrong = (
            f"the download had {told}, {got['closed'] or 'without an end'}; {sent['bytes']} bytes were sent"
        )
        return f"{told} WRONG", (wrong,)

    def ping(self) -> tuple[str, str]:
        """What came of the ping, and its inside address and identifier."""
        said = self._client.ask("ping")
        return f"{said['answered']} of {said['sent']} answered", said["local"]

    def _moved_since(self, earlier: Snapshot) -> bool:
        now = self.snapshot()
        if not all(now.others_since(earlier).values()):
            return False
        return all(now.progressed_since(earlier, number) for number in range(1, self._flows + 1))
