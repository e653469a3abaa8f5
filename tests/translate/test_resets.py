"""Resets that belong to a connection, and those that do not (RFC 7857 2.2, RFC 5961 3.2).

Among them what the kernel's own connection tracking is tested with: the scripts
``conntrack_{inexact_rst,rst_invalid,syn_challenge_ack,synack_old,synack_reuse,ack_loss_stall}.pkt``.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.entry import State
from snat.translate.segment import IN_FLIGHT
from tests.translate.nat import Nat
from tests.translate.test_tcp import CLOSING, ESTABLISHED, connected, from_a, from_s, state


def passes(nat: Nat, sequence: int, *, from_outside: bool = True, flags: str = "R", ack: int = 0) -> State:
    """The state after a reset, which is translated whatever it says."""
    reset = from_s if from_outside else from_a
    assert nat.send(reset(flags, seq=sequence % (1 << 32), ack=ack), from_outside) is not None
    return state(nat)


@pytest.mark.parametrize("off", [-1, 1, 1000, 65_535, IN_FLIGHT, 1 << 31])
@pytest.mark.parametrize("from_outside", [False, True])
def test_t12a_a_reset_that_does_not_belong_shortens_nothing(from_outside: bool, off: int) -> None:
    nat = connected()
    expected = 500 if from_outside else 100
    assert passes(nat, expected + off, from_outside=from_outside) is State.ESTABLISHED
    assert nat.counters.inexact_resets == 1
    nat.wait(ESTABLISHED - 1)
    assert len(nat.table) == 1


@pytest.mark.parametrize("fast", [True, False])
def test_t12_a_reset_behind_data_that_is_not_acknowledged_yet_belongs(fast: bool) -> None:
    nat = connected()
    data = from_s("PA", b"the end", seq=500, ack=100)
    data.flags = "DF" if fast else "DF+evil"
    assert nat.back(data) is not None
    assert (nat.counters.hits == 2) is fast, "the handshake's last is the first"
    assert passes(nat, 507) is State.CLOSING
    assert nat.counters.inexact_resets == 0


def test_t12a_data_far_ahead_lends_no_credit_to_a_reset() -> None:
    nat = connected()
    ahead = 500 + IN_FLIGHT
    assert nat.back(from_s("PA", b"forged", seq=ahead, ack=100)) is not None
    assert passes(nat, ahead + 6) is State.ESTABLISHED


def test_t12a_a_forged_reset_lends_no_credit_to_the_next() -> None:
    nat = connected()
    assert passes(nat, 700) is State.ESTABLISHED
    assert passes(nat, 700) is State.ESTABLISHED
    assert passes(nat, 500) is State.CLOSING


@given(st.integers(0, (1 << 32) - 1))
def test_t12a_nobody_guesses(sequence: int) -> None:
    nat = connected()
    belongs = sequence == 500
    assert passes(nat, sequence) is (State.CLOSING if belongs else State.ESTABLISHED)


@pytest.mark.parametrize("isn", [99, 0xFFFFFFFF, 0])
def test_t12_a_refusal_says_which_syn_it_means(isn: int) -> None:
    nat = Nat()
    nat.out(from_a("S", seq=isn))
    wrong = passes(nat, 0, flags="RA", ack=(isn + 2) % (1 << 32))
    assert wrong is State.TRANSITORY
    assert nat.counters.inexact_resets == 1
    assert passes(nat, 0, flags="RA", ack=(isn + 1) % (1 << 32)) is State.CLOSING


@pytest.mark.parametrize(("ack", "belongs"), [(100, True), (105, True), (101, False), (106, False)])
def test_t12_a_refusal_of_a_syn_with_data(ack: int, belongs: bool) -> None:
    nat = Nat()
    nat.out(from_a("S", b"hello", seq=99))
    assert passes(nat, 0, flags="RA", ack=ack) is (State.CLOSING if belongs else State.TRANSITORY)


def test_t12_who_gives_up_before_an_answer_came() -> None:
    nat = Nat()
    nat.out(from_a("S", seq=99))
    assert passes(nat, 99, from_outside=False) is State.TRANSITORY
    assert passes(nat, 100, from_outside=False) is State.CLOSING


def taken_over() -> Nat:
    """A device that knows the connection from the table alone."""
    nat = Nat(table=connected().table, nat_id=2)
    assert state(nat) is State.ESTABLISHED
    return nat


@pytest.mark.parametrize("from_outside", [False, True])
def test_t12a_a_taker_believes_no_reset_before_it_has_seen_the_connection(from_outside: bool) -> None:
    nat = taken_over()
    assert passes(nat, 500 if from_outside else 100, from_outside=from_outside) is State.ESTABLISHED
    assert nat.out(from_a("PA", b"on", seq=100, ack=500)) is not None
    assert passes(nat, 501) is State.ESTABLISHED
    assert passes(nat, 500) is State.CLOSING


def test_t12_a_taker_that_has_seen_the_sender_only() -> None:
    nat = taken_over()
    assert nat.back(from_s("PA", b"data", seq=500, ack=100)) is not None
    assert passes(nat, 504) is State.CLOSING


def test_t12_repeated_resets_prolong_nothing_that_they_ended() -> None:
    nat = connected()
    assert passes(nat, 500) is State.CLOSING
    nat.wait(CLOSING - 10)
    assert passes(nat, 500) is State.CLOSING
    nat.wait(CLOSING + 1)
    assert len(nat.table) == 0


# The kernel's scripts


def test_kernel_inexact_rst() -> None:
    """In the window but not exact: the receiver challenges it, the sender answers with the exact one."""
    nat = connected()
    assert passes(nat, 501) is State.ESTABLISHED
    assert nat.out(from_a("A", seq=100, ack=500)) is not None
    assert state(nat) is State.ESTABLISHED
    assert passes(nat, 500) is State.CLOSING


def test_kernel_rst_invalid() -> None:
    """A connection that is opened anew is not ended by a late reset of the former one."""
    nat = connected()
    nat.back(from_s("FA", seq=500, ack=100))
    nat.out(from_a("FA", seq=100, ack=501))
    assert state(nat) is State.CLOSING
    assert nat.out(from_a("S", seq=7000)) is not None
    assert state(nat) is State.TRANSITORY
    assert nat.back(from_s("SA", seq=9000, ack=7001)) is not None
    assert nat.out(from_a("A", seq=7001, ack=9001)) is not None
    assert passes(nat, 101, from_outside=False) is State.ESTABLISHED
    assert passes(nat, 501) is State.ESTABLISHED


def test_kernel_syn_challenge_ack() -> None:
    """A client that forgot its connection: SYN, challenge, reset with the challenge's number, SYN again."""
    nat = connected()
    assert nat.out(from_a("S", seq=4_000_000)) is not None
    assert state(nat) is State.ESTABLISHED, "a SYN alone ends no connection"
    assert nat.back(from_s("A", seq=500, ack=100)) is not None
    assert passes(nat, 100, from_outside=False) is State.CLOSING
    assert nat.out(from_a("S", seq=4_000_000)) is not None
    assert state(nat) is State.TRANSITORY
    assert nat.back(from_s("SA", seq=900, ack=4_000_001)) is not None
    assert state(nat) is State.ESTABLISHED


