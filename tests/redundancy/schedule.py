"""A random life of a LAN of HSRP routers, from a seed; and what must be true of it.

While things break, anything may be lost; but nobody answers for an address without being active, and who is
not synchronised takes nothing. After quiet, in every connected part of the LAN: one active and one standby
router, the active one synchronised if anybody is, and this within a bound.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from snat.config.interface import Authentication, AuthenticationKind, Standby, StandbyGroup
from snat.redundancy.hsrp_message import State
from tests.redundancy.lan import NAME, VIRTUAL, Host, Lan

HELLO: Final = 0.2
HOLD: Final = 0.7
BOUND: Final = 6 * HOLD
"""Seconds of quiet after which roles must be as they should. A kill costs Listen, Speak and Standby
a hold time each at most; two may follow each other when the standby is lost as well."""
PROOFS: Final = (
    None,
    Authentication(key="text"),
    Authentication(kind=AuthenticationKind.KEY_STRING, key="a key of its own"),
)


class Broken(AssertionError):
    """An invariant that does not hold."""


class Schedule:
    """One life."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.told: list[str] = []
        size = self.dice.randint(2, 5)
        version, proof = self.dice.choice((1, 2)), self.dice.choice(PROOFS)
        self.lan = Lan(seed, [self._standby(version, proof) for _ in range(size)])
        self.lan.watch = self._watch
        self._before: dict[int, State] = {}

    def _standby(self, version: int, proof: Authentication | None) -> Standby:
        group = StandbyGroup(
            number=1,
            enabled=True,
            address=VIRTUAL,
            hello=HELLO,
            hold=HOLD,
            name=NAME,
            priority=self._priority(),
            preempt=self.dice.random() < 0.6,
            preempt_minimum=self.dice.choice((0, 0, 0, 1)),
            authentication=proof,
        )
        return Standby(version=version, delay_minimum=0, delay_reload=0, groups=(group,))

    def _priority(self) -> int:
        return self.dice.choice((0, 1, 90, 100, 100, 100, 110, 255))

    # While it lives

    def _watch(self) -> None:
        """After every event of every router."""
        for number, host in self.lan.hosts.items():
            state = host.state
            if bool(host.taken) != (state is State.ACTIVE):
                raise Broken(f"{number} is {state.value} and answers for {host.taken}")
            took = state is State.ACTIVE and self._before.get(number) is not State.ACTIVE
            if took and not host.synchronised:
                raise Broken(f"{number} became active and is not synchronised")
            if state in (State.SPEAK, State.STANDBY) and not host.synchronised:
                raise Broken(f"{number} is {state.value} and not synchronised")
            self._before[number] = state

    def live(self) -> None:
        """Break things, then be quiet, several times."""
        for _ in range(self.dice.randint(1, 4)):
            self.lan.loss = self.dice.choice((0.0, 0.0, 0.1, 0.5))
            for _ in range(self.dice.randint(1, 12)):
                self.lan.run(self.dice.choice((0.0, 0.001, 0.05, 0.3, 1.0, 3.0)) * self.dice.random())
                self._disturb()
            self._quiet()
            self.check()

    def _disturb(self) -> None:
        what: Callable[[Host], None] = self.dice.choice(
            (self._kill, self._stop, self._start, self._cable, self._synchronise, self._prefer, self._part,
             self._flap, self._pause, self._start)
        )  # fmt: skip
        host = self.dice.choice(list(self.lan.hosts.values()))
        self.told.append(f"{self.lan.now:.3f} {what.__name__.strip('_')} {host.number} {self.lan.states()}")
        what(host)

    def _kill(self, host: Host) -> None:
        self.lan.kill(host)

    def _stop(self, host: Host) -> None:
        if host.router is not None and not host.paused:
            self.lan.stop(host)

    def _start(self, host: Host) -> None:
        if host.router is None and not host.paused:
            host.synchronised = self.dice.random() < 0.5
            self.lan.start(host)

    def _cable(self, host: Host) -> None:
        if not host.paused:
            self.lan.link(host, up=not host.up)

    def _synchronise(self, host: Host) -> None:
        if not host.paused:
            self.lan.synchronise(host, synchronised=not host.synchronised)

    def _prefer(self, host: Host) -> None:
        if not host.paused:
            group = replace(host.standby.groups[0], priority=self._priority())
            self.lan.configure(host, replace(host.standby, groups=(group,)))

    def _part(self, _host: Host) -> None:
        numbers = list(self.lan.hosts)
        self.lan.part(*([] if self.dice.random() < 0.3 else [self.dice.sample(numbers, len(numbers) // 2)]))

    def _flap(self, host: Host) -> None:
        """Twenty times in a second."""
        what = self.dice.choice((self._cable, self._synchronise, self._prefer))
        for _ in range(20):
            what(host)
            self.lan.run(0.05)

    def _pause(self, host: Host) -> None:
        if host.paused:
            self.lan.resume(host)
        elif host.router is not None:
            self.lan.pause(host)

    def _quiet(self) -> None:
        self.lan.loss = 0.0
        whole = self.dice.random() < 0.7
        for host in self.lan.hosts.values():
            if host.paused:
                self.lan.resume(host)
            if whole:
                self._repair(host)
        self.told.append(f"{self.lan.now:.3f} quiet, parts {self.lan.parts} {self.lan.states()}")
        self.lan.run(BOUND)

    def _repair(self, host: Host) -> None:
        """Nearly all is well again."""
        if not host.up:
            self.lan.link(host, up=True)
        if host.router is None:
            self._start(host)
        if self.dice.random() < 0.8:
            self.lan.synchronise(host, synchronised=True)

    # After quiet

    def check(self) -> None:
        """Roles, and that they stay."""
        for part in self.lan.connected():
            self._check_part(part)
        before = self.lan.states()
        self.lan.run(3 * HOLD)
        if self.lan.states() != before:
            raise Broken(f"roles move in quiet: {before}, then {self.lan.states()}")

    def _check_part(self, part: list[Host]) -> None:
        told = {host.number: host.state.value for host in part}
        active = [host for host in part if host.state is State.ACTIVE]
        standby = [host for host in part if host.state is State.STANDBY]
        able = [host for host in part if host.synchronised]
        if len(active) > 1 or (able and not active):
            raise Broken(f"not one active router: {told}")
        if active and able and not active[0].synchronised:
            raise Broken(f"the active router is not synchronised, others are: {told}")
        if len(standby) != min(max(len(able) - 1, 0), 1):
            raise Broken(f"not one standby router: {told}")
        for host in able:
            self._check_rank(host, active[0], standby)

    def _check_rank(self, host: Host, active: Host, standby: list[Host]) -> None:
        """Who may preempt has done so; of those that are not active, the best is standby."""
        group = host.group()
        if group.configuration.preempt and group.priority > active.group().priority:
            raise Broken(f"{host.number} has priority {group.priority} and has not preempted {active.number}")
        rank = (group.priority, host.address)
        if host is not active and rank > (standby[0].group().priority, standby[0].address):
            raise Broken(f"{host.number} should be standby instead of {standby[0].number}")


def failure(seed: int) -> str:
    """Empty, or what went wrong and how it came to that."""
    life = Schedule(seed)
    try:
        life.live()
    except AssertionError as error:
        return "\n".join((f"seed {seed}: {error} at {life.lan.now:.3f}", *life.told[-40:]))
    return ""
