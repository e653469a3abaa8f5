"""Items other than changes: their sizes, and what is unknown."""

from typing import Any, Final, NamedTuple, cast

import pytest

from snat.nat.entry import REFERENCE_SIZE
from snat.wire.actions import (
    MAXIMUM_HEARD,
    MAXIMUM_REASON,
    Action,
    Authenticate,
    DumpBegin,
    DumpKind,
    DumpRequest,
    Error,
    Hears,
    ItemFlag,
    Prompt,
    Unavailable,
    Unit,
)
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import NO_FEED, NO_TERM, Position
from snat.wire.items import (
    APPLIED,
    AUTHENTICATE,
    CHANGES,
    ERROR,
    HINT,
    LAYOUTS,
    UNIT,
    authenticate,
    control,
    controls,
    error,
    first_action,
    hears,
    item,
    items,
    keepalive,
    prompt,
)

REPEATED: Final = {Action.KEEPALIVE: APPLIED, Action.HINT: HINT}
KNOWN: Final = {*LAYOUTS, *REPEATED, Action.AUTHENTICATE, Action.ERROR, Action.HEARS, Action.PROMPT}
UNKNOWN: Final = [code for code in range(256) if code not in KNOWN]
"""Among controls, the changes too."""


def refused(body: bytes) -> ErrorCode:
    with pytest.raises(WireError) as caught:
        controls(body)
    assert caught.value.reason
    return caught.value.code


def ones(action: Action) -> bytes:
    """Data of a fixed layout whose fields are all 1, which every field may be."""
    layout = LAYOUTS[action][1]
    return layout.pack(*[1] * len(layout.unpack(bytes(layout.size))))


def test_every_action_is_a_change_or_decoded_here() -> None:
    assert set(Action) == KNOWN | CHANGES
    assert not KNOWN & CHANGES


@pytest.mark.parametrize("action", LAYOUTS)
def test_a_layout_has_a_field_for_each_of_its_values(action: Action) -> None:
    (value,) = controls(item(action, ones(action)))
    assert type(value) is LAYOUTS[action][0]
    assert control(cast("NamedTuple", value)) == item(action, ones(action))


@pytest.mark.parametrize("value", [0, 4, 255])
def test_a_request_for_nothing_known_is_refused(value: int) -> None:
    assert refused(control(DumpRequest(1, NO_FEED, value, Position()))) is ErrorCode.MALFORMED


@pytest.mark.parametrize("kind", DumpKind)
@pytest.mark.parametrize("length", [33, 255])
def test_an_impossible_prefix_is_refused_whatever_the_kind(kind: DumpKind, length: int) -> None:
    request = DumpRequest(1, NO_FEED, kind, Position(), prefix_length=length)
    assert refused(control(request)) is ErrorCode.MALFORMED
    assert controls(control(request._replace(prefix_length=32))) == [request._replace(prefix_length=32)]


@pytest.mark.parametrize("value", [0, DumpKind.RESUME, 4, 255])
def test_a_dump_of_no_kind_does_not_begin(value: int) -> None:
    assert refused(control(DumpBegin(1, NO_FEED, value, Position()))) is ErrorCode.MALFORMED


@pytest.mark.parametrize("keep", [2, 255])
def test_entries_are_kept_or_not(keep: int) -> None:
    assert refused(control(Unavailable(NO_FEED, Position(), 0, 0, keep))) is ErrorCode.MALFORMED


def test_bits_of_a_later_version_are_read_and_mean_nothing() -> None:
    """A receiver uses what both have: a capability or option that it does not know is none of its affair."""
    hello = Authenticate(1, 2, 3, 4, 5, 0xFFFFFFFF, 0xFFFF)
    unit = Unit(NO_FEED, Position(), 1, 1, 0, 0, 0xFFFF)
    assert controls(authenticate(hello, [unit])) == [(hello, [unit])]


@pytest.mark.parametrize("action", LAYOUTS)
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_fixed_layout_of_another_size_is_refused(action: Action, difference: int) -> None:
    data = ones(action)
    assert refused(item(action, (data + b"x")[: len(data) + difference])) is ErrorCode.MALFORMED
    assert refused(item(action, b"")) is ErrorCode.MALFORMED


@pytest.mark.parametrize("action", REPEATED)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_broken_number_of_what_an_item_repeats_is_refused(
    action: Action, times: int, difference: int
) -> None:
    size = REPEATED[action].size * times + difference
    assert refused(item(action, bytes(size))) is ErrorCode.MALFORMED


@pytest.mark.parametrize("size", [1, 3, 5, 4 * MAXIMUM_HEARD + 1, 4 * MAXIMUM_HEARD + 4])
def test_whom_somebody_hears_is_a_bounded_number_of_nat_ids(size: int) -> None:
    assert refused(item(Action.HEARS, bytes(size))) is ErrorCode.MALFORMED
    most = tuple(range(MAXIMUM_HEARD))
    assert controls(hears(Hears(most))) == [Hears(most)]
    assert controls(hears(Hears(()))) == [Hears(())]


def test_a_prompt_says_nothing() -> None:
    assert controls(prompt()) == [Prompt()]
    assert refused(item(Action.PROMPT, b"x")) is ErrorCode.MALFORMED


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


@pytest.mark.parametrize("size", [*range(1, REFERENCE_SIZE), REFERENCE_SIZE + 1, 255])
def test_an_entry_in_an_error_that_is_no_reference_is_refused(size: int) -> None:
    about = ERROR.pack(ErrorCode.COLLISION, 0, 10, 0, 0, size)
    assert refused(item(Action.ERROR, about + bytes(size))) is ErrorCode.MALFORMED


@pytest.mark.parametrize("missing", [1, REFERENCE_SIZE])
def test_an_error_without_the_entry_that_it_promises_is_refused(missing: int) -> None:
    about = ERROR.pack(ErrorCode.COLLISION, 0, 10, 0, 0, REFERENCE_SIZE)
    assert refused(item(Action.ERROR, about + bytes(REFERENCE_SIZE - missing))) is ErrorCode.MALFORMED


def test_an_entry_leaves_the_reason_its_length() -> None:
    about = ERROR.pack(ErrorCode.COLLISION, 0, 10, 0, 0, REFERENCE_SIZE) + bytes(REFERENCE_SIZE)
    assert len(controls(item(Action.ERROR, about + b"x" * MAXIMUM_REASON))) == 1
    assert refused(item(Action.ERROR, about + b"x" * (MAXIMUM_REASON + 1))) is ErrorCode.MALFORMED


@pytest.mark.parametrize("length", [0, 1, MAXIMUM_REASON])
@pytest.mark.parametrize("entry", [b"", b"\xff" * REFERENCE_SIZE])
def test_an_error_comes_back_with_its_text_and_entry(length: int, entry: bytes) -> None:
    said = Error(1, NO_FEED, NO_TERM, "x" * length, entry)
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
    data = ones(action)
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
