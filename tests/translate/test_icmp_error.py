"""ICMP errors about translated flows: RFC 5508 REQ-3 to REQ-7, by the numbers of nat-behaviour.md 1.3."""

import struct

import pytest
from scapy.layers.inet import (
    ICMP,
    IP,
    TCP,
    UDP,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_RR,
    IPOption_Timestamp,
)
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from snat.nat.entry import STATE, State
from tests.packets import buffer, checksums_are_right, echo, parse, tcp, udp
from tests.translate.errors import (
    ALL,
    G,
    R,
    dropped,
    entry,
    error,
    hops_later,
    quote,
    raw_error,
    sums_are_right,
    through,
)
from tests.translate.nat import INSIDE, A, B, Nat, P, Q, S, T, permit, rules, target

UDP_FLOW = udp(A, 5000, S, 53, b"question")
FLOWS = [UDP_FLOW, tcp(A, 5000, S, 80, payload=b"GET"), IP(src=A, dst=S, flags="DF") / ICMP(id=7) / b"ping"]
NAMES = ["udp", "tcp", "echo"]
QUOTED = [28, 36, 40, ALL]
"""Bytes: least that RFC 792 allows, without a TCP checksum, with it, all."""
NEEDS_CSUM = struct.pack("=BBHHHH", 1, 0, 0, 0, 20, 2)
"""The virtio header of an ICMP packet whose checksum is left for later."""


def busy() -> Nat:
    """Both mappings differ from what the hosts have: B had the ports first."""
    nat = Nat()
    for flow in FLOWS:
        first = flow.copy()
        first.src = B
        first = parse(*buffer(first))
        del first.chksum, first[type(first.payload)].chksum
        assert nat.out(IP(bytes(first))) is not None
    return nat


def sent(nat: Nat, flow: Packet) -> Packet:
    out = nat.out(flow)
    assert out is not None
    assert out.src in (P, Q)
    return out


def answered(nat: Nat, flow: Packet) -> tuple[Packet, Packet]:
    """An answer as it comes from outside, and as it leaves inside."""
    out = sent(nat, flow)
    answer = IP(src=out.dst, dst=out.src, flags="DF") / out.payload.copy()
    if UDP in out or TCP in out:
        layer = answer[UDP] if UDP in out else answer[TCP]
        layer.sport, layer.dport = layer.dport, layer.sport
        if TCP in out:
            answer[TCP].flags = "SA"
    else:
        answer[ICMP].type = 0
    del answer[type(answer.payload)].chksum
    answer = IP(bytes(answer))
    came = nat.back(answer)
    assert came is not None
    return answer, came


# I3: what is looked at before anything is believed


@pytest.mark.parametrize("from_outside", [True, False])
def test_i3_a_wrong_icmp_checksum_is_dropped(from_outside: bool) -> None:
    nat = Nat()
    out = sent(nat, UDP_FLOW)
    data = bytearray(bytes(error(R, P, out) if from_outside else error(A, S, answered(nat, UDP_FLOW)[1])))
    data[-1] ^= 1
    assert dropped(nat, bytes(data), from_outside) == "icmp_checksum"


def test_i3a_a_wrong_checksum_of_the_quoted_header_stays_as_wrong_and_is_counted() -> None:
    """Some routers quote what they have changed (Jool's issue 126): path MTU discovery needs their errors."""
    nat = busy()
    quoted = bytearray(bytes(sent(nat, UDP_FLOW)))
    wrong = (int.from_bytes(quoted[10:12], "big") + 0x0101) % 0xFFFF
    quoted[10:12] = wrong.to_bytes(2, "big")
    made = quote(through(nat, error(R, P, bytes(quoted)), True))
    right = hops_later(UDP_FLOW)
    assert made[:10] + made[12:] == right[:10] + right[12:]
    difference = int.from_bytes(made[10:12], "big") - int.from_bytes(right[10:12], "big")
    assert difference % 0xFFFF == 0x0101
    assert (nat.counters.icmp_bad_quote, nat.counters.icmp_errors) == (1, 0)


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
@pytest.mark.parametrize("quoted", [60 + 8, ALL])
def test_i3b_options_of_the_quoted_header_are_walked(flow: Packet, quoted: int) -> None:
    nat = busy()
    flow = parse(*buffer(flow))
    plain = sent(nat, flow)
    long = IP(src=plain.src, dst=plain.dst, flags="DF", options=[IPOption_NOP()] * 40) / plain.payload
    assert IP(bytes(long)).ihl == 15
    back = quote(through(nat, error(R, P, long, most=quoted), True))
    whole = IP(src=A, dst=S, flags="DF", options=[IPOption_NOP()] * 40) / flow.payload
    assert back == bytes(whole)[:quoted]


