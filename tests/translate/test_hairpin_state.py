"""What is known of flows between inside hosts: connections, time, entries, paths, who takes over."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from snat.nat.entry import NEVER, State
from snat.nat.rules import Rules
from tests.packets import tcp, udp
from tests.translate.configured import nat_by, rules_by
from tests.translate.errors import entry
from tests.translate.nat import MAPPING, A, B, Nat, P, S, endpoint, rules
from tests.translate.turned import (
    DNS,
    POOL,
    WEB,
    WHOLE,
    C,
    G,
    connected,
    ends,
    flows,
    from_a,
    from_b,
    paths,
    served,
    states,
)

# TCP


ESTABLISHED, TRANSITORY, FINRST = 7440, 240, 60


def test_t8_a_whole_connection() -> None:
    nat = connected(served())
    slow = nat.counters.slow
    assert nat.turned(from_a("PA", b"GET /", seq=100, ack=500)) is not None
    assert nat.turned(from_b("PA", b"200 OK", seq=500, ack=105)) is not None
    assert nat.counters.slow == slow
    assert nat.turned(from_b("FA", seq=506, ack=105)) is not None
    assert states(nat) == {State.ESTABLISHED}
    assert nat.turned(from_a("FA", seq=105, ack=507)) is not None
    assert states(nat) == {State.CLOSING}
    assert nat.turned(from_b("A", seq=507, ack=106)) is not None
    nat.wait(FINRST - 1)
    assert states(nat) == {State.CLOSING}
    nat.wait(2)
    assert flows(nat) == []
    assert paths(nat) == 0


@pytest.mark.parametrize("first", ["A", "B"])
def test_t8_either_side_may_close_first(first: str) -> None:
    nat = connected(served())
    steps = [from_a("FA", seq=100, ack=500), from_b("FA", seq=500, ack=101), from_a("A", seq=101, ack=501)]
    if first == "B":
        steps = [
            from_b("FA", seq=500, ack=100),
            from_a("FA", seq=100, ack=501),
            from_b("A", seq=501, ack=101),
        ]
    for step in steps:
        assert nat.turned(step) is not None
    assert states(nat) == {State.CLOSING}
    nat.wait(FINRST + 1)
    assert flows(nat) == []


def test_t8_one_fin_is_not_the_end() -> None:
    """However often it is repeated, and by whom."""
    nat = connected(served())
    for _ in range(3):
        assert nat.turned(from_a("FA", seq=100, ack=500)) is not None
        assert nat.turned(from_b("A", b"more", seq=500, ack=101)) is not None
    assert states(nat) == {State.ESTABLISHED}


@pytest.mark.parametrize("by", ["A", "B"])
def test_t8_a_reset_ends_both(by: str) -> None:
    nat = connected(served())
    packet = from_a("R", seq=100) if by == "A" else from_b("R", seq=500)
    assert nat.turned(packet) is not None
    assert states(nat) == {State.CLOSING}
    nat.wait(TRANSITORY + 1)
    assert flows(nat) == []


def test_t8_data_after_a_reset_revives_both() -> None:
    nat = connected(served())
    assert nat.turned(from_a("R", seq=100)) is not None
    assert nat.turned(from_b("A", b"alive", seq=500, ack=100)) is not None
    assert states(nat) == {State.ESTABLISHED}


def test_t8_simultaneous_open() -> None:
    """Two hosts behind one address, each of which knows the other's mapping: no filter lets in the first."""
    nat = nat_by(*POOL)
    a, b = endpoint(nat.out(tcp(A, 5000, S, 80))), endpoint(nat.out(tcp(B, 5001, S, 80)))
    assert nat.dropped(tcp(A, 5000, *b, "S", seq=99), from_outside=False) == "filtered"
    assert ends(nat.turned(tcp(B, 5001, *a, "S", seq=499))) == (b, (A, 5000))
    assert ends(nat.turned(tcp(A, 5000, *b, "S", seq=99))) == (a, (B, 5001))
    assert nat.turned(tcp(A, 5000, *b, "SA", seq=99, ack=500)) is not None
    assert nat.turned(tcp(B, 5001, *a, "SA", seq=499, ack=100)) is not None
    between = [one for one in flows(nat) if one.outside_local == IPv4Address(P).packed]
    assert [one.state for one in between] == [State.ESTABLISHED] * 2


# Time


