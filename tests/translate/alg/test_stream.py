"""Streams that a gateway edits, however they are cut, repeated, reordered or offloaded."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from itertools import pairwise
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.packet import Packet, Raw

from snat.nat.tracking import TCP as TCP_NUMBER
from snat.nat.tracking import UDP as UDP_NUMBER
from snat.translate.alg.gateway import Edit, Endpoint, Gateway
from snat.translate.alg.reading import HELD_FOR, Service
from snat.translate.offload import GSO_TCPV4, VIRTIO
from snat.translate.packet import NEEDS_CHECKSUM, START, Verdict
from tests.packets import buffer, checksums_are_right, parse, pseudo_header_sum, tcp, udp
from tests.translate.alg.flow import Connection, M, carried, released
from tests.translate.nat import A, B, Nat, P, S, T

PORT = 7777
LONG, SHORT, SAME, GONE = b"<longer than it was>", b"<", b"<abc>", b""


class Words(Gateway):
    """Rewrites what stands in angle brackets, by its first letter; a word that is cut passes."""

    name = "words"
    texts: ClassVar = {b"l": LONG, b"s": SHORT, b"a": SAME, b"g": GONE}

    def take(self, from_outside: bool, data: bytes) -> Sequence[Edit]:
        self.doors.count("message")
        edits, at = [], 0
        while (start := data.find(b"[", at)) >= 0 and (end := data.find(b"]", start) + 1):
            text = self.texts.get(data[start + 1 : start + 2])
            if text is not None:
                edits.append(Edit(start, end, text))
            at = end
        return edits

    def context(self) -> bytes:
        return b"w"

    def restore(self, context: bytes) -> bool:
        return context == b"w"


def rewritten(text: bytes) -> bytes:
    """What becomes of a text whose words are not cut."""
    made = b""
    while text:
        start = text.find(b"[")
        end = text.find(b"]", start) + 1
        if start < 0 or not end:
            break
        made += text[:start] + Words.texts.get(text[start + 1 : start + 2], text[start:end])
        text = text[end:]
    return made + text


def words_nat(**settings: object) -> Nat:
    nat = Nat(**settings)  # type: ignore[arg-type]
    service = Service(Words)
    port = PORT.to_bytes(2, "big")
    nat.translator.reader._gateways = {"words": Words}
    nat.translator.reader.use({TCP_NUMBER: {port: service}, UDP_NUMBER: {port: service}})
    return nat


def connection(firsts: tuple[int, int] = (1000, 5000), **settings: object) -> Connection:
    return Connection(words_nat(**settings), server=(S, PORT), firsts=firsts).open()


WORDS = st.sampled_from([b"[l]", b"[s]", b"[abc]", b"[gone]", b"x", b"plain text ", b"[", b"]", b"[l"])
TEXTS = st.lists(WORDS, min_size=1, max_size=8).map(b"".join)
FIRSTS = st.sampled_from([(1000, 5000), (M - 3, M - 20), (0, M // 2)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), TEXTS), min_size=1, max_size=8), FIRSTS)
def test_t14_both_ends_see_one_stream(dialogue: list[tuple[bool, bytes]], firsts: tuple[int, int]) -> None:
    """Segments in order: each is edited as it says by itself, and both ends agree about numbers."""
    flow = connection(firsts)
    expected = {True: b"", False: b""}
    for from_client, text in dialogue:
        host = flow.client if from_client else flow.server
        flow.say(host, text)
        expected[from_client] += rewritten(text)
    assert flow.server.got == expected[True]
    assert flow.client.got == expected[False]
    flow.acknowledge(flow.client)
    for host in (flow.client, flow.server):
        if host.sent and rewritten(host.sent[-1:]) and flow.other(host).got:
            assert host.acknowledged == len(host.sent)


@settings(max_examples=60, deadline=None)
@given(st.data(), FIRSTS)
def test_loss_and_disorder_make_no_difference(data: st.DataObject, firsts: tuple[int, int]) -> None:
    """The model sender repeats what is not acknowledged, cut anew, in any order and too often."""
    flow = connection(firsts)
    host = flow.client
    texts = data.draw(st.lists(TEXTS, min_size=1, max_size=6))
    host.sent = b"".join(texts)
    cuts = sorted({*data.draw(st.lists(st.integers(0, len(host.sent)), max_size=4)), len(host.sent), 0})
    at = [0]
    for text in texts:
        at.append(at[-1] + len(text))
    pieces = [*pairwise(at), *pairwise(cuts)]
    for start, end in data.draw(st.permutations(pieces)):
        arrives = data.draw(st.booleans())
        packet = host.segment("PA", start, host.sent[start:end])
        came = carried(flow.nat, packet, from_outside=False)
        for one in came if arrives else ():
            flow.server.receive(one)
    for _ in range(3 * len(host.sent) + 3):
        flow.carry(flow.server, flow.server.segment("A"))
        if host.acknowledged == len(host.sent):
            break
        flow.repeat(host, host.acknowledged, min(host.acknowledged + 7, len(host.sent)))
    assert host.acknowledged == len(host.sent)
    numbers = flow.nat.translator.reader
    assert numbers.next_deadline() >= flow.nat.now


def test_a_later_segment_waits_for_the_one_before_it() -> None:
    flow = connection()
    host = flow.client
    host.sent = b"one [l] two [s]"
    assert flow.carry(host, host.segment("PA", 7, host.sent[7:])) == []
    assert flow.nat.counters.read_held == 1
    first, second = flow.carry(host, host.segment("PA", 0, host.sent[:7]))
    assert bytes(first[TCP].payload) == b"one " + LONG
    assert bytes(second[TCP].payload) == b" two <"
    assert flow.server.got == rewritten(host.sent)
    assert flow.nat.counters.read_released == 1


def test_what_waits_in_vain_goes() -> None:
    flow = connection()
    host = flow.client
    host.sent = bytes(100)
    flow.carry(host, host.segment("PA", 50, host.sent[50:]))
    flow.nat.wait(HELD_FOR + 0.1)
    assert flow.nat.counters.read_evicted == 1
    assert flow.nat.translator.reader._held.size == 0
    flow.repeat(host, 0, 100)
    assert flow.server.got == host.sent


def test_not_more_waits_than_there_is_room_for() -> None:
    flow = connection()
    host = flow.client
    host.sent = bytes(1000)
    for start in range(10, 1000, 10):
        flow.carry(host, host.segment("PA", start, host.sent[start : start + 10]))
    counters = flow.nat.counters
    assert (counters.read_held, counters.read_crowded) == (32, 99 - 32)
    flow.repeat(host, 0, 10)
    assert flow.server.expects == 330


def test_t14_sack_blocks_are_translated() -> None:
    flow = connection()
    flow.say(flow.client, b"[l][l]")
    host, other = flow.client, flow.server
    host.sent += b"abcdefghij"
    grown = len(rewritten(b"[l][l]")) - 6
    base = host.first + 1 + 6 + grown
    blocks = (base + 3, base + 5, base + 7, base + 10)
    packet = other.segment("A", options=[("NOP", None), ("NOP", None), ("SAck", blocks)])
    (arrived,) = flow.carry(other, packet)
    (sack,) = [value for kind, value in arrived[TCP].options if kind == "SAck"]
    assert sack == tuple(edge - grown for edge in blocks)
    assert checksums_are_right(arrived)


def test_a_segment_that_grows_is_cut() -> None:
    flow = connection()
    text = b"[l]" * 100 + b"." * 1160  # 1460, as much as an Ethernet segment carries
    arrived = flow.carry(flow.client, flow.client.segment("PA", 0, text))
    assert [len(one[TCP].payload) for one in arrived] == [1460, 1460, 240]
    assert ["P" in one[TCP].flags for one in arrived] == [False, False, True]
    assert flow.server.got == rewritten(text)


def test_urgent_data_ends_where_it_ended() -> None:
    flow = connection()
    packet = flow.client.segment("PAU", 0, b"[l]!..", urgptr=4)
    flow.client.sent = b"[l]!.."
    (arrived,) = flow.carry(flow.client, packet)
    assert arrived[TCP].urgptr == len(LONG) + 1


def test_fin_and_reset_have_the_right_numbers() -> None:
    flow = connection()
    flow.say(flow.client, b"[l]")
    (fin,) = flow.carry(flow.client, flow.client.segment("FA", 3))
    assert fin.seq == 1001 + len(LONG)
    flow.client.finished = True
    acknowledged = flow.server.segment("A")
    acknowledged[TCP].ack += 1
    flow.carry(flow.server, acknowledged)
    (closing,) = flow.carry(flow.server, flow.server.segment("FA"))
    assert closing.ack == 1001 + 3
    path = next(iter(flow.nat.translator._inside[6].values()))
    assert path.closing is not None
    assert path.closing.both, "the acknowledgement of a FIN is understood"


def test_the_fast_path_is_never_taken_by_a_flow_that_is_read() -> None:
    flow = connection()
    for _ in range(3):
        flow.say(flow.client, b"plain")
    assert flow.nat.counters.hits == 0


def test_when_nobody_reads_any_more_it_is() -> None:
    flow = connection()
    path = next(iter(flow.nat.translator._inside[6].values()))
    assert path.application is not None
    assert path.application.gateway is not None
    path.application.gateway.ended = True
    flow.say(flow.client, b"plain")
    flow.say(flow.client, b"plain")
    assert flow.nat.counters.hits > 0


def super_packet(flow: Connection, text: bytes, size: int) -> tuple[bytearray, int]:
    """A segment as the kernel hands it over: to be cut, and summed, later."""
    packet = flow.client.segment("PA", len(flow.client.sent), text)
    filled, end = buffer(packet)
    made = parse(filled, end)
    made[TCP].chksum = pseudo_header_sum(made)
    filled, end = buffer(made)
    filled[:START] = VIRTIO.pack(NEEDS_CHECKSUM, GSO_TCPV4, 40, size, 20, 16)
    flow.client.sent += text
    return filled, end


def test_a_super_packet_without_edits_stays_one() -> None:
    flow = connection()
    flow.say(flow.client, b"[l]")
    text = bytes(range(97, 120)) * 400
    filled, end = super_packet(flow, text, 1448)
    assert flow.nat.translator.translate(filled, end, False, flow.nat.now) == Verdict.TO_OUTSIDE
    made = parse(filled, end)
    assert made.seq == 1001 + len(LONG)
    assert made[TCP].chksum == pseudo_header_sum(made), "of the pseudo header alone"
    assert VIRTIO.unpack_from(filled) == (NEEDS_CHECKSUM, GSO_TCPV4, 40, 1448, 20, 16)


def test_a_super_packet_that_is_edited_is_cut() -> None:
    flow = connection()
    text = b"[l]" + bytes(3000) + b"[s]" + bytes(2000)
    filled, end = super_packet(flow, text, 1448)
    assert flow.nat.translator.translate(filled, end, False, flow.nat.now) == Verdict.ELSEWHERE
    arrived = released(flow.nat)
    for one in arrived:
        flow.server.receive(one)
    assert flow.server.got == rewritten(text)
    assert max(len(one[TCP].payload) for one in arrived) <= 1448


def pieces(packet: Packet, size: int) -> list[Packet]:
    packet = packet.copy()
    packet.flags = 0
    return [IP(bytes(one)) for one in fragment(IP(bytes(packet)), size)]


@pytest.mark.parametrize("order", ["as sent", "backwards", "first last"])
def test_fragments_are_read_whole(order: str) -> None:
    nat = words_nat()
    payload = b"a" * 60 + b"[l]" + b"b" * 60
    cut = pieces(udp(A, 5000, S, PORT, payload, id=77), 40)
    ordered = {"as sent": cut, "backwards": cut[::-1], "first last": cut[1:] + cut[:1]}[order]
    arrived = [one for piece in ordered for one in carried(nat, piece, from_outside=False)]
    (made,) = arrived
    assert checksums_are_right(made)
    assert bytes(made[UDP].payload) == rewritten(payload)
    assert (made.src, made.dst) == (P, S)
    assert nat.counters.fragments_gathered == len(cut) - 1


def test_a_fragmented_segment_is_read_whole() -> None:
    flow = connection()
    cut = pieces(flow.client.segment("PA", 0, b"1" * 50 + b"[l]" + b"2" * 50), 48)
    for piece in cut:
        for one in carried(flow.nat, piece, from_outside=False):
            flow.server.receive(one)
    assert flow.server.got == rewritten(b"1" * 50 + b"[l]" + b"2" * 50)


def test_fragments_of_other_flows_are_not_put_together() -> None:
    nat = words_nat()
    cut = pieces(udp(A, 5000, S, 53, bytes(100), id=77), 40)
    assert [len(carried(nat, piece, from_outside=False)) for piece in cut] == [1] * len(cut)


def test_a_datagram_is_edited() -> None:
    nat = words_nat()
    (made,) = carried(nat, udp(A, 5000, S, PORT, b"x[l]y[s]z"), from_outside=False)
    assert checksums_are_right(made)
    assert bytes(made[UDP].payload) == rewritten(b"x[l]y[s]z")
    assert made[UDP].len == 8 + len(made[UDP].payload)
    (back,) = carried(nat, udp(S, PORT, P, made.sport, b"[abc]"), from_outside=True)
    assert bytes(back[UDP].payload) == SAME


@pytest.mark.parametrize("damage", ["checksum", "length"])
def test_what_is_damaged_is_not_made_good(damage: str) -> None:
    nat = words_nat()
    packet = udp(A, 5000, S, PORT, b"[l]")
    if damage == "checksum":
        packet[UDP].chksum = 0x1234
    else:
        packet[UDP].len = 10
    assert carried(nat, packet, from_outside=False) == []
    assert nat.counters.read_corrupt == 1


def test_a_damaged_segment_is_not_read() -> None:
    flow = connection()
    packet = flow.client.segment("PA", 0, b"[l]")
    packet[TCP].chksum = 0x1234
    assert flow.carry(flow.client, packet) == []
    assert flow.nat.counters.read_corrupt == 1
    flow.say(flow.client, b"[l]")
    assert flow.server.got == LONG


def test_data_with_the_syn_is_not_trusted() -> None:
    nat = words_nat()
    flow = Connection(nat, server=(S, PORT))
    syn = tcp(A, 40000, S, PORT, "S", b"[l]", seq=1000)
    (arrived,) = carried(nat, syn, from_outside=False)
    assert bytes(arrived[TCP].payload) == b"[l]"
    assert nat.translator.reader.counters["words"]["data with the SYN"] == 1
    flow.server.peer = (arrived.src, arrived.sport)


def test_a_new_connection_begins_anew() -> None:
    """The same endpoints, after the first was reset: nothing is added to its numbers."""
    flow = connection()
    flow.say(flow.client, b"[l]")
    flow.carry(flow.client, flow.client.segment("RA", 3))
    again = Connection(flow.nat, server=(S, PORT), firsts=(900_000, 70)).open()
    again.say(again.client, b"x[s]")
    assert again.server.got == b"x<"
    again.say(again.server, b"[l]")
    assert again.client.got == LONG


def test_malformed_segments_are_counted() -> None:
    flow = connection()
    data = bytearray(bytes(flow.client.segment("PA")))
    data[32] = 0xF0  # a header of 60 bytes, of which 20 are there
    filled, end = buffer(bytes(data))
    assert flow.nat.translator.translate(filled, end, False, flow.nat.now) == Verdict.DROP
    assert flow.nat.counters.read_corrupt == 1


def test_a_host_that_is_acknowledged_in_part_goes_on() -> None:
    """The receiver has the first of two segments that were made of one."""
    flow = connection()
    host, other = flow.client, flow.server
    host.sent = b"[l]" * 100 + b"." * 1160
    first, *_ = carried(flow.nat, host.segment("PA", 0, host.sent), from_outside=False)
    other.receive(first)
    flow.acknowledge(other)
    assert 0 < host.acknowledged < len(host.sent)
    flow.repeat(host, host.acknowledged, len(host.sent))
    assert other.got == rewritten(host.sent)


def test_urgent_data_of_an_edit_that_takes_several_segments() -> None:
    flow = connection()
    host = flow.client
    host.sent = b"[l]" * 100 + b"." * 1160
    arrived = flow.carry(host, host.segment("PAU", 0, host.sent, urgptr=3))
    assert ["U" in one[TCP].flags for one in arrived] == [True, False, False]
    assert arrived[0][TCP].urgptr == len(LONG)


@pytest.mark.parametrize("quoted", [8, 20, 100])
def test_an_icmp_error_quotes_the_number_that_was_sent(quoted: int) -> None:
    flow = connection()
    flow.say(flow.client, b"[l]")
    (sent,) = flow.carry(flow.client, flow.client.segment("PA", 3, b"later"))
    flow.client.sent += b"later"
    quote = bytes(sent)[: 20 + quoted]
    error = IP(src="192.0.2.1", dst=P, flags="DF") / ICMP(type=3, code=4, nexthopmtu=576) / Raw(quote)
    (arrived,) = carried(flow.nat, error, from_outside=True)
    assert checksums_are_right(arrived)
    inner = bytes(arrived[ICMP].payload)
    assert int.from_bytes(inner[24:28], "big") == flow.client.first + 1 + 3
    if quoted > 20:
        assert checksums_are_right(IP(inner))


def test_a_flow_that_was_announced_is_read() -> None:
    nat = connection().nat
    path = next(iter(nat.translator._inside[6].values()))
    assert path.application is not None
    assert path.application.doors is not None
    there = IPv4Address(T).packed
    for port in (3000, 3001):
        path.application.doors.called(TCP_NUMBER, Endpoint(there, port), life=30, follows="words")
    calls = [(A, 3000, LONG), (B, 3001, b"[l]"), (A, 3001, LONG), (A, 3002, b"[l]"), (A, 3000, b"[l]")]
    for number, (client, port, made) in enumerate(calls):  # the last again: it was for once
        flow = Connection(nat, client=(client, 41000 + number), server=(T, port)).open()
        flow.say(flow.client, b"[l]")
        assert flow.server.got == made


def test_a_flow_that_was_announced_says_nothing_of_the_next() -> None:
    """It comes to a port where a gateway reads anyway."""
    nat = connection().nat
    path = next(iter(nat.translator._inside[6].values()))
    assert path.application is not None
    assert path.application.doors is not None
    inside, peer = Endpoint(IPv4Address(A).packed, PORT), Endpoint(IPv4Address(S).packed, 0)
    place = path.application.doors.open(TCP_NUMBER, inside, peer, life=30, follows="words")
    assert place is not None
    assert carried(nat, tcp(S, 4000, P, place.port), from_outside=True)
    flow = Connection(nat, client=(A, 42000), server=(T, 9999)).open()
    flow.say(flow.client, b"[l]")
    assert flow.server.got == b"[l]"


def test_what_waits_leaves_when_nobody_reads_any_more() -> None:
    flow = connection()
    host = flow.client
    path = next(iter(flow.nat.translator._inside[6].values()))
    assert path.application is not None
    assert path.application.gateway is not None
    host.sent = b"one two"
    flow.carry(host, host.segment("PA", 4, b"two"))
    path.application.gateway.ended = True
    flow.carry(host, host.segment("PA", 0, b"one "))
    assert flow.server.got == b"one two"
    assert flow.nat.translator.reader._held.size == 0