def test_i3c_a_wrong_checksum_of_the_quoted_transport_is_not_looked_at() -> None:
    nat = busy()
    out = sent(nat, UDP_FLOW)
    out[UDP].chksum = (out[UDP].chksum + 0x0101) % 0xFFFF
    del out[IP].chksum
    back = IP(quote(through(nat, error(R, P, out), True)))
    assert (back[UDP].chksum - UDP_FLOW_SUM) % 0xFFFF == 0x0101
    assert nat.counters.icmp_errors == 1


UDP_FLOW_SUM: int = IP(bytes(UDP_FLOW))[UDP].chksum
EXTENSION = (
    bytes.fromhex("2000")
    + checksum(bytes.fromhex("200000000008010100010140")).to_bytes(2, "big")
    + bytes.fromhex("0008010100010140")
)
"""RFC 4884 and 4950: a version 2 extension with one MPLS label."""


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
@pytest.mark.parametrize("kind", [3, 11, 12])
@pytest.mark.parametrize("told", [True, False], ids=["length", "without length"])
def test_i3d_padding_and_extensions_stay(flow: Packet, kind: int, told: bool) -> None:
    nat = busy()
    padded = bytes(sent(nat, flow)).ljust(128, b"\0") + EXTENSION
    rest = bytes((0, 32 if told else 0, 0, 0))
    made = quote(through(nat, error(R, P, padded, kind, 0, rest=rest), True))
    assert made == hops_later(flow).ljust(128, b"\0") + EXTENSION


def test_i3d_what_stands_behind_the_quoted_words_is_no_transport_header() -> None:
    """28 bytes of a TCP segment, and an extension where its checksum would be."""
    nat = busy()
    out = bytes(sent(nat, FLOWS[1]))[:28] + EXTENSION
    made = quote(through(nat, error(R, P, out, 11, 0, rest=bytes((0, 7, 0, 0))), True))
    assert made == hops_later(FLOWS[1])[:28] + EXTENSION


def test_a_length_that_leaves_no_header_was_not_meant_as_one() -> None:
    """Before RFC 4884 the byte was unused, and not always 0."""
    nat = busy()
    made = through(nat, error(R, P, sent(nat, UDP_FLOW), 3, 1, rest=bytes((0, 1, 0, 0))), True)
    assert quote(made) == hops_later(UDP_FLOW)


# I4: from outside


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
@pytest.mark.parametrize(("kind", "code"), [(3, 0), (3, 3), (3, 4), (3, 13), (11, 0), (11, 1), (12, 0)])
@pytest.mark.parametrize("quoted", QUOTED)
def test_i4_an_error_from_outside_is_about_what_the_inside_host_sent(
    flow: Packet, kind: int, code: int, quoted: int
) -> None:
    nat = busy()
    out = sent(nat, flow)
    rest = struct.pack("!HH", 0, 1400)
    made = through(nat, error(R, P, hops_later(out, 5), kind, code, most=quoted, rest=rest), True)
    assert (made.src, made.dst) == (R, A)
    assert quote(made) == hops_later(flow, 6)[:quoted]


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
def test_i4_what_was_never_sent_has_no_error(flow: Packet) -> None:
    """To another host, or from another port, or by another protocol."""
    nat = Nat()
    out = sent(nat, flow)
    assert dropped(nat, error(R, P, IP(src=P, dst=T) / out.payload), True) == "icmp_unknown"
    moved = bytearray(bytes(out))
    moved[25 if ICMP in out else 21] ^= 1
    assert dropped(nat, error(R, P, bytes(moved)), True) == "icmp_unknown"
    other = FLOWS[FLOWS.index(flow) - 1]
    assert dropped(nat, error(R, P, IP(src=P, dst=S) / other.payload), True) == "icmp_unknown"
    assert nat.counters.icmp_unknown == 3


