"""What gateways may open, by rules that hold for all of them (nat-behaviour.md 2.9).

An inside endpoint is opened for a peer, for one flow and a short time: never another host's than that whose
conversation it is, never below port 1024 or where a service is known to listen, and only so many.
"""

from collections import Counter
from collections.abc import Callable
from math import ceil
from typing import Final

from snat.nat.entry import OUTSIDE_GLOBAL
from snat.nat.static import Statics
from snat.nat.tracking import TCP, UDP
from snat.translate.alg.context import Expected
from snat.translate.alg.gateway import Conversation, Endpoint
from snat.translate.alg.tunnels import Tunnels
from snat.translate.entries import OCTETS
from snat.translate.flows import Flows
from snat.translate.gre import GRE

LOWEST: Final = 1024
SERVICES: Final = {
    TCP: frozenset(
        {
            *(1080, 1433, 1434, 1521, 1723, 2049, 2181, 2375, 2376, 3128, 3260, 3306, 3389, 4444, 4786, 5432),
            *(5555, 5672, 5900, 5901, 5985, 5986, 6000, 6379, 6443, 7001, 8000, 8009, 8080, 8443, 8888, 9000),
            *(9042, 9092, 9100, 9200, 9300, 10250, 11211, 27017, 50000),
        }
    ),
    UDP: frozenset({1434, 1645, 1646, 1812, 1813, 1900, 2049, 3389, 3702, 5353, 5355, 11211}),
}
"""Ports from 1024 on where something listens that nobody means to open; clients rarely choose them.

Telephones have their audio at UDP 6000 and 8000, where TCP has other things.
"""
MOST_LIFE: Final = 300.0
"""Seconds."""


