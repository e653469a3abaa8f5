"""What is not translated, and why: every reason has a counter, and no reason has two."""

from collections.abc import Callable

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, IPOption_RR
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from snat.config.nat import Filtering
from snat.nat.limits import Limits
from snat.nat.parking import Parking
from snat.translate.admission import MOST
from snat.translate.alg.reading import FARTHEST
from snat.translate.alg.sequence import Change
from snat.translate.fragments import MOST_FRAGMENTS
from snat.translate.packet import START, TRANSPORT
from snat.translate.translator import Verdict
from tests.packets import buffer, echo, parse, tcp, udp
from tests.translate.alg.flow import Connection, carried, ftp_nat
from tests.translate.configured import nat_by
from tests.translate.errors import error
from tests.translate.nat import (
    INSIDE,
    MAPPING,
    OUTCOMES,
    TRANSLATED,
    A,
    B,
    Nat,
    P,
    S,
    endpoint,
    permit,
    rules,
)


def question(**ip: object) -> Packet:
    return udp(A, 5000, S, 53, b"x", **ip)


BEGUN = 1001
"""Of the client of a connection that is read."""


def said(payload: bytes, *, seq: int = BEGUN, **fields: int) -> Packet:
    return tcp(A, 40000, S, 21, "PA", payload, seq=seq, ack=5001, **fields)


def logged_in() -> Nat:
    return Connection(ftp_nat()).open().nat


def crowded_stream() -> Nat:
    nat = logged_in()
    carried(nat, said(b"NOOP\r\n", seq=BEGUN + 10), from_outside=False)
    return nat


def forgetful() -> Nat:
    """A segment that was edited comes again, and nobody knows what it became."""
    nat = logged_in()
    application = next(iter(nat.translator._inside[6].values())).application
    assert application is not None
    numbers = application.context.outward
    numbers.next = BEGUN + 6
    numbers.changes.append(Change(BEGUN, BEGUN + 6, None, 3))
    return nat


def unmanaged() -> Nat:
    return Nat(manages=False)


def restrained() -> Nat:
    nat = Nat()
    nat.translator.flows.restrain(MAPPING, True)
    return nat


def exhausted() -> Nat:
    return Nat(rules(slots=[]))


def among_peers() -> Nat:
    """All ports but those of slot 5 are others' to give: 5002 is ours, 5000 is not."""
    nat = Nat(rules(slots=[5]))
    for pool in nat.translator.flows.rules.pools:
        pool.parking = Parking()  # type: ignore[union-attr]
    nat.translator.early.open = True
    return nat


def without_address() -> Nat:
    rule = "ip nat inside source list 1 interface out0 overload"
    return nat_by("interface out0", " no ip address", rule)


def renamed() -> Nat:
    return nat_by(f"ip nat outside source static tcp {S} 80 10.9.9.9 80")


def crossed() -> Nat:
    nat = nat_by(*(f"ip nat inside source static {A} 203.0.113.{last} extendable" for last in (20, 21)))
    nat.back(udp(S, 4000, "203.0.113.20", 53))
    return nat


def mapped() -> Nat:
    nat = Nat()
    nat.out(question())
    nat.out(tcp(A, 5000, S, 80))
    return nat


def tunnelled() -> Nat:
    nat = Nat()
    nat.out(IP(src=A, dst=S, proto=47) / Raw(bytes(20)))
    return nat


FIRST = bytes(UDP(sport=5000, dport=53, len=1000, chksum=0)) + bytes(8)
"""16 bytes that a datagram begins with."""


def piece(offset: int, payload: bytes, flags: str | int = 0, ttl: int = 64) -> Packet:
    """A fragment of a datagram from A to S; the offset is in units of 8 bytes."""
    return IP(src=A, dst=S, proto=17, id=7, flags=flags, frag=offset, ttl=ttl) / Raw(payload)


def begun() -> Nat:
    nat = Nat()
    filled, end = buffer(piece(0, FIRST, "MF"))
    assert nat.raw(filled, end, False) == (Verdict.TO_OUTSIDE, "slow")
    return nat


