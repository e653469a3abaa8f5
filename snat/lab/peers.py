"""Three peers (Fig. 2C): all translate, and packets of a flow come by any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from snat.lab.configuration import Member, peers_text
from snat.lab.equal_cost import EqualCost
from snat.lab.laboratory import Laboratory
from snat.lab.router import Router
from snat.lab.site import Arrangement, Site
from snat.lab.topology import ROUTED_POOL, Topology

_HOSTS: Final = {"client": ("lan", "default"), "server": ("wan", "")}
"""Who has equal-cost routes: on which segment, and where to; the server to the pool."""


class PeerSite(Site):
    """Routers that are peers, and the routes to them."""

    def build(self, arrangement: Arrangement) -> None:
        """As of any site; and both hosts choose among their routes by addresses and ports."""
        super().build(arrangement)
        for host in _HOSTS:
            self.network.set(host, "net.ipv4.fib_multipath_hash_policy=1")
        self._routes: EqualCost | None = None

    def topology_of(self, arrangement: Arrangement) -> Topology:
        """The pool is routed, to all of the routers; no address is anybody's."""
        return replace(super().topology_of(arrangement), default_routes={})

    def await_manager(self, _manager: str) -> None:
        """Wait until all manage what they make, and have traffic."""
        hosts = [router.host for router in self.routers]
        self._lab.await_ready(dict.fromkeys(hosts, "MANAGE"))
        if self._routes is None:
            self._routes = self._balance(self._lab)
        self._routes.lead(hosts)

    def lead_away(self, host: str) -> None:
        """No route leads to this router from now on."""
        assert self._routes is not None
        self._routes.lead_away(host)

    def standing(self) -> str:
        """What a site like this says of itself when it is up."""
        return "all manage what they make; linked both ways, synchronised and verified"

    def _balance(self, lab: Laboratory) -> EqualCost:
        network, (first, _, length) = self.network, ROUTED_POOL
        pool = f"{first.rsplit('.', 1)[0]}.0/{length}"
        routes = EqualCost(
            self.routers,
            {host: network.inside(host) for host in _HOSTS},
            {host: self._via(segment) for host, (segment, _) in _HOSTS.items()},
            {host: to or pool for host, (_, to) in _HOSTS.items()},
        )
        lab.started(routes)
        return routes

    def _via(self, segment: str) -> Mapping[str, str]:
        ports = self.network.topology.segments[segment]
        return {port.host: port.address.split("/")[0] for port in ports}


def _peer(member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]) -> Router:
    text = peers_text(member, members, certificates=directory / "pki")
    return Router(member.host, text, directory=directory, prefix=prefix)


PEERS: Final = Arrangement(
    topology="peers",
    routers=3,
    router_of=_peer,
    site=PeerSite,
    faults=("kill", "reload"),
    possible=("kill", "reload", "rolling"),
)
