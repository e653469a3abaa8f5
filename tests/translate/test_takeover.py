"""A second device on a table that the first one's records filled: it listens, then it takes over."""

import pytest

from snat.nat.entry import STATE, TIMEOUT_CLASS, State
from snat.nat.table import NatTable
from tests.nat.records import record
from tests.packets import echo, tcp, udp
from tests.translate.nat import A, B, Nat, P, S, T, endpoint, rules, target


class Copy:
    """Replication without a wire: new bytes objects, as a decoder makes them."""

    def __init__(self, table: NatTable) -> None:
        self.table = table

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        kept = {one[:41] for one in added}
        self.table.remove([bytes(bytearray(one)) for one in removed if one[:41] not in kept])
        self.table.add([bytes(bytearray(one)) for one in added])


def pair() -> tuple[Nat, Nat]:
    """Primary and backup with the slots of a pair, tables kept equal."""
    first = Nat(rules(slots=range(0, 16, 2), seed=1), nat_id=1)
    second = Nat(rules(slots=range(1, 16, 2), seed=2), nat_id=2, manages=False)
    first.table.listen(Copy(second.table))
    return first, second


def together(seconds: float, *nats: Nat) -> None:
    for nat in nats:
        nat.wait(seconds)


def test_the_taker_goes_on_mid_stream_with_the_same_mapping() -> None:
    first, second = pair()
    mapped = endpoint(first.out(tcp(A, 5000, S, 80)))
    first.back(tcp(S, 80, *mapped, "SA"))
    second.manage()
    assert endpoint(second.out(tcp(A, 5000, S, 80, "PA", b"more"))) == mapped
    assert target(second.back(tcp(S, 80, *mapped, "PA", b"answer"))) == (A, 5000)
    assert second.counters.created == 0


def test_the_taker_goes_on_from_outside_first() -> None:
    first, second = pair()
    mapped = endpoint(first.out(udp(A, 5000, S, 53)))
    first.out(echo(A, S, 8))
    second.manage()
    assert target(second.back(udp(S, 53, *mapped))) == (A, 5000)
    answer = second.back(echo(S, P, 8, reply=True))
    assert answer is not None
    assert answer.dst == A


def test_the_taker_keeps_mappings_endpoint_independent() -> None:
    first, second = pair()
    first.out(udp(B, 5000, S, 53))
    mapped = endpoint(first.out(udp(A, 5000, S, 53)))
    second.manage()
    assert endpoint(second.out(udp(A, 5000, T, 99))) == mapped


def test_the_taker_never_hands_out_ports_that_are_in_use() -> None:
    first, second = pair()
    theirs = {endpoint(first.out(udp(f"10.0.1.{host}", 600, S, 53))) for host in range(200)}
    second.manage()
    ours = {endpoint(second.out(udp(f"10.0.2.{host}", 600, S, 53))) for host in range(200)}
    assert (len(theirs), len(ours)) == (200, 200)
    assert theirs.isdisjoint(ours)


def test_the_taker_starts_every_time_out_in_full() -> None:
    first, second = pair()
    first.out(udp(A, 5000, S, 53))
    together(290, first, second)
    second.manage()
    second.wait(299)
    assert len(second.table) == 1
    second.wait(2)
    assert len(second.table) == 0


def test_the_taker_ages_each_state_by_its_own_time_out() -> None:
    first, second = pair()
    first.out(tcp(A, 1, S, 80))
    first.out(tcp(A, 2, S, 80))
    first.back(tcp(S, 80, P, endpoint(first.out(tcp(A, 2, S, 80)))[1], "SA"))
    first.out(echo(A, S, 7))
    second.manage()
    second.wait(62)
    assert len(second.table) == 2
    second.wait(180)
    assert [one[STATE] for one in second.table] == [State.ESTABLISHED]
    second.wait(7440)
    assert len(second.table) == 0


def test_tcp_ports_that_the_taker_frees_are_its_own_to_use() -> None:
    """The slot is the second's, the entry the first's, from before the slots were dealt."""
    _, second = pair()
    second.table.add(
        [record(1, protocol=6, inside_local=(A, 1042), inside_global=(P, 1042), state=1, timeout_class=1)]
    )
    second.manage()
    assert endpoint(second.out(tcp(B, 1042, S, 80)))[1] != 1042
    second.wait(241)
    assert endpoint(second.out(tcp("10.0.0.4", 1042, S, 80))) == (P, 1042)


