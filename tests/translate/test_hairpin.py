"""Inside hosts that reach each other by their global addresses (RFC 4787 REQ-9, RFC 5382 REQ-8)."""

from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP
from scapy.packet import Raw

from snat.nat.entry import Entry
from tests.packets import echo, tcp, udp
from tests.translate.configured import nat_by
from tests.translate.nat import A, B, P, S, endpoint
from tests.translate.turned import DNS, POOL, WHOLE, C, G, H, assert_echo, ends, flows, served


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


# The router's own addresses


OWN = "203.0.113.100"
INTERFACE = "ip nat inside source list 1 interface out0 overload"


def test_b3_what_is_for_the_router_is_not_turned() -> None:
    nat = nat_by(INTERFACE)
    assert endpoint(nat.out(udp(A, 5000, S, 7))) == (OWN, 5000)
    nat.out(echo(A, S, 7))
    for packet in (tcp(B, 5000, OWN, 22), udp(B, 5000, OWN, 5001)):
        assert endpoint(nat.out(packet)) == (B, 5000)
    pinged = nat.out(echo(B, OWN, 7))
    assert pinged is not None
    assert pinged.src == B
    assert nat.counters.passed == 3


def test_u9_by_the_address_of_an_interface() -> None:
    nat = nat_by(INTERFACE, f"ip nat inside source static tcp {B} 80 interface out0 8080")
    assert ends(nat.turned(tcp(A, 5000, OWN, 8080))) == ((OWN, 5000), (B, 80))
    assert ends(nat.turned(tcp(B, 80, OWN, 5000, "SA"))) == ((OWN, 8080), (A, 5000))


def test_i7_a_reply_to_the_address_of_an_interface_is_turned() -> None:
    nat = nat_by(INTERFACE, WHOLE)
    assert_echo(nat.turned(echo(A, H, 7)), OWN, B, 7)
    assert_echo(nat.turned(echo(B, OWN, 7, reply=True)), H, A, 7)


def test_u9_a_host_with_an_address_from_a_pool() -> None:
    nat = nat_by(f"ip nat pool W {G} {H} prefix-length 24", "ip nat inside source list 1 pool W")
    mine, _ = endpoint(nat.out(udp(B, 1, S, 7)))
    seen, _ = endpoint(nat.out(udp(A, 1, S, 7)))
    assert ends(nat.turned(tcp(A, 5000, mine, 80))) == ((seen, 5000), (B, 80))
    assert ends(nat.turned(tcp(B, 80, seen, 5000, "SA"))) == ((mine, 80), (A, 5000))
    assert_echo(nat.turned(echo(A, mine, 7)), seen, B, 7)
    assert_echo(nat.turned(echo(B, seen, 7, reply=True)), mine, A, 7)


def test_u9_where_outside_hosts_are_translated_too() -> None:
    nat = nat_by(*POOL, DNS, f"ip nat outside source static {S} 10.9.8.1")
    assert ends(nat.turned(udp(A, 5000, G, 5353))) == ((P, 5000), (B, 53))
    assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 5353), (A, 5000))
