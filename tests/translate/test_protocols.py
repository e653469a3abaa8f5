"""Protocols other than TCP, UDP and ICMP under overload: addresses alone, and what is told apart by them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, IPOption_Router_Alert, IPOption_RR, fragment
from scapy.layers.l2 import GRE
from scapy.packet import Packet, Raw

from snat.nat.entry import TIMEOUT_CLASS, TimeoutClass
from snat.translate.translator import Verdict
from tests.packets import bare, buffer, dccp, parse, udp, udp_lite
from tests.translate.configured import nat_by
from tests.translate.errors import R, error, quote, through
from tests.translate.nat import A, B, Nat, P, Q, S, T, endpoint

OVERLOAD = "ip nat inside source list 1 pool POOL1 overload"
TWO = f"ip nat pool POOL1 {P} {Q} prefix-length 24", OVERLOAD
IPIP, IPV6, GRE_, ESP, AH, OSPF, L2TP, SCTP, UNKNOWN = 4, 41, 47, 50, 51, 89, 115, 132, 253
DCCP, UDP_LITE = 33, 136
WITHOUT = (IPIP, IPV6, GRE_, ESP, OSPF, L2TP, SCTP, UNKNOWN)


def there_and_back(nat: Nat, host: str, server: str, protocol: int, payload: bytes = b"any bytes") -> str:
    """The pool address under which a packet left; the answer came back to the same host."""
    out = nat.out(bare(host, server, protocol, payload))
    assert out is not None
    back = nat.back(bare(server, out.src, protocol, payload))
    assert back is not None
    assert (out.dst, back.src, back.dst) == (server, server, host)
    return str(out.src)


@pytest.mark.parametrize("protocol", WITHOUT)
def test_b2_a_protocol_without_ports_passes_by_addresses(protocol: int) -> None:
    nat = Nat()
    assert there_and_back(nat, A, S, protocol) == P
    assert there_and_back(nat, A, S, protocol) == P
    assert there_and_back(nat, A, T, protocol) == P
    assert nat.counters.created == 2
    assert {record[27:29] for record in nat.table.records()} == {b"\0\0"}
    assert {record[TIMEOUT_CLASS] for record in nat.table.records()} == {TimeoutClass.OTHER}


def test_b2_hosts_share_an_address_as_far_as_they_speak_with_others() -> None:
    nat = Nat()
    assert there_and_back(nat, A, S, GRE_) == there_and_back(nat, B, T, GRE_) == P
    assert there_and_back(nat, B, S, ESP) == P  # another protocol is another mapping
    assert nat.dropped(bare(T, P, ESP), from_outside=True) == "filtered"
    assert nat.dropped(bare(T, P, IPIP), from_outside=True) == "unknown_inbound"


def test_b2_the_second_host_towards_one_server_is_refused_and_told() -> None:
    nat = Nat()
    there_and_back(nat, A, S, GRE_)
    assert nat.dropped(bare(B, S, GRE_), from_outside=False) == "address_taken"
    ((verdict, told),) = nat.translator.more
    answer = IP(told[10:])
    assert verdict is Verdict.TO_INSIDE
    assert (answer.dst, answer[ICMP].type, answer[ICMP].code) == (B, 3, 13)
    there_and_back(nat, A, S, GRE_)  # nobody loses a flow for it
    assert len(nat.table) == 1


def test_b2_the_address_is_free_again_when_the_flow_is_over() -> None:
    nat = Nat(other=600)
    there_and_back(nat, A, S, GRE_)
    nat.wait(599)
    assert nat.dropped(bare(B, S, GRE_), from_outside=False) == "address_taken"
    nat.wait(2)
    assert there_and_back(nat, B, S, GRE_) == P


def test_c2_a_host_has_the_same_address_for_these_protocols_too() -> None:
    nat = nat_by(*TWO)
    hosts = [f"10.0.0.{last}" for last in range(2, 30)]
    known = {host: endpoint(nat.out(udp(host, 5000, S, 53)))[0] for host in hosts}
    assert set(known.values()) == {P, Q}
    for number, host in enumerate(hosts):
        assert there_and_back(nat, host, f"198.51.100.{number}", ESP) == known[host]


def test_b2_one_that_keeps_its_address_gets_no_other() -> None:
    nat = nat_by(*TWO)
    first, second = same_address(nat)
    there_and_back(nat, first, S, GRE_)
    assert nat.dropped(bare(second, S, GRE_), from_outside=False) == "address_taken"


def test_b2_where_hosts_may_have_other_addresses_the_next_one_is_taken() -> None:
    nat = nat_by(*TWO, "no ip nat settings pap")
    first, second = same_address(nat)
    taken = [there_and_back(nat, host, S, GRE_) for host in (first, second)]
    assert sorted(taken) == [P, Q]
    third = "10.0.0.200"
    assert nat.dropped(bare(third, S, GRE_), from_outside=False) == "address_taken"
    assert there_and_back(nat, second, T, GRE_) == taken[0]  # its own, where that is free


def same_address(nat: Nat) -> tuple[str, str]:
    """Two hosts that have one address of two."""
    by_address: dict[str, list[str]] = {}
    for last in range(2, 5):
        host = f"10.0.0.{last}"
        by_address.setdefault(endpoint(nat.out(udp(host, 5000, T, 53)))[0], []).append(host)
    first, second, *_ = max(by_address.values(), key=len)
    return first, second


@given(
    flows=st.lists(
        st.tuples(st.sampled_from(WITHOUT), st.integers(2, 6), st.integers(10, 13)), min_size=1, max_size=30
    )
)
def test_b2_an_answer_never_reaches_another_host(flows: list[tuple[int, int, int]]) -> None:
    nat, owners = Nat(), dict[tuple[int, int], int]()
    for protocol, host, server in flows:
        owner = owners.setdefault((protocol, server), host)
        packet = bare(f"10.0.0.{host}", f"198.51.100.{server}", protocol)
        if owner == host:
            assert nat.out(packet) is not None
        else:
            assert nat.dropped(packet, from_outside=False) == "address_taken"
    for (protocol, server), owner in owners.items():
        back = nat.back(bare(f"198.51.100.{server}", P, protocol))
        assert back is not None
        assert back.dst == f"10.0.0.{owner}"
    assert len(nat.table) == len(owners)
    assert nat.table.collisions == 0


# Sums over addresses


@pytest.mark.parametrize(
    ("protocol", "payload"),
    [
        (UDP_LITE, udp_lite(0, b"all of it")),
        (UDP_LITE, udp_lite(8, b"the header only")),
        (UDP_LITE, udp_lite(12, b"a part")),
        (DCCP, dccp(0, b"all of it")),
        (DCCP, dccp(1, b"the header only")),
        (DCCP, dccp(2, b"one word of it")),
    ],
)
def test_d1_sums_that_cover_addresses_stay_right(protocol: int, payload: bytes) -> None:
    """By scapy's sum; coverage, ports and service code are as they came (RFC 5597 REQ-11 to 13)."""
    nat = Nat()
    for _ in range(2):
        out = nat.out(bare(A, S, protocol, payload))
        assert out is not None
        assert (out.src, out.dst) == (P, S)
        assert without_sum(out) == payload
        back = nat.back(bare(S, P, protocol, payload))
        assert back is not None
        assert (back.src, back.dst) == (S, A)
        assert without_sum(back) == payload