def test_c8_ports_that_were_freed_before_the_takeover_wait_too() -> None:
    """Slot 9 of the second: an entry for it came from the first, which gave it up."""
    _, second = pair()
    ours = [port for port in range(1024) if (port >> 1) % 16 == 9]
    theirs = [
        record(n, inside_local=("10.0.3.1", port), inside_global=(P, port)) for n, port in enumerate(ours)
    ]
    second.table.add(theirs)
    second.table.remove(theirs)
    second.manage()
    outside = {endpoint(second.out(udp(f"10.0.2.{host}", 600, S, 53)))[1] for host in range(100)}
    assert outside.isdisjoint(ours)
    second.wait(121)
    assert endpoint(second.out(udp(A, ours[5], S, 53))) == (P, ours[5])


def test_who_does_not_manage_creates_nothing() -> None:
    _, second = pair()
    assert second.dropped(udp(A, 5000, S, 53), from_outside=False) == "not_managed"
    assert len(second.table) == 0


def test_who_does_not_manage_translates_what_is_there_but_changes_nothing() -> None:
    first, second = pair()
    mapped = endpoint(first.out(tcp(A, 5000, S, 80)))
    first.back(tcp(S, 80, *mapped, "SA"))
    before = list(second.table)
    for flags in ("PA", "FA", "R"):
        assert second.out(tcp(A, 5000, S, 80, flags)) is not None
        assert second.back(tcp(S, 80, *mapped, flags)) is not None
    assert second.dropped(tcp(S, 81, *mapped), from_outside=True) == "not_managed"
    assert list(second.table) == before


def test_who_does_not_manage_ages_nothing() -> None:
    first, second = pair()
    first.out(udp(A, 5000, S, 53))
    first.out(tcp(A, 5000, S, 80))
    second.wait(100_000)
    assert (len(second.table), second.counters.expired) == (2, 0)


def test_who_has_managed_before_ages_nothing() -> None:
    first, _ = pair()
    first.out(udp(A, 5000, S, 53))
    first.manage(False)
    first.wait(100_000)
    assert len(first.table) == 1


def test_who_takes_over_again_starts_every_time_out_in_full_again() -> None:
    """Its own looks of the first time are still on the wheel; meanwhile the other has used the flow."""
    first, _ = pair()
    first.out(udp(A, 5000, S, 53))
    first.manage(False)
    first.wait(290)
    first.manage()
    first.wait(299)
    assert len(first.table) == 1
    first.wait(2)
    assert len(first.table) == 0


def test_who_takes_over_again_and_again_looks_at_each_entry_once() -> None:
    first, _ = pair()
    for host in range(50):
        first.out(udp(f"10.0.1.{host}", 5000, S, 53))
    for _ in range(20):
        first.manage(False)
        first.wait(10)
        first.manage()
        first.wait(10)
    assert first.looks == 50


def test_taking_one_mapping_does_not_prolong_another() -> None:
    first, _ = pair()
    first.out(udp(A, 5000, S, 53))
    first.wait(200)
    first.translator.flows.manage(77, True, first.now)
    first.wait(101)
    assert len(first.table) == 0


def test_many_entries_are_put_on_the_wheel_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snat.translate.flows._MOST_DUE", 7)
    first, second = pair()
    for host in range(50):
        first.out(udp(f"10.0.1.{host}", 5000, S, 53))
    second.manage()
    flows = second.translator.flows
    assert flows.next_deadline() <= second.now
    turns = 0
    while flows.next_deadline() <= second.now:
        flows.expire(second.now)
        turns += 1
    assert turns >= 7
    second.wait(299)
    assert len(second.table) == 50
    second.wait(2)
    assert len(second.table) == 0


