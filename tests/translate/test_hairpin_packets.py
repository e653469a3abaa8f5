"""The bytes of packets between inside hosts: sums, offloads, fragments, options, hops, errors."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP, IPOption_RR, defragment, fragment
from scapy.packet import Packet, Raw

from snat.translate.packet import NEEDS_CHECKSUM, START
from snat.translate.translator import Verdict
from tests.packets import buffer, checksums_are_right, echo, parse, pseudo_header_sum, tcp, udp
from tests.translate.configured import nat_by
from tests.translate.errors import G as ROUTER
from tests.translate.errors import dropped, error, hops_later, quote, through
from tests.translate.nat import A, B, Nat, P, S
from tests.translate.turned import POOL, C, G, H, connected, ends, flows, from_a, served

# Sums and offloads


@pytest.mark.parametrize("checksum", [0, None], ids=["no checksum", "checksum"])
@pytest.mark.parametrize("flags", ["DF", 0], ids=["atomic", "identified"])
def test_b5_a_datagram_with_and_without_a_checksum(checksum: int | None, flags: str | int) -> None:
    nat = served()
    for payload in (b"odd", b"even", b"once more"):
        sent = udp(A, 5000, G, 5353, payload, flags=flags)
        sent[UDP].chksum = checksum
        came = nat.turned(sent)
        assert ends(came) == ((P, 5000), (B, 53))
        assert came is not None
        assert (came[UDP].chksum == 0) == (checksum == 0)


def test_b5_a_checksum_that_comes_out_as_0_is_ffff() -> None:
    nat = served()
    first = nat.turned(udp(A, 5000, G, 5353, b"\0\0"))
    assert first is not None
    word = first[UDP].chksum.to_bytes(2, "big")  # added to the payload, it leaves a sum of 0xFFFF
    for _ in range(2):
        came = nat.turned(udp(A, 5000, G, 5353, word))
        assert came is not None
        assert came[UDP].chksum == 0xFFFF


@pytest.mark.parametrize("kind", ["udp", "tcp"])
@pytest.mark.parametrize("fast", [True, False])
def test_a_partial_checksum_follows_the_addresses(kind: str, fast: bool) -> None:
    """A super-packet's header stays as it is, and what completes the sum finds the right one."""
    nat = connected(served())
    nat.turned(udp(A, 5000, G, 5353))
    packet = udp(A, 5000, G, 5353, b"data") if kind == "udp" else from_a("PA" if fast else "FPA", b"data")
    if not fast:
        packet[IP].flags = "evil"
    sent = IP(bytes(packet))
    layer = UDP if kind == "udp" else TCP
    sent[layer].chksum = pseudo_header_sum(sent)
    filled, end = buffer(sent)
    virtio = bytes((NEEDS_CHECKSUM, 1)) + bytes(range(2, START))
    filled[:START] = virtio
    assert nat.raw(filled, end, False) == (Verdict.TO_INSIDE, "hits" if fast else "slow")
    made = parse(filled, end)
    assert filled[:START] == virtio
    assert made[layer].chksum == pseudo_header_sum(made)
    assert (made.src, made.dst) == (P, B)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["udp", "tcp", "echo"]),
    st.binary(max_size=40),
    st.integers(1, 65535),
    st.integers(2, 255),
    st.booleans(),
)
def test_any_packet_is_as_scapy_would_make_it(kind: str, data: bytes, port: int, ttl: int, df: bool) -> None:
    """:meth:`Nat.turned` compares all of it; the second one takes the fast path."""
    nat = served()
    packet = {
        "udp": udp(A, port, G, 5353, data),
        "tcp": tcp(A, port, G, 8080, "S", data),
        "echo": echo(A, H, port) / Raw(data),
    }[kind]
    packet[IP].flags, packet[IP].ttl = "DF" if df else 0, ttl
    first, second = nat.turned(packet), nat.turned(packet)
    assert first is not None
    assert second is not None
    assert (first.src, first.dst) == (second.src, second.dst) == (P, B)


# Hops, options, fragments


