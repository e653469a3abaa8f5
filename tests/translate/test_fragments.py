"""Fragments as RFC 4787 REQ-14 and nat-behaviour 2.1 want them; scapy cuts and puts together again.

The first 8 to 20 bytes of a datagram, which make the first fragment, decide for all of it.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise, permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, IPOption_NOP, IPOption_RR, defragment, fragment
from scapy.packet import Packet, Raw

from snat.translate.flows import TranslateCounters
from snat.translate.fragments import (
    DATAGRAM_COST,
    FRAGMENT_COST,
    LIFETIME,
    MEMORY,
    MOST_FRAGMENTS,
    Fragments,
)
from snat.translate.packet import ADDRESSES, IDENTIFICATION, START
from snat.translate.translator import Verdict
from tests.packets import addressed, buffer, checksums_are_right, echo, internet_checksum, parse, tcp, udp
from tests.translate.nat import INSIDE, A, B, Nat, P, S, T, permit, rules

PAYLOAD = bytes(range(251)) * 2
SIZE = 200
"""Payload of a fragment, so that the datagrams here are three."""
KINDS = ["udp", "tcp", "echo"]


def datagram(kind: str, host: str, payload: bytes = PAYLOAD, *, identification: int = 7) -> Packet:
    """From an inside host, all with the same ports: the second host's are changed."""
    made = {
        "udp": udp(host, 5000, S, 53, payload),
        "tcp": tcp(host, 5000, S, 80, "S", payload),
        "echo": echo(host, S, 77) / Raw(payload),
    }[kind]
    made[IP].flags, made[IP].id = 0, identification
    return made


def answer(kind: str, out: Packet, payload: bytes = PAYLOAD) -> Packet:
    """From outside, to whom ``out`` says it is from."""
    if kind == "echo":
        made = echo(S, out.src, out.payload.id, reply=True) / Raw(payload)
    elif kind == "udp":
        made = udp(S, 53, out.src, out.sport, payload)
    else:
        made = tcp(S, 80, out.src, out.sport, "SA", payload)
    made[IP].flags, made[IP].id = 0, 7
    return made


def cut(packet: Packet, size: int = SIZE) -> list[Packet]:
    return list(fragment(packet, size))


def released(nat: Nat) -> list[tuple[Verdict, bytes]]:
    """What leaves beside a packet that was dropped, but for what its sender is told of that."""
    return [(where, more) for where, more in nat.translator.more if ICMP not in IP(more[START:])]


def through(nat: Nat, packets: Sequence[Packet | bytes], *, from_outside: bool = False) -> list[Packet]:
    """All that leaves, as it is written: a packet, then what was released by it."""
    left = []
    for packet in packets:
        filled, end = buffer(packet)
        verdict, _ = nat.raw(filled, end, from_outside)
        if verdict != Verdict.DROP:
            assert verdict == (Verdict.TO_INSIDE if from_outside else Verdict.TO_OUTSIDE)
            left.append(parse(filled, end))
        told = nat.translator.more if verdict != Verdict.DROP else released(nat)
        for where, more in told:
            assert (where, more[:START]) == (verdict, bytes(START))
            left.append(IP(more[START:]))
        nat.translator.more.clear()
    for one in left:
        assert internet_checksum(bytes(one)[: one.ihl * 4]) == 0
        assert one.ttl == 64 + nat.ttl_step
    return left


def whole(packets: Sequence[Packet]) -> list[Packet]:
    """The whole datagrams that a receiver puts together of fragments."""
    made = put_together(packets)
    assert all(checksums_are_right(one) for one in made)
    return made


def put_together(packets: Sequence[Packet]) -> list[Packet]:
    """By scapy, which wants the last fragment to come last. What misses some is left out."""
    datagrams = defaultdict(list)
    for one in packets:
        datagrams[one.src, one.dst, one.proto, one.id].append(IP(bytes(one)))
    made = []
    for pieces in datagrams.values():
        pieces.sort(key=lambda one: int(one.frag))
        ends = [one.frag * 8 + one.len - one.ihl * 4 for one in pieces]
        if "MF" not in pieces[-1].flags and [one.frag * 8 for one in pieces] == [0, *ends[:-1]]:
            made += [IP(bytes(one)) for one in defragment(pieces)]
    return made