class FlowDoors:
    """Satisfies :class:`~snat.translate.alg.gateway.Doors` for one conversation."""

    def __init__(
        self,
        conversation: Conversation,
        mapping_id: int,
        flows: Flows,
        counters: Counter[str],
        clock: Callable[[], float],
    ) -> None:
        """``clock`` says when the packet came that is read now."""
        self._conversation = conversation
        self._mapping_id = mapping_id
        self._flows = flows
        self._counters = counters
        self._clock = clock
        self._calls = Tunnels(conversation, mapping_id, flows)

    def open(
        self,
        protocol: int,
        inside: Endpoint,
        peer: Endpoint,
        *,
        life: float,
        follows: str = "",
        pair: bool = False,
    ) -> Endpoint | None:
        """Expect ``peer`` to reach an inside endpoint; see :class:`Doors`."""
        if protocol == GRE:
            return self._call(inside, peer, life)
        flows, places = self._flows, _places(protocol, inside, pair=pair)
        if not self._may_open(protocol, inside, len(places)):
            return None
        found = self._global(places)
        if found is None:
            self.count("no free port")
            return None
        expected = Expected(name=follows, life=_whole(life), port=peer.port)
        for step, inside_local in enumerate(places):
            inside_global = found[:5] + (int.from_bytes(found[5:], "big") + step).to_bytes(2, "big")
            self._forget_others(inside_local, peer.address)
            self._expect(inside_local, inside_global, Endpoint(peer.address, 0), expected)
        flows.counters.expected += len(places)
        return Endpoint(found[1:5], int.from_bytes(found[5:], "big"))

    def called(self, protocol: int, peer: Endpoint, *, life: float, follows: str) -> None:
        """Expect the inside host to call ``peer``."""
        conversation, flows = self._conversation, self._flows
        host = conversation.inside_local.address
        if not self._may_expect(host, 1):
            return
        inside_local = host + bytes(2) + OCTETS[protocol]
        inside_global = OCTETS[protocol] + conversation.inside_global.address + bytes(2)
        expected = Expected(name=follows, life=_whole(life), port=peer.port)
        self._expect(inside_local, inside_global, peer, expected)
        flows.counters.expected += 1

    def named(self, address: bytes, *, from_outside: bool) -> bytes | None:
        """How the other side calls an address by static mappings alone; None: there is none."""
        rules, endpoint = self._flows.rules, address + bytes(2)
        if from_outside:
            inside = _whole_address(rules.statics, endpoint, to_local=True)
            return inside or _whole_address(rules.outside_statics, endpoint, to_local=True)
        inside = _whole_address(rules.statics, endpoint, to_local=False)
        return inside or _whole_address(rules.outside_statics, endpoint, to_local=False)

    def close(self, protocol: int, inside: Endpoint) -> None:
        """What was opened for an inside endpoint is expected no more, if it did not come yet."""
        flows, conversation = self._flows, self._conversation
        if inside.address != conversation.inside_local.address:
            return
        if protocol == GRE:
            self._calls.close(inside)
            return
        (place,) = _places(protocol, inside, pair=False)
        flows.forget_expected([one for one in flows.expected_at(place) if flows.ages(one)])

    def count(self, what: str) -> None:
        """One more of something."""
        self._counters[what] += 1

    # Inside

    def _call(self, inside: Endpoint, peer: Endpoint, life: float) -> Endpoint | None:
        """Expect both directions of a PPTP call, as far as its IDs are known."""
        if inside.address != self._conversation.inside_local.address:
            self.count("address of another host")
        elif not inside.port:
            self.count("call ID 0")
        elif not self._calls.is_free(inside, peer):
            self.count("call ID of another host")
        elif self._may_expect(inside.address, 2):
            opened = self._calls.open(
                inside, peer, _whole(life), self._clock(), lambda place: self._global([place])
            )
            if opened is None:
                self.count("no free call ID")
            return opened
        return None

    def _may_open(self, protocol: int, inside: Endpoint, ports: int) -> bool:
        if inside.address != self._conversation.inside_local.address:
            self.count("address of another host")
        elif protocol not in (TCP, UDP):
            self.count("protocol without ports")
        elif not LOWEST <= inside.port <= 0x10000 - ports:
            self.count("port below 1024" if inside.port < LOWEST else "port out of range")
        elif any(inside.port + step in SERVICES[protocol] for step in range(ports)):
            self.count("port of a service")
        else:
            return self._may_expect(inside.address, ports)
        return False

    def _may_expect(self, host: bytes, ports: int) -> bool:
        flows = self._flows
        if self._mapping_id and not flows.manages(self._mapping_id):
            self.count("managed by another router")
        elif flows.is_full(host, ports):
            self.count("too many expected")
        else:
            return True
        return False

    def _global(self, places: list[bytes]) -> bytes | None:
        """The inside-global endpoint that the peer is told: the one there is, or a free one."""
        flows, address, first = self._flows, self._conversation.inside_global.address, places[0]
        known = flows.global_of(first, address)
        if known is not None and len(places) == 1:
            return known
        if known is not None:
            second = known[:5] + (int.from_bytes(known[5:], "big") + 1).to_bytes(2, "big")
            if not known[6] & 1 and flows.global_of(places[1], address) == second:
                return known
        whole = self._whole(first, address)
        if whole is not None:
            return whole
        return flows.allocated(first, address, self._clock(), pair=len(places) > 1)

    def _whole(self, inside_local: bytes, address: bytes) -> bytes | None:
        """The endpoint, where the host has the address as a whole, or keeps its own."""
        rules, kept = self._flows.rules, inside_local[6:] + address + inside_local[4:6]
        static = next(rules.statics.of_local(inside_local[:6], inside_local[6]), None)
        if static is not None and static.global_ is not None:
            endpoint = static.to_global(inside_local[:6])
            return inside_local[6:] + endpoint if endpoint[:4] == address else None
        given = any(address in pool for pool in rules.address_pools)
        return kept if given or address == inside_local[:4] else None

    def _forget_others(self, inside_local: bytes, peer: bytes) -> None:
        """An inside endpoint is for one peer."""
        flows = self._flows
        known = flows.expected_at(inside_local)
        flows.forget_expected([one for one in known if one[OUTSIDE_GLOBAL][:4] != peer and flows.ages(one)])

    def _expect(self, inside_local: bytes, inside_global: bytes, peer: Endpoint, expected: Expected) -> None:
        conversation, port = self._conversation, peer.port.to_bytes(2, "big")
        is_its_own = peer.address == conversation.outside_global.address
        called = conversation.outside_local.address if is_its_own else peer.address
        ends = called + port, peer.address + port
        self._flows.expect(self._mapping_id, inside_local, inside_global, ends, expected, self._clock())


def _places(protocol: int, inside: Endpoint, *, pair: bool) -> list[bytes]:
    """Inside-local endpoints as the table has them."""
    ports = (inside.port, inside.port + 1) if pair else (inside.port,)
    return [inside.address + (port & 0xFFFF).to_bytes(2, "big") + OCTETS[protocol] for port in ports]


def _whole(life: float) -> int:
    return ceil(max(1.0, min(life, MOST_LIFE)))


def _whole_address(statics: Statics, endpoint: bytes, *, to_local: bool) -> bytes | None:
    """By a rule for all of an address, whoever asks."""
    found = statics.of_global(endpoint, 0) if to_local else statics.of_local(endpoint, 0)
    for rule in found:
        if rule.protocol == 0 and rule.condition is None and rule.global_ is not None:
            return (rule.to_local(endpoint) if to_local else rule.to_global(endpoint))[:4]
    return None