def without_sum(packet: Packet) -> bytes:
    data = bytes(packet.payload)
    return data[:6] + bytes(2) + data[8:]


@given(payload=st.binary(max_size=40), coverage=st.integers(0, 48), host=st.integers(1, 0xFFFFFE))
def test_d1_sums_of_any_bytes(payload: bytes, coverage: int, host: int) -> None:
    source = ".".join(str(part) for part in (10).to_bytes(1, "big") + host.to_bytes(3, "big"))
    nat = Nat()
    assert nat.out(bare(source, S, UDP_LITE, udp_lite(8 + min(coverage, len(payload)), payload)))
    assert nat.out(bare(source, S, DCCP, dccp(coverage % 6, payload)))
    assert nat.out(bare(source, S, SCTP, payload))


def test_a_sum_of_0_is_written_otherwise_by_udp_lite_only() -> None:
    """A checksum of 0 says "none" there, which is not allowed (RFC 3828 3.1); DCCP has no such word."""
    for protocol, make, wanted in ((UDP_LITE, udp_lite, 0xFFFF), (DCCP, dccp, 0)):
        rest = int.from_bytes(bytes(bare(P, S, protocol, make(0, bytes(2))).payload)[6:8], "big")
        out = Nat().out(bare(A, S, protocol, make(0, rest.to_bytes(2, "big"))))
        assert out is not None
        assert int.from_bytes(bytes(out.payload)[6:8], "big") == wanted


