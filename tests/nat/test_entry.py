"""The record: one layout for table, wire and keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat import entry as layout
from snat.nat.entry import MAXIMUM_CONTEXT, Entry, State, entry_number, with_state


def unsigned(size: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << 8 * size) - 1)


ADDRESSES = st.binary(min_size=4, max_size=4)
ENTRIES = st.builds(
    Entry,
    nat_id=unsigned(4),
    number=unsigned(8),
    mapping_id=unsigned(4),
    inside_local=ADDRESSES,
    inside_local_port=unsigned(2),
    protocol=unsigned(1),
    inside_global=ADDRESSES,
    inside_global_port=unsigned(2),
    outside_local=ADDRESSES,
    outside_local_port=unsigned(2),
    outside_global=ADDRESSES,
    outside_global_port=unsigned(2),
    flags=unsigned(2),
    state=unsigned(1),
    timeout_class=unsigned(1),
    context=st.binary(max_size=40),
    remaining=unsigned(4),
)


@given(ENTRIES)
def test_unpack_gives_back_what_was_packed(entry: Entry) -> None:
    assert Entry.unpack(entry.pack()) == entry


@given(ENTRIES)
def test_every_key_is_a_slice_of_the_record(entry: Entry) -> None:
    record = entry.pack()
    number = entry.number.to_bytes(8, "big")
    inside_port, global_port, local_far, global_far = (
        port.to_bytes(2, "big")
        for port in (
            entry.inside_local_port,
            entry.inside_global_port,
            entry.outside_local_port,
            entry.outside_global_port,
        )
    )
    protocol = bytes((entry.protocol,))
    assert record[layout.ID] == entry.nat_id.to_bytes(4, "big") + number
    assert record[layout.NAT_ID] == entry.nat_id.to_bytes(4, "big")
    assert record[layout.MAPPING] == entry.mapping_id.to_bytes(4, "big")
    assert record[layout.INSIDE_LOCAL] == entry.inside_local + inside_port + protocol
    assert record[layout.INSIDE_GLOBAL] == protocol + entry.inside_global + global_port
    assert record[layout.OUTSIDE_LOCAL] == entry.outside_local + local_far
    assert record[layout.OUTSIDE_GLOBAL] == entry.outside_global + global_far
    assert record[layout.STATE] == entry.state
    assert record[layout.TIMEOUT_CLASS] == entry.timeout_class
    assert record[layout.REFERENCE] == record[: layout.REFERENCE_SIZE]
    assert record[layout.REFERENCE].endswith(record[layout.OUTSIDE_GLOBAL])


def test_the_layout_is_frozen() -> None:
    """Written by hand from the drawing in the docstring, not by pack()."""
    entry = Entry(
        nat_id=7,
        number=0x0102030405060708,
        mapping_id=10,
        inside_local=bytes((10, 0, 0, 2)),
        inside_local_port=0x1388,
        protocol=6,
        inside_global=bytes((203, 0, 113, 1)),
        inside_global_port=0x1389,
        outside_local=bytes((198, 51, 100, 10)),
        outside_local_port=80,
        outside_global=bytes((198, 51, 100, 11)),
        outside_global_port=81,
        flags=2,
        state=2,
        timeout_class=1,
        context=b"ctx",
        remaining=7440,
    )
    assert entry.pack() == bytes.fromhex(
        "00000007 0102030405060708 0000000a"
        "0a000002 1388 06 cb007101 1389 c633640a 0050 c633640b 0051"
        "0002 02 01" + b"ctx".hex() + "00001d10"
    )


def test_a_record_without_context_has_the_plain_size() -> None:
    entry = Entry(1, 1, 1, bytes(4), 0, 6, bytes(4), 0, bytes(4), 0, bytes(4), 0, 0, 0, 0)
    assert len(entry.pack()) == layout.PLAIN_SIZE == layout.FIXED_SIZE + 4 == 49


@given(ENTRIES, st.sampled_from(State), unsigned(4))
def test_another_state_changes_nothing_but_state_and_remaining(
    entry: Entry, state: State, remaining: int
) -> None:
    changed = with_state(entry.pack(), state, remaining)
    assert Entry.unpack(changed) == entry._replace(state=state, remaining=remaining)


def test_the_longest_context_fits_and_a_longer_one_is_refused() -> None:
    entry = Entry(1, 1, 1, bytes(4), 0, 6, bytes(4), 0, bytes(4), 0, bytes(4), 0, 0, 0, 0)
    full = entry._replace(context=bytes(MAXIMUM_CONTEXT))
    assert len(full.pack()) == layout.MAXIMUM_SIZE
    with pytest.raises(ValueError, match="4097 bytes; at most 4096"):
        entry._replace(context=bytes(MAXIMUM_CONTEXT + 1)).pack()


def test_numbers_of_different_incarnations_differ() -> None:
    assert entry_number(1, 5) == (1 << 40) + 5
    assert entry_number((1 << 24) - 1, 0) < 1 << 64
    assert entry_number(1 << 24, 5) == 5, "24 bits of the incarnation"
