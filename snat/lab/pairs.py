"""Traffic between clients and servers: their programs, and what all of them say together."""

import time
from collections.abc import Iterator
from typing import Final

from snat.lab.errors import LabError
from snat.lab.laboratory import Laboratory, within
from snat.lab.measure import Snapshot, Stage, longest_gap
from snat.lab.namespaces import Network
from snat.lab.process import Traffic
from snat.lab.topology import Pair

PORT: Final = 7000
HTTP_PORT: Final = 8000
FIRST_PORT: Final = 40001
SECONDS: Final = 3600
"""Traffic ends with its laboratory; this is for one that is left running (``--keep``) and forgotten."""
NUMBERS: Final = 0x4000
"""Flow numbers of one pair: 1 to 16383 of the first, and so on; four pairs have room in their 16 bits."""
FLOW_TIMEOUT: Final = 10.0
"""Seconds for every flow to move: after a long outage TCP retransmits only every few seconds."""
MEASURE: Final = 3.0
"""Least seconds of traffic measured after a fault."""
QUIET: Final = 1.0
"""Seconds of traffic before the fault."""


class TrafficPair:
    """One client's and one server's traffic programs."""

    def __init__(self, lab: Laboratory, network: Network, pair: Pair, *, flows: int, first: int) -> None:
        """Start both; the flows are numbered from ``first + 1`` on."""
        if flows >= NUMBERS:
            raise LabError(f"{flows} flows between two hosts; {NUMBERS - 1} at most")
        self._names = pair
        common = ["--address", pair.address, "--port", str(PORT), "--flows", str(flows)]
        common += ["--http-port", str(HTTP_PORT), "--seconds", str(SECONDS)]
        own = ["--first-port", str(FIRST_PORT), "--first-flow", str(first + 1), "--ping"]
        self._server = _start(lab, network, pair.server, ["server", *common])
        self._client = _start(lab, network, pair.client, ["client", *common, *own])

    def snapshot(self) -> Snapshot:
        """Both ends of all flows, now."""
        others = {
            f"ping of {self._names.client}": self._client.ask("ping")["answered"],
            f"download of {self._names.client}": self._client.ask("download")["bytes"],
        }
        return Snapshot.of(self._client.flows(), self._server.flows(), others)

    def open_more(self, flows: int) -> None:
        """Open so many more connections; :class:`LabError` if none of them comes to be."""
        self._client.ask("open", count=flows)

    def outage(self, stage: Stage) -> float:
        """The longest time without an answered probe in ``stage``, seconds."""
        return longest_gap(self._client.probes()["arrivals"], start=stage.began, end=stage.ended)

    def probe_faults(self) -> tuple[str, ...]:
        """What the probes tell besides the outage: their flow, too, must keep its outside address."""
        seen = self._client.probes()["outside"]
        client, server = self._names.client, self._names.server
        return () if len(seen) == 1 else (f"{server} saw the probes of {client} from {seen or 'nowhere'}",)

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
        end = got["closed"] or "without an end"
        return f"{told} WRONG", (f"the download had {told}, {end}; {sent['bytes']} bytes were sent",)

    def ping(self) -> tuple[str, str]:
        """What came of the ping, and its inside address and identifier."""
        said = self._client.ask("ping")
        return f"{said['answered']} of {said['sent']} answered", said["local"]

    @property
    def name(self) -> str:
        """The client's."""
        return self._names.client


def _start(lab: Laboratory, network: Network, host: str, arguments: list[str]) -> Traffic:
    log = network.directory / f"{host}.log"
    program = Traffic(host, arguments, log=log, prefix=network.inside(host))
    lab.started(program)
    program.await_start()
    return program


class AllTraffic:
    """Every pair of a site, judged as one."""

    def __init__(self, lab: Laboratory, network: Network, flows: int) -> None:
        """Share out ``flows`` connections between the pairs of the network's topology."""
        pairs = network.topology.pairs
        shares = [flows // len(pairs) + (number < flows % len(pairs)) for number in range(len(pairs))]
        self.pairs = tuple(
            TrafficPair(lab, network, pair, flows=max(1, share), first=number * NUMBERS)
            for number, (pair, share) in enumerate(zip(pairs, shares, strict=True))
        )

    def snapshot(self) -> Snapshot:
        """Both ends of all flows, now."""
        return Snapshot.together(pair.snapshot() for pair in self.pairs)

    def open_more(self, flows: int) -> None:
        """Open so many more connections between each client and its server."""
        for pair in self.pairs:
            pair.open_more(flows)

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
        """The longest time without an answered probe of any client in ``stage``, seconds."""
        return max(pair.outage(stage) for pair in self.pairs)

    def probe_faults(self) -> Iterator[str]:
        """What the probes tell besides the outage."""
        for pair in self.pairs:
            yield from pair.probe_faults()

    def _moved_since(self, earlier: Snapshot) -> bool:
        now = self.snapshot()
        if not all(now.others_since(earlier).values()):
            return False
        return all(now.progressed_since(earlier, number) for number in now.client)
