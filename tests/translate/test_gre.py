"""GRE packets of PPTP calls by their call IDs, and all other GRE by addresses (RFC 2637 section 4.1)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, IPOption_Router_Alert, fragment
from scapy.layers.l2 import GRE_PPTP
from scapy.packet import Packet, Raw

from snat.nat.entry import LOCAL_NAT_ID, Entry, Flag, State, TimeoutClass
from tests.packets import bare, buffer
from tests.translate.alg.flow import services
from tests.translate.alg.written_doors import packed
from tests.translate.configured import nat_by
from tests.translate.errors import error, quote, through
from tests.translate.nat import A, B, Nat, P, S, T, timeouts

GRE = 47


def call(
    source: str, destination: str, call_id: int, payload: bytes = b"\xff\x03\xc0\x21", **ip: object
) -> Packet:
    """A data packet, with both numbers, as scapy makes it."""
    data = Raw(payload)
    numbers = {"seqnum_present": 1, "sequence_number": 3, "acknum_present": 1, "ack_number": 2}
    header = GRE_PPTP(call_id=call_id, payload_len=len(payload), **numbers)
    return IP(**{"src": source, "dst": destination, "proto": GRE, **ip}) / header / data


def id_of(packet: Packet | None) -> int:
    assert packet is not None
    return int(struct.unpack_from("!H", bytes(packet), packet.ihl * 4 + 6)[0])


def pptp() -> Nat:
    """A device whose gateway of PPTP is on."""
    nat = Nat()
    turn_on(nat)
    return nat


def turn_on(nat: Nat) -> None:
    nat.translator.reader.use(services("pptp"))


def expect(nat: Nat, host: str, own: int, server: str, outside: int, number: int = 1000) -> None:
    """The entry that the gateway has made: packets of ``server`` with the ID ``outside`` are for ``host``."""
    far = packed(server), 0
    entry = Entry(
        *(LOCAL_NAT_ID, number + outside, 0, packed(host), own, GRE, packed(P), outside, *far, *far),
        flags=Flag.EXTENDED,
        state=State.OPEN,
        timeout_class=TimeoutClass.OTHER,
        remaining=300,
    )
    nat.table.add([entry.pack()])


def test_off_it_goes_by_addresses() -> None:
    nat = Nat()
    assert id_of(nat.out(call(A, S, 9))) == 9
    assert id_of(nat.back(call(S, P, 7))) == 7
    assert len(nat.table) == 1
    assert nat.dropped(call(B, S, 10), from_outside=False) == "address_taken"


def test_two_hosts_and_one_server() -> None:
    """Both gave their call the same ID; so did the server's two processes give others."""
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    expect(nat, B, 1, S, 40002)
    for host, theirs, outside in ((A, 91, 40000), (B, 92, 40002)):
        for _ in range(2):
            out = nat.out(call(host, S, theirs))
            assert out is not None
            assert (out.src, out.dst, id_of(out)) == (P, S, theirs)
            back = nat.back(call(S, P, outside))
            assert back is not None
            assert (back.src, back.dst, id_of(back)) == (S, host, 1)
    assert nat.counters.created == 2  # one for each way out


def test_several_calls_of_one_host() -> None:
    nat = pptp()
    for own in range(1, 6):
        expect(nat, A, own, S, 40000 + own)
        assert id_of(nat.out(call(A, S, 90 + own))) == 90 + own
        assert id_of(nat.back(call(S, P, 40000 + own))) == own


def test_nobody_gets_what_is_not_expected() -> None:
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    nat.out(call(A, S, 91))
    assert nat.dropped(call(S, P, 40001), from_outside=True) == "unknown_inbound"
    assert nat.dropped(call(S, P, 1), from_outside=True) == "unknown_inbound"
    assert nat.dropped(call(T, P, 40000), from_outside=True) == "filtered"
    assert nat.dropped(call(S, P, 91), from_outside=True) == "unknown_inbound"


def test_other_gre_to_the_same_server_goes_by_addresses() -> None:
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    for _ in range(2):
        assert id_of(nat.out(call(A, S, 2048))) == 2048
        plain = nat.out(bare(A, S, GRE, b"\0\0\x08\0" + b"payload"))
        assert plain is not None
        back = nat.back(bare(S, P, GRE, b"\0\0\x08\0" + b"payload"))
        assert back is not None
        assert back.dst == A
    assert {record[39:41] for record in nat.table.records()} == {b"\x08\0", b"\0\0"}


