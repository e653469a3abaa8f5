"""TCP as RFC 5382 and RFC 7857 want it; the numbers are those of the requirements."""

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet

from snat.nat.entry import STATE, State
from snat.translate.packet import Verdict
from tests.packets import buffer, tcp, udp
from tests.translate.nat import A, B, Nat, P, S, T, endpoint, rules, target

ESTABLISHED, TRANSITORY, CLOSING, FINRST = 7440, 240, 240, 60


def from_a(flags: str, payload: bytes = b"", **numbers: int) -> Packet:
    return tcp(A, 5000, S, 80, flags, payload, **numbers)


def from_s(flags: str, payload: bytes = b"", port: int = 5000, **numbers: int) -> Packet:
    return tcp(S, 80, P, port, flags, payload, **numbers)


def state(nat: Nat) -> State:
    (record,) = nat.table
    return State(record[STATE])


def connected(nat: Nat | None = None) -> Nat:
    """A connection: ours begin at 100, theirs at 500."""
    nat = nat or Nat()
    assert endpoint(nat.out(from_a("S", seq=99))) == (P, 5000)
    assert target(nat.back(from_s("SA", seq=499, ack=100))) == (A, 5000)
    assert nat.out(from_a("A", seq=100, ack=500)) is not None
    assert state(nat) is State.ESTABLISHED
    return nat


def closed(nat: Nat) -> None:
    """Both FINs, both acknowledged."""
    assert nat.out(from_a("FA", seq=100, ack=500)) is not None
    assert nat.back(from_s("FA", seq=500, ack=101)) is not None
    assert nat.out(from_a("A", seq=101, ack=501)) is not None


def test_data_both_ways_takes_the_fast_path() -> None:
    nat = connected()
    slow = nat.counters.slow
    assert nat.out(from_a("PA", b"request", seq=100, ack=500)) is not None
    assert nat.back(from_s("PA", b"answer", seq=500, ack=107)) is not None
    assert nat.counters.slow == slow


def test_t1_mapping_is_endpoint_independent() -> None:
    nat = Nat()
    nat.out(tcp(B, 5000, S, 80))
    first = endpoint(nat.out(tcp(A, 5000, S, 80)))
    assert first != (P, 5000)
    assert endpoint(nat.out(tcp(A, 5000, T, 443))) == first


def test_t2_simultaneous_open() -> None:
    nat = Nat()
    assert nat.out(from_a("S", seq=99)) is not None
    assert target(nat.back(from_s("S", seq=499))) == (A, 5000)
    assert nat.out(from_a("SA", seq=99, ack=500)) is not None
    assert nat.back(from_s("SA", seq=499, ack=100)) is not None
    assert state(nat) is State.ESTABLISHED
    assert nat.out(from_a("A", b"x", seq=100, ack=500)) is not None
    assert nat.back(from_s("A", b"y", seq=500, ack=101)) is not None


def test_t3_filtering_is_address_dependent() -> None:
    nat = connected()
    assert nat.dropped(tcp(T, 7, P, 5000), from_outside=True) == "filtered"
    assert target(nat.back(tcp(S, 7, P, 5000))) == (A, 5000)
    assert len(nat.table) == 2


def test_t3_one_syn_from_outside_does_not_establish() -> None:
    """However often it is repeated; else it would hold an entry for two hours."""
    nat = connected()
    for _ in range(3):
        assert nat.back(tcp(S, 7, P, 5000)) is not None
    opened = next(one for one in nat.table if one[40] == 7)
    assert opened[STATE] == State.TRANSITORY
    assert nat.out(tcp(A, 5000, S, 7, "SA")) is not None
    opened = next(one for one in nat.table if one[40] == 7)
    assert opened[STATE] == State.ESTABLISHED


@pytest.mark.parametrize("flags", ["A", "PA", "SA", "FA", "R", "RA", "F", "", "SR"])
def test_t13_only_a_syn_opens(flags: str) -> None:
    nat = Nat()
    assert nat.dropped(from_a(flags, b"x"), from_outside=False) == "not_syn"
    connected(nat)
    assert nat.dropped(tcp(S, 81, P, 5000, flags), from_outside=True) == "not_syn"
    assert len(nat.table) == 1


def test_t5_a_syn_without_answer_lives_240_s() -> None:
    nat = Nat()
    nat.out(from_a("S"))
    nat.wait(TRANSITORY - 1)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


def test_t5_an_established_connection_lives_7440_s() -> None:
    nat = connected()
    nat.wait(ESTABLISHED - 1)
    assert nat.back(from_s("A", b"x", seq=500, ack=100)) is not None
    nat.wait(ESTABLISHED - 1)
    assert len(nat.table) == 1
    nat.wait(2)
    assert nat.dropped(from_s("A"), from_outside=True) == "unknown_inbound"
    assert len(nat.table) == 0


def test_t5_both_fins_without_their_acknowledgement_live_240_s() -> None:
    nat = connected()
    nat.out(from_a("FA", seq=100, ack=500))
    nat.back(from_s("FA", seq=500, ack=100))
    assert state(nat) is State.CLOSING
    nat.wait(CLOSING - 1)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


def test_both_fins_acknowledged_live_60_s_after_the_last_packet() -> None:
    nat = connected()
    closed(nat)
    nat.wait(30)
    assert nat.out(from_a("A", seq=101, ack=501)) is not None, "TIME_WAIT answers a repeated FIN"
    nat.wait(FINRST - 1)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


def test_sequence_numbers_wrap() -> None:
    nat = connected()
    top = 0xFFFFFFFF
    nat.out(from_a("FA", b"bye", seq=top - 2, ack=500))
    nat.back(from_s("A", seq=500, ack=1))
    nat.back(from_s("FA", seq=top, ack=1))
    nat.out(from_a("A", seq=1, ack=0))
    nat.wait(FINRST + 1)
    assert len(nat.table) == 0


