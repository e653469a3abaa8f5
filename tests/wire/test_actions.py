"""Items other than changes: their sizes, and what is unknown."""

from typing import Any, Final, NamedTuple, cast

import pytest

from snat.wire.actions import (
    APPLIED,
    AUTHENTICATE,
    ERROR,
    LAYOUTS,
    MAXIMUM_REASON,
    UNIT,
    Action,
    Error,
    ItemFlag,
    control,
    controls,
    error,
    first_action,
    item,
    items,
    keepalive,
)
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import NO_FEED, NO_TERM

KNOWN: Final = {*LAYOUTS, Action.KEEPALIVE, Action.AUTHENTICATE, Action.ERROR}
UNKNOWN: Final = [code for code in range(256) if code not in KNOWN]
"""Among controls, the changes too."""


def refused(body: bytes) -> ErrorCode:
    with pytest.raises(WireError) as caught:
        controls(body)
    assert caught.value.reason
    return caught.value.code


def test_every_action_is_a_change_or_decoded_here() -> None:
    assert {Action.ADD, Action.UPDATE, Action.DELETE} | KNOWN == set(Action)
    assert not {5, 6, 16} & set(Action), "reserved numbers"


@pytest.mark.parametrize("action", LAYOUTS)
def test_a_layout_has_a_field_for_each_of_its_values(action: Action) -> None:
    kind, layout = LAYOUTS[action]
    (value,) = controls(item(action, bytes(layout.size)))
    assert type(value) is kind
    assert control(cast("NamedTuple", value)) == item(action, bytes(layout.size))


@pytest.mark.parametrize("action", LAYOUTS)
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_fixed_layout_of_another_size_is_refused(action: Action, difference: int) -> None:
    size = LAYOUTS[action][1].size + difference
    assert refused(item(action, bytes(size))) is ErrorCode.MALFORMED
    assert refused(item(action, b"")) is ErrorCode.MALFORMED


@pytest.mark.parametrize("size", [1, APPLIED.size - 1, APPLIED.size + 1, 2 * APPLIED.size - 1])
def test_a_keepalive_of_a_broken_number_of_feeds_is_refused(size: int) -> None:
    assert refused(item(Action.KEEPALIVE, bytes(size))) is ErrorCode.MALFORMED


def test_a_keepalive_may_name_no_feed() -> None:
    assert keepalive([]) == bytes((Action.KEEPALIVE, 0, 0, 0))
    assert controls(keepalive([])) == []


@pytest.mark.parametrize(
    "size", [0, AUTHENTICATE.size - 1, AUTHENTICATE.size + 1, AUTHENTICATE.size + UNIT.size - 1]
)
def test_an_authenticate_of_another_size_is_refused(size: int) -> None:
    assert refused(item(Action.AUTHENTICATE, bytes(size))) is ErrorCode.MALFORMED


def test_an_authenticate_may_name_no_unit() -> None:
    ((_, units),) = controls(item(Action.AUTHENTICATE, bytes(AUTHENTICATE.size)))  # type: ignore[misc]
    assert units == []


@pytest.mark.parametrize("size", [0, ERROR.size - 1, ERROR.size + MAXIMUM_REASON + 1])
def test_an_error_of_another_size_is_refused(size: int) -> None:
    assert refused(item(Action.ERROR, bytes(size))) is ErrorCode.MALFORMED


@pytest.mark.parametrize("length", [0, 1, MAXIMUM_REASON])
def test_an_error_without_or_with_text_comes_back(length: int) -> None:
    said = Error(1, NO_FEED, NO_TERM, "x" * length)
    assert controls(error(said)) == [said]


def test_a_reason_is_cut_to_its_limit_even_within_a_character() -> None:
    (said,) = controls(error(Error(1, NO_FEED, NO_TERM, "é" * MAXIMUM_REASON + "e")))
    assert isinstance(said, Error)
    assert said.reason == "é" * (MAXIMUM_REASON // 2)
    (said,) = controls(error(Error(1, NO_FEED, NO_TERM, "e" + "é" * MAXIMUM_REASON)))
    assert isinstance(said, Error)
    assert said.reason == "e" + "é" * (MAXIMUM_REASON // 2 - 1) + "\N{REPLACEMENT CHARACTER}"


def test_a_reason_that_is_no_text_is_shown_as_far_as_it_goes() -> None:
    (said,) = controls(item(Action.ERROR, bytes(ERROR.size) + b"a\xffb"))
    assert isinstance(said, Error)
    assert said.reason == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("code", UNKNOWN)
def test_an_unknown_mandatory_item_is_refused_and_an_optional_one_ignored(code: int) -> None:
    assert refused(keepalive([]) + bytes((code, 0, 0, 1)) + b"x") is ErrorCode.UNKNOWN_ACTION
    known = Error(1, NO_FEED, NO_TERM, "known")
    optional = bytes((code, ItemFlag.OPTIONAL, 0, 1)) + b"x"
    assert controls(optional + error(known) + optional) == [known]


@pytest.mark.parametrize("action", LAYOUTS)
def test_a_known_item_counts_whether_optional_or_not(action: Action) -> None:
    data = bytes(LAYOUTS[action][1].size)
    assert controls(item(action, data, ItemFlag.OPTIONAL)) == controls(item(action, data))
    with pytest.raises(WireError):
        controls(item(action, data + b"x", ItemFlag.OPTIONAL))


@pytest.mark.parametrize("left", [1, 2, 3])
def test_bytes_after_the_last_item_are_refused(left: int) -> None:
    assert refused(keepalive([]) + bytes(left)) is ErrorCode.MALFORMED


@pytest.mark.parametrize(("length", "data"), [(1, b""), (65535, b"x" * 100), (5, b"four")])
def test_an_item_longer_than_its_message_is_refused(length: int, data: bytes) -> None:
    assert refused(bytes((200, ItemFlag.OPTIONAL)) + length.to_bytes(2, "big") + data) is ErrorCode.MALFORMED


def test_items_come_as_they_are() -> None:
    found: list[Any] = list(items(bytes((200, 7, 0, 2)) + b"ab" + bytes((0, 0, 0, 0))))
    assert found == [(200, 7, b"ab"), (0, 0, b"")]


def test_the_first_action_of_nothing_is_none() -> None:
    assert first_action(b"") == 0
    assert first_action(keepalive([])) == Action.KEEPALIVE