def test_t5_both_entries_live_as_long_as_the_connection() -> None:
    nat = connected(served())
    for step in (from_a("A", b"x", seq=100, ack=500), from_b("A", b"y", seq=500, ack=101)):
        nat.wait(ESTABLISHED - 1)
        assert states(nat) == {State.ESTABLISHED}
        assert nat.turned(step) is not None
    nat.wait(ESTABLISHED + 1)
    assert flows(nat) == []
    assert paths(nat) == 0


@pytest.mark.parametrize("by", ["A", "B"])
def test_u5_packets_either_way_keep_both_entries(by: str) -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    for _ in range(5):
        nat.wait(299)
        assert nat.turned(udp(A, 5000, G, 5353) if by == "A" else udp(B, 53, P, 5000)) is not None
    assert len(flows(nat)) == 2
    assert [nat.translator.flows.remaining(one.pack(), nat.now) for one in flows(nat)] == [300, 300]
    nat.wait(301)
    assert flows(nat) == []


def test_m7_what_is_filtered_refreshes_nothing() -> None:
    nat = nat_by(*POOL)
    nat.out(udp(B, 6000, S, 7))
    nat.wait(200)
    assert nat.dropped(udp(A, 5000, P, 6000), from_outside=False) == "filtered"
    nat.wait(101)
    assert [one.inside_local for one in flows(nat)] == [IPv4Address(A).packed]


# What becomes of the paths


@pytest.mark.parametrize("number", [0, 1])
def test_the_paths_go_with_either_entry(number: int) -> None:
    """What is left is no half of a translation: nothing is sent outside."""
    nat = connected(served())
    going = flows(nat)[number].pack()
    nat.table.remove([going])
    assert paths(nat) == 0
    assert nat.dropped(from_a("A", b"x"), from_outside=False) == "not_syn"
    assert nat.dropped(from_b("A", b"x"), from_outside=False) in ("not_syn", "unknown_inbound")
    assert ends(nat.turned(from_a("S"))) == ((P, 5000), (B, 80))
    assert ends(nat.turned(from_b("SA"))) == ((G, 8080), (A, 5000))


def test_both_entries_go_at_once() -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    nat.table.remove([one.pack() for one in flows(nat)])
    assert paths(nat) == 0


def test_a_host_that_sends_to_itself_leaves_no_path_behind() -> None:
    nat = nat_by(*POOL)
    nat.out(udp(A, 5000, S, 7))
    nat.turned(udp(A, 5000, P, 5000))
    nat.wait(301)
    assert len(nat.table) == paths(nat) == 0


def test_an_update_from_elsewhere_keeps_the_paths() -> None:
    nat = connected(served())
    hits = nat.counters.hits
    for one in flows(nat):
        nat.table.add([one._replace(remaining=NEVER).pack()])
    assert nat.turned(from_a("A", b"x", seq=100, ack=500)) is not None
    assert nat.turned(from_b("A", b"y", seq=500, ack=101)) is not None
    assert nat.counters.hits == hits + 2


def test_flows_stay_when_the_rules_are_gone() -> None:
    """The addresses are ours no more: what has its entries still turns back, and nothing new does."""
    nat = connected(served())
    nat.translator.configure(Rules((), ()), nat.translator.flows.timeouts)
    assert ends(nat.turned(from_a("A", b"x"))) == ((P, 5000), (B, 80))
    after = Nat(Rules((), ()), table=nat.table)
    assert ends(after.turned(from_b("A", b"x"))) == ((G, 8080), (A, 5000))
    assert endpoint(after.out(tcp(A, 5001, G, 8080))) == (A, 5001)


# Who else is there


def test_nobody_outside_is_taken_for_an_inside_host() -> None:
    nat = served()
    nat.turned(udp(A, 5000, G, 5353))
    assert nat.dropped(udp(G, 5353, P, 5000), from_outside=True) == "filtered"
    assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 5353), (A, 5000))


def test_an_entry_that_somebody_outside_made_does_not_stand_in_the_way() -> None:
    """Who pretended to be A before A sent."""
    nat = served()
    nat.back(udp(P, 5000, G, 5353))
    assert ends(nat.turned(udp(A, 5000, G, 5353))) == ((P, 5000), (B, 53))
    assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 5353), (A, 5000))
    nat.wait(301)
    assert flows(nat) == []
    assert paths(nat) == 0


