"""Pulls: what another device has is merged; ours wins, and nothing is given to two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.entry import INSIDE_GLOBAL, INSIDE_LOCAL, OUTSIDE_LOCAL, Entry
from snat.nat.table import NatTable, records_in
from snat.replication.dump import Dump
from snat.replication.feed import FeedState
from snat.replication.pull import TRIES, Pull, merge
from snat.replication.receiver import REQUEST_TIME
from snat.wire.actions import Action, DumpBegin, DumpEnd, DumpKind, DumpRequest
from snat.wire.errors import WireError
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message, Position, Term, encode
from snat.wire.items import controls, item
from tests.records import MAPPING, changed, record

FEED = Feed(0, MAPPING)
AT = Position(Term(4, 2), 3)


def other(of: bytes, **fields: object) -> bytes:
    """An entry of another device that differs from ``of`` in these fields."""
    entry = Entry.unpack(of)._replace(nat_id=2, number=Entry.unpack(of).number + 500)
    return entry._replace(**fields).pack()  # type: ignore[arg-type]


def answered(table: NatTable, request: DumpRequest, slice_size: int = 120) -> list[Message]:
    dump, last = Dump(request, FeedState(FEED, AT), table, slice_size), False
    framing = Framing()
    while not last:
        data, last = dump.next_message()
        framing.feed(data)
    return list(framing.messages())


def table_of(*records: bytes) -> NatTable:
    table = NatTable()
    table.add(list(records))
    return table


def pulled(request: DumpRequest, table: NatTable) -> list[bytes]:
    """The entries that a pull of a table brings."""
    ours = NatTable()
    pull = Pull(FEED, ours)
    pull.number = request.number
    *_, end = answered(table, request)
    for message in answered(table, request):
        if message.body[:1] == b"\x02":
            pull.take(message, 1.0)
        elif isinstance(begin := controls(message.body)[0], DumpBegin):
            pull.begin(begin, 1.0)
    (said,) = controls(end.body)
    assert isinstance(said, DumpEnd)
    assert pull.end(said)
    return sorted(ours)


REQUEST = DumpRequest(1, FEED, DumpKind.PULL, Position())


def test_what_we_do_not_have_is_taken() -> None:
    table = table_of(record(1))
    assert merge(table, [record(2), record(3)]) == ([record(2), record(3)], [])
    assert len(table) == 3


def test_of_an_entry_that_both_have_ours_stays() -> None:
    table = table_of(record(1))
    assert merge(table, [changed(record(1))]) == ([], [])
    assert list(table) == [record(1)]


def test_another_entry_for_a_flow_of_ours_loses() -> None:
    table = table_of(record(1))
    theirs = other(record(1), inside_global_port=9999)
    assert merge(table, [theirs]) == ([], [theirs])


def test_an_outside_port_is_not_given_to_two_inside_hosts() -> None:
    """Also where they speak with different hosts: each could come to speak with the other's."""
    table = table_of(record(1))
    theirs = other(
        record(1),
        inside_local=bytes((10, 0, 0, 99)),
        outside_global=b"\x01\2\3\4",
        outside_local=b"\x01\2\3\4",
    )
    assert merge(table, [theirs]) == ([], [theirs])


def test_another_flow_of_the_same_inside_endpoint_is_taken() -> None:
    table = table_of(record(1))
    theirs = other(record(1), outside_global=b"\x01\2\3\4", outside_local=b"\x01\2\3\4")
    assert merge(table, [theirs]) == ([theirs], [])


def test_all_entries_of_a_feed_are_pulled() -> None:
    table = table_of(*(record(number) for number in range(1, 20)), record(50, mapping_id=99))
    assert pulled(REQUEST, table) == sorted(record(number) for number in range(1, 20))


def test_entries_are_selected_by_who_made_them() -> None:
    table = table_of(record(1), record(2, nat_id=7), record(3, nat_id=7))
    assert pulled(REQUEST._replace(owner=7), table) == sorted([record(2, nat_id=7), record(3, nat_id=7)])


@pytest.mark.parametrize(("length", "hosts"), [(32, [5]), (24, [5, 6]), (0, [5, 6])])
def test_entries_are_selected_by_inside_network(length: int, hosts: list[int]) -> None:
    table = table_of(record(1, host=5), record(2, host=6))
    inside = int.from_bytes(bytes((10, 0, 0, 5)), "big")
    found = pulled(REQUEST._replace(inside=inside, prefix_length=length), table)
    assert [Entry.unpack(one).inside_local[3] for one in found] == hosts


def test_an_end_that_does_not_agree_with_the_slices_is_no_end() -> None:
    pull = Pull(FEED, NatTable())
    pull.request(3, 1.0)
    pull.begin(DumpBegin(3, FEED, DumpKind.PULL, AT), 1.0)
    assert not pull.end(DumpEnd(3, FEED, AT, 1, 1))
    assert not pull.end(DumpEnd(4, FEED, AT, 0, 0)), "another number"
    assert pull.end(DumpEnd(3, FEED, AT, 0, 0))


def test_slices_before_the_begin_are_not_taken_and_others_than_adds_never() -> None:
    pull = Pull(FEED, NatTable())
    pull.request(3, 1.0)
    framing = Framing()
    framing.feed(encode(item(Action.ADD, record(1)), FEED, AT.term))
    framing.feed(encode(item(Action.DELETE, record(1)[:41]), FEED, AT.term))
    add, delete = framing.messages()
    pull.take(add, 1.0)
    assert len(pull.table) == 0
    with pytest.raises(WireError):
        pull.take(delete, 1.0)


