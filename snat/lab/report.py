"""What a laboratory found: the outcome of every flow, the outage, who was active when."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from string import ascii_lowercase
from typing import Any, Final

from snat.lab.measure import FaultOutcome, FlowOutcome

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
    """Whether the routers' tables had the same rows just before the first fault, every column compared."""
    faults: tuple[FaultOutcome, ...] = ()
    """What was done, in order, and what came of it."""
    seconds: float
    timeline: tuple[Standing, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    """What became of the other traffic, by its name."""
    wrong: tuple[str, ...] = ()
    """What went wrong besides flows and tables."""

    @property
    def lost(self) -> int:
        """Flows that did not come through."""
        return sum(not outcome.survived for outcome in self.outcomes)

    @property
    def same_outside(self) -> bool:
        """Whether every flow kept its outside address and port."""
        return all(outcome.same_outside for outcome in self.outcomes)

    @property
    def tables_equal_again(self) -> bool | None:
        """Whether they did after every step that left all routers together; None: there was none."""
        compared = [fault.tables_equal for fault in self.faults if fault.tables_equal is not None]
        return all(compared) if compared else None

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, nothing moved and the tables agreed."""
        unmoved = (
            self.same_outside
            and not self._used_twice()
            and all(all(fault.others.values()) for fault in self.faults)
        )
        equal = self.tables_equal and self.tables_equal_again is not False
        return bool(self.outcomes) and not self.lost and unmoved and equal and not self.wrong

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
            "faults": [_fault_as_json(fault) for fault in self.faults],
            "seconds": round(self.seconds, 1),
            "others": dict(self.others),
            "passed": self.passed,
            "wrong": self._all_wrong(),
        }

    def as_text(self) -> str:
        """The summary a person reads."""
        return "\n".join(
            [
                "",
                *self._samples(),
                "",
                *draw(self.timeline, self.seconds, [fault.moment for fault in self.faults]),
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
            *(
                (f"  {mark} {fault.moment:5.1f} s  {fault.name}", _told(fault))
                for mark, fault in zip(_marks(), self.faults, strict=False)
            ),
            *self.others.items(),
            ("tables equal before the faults", _yes(self.tables_equal)),
        ]
        if self.tables_equal_again is not None:
            rows.append(("tables equal after them", _yes(self.tables_equal_again)))
        width = max(len(name) for name, _ in rows)
        return [f"  {name:<{width}}  {value}" for name, value in rows]

    def _verdict(self) -> list[str]:
        verdict = "passed" if self.passed else "FAILED"
        wrong = [f"  ! {each}" for each in self._all_wrong()]
        return [*wrong, f"{self.topology}: {verdict} in {self.seconds:.1f} s"]

    def _all_wrong(self) -> list[str]:
        flows = (f"{each.protocol} {each.inside}: {fault}" for each in self.outcomes for fault in each.faults)
        unequal = (f"tables differ after: {each.name}" for each in self.faults if each.tables_equal is False)
        stuck = (
            f"{name} stands still after: {each.name}"
            for each in self.faults
            for name, moved in each.others.items()
            if not moved
        )
        return [*self.wrong, *unequal, *stuck, *self._used_twice(), *flows]

    def _used_twice(self) -> list[str]:
        """Outside addresses and ports that two flows have."""
        seen = Counter((each.protocol, each.outside_after) for each in self.outcomes if each.outside_after)
        return [f"{protocol} {outside} is used twice" for (protocol, outside), n in seen.items() if n > 1]


def _fault_as_json(fault: FaultOutcome) -> dict[str, Any]:
    return {
        "fault": fault.name,
        "at_s": round(fault.moment, 1),
        "manager": fault.manager,
        "outage_ms": round(fault.outage * 1000),
        "flows_lost": fault.flows_lost,
        "bytes_lost": fault.bytes_lost,
        "bytes_repeated": fault.bytes_repeated,
        "tables_equal": fault.tables_equal,
        **fault.others,
    }


def _told(fault: FaultOutcome) -> str:
    """A fault in a line of the report."""
    told = [f"{fault.outage * 1000:.0f} ms", f"{fault.flows_lost} lost"]
    if fault.bytes_lost or fault.bytes_repeated:
        told.append(f"{fault.bytes_lost} bytes lost, {fault.bytes_repeated} repeated")
    return f"{', '.join(told)}; {fault.manager} manages"


def _yes(truth: bool) -> str:
    return "yes" if truth else "NO"


def _marks() -> Iterator[str]:
    """``a``, ``b``, ... for the steps, in the drawing and in the table."""
    return cycle(ascii_lowercase)


def draw(timeline: Sequence[Standing], seconds: float, steps: Sequence[float] = ()) -> list[str]:
    """A line for each router, time from left to right, the moments of ``steps``, and the legend."""
    routers = sorted({each.router for each in timeline})
    if not routers:
        return []
    lines = [f"  {router:<4} |{_line(timeline, router, seconds)}|" for router in routers]
    scale = f"  {'':<4}  0 s{f'{seconds:.0f} s':>{WIDTH - 3}}"
    return [
        *([f"  {'':<4}  {_steps_line(steps, seconds)}".rstrip()] if steps else []),
        *lines,
        scale,
        "       # active   - listening   . starting or claiming   x killed",
    ]


def _steps_line(steps: Sequence[float], seconds: float) -> str:
    columns = [" "] * WIDTH
    for mark, moment in zip(_marks(), steps, strict=False):
        columns[_column(moment, seconds)] = mark
    return "".join(columns)


def _column(moment: float, seconds: float) -> int:
    return min(WIDTH - 1, int(moment / seconds * WIDTH))


def _line(timeline: Sequence[Standing], router: str, seconds: float) -> str:
    own = [each for each in timeline if each.router == router]
    end = Standing(moment=seconds, router=router, standing="")
    columns = [" "] * WIDTH
    for now, following in pairwise([*own, end]):
        first = _column(now.moment, seconds)
        last = max(first + 1, int(following.moment / seconds * WIDTH))
        if now.standing == "killed":
            last = first + 1
        columns[first:last] = [SYMBOLS.get(now.standing, ".")] * (last - first)
    return "".join(columns[:WIDTH])