def test_a_wrong_sum_is_not_made_right() -> None:
    for protocol, payload in ((UDP_LITE, udp_lite(0, b"data")), (DCCP, dccp(0, b"data"))):
        packet = bare(A, S, protocol, payload)
        data = bytearray(bytes(packet))
        data[-1] ^= 1
        filled, end = buffer(bytes(data))
        assert Nat().raw(filled, end, False) == (Verdict.TO_OUTSIDE, "slow")
        made = parse(filled, end)
        right = bare(P, S, protocol, payload)
        assert bytes(made)[20:-1] == bytes(right)[20:-1], "as if the last byte were as it was sent"


@pytest.mark.parametrize(("protocol", "most"), [(UDP_LITE, 7), (DCCP, 11)])
def test_a_header_that_is_cut_off_is_malformed(protocol: int, most: int) -> None:
    packet = IP(src=A, dst=S, proto=protocol) / Raw(dccp(0, b"")[:most])
    assert Nat().dropped(packet, from_outside=False) == "malformed"


# Pieces, options, quotes


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("protocol", "payload"),
    [(GRE_, bytes(range(256)) * 8), (ESP, bytes(1500)), (UDP_LITE, udp_lite(0, bytes(range(256)) * 6))],
)
def test_u14_fragments_go_the_way_of_the_first(protocol: int, payload: bytes, backwards: bool) -> None:
    nat = Nat()
    pieces = fragment(bare(A, S, protocol, payload, id=7), 500)
    sent = []
    for piece in reversed(pieces) if backwards else pieces:
        filled, end = buffer(piece)
        if nat.translator.translate(filled, end, False, nat.now) is Verdict.TO_OUTSIDE:
            sent.append(parse(filled, end))
        sent += [IP(data[10:]) for _, data in nat.translator.more]
        nat.translator.more.clear()
    assert {(one.src, one.dst, one.proto) for one in sent} == {(P, S, protocol)}
    assert len({one.id for one in sent}) == 1
    whole = b"".join(bytes(one.payload) for one in sorted(sent, key=lambda one: one.frag))
    assert whole == bytes(bare(P, S, protocol, payload).payload)


def test_a_header_in_pieces_is_tiny() -> None:
    """The sum of DCCP must be in the first fragment."""
    nat = Nat()
    piece = IP(src=A, dst=S, proto=DCCP, flags="MF", id=7) / Raw(dccp(0, b"")[:8])
    assert nat.dropped(piece, from_outside=False) == "fragments_tiny"


def test_options_are_as_with_any_protocol() -> None:
    nat = Nat()
    harmless = IP(src=A, dst=S, proto=GRE_, options=[IPOption_Router_Alert()]) / Raw(bytes(20))
    assert nat.out(harmless) is not None
    with_addresses = IP(src=A, dst=S, proto=GRE_, options=[IPOption_RR()]) / Raw(bytes(20))
    assert nat.dropped(with_addresses, from_outside=False) == "options"


def test_what_a_tunnel_carries_is_not_looked_at() -> None:
    nat = Nat()
    inner = udp("192.168.1.1", 5000, "192.168.2.1", 53)
    for packet in (IP(src=A, dst=S) / GRE(chksum_present=1) / inner, IP(src=A, dst=S, proto=IPIP) / inner):
        out = nat.out(packet)
        assert out is not None
        assert bytes(out.payload) == bytes(IP(bytes(packet)).payload)


