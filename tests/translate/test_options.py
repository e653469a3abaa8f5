"""IPv4 options: packets with them are translated as without, unless they carry addresses."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import (
    ICMP,
    IP,
    TCP,
    UDP,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_Router_Alert,
    IPOption_RR,
    IPOption_SSRR,
    IPOption_Timestamp,
    IPOption_Traceroute,
)
from scapy.packet import Packet, Raw

from snat.nat.entry import STATE, State
from snat.translate.options import Options, judge
from tests.packets import buffer, checksums_are_right, parse, pseudo_header_sum
from tests.translate.errors import dropped
from tests.translate.nat import INSIDE, A, B, Nat, P, S, permit, rules

HARMLESS = {
    "padding": [IPOption_NOP()] * 40,
    "router alert": [IPOption_Router_Alert()],
    "times": [IPOption_Timestamp(flg=0)],
}
TELLTALE = {
    "record route": [IPOption_RR(routers=["0.0.0.0"] * 9)],
    "loose source route": [IPOption_LSRR(routers=[B])],
    "strict source route": [IPOption_SSRR(routers=[B])],
    "times and addresses": [IPOption_Timestamp(flg=1, internet_address=B, timestamp=1)],
    "times of addresses": [IPOption_Timestamp(flg=3, internet_address=B, timestamp=1)],
    "traceroute": [IPOption_Traceroute(optclass=2, originator_ip=B)],
}
TRANSPORTS = [
    UDP(sport=5000, dport=53) / b"question",
    TCP(sport=5000, dport=80, flags="S", options=[("MSS", 1460)]) / b"x",
    ICMP(id=7, seq=1) / b"ping",
]
NAMES = ["udp", "tcp", "echo"]


def packet(options: list[object], transport: Packet, **ip: object) -> Packet:
    return IP(bytes(IP(**{"src": A, "dst": S, "flags": "DF", "options": options, **ip}) / transport))


def moved() -> Nat:
    """What A sends has other ports outside: B has them."""
    nat = Nat()
    for transport in TRANSPORTS:
        assert nat.out(packet([], transport, src=B)) is not None
    return nat


@pytest.mark.parametrize("transport", TRANSPORTS, ids=NAMES)
@pytest.mark.parametrize("options", HARMLESS.values(), ids=HARMLESS.keys())
@pytest.mark.parametrize("flags", ["DF", 0])
def test_options_stay_and_all_else_is_translated(
    options: list[object], transport: Packet, flags: str | int
) -> None:
    """Nat.send holds the whole packet against what scapy makes of it."""
    nat = moved()
    sent = packet(options, transport, flags=flags)
    out = nat.out(sent)
    assert out is not None
    assert (out.src, out.ihl) == (P, sent.ihl)
    assert bytes(out)[20 : out.ihl * 4] == bytes(sent)[20 : sent.ihl * 4]
    ports = out[ICMP].id if ICMP in out else out.sport
    assert ports != (7 if ICMP in out else 5000)
    plain = nat.out(packet([], transport))
    assert plain is not None
    assert (plain[ICMP].id if ICMP in plain else plain.sport) == ports, "it is the same flow"


def test_what_may_become_a_fragment_has_a_new_identification() -> None:
    nat = moved()
    sent = [nat.out(packet(HARMLESS["padding"], TRANSPORTS[0], flags=0, id=9)) for _ in range(2)]
    assert len({one.id for one in sent if one is not None}) == 2


def test_options_from_outside() -> None:
    nat = moved()
    out = nat.out(packet([], TRANSPORTS[0]))
    assert out is not None
    reply = UDP(sport=53, dport=out.sport) / b"answer"
    back = nat.back(packet(HARMLESS["padding"], reply, src=S, dst=P))
    assert back is not None
    assert (back.dst, back.dport) == (A, 5000)


def test_a_tcp_connection_is_followed_behind_options() -> None:
    nat = Nat()
    for flags, from_outside in (("S", False), ("SA", True), ("R", False)):
        ends = {"src": S, "dst": P} if from_outside else {}
        ports = {"sport": 80, "dport": 5000} if from_outside else {"sport": 5000, "dport": 80}
        segment = packet(HARMLESS["router alert"], TCP(flags=flags, **ports), **ends)
        assert nat.send(segment, from_outside) is not None
    assert [one[STATE] for one in nat.table] == [State.CLOSING]


@pytest.mark.parametrize("options", TELLTALE.values(), ids=TELLTALE.keys())
@pytest.mark.parametrize("from_outside", [True, False])
def test_i10b_addresses_in_options_do_not_pass(options: list[object], from_outside: bool) -> None:
    nat = moved()
    ends = {"src": S, "dst": P} if from_outside else {}
    assert dropped(nat, packet(options, TRANSPORTS[0], **ends), from_outside) == "options"


@pytest.mark.parametrize("options", TELLTALE.values(), ids=TELLTALE.keys())
def test_what_is_not_translated_keeps_any_option(options: list[object]) -> None:
    nat = Nat(rules(lines=(permit(INSIDE, False),)))
    filled, end = buffer(packet(options, TRANSPORTS[0]))
    assert nat.raw(filled, end, False)[1] == "passed"
    assert checksums_are_right(parse(filled, end))


@pytest.mark.parametrize("cut", range(8))
def test_a_header_cut_behind_options_is_malformed(cut: int) -> None:
    nat = Nat()
    short = IP(src=A, dst=S, proto=17, options=HARMLESS["padding"]) / Raw(bytes(cut))
    assert dropped(nat, short, False) == "malformed"


def test_a_first_fragment_with_options_leads_the_others() -> None:
    """An option that is not copied is in the first fragment only (RFC 791)."""
    nat = moved()
    whole = bytes(UDP(sport=5000, dport=53, len=48, chksum=0)) + bytes(40)
    first = packet(HARMLESS["padding"], Raw(whole[:24]), flags="MF", proto=17, id=9)
    later = IP(src=A, dst=S, proto=17, id=9, frag=3) / Raw(whole[24:])
    filled, end = buffer(first)
    assert nat.raw(filled, end, False)[1] == "slow"
    leader = parse(filled, end)
    filled, end = buffer(later)
    assert nat.raw(filled, end, False)[1] == "fragments"
    follower = parse(filled, end)
    assert (leader.src, leader.id) == (follower.src, follower.id)
    assert leader.src == P
    assert leader.ihl == 15


@pytest.mark.parametrize("transport", TRANSPORTS[:2], ids=NAMES[:2])
def test_a_partial_checksum_stays_partial(transport: Packet) -> None:
    """The kernel sums up from where the header with its options ends: that does not move."""
    nat = moved()
    sent = packet(HARMLESS["router alert"], transport)
    layer, offset = (sent[UDP], 6) if UDP in sent else (sent[TCP], 16)
    payload = len(bytes(layer))
    plain = IP(src=A, dst=S, proto=sent.proto) / Raw(bytes(payload))
    layer.chksum = pseudo_header_sum(IP(bytes(plain)))
    filled, end = buffer(sent)
    filled[:10] = virtio = struct.pack("=BBHHHH", 1, 0, 0, 0, 24, offset)
    assert nat.raw(filled, end, False)[1] == "slow"
    assert filled[:10] == virtio
    made = parse(filled, end)
    assert made.src == P
    at = 10 + 24 + offset
    plain = IP(src=P, dst=S, proto=sent.proto) / Raw(bytes(payload))
    assert int.from_bytes(filled[at : at + 2], "big") % 0xFFFF == pseudo_header_sum(IP(bytes(plain))) % 0xFFFF


# Options alone


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ("", Options.HARMLESS),
        ("01010100", Options.HARMLESS),
        ("00830000", Options.HARMLESS),  # behind the end is nothing
        ("0194040000000000", Options.HARMLESS),
        ("07070400000000", Options.ADDRESSES),
        ("01018307040a000003", Options.ADDRESSES),
        ("4404050000000000", Options.HARMLESS),
        ("44040501", Options.ADDRESSES),
        ("44040503", Options.ADDRESSES),
        ("94030007070400000000", Options.ADDRESSES),
        ("94", Options.BROKEN),
        ("9400", Options.BROKEN),
        ("9401", Options.BROKEN),
        ("94050000", Options.BROKEN),
        ("44030500", Options.BROKEN),
        ("070704000000009401", Options.BROKEN),
    ],
)
def test_options_are_judged(options: str, verdict: Options) -> None:
    assert judge(bytes.fromhex(options)) is verdict


@given(st.binary(max_size=40))
def test_any_options_are_judged(options: bytes) -> None:
    """An independent reading: one option after the other, by recursion."""

    def read(rest: bytes) -> list[bytes] | None:
        if not rest or rest[0] == 0:
            return []
        size = 1 if rest[0] == 1 else rest[1] if len(rest) > 1 else 0
        least = {1: 1, 68: 4}.get(rest[0], 2)
        behind = read(rest[size:]) if least <= size <= len(rest) else None
        return None if behind is None else [rest[:size], *behind]

    found = read(options)
    if found is None:
        assert judge(options) is Options.BROKEN
    else:
        told = any(one[0] in (7, 82, 131, 137) or (one[0] == 68 and one[3] & 15) for one in found)
        assert judge(options) is (Options.ADDRESSES if told else Options.HARMLESS)