def slice_of(*records: bytes) -> Message:
    framing = Framing()
    framing.feed(encode(b"".join(item(Action.ADD, one) for one in records), FEED, AT.term))
    (message,) = framing.messages()
    return message


def test_a_begin_of_another_number_or_of_a_dump_begins_no_answer() -> None:
    pull = Pull(FEED, NatTable())
    pull.request(3, 1.0)
    pull.begin(DumpBegin(2, FEED, DumpKind.PULL, AT), 1.0)
    pull.begin(DumpBegin(3, FEED, DumpKind.FEED, AT), 1.0)
    pull.take(slice_of(record(1)), 1.0)
    assert (len(pull.table), pull.at) == (0, None)
    assert not pull.end(DumpEnd(3, FEED, AT, 0, 0))


def test_what_is_left_of_an_answer_that_is_asked_for_again_is_not_taken() -> None:
    pull = Pull(FEED, NatTable())
    pull.request(3, 1.0)
    pull.begin(DumpBegin(3, FEED, DumpKind.PULL, AT), 1.0)
    pull.take(slice_of(record(1)), 1.0)
    pull.request(4, 1.0 + REQUEST_TIME)
    pull.take(slice_of(record(2)), 1.0 + REQUEST_TIME)
    assert list(pull.table) == [record(1)], "what it brought before stays"
    assert not pull.end(DumpEnd(4, FEED, AT, 0, 0)), "it has not begun"


def test_a_loser_that_comes_again_is_one_loser() -> None:
    ours = record(1)
    pull = Pull(FEED, table_of(ours))
    loser = other(ours, inside_global_port=2000)
    for number in (3, 4):
        pull.request(number, 1.0)
        pull.begin(DumpBegin(number, FEED, DumpKind.PULL, AT), 1.0)
        pull.take(slice_of(loser), 1.0)
    assert pull.losers == [loser]


def test_progress_of_an_answer_is_waited_for() -> None:
    pull = Pull(FEED, NatTable())
    now = 1.0
    pull.request(3, now)
    now += REQUEST_TIME - 0.1
    pull.begin(DumpBegin(3, FEED, DumpKind.PULL, AT), now)
    for number in (1, 2, 3):
        now += REQUEST_TIME - 0.1
        assert not pull.due(now)
        pull.take(slice_of(record(number)), now)
    assert not pull.due(now + REQUEST_TIME - 0.1)
    assert pull.due(now + REQUEST_TIME), "and then it has stopped"


def test_it_asks_again_when_nothing_comes_for_a_while() -> None:
    pull = Pull(FEED, NatTable())
    assert pull.due(1.0)
    pull.request(1, 1.0)
    assert not pull.due(1.0 + REQUEST_TIME - 0.1)
    assert pull.due(1.0 + REQUEST_TIME)
    pull.request(2, 1.0 + REQUEST_TIME)
    assert pull.tries == TRIES


def flow(nat_id: int, host: int, port: int, outside: int) -> bytes:
    """What a device made of an inside host's flow: the port tells its entries apart."""
    one = record(port * 10 + host, nat_id=nat_id, host=host, outside=outside, port=40000 - port * 10 - host)
    return Entry.unpack(one)._replace(inside_global_port=port).pack()


def tables(nat_id: int) -> st.SearchStrategy[list[bytes]]:
    """Entries as one device makes them: each inside host keeps its port, no two have the same."""
    ports = st.permutations(range(1, 5))
    flows = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), unique=True)
    return st.tuples(ports, flows).map(
        lambda drawn: [flow(nat_id, 5 + host, drawn[0][host], outside) for host, outside in drawn[1]]
    )


@given(tables(1), tables(2), st.lists(st.integers(0, 11)), st.integers(1, 5))
def test_whatever_is_merged_ours_stays_and_no_port_is_given_to_two(
    ours: list[bytes], theirs: list[bytes], shared: list[int], slice_size: int
) -> None:
    """Also where some of ours are theirs in another state, and in slices of any size."""
    known = [changed(ours[at]) for at in sorted(set(shared)) if at < len(ours)]
    table, taken, losers = table_of(*ours), list[bytes](), list[bytes]()
    answer = [*known, *theirs]
    for at in range(0, len(answer), slice_size):
        added, lost = merge(table, answer[at : at + slice_size])
        taken += added
        losers += lost
    assert sorted(table) == sorted([*ours, *taken])
    assert sorted([*taken, *losers]) == sorted(theirs), (
        "each of theirs is one or the other, the known neither"
    )
    for slot in table.outside.values():
        assert len({one[INSIDE_LOCAL] for one in records_in(slot)}) == 1
    assert table.collisions == 0
    for one in losers:
        flow_of_ours = table.from_inside(one[INSIDE_LOCAL], one[OUTSIDE_LOCAL])
        its_port = table.outside.get(one[INSIDE_GLOBAL])
        assert flow_of_ours in ours or any(
            other[INSIDE_LOCAL] != one[INSIDE_LOCAL] for other in records_in(its_port or {})
        ), "nothing is lost without a reason"
