"""Inside hosts that talk to each other by their global addresses (RFC 4787 REQ-9, RFC 5382 REQ-8)."""

from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.packet import Packet, Raw

from snat.nat.entry import NEVER, STATE, Entry, Flag, State
from snat.nat.rules import Rules
from tests.packets import echo, tcp, udp
from tests.translate.configured import nat_by, rules_by
from tests.translate.errors import error, hops_later, quote, through
from tests.translate.nat import A, B, MAPPING, Nat, P, S, endpoint, target

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


def endpoints(entry: Entry) -> list[tuple[str, int]]:
    """Inside-local, inside-global, outside-local, outside-global."""
    return [
        (str(IPv4Address(address)), port)
        for address, port in (
            (entry.inside_local, entry.inside_local_port),
            (entry.inside_global, entry.inside_global_port),
            (entry.outside_local, entry.outside_local_port),
            (entry.outside_global, entry.outside_global_port),
        )
    ]


def paths(nat: Nat) -> int:
    cache = nat.translator.flows._cache
    return len(cache._paths) + sum(len(one) for side in (cache.inside, cache.outside) for one in side.values())


# Out and in


def test_u9_the_sender_is_seen_by_its_global_endpoint() -> None:
    nat = served()
    assert ends(nat.turned(udp(A, 5000, G, 5353))) == ((P, 5000), (B, 53))
    assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 5353), (A, 5000))


def test_u9_its_first_packet_makes_its_mapping() -> None:
    nat = served()
    seen = endpoint(nat.turned(udp(A, 5000, G, 5353)))
    assert endpoint(nat.out(udp(A, 5000, S, 7))) == seen


def test_u9_an_entry_for_each_side() -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    made = [endpoints(one) for one in flows(nat)]
    assert made == [
        [(A, 5000), (P, 5000), (G, 5353), (G, 5353)],
        [(B, 53), (G, 5353), (P, 5000), (P, 5000)],
    ]


def test_u9_what_follows_takes_the_fast_path() -> None:
    nat = served()
    for _ in range(2):
        nat.turned(udp(A, 5000, G, 5353, b"question"))
        nat.turned(udp(B, 53, P, 5000, b"answer"))
    assert (nat.counters.slow, nat.counters.hits, nat.counters.created) == (1, 3, 2)


def test_u9_the_host_with_the_static_address_may_begin() -> None:
    """By its global address, to a host that has a mapping and has sent to that address."""
    nat = served()
    nat.out(udp(A, 5000, S, 7))
    assert nat.dropped(udp(B, 9, P, 5000), from_outside=False) == "filtered"
    assert ends(nat.turned(udp(A, 5000, H, 9))) == ((P, 5000), (B, 9))
    assert ends(nat.turned(udp(B, 10, P, 5000))) == ((H, 10), (A, 5000))


def test_u9_filters_see_the_sender_as_outside() -> None:
    """Of two hosts behind one address neither is let in until it has sent itself."""
    nat = nat_by(*POOL)
    a, b = endpoint(nat.out(udp(A, 5000, S, 7))), endpoint(nat.out(udp(B, 5000, S, 7)))
    assert a[0] == b[0] == P
    assert a != b
    assert nat.dropped(udp(A, 5000, *b), from_outside=False) == "filtered"
    assert nat.dropped(udp(A, 5000, *b), from_outside=False) == "filtered"
    assert ends(nat.turned(udp(B, 5000, *a))) == (b, (A, 5000))
    assert ends(nat.turned(udp(A, 5000, *b))) == (a, (B, 5000))
    assert len(nat.table) == 4


@pytest.mark.parametrize("protocol", ["udp", "tcp", "icmp"])
def test_u9_nobody_there(protocol: str) -> None:
    """It leads nowhere, so it opens nothing, however often it comes."""
    nat = served()
    nat.out(udp(B, 5000, S, 7))
    nat.out(echo(B, S, 5000))
    entries = len(nat.table)
    packet = {"udp": udp(A, 1, P, 6000), "tcp": tcp(A, 1, P, 5000), "icmp": echo(A, P, 5000)}[protocol]
    for _ in range(2):
        assert nat.dropped(packet, from_outside=False) == "unknown_inbound"
    assert len(nat.table) == entries


def test_u9_a_reply_without_its_query_opens_nothing() -> None:
    nat = served()
    assert nat.dropped(echo(A, H, 7, reply=True), from_outside=False) == "not_query"
    assert nat.dropped(tcp(A, 5000, G, 8080, "A"), from_outside=False) == "not_syn"
    assert flows(nat) == []