def expected(sent: Packet, got: Packet) -> bytes:
    """What one of our datagrams should have become: only addresses, ports, identification and TTL differ."""
    return bytes(addressed(IP(bytes(sent)), as_in=got, ttl=63))


def carried(packet: Packet) -> bytes:
    """What its transport carries, whatever scapy takes it for."""
    return bytes(packet.payload.payload.original)


def payloads(packets: Sequence[Packet]) -> list[int]:
    return [int(one.frag) * 8 for one in packets]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[A, B], ids=["port kept", "port changed"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(kind: str, host: str) -> tuple[Nat, Packet]:
    """Both hosts have a flow; what left of one's."""
    nat = Nat()
    (first,), (second,) = (through(nat, [datagram(kind, one, b"")]) for one in (A, B))
    return nat, first if host == A else second


# In any order


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_u14_fragments_pass_out_in_any_order(kind: str, host: str, order: tuple[int, ...]) -> None:
    nat, opener = opened(kind, host)
    sent = datagram(kind, host)
    pieces = cut(sent)
    assert len(pieces) == 3
    left = through(nat, [pieces[at] for at in order])
    assert len(left) == 3
    (got,) = whole(left)
    assert got.src == P
    assert bytes(got.payload)[:4] == bytes(opener.payload)[:4] or kind == "echo"
    assert bytes(got) == expected(sent, got)
    assert len(nat.translator._fragments) == 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_u14_fragments_pass_in_in_any_order(kind: str, host: str, order: tuple[int, ...]) -> None:
    nat, out = opened(kind, host)
    sent = answer(kind, out)
    pieces = cut(sent)
    left = through(nat, [pieces[at] for at in order], from_outside=True)
    (got,) = whole(left)
    assert (got.src, got.dst, got.id) == (S, host, 7)
    assert bytes(got) == expected(sent, got)
    assert len(nat.translator._fragments) == 0


def test_u14_the_first_packet_of_a_flow_may_be_a_fragment(kind: str) -> None:
    nat = Nat()
    sent = datagram(kind, A)
    (got,) = whole(through(nat, cut(sent)[::-1]))
    assert bytes(got) == expected(sent, got)
    assert nat.counters.created == 1


@pytest.mark.parametrize("order", [(0, 0, 1, 1, 2), (2, 2, 1, 0), (1, 1, 0, 0, 1, 2), (0, 1, 0, 1, 2)])
def test_u14_duplicates_pass_once(kind: str, order: tuple[int, ...]) -> None:
    nat, _ = opened(kind, B)
    sent = datagram(kind, B)
    pieces = cut(sent)
    left = through(nat, [pieces[at] for at in order])
    assert sorted(payloads(left)) == payloads(pieces)
    (got,) = whole(left)
    assert bytes(got) == expected(sent, got)
    assert nat.counters.fragments_duplicate == len(order) - 3


def test_u14_what_comes_again_after_the_whole_harms_nothing(kind: str) -> None:
    nat, _ = opened(kind, B)
    sent = datagram(kind, B)
    pieces = cut(sent)
    late = pieces[::-1]
    left = through(nat, [*pieces, late[0], late[1]])
    assert len(left) == 3
    nat.wait(LIFETIME)
    assert nat.counters.fragments_timed_out == 2
    assert len(whole(through(nat, pieces))) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_u13a_fragments_leave_in_order_wherever_we_can_order_them(order: tuple[int, ...]) -> None:
    pieces = cut(datagram("udp", A))
    left = payloads(through(Nat(), [pieces[at] for at in order]))
    assert left[0] == 0
    waited = left[1 : 1 + order.index(0)]
    assert waited == sorted(waited)


def test_2_1_the_last_may_not_be_the_last() -> None:
    """1, 3, 2: the way is known until all has come (calico 11682)."""
    one, two, three = cut(datagram("udp", A))
    nat = Nat()
    assert payloads(through(nat, [one, three])) == [0, 400]
    assert len(nat.translator._fragments) == 1
    assert payloads(through(nat, [two])) == [200]
    assert len(nat.translator._fragments) == 0


def test_2_1_many_fragments_out_of_order_are_counted_by_datagram() -> None:
    """VPP-1399: a bound on fragments must be one on those of a datagram."""
    nat = Nat()
    hosts = [f"10.0.1.{number}" for number in range(40)]
    sent = [datagram("udp", host, bytes(65000)) for host in hosts[:20]]
    sent += [datagram("udp", host) for host in hosts[20:]]
    pieces = [piece for one in sent for piece in cut(one, 1480 if len(one) > 1000 else SIZE)[::-1]]
    assert len(whole(through(nat, pieces))) == len(hosts)
    assert nat.counters.fragments_evicted == 0


def test_2_1_the_largest_datagram_over_a_small_mtu() -> None:
    sent = datagram("udp", A, bytes(65507))
    pieces = cut(sent, 552)
    assert len(sent) == 65535
    assert MOST_FRAGMENTS >= len(pieces) == 119
    (got,) = whole(through(Nat(), pieces[::-1]))
    assert bytes(got) == expected(sent, got)


def test_2_1_no_datagram_has_more_fragments_than_it_may() -> None:
    nat = Nat()
    pieces = cut(datagram("udp", A, bytes(65507)), 8)
    left = through(nat, pieces[: MOST_FRAGMENTS + 2])
    assert len(left) == MOST_FRAGMENTS
    assert (nat.counters.fragments_too_many, nat.counters.fragments_refused) == (1, 1)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_2_1_what_is_not_translated_needs_the_first_too(order: tuple[int, ...]) -> None:
    """VPP's test_frag_out_of_order_do_not_translate."""
    nat = Nat(rules(lines=(permit(INSIDE, False),)))
    sent = datagram("udp", A)
    pieces = cut(sent)
    left = through(nat, [pieces[at] for at in order])
    (got,) = whole(left)
    assert (got.src, got.id, nat.counters.passed) == (A, 7, 1)
    assert bytes(got) == expected(sent, got)


def test_2_1_another_protocol_that_is_not_translated_passes() -> None:
    nat = Nat()
    pieces = cut(IP(src="192.0.2.9", dst=S, proto=47, id=7) / Raw(PAYLOAD))
    (got,) = whole(through(nat, pieces[::-1]))
    assert bytes(got)[20:] == PAYLOAD


def test_u7_the_realm_is_in_the_key() -> None:
    """The same addresses, protocol and identification from both sides: two datagrams."""
    nat = Nat()
    inside, outside = (cut(udp("192.0.2.9", 1, "192.0.2.8", 2, PAYLOAD, flags=0, id=7)) for _ in range(2))
    assert payloads(through(nat, [inside[0]])) == [0]
    assert through(nat, [outside[1]], from_outside=True) == []
    assert payloads(through(nat, inside[1:])) == [200, 400]
    assert payloads(through(nat, [outside[0]], from_outside=True)) == [0, 200]


def test_u9_a_way_that_turns_back_inside() -> None:
    """Hairpin: the first fragment says to which side, and both addresses may change."""
    counters = TranslateCounters()
    fragments = Fragments(counters, -1)
    one, two, three = cut(udp(A, 5000, P, 6000, PAYLOAD, flags=0, id=7))

    def take(packet: Packet) -> tuple[object, bytearray, int]:
        filled, end = buffer(packet)
        return fragments.take(filled, False, 0.0), filled, end

    waiting, filled, _ = take(three)
    assert fragments.follow(waiting, filled) is Verdict.DROP  # type: ignore[arg-type]
    first, filled, end = take(one)
    old = bytes(filled[IDENTIFICATION : ADDRESSES + 8])
    turned = parse(filled, end)
    turned.src, turned.dst, turned.id, turned.ttl = P, B, 99, 63
    filled, _ = buffer(turned)
    ((verdict, packet),) = fragments.lead(first, Verdict.TO_INSIDE, old, filled)  # type: ignore[arg-type]
    second, filled, end = take(two)
    assert (verdict, fragments.follow(second, filled)) == (Verdict.TO_INSIDE,) * 2  # type: ignore[arg-type]
    for made in (IP(packet[START:]), parse(filled, end)):
        assert (made.src, made.dst, made.id, made.ttl) == (P, B, 99, 63)
        assert internet_checksum(bytes(made)[:20]) == 0
    assert len(fragments) == fragments.memory == 0


# Checksums


def test_b5_a_udp_checksum_of_0_stays_0() -> None:
    sent = datagram("udp", B)
    sent.payload.chksum = 0
    nat, _ = opened("udp", B)
    left = through(nat, cut(sent)[::-1])
    (got,) = whole(left)
    assert got.payload.chksum == 0
    assert got.sport != 5000


@pytest.mark.parametrize("wrong", [0x1234, 0xFFFF, 1])
def test_2_3_a_wrong_transport_checksum_stays_wrong(kind: str, wrong: int) -> None:
    """Whoever computed it anew would hide what went wrong on the way here."""
    nat, _ = opened(kind, B)
    sent = IP(bytes(datagram(kind, B)))
    sent.payload.chksum ^= wrong
    (got,) = put_together(through(nat, cut(sent)))
    assert not checksums_are_right(got)


# What is let through in no part that comes later


def tiny(protocol: int, payload: bytes, offset: int = 0, flags: str = "MF") -> Packet:
    return IP(src=A, dst=S, proto=protocol, id=7, frag=offset, flags=flags) / Raw(payload)


SEGMENT = bytes(tcp(A, 5000, S, 80, "S", PAYLOAD, dataofs=10).payload)
DATAGRAM = bytes(datagram("udp", A).payload)


@pytest.mark.parametrize(
    "piece",
    [
        tiny(6, SEGMENT[:8]),
        tiny(6, SEGMENT[:16]),
        tiny(6, SEGMENT[:32]),
        tiny(6, SEGMENT[8:24], 1),
        tiny(6, SEGMENT[16:], 2, ""),
        tiny(6, SEGMENT[8:16], 1, ""),
    ],
    ids=["8 bytes", "16 bytes", "within its options", "rfc3128", "offset 2", "rfc3128 last"],
)
def test_2_1_tiny_fragments_are_dropped_with_their_datagram(piece: Packet) -> None:
    """RFC 1858: flags and ports must be in the first fragment, and nowhere else."""
    nat = Nat()
    rest = tiny(6, SEGMENT[40:48], 5)
    assert through(nat, [rest, piece, tiny(6, SEGMENT[:40]), tiny(6, SEGMENT[48:], 6, "")]) == []
    counters = nat.counters
    assert (counters.fragments_tiny, counters.fragments_abandoned, counters.fragments_refused) == (1, 1, 2)
    assert len(nat.table) == 0


def test_2_1_a_first_fragment_with_just_the_header_passes() -> None:
    sent = datagram("udp", A)
    assert len(whole(through(Nat(), cut(sent, 8)))) == 1
    segment = tcp(A, 5000, S, 80, "S", PAYLOAD)
    segment[IP].flags = 0
    assert len(whole(through(Nat(), cut(segment, 24)[::-1]))) == 1


def at(offset: int, end: int, more: bool = True) -> Packet:
    return tiny(17, DATAGRAM[offset:end], offset // 8, "MF" if more else "")


CONTRADICTIONS = {
    "the same and more": [at(0, 16), at(200, 208), at(200, 216)],
    "the same and less": [at(0, 16), at(200, 216), at(200, 208)],
    "begins within": [at(0, 16), at(200, 216), at(208, 224)],
    "ends within": [at(0, 16), at(200, 216), at(192, 208)],
    "is within": [at(0, 16), at(200, 224), at(208, 216)],
    "has it within": [at(0, 16), at(200, 208), at(192, 216)],
    "over the first": [at(0, 24), at(16, 32)],
    "over the ports": [at(0, 16), at(8, 16)],
    "the first anew, longer": [at(0, 16), at(0, 24)],
    "behind the end": [at(0, 16), at(200, 208, False), at(208, 216)],
    "another end behind": [at(0, 16), at(200, 208, False), at(216, 224, False)],
    "another end before": [at(0, 16), at(200, 208, False), at(184, 192, False)],
    "an end before what came": [at(0, 16), at(200, 208), at(184, 192, False)],
    "an end, and none": [at(0, 16), at(200, 208, False), at(200, 208)],
    "none, and an end": [at(0, 16), at(200, 208), at(200, 208, False)],
}


@pytest.mark.parametrize("pieces", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_2_1_contradictions_drop_the_datagram(pieces: list[Packet]) -> None:
    """RFC 5722: the piece that contradicts and all that come after it."""
    nat = Nat()
    assert len(through(nat, pieces)) == len(pieces) - 1
    assert nat.counters.fragments_overlapping == 1
    assert through(nat, [at(400, len(DATAGRAM), False), at(0, 16), at(16, 24)]) == []
    assert nat.counters.fragments_refused == 3


@pytest.mark.parametrize("pieces", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_2_1_contradictions_are_seen_before_the_first_too(pieces: list[Packet]) -> None:
    nat = Nat()
    first, *rest = pieces
    if rest[0].frag < 3:
        rest.reverse()
    assert through(nat, [*rest, first]) == [] or rest[-1].frag < 3
    assert nat.counters.fragments_overlapping == 1


def test_2_1_the_time_over_the_same_may_come_again() -> None:
    nat = Nat()
    through(nat, [at(0, 16), at(8, 16)])
    nat.wait(LIFETIME)
    assert len(whole(through(nat, cut(datagram("udp", A))))) == 1


@pytest.mark.parametrize(
    ("offset", "length", "waits"), [(8185, 35, 1), (8185, 36, 0), (8189, 4, 0), (8191, 64, 0)]
)
def test_2_1_nothing_ends_behind_65535(offset: int, length: int, waits: int) -> None:
    """The ping of death: receivers wrote behind their buffers."""
    nat = Nat()
    assert through(nat, [tiny(1, bytes(length), offset, "")]) == []
    assert (nat.counters.fragments_held, nat.counters.malformed) == (waits, 1 - waits)
    assert len(nat.translator._fragments) == waits


@pytest.mark.parametrize("length", [0, 1, 7, 15])
def test_2_1_only_the_last_may_end_anywhere(length: int) -> None:
    nat = Nat()
    assert through(nat, [tiny(17, bytes(length), 4)]) == []
    assert nat.counters.malformed == 1
    through(nat, [tiny(17, bytes(length), 4, "")])
    assert nat.counters.fragments_held == (length > 0)


def test_2_7_options_only_where_the_first_has_some() -> None:
    """A later fragment alone could be led elsewhere by a source route."""
    one, two, three = cut(datagram("udp", A))
    option = IP(bytes(two))
    option.options, option.ihl, option.len, option.chksum = (
        [IPOption_RR(routers=["0.0.0.0"])],
        None,
        None,
        None,
    )
    nat = Nat()
    assert payloads(through(nat, [one, option, three])) == [0]
    assert (nat.counters.options, nat.counters.fragments_refused) == (1, 1)
    nat = Nat()
    assert payloads(through(nat, [option, three, one])) == [0, 400]
    assert nat.counters.fragments_abandoned == 1


def test_2_7_options_move_the_payload_not_the_offset() -> None:
    """Of what is not translated, for which options are no reason to drop it."""
    sent = udp("192.0.2.9", 1, S, 2, PAYLOAD, flags=0, id=7, options=[IPOption_NOP()] * 4)
    pieces = cut(sent)
    assert {one.ihl for one in (IP(bytes(piece)) for piece in pieces)} == {6}
    nat = Nat()
    assert sorted(payloads(through(nat, pieces[::-1]))) == payloads(pieces)
    assert len(nat.translator._fragments) == 0


# Who is refused is refused wholly


@pytest.mark.parametrize("first_at", [0, 1, 2])
def test_nothing_leaks_of_a_datagram_whose_first_is_dropped(first_at: int) -> None:
    nat = Nat(rules(slots=[]))
    one, *rest = cut(datagram("udp", A))
    pieces = [*rest[:first_at], one, *rest[first_at:]]
    assert through(nat, pieces) == []
    assert nat.counters.exhausted == 1
    assert nat.counters.fragments_abandoned == first_at
    assert nat.counters.fragments_refused == 2 - first_at
    nat.wait(LIFETIME)
    assert len(nat.translator._fragments) == 0


def test_nothing_unasked_comes_in_by_fragments() -> None:
    nat = Nat()
    pieces = cut(udp(S, 53, P, 5000, PAYLOAD, flags=0))
    assert through(nat, pieces[::-1], from_outside=True) == []
    assert nat.counters.unknown_inbound == 1


def test_u8_another_hosts_fragments_are_filtered() -> None:
    nat, _ = opened("udp", A)
    assert through(nat, cut(udp(T, 53, P, 5000, PAYLOAD, flags=0)), from_outside=True) == []
    assert nat.counters.filtered == 1


@pytest.mark.parametrize("late", [0, 1, 2])
def test_i10a_each_fragment_has_its_own_ttl(late: int) -> None:
    pieces = cut(datagram("udp", A))
    pieces[late].ttl = 1
    nat = Nat()
    left = through(nat, pieces)
    assert nat.counters.ttl_exceeded == 1
    assert (len(left), nat.counters.fragments_refused) == ((2, 0) if late else (0, 2))


# Bounds


def test_u14a_memory_is_what_waits_and_what_is_known() -> None:
    nat = Nat()
    fragments = nat.translator._fragments
    one, two, three = cut(datagram("udp", A))
    through(nat, [three])
    assert fragments.memory == DATAGRAM_COST + FRAGMENT_COST + len(three)
    through(nat, [one])
    assert fragments.memory == DATAGRAM_COST + 2 * FRAGMENT_COST
    nat.wait(LIFETIME)
    assert (fragments.memory, nat.counters.fragments_timed_out) == (0, 0)
    through(nat, [three, two])
    through(nat, [at(200, 208)])
    assert fragments.memory == DATAGRAM_COST, "of what is refused only that it is"


@pytest.mark.parametrize("first_at", [0, 1])
def test_u14a_what_does_not_come_is_forgotten(first_at: int) -> None:
    nat = Nat()
    pieces = cut(datagram("udp", A))
    through(nat, [pieces[first_at]])
    assert nat.translator.next_deadline() <= nat.now + LIFETIME
    nat.wait(LIFETIME - 0.5)
    assert len(nat.translator._fragments) == 1
    nat.wait(0.5)
    assert len(nat.translator._fragments) == nat.translator._fragments.memory == 0
    assert nat.counters.fragments_timed_out == first_at


def test_u14a_in_time_is_in_time() -> None:
    nat = Nat()
    one, two, three = cut(datagram("udp", A))
    assert through(nat, [three]) == []
    nat.wait(LIFETIME - 0.1)
    assert payloads(through(nat, [one, two])) == [0, 400, 200]


def test_u14a_what_is_late_is_forgotten_though_no_turn_came() -> None:
    nat = Nat()
    one, two, three = cut(datagram("udp", A))
    through(nat, [three])
    nat.now += LIFETIME
    assert payloads(through(nat, [one])) == [0]
    assert (nat.counters.fragments_timed_out, nat.counters.fragments_released) == (1, 0)
    assert payloads(through(nat, [two])) == [200]


FLOOD = bytes(tiny(17, bytes(1480), 185))


def piece_of_flood(number: int) -> bytes:
    """A later fragment of a datagram of its own."""
    head = bytearray(FLOOD[:20])
    head[4:6], head[13] = (number & 0xFFFF).to_bytes(2, "big"), number >> 16
    head[10:12] = bytes(2)
    head[10:12] = internet_checksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + FLOOD[20:]


def test_u14a_a_flood_of_fragments_without_first_harms_no_whole_packet() -> None:
    """100,000 of them: memory is bounded, whole packets pass, and a datagram in pieces that come at once."""
    nat = Nat()
    fragments, most = nat.translator._fragments, 0
    filled, _ = buffer(b"")
    for number in range(100_000):
        packet = piece_of_flood(number)
        filled[START : START + 1500] = packet
        nat.translator.translate(filled, START + 1500, False, nat.now)
        most = max(most, fragments.memory)
    assert MEMORY * 0.9 < most <= MEMORY
    assert nat.counters.fragments_held == 100_000
    assert nat.counters.fragments_evicted == 100_000 - len(fragments)
    assert nat.out(udp(A, 5000, S, 53)) is not None
    assert nat.counters.slow == 1
    for number, host in enumerate((A, B)):
        pieces = cut(datagram("udp", host))
        left = through(nat, [pieces[2], piece_of_flood(200_000 + number), pieces[1], pieces[0]])
        assert payloads(left) == [0, 200, 400]
    nat.wait(LIFETIME)
    assert len(fragments) == fragments.memory == 0


# Identifications


def test_m10_b11_two_hosts_with_one_identification(kind: str) -> None:
    """At once, to one host, piece by piece: what leaves is put together to what each sent."""
    nat = Nat()
    sent = {
        host: datagram(kind, host, bytes([number]) * 500) for number, host in enumerate((A, B, "10.0.0.4"))
    }
    pieces = [piece for group in zip(*map(cut, sent.values()), strict=True) for piece in group]
    left = through(nat, pieces)
    assert len({one.id for one in left}) == 3
    got = whole(left)
    assert sorted(bytes(one[Raw])[-1] for one in got) == [0, 1, 2]


def test_m10_what_may_become_a_fragment_is_numbered_anew() -> None:
    """1,000 packets of two hosts with the same identifications, unfragmented but without DF."""
    nat = Nat()
    packets = [udp(host, 5000, S, 53, flags=0, id=number) for number in range(500) for host in (A, B)]
    numbers = [one.id for one in map(nat.out, packets) if one is not None]
    assert len(set(numbers)) == len(numbers) == 1000
    assert {(two - one) % 65536 for one, two in pairwise(numbers)} == {1}, "one sequence for both"
    assert nat.counters.hits == 998


def test_m10_fragments_and_whole_packets_are_numbered_together() -> None:
    nat, _ = opened("udp", B)
    left = through(nat, cut(datagram("udp", A)))
    left += through(nat, [datagram("udp", B)])
    left += through(nat, cut(datagram("udp", A)))
    assert len({one.id for one in left}) == 3


@pytest.mark.parametrize("flags", ["DF", "DF+evil"], ids=["fast", "slow"])
def test_m10_an_atomic_datagram_keeps_its_identification(flags: str) -> None:
    nat = Nat()
    for _ in range(3):
        out = nat.out(udp(A, 5000, S, 53, flags=flags, id=4321))
        assert out is not None
        assert out.id == 4321


def test_m10_a_fragment_with_df_is_not_atomic() -> None:
    pieces = [piece for host in (A, B) for piece in cut(datagram("udp", host))]
    for piece in pieces:
        piece.flags |= "DF"
    left = through(Nat(), pieces)
    assert [len({one.id for one in some}) for some in (left[:3], left[3:], left)] == [1, 1, 2]
    assert all("DF" in one.flags for one in left)


@pytest.mark.parametrize("flags", [0, "evil", "DF"])
def test_m10_who_sends_under_its_own_address_has_numbered_its_datagrams(flags: str | int) -> None:
    nat, _ = opened("udp", A)
    for _ in range(3):
        back = nat.back(udp(S, 53, P, 5000, flags=flags, id=4321))
        assert back is not None
        assert back.id == 4321


def test_m10_a_super_packet_takes_as_many_as_it_has_segments() -> None:
    nat, _ = opened("udp", A)
    filled, end = buffer(udp(A, 5000, S, 53, bytes(12_000), flags=0))
    filled[1], filled[4:6] = 5, (1200).to_bytes(2, "little")
    assert nat.raw(filled, end, False)[1] == "hits"
    first = parse(filled, end).id
    following = nat.out(udp(A, 5000, S, 53, flags=0))
    assert following is not None
    assert 10 <= (following.id - first) % 65536 <= 11


def test_m10_an_identification_comes_again_after_65536() -> None:
    nat, _ = opened("udp", A)
    filled, end = buffer(udp(A, 5000, S, 53, flags=0))
    packet, seen = bytes(filled[:end]), set()
    for _ in range(65_536):
        filled[:end] = packet
        nat.translator.translate(filled, end, False, nat.now)
        seen.add(bytes(filled[IDENTIFICATION : IDENTIFICATION + 2]))
    assert len(seen) == 65_536


# Anything


HOSTS = [A, B, "10.0.0.4"]
MADE = st.tuples(
    st.sampled_from(KINDS), st.sampled_from(HOSTS), st.integers(0, 2), st.integers(0, 900), st.integers(3, 40)
)


def play(made: list[tuple[str, str, int, int, int]], seed: int, again: list[int]) -> None:
    """Datagrams of several hosts, in pieces of any size, in any order, some twice."""
    nat = Nat(ttl_step=-1)
    sent, pieces = {}, []
    for kind, host, identification, length, size in made:
        key = kind, host, identification
        if key not in sent:
            payload = f"{key}".encode() + bytes(length)
            sent[key] = datagram(kind, host, payload, identification=identification)
            pieces += cut(sent[key], size * 8)
    pieces += [pieces[number % len(pieces)] for number in again]
    Random(seed).shuffle(pieces)
    left = through(nat, pieces)
    wholes = {carried(one): one for one in whole(left)}
    assert len(wholes) == len(sent)
    for one in sent.values():
        got = wholes[carried(IP(bytes(one)))]
        assert got.src == P
        assert bytes(got) == expected(one, got)
    nat.wait(LIFETIME)
    assert len(nat.translator._fragments) == nat.translator._fragments.memory == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(MADE, min_size=1, max_size=6), st.integers(), st.lists(st.integers(0, 1000), max_size=8))
def test_any_order_and_duplicates_give_the_same_datagrams(
    made: list[tuple[str, str, int, int, int]], seed: int, again: list[int]
) -> None:
    play(made, seed, again)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None)
@given(st.lists(MADE, min_size=1, max_size=20), st.integers(), st.lists(st.integers(0, 1000), max_size=30))
def test_any_order_and_duplicates_give_the_same_datagrams_long(
    made: list[tuple[str, str, int, int, int]], seed: int, again: list[int]
) -> None:
    play(made, seed, again)


PIECE = st.builds(
    lambda protocol, identification, word, payload, ttl, inside: (
        bytes(
            IP(
                src=A if inside else S,
                dst=S if inside else P,
                proto=protocol,
                id=identification,
                ttl=ttl,
                flags=word >> 13,
                frag=word & 0x1FFF,
            )
            / Raw(payload)
        ),
        not inside,
    ),
    st.sampled_from([1, 6, 17, 47]),
    st.integers(0, 2),
    st.one_of(st.integers(0, 0xFFFF), st.integers(0, 6).map(lambda at: at | 0x2000), st.integers(0, 6)),
    st.one_of(st.binary(max_size=60), st.integers(0, 9).map(lambda number: bytes(number * 8))),
    st.sampled_from([0, 1, 64, 255]),
    st.booleans(),
)


def survive(packets: list[tuple[bytes, bool]]) -> None:
    """Nothing raises, what is dropped is not touched, nothing inside is seen outside, all is forgotten."""
    nat = Nat()
    for data, from_outside in packets:
        filled, end = buffer(data)
        verdict, _ = nat.raw(filled, end, from_outside)
        if verdict == Verdict.DROP:
            assert filled[START:end] == data
        elif not from_outside:
            assert parse(filled, end).src == P
        for where, more in nat.translator.more:
            assert internet_checksum(more[START : START + 20]) == 0
            assert where == Verdict.TO_INSIDE or IP(more[START:]).src == P
        nat.translator.more.clear()
        assert nat.translator._fragments.memory <= MEMORY
    nat.wait(LIFETIME)
    assert len(nat.translator._fragments) == nat.translator._fragments.memory == 0
    assert nat.translator.more == []


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECE, max_size=20))
def test_arbitrary_pieces_do_no_harm(packets: list[tuple[bytes, bool]]) -> None:
    survive(packets)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None)
@given(st.lists(PIECE, max_size=60))
def test_arbitrary_pieces_do_no_harm_long(packets: list[tuple[bytes, bool]]) -> None:
    survive(packets)
