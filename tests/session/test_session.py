"""One side of a link: authenticate, flags, refusals."""

from collections.abc import Callable
from typing import Final

import pytest

from snat.session.events import Closed, Established, Received
from snat.session.session import Session
from snat.session.states import State, UnexpectedInput
from snat.wire.actions import Action, Error, ItemFlag
from snat.wire.errors import ErrorCode
from snat.wire.header import NO_FEED, NO_TERM, Message, encode
from snat.wire.items import controls, item, keepalive
from tests.session.ends import established, greeting, hello, messages, opened, session, unit

KEEPALIVE: Final = encode(keepalive([]))

Begin = Callable[[], Session]


def closed(side: Session) -> Closed:
    """The one event of a session that has just closed."""
    (event,) = side.events()
    assert isinstance(event, Closed)
    assert side.state is State.CLOSE
    assert event.reason
    return event


def last_word(side: Session) -> Error:
    """The error that a session sent as its last message."""
    message = messages(side.data_to_send())[-1]
    assert message.flags == 1
    (said,) = controls(message.body)
    assert isinstance(said, Error)
    return said


def refused(side: Session) -> ErrorCode:
    """Closed for the neighbor's fault, and the neighbor is told the same."""
    event, said = closed(side), last_word(side)
    assert said == Error(event.code, NO_FEED, NO_TERM, event.reason)
    assert not event.orderly
    assert side.data_to_send() == b""
    return event.code


def test_a_dialler_and_a_listener_say_who_they_are_when_the_transport_is_up() -> None:
    dialler, listener = session(1, 2), session(2, 1)
    dialler.dial(0.0)
    assert dialler.data_to_send() == b""
    for side in (dialler, listener):
        side.open(0.1)
        (said,) = messages(side.data_to_send())
        assert said[:4] == (0, NO_FEED, NO_TERM, 0)
        assert controls(said.body) == [(side.local, [unit()])]
        assert side.state is State.CONNECT


def test_the_neighbors_authenticate_establishes() -> None:
    side = opened()
    side.receive_data(greeting(2), 0.2)
    assert side.state is State.ESTABLISH
    assert side.events() == [Established(hello(2), [unit()])]
    assert side.events() == []


def test_messages_with_the_flag_are_received_in_order() -> None:
    side = opened()
    side.receive_data(greeting(2) + KEEPALIVE + encode(b"anything"), 0.2)
    _, *received = side.events()
    assert received == [
        Received(Message(1, NO_FEED, NO_TERM, 0, keepalive([]))),
        Received(Message(1, NO_FEED, NO_TERM, 0, b"anything")),
    ]


def test_what_came_is_counted() -> None:
    side = opened()
    stream = greeting(2) + KEEPALIVE + KEEPALIVE[:5]
    side.receive_data(stream, 0.2)
    assert (side.messages_in, side.bytes_in) == (2, len(stream))


def test_an_optional_item_beside_authenticate_is_ignored() -> None:
    side = opened()
    body = messages(greeting(2))[0].body + bytes((200, ItemFlag.OPTIONAL, 0, 1)) + b"x"
    side.receive_data(encode(body, flags=0), 0.2)
    assert side.state is State.ESTABLISH


@pytest.mark.parametrize("nat_id", [0, 1, 3, 2**32 - 1])
def test_a_nat_id_that_is_not_the_certificates_is_refused(nat_id: int) -> None:
    side = opened()
    side.receive_data(greeting(nat_id), 0.2)
    assert refused(side) is ErrorCode.IDENTITY


@pytest.mark.parametrize("formats", [0, 2, 0xFFFE])
def test_no_record_format_in_common_is_refused(formats: int) -> None:
    side = opened()
    side.receive_data(greeting(2, record_formats=formats), 0.2)
    assert refused(side) is ErrorCode.VERSION


def test_further_record_formats_and_capabilities_are_no_reason_to_refuse() -> None:
    side = opened()
    side.receive_data(greeting(2, record_formats=0xFFFF, capabilities=0xFFFFFFFF), 0.2)
    assert side.state is State.ESTABLISH


def test_a_message_with_the_flag_before_authenticate_is_refused() -> None:
    side = opened()
    side.receive_data(KEEPALIVE, 0.2)
    assert refused(side) is ErrorCode.UNAUTHENTICATED


def test_an_authenticate_with_the_flag_is_refused() -> None:
    side = opened()
    side.receive_data(encode(messages(greeting(2))[0].body, flags=1), 0.2)
    assert refused(side) is ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        keepalive([]),
        messages(greeting(2))[0].body * 2,
        messages(greeting(2))[0].body + item(Action.KEEPALIVE, bytes(24)),
        bytes((200, ItemFlag.OPTIONAL, 0, 0)),
    ],
)
def test_a_first_message_that_is_not_authenticate_alone_is_refused(body: bytes) -> None:
    side = opened()
    side.receive_data(encode(body, flags=0), 0.2)
    assert refused(side) is ErrorCode.UNAUTHENTICATED