def test_a_call_ages_by_itself() -> None:
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    nat.translator.flows.manage(0, True, nat.now)
    nat.out(call(A, S, 91))
    nat.back(call(S, P, 40000))
    nat.wait(timeouts().of(TimeoutClass.OTHER, State.OPEN) + 60)
    assert len(nat.table) == 0


def test_options_and_fragments() -> None:
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    options = [IPOption_Router_Alert()]
    assert id_of(nat.out(call(A, S, 91, options=options))) == 91
    assert id_of(nat.back(call(S, P, 40000, options=options))) == 1
    first, *others = fragment(call(S, P, 40000, bytes(range(200)), id=7), 96)
    assert id_of(nat.back(first)) == 1
    for one in others:
        later = nat.back(one)
        assert later is not None
        assert later.dst == A


def test_an_error_about_what_went_out() -> None:
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    out = nat.out(call(A, S, 91))
    assert out is not None
    told = through(nat, error(T, P, out, code=4), from_outside=True)
    assert (told.dst, IP(quote(told)).src, IP(quote(told)).dst, id_of(IP(quote(told)))) == (A, A, S, 91)


def test_an_error_about_what_came_in() -> None:
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    back = nat.back(call(S, P, 40000))
    assert back is not None
    told = through(nat, error(A, S, back, code=2), from_outside=False)
    assert ICMP in told
    quoted = IP(quote(told))
    assert (told.src, told.dst, quoted.src, quoted.dst, id_of(quoted)) == (P, S, S, P, 40000)


@pytest.mark.parametrize("most", [20, 24, 26])
def test_an_error_that_does_not_quote_the_id(most: int) -> None:
    nat = pptp()
    out = nat.out(call(A, S, 91))
    assert out is not None
    assert nat.dropped(error(T, P, out, most=most), from_outside=True).startswith("icmp")


def test_too_short_for_a_call() -> None:
    nat = pptp()
    out = nat.out(bare(A, S, GRE, b"\x30\x81\x88\x0b\0\0\0"))
    assert out is not None
    assert [record[39:41] for record in nat.table.records()] == [b"\0\0"]


@pytest.mark.parametrize("flags", [0x0001, 0xA001, 0x6001, 0x2801, 0x2000, 0x2002, 0x2101, 0x2009])
def test_other_flags_are_no_call(flags: int) -> None:
    nat = pptp()
    nat.out(bare(A, S, GRE, struct.pack("!HHHH", flags, 0x880B, 4, 5) + b"abcd"))
    nat.out(bare(A, T, GRE, struct.pack("!HHHH", 0x2001, 0x0800, 4, 5) + b"abcd"))
    assert [record[39:41] for record in nat.table.records()] == [b"\0\0", b"\0\0"]


@pytest.mark.parametrize("flags", [0x2001, 0x3001, 0x2081, 0x3081])
def test_with_or_without_numbers(flags: int) -> None:
    nat = pptp()
    nat.out(bare(A, S, GRE, struct.pack("!HHHH", flags, 0x880B, 4, 5) + b"abcd" * 3))
    assert [record[39:41] for record in nat.table.records()] == [b"\0\x05"]


@given(header=st.binary(max_size=16), inward=st.booleans())
def test_any_header(header: bytes, inward: bool) -> None:
    """Whatever GRE there is, only a call ID changes, and only if it is one that was given."""
    nat = pptp()
    expect(nat, A, 1, S, 40000)
    packet = bare(S, P, GRE, header) if inward else bare(A, S, GRE, header)
    filled, end = buffer(packet)
    verdict, _ = nat.raw(filled, end, inward)
    if verdict:
        changed = bytes(filled[30:end])
        assert changed == header or (inward and header[6:8] == b"\x9c\x40" and changed[6:8] == b"\0\x01")


def test_a_server_inside_with_an_address_of_its_own_keeps_its_ids() -> None:
    nat = nat_by(f"ip nat inside source static {A} {P}")
    turn_on(nat)
    assert id_of(nat.back(call(S, P, 5))) == 5
    assert id_of(nat.out(call(A, S, 6))) == 6
    assert packed(A) + b"\0\x05" + bytes((GRE,)) in nat.table.inside
