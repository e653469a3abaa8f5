"""Where this device listens for its neighbors, and which of them it dials."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from snat.config.model import Configuration, Group
from snat.config.refused import ConfigurationRefused
from snat.counters import as_dict
from snat.net.listener import Gate
from snat.net.neighbor import Dialler, ReactorTCPTime

Place = tuple[str, int]
"""An address of ours, and a port."""


def groups_of(configuration: Configuration) -> tuple[Group, ...]:
    """The redundancy groups of a configuration."""
    return configuration.stateful.groups if configuration.stateful is not None else ()


def places_of(configuration: Configuration) -> dict[Place, set[str]]:
    """Where to listen, and the addresses of the neighbors that come there.

    Groups may share an address and port: their neighbors then come through one gate.
    """
    places: dict[Place, set[str]] = {}
    for group in groups_of(configuration):
        expected = places.setdefault((str(group.address), group.port), set())
        expected.update(str(peer.address) for peer in group.peers)
    return places


class Members:
    """The listening ports with their gates, and the diallers."""

    def __init__(
        self,
        reactor: ReactorTCPTime,
        gate: Callable[[set[str]], Gate],
        dialler: Callable[[int], Dialler],
    ) -> None:
        """``gate`` and ``dialler`` make one: for neighbors' addresses, and for a NAT ID."""
        self._reactor = reactor
        self._gate = gate
        self._dialler = dialler
        self._expected: dict[Place, set[str]] = {}
        """What the gates look into."""
        self._gates: dict[Place, Gate] = {}
        self.ports: dict[Place, IListeningPort] = {}
        self.diallers: dict[int, Dialler] = {}

    def listen(self, places: Iterable[Place]) -> tuple[Place, ...]:
        """Listen on those of the places where we do not yet; returns them. Nobody is let in there for now.

        Raises CannotListenError, and then nothing was changed.
        """
        opened: list[Place] = []
        for place in places:
            if place in self.ports:
                continue
            host, number = place
            expected = self._expected[place] = set()
            gate = self._gates[place] = self._gate(expected)
            opened.append(place)
            try:
                self.ports[place] = self._reactor.listenTCP(number, gate, interface=host)
            except CannotListenError:
                self.unlisten(opened)
                raise
        return tuple(opened)

    def unlisten(self, places: Iterable[Place]) -> list[Deferred[Any]]:
        """Listen there no more."""
        ended = []
        for place in tuple(places):
            self._gates.pop(place).close()
            del self._expected[place]
            port = self.ports.pop(place, None)
            if port is not None:
                ended.append(maybeDeferred(port.stopListening))
        return ended

    def meet(self, places: dict[Place, set[str]], nat_ids: Iterable[int]) -> None:
        """Let in exactly these, on ports that :meth:`listen` opened before, and dial these neighbors."""
        self.unlisten(self.ports.keys() - places.keys())
        for place, addresses in places.items():
            self._expected[place].clear()
            self._expected[place].update(addresses)
        for nat_id in nat_ids:
            self.diallers[nat_id] = dialler = self._dialler(nat_id)
            dialler.start()

    def part(self) -> None:
        """Dial nobody, and let nobody in; links that are up are not touched."""
        for dialler in self.diallers.values():
            dialler.stop()
        self.diallers = {}
        for place, gate in self._gates.items():
            self._expected[place].clear()
            gate.close()

    def counters(self) -> dict[str, dict[str, int]]:
        """Those of each listener."""
        return {
            f"listener{number or ''}": as_dict(gate.counters)
            for number, gate in enumerate(self._gates.values())
        }


def refused(error: CannotListenError) -> ConfigurationRefused:
    """An address that cannot be listened on, as an answer to who configured it."""
    return ConfigurationRefused(f"{error.interface} port {error.port}: {error.socketError}")