def test_a_half_closed_connection_stays() -> None:
    nat = connected()
    nat.out(from_a("FA", seq=100, ack=500))
    nat.back(from_s("A", b"much more", seq=500, ack=101))
    nat.wait(CLOSING + 1)
    assert state(nat) is State.ESTABLISHED
    assert nat.back(from_s("A", b"still", seq=509, ack=101)) is not None


@pytest.mark.parametrize("from_outside", [False, True])
def test_t12_a_reset_passes_and_ends_the_connection_after_240_s(from_outside: bool) -> None:
    nat = connected()
    reset = from_s("R", seq=500) if from_outside else from_a("R", seq=100)
    assert nat.send(reset, from_outside) is not None
    assert state(nat) is State.CLOSING
    nat.wait(CLOSING - 1)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


def test_t12_data_after_a_reset_revives_the_connection() -> None:
    nat = connected()
    nat.back(from_s("R", seq=500))
    nat.wait(10)
    assert nat.out(from_a("PA", b"still here", seq=100, ack=500)) is not None
    assert state(nat) is State.ESTABLISHED
    hits = nat.counters.hits
    assert nat.out(from_a("PA", b"and here", seq=110, ack=500)) is not None
    assert nat.counters.hits == hits + 1, "back on the fast path"
    nat.wait(ESTABLISHED - 1)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


def test_data_after_both_fins_is_a_retransmission_and_revives_nothing() -> None:
    nat = connected()
    closed(nat)
    assert nat.back(from_s("PA", b"again", seq=495, ack=101)) is not None
    assert state(nat) is State.CLOSING


def test_t15_a_syn_after_the_close_opens_again_with_the_same_port() -> None:
    nat = connected()
    closed(nat)
    assert endpoint(nat.out(from_a("S", seq=9999))) == (P, 5000)
    assert state(nat) is State.TRANSITORY
    nat.wait(FINRST + 1)
    assert len(nat.table) == 1, "the old close is forgotten"
    nat.back(from_s("SA", seq=1, ack=10000))
    nat.out(from_a("PA", b"x", seq=10000, ack=2))
    assert state(nat) is State.ESTABLISHED
    nat.wait(CLOSING + 1)
    assert len(nat.table) == 1


def test_a_syn_from_outside_alone_does_not_reopen() -> None:
    nat = connected()
    closed(nat)
    assert nat.back(from_s("S", seq=9999)) is not None
    assert nat.back(from_s("PA", b"x", seq=10000)) is not None
    assert state(nat) is State.CLOSING


def test_a_tcp_port_is_free_at_once() -> None:
    """RFC 6888 REQ-8 exempts what is tracked."""
    nat = connected()
    closed(nat)
    nat.wait(FINRST + 1)
    assert endpoint(nat.out(tcp(B, 5000, S, 80))) == (P, 5000)


def test_t7_no_port_overloading() -> None:
    nat = Nat()
    first, second = (endpoint(nat.out(tcp(host, 5000, S, 80))) for host in (A, B))
    assert first != second
    assert target(nat.back(tcp(S, 80, *first, "SA"))) == (A, 5000)
    assert target(nat.back(tcp(S, 80, *second, "SA"))) == (B, 5000)


def test_a_long_closing_leaves_one_look_on_the_wheel() -> None:
    """Retransmissions after the close, or resets and data in turn, do not pile up work for the ageing."""
    nat = connected()
    closed(nat)
    for _ in range(500):
        nat.out(from_a("A", seq=101, ack=501))
    assert nat.looks <= 5
    nat = connected()
    for _ in range(200):
        nat.back(from_s("R", seq=500))
        nat.out(from_a("PA", b"x", seq=100, ack=500))
        nat.wait(300)
    assert len(nat.table) == 1
    assert nat.looks <= 60


@pytest.mark.parametrize("from_outside", [False, True])
def test_t10_no_icmp_error_ends_a_connection(from_outside: bool) -> None:
    """Of any type and code, about either direction."""
    nat = connected()
    if from_outside:
        source, destination, about = T, P, tcp(P, 5000, S, 80, "PA", b"x", seq=100, ack=500)
    else:
        source, destination, about = A, S, tcp(S, 80, A, 5000, "PA", b"x", seq=500, ack=100)
    quoted = bytes(about)[:28]
    before = [*nat.table]
    passed = 0
    for kind in range(256):
        for code in range(16):
            packet = IP(src=source, dst=destination) / ICMP(type=kind, code=code) / quoted
            filled, end = buffer(IP(bytes(packet)))
            passed += nat.raw(filled, end, from_outside)[0] != Verdict.DROP
    assert passed >= 3 * 16, "errors were translated"
    assert [record for record in nat.table if record[22] == 6] == before
    assert nat.out(from_a("PA", b"x", seq=100, ack=500)) is not None
    nat.wait(ESTABLISHED - 1)
    assert [record for record in nat.table if record[22] == 6] == before


@pytest.mark.parametrize("offset", range(5))
def test_a_data_offset_that_is_too_small_does_no_harm(offset: int) -> None:
    nat = connected()
    for flags in ("A", "FA", "R"):
        nat.out(tcp(A, 5000, S, 80, flags, b"x", dataofs=offset))
    assert len(nat.table) == 1


def test_udp_and_tcp_do_not_share_ports() -> None:
    nat = Nat(rules())
    assert endpoint(nat.out(tcp(A, 5000, S, 80))) == (P, 5000)
    assert endpoint(nat.out(udp(B, 5000, S, 80))) == (P, 5000)