def test_i4_the_outside_host_of_twice_nat_has_its_inside_name() -> None:
    """Only it: a router on the way has no other name."""
    nat = Nat()
    nat.table.add([entry((A, 5000), (P, 6000), ("10.9.9.9", 53), (S, 53))])
    for sender, name in ((S, "10.9.9.9"), (R, R)):
        made = through(nat, error(sender, P, udp(P, 6000, S, 53, b"question")), True)
        assert (made.src, made.dst) == (name, A)
        assert quote(made) == bytes(udp(A, 5000, "10.9.9.9", 53, b"question"))


def test_u12_errors_end_nothing() -> None:
    nat = Nat()
    out = sent(nat, UDP_FLOW)
    for kind, code in ((3, 1), (3, 3), (11, 0), (12, 0)):
        through(nat, error(R, P, out, kind, code), True)
    assert target(nat.back(udp(S, 53, P, out.sport))) == (A, 5000)


def test_i4_a_tcp_connection_keeps_its_state() -> None:
    nat = Nat()
    out = sent(nat, FLOWS[1])
    through(nat, error(R, P, out, 3, 3), True)
    assert [one[STATE] for one in nat.table] == [State.TRANSITORY]
    assert nat.back(tcp(S, 80, P, out.sport, "SA")) is not None


# I5: from inside


@pytest.mark.parametrize("sender", [A, G, "192.168.9.1"], ids=["host", "router", "router of no rule"])
@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
@pytest.mark.parametrize("quoted", QUOTED)
def test_i5_an_error_from_inside_leaves_under_the_address_of_the_flow(
    sender: str, flow: Packet, quoted: int
) -> None:
    nat = busy()
    answer, came = answered(nat, flow)
    made = through(nat, error(sender, S, came, 11, 0, most=quoted), False)
    assert (made.src, made.dst) == (P, S)
    assert quote(made) == hops_later(answer)[:quoted]


def test_i5_a_router_with_an_address_of_its_own_uses_that() -> None:
    nat = Nat()
    nowhere = ("0.0.0.0", 0)
    nat.table.add(
        [
            entry((G, 0), ("203.0.113.9", 0), nowhere, nowhere, protocol=0),
            entry((A, 0), ("203.0.113.10", 0), nowhere, nowhere, protocol=0, number=2),
        ]
    )
    _, came = answered(nat, UDP_FLOW)
    assert through(nat, error(G, S, came, 11, 0), False).src == "203.0.113.9"
    assert through(nat, error(A, S, came), False).src == P, "who was meant has the flow's address"


def test_i5_to_the_outside_name_of_the_outside_host() -> None:
    nat = Nat()
    nat.table.add([entry((A, 5000), (P, 6000), ("10.9.9.9", 53), (S, 53))])
    made = through(nat, error(G, "10.9.9.9", udp("10.9.9.9", 53, A, 5000, b"answer"), 11, 0), False)
    assert (made.src, made.dst) == (P, S)
    assert quote(made) == bytes(udp(S, 53, P, 6000, b"answer"))


def test_i5_without_an_entry_nothing_leaves() -> None:
    nat = Nat()
    assert dropped(nat, error(A, S, udp(S, 53, A, 5000)), False) == "icmp_unknown"
    assert dropped(nat, error("192.168.9.1", S, udp(S, 53, A, 5000)), False) == "icmp_unknown"


def test_i5_each_error_has_a_new_identification() -> None:
    """RFC 6864: behind one address two routers may use the same."""
    nat = Nat()
    _, came = answered(nat, UDP_FLOW)
    ids = {through(nat, error(one, S, came, id=7), False).id for one in (G, "10.0.0.253", "10.0.0.252")}
    assert len(ids) == 3
    assert through(nat, error(G, S, came, id=7, flags="DF"), False).id == 7


# I6 and M7.1: an error is no use of an entry


@pytest.mark.parametrize("from_outside", [True, False])
def test_i6_m71_an_error_does_not_refresh(from_outside: bool) -> None:
    nat = Nat()
    answer, came = answered(nat, UDP_FLOW)
    out = udp(P, answer.dport, S, 53, b"question")
    nat.wait(299)
    through(nat, error(R, P, out) if from_outside else error(A, S, came), from_outside)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


