"""What a laboratory found: the outcome of every flow, the outage, who was active when."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from snat.lab.measure import FlowOutcome

WIDTH: Final = 60
"""Columns of the drawing."""
SAMPLES: Final = 5
SYMBOLS: Final = {"MANAGE": "#", "LISTEN": "-", "killed": "x", "": " "}
"""Any other standing (starting, claiming) is drawn as a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """From ``moment`` on, a router stood so."""

    moment: float
    """Seconds since the laboratory started."""
    router: str
    standing: str
    """``MANAGE``, ``LISTEN``, ...; ``killed``; empty: not running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of a laboratory's result; what it prints and its exit status follow from it."""

    topology: str
    outcomes: tuple[FlowOutcome, ...]
    outage: float
    """Seconds in which nothing got through."""
    outage_meaning: str
    """How the outage was measured."""
    tables_equal: bool
    """Whether the routers' tables had the same rows just before the fault, every column compared."""
    tables_equal_again: bool | None
    """The same after the dead router's return; None: it was not brought back."""
    seconds: float
    return_outage: float | None = None
    """The same at the return of the dead router; None: it was not brought back."""
    timeline: tuple[Standing, ...] = ()
    faults: tuple[str, ...] = ()
    """What went wrong besides flows."""

    @property
    def lost(self) -> int:
        """Flows that did not come through."""
        return sum(not outcome.survived for outcome in self.outcomes)

    @property
    def same_outside(self) -> bool:
        """Whether every flow kept its outside address and port."""
        return all(outcome.same_outside for outcome in self.outcomes)

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, nothing moved and the tables agreed."""
        equal = self.tables_equal and self.tables_equal_again is not False
        return bool(self.outcomes) and not self.lost and self.same_outside and equal and not self.faults

    def as_json(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "topology": self.topology,
            "flows": len(self.outcomes),
            "flows_lost": self.lost,
            "same_outside": self.same_outside,
            "outage_ms": round(self.outage * 1000),
            "tables_equal": self.tables_equal,
            "tables_equal_again": self.tables_equal_again,
            "return_outage_ms": None if self.return_outage is None else round(self.return_outage * 1000),
            "seconds": round(self.seconds, 1),
            "passed": self.passed,
            "faults": [*self.faults, *self._flow_faults()],
        }

    def as_text(self) -> str:
        """The summary a person reads."""
        return "\n".join(
            [
                "",
                *self._samples(),
                "",
                *draw(self.timeline, self.seconds),
                "",
                *self._table(),
                *self._verdict(),
            ]
        )

    def _samples(self) -> list[str]:
        shown = [
            f"  {each.protocol:<4} {each.inside} -> {each.outside_after or '?'}"
            + ("" if each.same_outside else f"  (was {each.outside_before or 'never seen'})")
            for each in self.outcomes[:SAMPLES]
        ]
        hidden = len(self.outcomes) - len(shown)
        return ["Inside and outside after the fault:", *shown, *([f"  ... {hidden} more"] if hidden else [])]

    def _table(self) -> list[str]:
        rows = [
            ("flows", str(len(self.outcomes))),
            ("survived", str(len(self.outcomes) - self.lost)),
            ("lost", str(self.lost)),
            ("same outside address and port", _yes(self.same_outside)),
            ("outage", f"{self.outage * 1000:.0f} ms ({self.outage_meaning})"),
            ("tables equal before the fault", _yes(self.tables_equal)),
        ]
        if self.return_outage is not None:
            rows.append(("outage at the return", f"{self.return_outage * 1000:.0f} ms"))
        if self.tables_equal_again is not None:
            rows.append(("tables equal after the return", _yes(self.tables_equal_again)))
        width = max(len(name) for name, _ in rows)
        return [f"  {name:<{width}}  {value}" for name, value in rows]

    def _verdict(self) -> list[str]:
        wrong = [*self.faults, *self._flow_faults()]
        verdict = "passed" if self.passed else "FAILED"
        return [*(f"  ! {fault}" for fault in wrong), f"{self.topology}: {verdict} in {self.seconds:.1f} s"]

    def _flow_faults(self) -> list[str]:
        return [f"{each.protocol} {each.inside}: {fault}" for each in self.outcomes for fault in each.faults]


def _yes(truth: bool) -> str:
    return "yes" if truth else "NO"


def draw(timeline: Sequence[Standing], seconds: float) -> list[str]:
    """A line for each router, time from left to right, and the legend."""
    routers = sorted({each.router for each in timeline})
    if not routers:
        return []
    lines = [f"  {router:<4} |{_line(timeline, router, seconds)}|" for router in routers]
    scale = f"  {'':<4}  0 s{f'{seconds:.0f} s':>{WIDTH - 3}}"
    return [*lines, scale, "       # active   - listening   . starting or claiming   x killed"]


def _line(timeline: Sequence[Standing], router: str, seconds: float) -> str:
    own = [each for each in timeline if each.router == router]
    end = Standing(moment=seconds, router=router, standing="")
    columns = [" "] * WIDTH
    for now, following in pairwise([*own, end]):
        first = min(WIDTH - 1, int(now.moment / seconds * WIDTH))
        last = max(first + 1, int(following.moment / seconds * WIDTH))
        if now.standing == "killed":
            last = first + 1
        columns[first:last] = [SYMBOLS.get(now.standing, ".")] * (last - first)
    return "".join(columns[:WIDTH])