def test_u9_a_host_that_keeps_its_address_cannot() -> None:
    """The answer would go to it by the shortest way, from an address that it did not ask."""
    nat = served()
    assert nat.dropped(udp("192.0.2.9", 5000, G, 5353), from_outside=False) == "hairpins"
    assert flows(nat) == []


# To oneself


def test_u9_a_host_sends_to_its_own_mapping() -> None:
    nat = nat_by(*POOL)
    nat.out(udp(A, 5000, S, 7))
    for _ in range(3):
        assert ends(nat.turned(udp(A, 5000, P, 5000))) == ((P, 5000), (A, 5000))
    assert len(flows(nat)) == 2
    assert nat.counters.hits == 2


def test_u9_a_host_sends_from_another_port_to_its_own_mapping() -> None:
    nat = nat_by(*POOL)
    nat.out(udp(A, 5000, S, 7))
    nat.out(udp(A, 6000, S, 7))
    assert nat.dropped(udp(A, 6000, P, 5000), from_outside=False) == "filtered"
    assert ends(nat.turned(udp(A, 5000, P, 6000))) == ((P, 5000), (A, 6000))
    assert ends(nat.turned(udp(A, 6000, P, 5000))) == ((P, 6000), (A, 5000))


def test_t8_a_server_connects_to_its_own_global_address() -> None:
    nat = served()
    assert ends(nat.turned(tcp(B, 4000, G, 8080))) == ((H, 4000), (B, 80))
    assert ends(nat.turned(tcp(B, 80, H, 4000, "SA"))) == ((G, 8080), (B, 4000))


def test_i7_a_host_pings_its_own_global_address() -> None:
    nat = served()
    assert_echo(nat.turned(echo(B, H, 7)), H, B, 7)
    assert_echo(nat.turned(echo(B, H, 7, reply=True)), H, B, 7)


# Queries


def assert_echo(packet: Packet | None, source: str, destination: str, identifier: int) -> None:
    assert packet is not None
    assert (packet.src, packet.dst, packet.payload.id) == (source, destination, identifier)


def test_i7_a_query_to_a_host_with_an_address_of_its_own() -> None:
    """Its identifier is mapped as any query's: two hosts may use the same."""
    nat = served()
    first = nat.turned(echo(A, H, 7))
    second = nat.turned(echo(C, H, 7))
    assert first is not None
    assert second is not None
    other = second.payload.id
    assert_echo(first, P, B, 7)
    assert_echo(second, P, B, other)
    assert other != 7
    assert_echo(nat.turned(echo(B, P, 7, reply=True)), H, A, 7)
    assert_echo(nat.turned(echo(B, P, other, reply=True)), H, C, 7)


def test_i7_a_query_to_an_overloaded_address_is_for_nobody() -> None:
    nat = served()
    nat.turned(echo(A, H, 7))
    assert nat.dropped(echo(C, P, 7), from_outside=False) == "unknown_inbound"
    assert nat.dropped(echo(B, P, 8), from_outside=False) == "unknown_inbound"


@pytest.mark.parametrize("protocol", [47, 50, 99])
def test_b1_all_protocols_between_hosts_with_addresses_of_their_own(protocol: int) -> None:
    nat = nat_by(WHOLE, f"ip nat inside source static {A} {G}")
    for source, destination, seen, at in ((A, H, G, B), (B, G, H, A), (A, H, G, B)):
        came = nat.turned(IP(src=source, dst=destination, proto=protocol) / Raw(b"any bytes"))
        assert came is not None
        assert (came.src, came.dst) == (seen, at)
    assert len(flows(nat)) == 2


# TCP


ESTABLISHED, TRANSITORY, FINRST = 7440, 240, 60


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


def test_t8_a_whole_connection() -> None:
    nat = connected(served())
    slow = nat.counters.slow
    assert nat.turned(from_a("PA", b"GET /", seq=100, ack=500)) is not None
    assert nat.turned(from_b("PA", b"200 OK", seq=500, ack=105)) is not None
    assert nat.counters.slow == slow
    assert nat.turned(from_b("FA", seq=506, ack=105)) is not None
    assert states(nat) == {State.ESTABLISHED}
    assert nat.turned(from_a("FA", seq=105, ack=507)) is not None
    assert states(nat) == {State.CLOSING}
    assert nat.turned(from_b("A", seq=507, ack=106)) is not None
    nat.wait(FINRST - 1)
    assert states(nat) == {State.CLOSING}
    nat.wait(2)
    assert flows(nat) == []
    assert paths(nat) == 0