def test_i6_an_error_makes_no_path() -> None:
    """Of an entry that came from another device: it has not been used here."""
    nat = Nat()
    nat.table.add([entry((A, 5000), (P, 6000), (S, 53), (S, 53))])
    through(nat, error(R, P, udp(P, 6000, S, 53)), True)
    (record,) = nat.table
    assert nat.translator.flows.used(record) is None


# I7: hairpinned


def hairpinned() -> Nat:
    """A:5000 is P:6001 outside, B:7000 is P:8001, and they talk by those."""
    nat = Nat()
    nat.table.add(
        [
            entry((A, 5000), (P, 6001), (P, 8001), (P, 8001), number=1),
            entry((B, 7000), (P, 8001), (P, 6001), (P, 6001), number=2),
        ]
    )
    return nat


@pytest.mark.parametrize("sender", [B, G])
def test_i7_a_hairpinned_error_is_translated_out_and_in(sender: str) -> None:
    nat = hairpinned()
    refused = udp(P, 6001, B, 7000, b"to me?")
    made = through(nat, error(sender, P, refused), False, goes_out=False)
    assert (made.src, made.dst) == (P, A)
    assert quote(made) == bytes(udp(A, 5000, P, 8001, b"to me?"))


def test_i7_a_hairpinned_error_without_the_other_half_does_not_circulate() -> None:
    nat = hairpinned()
    nat.table.remove([one for one in nat.table if one[16:20] == bytes((10, 0, 0, 2))])
    assert dropped(nat, error(B, P, udp(P, 6001, B, 7000)), False) == "icmp_unknown"


# I10, I11, I13: what is not translated


@pytest.mark.parametrize("from_outside", [True, False])
@pytest.mark.parametrize(
    ("kind", "reason"), [(5, "icmp_redirect"), (4, "icmp_source_quench")], ids=["redirect", "quench"]
)
def test_i10b_i10c_redirects_and_source_quench_do_not_pass(
    kind: int, reason: str, from_outside: bool
) -> None:
    nat = Nat()
    answer, came = answered(nat, UDP_FLOW)
    about = error(R, P, udp(P, answer.dport, S, 53), kind) if from_outside else error(A, S, came, kind)
    assert dropped(nat, about, from_outside) == reason


TELLTALES = [
    [IPOption_LSRR(routers=[G])],
    [IPOption_RR(routers=[G, "0.0.0.0"])],
    [IPOption_NOP(), IPOption_Timestamp(flg=1, internet_address=G, timestamp=1)],
]


@pytest.mark.parametrize("options", TELLTALES, ids=["lsrr", "rr", "timestamp"])
@pytest.mark.parametrize("outer", [True, False], ids=["outer", "quoted"])
def test_i10b_options_with_addresses_do_not_pass(options: list[object], outer: bool) -> None:
    nat = Nat()
    _, came = answered(nat, UDP_FLOW)
    if outer:
        packet = error(A, S, came, options=options)
    else:
        packet = error(A, S, IP(src=S, dst=A, options=options) / came.payload)
    assert dropped(nat, packet, False) == "options"


@pytest.mark.parametrize("outer", [True, False], ids=["outer", "quoted"])
def test_broken_options_do_not_pass(outer: bool) -> None:
    nat = Nat()
    _, came = answered(nat, UDP_FLOW)
    broken = bytes.fromhex("94090000")  # router alert, longer than the header
    if outer:
        packet = bytearray(bytes(error(A, S, came, options=[IPOption_NOP()] * 4)))
        packet[20:24], packet[10:12] = broken, bytes(2)
        packet[10:12] = checksum(bytes(packet[:24])).to_bytes(2, "big")
    else:
        quoted = bytearray(bytes(IP(src=S, dst=A, options=[IPOption_NOP()] * 4) / came.payload))
        quoted[20:24] = broken
        packet = bytearray(bytes(error(A, S, bytes(quoted))))
    assert dropped(nat, bytes(packet), False) == "malformed"


def test_options_of_the_error_stay() -> None:
    nat = busy()
    packet = error(R, P, sent(nat, UDP_FLOW), options=[IPOption_NOP()] * 4)
    made = through(nat, packet, True)
    assert made.ihl == 6
    assert quote(made) == hops_later(UDP_FLOW)


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_i13_an_error_about_an_error_is_dropped(kind: int) -> None:
    nat = Nat()
    about = error(P, S, udp(S, 53, P, 5000), kind)
    assert dropped(nat, error(R, P, about), True) == "icmp_about_error"


