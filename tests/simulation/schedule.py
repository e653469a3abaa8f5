"""One random schedule: a group, its traffic, and what happens to it, all from one seed."""

import random
from collections.abc import Callable
from functools import partial
from typing import Final

from snat.config.model import Timeouts
from snat.redundancy.roles import ALONE_EXTRA
from tests.simulation.arrangement import PrimaryBackup
from tests.simulation.arrangements import of_seed
from tests.simulation.invariants import Broken
from tests.simulation.network import Router
from tests.simulation.shape import PLAIN, Shape
from tests.simulation.traffic import Traffic

_TIMES: Final = ((0.2, 0.6), (0.2, 0.6), (0.1, 0.5), (0.5, 1.5), (0.5, 0.8), (1.0, 3.0))
"""Keepalive and hold time."""
_SHORT: Final = Timeouts(udp=2, tcp=4, syn=2, closing=2, finrst=1, icmp=1, dns=1)
_SMALL_QUEUE: Final = 48 << 10
"""Three messages: a dump of these tables fits, and a flood of changes does not."""


def shape(dice: random.Random) -> Shape:
    """What the group is like."""
    keepalive, hold_time = dice.choice(_TIMES)
    small = dice.random() < 0.35
    return Shape(
        keepalive=keepalive,
        hold_time=hold_time,
        timeouts=_SHORT if dice.random() < 0.3 else PLAIN.timeouts,
        window=4 << 10 if small else dice.choice((4 << 10, 16 << 10, 64 << 10)),
        queue_limit=_SMALL_QUEUE if small else PLAIN.queue_limit,
        delay=min(dice.choice((0.001, 0.02, 0.05)), keepalive / 4),
        cut_pieces=dice.choice((0.0, 0.2, 0.6)),
        journal_limit=dice.choice((PLAIN.journal_limit, PLAIN.journal_limit, 4 << 10)),
        maximum_entries=dice.choice((0, 0, 0, 10, 1)),
        update_interval=dice.choice((0.0, 0.0, 0.0, 0.005, 0.05)),
        pull_interval=dice.choice((0.0, 0.0, 0.0, 0.0, 1.0)),
        snapshots=dice.random() < 0.4,
    )