def test_who_does_not_manage_the_mapping_opens_nothing() -> None:
    nat = served_by_a_group()
    nat.manage(False)
    assert nat.dropped(udp(A, 5000, G, 5353), from_outside=False) == "not_managed"


def served_by_a_group(*, nat_id: int = 1, manages: bool = True, statics: int = MAPPING) -> Nat:
    """As :func:`served`, with replicated entries."""
    pooled = rules()
    mapped = [replace(one, mapping_id=statics) for one in rules_by(DNS, WEB, WHOLE).statics.rules]
    return Nat(Rules(pooled.rules, pooled.pools, statics=mapped), nat_id=nat_id, manages=manages)


@pytest.mark.parametrize("first", ["A", "B"])
def test_a_device_that_takes_over_goes_on_by_its_table(first: str) -> None:
    nat = connected(served_by_a_group())
    taker = served_by_a_group(nat_id=2, manages=False)
    taker.table.add([bytes(bytearray(one)) for one in nat.table if one not in set(taker.table)])
    taker.manage()
    there = from_a("PA", b"GET /", seq=100, ack=500), ((P, 5000), (B, 80))
    back = from_b("PA", b"200 OK", seq=500, ack=100), ((G, 8080), (A, 5000))
    for packet, expected in (there, back) if first == "A" else (back, there):
        assert ends(taker.turned(packet)) == expected
    assert (taker.counters.created, taker.counters.slow) == (0, 1)
    for step in (
        from_a("FA", seq=105, ack=506),
        from_b("FA", seq=506, ack=106),
        from_a("A", seq=106, ack=507),
    ):
        assert taker.turned(step) is not None
    assert states(taker) == {State.CLOSING}
    taker.wait(FINRST + 1)
    assert flows(taker) == []


def test_after_a_split_the_entry_that_leads_is_used() -> None:
    """Both devices made entries for the flow: what came with a lower ID leads, for either direction."""
    nat, other = served_by_a_group(nat_id=2), served_by_a_group(nat_id=1)
    for one in (nat, other):
        one.turned(udp(A, 5000, G, 5353))
    theirs = [one.pack() for one in flows(other)]
    nat.table.add(theirs)
    assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 5353), (A, 5000))
    nat.table.remove([one.pack() for one in flows(nat) if one.nat_id == 2])
    assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 5353), (A, 5000))
    assert ends(nat.turned(udp(A, 5000, G, 5353))) == ((P, 5000), (B, 53))
    nat.table.remove(theirs)
    assert paths(nat) == 0


def met(*others: bytes) -> Nat:
    """A and B talk, and entries of others met theirs after a split."""
    nat = Nat()
    mine = [
        entry((A, 5000), (P, 5000), (G, 5353), (G, 5353), number=8),
        entry((B, 53), (G, 5353), (P, 5000), (P, 5000), number=9),
    ]
    nat.table.add([*mine, *others])
    nat.translator.configure(served().translator.flows.rules, nat.translator.flows.timeouts)
    assert ends(nat.turned(udp(A, 5000, G, 5353))) == ((P, 5000), (B, 53))
    return nat


def test_an_answer_goes_by_the_entry_that_leads_out() -> None:
    nat = met(entry((B, 53), (G, 6000), (P, 5000), (P, 5000), number=1))
    assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 6000), (A, 5000))
    assert ends(nat.turned(udp(A, 5000, G, 5353))) == ((P, 5000), (B, 53))


def test_an_answer_goes_by_the_entry_that_leads_in() -> None:
    nat = met(entry((C, 7000), (P, 5000), (G, 5353), (G, 5353), number=1))
    for _ in range(2):
        assert ends(nat.turned(udp(B, 53, P, 5000))) == ((G, 5353), (C, 7000))
        assert ends(nat.turned(udp(A, 5000, G, 5353))) == ((P, 5000), (B, 53))
    nat.table.remove([one.pack() for one in flows(nat)])
    assert paths(nat) == 0


def test_an_entry_that_another_device_manages_is_left_to_it() -> None:
    nat = served_by_a_group(statics=MAPPING + 1)
    nat.translator.flows.manage(MAPPING + 1, True, nat.now)
    connected(nat)
    nat.translator.flows.manage(MAPPING + 1, False, nat.now)
    assert nat.turned(from_a("R", seq=100)) is not None
    assert [one.state for one in flows(nat)] == [State.CLOSING, State.ESTABLISHED]
