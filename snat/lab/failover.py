"""``failover``: primary and backup (Fig. 2A, 8A) under live traffic; the primary is killed and comes back.

What is compared: the two tables row by row before the fault; for every TCP connection its numbered bytes
both ways, and the outside address and port that the server sees with those in the table of whoever manages.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from snat.lab.configuration import Member, following_text, issue_certificates, router_text, standby_lines
from snat.lab.errors import LabError
from snat.lab.laboratory import Laboratory, within
from snat.lab.measure import Snapshot, Stage, longest_gap, tcp_outcomes
from snat.lab.namespaces import Network, claimed, remove_leftovers
from snat.lab.packets import TCP
from snat.lab.process import Traffic
from snat.lab.report import Report
from snat.lab.router import Router, mappings
from snat.lab.topology import SERVER, VIRTUAL_ADDRESS, pair_of_routers
from snat.lab.vrrp import VrrpRouter

MEMBERS: Final = (
    Member(host="r1", nat_id=1, role="primary", address="192.168.77.1"),
    Member(host="r2", nat_id=2, role="backup", address="192.168.77.2"),
)
PORT: Final = 7000
FIRST_PORT: Final = 40001
FLOW_TIMEOUT: Final = 10.0
"""Seconds for every flow to move: after a long outage TCP retransmits only every few seconds."""
MEASURE: Final = 4.0
"""Least seconds of traffic measured after a fault."""
QUIET: Final = 1.0
"""Seconds of traffic before the fault."""


RouterOf = Callable[[Member, Path, tuple[str, ...]], Router]
"""Makes the router of a member, by the laboratory's directory and what begins commands in its namespace."""


def play(lab: Laboratory, flows: int) -> Report:
    """Build, kill the primary, measure, bring it back, measure again."""
    return _play(lab, flows, "failover", _primary_or_backup)


def play_vrrp(lab: Laboratory, flows: int) -> Report:
    """The same, where keepalived chooses who is active."""
    return _play(lab, flows, "vrrp", _beside_keepalived)


def play_standby(lab: Laboratory, flows: int) -> Report:
    """The same, where HSRP of our own chooses."""
    return _play(lab, flows, "standby", _by_hsrp)


def _play(lab: Laboratory, flows: int, topology: str, router_of: RouterOf) -> Report:
    _check_privilege(topology)
    pair = _build(lab, router_of)
    lab.await_ready({"r1": "MANAGE", "r2": "LISTEN"})
    lab.say("R1 manages, R2 listens; linked both ways, synchronised and verified")
    traffic = TrafficPair(lab, pair.network, pair.directory, flows)
    before = traffic.await_progress()
    equal = lab.tables_equal([pair.r1, pair.r2])
    lab.say(f"all {flows} connections carry bytes; tables {'equal' if equal else 'DIFFERENT'}")

    killed = lab.kill(pair.r1)
    lab.await_standing(pair.r2, "MANAGE")
    lab.say("R2 manages in R1's place")
    takeover = traffic.stage("the takeover", began=killed)
    outage = traffic.outage(takeover)
    entered = mappings(pair.r2.translations() or [], TCP)
    lab.say(f"longest time without an answer: {outage * 1000:.0f} ms")

    began = time.monotonic()
    why_not = _bring_back(lab, pair)
    comeback = traffic.stage("the return", began=began)
    tables = {"R2": entered}
    if not why_not:
        tables["R1"] = mappings(pair.r1.translations() or [], TCP)
    return Report(
        topology=topology,
        outcomes=tcp_outcomes(before=before, stages=[takeover, comeback], tables=tables),
        outage=outage,
        outage_meaning="longest gap between answered UDP probes, 100 a second",
        return_outage=traffic.outage(comeback),
        tables_equal=equal,
        tables_equal_again=not why_not,
        seconds=lab.elapsed,
        timeline=tuple(lab.timeline),
        faults=(*traffic.probe_faults(), *why_not),
    )


def _check_privilege(topology: str) -> None:
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        raise LabError(f"{topology} needs root and /dev/net/tun; without them: snat lab none")


def _primary_or_backup(member: Member, directory: Path, prefix: tuple[str, ...]) -> Router:
    text = router_text(member, MEMBERS, certificates=directory / "pki", virtual_address=True)
    return Router(member.host, text, directory=directory, prefix=prefix)


def _by_hsrp(member: Member, directory: Path, prefix: tuple[str, ...]) -> Router:
    priority = 150 if member is MEMBERS[0] else 100
    hsrp = standby_lines(VIRTUAL_ADDRESS, priority)
    text = following_text(member, MEMBERS, certificates=directory / "pki", follows="", before=hsrp)
    return Router(member.host, text, directory=directory, prefix=prefix)


def _beside_keepalived(member: Member, directory: Path, prefix: tuple[str, ...]) -> Router:
    return VrrpRouter(member, MEMBERS, directory=directory, prefix=prefix)


class Pair:
    """Two routers in their namespaces."""

    def __init__(self, network: Network, directory: Path, router_of: RouterOf) -> None:
        self.network = network
        self.directory = directory
        self.r1, self.r2 = (router_of(one, directory, network.inside(one.host)) for one in MEMBERS)


def _build(lab: Laboratory, router_of: RouterOf) -> Pair:
    for identity in remove_leftovers():
        lab.say(f"removed what the dead laboratory {identity} left")
    directory = lab.enter_context(claimed())
    network = Network(pair_of_routers(), directory.name)
    network.build()
    lab.say(f"namespaces {network.namespace('*')}: {', '.join(network.topology.hosts)}")
    issue_certificates(directory / "pki", MEMBERS)
    pair = Pair(network, directory, router_of)
    lab.start(pair.r1, pair.r2)
    lab.say("certificates issued, R1 and R2 started")
    return pair


def _bring_back(lab: Laboratory, pair: Pair) -> tuple[str, ...]:
    """Start R1 again and wait until it manages and the tables agree; why not, where that does not come."""
    lab.restart(pair.r1)
    try:
        lab.await_ready({"r1": "MANAGE", "r2": "LISTEN"})
    except LabError as error:
        lab.say(f"R1 did not come back: {error}")
        return (f"R1 did not come back: {error}",)
    equal = lab.tables_equal([pair.r1, pair.r2])
    lab.say(f"R1 manages again; tables {'equal' if equal else 'DIFFERENT'}")
    return () if equal else ("the tables differ after R1's return",)


class TrafficPair:
    """The client's and the server's traffic programs, and what both say together."""

    def __init__(self, lab: Laboratory, network: Network, directory: Path, flows: int) -> None:
        self._flows = flows
        common = ["--address", SERVER, "--port", str(PORT), "--flows", str(flows)]
        self._server = self._start(lab, network, directory, ["server", *common])
        self._client = self._start(
            lab, network, directory, ["client", *common, "--first-port", str(FIRST_PORT)]
        )

    def _start(self, lab: Laboratory, network: Network, directory: Path, arguments: list[str]) -> Traffic:
        host = arguments[0]
        program = Traffic(host, arguments, log=directory / f"{host}.log", prefix=network.inside(host))
        lab.started(program)
        program.await_start()
        return program

    def snapshot(self) -> Snapshot:
        """Both ends of all flows, now."""
        return Snapshot.of(self._client.flows(), self._server.flows())

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

    def _moved_since(self, earlier: Snapshot) -> bool:
        now = self.snapshot()
        return all(now.progressed_since(earlier, number) for number in range(1, self._flows + 1))