def crumbled() -> Nat:
    nat = begun()
    for number in range(MOST_FRAGMENTS - 1):
        filled, end = buffer(piece(2 + number * 2, bytes(8), "MF"))
        assert nat.raw(filled, end, False)[0] == Verdict.TO_OUTSIDE
    return nat


def refused() -> Nat:
    nat = begun()
    filled, end = buffer(piece(1, b"x"))
    nat.raw(filled, end, False)
    return nat


def limited() -> Nat:
    nat = Nat(limits=Limits(total=1))
    nat.out(question())
    return nat


def crowded() -> Nat:
    nat = Nat(filtering=Filtering.ENDPOINT_INDEPENDENT)
    nat.out(question())
    filled, end = buffer(udp("192.0.2.1", 0, P, 5000))
    for port in range(MOST - 1):
        filled[TRANSPORT : TRANSPORT + 2] = port.to_bytes(2, "big")
        nat.raw(bytearray(filled), end, True)
    return nat


REASONS: list[tuple[str, Callable[[], Nat], Packet | bytes, bool]] = [
    ("malformed", Nat, bytes(question())[:19], False),
    (
        "malformed",
        mapped,
        IP(src=A, dst=S, proto=6, flags="DF") / Raw(bytes.fromhex("13880050") + bytes(15)),
        False,
    ),
    ("not_ipv4", Nat, b"", False),
    ("malformed", Nat, bytes(question())[:-1], False),
    ("malformed", Nat, question(ihl=4), False),
    ("malformed", Nat, question(ihl=15), False),
    ("malformed", Nat, question(len=10), False),
    ("malformed", Nat, question(len=27), False),
    ("malformed", Nat, question(len=4000), False),
    ("malformed", Nat, question(chksum=1, flags=0), False),
    ("malformed", Nat, IP(src=A, dst=S, proto=17) / Raw(b"short"), False),
    ("malformed", Nat, IP(src=A, dst=S, proto=6) / Raw(bytes(19)), False),
    ("malformed", Nat, IP(src=A, dst=S, proto=17) / Raw(bytes(7)), False),
    ("malformed", Nat, IP(src=A, dst=S, proto=1) / Raw(bytes(7)), False),
    ("not_ipv4", Nat, IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP() / b"x", False),
    ("not_ipv4", Nat, bytes(40), False),
    ("options", Nat, IP(src=A, dst=S, options=[IPOption_RR()]) / UDP(), False),
    ("malformed", Nat, piece(0, bytes(15), "MF"), False),
    ("malformed", Nat, piece(2, b""), False),
    ("malformed", Nat, piece(8190, bytes(8)), False),
    ("ttl_exceeded", Nat, piece(2, b"x", ttl=1), False),
    ("fragments_held", Nat, piece(2, b"x"), False),
    ("fragments_tiny", Nat, IP(src=A, dst=S, proto=6, frag=1) / Raw(bytes(8)), False),
    ("fragments_overlapping", begun, piece(1, b"x"), False),
    ("fragments_duplicate", begun, piece(0, FIRST, "MF"), False),
    ("fragments_too_many", crumbled, piece(800, b"x"), False),
    ("fragments_refused", refused, piece(2, b"x"), False),
    ("address_taken", tunnelled, IP(src=B, dst=S, proto=47) / Raw(bytes(20)), False),
    ("authenticated", Nat, IP(src=A, dst=S, proto=51) / Raw(bytes(24)), False),
    ("multicast", Nat, udp(A, 5000, "239.1.2.3", 53), False),
    ("multicast", Nat, udp(A, 68, "255.255.255.255", 67), False),
    ("icmp_type", Nat, IP(src=S, dst=P) / ICMP(type=40) / bytes(question()), True),
    ("malformed", Nat, IP(src=A, dst=S, options=[IPOption(b"\x94\x09\0\0")]) / UDP(), False),
    ("icmp_unknown", Nat, error(S, P, udp(P, 5000, S, 53)), True),
    ("icmp_truncated", mapped, error(S, P, udp(P, 5000, S, 53), most=27), True),
    ("icmp_checksum", mapped, IP(src=S, dst=P) / ICMP(type=3, code=4, chksum=1) / bytes(question()), True),
    ("icmp_fragment", mapped, error(S, P, udp(P, 5000, S, 53, frag=1)), True),
    ("icmp_about_error", mapped, error(S, P, error(P, S, udp(S, 53, P, 5000))), True),
    ("icmp_misdirected", mapped, error(S, P, question()), True),
    ("icmp_redirect", mapped, error(S, P, udp(P, 5000, S, 53), 5), True),
    ("icmp_source_quench", mapped, error(S, P, udp(P, 5000, S, 53), 4), True),
    ("ttl_exceeded", Nat, question(ttl=1), False),
    ("ttl_exceeded", Nat, question(ttl=0), False),
    ("not_managed", unmanaged, question(), False),
    ("not_managed", unmanaged, tcp(A, 5000, S, 80), False),
    ("restrained", restrained, question(), False),
    ("not_syn", Nat, tcp(A, 5000, S, 80, "A"), False),
    ("filtered", mapped, udp("192.0.2.1", 53, P, 5000), True),
    ("limited", limited, udp(B, 5000, S, 53), False),
    ("limited", limited, udp(S, 99, P, 5000), True),
    ("crowded", crowded, udp("192.0.2.1", 9999, P, 5000), True),
    ("unknown_inbound", Nat, udp(S, 53, P, 5000), True),
    ("early_held", among_peers, udp(S, 53, P, 5000), True),
    ("unknown_inbound", among_peers, udp(S, 53, P, 5002), True),
    ("hairpins", mapped, udp("192.0.2.9", 1, P, 5000), False),
    ("exhausted", exhausted, question(), False),
    ("no_address", without_address, question(), False),
    ("unknown_outbound", renamed, udp(A, 5000, "10.9.9.9", 53), False),
    ("ambiguous", crossed, udp(S, 4000, "203.0.113.21", 53), True),
    ("not_query", Nat, echo(A, S, 7, reply=True), False),
    ("read_corrupt", logged_in, said(b"NOOP\r\n", chksum=1), False),
    ("read_held", logged_in, said(b"NOOP\r\n", seq=BEGUN + 10), False),
    ("read_beyond", logged_in, said(b"NOOP\r\n", seq=BEGUN + FARTHEST + 10), False),
    ("read_crowded", crowded_stream, said(b"NOOP\r\n", seq=BEGUN + 10), False),
    ("read_forgotten", forgetful, said(b"NOOP\r\n"), False),
]


