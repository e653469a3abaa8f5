"""Faults under live traffic: a router dies and comes back, or is reloaded (Fig. 2A, 2B, 8A, 8B).

What is compared: the tables row by row before the fault; for every TCP connection its numbered bytes both
ways, and the outside address and port that the server sees with those in the table of whoever manages.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from snat.lab.configuration import AddressPool, Member, following_text, router_text, standby_lines
from snat.lab.errors import LabError
from snat.lab.faults import FAULTS, Step
from snat.lab.laboratory import Laboratory
from snat.lab.measure import FaultOutcome, Stage, fault_outcome, tcp_outcomes
from snat.lab.packets import ICMP, TCP
from snat.lab.peers import PEERS
from snat.lab.report import Report
from snat.lab.router import Router, mappings
from snat.lab.site import Arrangement, Site
from snat.lab.topology import ONE_ADDRESS, POOL, VIRTUAL_ADDRESS
from snat.lab.vrrp import VrrpRouter

_PROBED: Final = "longest gap between answered UDP probes, 100 a second"


def _primary_or_backup(
    member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]
) -> Router:
    text = router_text(member, members, certificates=directory / "pki", virtual_address=True)
    return Router(member.host, text, directory=directory, prefix=prefix)


def _by_hsrp(
    member: Member,
    members: Sequence[Member],
    directory: Path,
    prefix: tuple[str, ...],
    *,
    pool: AddressPool = POOL,
) -> Router:
    hsrp = standby_lines(VIRTUAL_ADDRESS, 160 - 10 * member.nat_id)
    text = following_text(member, members, certificates=directory / "pki", follows="", before=hsrp, pool=pool)
    return Router(member.host, text, directory=directory, prefix=prefix)


def _beside_keepalived(
    member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]
) -> Router:
    return VrrpRouter(member, members, directory=directory, prefix=prefix)


_TAKEOVERS: Final = ("kill", "reload")
_LINKS: Final = ("inside", "outside", "replication", "partition")

FAILOVER: Final = Arrangement(
    topology="failover",
    routers=2,
    router_of=_primary_or_backup,
    faults=_TAKEOVERS,
    possible=(*_TAKEOVERS, "silence"),
)
STANDBY: Final = Arrangement(
    topology="standby", routers=3, router_of=_by_hsrp, faults=_TAKEOVERS, possible=(*_TAKEOVERS, *_LINKS)
)
VRRP: Final = Arrangement(
    topology="vrrp",
    routers=2,
    router_of=_beside_keepalived,
    faults=_TAKEOVERS,
    possible=(*_TAKEOVERS, *_LINKS),
)
ROLLING: Final = Arrangement(
    topology="rolling", routers=3, router_of=_by_hsrp, faults=("rolling",), possible=("rolling",)
)
SPLITBRAIN: Final = Arrangement(
    topology="splitbrain",
    routers=2,
    router_of=partial(_by_hsrp, pool=ONE_ADDRESS),
    faults=("split",),
    possible=("split",),
    pairs=2,
)
ARRANGEMENTS: Final[Mapping[str, Arrangement]] = {
    one.topology: one for one in (FAILOVER, STANDBY, VRRP, PEERS, ROLLING, SPLITBRAIN)
}
"""What can be played in namespaces, by name."""


def play(arrangement: Arrangement, lab: Laboratory, flows: int, faults: Sequence[str] = ()) -> Report:
    """Build, make traffic, do the arrangement's faults (or ``faults``), measure each step."""
    if impossible := set(faults) - set(arrangement.possible):
        known = ", ".join(arrangement.possible)
        raise LabError(f"{arrangement.topology} has no fault {', '.join(impossible)}; it has: {known}")
    site = (arrangement.site or Site)(lab, arrangement, flows)
    hosts = [router.host for router in site.routers]
    steps = [step for fault in faults or arrangement.faults for step in FAULTS[fault](hosts)]
    return Trial(lab, site, flows).of(steps)


class Trial:
    """Traffic through a site, and what it noticed so far."""

    def __init__(self, lab: Laboratory, site: Site, flows: int) -> None:
        """Start the traffic, and wait until all of it flows."""
        self._lab = lab
        self._site = site
        self._traffic = site.traffic
        self._before = self._last = self._traffic.await_progress()
        self._equal = site.equal()
        self._stages: list[Stage] = []
        self._pings: list[Mapping[str, str]] = []
        self._faults: list[FaultOutcome] = []
        self._wrong: list[str] = []
        lab.say(f"all {flows} connections carry bytes; tables {_equality(self._equal)}")

    def of(self, steps: Sequence[Step]) -> Report:
        """Do the steps in turn; one after which the routers do not stand as they should is the last."""
        for step in steps:
            self._do(step)
            if self._wrong:
                break
        return self._report()

    def _do(self, step: Step) -> None:
        self._lab.say(step.name)
        moment, began = self._lab.elapsed, time.monotonic()
        try:
            step.do(self._lab, self._site)
            self._await(step)
        except LabError as error:
            self._wrong.append(f"{step.name}: {error}")
        stage = self._traffic.stage(step.name, began=began)
        equal = self._site.equal() if step.whole and not self._wrong else None
        rows = self._site.router(step.manager).translations() or []
        stage = replace(
            stage,
            manager=step.manager.upper(),
            table=mappings(rows, TCP) if step.everything else None,
        )
        outage = self._traffic.outage(stage)
        outcome = fault_outcome(stage, moment=moment, before=self._last, outage=outage, tables_equal=equal)
        self._stages.append(stage)
        self._faults.append(outcome)
        self._pings.append(mappings(rows, ICMP))
        self._last = stage.end
        tables = "" if equal is None else f"; tables {_equality(equal)}"
        lost = f"{outcome.flows_lost} connections lost"
        self._lab.say(f"{outcome.outage * 1000:.0f} ms without an answer, {lost}{tables}")

    def _await(self, step: Step) -> None:
        if step.whole:
            self._site.await_manager(step.manager)
        else:
            self._lab.await_standing(self._site.router(step.manager), "MANAGE")
        self._lab.say(f"{self._site.router(step.manager).name} manages")

    def _report(self) -> Report:
        others, wrong = self._others()
        return Report(
            topology=self._site.topology,
            outcomes=tcp_outcomes(before=self._before, stages=self._stages),
            outage=max(fault.outage for fault in self._faults),
            outage_meaning=_PROBED,
            tables_equal=self._equal,
            faults=tuple(self._faults),
            seconds=self._lab.elapsed,
            timeline=tuple(self._lab.timeline),
            others=others,
            wrong=(*self._wrong, *self._traffic.probe_faults(), *wrong),
        )

    def _others(self) -> tuple[dict[str, str], list[str]]:
        """What became of pings and downloads, and what is wrong with them."""
        others = {
            f"{router.name} merged": merged for router in self._site.routers if (merged := router.merged())
        }
        wrong: list[str] = []
        for pair in self._traffic.pairs:
            others[f"ping of {pair.name}"], inside = pair.ping()
            others[f"download of {pair.name}"], faults = pair.finish_download()
            wrong += faults
            outsides = {table[inside] for table in self._pings if inside in table}
            if len(outsides) != 1:
                wrong.append(f"the ping of {inside} was translated to {sorted(outsides) or 'nothing'}")
        return others, wrong


def _equality(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