@pytest.mark.parametrize(
    ("step", "ttl", "leaves"), [(1, 1, 2), (1, 254, 255), (1, 255, None), (-1, 2, 1), (-1, 1, None)]
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
def test_i10a_the_ttl_says_one_hop(step: int, ttl: int, leaves: int | None, known: bool) -> None:
    """Between the TUNs the kernel forwards it twice, as it does what goes outside."""
    nat = Nat(served().translator.flows.rules, ttl_step=step)
    if known:
        nat.turned(udp(A, 5000, G, 5353))
    came = nat.turned(udp(A, 5000, G, 5353, ttl=ttl))
    assert (came.ttl if came else None) == leaves


def test_i10a_who_is_dropped_for_its_ttl_is_told_inside() -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    assert nat.dropped(udp(A, 5000, G, 5353, ttl=1), from_outside=False) == "ttl_exceeded"
    ((verdict, told),) = nat.translator.more
    assert verdict is Verdict.TO_INSIDE
    assert IP(told[START:]).dst == A


def test_b8_options_pass_and_addresses_in_them_do_not() -> None:
    nat = served()
    came = nat.turned(udp(A, 5000, G, 5353, options=[IPOption_NOP()]))
    assert ends(came) == ((P, 5000), (B, 53))
    assert came is not None
    assert came.ihl == 6
    assert nat.dropped(udp(A, 5000, G, 5353, options=[IPOption_RR()]), from_outside=False) == "options"


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("new", [True, False], ids=["new", "known"])
def test_u14_fragments_in_any_order(order: tuple[int, ...], new: bool) -> None:
    nat, data = served(), bytes(range(250)) * 2
    if not new:
        nat.turned(udp(A, 5000, G, 5353))
    pieces = list(fragment(udp(A, 5000, G, 5353, data, flags=0, id=7), 200))
    left = []
    for number in order:
        filled, end = buffer(pieces[number])
        verdict, _ = nat.raw(filled, end, False)
        left += [(verdict, bytes(filled[START:end]))] if verdict else []
        left += [(where, more[START:]) for where, more in nat.translator.more]
        nat.translator.more.clear()
    assert {verdict for verdict, _ in left} == {Verdict.TO_INSIDE}
    made = sorted((IP(packet) for _, packet in left), key=lambda one: int(one.frag))
    assert {(one.src, one.dst, one.id, one.ttl) for one in made} == {(P, B, made[0].id, 63)}
    (got,) = defragment(made)
    got = IP(bytes(got))
    assert checksums_are_right(got)
    assert (ends(got), bytes(got[UDP].payload)) == (((P, 5000), (B, 53)), data)


# Errors


def refused(nat: Nat, by: str, came: Packet, kind: int = 3, code: int = 3) -> Packet:
    """What an error about a packet between inside hosts becomes; ``came`` is what its receiver saw."""
    return through(nat, error(by, came.src, came, kind, code), False, goes_out=False)


@pytest.mark.parametrize("by", [B, ROUTER], ids=["the host", "a router"])
@pytest.mark.parametrize("kind", ["udp", "tcp", "new"])
def test_i7_an_error_finds_the_sender(by: str, kind: str) -> None:
    nat = connected(served())
    sent = tcp(A, 5000, G, 8080, "A", b"data") if kind == "tcp" else udp(A, 5000, G, 5353, b"to me?")
    if kind == "udp":
        nat.turned(sent)
    came = nat.turned(sent)
    assert came is not None
    told = refused(nat, by, came)
    assert (told.src, told.dst) == (G, A)
    assert quote(told) == hops_later(sent)


@pytest.mark.parametrize("by", [A, ROUTER], ids=["the host", "a router"])
def test_i7_an_error_about_the_answer_finds_who_answered(by: str) -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    sent = udp(B, 53, P, 5000, b"too late")
    came = nat.turned(sent)
    assert came is not None
    told = refused(nat, by, came, 11, 0)
    assert (told.src, told.dst) == (P, B)
    assert quote(told) == hops_later(sent)


@pytest.mark.parametrize("reply", [False, True], ids=["query", "reply"])
def test_i7_an_error_about_a_query_has_its_identifier(reply: bool) -> None:
    nat = served()
    nat.turned(echo(A, H, 7))
    first = nat.turned(echo(C, H, 7))
    assert first is not None
    sent = echo(B, P, first.payload.id, reply=True) if reply else echo(C, H, 7)
    came = nat.turned(sent)
    assert came is not None
    told = refused(nat, C if reply else B, came, 11, 1)
    assert (told.src, told.dst) == ((P, B) if reply else (H, C))
    got, expected = IP(quote(told)), IP(hops_later(sent))
    assert checksums_are_right(got)
    got.id = expected.id  # it was numbered anew when it was translated, which nobody remembers
    del got.chksum
    assert bytes(got) == bytes(expected)


def test_i7_an_error_about_what_a_host_sent_to_itself() -> None:
    nat = served()
    sent = udp(B, 9, H, 9, b"me?")
    came = nat.turned(sent)
    assert came is not None
    told = refused(nat, B, came)
    assert (told.src, told.dst) == (H, B)
    assert quote(told) == hops_later(sent)


def test_i7_the_routers_own_errors_come_from_outside() -> None:
    """What the kernel finds out on the last step: nobody there, too long. Our addresses lead it outside."""
    nat = served()
    sent = udp(A, 5000, G, 5353, b"far too long")
    came = nat.turned(sent)
    assert came is not None
    told = through(nat, error(ROUTER, P, came, 3, 4, rest=b"\0\0\x05\x14"), True, goes_out=False)
    assert (told.src, told.dst) == (G, A)
    assert quote(told) == hops_later(sent)
    assert bytes(told)[26:28] == b"\x05\x14"


def test_i4_an_error_from_outside_about_what_an_inside_host_gets_does_not_pass() -> None:
    """It quotes the packet as it is inside, where nobody outside has seen it."""
    nat = nat_by(*POOL, f"ip nat outside source static {S} 10.9.8.1")
    assert nat.out(udp(A, 5000, "10.9.8.1", 53)) is not None
    about = udp("10.9.8.1", 53, A, 5000)
    assert dropped(nat, error(S, "10.9.8.1", about), True) == "icmp_unknown"


@pytest.mark.parametrize("about", [udp(P, 5001, B, 53), udp(P, 5000, B, 54), udp(P, 5000, C, 53)])
def test_i7_an_error_about_no_flow_does_not_pass(about: Packet) -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    for from_outside in (False, True):
        assert dropped(nat, error(B, P, about), from_outside) == "icmp_unknown"


def test_i6_t10_an_error_changes_nothing() -> None:
    nat = connected(served())
    before = flows(nat)
    came = nat.turned(from_a("A", b"data"))
    assert came is not None
    nat.wait(100)
    refused(nat, B, came)
    assert flows(nat) == before
    assert [nat.translator.flows.remaining(one.pack(), nat.now) for one in before] == [7340, 7340]
