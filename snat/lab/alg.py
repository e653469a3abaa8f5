"""A protocol that carries addresses, and the router that rewrites them dies: ``snat lab alg`` (Fig. 4B 462).

An FTP session, active and passive: each PORT command gets longer or shorter on its way, so everything behind
it has other numbers on either side of the router. The one that took over must know by how much.
"""

import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from snat.lab import ftp
from snat.lab.errors import LabError
from snat.lab.failover import FAILOVER
from snat.lab.laboratory import Laboratory
from snat.lab.measure import FaultOutcome, FlowOutcome
from snat.lab.packets import TCP
from snat.lab.process import Traffic, wait_for
from snat.lab.report import Report
from snat.lab.router import Router, mappings
from snat.lab.site import Site
from snat.lab.topology import SERVER

_BEFORE: Final = 5
"""Small files fetched by PORT before the fault: each command moves the numbers a little further."""
_UNDER_WAY: Final = 1 << 20
"""Bytes of the download at which the router is killed: a quarter."""
_ENDS_WITHIN: Final = 60.0
_MEANING: Final = "longest time without a byte of the download"


def play(lab: Laboratory) -> Report:
    """Build, log in, fetch, download; kill the router in the middle; see that all of it goes on."""
    if not ftp.is_available():
        raise LabError("alg needs an FTP server: pip install 'snat[lab]' (pyftpdlib)")
    site = Site(lab, FAILOVER)
    session = _Session(lab, site)
    first, second = site.routers
    session.fetch_by_port(_BEFORE)
    session.download()
    equal = site.equal()
    before = session.ends(first)
    moment, began = lab.elapsed, time.monotonic()
    lab.say(f"kill -9 of {first.name}, a quarter of a download done")
    lab.kill(first)
    lab.await_standing(second, "MANAGE")
    lab.say(f"{second.name} manages")
    after = session.ends(second)
    outage, whole = session.await_end(began)
    goes_on = session.fetches()
    lab.say(f"the download ended {'whole' if whole else 'BROKEN'}; the next commands {_word(goes_on)}")
    returned = lab.elapsed
    lab.say(f"return of {first.name}")
    lab.restart(first)
    site.await_manager(first.host)
    still = session.fetches()
    lab.say(f"{first.name} manages; the next commands {_word(still)}")
    kept = {"control connection": goes_on and still, "download": whole}
    outcomes = tuple(
        FlowOutcome(
            protocol="tcp",
            inside=inside,
            outside_before=before[name][1],
            outside_after=after[name][1],
            faults=() if kept[name] else (f"the {name} broke",),
        )
        for name, (inside, _) in before.items()
    )
    lost = sum(not outcome.survived for outcome in outcomes)
    faults = (
        _fault(
            f"kill -9 of {first.name}", moment, second, outage, lost, None, download=whole, commands=goes_on
        ),
        _fault(f"return of {first.name}", returned, first, 0.0, 0, site.equal(), commands=still),
    )
    return Report(
        topology="alg",
        outcomes=outcomes,
        outage=outage,
        outage_meaning=_MEANING,
        tables_equal=equal,
        faults=faults,
        seconds=lab.elapsed,
        timeline=tuple(lab.timeline),
    )


class _Session:
    """The FTP session between the client's and the server's hosts."""

    def __init__(self, lab: Laboratory, site: Site) -> None:
        self._lab = lab
        files = site.directory / "files"
        files.mkdir()
        (files / "small").write_bytes(ftp.SMALL)
        (files / "large").write_bytes(ftp.LARGE)
        self._start(lab, site, "server", SERVER, str(files))
        self._client = self._start(lab, site, "client", SERVER)
        lab.say("an FTP session through R1 is open")

    @staticmethod
    def _start(lab: Laboratory, site: Site, host: str, *arguments: str) -> Traffic:
        log: Path = site.directory / f"{host}.log"
        prefix = site.network.inside(host)
        program = Traffic(host, [host, *arguments], log=log, prefix=prefix, module="snat.lab.ftp")
        lab.started(program)
        program.await_start()
        return program

    def fetch_by_port(self, times: int) -> None:
        """Small files by active transfers."""
        for _ in range(times):
            answer = self._client.ask("fetch", passive=0)
            if not answer["whole"]:
                raise LabError(f"an active transfer fails before any fault: {answer.get('why', 'cut short')}")
        self._lab.say(f"{times} files came by PORT, rewritten on the way")

    def download(self) -> None:
        """Begin the large one, passive, and wait until some of it is here."""
        self._client.ask("begin", passive=1)
        wait_for(
            lambda: self._client.ask("progress")["bytes"] >= _UNDER_WAY or None,
            seconds=_ENDS_WITHIN,
            failure=lambda: f"the download does not move: {self._client.ask('progress')['why']}",
        )

    def ends(self, router: Router) -> dict[str, tuple[str, str]]:
        """Of both connections: where they are inside, and outside by the table of a router."""
        known = mappings(router.translations() or [], TCP)
        asked = {"control connection": "control", "download": "progress"}
        inside = {name: self._client.ask(question)["local"] for name, question in asked.items()}
        return {name: (place, known.get(place, "")) for name, place in inside.items()}

    def await_end(self, since: float) -> tuple[float, bool]:
        """Wait for the end of the download: its longest pause since then, and whether it is what was sent."""
        wait_for(
            lambda: not self._client.ask("progress")["alive"] or None,
            seconds=_ENDS_WITHIN,
            failure=lambda: "the download neither ends nor fails",
        )
        answer = self._client.ask("progress")
        came = [since, *(at for at in answer["arrivals"] if at > since)]
        return max((later - earlier for earlier, later in pairwise(came)), default=0.0), answer["whole"]

    def fetches(self) -> bool:
        """Whether the session still does all that it did: active, passive, active."""
        return all(self._client.ask("fetch", passive=passive)["whole"] for passive in (0, 1, 0))


def _fault(
    name: str,
    moment: float,
    manager: Router,
    outage: float,
    lost: int,
    equal: bool | None,
    **others: bool,
) -> FaultOutcome:
    return FaultOutcome(
        name=name,
        moment=moment,
        manager=manager.name,
        outage=outage,
        flows_lost=lost,
        bytes_lost=0,
        bytes_repeated=0,
        tables_equal=equal,
        others=others,
    )


def _word(well: bool) -> str:
    return "work" if well else "FAIL"
