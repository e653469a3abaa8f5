"""Equal-cost routes to the routers that translate, as a routing daemon with BFD would keep them.

Peers translate all at once (Fig. 2C). The hosts on either side choose one for each flow by a hash of its
addresses and ports, and each side for itself: so most flows leave by one router and come back by another.
A route is withdrawn when its router was found dead three times in a row, or is about to be taken down.
"""

import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from snat.lab.errors import LabError
from snat.lab.router import Router

INTERVAL: Final = 0.05
"""Seconds between two looks; BFD with such timers is usual."""
MISSES: Final = 3


class EqualCost:
    """The routes of both sides. A thread of the laboratory keeps them, so that nothing else waits for it."""

    def __init__(
        self,
        routers: Sequence[Router],
        inside: Mapping[str, Sequence[str]],
        via: Mapping[str, Mapping[str, str]],
        destinations: Mapping[str, str],
    ) -> None:
        """By host that has the routes: how its commands begin, its next hops by router, and what for."""
        self._routers = routers
        self._inside = inside
        self._via = via
        self._destinations = destinations
        self._led: set[str] = set()
        """Routers that may have traffic: they translate, and are not to be taken down."""
        self._misses: dict[str, int] = {}
        self._routed: tuple[str, ...] = ()
        self._changed = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="equal-cost routes", daemon=True)
        self._thread.start()

    def lead(self, hosts: Iterable[str]) -> None:
        """Have traffic for these routers, too."""
        with self._changed:
            self._led |= set(hosts)
            self._route()

    def lead_away(self, host: str) -> None:
        """Have none for this one from now on."""
        with self._changed:
            self._led.discard(host)
            self._route()

    def stop(self) -> None:
        """Keep them no more."""
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.wait(INTERVAL):
            with self._changed:
                for router in self._routers:
                    missed = 0 if router.alive else self._misses.get(router.host, 0) + 1
                    self._misses[router.host] = missed
                    if missed >= MISSES:
                        self._led.discard(router.host)
                self._route()

    def _route(self) -> None:
        wanted = tuple(sorted(self._led))
        if wanted == self._routed or not wanted:
            return
        self._routed = wanted
        for host, destination in self._destinations.items():
            hops = [word for router in wanted for word in ("nexthop", "via", self._via[host][router])]
            command = [*self._inside[host], "ip", "route", "replace", destination, *hops]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode and not self._stopping.is_set():
                raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