@pytest.mark.parametrize("most", [28, 200])
@pytest.mark.parametrize(
    ("protocol", "payload"),
    [
        (GRE_, b"any bytes, longer than eight"),
        (UDP_LITE, udp_lite(0, b"data")),
        (DCCP, dccp(0, b"data")),
    ],
)
def test_i4_errors_about_them_find_the_host(protocol: int, payload: bytes, most: int) -> None:
    nat = Nat()
    packet = bare(A, S, protocol, payload, flags="DF")
    out = nat.out(packet)
    assert out is not None
    made = through(nat, error(R, P, out, 3, 4, most=most), True)
    sent = IP(bytes(packet))
    sent.ttl -= 1
    del sent.chksum
    assert made.dst == A
    assert quote(made) == bytes(sent)[:most], "the quote is the packet as its sender made it"


def test_i5_and_those_from_inside_hide_who_sends_them() -> None:
    nat = Nat()
    nat.out(bare(A, S, UDP_LITE, udp_lite(0, b"data")))
    back = nat.back(bare(S, P, UDP_LITE, udp_lite(0, b"answer")))
    assert back is not None
    made = through(nat, error("10.0.0.254", S, back), False)
    assert (made.src, made.dst) == (P, S)
    assert IP(quote(made)).dst == P


# What does not pass, and what is not for us


@pytest.mark.parametrize("nat", [Nat, lambda: nat_by(f"ip nat inside source static {A} {Q}")])
def test_ah_covers_the_addresses(nat: Callable[[], Nat]) -> None:
    world = nat()
    assert world.dropped(bare(A, S, AH, bytes(24)), from_outside=False) == "authenticated"
    assert world.dropped(bare(S, P if nat is Nat else Q, AH, bytes(24)), from_outside=True) == "authenticated"
    assert len(world.translator.more) == 0
    assert all(record[22] != AH for record in world.table.records())


def test_ah_passes_where_nothing_is_translated() -> None:
    assert Nat().out(bare("192.0.2.77", S, AH, bytes(24))) is not None


@pytest.mark.parametrize("group", ["224.0.0.5", "224.0.0.22", "239.255.255.255", "255.255.255.255"])
@pytest.mark.parametrize("protocol", [2, OSPF, 103])
def test_what_is_for_many_is_not_translated(group: str, protocol: int) -> None:
    nat = Nat()
    assert nat.dropped(bare(A, group, protocol), from_outside=False) == "multicast"
    assert nat.dropped(udp(A, 5000, group, 5353), from_outside=False) == "multicast"
    assert nat.out(bare("192.0.2.77", group, protocol)) is not None  # no rule is for it
    assert len(nat.table) == 0


@pytest.mark.parametrize("server", ["223.255.255.254", "240.0.0.1", "255.255.255.254"])
def test_what_is_for_one_host_is(server: str) -> None:
    assert there_and_back(Nat(), A, server, OSPF) == P


# The router's own address, other kinds of rules


def test_b3_the_address_of_an_interface_serves_too() -> None:
    nat = nat_by("ip nat inside source list 1 interface out0 overload")
    own = "203.0.113.100"
    assert there_and_back(nat, A, S, ESP) == own
    before = nat.counters.passed
    assert nat.back(bare(T, own, ESP)) is not None  # nobody is mapped: it is the router's
    assert nat.counters.passed == before + 1


def test_a_static_rule_goes_before_a_pool() -> None:
    nat = nat_by(f"ip nat inside source static {A} 203.0.113.20", *TWO)
    assert there_and_back(nat, A, S, GRE_) == "203.0.113.20"
    assert there_and_back(nat, B, S, GRE_) in (P, Q)


def test_an_outside_host_by_another_name() -> None:
    nat = nat_by(*TWO, f"ip nat outside source static {S} 10.9.9.9")
    out = nat.out(bare(A, "10.9.9.9", UDP_LITE, udp_lite(0, b"data")))
    assert out is not None
    assert out.dst == S
    back = nat.back(bare(S, out.src, UDP_LITE, udp_lite(0, b"data")))
    assert back is not None
    assert (back.src, back.dst) == ("10.9.9.9", A)
    known = endpoint(nat.out(udp(A, 5000, T, 53)))[0]
    other = next(
        host for host in ("10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6") if address(nat, host) == known
    )
    assert nat.dropped(bare(other, S, UDP_LITE, udp_lite(0, b"data")), from_outside=False) == "address_taken"


def address(nat: Nat, host: str) -> str:
    """The pool address of a host."""
    return endpoint(nat.out(udp(host, 5000, T, 53)))[0]
