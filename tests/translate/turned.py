"""Inside hosts that talk to each other by their global addresses: what tests of that have in common."""

from scapy.packet import Packet

from snat.nat.entry import Entry, Flag, State
from tests.packets import tcp
from tests.translate.configured import nat_by
from tests.translate.nat import A, B, Nat, P, endpoint, target

C = "10.0.0.4"
"""Another inside host."""
G, H = "203.0.113.20", "203.0.113.21"
"""Global addresses of static rules."""
POOL = (
    f"ip nat pool P {P} {P} prefix-length 24",
    "ip nat inside source list 1 pool P overload",
)
DNS = f"ip nat inside source static udp {B} 53 {G} 5353"
WEB = f"ip nat inside source static tcp {B} 80 {G} 8080"
WHOLE = f"ip nat inside source static {B} {H}"


def served() -> Nat:
    """B serves by its static global endpoints; all others share the pool's address."""
    return nat_by(*POOL, DNS, WEB, WHOLE)


def ends(packet: Packet | None) -> tuple[tuple[str, int], tuple[str, int]]:
    return endpoint(packet), target(packet)


def flows(nat: Nat) -> list[Entry]:
    """The entries of flows, in the order they were made."""
    entries = [Entry.unpack(one) for one in nat.table]
    return sorted((one for one in entries if one.flags & Flag.EXTENDED), key=lambda one: one.number)


def paths(nat: Nat) -> int:
    cache = nat.translator.flows._cache
    return len(cache._hidden) + sum(
        len(one) for side in (cache.inside, cache.outside) for one in side.values()
    )


def from_a(flags: str, payload: bytes = b"", **numbers: int) -> Packet:
    return tcp(A, 5000, G, 8080, flags, payload, **numbers)


def from_b(flags: str, payload: bytes = b"", **numbers: int) -> Packet:
    return tcp(B, 80, P, 5000, flags, payload, **numbers)


def states(nat: Nat) -> set[int]:
    """Of both entries, which must agree."""
    assert len(flows(nat)) == 2
    return {one.state for one in flows(nat)}


def connected(nat: Nat) -> Nat:
    assert ends(nat.turned(from_a("S", seq=99))) == ((P, 5000), (B, 80))
    assert states(nat) == {State.TRANSITORY}
    assert ends(nat.turned(from_b("SA", seq=499, ack=100))) == ((G, 8080), (A, 5000))
    assert states(nat) == {State.ESTABLISHED}
    assert nat.turned(from_a("A", seq=100, ack=500)) is not None
    return nat


def assert_echo(packet: Packet | None, source: str, destination: str, identifier: int) -> None:
    assert packet is not None
    assert (packet.src, packet.dst, packet.payload.id) == (source, destination, identifier)