class Schedule:
    """A group and its dice."""

    def __init__(
        self, seed: int, trace: list[str] | None = None, arrangement: type[PrimaryBackup] | None = None
    ) -> None:
        """Of the arrangement that belongs to the seed, unless another is given."""
        self.seed = seed
        self.dice = dice = random.Random(seed)
        members = dice.choices((2, 3, 4, 5), (40, 32, 18, 10))[0]
        self.shape = shape(dice)
        self.arrangement = (arrangement or of_seed(seed))(members, self.shape, dice)
        if trace is not None:
            name, arranged = self.arrangement.name, self.arrangement
            trace.append(f"seed {seed}: {name}, {members} members, {arranged}, {self.shape}")
        self.network = self.arrangement.begin(seed, trace)
        self.ledger = self.arrangement.ledger()
        self.traffic = Traffic(self.network, dice, self.ledger)
        self._backlog: dict[int, int] = {}
        """Packets that wait for a router that is paused."""
        self._broken_apart: list[list[tuple[int, int]]] = []
        self.network.resumed = self._waiting

    def run(self) -> None:
        """All of it. Raises Broken."""
        try:
            self._run()
        except AssertionError as broken:
            raise Broken(f"seed {self.seed}: {broken}") from broken

    def _run(self) -> None:
        hold_time = self.shape.hold_time
        self._agree()
        for _ in range(self.arrangement.rounds[len(self.network.routers)]):
            self._disturb()
            if self.dice.random() < 0.2:
                self._disturb()  # one upon another
            self._talk()
            self.network.run(self.dice.uniform(0, 1.6) * hold_time)
            self.ledger.round()
        self._mend()
        self._agree()
        self._talk()
        self._agree()

    def _agree(self) -> None:
        """In the end all live and agree."""
        network, most = self.network, self.arrangement.bound()
        end = network.now + most
        while why := self.arrangement.disagreement():
            if network.now >= end:
                raise Broken(f"no agreement within {most} s: {why}")
            network.run(0.05)
        self.ledger.round()

    def _mend(self) -> None:
        network = self.network
        network.say("all is mended")
        for pairs in self._broken_apart:
            network.restore(pairs, lost=self.dice.random() < 0.5)
        self._broken_apart.clear()
        self.arrangement.mend()
        for router in network.routers.values():
            if not router.alive:
                router.start()

    # Traffic

    def _talk(self) -> None:
        """Packets for whoever has the role, or waits for it; a paused router finds them when it goes on."""
        dice, routers = self.dice, list(self.network.routers.values())
        targets = self.arrangement.targets() or dice.sample(routers, 1)
        if dice.random() < 0.1:
            targets.append(dice.choice(routers))
        for router in targets:
            packets = dice.randint(0, 12)
            if router.runs:
                self.traffic.burst(router, packets)
            elif router.paused:
                self._backlog[router.nat_id] = min(self._backlog.get(router.nat_id, 0) + packets, 50)

    def _waiting(self, router: Router) -> list[Callable[[], None]]:
        packets = self._backlog.pop(router.nat_id, 0)
        return [partial(self.traffic.burst, router, packets)] if packets else []

    def _flood(self) -> None:
        """So many changes that a connection queue overflows if nobody reads."""
        self.network.say("a flood")
        for _ in range(40):
            for router in self.network.routers.values():
                if router.runs and router.manages:
                    self.traffic.burst(router, 20)
                    self._delete(router, 16)

    # Disturbances

    def _disturb(self) -> None:
        dice = self.dice
        chosen = self.network.routers[dice.choice(list(self.network.routers))]
        special = self.arrangement.disturbances()
        match dice.randint(0, 20 + len(special)):
            case 0 | 1:
                self._kill(chosen)
            case 2 | 3 | 4:
                self._start(chosen)
            case 5:
                self._cut(chosen, 1)
            case 6:
                self._cut(chosen, 100)
            case 7 | 8:
                self._partition()
            case 9:
                self._one_way(chosen)
            case 10 | 11:
                if chosen.runs:
                    chosen.pause(self._moment())
            case 12 | 13:
                self._slow_reader(chosen)
            case 14:
                self._flap()
            case 15 | 16:
                if chosen.runs and chosen.manages:
                    self._delete(chosen, dice.choice((1, 5, 1000)))
            case 17:
                self._exile(chosen)
            case number if number > 20:
                special[number - 21](chosen)
            case _:
                pass

    def _moment(self) -> float:
        """Shorter or longer than the hold time."""
        return self.dice.choice((0.3, 1.0, 2.5)) * self.dice.uniform(0.2, 1.2) * self.shape.hold_time

    def _kill(self, chosen: Router) -> None:
        """Not the last one that has the table."""
        others = [one for one in self.network.routers.values() if one is not chosen]
        if not chosen.alive or not any(one.knows for one in others):
            return
        chance = self.dice.random()
        if chance < 0.15 and chosen.runs:
            chosen.stop()
        else:
            chosen.kill(silently=chance > 0.6)

    def _start(self, _chosen: Router | None = None) -> None:
        dead = [router for router in self.network.routers.values() if not router.alive]
        if dead:
            self.dice.choice(dead).start()

    def _cut(self, chosen: Router, most: int) -> None:
        ends = list(chosen.wires.values())
        self.dice.shuffle(ends)
        if ends:
            self.network.say(f"R{chosen.nat_id} loses {min(most, len(ends))} connections")
            self.network.cuts.append(self.network.now)
        for end in ends[:most]:
            end.cut()

    def _partition(self) -> None:
        """Two sets of devices, maybe not all of them, hear nothing of each other."""
        members = list(self.network.routers)
        self.dice.shuffle(members)
        first = self.dice.randint(1, len(members) - 1)
        last = self.dice.randint(first + 1, len(members))
        one, other = members[:first], members[first:last]
        self._part([pair for a in one for b in other for pair in ((a, b), (b, a))], f"{one} | {other}")

    def _one_way(self, chosen: Router) -> None:
        others = [nat_id for nat_id in self.network.routers if nat_id != chosen.nat_id]
        others = self.dice.sample(others, self.dice.randint(1, len(others)))
        self._part([(chosen.nat_id, other) for other in others], f"{chosen.nat_id} -/-> {others}")

    def _part(self, pairs: list[tuple[int, int]], said: str, seconds: float | None = None) -> None:
        seconds = self._moment() if seconds is None else seconds
        self.network.say(f"silence {said} for {seconds:.2f} s")
        self.network.silence(pairs)
        self._broken_apart.append(pairs)
        self.network.later(seconds, self._heal, pairs, self.dice.random() < 0.3)

    def _heal(self, pairs: list[tuple[int, int]], lost: bool) -> None:
        if any(one is pairs for one in self._broken_apart):
            self.network.say("a silence ends")
            self._broken_apart = [one for one in self._broken_apart if one is not pairs]
            self.network.restore(pairs, lost=lost)

    def _exile(self, chosen: Router) -> None:
        """Restarted where it hears nobody, for so long that it takes the role with what it has."""
        others = [nat_id for nat_id in self.network.routers if nat_id != chosen.nat_id]
        pairs = [pair for other in others for pair in ((chosen.nat_id, other), (other, chosen.nat_id))]
        seconds = self.shape.hold_time + ALONE_EXTRA + self.dice.uniform(0, 2)
        self._kill(chosen)
        self._part(pairs, f"{chosen.nat_id} | all", seconds)
        self.network.run(self.dice.uniform(0, 0.5))
        self._start()

    def _slow_reader(self, chosen: Router) -> None:
        links = list(chosen.wires)
        if chosen.runs and links:
            chosen.stall(links if self.dice.random() < 0.3 else [self.dice.choice(links)], self._moment())
            if self.shape.queue_limit == _SMALL_QUEUE:
                self._flood()

    def _flap(self) -> None:
        """Several things within a second (pitfall 10 in replication.md)."""
        self.network.say("flaps")
        for _ in range(self.dice.randint(4, 16)):
            chosen = self.network.routers[self.dice.choice(list(self.network.routers))]
            self.dice.choice((self._kill, self._start, self._start, partial(self._cut, most=2)))(chosen)
            self.network.run(self.dice.uniform(0, 0.1))

    def _delete(self, router: Router, most: int) -> None:
        records = list(router.device.table)
        self.dice.shuffle(records)
        if records:
            self.network.say(f"R{router.nat_id} deletes {min(most, len(records))} entries")
            self.ledger.delete(router, records[:most])
            router.settle()