@pytest.mark.parametrize("from_outside", [True, False])
def test_an_error_goes_to_who_sent_what_it_quotes(from_outside: bool) -> None:
    nat = Nat(rules(addresses=2))
    answer, came = answered(nat, UDP_FLOW)
    other = {P: Q, Q: P}[answer.dst]
    packet = error(R, other, udp(answer.dst, answer.dport, S, 53)) if from_outside else error(A, T, came)
    assert dropped(nat, packet, from_outside) == "icmp_misdirected"


def test_no_inside_host_learns_a_quote_that_is_not_of_its_own() -> None:
    """To its own address, about what left under another."""
    nat = Nat()
    assert dropped(nat, error(R, A, sent(nat, UDP_FLOW)), True) == "icmp_misdirected"


# What is quoted


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
@pytest.mark.parametrize("quoted", range(28))
def test_less_than_eight_bytes_tell_no_flow(flow: Packet, quoted: int) -> None:
    nat = Nat()
    out = sent(nat, flow)
    assert dropped(nat, error(R, P, out, most=quoted), True) == "icmp_truncated"


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
@pytest.mark.parametrize("quoted", sorted({*range(28, 48)} - {37}))
def test_every_quoted_byte_is_as_it_was_sent(flow: Packet, quoted: int) -> None:
    """But for the upper half of a TCP checksum: at 37 bytes the lower is not there to reckon with."""
    nat = busy()
    out = sent(nat, flow)
    assert bytes(out)[20:22] != bytes(flow)[20:22] or out[ICMP].id != flow[ICMP].id
    assert quote(through(nat, error(R, P, out, most=quoted), True)) == hops_later(flow)[:quoted]


def test_half_a_tcp_checksum_stays() -> None:
    nat = busy()
    out = sent(nat, FLOWS[1])
    made = quote(through(nat, error(R, P, out, most=37), True))
    assert made == hops_later(FLOWS[1])[:36] + bytes(out)[36:37]


@pytest.mark.parametrize("change", [{"version": 6}, {"ihl": 4}, {"ihl": 15}])
def test_what_is_no_header_tells_no_flow(change: dict[str, int]) -> None:
    nat = Nat()
    out = sent(nat, UDP_FLOW)
    for name, value in change.items():
        setattr(out, name, value)
    assert dropped(nat, error(R, P, out), True) == "icmp_truncated"


def test_what_a_router_says_of_length_and_ttl_is_not_looked_at() -> None:
    """Some swap the bytes of the quoted total length."""
    nat = busy()
    out = sent(nat, UDP_FLOW)
    out.len, out.ttl, out.id = 0x2400, 0, 99
    del out.chksum
    back = IP(quote(through(nat, error(R, P, out), True)))
    assert (back.src, back.sport, back.len, back.ttl, back.id) == (A, 5000, 0x2400, 0, 99)


def test_a_quoted_udp_checksum_of_0_stays() -> None:
    nat = busy()
    flow = IP(bytes(UDP_FLOW))
    flow[UDP].chksum = 0
    out = sent(nat, flow)
    assert out[UDP].chksum == 0
    assert quote(through(nat, error(R, P, out), True)) == hops_later(flow)


def test_a_quoted_udp_checksum_does_not_become_0() -> None:
    nat = busy()
    payload = IP(bytes(udp(A, 5000, S, 53, bytes(2))))[UDP].chksum.to_bytes(2, "big")
    flow = udp(A, 5000, S, 53, payload)
    assert IP(bytes(flow))[UDP].chksum == 0xFFFF
    out = sent(nat, flow)
    assert quote(through(nat, error(R, P, out), True)) == hops_later(flow)


def test_a_quoted_first_fragment_has_ports() -> None:
    nat = busy()
    whole = udp(A, 5000, S, 53, bytes(range(200)), flags=0)
    first = IP(src=A, dst=S, proto=17, flags="MF", id=7) / Raw(bytes(whole)[20:116])
    filled, end = buffer(first)
    nat.raw(filled, end, False)
    back = IP(quote(through(nat, error(R, P, bytes(filled[10:end]), 11, 1), True)))
    assert (back.src, back.dst, "MF" in back.flags) == (A, S, True)
    assert bytes(back)[20:] == bytes(first)[20:]