@pytest.mark.parametrize("script", ["synack_old", "synack_reuse"])
def test_kernel_old_synack(script: str) -> None:
    """An answer to a former SYN comes late; the client resets it, and the connection opens all the same."""
    nat = connected() if script == "synack_reuse" else Nat()
    if script == "synack_reuse":
        nat.out(from_a("FA", seq=100, ack=500))
        nat.back(from_s("FA", seq=500, ack=101))
    assert nat.out(from_a("S", seq=1000)) is not None
    assert nat.back(from_s("SA", seq=145_824, ack=643_161)) is not None
    assert passes(nat, 643_161, from_outside=False) is State.CLOSING
    assert nat.out(from_a("S", seq=1000)) is not None
    assert nat.back(from_s("SA", seq=1, ack=1001)) is not None
    assert nat.out(from_a("A", seq=1001, ack=2)) is not None
    assert state(nat) is State.ESTABLISHED
    nat.wait(CLOSING + 1)
    assert len(nat.table) == 1


def test_kernel_ack_loss_stall() -> None:
    """The last acknowledgement is lost; the server repeats its answer, and is answered again."""
    nat = Nat()
    nat.out(from_a("S", seq=99))
    nat.back(from_s("SA", seq=499, ack=100))
    for _ in range(3):
        assert nat.back(from_s("SA", seq=499, ack=100)) is not None
        assert nat.out(from_a("A", seq=100, ack=500)) is not None
    assert state(nat) is State.ESTABLISHED
    nat.wait(ESTABLISHED - 1)
    assert len(nat.table) == 1


def test_what_is_kept_of_a_segment_is_a_copy() -> None:
    """The buffer is used for the next packet."""
    nat = connected()
    path = nat.translator._cache.inside[6]
    (one,) = path.values()
    kept = one.last
    assert kept is not None
    before = bytes(kept)
    nat.back(from_s("PA", b"x", seq=500, ack=100))
    assert bytes(kept) == before