@pytest.mark.parametrize(
    ("reason", "made", "packet", "from_outside"),
    REASONS,
    ids=[f"{number}-{one[0]}" for number, one in enumerate(REASONS)],
)
def test_the_reason_is_counted(
    reason: str, made: Callable[[], Nat], packet: Packet | bytes, from_outside: bool
) -> None:
    nat = made()
    entries = len(nat.table)
    filled, end = buffer(packet)
    assert nat.raw(filled, end, from_outside) == (Verdict.DROP, reason)
    assert len(nat.table) == entries


def test_every_reason_is_tested() -> None:
    assert {one[0] for one in REASONS} == set(OUTCOMES) - set(TRANSLATED)


def test_a_runt_does_not_borrow_from_the_packet_before_it() -> None:
    """The buffer is used again and again: what follows a short packet is the last one's."""
    nat = mapped()
    filled, end = buffer(question())
    for short in range(START, end):
        copy = bytearray(filled)
        assert nat.raw(copy, short, False) == (Verdict.DROP, "malformed")


def test_bytes_behind_the_packet_stay() -> None:
    """A short packet of Ethernet is padded."""
    nat = mapped()
    filled, end = buffer(bytes(question()) + b"padding")
    assert nat.raw(filled, end, False) == (Verdict.TO_OUTSIDE, "hits")
    assert filled[end - 7 : end] == b"padding"


