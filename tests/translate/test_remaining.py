"""What is left of an entry's time: what a snapshot of the table says of it."""

from snat.nat.entry import NEVER
from tests.nat.records import MAPPING, record
from tests.packets import echo, tcp, udp
from tests.translate.nat import A, Nat, S, endpoint


def left(nat: Nat) -> int:
    (entry,) = nat.table
    return nat.translator.flows.remaining(entry, nat.now)


def test_an_entry_has_its_time_out_less_what_it_was_not_used() -> None:
    nat = Nat(udp=300)
    nat.out(udp(A, 5000, S, 53))
    assert left(nat) == 300
    nat.wait(100.5)
    assert left(nat) == 200  # 199.5 s, and no flow is cut short
    nat.out(udp(A, 5000, S, 53))
    assert left(nat) == 300


def test_a_packet_from_outside_is_a_use() -> None:
    nat = Nat(udp=300)
    mapped = endpoint(nat.out(udp(A, 5000, S, 53)))
    nat.wait(100)
    nat.back(udp(S, 53, *mapped))
    assert left(nat) == 300


def test_the_time_out_is_that_of_the_state() -> None:
    nat = Nat(tcp=7440, syn=240, closing=120)
    mapped = endpoint(nat.out(tcp(A, 5000, S, 80, "S")))
    assert left(nat) == 240
    nat.back(tcp(S, 80, *mapped, "SA"))
    assert left(nat) == 7440
    nat.back(tcp(S, 80, *mapped, "R", seq=1))
    assert left(nat) == 120


def test_a_connection_whose_ends_are_acknowledged_has_the_short_time() -> None:
    nat = Nat(finrst=60)
    mapped = endpoint(nat.out(tcp(A, 5000, S, 80, "S")))
    nat.back(tcp(S, 80, *mapped, "SA"))
    nat.out(tcp(A, 5000, S, 80, "FA", seq=1, ack=1))
    nat.back(tcp(S, 80, *mapped, "FA", seq=1, ack=2))
    nat.out(tcp(A, 5000, S, 80, "A", seq=2, ack=2))
    assert left(nat) == 60


def test_an_entry_that_is_due_has_nothing_left() -> None:
    nat = Nat(icmp=60)
    nat.out(echo(A, S, 8))
    (entry,) = nat.table
    assert nat.translator.flows.remaining(entry, nat.now + 61) == 0


def test_of_an_entry_that_another_device_ages_its_record_tells() -> None:
    nat = Nat(manages=False)
    nat.table.add([record(1, remaining=77)])
    nat.wait(50)
    assert left(nat) == 77
    nat.manage()
    assert left(nat) == 300
    nat.manage(False)
    assert left(nat) == 77


def test_what_does_not_age_keeps_what_its_record_says() -> None:
    nat = Nat()
    never = record(1, timeout_class=3, mapping_id=MAPPING)
    nat.table.add([never])
    assert left(nat) == NEVER