def test_a_quoted_later_fragment_has_none() -> None:
    nat = Nat()
    sent(nat, UDP_FLOW)
    later = IP(src=P, dst=S, proto=17, frag=10) / Raw(bytes(UDP_FLOW)[20:])
    assert dropped(nat, error(R, P, later, 11, 1), True) == "icmp_fragment"


def test_an_error_in_pieces_is_not_translated() -> None:
    nat = Nat()
    packet = error(R, P, sent(nat, UDP_FLOW), flags="MF")
    data = bytes(packet)[: 20 + 8 + 24]
    packet = IP(data)
    packet.len = len(data)
    del packet.chksum
    assert dropped(nat, bytes(packet), True) == "icmp_type"


def test_a_trailer_behind_the_error_is_not_part_of_it() -> None:
    """Ethernet pads short frames."""
    nat = busy()
    data = bytes(error(R, P, sent(nat, UDP_FLOW)))
    filled, end = buffer(data + b"trailer")
    assert nat.raw(filled, end, True)[1] == "icmp_errors"
    assert filled[end - 7 : end] == b"trailer"
    assert sums_are_right(bytes(filled[10 : end - 7]))


# A checksum that is left for the kernel to compute


def test_a_partial_checksum_is_left_alone() -> None:
    nat = busy()
    data = bytearray(bytes(error(R, P, sent(nat, UDP_FLOW))))
    data[22:24] = bytes(2)
    filled, end, _, outcome = raw_error(nat, bytes(data), NEEDS_CSUM)
    assert outcome == "icmp_errors"
    assert filled[:10] == NEEDS_CSUM
    assert bytes(filled[32:34]) == bytes(2)
    filled[32:34] = checksum(bytes(filled[30:end])).to_bytes(2, "big")
    assert sums_are_right(bytes(filled[10:end]))
    assert quote(parse(filled, end)) == hops_later(UDP_FLOW)


@pytest.mark.parametrize(("start", "offset"), [(48, 6), (20, 0), (0, 2), (60000, 2)])
def test_a_partial_checksum_of_something_else_is_not_believed(start: int, offset: int) -> None:
    nat = Nat()
    data = bytes(error(R, P, sent(nat, UDP_FLOW)))
    virtio = struct.pack("=BBHHHH", 1, 0, 0, 0, start, offset)
    assert raw_error(nat, data, virtio)[3] == "malformed"


def test_a_partial_checksum_of_a_query_is_left_alone() -> None:
    nat = Nat()
    nat.out(echo(B, S, 7))
    filled, end = buffer(echo(A, S, 7))
    filled[:10], filled[32:34] = NEEDS_CSUM, bytes(2)
    assert nat.raw(filled, end, False)[1] == "slow"
    made = parse(filled, end)
    assert made.src == P
    assert made[ICMP].id != 7
    assert filled[32:34] == bytes(2)


# What is not translated at all


def test_errors_about_flows_of_no_rule_pass() -> None:
    nat = Nat(rules(lines=(permit(INSIDE, False),)))
    for from_outside, packet in (
        (False, error(A, S, udp(S, 53, A, 5000), 11, 0)),
        (True, error(S, A, udp(A, 5000, S, 53), 3, 3)),
        (False, error(A, S, b"too short")),
        (False, error(A, S, udp(S, 53, A, 5000), 5, 0)),
    ):
        filled, end = buffer(packet)
        assert nat.raw(filled, end, from_outside)[1] == "passed"
        made = parse(filled, end)
        assert checksums_are_right(made)
        assert bytes(made) == hops_later(packet)


def test_an_error_whose_time_is_over_is_dropped() -> None:
    nat = Nat()
    out = sent(nat, UDP_FLOW)
    assert dropped(nat, error(R, P, out, ttl=1), True) == "ttl_exceeded"
    assert nat.translator.more == []


def test_between_the_tuns_it_takes_one_hop_back() -> None:
    nat = Nat(ttl_step=1)
    out = sent(nat, UDP_FLOW)
    assert through(nat, error(R, P, out, ttl=63), True).ttl == 64
