"""Routers in their namespaces between clients and servers, and the traffic that these make."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snat.lab.configuration import Member, issue_certificates
from snat.lab.errors import LabError
from snat.lab.laboratory import Laboratory
from snat.lab.namespaces import Network, claimed, remove_leftovers
from snat.lab.pairs import AllTraffic
from snat.lab.router import Router
from snat.lab.topology import Topology, routers_between

RouterOf = Callable[[Member, Sequence[Member], Path, tuple[str, ...]], Router]
"""Makes the router of a member, by all members, the laboratory's directory, and its namespace's prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Who the routers are, and how one of them comes to manage: the first does while it lives."""

    topology: str
    """As ``snat lab`` calls it."""
    routers: int
    router_of: RouterOf
    faults: tuple[str, ...]
    """What is done to it unless told otherwise, by the names of :data:`snat.lab.faults.FAULTS`."""
    possible: tuple[str, ...]
    """All that it is made to come through."""
    pairs: int = 1
    """Clients, and servers."""
    site: "type[Site] | None" = None
    """Of what kind its site is, if it is a special one."""


class Site:
    """All of it, in namespaces."""

    def __init__(self, lab: Laboratory, arrangement: Arrangement, flows: int = 0) -> None:
        """Build and start everything; once the first router manages and all others are equal, the traffic.

        Without ``flows`` there is none.
        """
        _check_privilege(arrangement.topology)
        self.topology = arrangement.topology
        self._lab = lab
        for identity in remove_leftovers():
            lab.say(f"removed what the dead laboratory {identity} left")
        self.directory = lab.enter_context(claimed())
        self.build(arrangement)
        hosts = ", ".join(self.network.topology.hosts)
        lab.say(f"namespaces {self.network.namespace('*')}: {hosts}")
        members = _members(arrangement.routers)
        issue_certificates(self.directory / "pki", members)
        self.routers = tuple(
            arrangement.router_of(one, members, self.directory, self.network.inside(one.host))
            for one in members
        )
        lab.start(*self.routers)
        names = ", ".join(router.name for router in self.routers)
        lab.say(f"certificates issued; {names} started")
        self.await_manager(self.routers[0].host)
        lab.say(self.standing())
        if flows:
            self.traffic = AllTraffic(lab, self.network, flows)

    def build(self, arrangement: Arrangement) -> None:
        """The namespaces, and what is between them."""
        self.network = Network(self.topology_of(arrangement), self.directory)
        self.network.build()

    def topology_of(self, arrangement: Arrangement) -> Topology:
        """Hosts and segments."""
        return routers_between(arrangement.routers, pairs=arrangement.pairs)

    def standing(self) -> str:
        """What it says of itself when it is up."""
        return "R1 manages, the others listen; linked both ways, synchronised and verified"

    def lead_away(self, host: str) -> None:
        """A router is about to be taken down in good order: the roles move the traffic by themselves."""

    def router(self, host: str) -> Router:
        """The router on ``host``."""
        return next(router for router in self.routers if router.host == host)

    def await_manager(self, manager: str) -> None:
        """Wait until that host manages, all others listen, and all are ready."""
        standings = dict.fromkeys((router.host for router in self.routers), "LISTEN")
        self._lab.await_ready({**standings, manager: "MANAGE"})

    def equal(self) -> bool:
        """Whether all tables come to be equal."""
        return self._lab.tables_equal(self.routers)


def _members(count: int) -> tuple[Member, ...]:
    return tuple(
        Member(
            host=f"r{number}",
            nat_id=number,
            role="primary" if number == 1 else "backup",
            address=f"192.168.77.{number}",
        )
        for number in range(1, count + 1)
    )


def _check_privilege(topology: str) -> None:
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        raise LabError(f"{topology} needs root and /dev/net/tun; without them: snat lab none")
