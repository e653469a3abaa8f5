"""A whole group of devices in one process, under a virtual clock and a simulated network.

Everything random comes from one seed, so a failing schedule is replayed by its number.
"""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from snat.config.model import ConfiguredRole
from snat.device.group import Group
from tests.simulation.router import Router
from tests.simulation.shape import FEED, MAPPING, PLAIN, POOL, Shape, configuration
from tests.simulation.standby import Module
from tests.simulation.wire import End, Wire

__all__ = ["FEED", "MAPPING", "POOL", "Network", "Router", "configuration"]

_DIAL_EVERY: Final = 0.1
_RETRANSMISSION: Final = 0.2
"""Seconds after which bytes that could not get through are sent again, at most."""

Watch = Callable[["Router"], None]
"""Looks at a router after each time that it was settled."""


class Network:
    """The routers, the clock, and what is broken."""

    def __init__(
        self,
        seed: int,
        roles: dict[int, ConfiguredRole],
        shape: Shape = PLAIN,
        trace: list[str] | None = None,
        plug: Callable[[Router], Module] | None = None,
        clocks: tuple[float, float] | None = None,
    ) -> None:
        """``plug`` gives every router that starts its IP redundancy module; None: they have none.

        ``clocks`` bound what the clock of a router that starts is ahead of the virtual time; None: nothing.
        """
        self.random = random.Random(seed)
        self.shape = shape
        self.now = 1000.0
        self.trace = trace
        self.plug = plug
        self.clocks = clocks
        self.isolated = False
        """Something kept members from hearing each other for a while, so that a split has a cause."""
        self.restored_at = 0.0
        """When the last silence ended; what waited for that arrives a little later."""
        self.cuts: list[float] = []
        """When somebody cut connections."""
        self.watches: list[Watch] = []
        self.starts: list[Watch] = []
        """Told of every device that starts."""
        self.takings: list[Watch] = []
        """Told of every device that takes the role."""
        self.steps: list[Callable[[str], None]] = []
        """Told of every step of a group, by what happened."""
        self.resumed: Callable[[Router], list[Callable[[], None]]] = lambda _: []
        """What else waited for a router that was paused."""
        self._queue: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = count()
        self._silenced: Counter[tuple[int, int]] = Counter()
        """Of whom (first) nothing reaches whom (second), and by how many disturbances."""
        self.routers: dict[int, Router] = {}
        for nat_id, role in roles.items():
            self.routers[nat_id] = Router(self, nat_id, role, tuple(one for one in roles if one != nat_id))
        self._dial()

    # Time

    def at(self, when: float, what: Callable[..., None], *arguments: object) -> None:
        """Do something at a time."""
        heapq.heappush(self._queue, (when, next(self._order), what, arguments))

    def later(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        """Do something after a while."""
        self.at(self.now + seconds, what, *arguments)

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what, arguments = heapq.heappop(self._queue)
            what(*arguments)
        self.now = end

    def run_until(self, reached: Callable[[], bool], most: float = 30.0, step: float = 0.01) -> None:
        """Let time pass until something is so; fails after ``most`` virtual seconds."""
        end = self.now + most
        while not reached():
            assert self.now < end, (
                f"not reached in {most} s: {[(n, r.standing.name) for n, r in self.routers.items()]}"
            )
            self.run(step)

    # What is so

    def quiet(self) -> bool:
        """Everybody is alive; of each group one manages, of an owner's the owner, and the others listen."""
        if not all(router.alive for router in self.routers.values()):
            return False
        groups: defaultdict[int, list[tuple[int, Group]]] = defaultdict(list)
        for nat_id, router in self.routers.items():
            for group in router.device.groups:
                groups[group.owner].append((nat_id, group))
        return all(
            sorted(one.standing.name for _, one in listed) == ["LISTEN"] * (len(listed) - 1) + ["MANAGE"]
            and all(one.manages for nat_id, one in listed if nat_id == owner)
            for owner, listed in groups.items()
        )

    def whole(self) -> bool:
        """Whether everybody that lives runs, and everything gets through."""
        return not self._silenced and not any(
            router.paused or any(end.stalled for end in router.wires.values())
            for router in self.routers.values()
        )

    def connected(self) -> bool:
        """Whether everybody that lives has both links to everybody else that lives."""
        alive = [router for router in self.routers.values() if router.alive]
        return all(
            link is not None and link.established and link in router.wires
            for router in alive
            for other in alive
            if other is not router
            for neighbor in (router.device.neighbors[other.nat_id],)
            for link in (neighbor.outgoing, neighbor.incoming)
        )

    def silent(self, sender: Router, receiver: Router) -> bool:
        """Whether nothing of one gets through to the other."""
        return bool(self._silenced) and (sender.nat_id, receiver.nat_id) in self._silenced

    def say(self, what: str) -> None:
        """Note what happens, if somebody wants to know."""
        if self.trace is not None:
            self.trace.append(f"{self.now - 1000:9.4f}  {what}")

    def started(self, router: Router) -> None:
        """A router has a new device."""
        for tell in self.starts:
            tell(router)

    def taken(self, router: Router) -> None:
        """A router took the role."""
        for tell in self.takings:
            tell(router)

    # Disturbances

    def part(self, one: int, other: int) -> None:
        """Nothing gets through between two routers, until :meth:`heal`."""
        self.silence([(one, other), (other, one)])

    def heal(self) -> None:
        """End all partitions the hard way: every connection breaks, what waited is lost."""
        self._silenced.clear()
        for router in self.routers.values():
            for end in list(router.wires.values()):
                end.cut("bytes were lost")

    def silence(self, pairs: Iterable[tuple[int, int]]) -> None:
        """What the first of each pair sends does not reach the second: it waits to be sent again."""
        self.isolated = True
        self._silenced.update(pairs)

    def restore(self, pairs: list[tuple[int, int]], *, lost: bool = False) -> None:
        """End what :meth:`silence` began. What waited arrives now, or (lost) the connections break."""
        self.restored_at = self.now
        self._silenced.subtract(pairs)
        self._silenced = +self._silenced
        for router in list(self.routers.values()):
            for end in list(router.wires.values()):
                other = end.other.router
                if (router.nat_id, other.nat_id) in pairs or (other.nat_id, router.nat_id) in pairs:
                    self._reconnect(end, lost)

    def _reconnect(self, end: End, lost: bool) -> None:
        if lost:
            end.cut("bytes were lost")
            return
        self.later(self.random.uniform(0, _RETRANSMISSION), end.read)
        self.later(self.random.uniform(0, _RETRANSMISSION), end.acknowledge)

    def _dial(self) -> None:
        """Every member dials every other, again and again."""
        for router in self.routers.values():
            if router.runs:
                for nat_id, neighbor in router.device.neighbors.items():
                    up = neighbor.outgoing is not None and neighbor.outgoing in router.wires
                    other = self.routers[nat_id]
                    if not up and other.runs and not self._apart(router, other):
                        Wire(self, router, other)
        self.later(_DIAL_EVERY, self._dial)

    def _apart(self, one: Router, other: Router) -> bool:
        return self.silent(one, other) or self.silent(other, one)
