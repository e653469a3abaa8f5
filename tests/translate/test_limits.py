"""``max-entries``: how many flows there may be (RFC 6888 REQ-4 and REQ-5)."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP

from snat.nat.access_list import AccessList
from snat.nat.entry import FLAGS
from snat.nat.limits import Limits
from snat.nat.table import NatTable
from snat.translate.load import Load
from tests.packets import buffer, echo, tcp, udp
from tests.records import record
from tests.translate.nat import INSIDE, A, B, Nat, P, S, T, permit, rules
from tests.translate.test_own_error import told

HOST = bytes((10, 0, 0, 2))
"""A."""
OTHERS = AccessList((permit("10.0.0.0/24"),))


def opens(nat: Nat, host: str, count: int, first: int = 5000) -> int:
    """How many of so many flows a host gets."""
    return sum(nat.out(udp(host, first + number, S, 53)) is not None for number in range(count))


@pytest.mark.parametrize(
    ("limits", "of_a", "of_b"),
    [
        (Limits(), 9, 9),
        (Limits(all_host=3), 3, 3),
        (Limits(hosts={HOST: 2}), 2, 9),
        (Limits(all_host=3, hosts={HOST: 5}), 5, 3),
        (Limits(lists=[(OTHERS, 4)]), 4, 4),
        (Limits(lists=[(AccessList((permit(f"{B}/32"),)), 4)]), 9, 4),
        (Limits(lists=[(AccessList((permit(f"{B}/32", decision=False),)), 4)]), 9, 9),
        (Limits(all_host=3, lists=[(OTHERS, 4), (OTHERS, 1)], hosts={HOST: 1}), 1, 4),
        (Limits(total=7), 7, 0),
        (Limits(total=7, all_host=5), 5, 2),
    ],
)
def test_c4_a_host_gets_as_many_as_it_may(limits: Limits, of_a: int, of_b: int) -> None:
    nat = Nat(limits=limits)
    assert (opens(nat, A, 9), opens(nat, B, 9)) == (of_a, of_b)
    assert nat.counters.limited == 18 - of_a - of_b
    assert len(nat.table) == of_a + of_b


def test_c4_flows_that_exist_go_on_and_the_sender_of_another_is_told() -> None:
    nat = Nat(limits=Limits(all_host=1))
    nat.out(udp(A, 5000, S, 53))
    answer = told(nat, udp(A, 5001, S, 53), False)
    assert answer is not None
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 13)
    assert nat.out(udp(A, 5000, S, 53)) is not None
    assert nat.back(udp(S, 53, P, 5000)) is not None


@pytest.mark.parametrize("packet", [tcp(A, 1, S, 80), udp(A, 1, S, 53), echo(A, S, 1)])
def test_c4_every_protocol_counts(packet: object) -> None:
    nat = Nat(limits=Limits(all_host=1))
    nat.out(packet)
    assert opens(nat, A, 1) == 0


def test_c5_one_mapping_to_many_hosts_is_capped() -> None:
    nat = Nat(limits=Limits(all_host=50))
    passed = sum(nat.out(udp(A, 5000, f"198.18.0.{host}", 53)) is not None for host in range(200))
    assert passed == 50


def test_c5_what_outside_hosts_begin_counts_for_the_inside_host() -> None:
    nat = Nat(limits=Limits(all_host=2))
    nat.out(udp(A, 5000, S, 53))
    assert nat.back(udp(S, 99, P, 5000)) is not None
    assert nat.dropped(udp(S, 98, P, 5000), from_outside=True) == "limited"


def test_a_flow_that_ends_makes_room() -> None:
    nat = Nat(limits=Limits(all_host=1), udp=10)
    assert opens(nat, A, 2) == 1
    nat.wait(11)
    assert opens(nat, A, 2) == 1


def test_a_lower_limit_ends_nothing_and_none_lets_everybody_in() -> None:
    nat = Nat()
    assert opens(nat, A, 5) == 5
    flows = nat.translator.flows
    flows.limit_by(Limits(all_host=3))
    assert len(nat.table) == 5
    assert opens(nat, A, 1, first=6000) == 0
    flows.limit_by(Limits(all_host=6))
    assert opens(nat, A, 9, first=6000) == 1
    flows.limit_by(Limits())
    assert opens(nat, A, 9, first=7000) == 9


def test_who_takes_over_counts_what_others_made() -> None:
    first = Nat()
    opens(first, A, 5)
    second = Nat(table=first.table, nat_id=2, limits=Limits(all_host=6))
    assert opens(second, A, 9, first=6000) == 1


def test_a_limit_of_the_total_counts_the_flows_alone() -> None:
    """What shows a static rule is no flow."""
    nat = Nat(rules(lines=(permit(INSIDE),)), limits=Limits(total=1))
    nat.table.add([simple(record())])
    assert nat.out(udp(A, 5000, T, 53)) is not None
    assert nat.translator.flows.load.flows == 1


def test_a_refused_flow_takes_no_port() -> None:
    nat = Nat(limits=Limits(all_host=1))
    opens(nat, A, 1)
    for _ in range(3):
        filled, end = buffer(udp(A, 6000, S, 53))
        nat.raw(filled, end, False)
    out = nat.out(udp(B, 6000, S, 53))
    assert out is not None
    assert out.sport == 6000


def simple(made: bytes) -> bytes:
    """The same as an entry that names no outside host."""
    return made[:FLAGS] + bytes(1) + made[FLAGS + 1 :]


FLOWS = st.builds(
    record,
    number=st.integers(1, 40),
    nat_id=st.integers(1, 2),
    host=st.integers(1, 4),
    port=st.sampled_from([1000, 1010]),
    outside=st.integers(1, 3),
)
RECORDS = FLOWS | FLOWS.map(simple)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(RECORDS, max_size=40)), max_size=8), st.integers(0, 8))
def test_the_count_is_that_of_the_table(batches: list[tuple[bool, list[bytes]]], begins: int) -> None:
    """Whatever comes and goes, in bulk, with collisions, and whenever the limit is configured."""
    table = NatTable()
    load = Load(table)
    for number, (adds, records) in enumerate(batches):
        if number == begins:
            load.limit(Limits(total=100))
        if adds:
            table.add(records)
        else:
            table.remove(records)
    load.limit(Limits(total=100))
    flows = Counter(one[16:20] for one in table.records() if one[42] & 2)
    assert load.flows == flows.total()
    assert load._hosts == flows
