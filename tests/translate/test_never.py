"""``never``, and time-outs that change while entries exist."""

from snat.config.model import Configuration, Nat, Timeouts
from snat.config.nat import NEVER as CONFIGURED
from snat.device.translation import timeouts_of
from snat.nat.entry import NEVER, State, TimeoutClass
from snat.nat.tracking import in_record
from tests.packets import udp
from tests.translate import nat as translation
from tests.translate.nat import A, S

CENTURY = 100 * 365 * 86400.0


def nat_with(udp_timeout: int) -> translation.Nat:
    made = translation.Nat()
    set_udp(made, udp_timeout)
    return made


def set_udp(nat: translation.Nat, seconds: int) -> None:
    configuration = Configuration(nat=Nat(timeouts=Timeouts(udp=seconds)))
    nat.translator.configure(nat.translator.flows.rules, timeouts_of(configuration))


def left(nat: translation.Nat) -> int:
    (entry,) = nat.table
    return nat.translator.flows.remaining(entry, nat.now)


def test_never_is_infinite_and_the_others_are_as_configured() -> None:
    timeouts = timeouts_of(
        Configuration(nat=Nat(timeouts=Timeouts(udp=CONFIGURED, finrst=CONFIGURED, tcp=7)))
    )
    assert timeouts.of(TimeoutClass.UDP, State.OPEN) == float("inf")
    assert in_record(timeouts.of(TimeoutClass.UDP, State.OPEN)) == NEVER
    assert timeouts.finrst == float("inf")
    assert timeouts.of(TimeoutClass.TCP, State.ESTABLISHED) == 7
    assert timeouts.of(TimeoutClass.ICMP, State.OPEN) == 60


def test_an_entry_that_never_ends_stays() -> None:
    nat = nat_with(CONFIGURED)
    nat.out(udp(A, 5000, S, 500))
    nat.wait(CENTURY)
    assert left(nat) == NEVER


def test_an_entry_that_never_ended_ends_once_there_is_a_time_out() -> None:
    nat = nat_with(CONFIGURED)
    nat.out(udp(A, 5000, S, 500))
    nat.wait(1000)
    nat.out(udp(A, 5000, S, 500))
    set_udp(nat, 300)
    assert left(nat) == 300
    nat.wait(299)
    assert len(nat.table) == 1
    nat.wait(3)
    assert len(nat.table) == 0


def test_an_entry_that_had_a_time_out_stays_once_there_is_none() -> None:
    nat = nat_with(300)
    nat.out(udp(A, 5000, S, 500))
    set_udp(nat, CONFIGURED)
    assert left(nat) == NEVER
    nat.wait(CENTURY)
    assert len(nat.table) == 1


def test_a_shorter_time_out_is_in_force_at_once() -> None:
    nat = nat_with(7200)
    nat.out(udp(A, 5000, S, 500))
    set_udp(nat, 60)
    nat.wait(62)
    assert len(nat.table) == 0


def test_the_same_time_outs_again_make_no_work() -> None:
    nat = nat_with(300)
    nat.out(udp(A, 5000, S, 500))
    nat.wait(1)
    before = nat.looks
    set_udp(nat, 300)
    assert nat.looks == before
    assert nat.translator.flows.next_deadline() > nat.now
