"""What a laboratory does to a running site: faults, by name, each a few steps that end with all as it was.

A step says what is done and how the routers are to stand afterwards; :mod:`snat.lab.failover` does the steps
and measures what the traffic notices of each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from snat.lab.laboratory import Laboratory
from snat.lab.site import Site

HALF: Final = {"lan": ("client2",), "wan": ("server2",), "replication": ()}
"""By segment, who is in the second half besides the second router."""
MORE: Final = 20
"""Connections that each client opens during a split."""

Do = Callable[[Laboratory, Site], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done, and how the site stands once it is over."""

    name: str
    """``kill -9 of R1``."""
    do: Do
    manager: str
    """The host that manages afterwards, and gives the traffic its way."""
    whole: bool = True
    """Whether afterwards every router is there and hears all others: then all are to be ready and equal."""
    everything: bool = True
    """Whether that manager then has every flow."""


StepsOf = Callable[[Sequence[str]], tuple[Step, ...]]
"""The steps of a fault, by the hosts that route: the first manages, the second is next."""


def _kill(routers: Sequence[str]) -> tuple[Step, ...]:
    first, second, *_ = routers
    return (
        Step(name=f"kill -9 of {_name(first)}", do=_killing(first), manager=second, whole=False),
        Step(name=f"return of {_name(first)}", do=_returning(first), manager=first),
    )


def _reload(routers: Sequence[str]) -> tuple[Step, ...]:
    first, second, *_ = routers

    def do(lab: Laboratory, site: Site) -> None:
        site.lead_away(first)
        lab.reload(site.router(first))
        lab.await_standing(site.router(second), "MANAGE")
        lab.await_begun(site.router(first))

    return (Step(name=f"reload of {_name(first)}", do=do, manager=first),)


def _restart_each(routers: Sequence[str]) -> tuple[Step, ...]:
    first, second, *_ = routers
    steps = []
    for host in routers:
        next_one = second if host == first else first
        ending = Step(name=f"end of {_name(host)}", do=_ending(host), manager=next_one, whole=False)
        steps += [ending, Step(name=f"return of {_name(host)}", do=_returning(host), manager=first)]
    return tuple(steps)


def _link(interface: str, words: str) -> StepsOf:
    """The cable of the first router's ``interface``, whose loss makes the second manage."""

    def steps(routers: Sequence[str]) -> tuple[Step, ...]:
        first, second, *_ = routers
        down, up = _cable(first, interface, words)
        return replace(down, manager=second), up

    return steps


def _replication(routers: Sequence[str]) -> tuple[Step, ...]:
    """The first router keeps its role, and makes entries that nobody hears of before the link is back."""
    down, up = _cable(routers[0], "rep0", "replication link")
    return replace(down, do=_and_open_more(down.do), whole=False), up


def _cable(host: str, interface: str, words: str) -> tuple[Step, Step]:
    name = f"{words} of {_name(host)}"
    return (
        Step(
            name=f"{name} down",
            do=lambda _, site: site.network.link(host, interface, up=False),
            manager=host,
        ),
        Step(name=f"{name} up", do=lambda _, site: site.network.link(host, interface, up=True), manager=host),
    )


def _partition(routers: Sequence[str]) -> tuple[Step, ...]:
    """As with the link; but no interface sees anything."""
    first, *_ = routers
    return (
        Step(
            name=f"{_name(first)} parted from the others",
            do=_and_open_more(lambda _, site: site.network.part("replication", [first])),
            manager=first,
            whole=False,
        ),
        Step(name="partition healed", do=lambda _, site: site.network.heal("replication"), manager=first),
    )


def _silence(routers: Sequence[str]) -> tuple[Step, ...]:
    """Only the network that tells who is dead is parted: both manage; who announced last has the traffic."""
    first, second, *_ = routers

    def part(lab: Laboratory, site: Site) -> None:
        site.network.part("replication", [first])
        lab.await_standing(site.router(second), "MANAGE")
        site.traffic.open_more(MORE)

    return (
        Step(name="replication network parted", do=part, manager=second, whole=False, everything=False),
        Step(name="partition healed", do=lambda _, site: site.network.heal("replication"), manager=first),
    )


def _and_open_more(do: Do) -> Do:
    def both(lab: Laboratory, site: Site) -> None:
        do(lab, site)
        site.traffic.open_more(MORE)

    return both


def _split(routers: Sequence[str]) -> tuple[Step, ...]:
    """Everything in two: the second router's half has a client and a server, too, and goes on by itself."""
    first, second = routers

    def part(lab: Laboratory, site: Site) -> None:
        for segment, hosts in HALF.items():
            site.network.part(segment, [*hosts, second])
        lab.await_standing(site.router(second), "MANAGE")
        lab.await_standing(site.router(first), "MANAGE")

    def join(_lab: Laboratory, site: Site) -> None:
        for segment in HALF:
            site.network.heal(segment)

    return (
        Step(name="parted in two halves", do=part, manager=first, whole=False, everything=False),
        Step(
            name="new connections in both",
            do=lambda _, site: site.traffic.open_more(MORE),
            manager=first,
            whole=False,
            everything=False,
        ),
        Step(name="joined again", do=join, manager=first),
    )


def _killing(host: str) -> Do:
    return lambda lab, site: lab.kill(site.router(host))


def _ending(host: str) -> Do:
    def do(lab: Laboratory, site: Site) -> None:
        site.lead_away(host)
        lab.end(site.router(host))

    return do


def _returning(host: str) -> Do:
    return lambda lab, site: lab.restart(site.router(host))


def _name(host: str) -> str:
    return host.upper()


FAULTS: Final[Mapping[str, StepsOf]] = {
    "kill": _kill,
    "reload": _reload,
    "rolling": _restart_each,
    "inside": _link("in0", "inside link"),
    "outside": _link("out0", "outside link"),
    "replication": _replication,
    "partition": _partition,
    "silence": _silence,
    "split": _split,
}
"""``kill``: kill -9 of who manages, and its return; ``reload``: the shell's command; ``rolling``: every
router ends and returns in turn; ``inside``, ``outside``, ``replication``: that link of who manages;
``partition``: the replication network, parted where a module says who manages; ``silence``: where it says so
itself, and both then manage; ``split``: everything, in two halves that each make flows and meet."""
