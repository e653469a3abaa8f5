"""How the routers of a schedule are arranged: who has the role, by whose word, and what goes wrong there.

Each arrangement is a class like :class:`PrimaryBackup`; :mod:`tests.simulation.arrangements` has them all.
"""

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar, Final

from snat.config.model import ConfiguredRole
from snat.redundancy.hsrp_message import State
from snat.redundancy.roles import ALONE_EXTRA
from tests.simulation.invariants import Ledger, disagreement
from tests.simulation.network import Network, Router
from tests.simulation.shape import Shape
from tests.simulation.standby import Lan, LanShape, Module
from tests.simulation.traffic import Book

Disturbance = Callable[[Router], None]
"""Something that happens to a router, or near it."""


CLOCKS: Final = (-990.0, 1e6)
"""Seconds that a router's clock is off: a reboot sets a monotonic one back (pitfalls 1, 16 and 17)."""


class PrimaryBackup:
    """A primary and its backups (Fig. 2A): nothing but the routers themselves."""

    name = "primary/backup"
    rounds: ClassVar[Mapping[int, int]] = {2: 22, 3: 16, 4: 11, 5: 8}
    """Of a schedule, by members: what it costs grows with their square."""

    def __init__(self, members: int, shape: Shape, dice: random.Random) -> None:
        primary = dice.randint(1, members)
        self.shape = shape
        self.dice = dice
        self.network: Network
        self.roles = {
            nat_id: ConfiguredRole.PRIMARY if nat_id == primary else ConfiguredRole.BACKUP
            for nat_id in range(1, members + 1)
        }

    def begin(self, seed: int, trace: list[str] | None) -> Network:
        """The network, with routers that start."""
        self.network = Network(seed, self.roles, self.shape, trace, clocks=CLOCKS)
        return self.network

    def ledger(self) -> Book:
        """Who keeps what all agreed on."""
        return Ledger(self.network)

    def __str__(self) -> str:
        primary = next(one for one, role in self.roles.items() if role is ConfiguredRole.PRIMARY)
        return f"R{primary} is primary"

    def targets(self) -> list[Router]:
        """Where hosts' packets go."""
        return [router for router in self.network.routers.values() if router.manages]

    def disturbances(self) -> tuple[Disturbance, ...]:
        """What happens here beside what happens everywhere, each as likely as any of those."""
        return ()

    def mend(self) -> None:
        """Nothing is wrong any more."""

    def disagreement(self) -> str:
        """Why this is not yet as it should be after quiet; empty if it is."""
        return disagreement(self.network.routers.values())

    def bound(self) -> float:
        """Virtual seconds in which a group that nothing happens to agrees."""
        return 15.0 + 5 * self.shape.hold_time


