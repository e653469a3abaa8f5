"""Entries by what an operator knows of them: the right ones, and without walking where an index has them."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.device.entries import SLICE, selected
from snat.device.selection import EVERYTHING, Place, Selection
from snat.nat.entry import Entry, Flag, State, TimeoutClass
from snat.nat.table import NatTable
from tests.records import record

INSIDE = [IPv4Address(f"10.0.0.{host}") for host in (1, 2)]
GLOBAL = [IPv4Address(f"203.0.113.{host}") for host in (1, 2)]
OUTSIDE = [IPv4Address(f"198.51.100.{host}") for host in (1, 2)]
ADDRESSES = INSIDE + GLOBAL + OUTSIDE
PORTS = [0, 53, 54]
PROTOCOLS = [1, 6, 17, 47]


def entries() -> st.SearchStrategy[Entry]:
    port = st.sampled_from(PORTS)
    octets = {name: st.sampled_from([one.packed for one in which]) for name, which in REALMS.items()}
    return st.builds(
        Entry,
        nat_id=st.integers(0, 2),
        number=st.integers(1, 1000),
        mapping_id=st.just(10),
        inside_local_port=port,
        protocol=st.sampled_from(PROTOCOLS),
        inside_global_port=port,
        outside_local_port=port,
        outside_global_port=port,
        flags=st.just(Flag.EXTENDED),
        state=st.just(State.OPEN),
        timeout_class=st.just(TimeoutClass.UDP),
        context=st.just(b""),
        remaining=st.just(300),
        **octets,
    )


REALMS = {
    "inside_local": INSIDE,
    "inside_global": GLOBAL,
    "outside_local": OUTSIDE,
    "outside_global": OUTSIDE,
}
PLACES = st.none() | st.builds(Place, st.sampled_from(ADDRESSES), st.none() | st.sampled_from(PORTS))
SELECTIONS = st.builds(
    Selection,
    protocol=st.none() | st.sampled_from(PROTOCOLS),
    inside=PLACES,
    outside=PLACES,
    inside_local=PLACES,
    inside_global=PLACES,
    outside_local=PLACES,
    outside_global=PLACES,
    global_range=st.none() | st.tuples(st.sampled_from(GLOBAL), st.sampled_from(GLOBAL)),
    nat_id=st.none() | st.integers(0, 2),
)


def is_meant(entry: Entry, selection: Selection) -> bool:
    """What a selection says, from the names of the fields alone."""

    def at(realm: str, place: Place | None) -> bool:
        if place is None:
            return True
        same = getattr(entry, realm) == place.address.packed
        return same and place.port in (None, getattr(entry, f"{realm}_port"))

    first_last = selection.global_range
    return (
        selection.protocol in (None, entry.protocol)
        and selection.nat_id in (None, entry.nat_id)
        and all(at(realm, getattr(selection, realm)) for realm in REALMS)
        and (at("inside_local", selection.inside) or at("inside_global", selection.inside))
        and (at("outside_local", selection.outside) or at("outside_global", selection.outside))
        and (first_last is None or first_last[0] <= IPv4Address(entry.inside_global) <= first_last[1])
    )


@given(st.lists(entries(), max_size=30), SELECTIONS)
def test_exactly_the_entries_that_are_meant_each_once(made: list[Entry], selection: Selection) -> None:
    table = NatTable()
    table.add([entry.pack() for entry in made])
    found = list(chain.from_iterable(selected(table, selection)))
    assert sorted(found) == sorted(one for one in table if is_meant(Entry.unpack(one), selection))


class Watched(NatTable):
    """A table that counts which inside endpoints are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def at(self, inside_local: bytes) -> Iterator[bytes]:
        self.looks += 1
        return super().at(inside_local)


@pytest.fixture(scope="module")
def large() -> Watched:
    """100 000 endpoints of two hosts."""
    table = Watched()
    hosts = [(host, number) for host in (5, 6, 7, 8) for number in range(25_000)]
    table.add([record(number, host=host, port=1000, nat_id=host) for host, number in hosts])
    assert len(table.inside) == 100_000
    return table


def test_the_first_entries_come_without_a_walk(large: Watched) -> None:
    large.looks = 0
    batches = selected(large, EVERYTHING)
    assert len(next(batches)) == large.looks == SLICE


@pytest.mark.parametrize(
    "selection",
    [
        Selection(inside=Place(IPv4Address("10.0.0.7"), 1009)),
        Selection(protocol=17, inside_local=Place(IPv4Address("10.0.0.7"), 1009)),
        Selection(inside_local=Place(IPv4Address("10.0.0.7"), 1009), inside_global=Place(GLOBAL[0])),
    ],
)
def test_an_endpoint_with_its_port_is_looked_up(large: Watched, selection: Selection) -> None:
    large.looks = 0
    batches = list(selected(large, selection))
    assert len(batches) == 1
    assert large.looks <= 256 + 1
    assert len(batches[0]) == (0 if selection.inside_global else 1)


def test_a_global_endpoint_with_its_port_is_looked_up(large: Watched) -> None:
    large.looks = 0
    address = IPv4Address("203.0.113.10")
    (batch,) = selected(large, Selection(protocol=17, inside_global=Place(address, 1024 + 9)))
    assert len(batch) == large.looks == 4  # one of each host


def test_an_address_alone_touches_the_entries_of_no_other(large: Watched) -> None:
    large.looks = 0
    batches = list(selected(large, Selection(inside_local=Place(IPv4Address("10.0.0.7")))))
    assert sum(map(len, batches)) == large.looks == 25_000
    assert len(batches) > 300  # and others have their turn between


def test_the_table_may_change_while_it_is_walked() -> None:
    """What went meanwhile is not shown, and nothing fails."""
    table = NatTable()
    flows = [record(number) for number in range(1, 600)]
    table.add(flows)
    walk = selected(table, EVERYTHING)
    first = next(walk)
    table.remove(flows[100:])
    table.add([record(1000)])
    rest = [one for batch in walk for one in batch]
    assert len(first) == SLICE
    assert set(first) < set(flows)
    assert len(first + rest) < len(flows)  # what went was not met any more


def test_the_flows_of_one_endpoint_are_taken_at_once() -> None:
    """They are in a dict that packets change: to go on in it afterwards would fail."""
    table = NatTable()
    flows = [
        Entry.unpack(record(number, port=1000 - number))._replace(outside_local_port=number).pack()
        for number in range(1, 600)
    ]
    table.add(flows)
    assert len(table.inside) == 1
    walk = selected(table, EVERYTHING)
    first = next(walk)
    table.remove(flows[100:])
    assert sorted(first) == sorted(flows)
    assert list(walk) == []
