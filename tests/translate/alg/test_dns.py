"""DNS with static mappings, in messages as scapy makes and reads them."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRMX, DNSRROPT, DNSRRRSIG, DNSRRSOA, DNSRRSRV, DNSRRTSIG
from scapy.packet import Packet

from snat.translate.alg.dns import PLAIN, Dns
from snat.translate.alg.dns_message import JUMPS, LONGEST, RECORDS
from tests.translate.alg.written_doors import FakeDoors, conversation, edited, packed, through

IN, OUT = True, False
LOCAL, PUBLIC = "10.0.0.5", "203.0.113.105"
"""An inside host with a static mapping; its address outside has more digits."""
OTHER = "10.0.0.6"
"""One without."""
NAME, ARPA_LOCAL, ARPA_PUBLIC = "www.example.com.", "5.0.0.10.in-addr.arpa.", "105.113.0.203.in-addr.arpa."


def gateway(protocol: int = 17) -> tuple[Dns, FakeDoors]:
    doors = FakeDoors()
    doors.names = {(packed(LOCAL), OUT): packed(PUBLIC), (packed(PUBLIC), IN): packed(LOCAL)}
    return Dns(conversation(protocol, 53), doors), doors


def compressed(message: DNS) -> bytes:
    return bytes(message.compress())


def answer(*records: Packet, name: str = NAME, kind: str = "A", **sections: object) -> DNS:
    return DNS(qr=1, aa=1, qd=[DNSQR(qname=name, qtype=kind)], an=list(records), **sections)


def address(value: str, name: str = NAME) -> DNSRR:
    return DNSRR(rrname=name, type="A", ttl=300, rdata=value)


def pointer(name: str, to: str) -> DNSRR:
    return DNSRR(rrname=name, type="PTR", ttl=300, rdata=to)


def passed(data: bytes, from_outside: bool) -> DNS:
    """The datagram as the other side gets it."""
    dns, _ = gateway()
    return DNS(edited(data, dns.take(from_outside, data)))


def same_but(message: DNS, old: str, new: str) -> Callable[[DNS], None]:
    """Holds a message against another one in which, once read, each ``old`` is ``new``."""

    def compare(got: DNS) -> None:
        expected = DNS(bytes(message)).show(dump=True).replace(old, new)
        without = ("length", "rdlen")
        lines = [line for line in expected.splitlines() if not any(word in line for word in without)]
        seen = [
            line for line in got.show(dump=True).splitlines() if not any(word in line for word in without)
        ]
        assert seen == lines

    return compare


@pytest.mark.parametrize("form", [bytes, compressed])
def test_an_answer_from_inside_and_from_outside(form: Callable[[DNS], bytes]) -> None:
    out = answer(address(OTHER), address(LOCAL), address("192.0.2.1"))
    same_but(out, LOCAL, PUBLIC)(passed(form(out), OUT))
    back = answer(address(PUBLIC), address(OTHER))
    same_but(back, PUBLIC, LOCAL)(passed(form(back), IN))


@pytest.mark.parametrize("form", [bytes, compressed])
def test_addresses_in_all_sections(form: Callable[[DNS], bytes]) -> None:
    message = answer(
        DNSRR(rrname=NAME, type="CNAME", rdata="host.example.com."),
        address(LOCAL, "host.example.com."),
        ns=[DNSRR(rrname="example.com.", type="NS", rdata="ns.example.com.")],
        ar=[address(LOCAL, "ns.example.com."), DNSRROPT(rclass=1232)],
    )
    same_but(message, LOCAL, PUBLIC)(passed(form(message), OUT))


def test_an_address_in_a_question_or_of_another_kind_is_left_alone() -> None:
    update = DNS(opcode=5, qr=1, qd=[DNSQR(qname="example.com.", qtype="SOA")], an=[address(LOCAL)])
    query = DNS(qr=0, qd=[DNSQR(qname=NAME)], ar=[address(LOCAL)])
    text = answer(DNSRR(rrname=NAME, type="TXT", rdata=[LOCAL]))
    chaos = answer(DNSRR(rrname=NAME, type="A", rclass=3, rdata=LOCAL))
    for message in (update, query, text, chaos):
        assert bytes(passed(bytes(message), OUT)) == bytes(message)


def test_a_question_for_a_name_goes_there_and_its_answer_back() -> None:
    dns, doors = gateway()
    asked = bytes(DNS(id=7, qd=[DNSQR(qname=ARPA_PUBLIC, qtype="PTR")]))
    inside = edited(asked, dns.take(IN, asked))
    assert DNS(inside).qd[0].qname == ARPA_LOCAL.encode()
    reply = compressed(answer(pointer(ARPA_LOCAL, NAME), name=ARPA_LOCAL, kind="PTR"))
    got = DNS(edited(reply, dns.take(OUT, reply)))
    assert (got.qd[0].qname, got.an[0].rrname, got.an[0].rdata) == (
        ARPA_PUBLIC.encode(),
        ARPA_PUBLIC.encode(),
        NAME.encode(),
    )
    assert doors.refusals == {}


@pytest.mark.parametrize("form", [bytes, compressed])
@pytest.mark.parametrize(("from_outside", "old", "new"), [(OUT, LOCAL, PUBLIC), (IN, PUBLIC, LOCAL)])
def test_names_that_grow_and_shrink_move_all_others(
    form: Callable[[DNS], bytes], from_outside: bool, old: str, new: str
) -> None:
    zone = "example.com."
    reverse = {LOCAL: ARPA_LOCAL, PUBLIC: ARPA_PUBLIC}[old]
    message = answer(
        pointer(reverse, NAME),
        DNSRR(rrname=NAME, type="CNAME", rdata="x." + zone),
        pointer("x." + zone, reverse),
        name=reverse,
        kind="PTR",
        ns=[
            DNSRRSOA(rrname=zone, mname="ns." + zone, rname="root.ns." + zone),
            DNSRRMX(rrname=zone, preference=5, exchange="mx." + zone),
            DNSRRSRV(rrname="_sip._udp." + zone, port=5060, target="ns." + zone),
        ],
        ar=[address(old, "ns." + zone), DNSRROPT(rclass=4096)],
    )
    tail = str(IPv4Address(int(IPv4Address(old)))).split(".")[::-1]
    other = new.split(".")[::-1]
    got = passed(form(message), from_outside)
    expected = DNS(bytes(message)).show(dump=True)
    expected = expected.replace(".".join(tail) + ".in-addr", ".".join(other) + ".in-addr").replace(old, new)
    skip = ("length", "rdlen")
    assert [line for line in got.show(dump=True).splitlines() if not any(one in line for one in skip)] == [
        line for line in expected.splitlines() if not any(one in line for one in skip)
    ]


def test_the_case_of_a_name_is_kept() -> None:
    asked = bytes(DNS(qd=[DNSQR(qname="105.113.0.203.iN-aDDr.ArPA.", qtype="PTR")]))
    assert passed(asked, IN).qd[0].qname == b"5.0.0.10.iN-aDDr.ArPA."


@pytest.mark.parametrize(
    "name",
    [
        "0.0.10.in-addr.arpa.",
        "x.5.0.0.10.in-addr.arpa.",
        "05.0.0.10.in-addr.arpa.",
        "5.0.0.10.in-addr.arpa.example.",
        "5.0.0.256.in-addr.arpa.",
        "6.0.0.10.in-addr.arpa.",
        ".",
    ],
)
def test_other_names_are_left_alone(name: str) -> None:
    asked = bytes(DNS(qd=[DNSQR(qname=name, qtype="PTR")]))
    dns, doors = gateway()
    assert dns.take(OUT, asked) == []
    assert doors.counts == {"message": 1}


def test_a_label_that_another_hosts_name_shares_is_not_changed() -> None:
    message = answer(pointer(ARPA_LOCAL, NAME), pointer("6.0.0.10.in-addr.arpa.", NAME), name=NAME)
    dns, doors = gateway()
    assert dns.take(OUT, compressed(message)) == []
    assert doors.refusals == {"shared name": 1}
    assert passed(bytes(message), OUT).an[0].rrname == ARPA_PUBLIC.encode()  # not shared, if not compressed


@pytest.mark.parametrize(
    "record",
    [
        DNSRRRSIG(rrname=NAME, typecovered=1, signersname="example.com.", signature=b"x" * 64),
        DNSRRTSIG(rrname="key.", mac_data=b"x" * 16, mac_len=16),
    ],
)
def test_what_is_signed_is_left_alone(record: Packet) -> None:
    data = bytes(answer(address(LOCAL), ar=[record]))
    dns, doors = gateway()
    assert dns.take(OUT, data) == []
    assert doors.refusals == {"signed": 1}


def test_a_datagram_does_not_outgrow_what_everybody_takes() -> None:
    dns, doors = gateway()
    filler = DNSRR(rrname=NAME, type="TXT", rdata=[b"x" * 200])
    data = bytes(answer(pointer(ARPA_LOCAL, NAME), filler, filler, name=ARPA_LOCAL))
    assert len(data) + 8 > PLAIN
    assert dns.take(OUT, data) == []
    assert doors.refusals == {"message too long": 1}
    same = bytes(answer(address(LOCAL), filler, filler))  # what keeps its length may be as long as it is
    assert len(same) > PLAIN
    assert DNS(edited(same, dns.take(OUT, same))).an[0].rdata == PUBLIC


def prefixed(*messages: bytes) -> bytes:
    return b"".join(len(one).to_bytes(2, "big") + one for one in messages)


def unprefixed(data: bytes) -> list[DNS]:
    found = []
    while data:
        length = int.from_bytes(data[:2], "big")
        assert len(data) >= 2 + length
        found.append(DNS(data[2 : 2 + length]))
        data = data[2 + length :]
    return found


def test_over_tcp_several_at_once() -> None:
    dns, _ = gateway(6)
    data = prefixed(
        bytes(answer(address(LOCAL))),
        compressed(answer(pointer(ARPA_LOCAL, NAME), name=ARPA_LOCAL)),
        bytes(answer(address(OTHER))),
    )
    one, two, three = unprefixed(through(dns, OUT, data))
    assert one.an[0].rdata == PUBLIC
    assert two.an[0].rrname == ARPA_PUBLIC.encode()
    assert three.an[0].rdata == OTHER
    assert dns.context() == b""


def test_over_tcp_a_length_that_came_alone() -> None:
    dns, doors = gateway(6)
    data = prefixed(bytes(answer(address(LOCAL))))
    assert unprefixed(through(dns, OUT, data, 2))[0].an[0].rdata == PUBLIC
    grows = prefixed(compressed(answer(pointer(ARPA_LOCAL, NAME), name=ARPA_LOCAL)))
    assert through(dns, OUT, grows, 2) == grows
    assert doors.refusals == {"split message": 1}


@settings(deadline=None)
@given(cuts=st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_over_tcp_in_any_pieces(cuts: list[int]) -> None:
    dns, doors = gateway(6)
    messages = [bytes(answer(address(LOCAL), address(OTHER))) for _ in range(3)]
    data = prefixed(*messages)
    out = through(dns, OUT, data, *cuts)
    got = unprefixed(out)
    left = sum(one.an[0].rdata == LOCAL for one in got)
    assert left == doors.counts["split message"]
    assert {one.an[0].rdata for one in got} <= {LOCAL, PUBLIC}
    assert {one.an[1].rdata for one in got} == {OTHER}
    assert not dns.ended
    assert dns.context() == b""


def test_over_tcp_a_takeover_within_a_message() -> None:
    dns, _ = gateway(6)
    data = prefixed(bytes(answer(address(LOCAL)))) * 2
    for cut in range(1, len(data)):
        dns, _ = gateway(6)
        taker, _ = gateway(6)
        out = through(dns, OUT, data[:cut])
        assert len(dns.context()) <= 8
        assert taker.restore(dns.context())
        assert taker.context() == dns.context() or data[cut - 2 : cut] == data[:2]
        out += through(taker, OUT, data[cut:])
        assert len(unprefixed(out)) == 2
        assert not taker.ended


def test_over_tcp_something_else() -> None:
    dns, doors = gateway(6)
    assert dns.take(OUT, b"\0\x0bGET / HTTP/1.1\r\n") == []
    assert dns.ended
    assert doors.refusals == {"no DNS message": 1}


HEAD = b"\0\x01\x84\0\0\x01\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed message"),
        (HEAD[:-1], "malformed message"),
        (HEAD, "malformed name"),
        (HEAD + b"\xc0\x0c\0\x01\0\x01", "malformed name"),  # to itself
        (HEAD + b"\xc0\xff\0\x01\0\x01", "malformed name"),  # forwards
        (HEAD + b"\xc0\x00\0\x01\0\x01", "malformed name"),  # into the header
        (HEAD + b"\x01a\xc0\x0c\0\x01\0\x01", "malformed name"),  # into the same name
        (HEAD + b"\x40" + bytes(80), "malformed name"),
        (HEAD + b"\x3fabc", "malformed name"),
        (HEAD + b"\x01a" * 128 + b"\0\0\x01\0\x01", "malformed name"),
        (HEAD + b"\0\0\x01", "malformed message"),
        (b"\0\x01\x84\0\xff\xff\0\0\0\0\0\0", "too many records"),
        (b"\0\x01\x84\0\0\x01\0\x01\0\0\0\0\0\0\x01\0\x01\0\0\x01\0\x01\0\0\0\0\0\x05", "malformed message"),
        (bytes(LONGEST + 1), "message too long"),
    ],
)
def test_what_is_wrong_passes_unchanged(data: bytes, reason: str) -> None:
    dns, doors = gateway()
    assert dns.take(OUT, data) == []
    assert doors.refusals == {reason: 1}


def test_pointers_in_a_row() -> None:
    def chain(jumps: int) -> bytes:
        names = b"\x01a\0\0\x01\0\x01" + b"".join(
            b"\xc0" + bytes((12 if at == 0 else 13 + at * 6,)) + b"\0\x01\0\x01" for at in range(jumps)
        )
        return HEAD[:4] + (jumps + 1).to_bytes(2, "big") + bytes(6) + names

    for jumps, refused in ((JUMPS, 0), (JUMPS + 1, 1)):
        dns, doors = gateway()
        dns.take(OUT, chain(jumps))
        assert doors.counts["malformed name"] == refused


def test_the_most_records_take_a_bounded_time() -> None:
    names = b"\x01a" * 100 + b"\0\0\x01\0\x01" + b"\xc0\x0c\0\x01\0\x01" * (RECORDS - 1)
    dns, doors = gateway()
    dns.take(OUT, HEAD[:4] + RECORDS.to_bytes(2, "big") + bytes(6) + names)
    assert doors.counts == {"message": 1}


@settings(deadline=None)
@given(
    st.binary(max_size=400),
    st.booleans(),
    st.sampled_from([6, 17]),
    st.lists(st.integers(1, 400), max_size=4),
)
def test_any_bytes(data: bytes, from_outside: bool, protocol: int, cuts: list[int]) -> None:
    dns, doors = gateway(protocol)
    through(dns, from_outside, data, *cuts)
    assert not doors.opened
    assert not doors.calls


@settings(deadline=None)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    message = answer(
        pointer(ARPA_LOCAL, ARPA_LOCAL), address(LOCAL), name=ARPA_LOCAL, ar=[address(LOCAL, ARPA_LOCAL)]
    )
    damaged = bytearray(compressed(message))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    dns, _ = gateway()
    edited(bytes(damaged), dns.take(OUT, bytes(damaged)))


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_context(context: bytes) -> None:
    dns, _ = gateway(6)
    if dns.restore(context):
        through(dns, OUT, prefixed(bytes(answer(address(LOCAL)))), 5)
        assert len(dns.context()) <= 8
