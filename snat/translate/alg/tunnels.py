"""Calls of PPTP as its gateway opens them: two entries of GRE for each (:mod:`snat.translate.gre`).

Both are made before there is a packet, and become those of its flow with the first one. They keep the address
that the control connection has, so no rule needs to be for GRE too.
"""

from collections.abc import Callable

from snat.nat.entry import FLAGS, INSIDE_LOCAL, OUTSIDE_GLOBAL
from snat.nat.pool import NO_PORT
from snat.translate.alg.context import Expected
from snat.translate.alg.gateway import Conversation, Endpoint
from snat.translate.entries import EXPECTED, OCTETS
from snat.translate.flows import Flows
from snat.translate.gre import GRE


class Tunnels:
    """The calls of one control connection."""

    def __init__(self, conversation: Conversation, mapping_id: int, flows: Flows) -> None:
        self._conversation = conversation
        self._mapping_id = mapping_id
        self._flows = flows
        self._peers: dict[int, int] = {}
        """By the inside host's call ID, the other side's."""

    def open(
        self,
        inside: Endpoint,
        peer: Endpoint,
        life: int,
        now: float,
        choose: Callable[[bytes], bytes | None],
    ) -> Endpoint | None:
        """Let in what goes to the inside host's call ID, and out what goes to the other side's, if known.

        ``choose`` gives an inside-local endpoint its inside-global one. None: there is none.
        """
        inside_local = inside.address + inside.port.to_bytes(2, "big") + OCTETS[GRE]
        inside_global = choose(inside_local)
        if inside_global is None:
            return None
        self._expect(inside_local, inside_global, peer.address + NO_PORT, life, now)
        if peer.port:
            self._peers[inside.port] = peer.port
            outside = peer.address + peer.port.to_bytes(2, "big")
            self._expect(
                inside.address + NO_PORT + OCTETS[GRE], inside_global[:5] + NO_PORT, outside, life, now
            )
        return Endpoint(inside_global[1:5], int.from_bytes(inside_global[5:], "big"))

    def is_free(self, inside: Endpoint, peer: Endpoint) -> bool:
        """Whether no other inside host sends to the other side's call ID under the same address."""
        inside_global = OCTETS[GRE] + self._conversation.inside_global.address + NO_PORT
        outside = peer.address + peer.port.to_bytes(2, "big")
        known = self._flows.entry_from(inside_global, outside)
        return not peer.port or known is None or known[INSIDE_LOCAL][:4] == inside.address

    def close(self, inside: Endpoint) -> None:
        """A call is over: both of its entries go, whether there were packets or not."""
        theirs, address = self._peers.pop(inside.port, 0), self._conversation.outside_global.address
        ends = [(inside.port, address + NO_PORT), (0, address + theirs.to_bytes(2, "big"))]
        gone = [
            record
            for port, outside in ends[: 2 if theirs else 1]
            for record in self._flows.entries_at(inside.address + port.to_bytes(2, "big") + OCTETS[GRE])
            if record[OUTSIDE_GLOBAL] == outside and self._flows.ages(record)
        ]
        self._flows.forget_expected(gone)

    def _expect(
        self, inside_local: bytes, inside_global: bytes, outside: bytes, life: int, now: float
    ) -> None:
        """Make an entry, unless its flow is there."""
        conversation, flows = self._conversation, self._flows
        known = flows.entry_from(inside_global, outside)
        if known is not None and not known[FLAGS] & EXPECTED:
            return
        called = outside
        if outside[:4] == conversation.outside_global.address:
            called = conversation.outside_local.address + outside[4:]
        expected = Expected(name="", life=life, port=0)
        flows.expect(self._mapping_id, inside_local, inside_global, (called, outside), expected, now)
        flows.counters.expected += 1
