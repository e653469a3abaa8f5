"""A router dies under live traffic, and comes back (Fig. 2A, 2B, 8A, 8B); or each is restarted in turn.

What is compared: the tables row by row before the fault; for every TCP connection its numbered bytes both
ways, and the outside address and port that the server sees with those in the table of whoever manages.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from snat.lab.configuration import Member, following_text, router_text, standby_lines
from snat.lab.errors import LabError
from snat.lab.laboratory import Laboratory
from snat.lab.measure import Snapshot, Stage, tcp_outcomes
from snat.lab.packets import TCP
from snat.lab.report import Report
from snat.lab.router import Router, mappings
from snat.lab.site import Arrangement, Site, TrafficPair
from snat.lab.topology import VIRTUAL_ADDRESS
from snat.lab.vrrp import VrrpRouter

_PROBED: Final = "longest gap between answered UDP probes, 100 a second"


def _primary_or_backup(
    member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]
) -> Router:
    text = router_text(member, members, certificates=directory / "pki", virtual_address=True)
    return Router(member.host, text, directory=directory, prefix=prefix)


def _by_hsrp(member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]) -> Router:
    hsrp = standby_lines(VIRTUAL_ADDRESS, 160 - 10 * member.nat_id)
    text = following_text(member, members, certificates=directory / "pki", follows="", before=hsrp)
    return Router(member.host, text, directory=directory, prefix=prefix)


def _beside_keepalived(
    member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]
) -> Router:
    return VrrpRouter(member, members, directory=directory, prefix=prefix)


FAILOVER: Final = Arrangement(topology="failover", routers=2, router_of=_primary_or_backup)
STANDBY: Final = Arrangement(topology="standby", routers=3, router_of=_by_hsrp)
VRRP: Final = Arrangement(topology="vrrp", routers=2, router_of=_beside_keepalived)
ROLLING: Final = Arrangement(topology="rolling", routers=3, router_of=_by_hsrp)


def kill(arrangement: Arrangement, lab: Laboratory, flows: int) -> Report:
    """Build, kill the first router, measure, bring it back, measure again."""
    site = Site(lab, arrangement)
    first, second, *_ = site.routers
    traffic, before, equal = _begin(lab, site, flows)

    killed = lab.kill(first)
    lab.await_standing(second, "MANAGE")
    lab.say(f"{second.name} manages in {first.name}'s place")
    takeover = traffic.stage("the takeover", began=killed)
    outage = traffic.outage(takeover)
    entered = mappings(second.translations() or [], TCP)
    lab.say(f"longest time without an answer: {outage * 1000:.0f} ms")

    began = time.monotonic()
    why_not = _bring_back(lab, site, first)
    comeback = traffic.stage("the return", began=began)
    tables = {second.name: entered}
    if not why_not:
        tables[first.name] = mappings(first.translations() or [], TCP)
    return Report(
        topology=arrangement.topology,
        outcomes=tcp_outcomes(before=before, stages=[takeover, comeback], tables=tables),
        outage=outage,
        outage_meaning=_PROBED,
        return_outage=traffic.outage(comeback),
        tables_equal=equal,
        tables_equal_again=not why_not,
        seconds=lab.elapsed,
        timeline=tuple(lab.timeline),
        faults=(*traffic.probe_faults(), *why_not),
    )


def restart_each(arrangement: Arrangement, lab: Laboratory, flows: int) -> Report:
    """End and start every router in turn, as an upgrade does; the outage is the longest of all."""
    site = Site(lab, arrangement)
    traffic, before, equal = _begin(lab, site, flows)
    stages: list[Stage] = []
    wrong: list[str] = []
    for router in site.routers:
        ended = lab.end(router)
        stages.append(traffic.stage(f"the end of {router.name}", began=ended))
        began = time.monotonic()
        wrong += _bring_back(lab, site, router)
        stages.append(traffic.stage(f"the return of {router.name}", began=began))
        lab.say(f"longest time without an answer: {traffic.outage(stages[-2]) * 1000:.0f} ms")
    tables = {site.routers[0].name: mappings(site.routers[0].translations() or [], TCP)}
    return Report(
        topology=arrangement.topology,
        outcomes=tcp_outcomes(before=before, stages=stages, tables=tables),
        outage=max(map(traffic.outage, stages)),
        outage_meaning=_PROBED,
        tables_equal=equal,
        tables_equal_again=not wrong,
        seconds=lab.elapsed,
        timeline=tuple(lab.timeline),
        faults=(*traffic.probe_faults(), *wrong),
    )


def _begin(lab: Laboratory, site: Site, flows: int) -> tuple[TrafficPair, Snapshot, bool]:
    """Traffic that flows, how far it is, and whether the tables are equal."""
    traffic = TrafficPair(lab, site, flows)
    before = traffic.await_progress()
    equal = site.equal()
    lab.say(f"all {flows} connections carry bytes; tables {'equal' if equal else 'DIFFERENT'}")
    return traffic, before, equal


def _bring_back(lab: Laboratory, site: Site, router: Router) -> tuple[str, ...]:
    """Start a router again and wait until all is as it was; why not, where that does not come."""
    lab.restart(router)
    try:
        site.await_first()
    except LabError as error:
        lab.say(f"{router.name} did not come back: {error}")
        return (f"{router.name} did not come back: {error}",)
    equal = site.equal()
    lab.say(f"{router.name} is back; tables {'equal' if equal else 'DIFFERENT'}")
    return () if equal else (f"the tables differ after {router.name}'s return",)


SCENARIOS: Final[Mapping[str, Callable[[Laboratory, int], Report]]] = {
    one.topology: partial(kill, one) for one in (FAILOVER, STANDBY, VRRP)
} | {ROLLING.topology: partial(restart_each, ROLLING)}
"""What can be played, by name."""