def test_an_update_reaches_a_path_that_exists() -> None:
    """The backup has translated for the flow; then the manager's update comes."""
    first, second = pair()
    mapped = endpoint(first.out(tcp(A, 5000, S, 80)))
    second.out(tcp(A, 5000, S, 80, "A"))
    first.back(tcp(S, 80, *mapped, "SA"))
    second.manage()
    second.out(tcp(A, 5000, S, 80, "R"))
    (one,) = second.table
    assert one[STATE] == State.CLOSING
    second.out(tcp(A, 5000, S, 80, "PA", b"x"))
    (one,) = second.table
    assert one[STATE] == State.ESTABLISHED


def test_a_delete_reaches_a_path_that_exists() -> None:
    first, second = pair()
    mapped = endpoint(first.out(udp(A, 5000, S, 53)))
    second.out(udp(A, 5000, S, 53))
    first.wait(301)
    assert len(second.table) == 0
    assert second.dropped(udp(S, 53, *mapped), from_outside=True) == "unknown_inbound"
    assert second.dropped(udp(A, 5000, S, 53), from_outside=False) == "not_managed"


def test_a_class_or_state_that_a_newer_member_invented_does_not_disturb() -> None:
    for state, timeout_class in ((9, 1), (2, 99)):
        nat = Nat()
        nat.table.add(
            [
                record(
                    1,
                    nat_id=2,
                    protocol=6,
                    inside_global=(P, 5000),
                    inside_local=(A, 5000),
                    outside=(S, 80),
                    state=state,
                    timeout_class=timeout_class,
                )
            ]
        )
        nat.manage()
        for flags in ("A", "FA", "R", "S"):
            assert nat.out(tcp(A, 5000, S, 80, flags)) is not None
            assert nat.back(tcp(S, 80, P, 5000, flags)) is not None
        (one,) = nat.table
        assert one[TIMEOUT_CLASS] == timeout_class
        nat.wait(10)


# Two entries for one flow, after a split


def split() -> Nat:
    """Two devices mapped A's flow, to 5000 and to 6000; the lower NAT ID leads."""
    nat = Nat()
    for nat_id, port in ((2, 6000), (1, 5000)):
        nat.table.add(
            [record(1, nat_id=nat_id, inside_local=(A, 5000), inside_global=(P, port), outside=(S, 53))]
        )
    nat.manage()
    return nat


@pytest.mark.parametrize("seen_first", [None, 5000, 6000])
def test_the_lowest_nat_id_leads_outbound_and_the_other_still_translates_inbound(
    seen_first: int | None,
) -> None:
    nat = split()
    if seen_first:
        assert target(nat.back(udp(S, 53, P, seen_first))) == (A, 5000)
    for _ in range(2):
        assert endpoint(nat.out(udp(A, 5000, S, 53))) == (P, 5000)
        for port in (6000, 5000):
            assert target(nat.back(udp(S, 53, P, port))) == (A, 5000)


@pytest.mark.parametrize("host", [A, B])
def test_two_hosts_mapped_to_one_endpoint_both_get_out_and_the_lowest_nat_id_gets_the_answers(
    host: str,
) -> None:
    nat = Nat()
    for nat_id, inside in ((2, B), (1, A)):
        nat.table.add(
            [record(1, nat_id=nat_id, inside_local=(inside, 5000), inside_global=(P, 5000), outside=(S, 53))]
        )
    for _ in range(2):
        assert endpoint(nat.out(udp(host, 5000, S, 53))) == (P, 5000)
        assert target(nat.back(udp(S, 53, P, 5000))) == (A, 5000)


def test_each_entry_of_a_chain_ages_by_its_own_packets() -> None:
    nat = split()
    for _ in range(4):
        assert nat.back(udp(S, 53, P, 6000)) is not None
        nat.wait(100)
    assert [one[27:29] for one in nat.table] == [(6000).to_bytes(2, "big")]
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == (P, 6000)
    nat.wait(301)
    assert len(nat.table) == 0


def test_a_flow_has_no_path_left_when_its_entries_are_gone() -> None:
    nat = split()
    nat.back(udp(S, 53, P, 6000))
    nat.out(udp(A, 5000, S, 53))
    nat.table.remove(list(nat.table))
    assert nat.dropped(udp(S, 53, P, 6000), from_outside=True) == "unknown_inbound"
    assert nat.dropped(udp(S, 53, P, 5000), from_outside=True) == "unknown_inbound"
    assert nat.out(udp(A, 5000, S, 53)) is not None
    assert nat.counters.created == 1
