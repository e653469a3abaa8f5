"""A translator in a virtual world: scapy packets in and out, every output checked, time by hand."""

import random
from collections.abc import Sequence
from dataclasses import fields
from ipaddress import IPv4Address, IPv4Network
from itertools import count

from scapy.packet import Packet

from snat.config.nat import Filtering
from snat.nat.access_list import AccessList, Line
from snat.nat.limits import Limits
from snat.nat.pool import Pool
from snat.nat.rules import Rule, Rules
from snat.nat.table import NatTable
from snat.nat.tracking import Timeouts
from snat.translate.flows import TranslateCounters
from snat.translate.translator import Translator, Verdict
from tests.packets import addressed, buffer, checksums_are_right, parse

A, B = "10.0.0.2", "10.0.0.3"
"""Inside hosts."""
P, Q = "203.0.113.1", "203.0.113.2"
"""Pool addresses; there is one unless a test asks for more."""
S, T = "198.51.100.10", "198.51.100.11"
"""Outside hosts."""
MAPPING = 10
INSIDE = "10.0.0.0/8"

OTHERS = {
    *("created", "expired", "expected", "inexact_resets", "unasked_forgotten"),
    *("early_released", "early_full", "read_released", "read_evicted", "read_delayed"),
    *(
        "fragments_gathered",
        "fragments_released",
        "fragments_timed_out",
        "fragments_abandoned",
        "fragments_evicted",
    ),
}
"""What becomes of entries, and of packets that came earlier."""
OUTCOMES = [one.name for one in fields(TranslateCounters) if one.name not in OTHERS]
"""What can become of a packet; all but those are reasons to drop it, now or until more is known."""
TRANSLATED = ("hits", "slow", "passed", "fragments", "icmp_errors", "icmp_bad_quote")


def permit(network: str, decision: bool = True) -> Line:
    one = IPv4Network(network)
    return Line(decision, int(one.network_address), int(one.hostmask))


def rules(
    *,
    addresses: int = 1,
    slots: Sequence[int] = range(16),
    lines: tuple[Line, ...] = (permit(INSIDE),),
    mapping_id: int = MAPPING,
    seed: int = 1,
) -> Rules:
    """One pool from P on, one list, one rule."""
    first = int(IPv4Address(P))
    pool = Pool("POOL1", [(first, first + addresses - 1)], slots, random.Random(seed))
    return Rules((Rule(AccessList(lines), pool, mapping_id),), (pool,))


def timeouts(ports: dict[bytes, float] | None = None, **seconds: int) -> Timeouts:
    """The defaults of the configuration, but for what is told."""
    return Timeouts(
        **{"udp": 300, "tcp": 7440, "syn": 240, "closing": 240, "finrst": 60, "icmp": 60} | seconds,
        ports=ports,
    )


class Nat:
    """A device's translator. It starts as the manager of its mapping unless told otherwise."""

    def __init__(
        self,
        with_rules: Rules | None = None,
        *,
        table: NatTable | None = None,
        nat_id: int = 1,
        ttl_step: int = -1,
        manages: bool = True,
        now: float = 1000.0,
        filtering: Filtering = Filtering.ADDRESS_DEPENDENT,
        limits: Limits | None = None,
        ports: dict[bytes, float] | None = None,
        **seconds: int,
    ) -> None:
        self.table = table if table is not None else NatTable()
        self.now = now
        self.ttl_step = ttl_step
        numbers = count(1)
        self.translator = Translator(
            self.table,
            with_rules or rules(),
            timeouts(ports, **seconds),
            identity=lambda: (nat_id, next(numbers)),
            ttl_step=ttl_step,
            now=now,
            filtering=filtering,
            limits=limits,
        )
        self.counters = self.translator.counters
        if manages:
            self.manage()

    def manage(self, managed: bool = True) -> None:
        self.translator.flows.manage(MAPPING, managed, self.now)

    @property
    def looks(self) -> int:
        """What the ageing wheel holds."""
        return len(self.translator.flows._wheel)

    def outcomes(self) -> dict[str, int]:
        return {name: getattr(self.counters, name) for name in OUTCOMES}

    def out(self, packet: Packet) -> Packet | None:
        """What leaves outside of a packet from inside; None: it was dropped."""
        return self.send(packet, from_outside=False)

    def back(self, packet: Packet) -> Packet | None:
        """What leaves inside of a packet from outside."""
        return self.send(packet, from_outside=True)

    def turned(self, packet: Packet) -> Packet | None:
        """What leaves inside of a packet from inside, for another inside host."""
        return self.send(packet, from_outside=False, turns=True)

    def send(self, packet: Packet, from_outside: bool, *, turns: bool = False) -> Packet | None:
        """Translate, and hold the result against what scapy makes of the same packet."""
        filled, end = buffer(packet)
        verdict, outcome = self.raw(filled, end, from_outside)
        if verdict == Verdict.DROP:
            assert outcome not in TRANSLATED
            assert filled[:end] == buffer(packet)[0][:end], "a dropped packet is not touched"
            return None
        assert verdict == (Verdict.TO_INSIDE if from_outside or turns else Verdict.TO_OUTSIDE)
        assert outcome in TRANSLATED
        made, sent = parse(filled, end), parse(*buffer(packet))
        assert checksums_are_right(made)
        assert bytes(made) == bytes(addressed(sent, as_in=made, ttl=sent.ttl + self.ttl_step))
        return made

    def raw(self, filled: bytearray, end: int, from_outside: bool) -> tuple[Verdict, str]:
        """Translate a buffer; the verdict and the one counter that says why."""
        before = self.outcomes()
        verdict = self.translator.translate(filled, end, from_outside, self.now)
        moved = {
            name: value - before[name] for name, value in self.outcomes().items() if value != before[name]
        }
        assert list(moved.values()) == [1], f"one outcome a packet, not {moved}"
        return verdict, next(iter(moved))

    def dropped(self, packet: Packet, from_outside: bool) -> str:
        """Why a packet is dropped: the counter that moved."""
        before = self.outcomes()
        assert self.send(packet, from_outside) is None
        return next(name for name, value in self.outcomes().items() if value != before[name])

    def wait(self, seconds: float) -> None:
        """Let time pass, and the entries age as the device's turns would have it."""
        until = self.now + seconds
        translator = self.translator
        while (at := translator.next_deadline()) <= until:
            self.now = max(self.now, at)
            translator.expire(self.now)
        self.now = until


def endpoint(packet: Packet | None) -> tuple[str, int]:
    """Source address and port of a packet that must have come out."""
    assert packet is not None
    return packet.src, packet.sport


def target(packet: Packet | None) -> tuple[str, int]:
    """Destination address and port of a packet that must have come out."""
    assert packet is not None
    return packet.dst, packet.dport