def test_a_wrong_header_checksum_never_becomes_right() -> None:
    """On the fast path it is not looked at; the next router does."""
    nat = mapped()
    right = question()
    del right[IP].chksum
    wrong = question(chksum=IP(bytes(right)).chksum ^ 0x0101)
    filled, end = buffer(wrong)
    if nat.raw(filled, end, False)[0] != Verdict.DROP:
        made = parse(filled, end)
        fresh = made.copy()
        del fresh.chksum
        assert IP(bytes(fresh)).chksum != made.chksum


# TTL


@pytest.mark.parametrize("flags", ["DF", 0, "evil"], ids=["fast", "without DF", "slow"])
@pytest.mark.parametrize(
    ("step", "ttl", "leaves"),
    [
        (1, 1, 2),
        (1, 64, 65),
        (1, 254, 255),
        (1, 255, None),
        (1, 0, None),
        (-1, 2, 1),
        (-1, 64, 63),
        (-1, 255, 254),
        (-1, 1, None),
        (-1, 0, None),
    ],
)
def test_i10a_the_ttl_says_one_hop(step: int, ttl: int, leaves: int | None, flags: str | int) -> None:
    """Between the TUNs the kernel has taken one and takes another: 1 is a packet that came with 2."""
    nat = Nat(ttl_step=step)
    nat.out(question())
    out = nat.out(question(ttl=ttl, flags=flags))
    assert (out.ttl if out else None) == leaves
    if leaves is None:
        assert nat.counters.ttl_exceeded == 1


@pytest.mark.parametrize(
    ("step", "ttl", "leaves"), [(1, 1, 2), (1, 255, None), (-1, 1, None), (-1, 255, 254)]
)
def test_i10a_also_of_what_passes_untranslated(step: int, ttl: int, leaves: int | None) -> None:
    nat = Nat(rules(lines=(permit(INSIDE, False),)), ttl_step=step)
    out = nat.out(question(ttl=ttl))
    assert (out.ttl if out else None) == leaves


# What no rule is for


@pytest.mark.parametrize(
    "packet",
    [
        udp("192.0.2.9", 1, S, 2),
        tcp("192.0.2.9", 1, S, 2, "PA", b"no entry"),
        IP(src="192.0.2.9", dst=S, proto=47) / Raw(bytes(20)),
        IP(src="192.0.2.9", dst=S, options=[IPOption_RR()]) / UDP() / b"x",
        IP(src="192.0.2.9", dst=S, flags="MF", frag=0) / UDP() / b"fragment",
        IP(src="192.0.2.9", dst=S) / ICMP(type=11) / bytes(question()),
    ],
    ids=["udp", "tcp", "gre", "options", "first fragment", "icmp error"],
)
def test_what_is_exempt_passes_unchanged_but_for_ttl(packet: Packet) -> None:
    nat = Nat()
    before = bytes(packet)
    filled, end = buffer(packet)
    for from_outside in (False, True):
        copy = bytearray(filled)
        verdict, outcome = nat.raw(copy, end, from_outside)
        assert (verdict != Verdict.DROP, outcome) == (True, "passed")
        expected = IP(before)
        expected.ttl -= 1
        del expected.chksum
        if TCP not in expected and UDP not in expected:
            assert bytes(copy[START:end]) == bytes(expected)
        else:
            assert bytes(copy[START + 12 : end]) == before[12:]
            assert copy[START + 8] == before[8] - 1
            assert IP(bytes(copy[START:end])).chksum == IP(bytes(expected)).chksum
    assert len(nat.table) == 0


def test_a_flow_stays_translated_when_its_source_is_no_longer_permitted() -> None:
    """Entries that exist stay: no packet of theirs leaks, whichever path it takes."""
    nat = Nat()
    nat.out(tcp(A, 5000, S, 80))
    nat.back(tcp(S, 80, P, 5000, "SA"))
    denied = rules(lines=(permit(INSIDE, False),))
    nat.translator.configure(denied, nat.translator.flows.timeouts)
    assert endpoint(nat.out(tcp(A, 5000, S, 80, "A", b"fast"))) == (P, 5000)
    assert endpoint(nat.out(tcp(A, 5000, S, 80, "FA"))) == (P, 5000)
    assert endpoint(nat.out(tcp(A, 5001, S, 80))) == (A, 5001)
