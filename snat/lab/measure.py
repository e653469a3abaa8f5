"""Arithmetic of a laboratory: how long traffic stood still, and which flows came through."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from snat.lab.ends import FlowEnd


def longest_gap(arrivals: Sequence[float], *, start: float, end: float) -> float:
    """The longest time without an answer between ``start`` and ``end``, in seconds.

    ``arrivals`` are the times of answers, in any order. The answer before ``start`` opens the first gap,
    ``end`` closes the last: no answer at all is a gap as long as the whole measurement.
    """
    inside = sorted(t for t in arrivals if start <= t <= end)
    opening = max((t for t in arrivals if t < start), default=start)
    moments = [opening, *inside, end]
    return max(b - a for a, b in pairwise(moments))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOutcome:
    """What became of one flow."""

    protocol: str
    inside: str
    """``10.0.0.100:40001``; an ICMP query has its identifier for a port."""
    outside_before: str
    """Outside address and port before the fault; empty: never seen."""
    outside_after: str
    faults: tuple[str, ...] = ()
    """Why it counts as lost; empty: it survived."""

    @property
    def survived(self) -> bool:
        """Whether nothing was lost, repeated, changed or stalled."""
        return not self.faults

    @property
    def same_outside(self) -> bool:
        """Whether the outside world saw one address and port throughout."""
        return bool(self.outside_before) and self.outside_before == self.outside_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Both ends of all flows at one moment, by flow number."""

    client: Mapping[int, FlowEnd]
    server: Mapping[int, FlowEnd]
    others: Mapping[str, int] = field(default_factory=dict)
    """How far other traffic is, by its name: answers to pings, bytes of a download."""

    @classmethod
    def of(
        cls, client: Iterable[FlowEnd], server: Iterable[FlowEnd], others: Mapping[str, int] | None = None
    ) -> "Snapshot":
        """Index what the two ends said by flow number."""
        return cls(
            client={end.flow: end for end in client},
            server={end.flow: end for end in server},
            others=others or {},
        )

    @classmethod
    def together(cls, parts: Iterable["Snapshot"]) -> "Snapshot":
        """One of several, whose flows have different numbers."""
        client: dict[int, FlowEnd] = {}
        server: dict[int, FlowEnd] = {}
        others: dict[str, int] = {}
        for part in parts:
            client.update(part.client)
            server.update(part.server)
            others.update(part.others)
        return cls(client=client, server=server, others=others)

    def others_since(self, earlier: "Snapshot") -> dict[str, bool]:
        """Which of the other traffic got further since ``earlier``."""
        return {name: now > earlier.others.get(name, 0) for name, now in self.others.items()}

    def progressed_since(self, earlier: "Snapshot", flow: int) -> bool:
        """Whether ``flow`` carried bytes both ways since ``earlier``."""
        return all(
            flow in now and now[flow].received > (then[flow].received if flow in then else 0)
            for now, then in ((self.client, earlier.client), (self.server, earlier.server))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What followed one step: a fault, or a return."""

    after: str
    """The name of the step: ``kill -9 of R1``."""
    began: float
    """CLOCK_MONOTONIC of the fault."""
    ended: float
    start: Snapshot
    """When somebody managed again."""
    end: Snapshot
    manager: str = ""
    """Who managed at the end, if its table was looked at."""
    table: Mapping[str, str] | None = None
    """Inside endpoints in that table, and their outside ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultOutcome:
    """What the traffic noticed of one step."""

    name: str
    """``kill -9 of R1``."""
    moment: float
    """Seconds since the laboratory started."""
    manager: str
    """Who managed afterwards: ``R2``."""
    outage: float
    """Seconds in which no probe was answered."""
    flows_lost: int
    """Flows that lived before and did not afterwards."""
    bytes_lost: int
    bytes_repeated: int
    """Of all streams, as their readers saw them: what TCP repeats is none of it."""
    tables_equal: bool | None
    """Whether all tables came to be equal; None: not all routers were there, or heard each other."""
    others: Mapping[str, bool] = field(default_factory=dict)
    """Whether the other traffic went on, by its name: ``ping``, ``download``."""


def fault_outcome(
    stage: Stage, *, moment: float, before: Snapshot, outage: float, tables_equal: bool | None
) -> FaultOutcome:
    """Judge one step; ``before``: all flows at its beginning."""
    now = stage.end
    shifts = [
        end.missing - (then[flow].missing if flow in then else 0)
        for ends, then in ((now.client, before.client), (now.server, before.server))
        for flow, end in ends.items()
    ]
    lost = [flow for flow in before.client if _lives(before, flow) and not _survives(stage, flow)]
    return FaultOutcome(
        name=stage.after,
        moment=moment,
        manager=stage.manager,
        outage=outage,
        flows_lost=len(lost),
        bytes_lost=sum(shift for shift in shifts if shift > 0),
        bytes_repeated=-sum(shift for shift in shifts if shift < 0),
        tables_equal=tables_equal,
        others=now.others_since(stage.start),
    )


def _lives(snapshot: Snapshot, flow: int) -> bool:
    ends = (snapshot.client.get(flow), snapshot.server.get(flow))
    return all(end is not None and not end.fault and not end.closed for end in ends)


def _survives(stage: Stage, flow: int) -> bool:
    return _lives(stage.end, flow) and stage.end.progressed_since(stage.start, flow)


def tcp_outcomes(*, before: Snapshot, stages: Sequence[Stage]) -> tuple[FlowOutcome, ...]:
    """Judge every flow that a client opened, from the stage on at whose beginning it was there.

    Every table of those stages must name what the server saw.
    """
    return tuple(_outcome(flow, before, stages) for flow in sorted(stages[-1].end.client))


def _outcome(flow: int, before: Snapshot, stages: Sequence[Stage]) -> FlowOutcome:
    last = stages[-1].end
    stages = [stage for stage in stages if flow in stage.start.client] or stages[-1:]
    first = before if flow in before.client else stages[0].end
    inside = last.client[flow].local
    seen_after = last.server[flow].remote if flow in last.server else ""
    entered = [stage.table.get(inside, "") for stage in stages if stage.table is not None]
    moved = [outside for outside in entered if outside != seen_after]
    return FlowOutcome(
        protocol="tcp",
        inside=inside,
        outside_before=first.server[flow].remote if flow in first.server else "",
        outside_after=moved[0] if moved else seen_after,
        faults=(*_stream_faults(flow, stages), *_table_faults(inside, seen_after, stages)),
    )


def _stream_faults(flow: int, stages: Sequence[Stage]) -> Iterable[str]:
    for side, ends in (("client", stages[-1].end.client), ("server", stages[-1].end.server)):
        end = ends.get(flow)
        if end is None:
            yield f"{side}: the connection never arrived"
        elif end.fault or end.closed:
            yield f"{side}: {end.fault or end.closed}"
    for stage in stages:
        if not stage.end.progressed_since(stage.start, flow):
            yield f"no bytes both ways after: {stage.after}"


def _table_faults(inside: str, seen: str, stages: Sequence[Stage]) -> Iterable[str]:
    for stage in stages:
        if stage.table is None:
            continue
        if inside not in stage.table:
            yield f"no entry for it in the table of {stage.manager} after: {stage.after}"
        elif stage.table[inside] != seen:
            says = f"the table of {stage.manager} says {stage.table[inside]} after: {stage.after}"
            yield f"{says}; the server sees {seen or 'nothing'}"