def test_a_change_without_authentication_is_refused() -> None:
    side = opened()
    side.receive_data(encode(item(Action.ADD, bytes(49)), flags=0), 0.2)
    assert refused(side) is ErrorCode.UNKNOWN_ACTION


@pytest.mark.parametrize("flags", [0, 0xFE])
def test_a_message_without_the_flag_after_authenticate_is_refused(flags: int) -> None:
    side = established()
    side.receive_data(encode(keepalive([]), flags=flags), 0.2)
    assert refused(side) is ErrorCode.UNAUTHENTICATED


def test_a_second_authenticate_is_refused() -> None:
    side = established()
    side.receive_data(greeting(2), 0.2)
    assert refused(side) is ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize("begin", [opened, established])
@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"GET / HT", ErrorCode.VERSION),
        (b"\x02\0\0\x20\0\0\0\x20", ErrorCode.VERSION),
        (b"\x01\0\0\x1f\0\0\0\x20", ErrorCode.MALFORMED),
        (b"\x01\0\0\x20\0\1\0\1", ErrorCode.OVERLONG),
    ],
)
def test_bytes_that_are_no_message_are_refused(begin: Begin, stream: bytes, code: ErrorCode) -> None:
    side = begin()
    side.receive_data(stream, 0.2)
    assert refused(side) is code


def test_what_came_before_a_fault_is_received_and_what_comes_after_is_not() -> None:
    side = opened()
    side.receive_data(greeting(2) + KEEPALIVE + b"\xff" * 8 + KEEPALIVE, 0.2)
    events = side.events()
    assert [type(event) for event in events] == [Established, Received, Closed]
    assert last_word(side).code == ErrorCode.VERSION


def test_a_refusal_by_the_caller_is_told() -> None:
    side = established()
    side.refuse(ErrorCode.MALFORMED, "an item is wrong")
    assert closed(side) == Closed(ErrorCode.MALFORMED, "an item is wrong")
    assert last_word(side).reason == "an item is wrong"


@pytest.mark.parametrize("begin", [opened, established])
def test_an_orderly_stop_is_told_and_lets_the_transport_finish(begin: Begin) -> None:
    side = begin()
    side.stop("enough")
    assert closed(side) == Closed(ErrorCode.STOPPED, "enough", orderly=True)
    assert last_word(side) == Error(ErrorCode.STOPPED, NO_FEED, NO_TERM, "enough")


def test_a_session_that_did_not_begin_stops_silently() -> None:
    side = session(1, 2)
    side.stop()
    assert closed(side).orderly
    assert side.data_to_send() == b""


def test_a_session_that_is_dialled_and_not_open_stops_silently() -> None:
    """An error as the first message would be one before authenticate."""
    side = session(1, 2)
    side.dial(0.0)
    side.stop()
    assert closed(side).orderly
    assert side.data_to_send() == b""


@pytest.mark.parametrize("begin", [opened, established])
def test_a_lost_transport_closes(begin: Begin) -> None:
    side = begin()
    side.lost("connection reset")
    assert closed(side) == Closed(ErrorCode.STOPPED, "connection reset")
    assert side.data_to_send() == b""


def test_a_transport_that_never_was_cannot_be_lost() -> None:
    with pytest.raises(UnexpectedInput):
        session(1, 2).lost("what?")


@pytest.mark.parametrize("again", [Session.open, Session.dial])
def test_an_established_session_cannot_begin_again(again: Callable[[Session, float], None]) -> None:
    with pytest.raises(UnexpectedInput):
        again(established(), 1.0)


def ended_by_stop() -> Session:
    side = established()
    side.stop()
    return side


def ended_by_refusal() -> Session:
    side = opened()
    side.receive_data(KEEPALIVE, 0.0)
    return side


def ended_by_silence() -> Session:
    side = established()
    side.expire(100.0)
    return side


def ended_by_loss() -> Session:
    side = established()
    side.lost("gone")
    return side


@pytest.mark.parametrize("end", [ended_by_stop, ended_by_refusal, ended_by_silence, ended_by_loss])
def test_after_close_nothing_happens(end: Begin) -> None:
    ended = end()
    assert isinstance(ended.events()[-1], Closed)
    ended.data_to_send()
    counted = ended.messages_in, ended.bytes_in
    ended.receive_data(greeting(2) + KEEPALIVE, 101.0)
    ended.refuse(ErrorCode.MALFORMED, "again")
    ended.stop()
    ended.expire(1e9)
    ended.lost("the transport follows")
    ended.lost("and once more")
    assert ended.state is State.CLOSE
    assert ended.events() == []
    assert ended.data_to_send() == b""
    assert ended.next_deadline() is None
    assert (ended.messages_in, ended.bytes_in) == counted
