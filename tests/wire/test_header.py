"""The header: what it says, and that no length in it is believed unchecked."""

import struct
from itertools import pairwise

import pytest

from snat.wire.errors import ErrorCode, WireError
from snat.wire.framing import Framing
from snat.wire.header import (
    MAXIMUM_HEADER,
    MAXIMUM_MESSAGE,
    NO_FEED,
    NO_TERM,
    SIZE,
    Feed,
    Message,
    Position,
    Term,
    encode,
)


def heading(
    *, version: int = 1, flags: int = 1, header: int = SIZE, message: int = SIZE, rest: bytes = bytes(24)
) -> bytes:
    return struct.pack("!BBHI", version, flags, header, message) + rest


def read(stream: bytes, maximum: int = MAXIMUM_MESSAGE) -> list[Message]:
    framing = Framing(maximum)
    framing.feed(stream)
    return list(framing.messages())


def refused(stream: bytes, maximum: int = MAXIMUM_MESSAGE) -> ErrorCode:
    with pytest.raises(WireError) as caught:
        read(stream, maximum)
    assert caught.value.reason, "a refusal says why"
    return caught.value.code


def test_the_header_has_32_bytes() -> None:
    assert SIZE == 32


def test_a_header_alone_is_a_message() -> None:
    assert read(encode(b"")) == [Message(1, NO_FEED, NO_TERM, 0, b"")]


def test_every_field_comes_back() -> None:
    sent = encode(b"body", Feed(1, 2), Term(3, 4), 5, flags=0x81)
    assert read(sent) == [Message(0x81, Feed(1, 2), Term(3, 4), 5, b"body")]


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_refused(version: int) -> None:
    assert refused(heading(version=version)) is ErrorCode.VERSION


def test_a_version_is_refused_before_its_lengths_are_looked_at() -> None:
    assert refused(heading(version=2, header=0, message=2**32 - 1)) is ErrorCode.VERSION


@pytest.mark.parametrize("header", [0, SIZE - 1, MAXIMUM_HEADER + 1, 65535])
def test_a_header_of_an_impossible_length_is_refused(header: int) -> None:
    assert refused(heading(header=header, message=65535)) is ErrorCode.MALFORMED


@pytest.mark.parametrize("length", [SIZE, SIZE + 1, MAXIMUM_HEADER])
def test_a_longer_header_is_skipped(length: int) -> None:
    extra = b"\xff" * (length - SIZE)
    sent = heading(header=length, message=length + 4, rest=bytes(24) + extra + b"body")
    assert read(sent + encode(b"next")) == [
        Message(1, NO_FEED, NO_TERM, 0, b"body"),
        Message(1, NO_FEED, NO_TERM, 0, b"next"),
    ]


@pytest.mark.parametrize(("header", "message"), [(SIZE, 0), (SIZE, SIZE - 1), (SIZE + 8, SIZE + 7)])
def test_a_message_shorter_than_its_header_is_refused(header: int, message: int) -> None:
    assert refused(heading(header=header, message=message)) is ErrorCode.MALFORMED


@pytest.mark.parametrize("message", [MAXIMUM_MESSAGE + 1, 2**31, 2**32 - 1])
def test_an_overlong_message_is_refused_by_its_first_eight_bytes(message: int) -> None:
    assert refused(heading(message=message, rest=b"")) is ErrorCode.OVERLONG


def test_seven_bytes_are_no_reason_to_refuse_anything() -> None:
    assert read(heading(message=2**32 - 1)[:7]) == []


def test_the_longest_message_is_taken() -> None:
    body = bytes(MAXIMUM_MESSAGE - SIZE)
    assert read(encode(body))[0].body == body
    assert refused(encode(body + b"x")) is ErrorCode.OVERLONG


def test_a_lower_limit_holds() -> None:
    assert len(read(encode(bytes(68)), maximum=100)) == 1
    assert refused(encode(bytes(69)), maximum=100) is ErrorCode.OVERLONG


def test_what_came_before_a_bad_message_is_delivered() -> None:
    framing = Framing()
    framing.feed(encode(b"good") + heading(version=9))
    messages = framing.messages()
    assert next(messages).body == b"good"
    with pytest.raises(WireError):
        next(messages)


def test_positions_and_terms_are_ordered() -> None:
    ordered = [
        Position(Term(0, 0), 0),
        Position(Term(1, 1), 9),
        Position(Term(1, 2), 0),
        Position(Term(2, 1), 0),
        Position(Term(2, 1), 1),
    ]
    assert all(lower < higher for lower, higher in pairwise(ordered))
    assert Position() == ordered[0]
