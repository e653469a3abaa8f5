"""Changes of entries: sizes, formats, owners. A message is good as a whole or not at all."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.entry import MAXIMUM_CONTEXT, MAXIMUM_SIZE, PLAIN_SIZE, REFERENCE, REFERENCE_SIZE, Entry
from snat.wire.actions import Action, ItemFlag
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import Feed
from snat.wire.items import ADD_PLAIN, CHANGES, ITEM, changes, controls, item

MAPPING: Final = 10
ENTRY: Final = Entry(
    nat_id=1,
    number=7,
    mapping_id=MAPPING,
    inside_local=bytes([10, 0, 0, 5]),
    inside_local_port=40001,
    protocol=6,
    inside_global=bytes([203, 0, 113, 10]),
    inside_global_port=3,
    outside_local=bytes(4),
    outside_local_port=0,
    outside_global=bytes(4),
    outside_global_port=0,
    flags=0,
    state=1,
    timeout_class=1,
)
PLAIN: Final = ENTRY.pack()
REFERENCED: Final = PLAIN[REFERENCE]
ADD: Final = item(Action.ADD, PLAIN)


def refused(body: bytes, mapping_id: int = MAPPING) -> ErrorCode:
    with pytest.raises(WireError) as caught:
        changes(body, Feed(0, mapping_id))
    assert caught.value.reason
    return caught.value.code


def many(count: int) -> list[bytes]:
    return [ENTRY._replace(number=number).pack() for number in range(count)]


def test_sizes_are_those_of_the_specification() -> None:
    assert (PLAIN_SIZE, REFERENCE_SIZE, MAXIMUM_CONTEXT, MAXIMUM_SIZE) == (49, 41, 4096, 4145)


def test_no_items_are_no_changes() -> None:
    assert changes(b"", Feed(0, MAPPING)) == []


def test_a_run_of_plain_adds_is_one_run() -> None:
    records = many(300)
    assert changes(b"".join(item(Action.ADD, one) for one in records), Feed(0, MAPPING)) == [
        (Action.ADD, records)
    ]


def test_runs_keep_the_order() -> None:
    first, second, third = many(3)
    body = b"".join(
        [
            item(Action.ADD, first),
            item(Action.ADD, second),
            item(Action.DELETE, first[REFERENCE]),
            item(Action.ADD, third),
            item(Action.UPDATE, second),
        ]
    )
    assert changes(body, Feed(0, MAPPING)) == [
        (Action.ADD, [first, second]),
        (Action.DELETE, [first[REFERENCE]]),
        (Action.ADD, [third]),
        (Action.UPDATE, [second]),
    ]


@pytest.mark.parametrize("action", [Action.ADD, Action.UPDATE])
@pytest.mark.parametrize("size", [0, REFERENCE_SIZE, PLAIN_SIZE - 1, MAXIMUM_SIZE + 1, 65535])
def test_a_record_of_an_impossible_size_is_refused(action: Action, size: int) -> None:
    assert refused(item(action, (PLAIN + bytes(65535))[:size])) is ErrorCode.MALFORMED


@pytest.mark.parametrize("size", [0, REFERENCE_SIZE - 1, REFERENCE_SIZE + 1, PLAIN_SIZE])
def test_a_reference_of_another_size_is_refused(size: int) -> None:
    assert refused(item(Action.DELETE, PLAIN[:size])) is ErrorCode.MALFORMED


@pytest.mark.parametrize("size", [1, REFERENCE_SIZE, PLAIN_SIZE])
@pytest.mark.parametrize("after", [0, 3])
def test_a_delete_all_carries_nothing(size: int, after: int) -> None:
    assert refused(ADD * after + item(Action.DELETE_ALL, PLAIN[:size])) is ErrorCode.MALFORMED


def test_a_delete_all_stands_alone_or_in_its_place_among_others() -> None:
    everything = item(Action.DELETE_ALL, b"")
    assert changes(everything, Feed(0, MAPPING)) == [(Action.DELETE_ALL, [b""])]
    assert changes(ADD + everything + everything + ADD, Feed(0, MAPPING)) == [
        (Action.ADD, [PLAIN]),
        (Action.DELETE_ALL, [b"", b""]),
        (Action.ADD, [PLAIN]),
    ]


@pytest.mark.parametrize("size", [1, MAXIMUM_CONTEXT - 1, MAXIMUM_CONTEXT])
@pytest.mark.parametrize("action", [Action.ADD, Action.UPDATE])
def test_a_context_up_to_the_limit_is_taken(action: Action, size: int) -> None:
    record = ENTRY._replace(context=b"x" * size).pack()
    assert changes(item(action, record), Feed(0, MAPPING)) == [(action, [record])]


def test_a_context_over_the_limit_is_neither_made_nor_taken() -> None:
    too_long = ENTRY._replace(context=bytes(MAXIMUM_CONTEXT + 1))
    with pytest.raises(ValueError, match="at most 4096"):
        too_long.pack()
    record = PLAIN[:-4] + too_long.context + PLAIN[-4:]
    assert refused(item(Action.ADD, record)) is ErrorCode.MALFORMED


@pytest.mark.parametrize("record_format", range(1, 16))
@pytest.mark.parametrize("action", sorted(CHANGES))
def test_a_record_format_other_than_ipv4_is_refused(action: Action, record_format: int) -> None:
    data = {Action.DELETE: REFERENCED, Action.DELETE_ALL: b""}.get(action, PLAIN)
    assert refused(item(action, data, record_format)) is ErrorCode.MALFORMED


@pytest.mark.parametrize("flags", [0x10, 0x20, 0x40, ItemFlag.OPTIONAL, 0xF0])
def test_bits_without_meaning_are_ignored(flags: int) -> None:
    assert changes(item(Action.ADD, PLAIN, flags), Feed(0, MAPPING)) == [(Action.ADD, [PLAIN])]


@pytest.mark.parametrize("action", [Action.ADD, Action.UPDATE, Action.DELETE])
@pytest.mark.parametrize("after", [0, 3, 20])
def test_a_local_entry_is_refused_wherever_it_stands(action: Action, after: int) -> None:
    local = ENTRY._replace(nat_id=0).pack()
    data = local[REFERENCE] if action is Action.DELETE else local
    assert refused(ADD * after + item(action, data) + ADD) is ErrorCode.MALFORMED


@pytest.mark.parametrize("action", [Action.ADD, Action.UPDATE, Action.DELETE])
@pytest.mark.parametrize("after", [0, 3, 20])
def test_an_entry_of_another_mapping_is_refused_wherever_it_stands(action: Action, after: int) -> None:
    foreign = ENTRY._replace(mapping_id=MAPPING + 1).pack()
    data = foreign[REFERENCE] if action is Action.DELETE else foreign
    assert refused(ADD * after + item(action, data) + ADD) is ErrorCode.MALFORMED


@pytest.mark.parametrize("code", [0, *sorted(set(Action) - CHANGES), 16, 18, 255])
@pytest.mark.parametrize("after", [0, 1])
def test_anything_else_among_changes_is_refused_unless_optional(code: int, after: int) -> None:
    foreign = bytes((code, 0, 0, 3)) + b"abc"
    optional = bytes((code, ItemFlag.OPTIONAL, 0, 3)) + b"abc"
    assert refused(ADD * after + foreign + ADD) is ErrorCode.UNKNOWN_ACTION
    assert changes(ADD * after + optional + ADD, Feed(0, MAPPING)) == [(Action.ADD, [PLAIN] * (after + 1))]


@pytest.mark.parametrize("code", sorted(CHANGES))
def test_a_change_among_controls_is_refused(code: int) -> None:
    """The other way round: an unnumbered message is a slice by its first item, or has no change."""
    with pytest.raises(WireError) as caught:
        controls(bytes((code, 0, 0, 0)))
    assert caught.value.code is ErrorCode.UNKNOWN_ACTION


@pytest.mark.parametrize("count", [1, 2, 14, 15, 16, 50])
def test_a_lie_in_a_run_of_plain_adds_is_found(count: int) -> None:
    """The length of the body is that of plain adds, and yet one item is none."""
    lying = ADD * count + bytes((Action.ADD, 0, 0, PLAIN_SIZE - 1)) + PLAIN
    assert len(lying) % len(ADD) == 0
    assert refused(lying) is ErrorCode.MALFORMED
    optional = ADD * count + bytes((99, ItemFlag.OPTIONAL, 0, PLAIN_SIZE)) + PLAIN
    assert changes(optional, Feed(0, MAPPING)) == [(Action.ADD, [PLAIN] * count)]


def test_two_items_whose_lengths_make_up_for_each_other_are_read_by_their_lengths() -> None:
    """A reference and a record with context are as long together as two plain adds."""
    longer = ENTRY._replace(context=bytes(PLAIN_SIZE - REFERENCE_SIZE)).pack()
    body = ADD + item(Action.DELETE, REFERENCED) + item(Action.ADD, longer)
    assert len(body) % len(ADD) == 0
    assert changes(body, Feed(0, MAPPING)) == [
        (Action.ADD, [PLAIN]),
        (Action.DELETE, [REFERENCED]),
        (Action.ADD, [longer]),
    ]


def test_the_head_of_a_plain_add_is_that_of_its_item() -> None:
    assert ADD.startswith(ADD_PLAIN)


def judged(body: bytes) -> list[bytes] | ErrorCode:
    """The records of adds, or why they are refused."""
    try:
        return [record for _, records in changes(body, Feed(0, MAPPING)) for record in records]
    except WireError as error:
        return error.code


@pytest.mark.parametrize("at", range(20))
@given(
    changed=st.integers(0, 20), byte=st.integers(0, 255), nat_id=st.sampled_from([1, 256, 1 << 16, 1 << 24])
)
def test_an_add_among_others_is_judged_as_it_is_alone(at: int, changed: int, byte: int, nat_id: int) -> None:
    """Its head, NAT ID and mapping are compared in bulk: any byte of any of them, in any place, must count.

    Lengths are left out: items after a length that lies are others.
    """
    if at in (2, 3):
        byte = ADD[at]
    others = [item(Action.ADD, ENTRY._replace(nat_id=nat_id, number=number).pack()) for number in range(20)]
    spoilt = bytearray(item(Action.ADD, ENTRY._replace(nat_id=nat_id).pack()))
    spoilt[at] = byte
    alone, together = judged(bytes(spoilt)), judged(b"".join([*others[:changed], spoilt, *others[changed:]]))
    if isinstance(alone, ErrorCode):
        assert together is alone
    else:
        records = [one[ITEM.size :] for one in others]
        assert together == [*records[:changed], *alone, *records[changed:]]