@pytest.mark.parametrize("first", ["A", "B"])
def test_t8_either_side_may_close_first(first: str) -> None:
    nat = connected(served())
    steps = [from_a("FA", seq=100, ack=500), from_b("FA", seq=500, ack=101), from_a("A", seq=101, ack=501)]
    if first == "B":
        steps = [from_b("FA", seq=500, ack=100), from_a("FA", seq=100, ack=501), from_b("A", seq=501, ack=101)]
    for step in steps:
        assert nat.turned(step) is not None
    assert states(nat) == {State.CLOSING}
    nat.wait(FINRST + 1)
    assert flows(nat) == []


def test_t8_one_fin_is_not_the_end() -> None:
    """However often it is repeated, and by whom."""
    nat = connected(served())
    for _ in range(3):
        assert nat.turned(from_a("FA", seq=100, ack=500)) is not None
        assert nat.turned(from_b("A", b"more", seq=500, ack=101)) is not None
    assert states(nat) == {State.ESTABLISHED}


@pytest.mark.parametrize("by", ["A", "B"])
def test_t8_a_reset_ends_both(by: str) -> None:
    nat = connected(served())
    packet = from_a("R", seq=100) if by == "A" else from_b("R", seq=500)
    assert nat.turned(packet) is not None
    assert states(nat) == {State.CLOSING}
    nat.wait(TRANSITORY + 1)
    assert flows(nat) == []


def test_t8_data_after_a_reset_revives_both() -> None:
    nat = connected(served())
    assert nat.turned(from_a("R", seq=100)) is not None
    assert nat.turned(from_b("A", b"alive", seq=500, ack=100)) is not None
    assert states(nat) == {State.ESTABLISHED}


def test_t8_simultaneous_open() -> None:
    """Two hosts behind one address, each of which knows the other's mapping: no filter lets in the first."""
    nat = nat_by(*POOL)
    a, b = endpoint(nat.out(tcp(A, 5000, S, 80))), endpoint(nat.out(tcp(B, 5001, S, 80)))
    assert nat.dropped(tcp(A, 5000, *b, "S", seq=99), from_outside=False) == "filtered"
    assert ends(nat.turned(tcp(B, 5001, *a, "S", seq=499))) == (b, (A, 5000))
    assert ends(nat.turned(tcp(A, 5000, *b, "S", seq=99))) == (a, (B, 5001))
    assert nat.turned(tcp(A, 5000, *b, "SA", seq=99, ack=500)) is not None
    assert nat.turned(tcp(B, 5001, *a, "SA", seq=499, ack=100)) is not None
    between = [one for one in flows(nat) if one.outside_local == IPv4Address(P).packed]
    assert [one.state for one in between] == [State.ESTABLISHED] * 2


# Time


def test_t5_both_entries_live_as_long_as_the_connection() -> None:
    nat = connected(served())
    for step in (from_a("A", b"x", seq=100, ack=500), from_b("A", b"y", seq=500, ack=101)):
        nat.wait(ESTABLISHED - 1)
        assert states(nat) == {State.ESTABLISHED}
        assert nat.turned(step) is not None
    nat.wait(ESTABLISHED + 1)
    assert flows(nat) == []
    assert paths(nat) == 0


@pytest.mark.parametrize("by", ["A", "B"])
def test_u5_packets_either_way_keep_both_entries(by: str) -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    for _ in range(5):
        nat.wait(299)
        assert nat.turned(udp(A, 5000, G, 5353) if by == "A" else udp(B, 53, P, 5000)) is not None
    assert len(flows(nat)) == 2
    assert [nat.translator.flows.remaining(one.pack(), nat.now) for one in flows(nat)] == [300, 300]
    nat.wait(301)
    assert flows(nat) == []


def test_u6_what_is_filtered_refreshes_nothing() -> None:
    nat = nat_by(*POOL)
    nat.out(udp(B, 6000, S, 7))
    nat.wait(200)
    assert nat.dropped(udp(A, 5000, P, 6000), from_outside=False) == "filtered"
    nat.wait(101)
    assert [one.inside_local for one in flows(nat)] == [IPv4Address(A).packed]