class ActiveStandby(PrimaryBackup):
    """An active and its standby routers (Fig. 2B): HSRP has the word."""

    name = "active/standby"
    rounds: ClassVar[Mapping[int, int]] = {2: 18, 3: 13, 4: 9, 5: 6}

    def __init__(self, members: int, shape: Shape, dice: random.Random) -> None:
        super().__init__(members, shape, dice)
        self.roles = dict.fromkeys(self.roles, ConfiguredRole.REDUNDANCY)
        hello, hold = dice.choice(_TIMES)
        self.lan_shape = LanShape(
            version=dice.choice((1, 2)),
            hello=hello,
            hold=hold,
            preempt=dice.random() < 0.6,
            preempt_minimum=dice.choice((0, 0, 0, 1)),
            delay_minimum=dice.choice((0, 0, 1)),
            delay_reload=dice.choice((0, 0, 0, 1)),
            delay=min(dice.choice((0.003, 0.02)), hello / 4),
        )
        self.priorities = {nat_id: dice.choice((90, 100, 100, 110, 255)) for nat_id in self.roles}
        self.lan = Lan(self.lan_shape, self.priorities, dice)
        self._cuts = 0

    def begin(self, seed: int, trace: list[str] | None) -> Network:
        """The network, with routers that start."""
        self.network = Network(seed, self.roles, self.shape, trace, self.lan.plug, CLOCKS)
        return self.network

    def __str__(self) -> str:
        return f"priorities {self.priorities}, {self.lan_shape}"

    # Traffic

    def targets(self) -> list[Router]:
        """From inside: where the virtual MAC address was seen last. From outside: who has the pool."""
        module = self.lan.modules.get(self.lan.points_to)
        found = [module.router] if module is not None else []
        return found + [router for router in super().targets() if router not in found]

    # What goes wrong

    def disturbances(self) -> tuple[Disturbance, ...]:
        """On the LAN, and to what the routers track."""
        return (
            self._part,
            self._part,
            self._unplug,
            self._unplug,
            self._lose,
            self._lower,
            self._lower,
            self._flap,
            self._argue,
            self._reload,
            self._reload,
        )

    def _moment(self) -> float:
        return self.dice.choice((0.3, 1.0, 2.5)) * self.dice.uniform(0.2, 1.2) * self.lan_shape.hold

    def _part(self, _chosen: Router) -> None:
        """Two sets of routers hear nothing of each other there, though they may replicate."""
        members = list(self.roles)
        self.dice.shuffle(members)
        one = members[: self.dice.randint(1, len(members) - 1)]
        seconds = self._moment()
        self.network.say(f"LAN cut around {one} for {seconds:.2f} s")
        self.lan.part(one)
        self._cuts += 1
        self.network.later(seconds, self._join, self._cuts)

    def _join(self, cut: int) -> None:
        if cut == self._cuts:
            self.network.say("LAN joined")
            self.lan.part()

    def _unplug(self, chosen: Router) -> None:
        seconds = self._moment()
        self.network.say(f"R{chosen.nat_id} is off the LAN for {seconds:.2f} s")
        self.lan.unplug(chosen.nat_id)
        self.network.later(seconds, self.lan.replug, chosen.nat_id)

    def _lose(self, _chosen: Router) -> None:
        """A LAN that loses many datagrams."""
        self.lan.loss, seconds = self.dice.choice((0.2, 0.5)), self._moment()
        self.network.say(f"LAN loses {self.lan.loss:.0%} for {seconds:.2f} s")
        self.network.later(seconds, self._lose_none)

    def _lose_none(self) -> None:
        self.lan.loss = 0.0

    def _lower(self, chosen: Router) -> None:
        seconds = self._moment()
        self.network.say(f"R{chosen.nat_id} has a lower priority for {seconds:.2f} s")
        self.lan.track(chosen.nat_id, up=False)
        self.network.later(seconds, partial(self.lan.track, chosen.nat_id, up=True))

    def _flap(self, chosen: Router) -> None:
        """The role goes to and fro 20 times in a second (pitfall 10 in replication.md)."""
        self.network.say(f"R{chosen.nat_id} flaps 20 times")
        for _ in range(20):
            if self.dice.random() < 0.5:
                self.lan.unplug(chosen.nat_id)
                self.network.run(self.dice.uniform(0, 0.025))
                self.lan.replug(chosen.nat_id)
            else:
                self.lan.track(chosen.nat_id, up=False)
                self.network.run(self.dice.uniform(0, 0.025))
                self.lan.track(chosen.nat_id, up=True)
            self.network.run(self.dice.uniform(0, 0.025))

    def _argue(self, _chosen: Router) -> None:
        """The modules' word goes to and fro 20 times in a second, and is what HSRP has in the end."""
        self.network.say("20 words of modules")
        for _ in range(20):
            module = self.dice.choice([*self.lan.modules.values(), None])
            if module is not None and module.router.runs:
                module.router.told(active=self.dice.random() < 0.5)
            self.network.run(self.dice.uniform(0, 0.05))
        for module in self.lan.modules.values():
            module.router.told(active=module.state is State.ACTIVE)

    def _reload(self, _chosen: Router) -> None:
        """A planned one, of who is active: it resigns, says goodbye, and is back a little later."""
        active = [router for router in self.lan.active() if router.runs]
        others = [one for one in self.network.routers.values() if one not in active]
        if len(active) == 1 and any(one.knows for one in others):
            active[0].stop()
            self.network.later(self.dice.uniform(0.05, 3.0), self._back, active[0])

    @staticmethod
    def _back(router: Router) -> None:
        if not router.alive:
            router.start()

    def mend(self) -> None:
        """Nothing is wrong any more."""
        self._cuts += 1
        self.lan.mend()

    # What must be so after quiet

    def disagreement(self) -> str:
        """One is active there, and has the role here; one is standby; hosts know where to send."""
        modules = list(self.lan.modules.values())
        said = ", ".join(f"R{module.nat_id} {module.state.value}" for module in modules)
        states = sorted(module.state.name for module in modules)
        wanted = [State.ACTIVE.name, State.STANDBY.name, *[State.LISTEN.name] * (len(modules) - 2)]
        if states != sorted(wanted):
            return f"HSRP: {said}"
        (active,) = (module for module in modules if module.state is State.ACTIVE)
        if not active.answers or self.lan.points_to != active.nat_id:
            return f"hosts send to R{self.lan.points_to}, and R{active.nat_id} is active"
        if not active.router.manages:
            return f"R{active.nat_id} is active and {active.router.standing.name}"
        return super().disagreement() or self._wrongly_ranked(active)

    def _wrongly_ranked(self, active: Module) -> str:
        """With preemption, the one of the highest priority is active in the end."""
        best = max(module.group.priority for module in self.lan.modules.values())
        if self.lan_shape.preempt and active.group.priority < best:
            return f"R{active.nat_id} is active with priority {active.group.priority}, not {best}"
        return ""

    def bound(self) -> float:
        """Elections come on top, and waits before them."""
        waits = self.lan_shape.delay_reload + self.lan_shape.preempt_minimum + ALONE_EXTRA
        return super().bound() + 6 * self.lan_shape.hold + waits


_TIMES: Final = ((0.2, 0.7), (0.2, 0.7), (0.1, 0.4), (0.1, 0.35), (0.4, 1.2))
"""Hello and hold time; of longer ones a schedule consists of waiting for the end of elections."""
