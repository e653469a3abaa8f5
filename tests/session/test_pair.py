"""Two sessions, what one sends received by the other."""

import pytest

from snat.session.events import Closed, Established, Event, Received
from snat.session.states import State
from snat.wire.actions import Error
from snat.wire.errors import ErrorCode
from snat.wire.header import NO_FEED, NO_TERM, encode
from snat.wire.items import controls, keepalive
from tests.session.ends import Pair, hello, session, unit


def error_in(event: Event) -> Error:
    """The error that a received message carries."""
    assert isinstance(event, Received)
    (said,) = controls(event.message.body)
    assert isinstance(said, Error)
    return said


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_both_sides_establish(piece: int) -> None:
    pair = Pair()
    pair.exchange(piece=piece)
    assert (pair.dialler.state, pair.listener.state) == (State.ESTABLISH, State.ESTABLISH)
    assert pair.said == {1: [Established(hello(2), [unit()])], 2: [Established(hello(1), [unit()])]}


def test_units_may_differ_in_number() -> None:
    pair = Pair(session(1, 2, units=[unit(10), unit(20), unit(30)]), session(2, 1, units=[]))
    pair.exchange()
    assert pair.said == {
        1: [Established(hello(2), [])],
        2: [Established(hello(1), [unit(10), unit(20), unit(30)])],
    }


def test_messages_pass_both_ways() -> None:
    pair = Pair()
    pair.exchange()
    message = encode(keepalive([]))
    pair.listener.receive_data(message, 1.0)
    pair.dialler.receive_data(message, 1.0)
    for side in (pair.dialler, pair.listener):
        (event,) = side.events()
        assert isinstance(event, Received)


def test_a_refusal_reaches_the_other_side_with_its_reason() -> None:
    """R2's certificate is that of NAT ID 3, so R1 does not believe it; R2 believes R1, and is told."""
    pair = Pair(dialler=session(1, 3))
    pair.exchange()
    (closed,) = pair.said[1]
    established, told = pair.said[2]
    assert isinstance(closed, Closed)
    assert isinstance(established, Established)
    assert closed.code is ErrorCode.IDENTITY
    assert "authenticates as NAT ID 2; its certificate says 3" in closed.reason
    assert error_in(told) == Error(ErrorCode.IDENTITY, NO_FEED, NO_TERM, closed.reason)
    assert pair.dialler.state is State.CLOSE


def test_when_both_refuse_neither_establishes() -> None:
    pair = Pair(dialler=session(1, 3), listener=session(2, 4))
    pair.exchange()
    for said in pair.said.values():
        (closed,) = said
        assert isinstance(closed, Closed)
        assert closed.code is ErrorCode.IDENTITY


def test_a_late_refusal_reaches_the_other_side() -> None:
    pair = Pair()
    pair.exchange()
    pair.listener.refuse(ErrorCode.MALFORMED, "Claim of 3 bytes; 24 expected")
    pair.exchange()
    assert error_in(pair.said[1][-1]) == Error(
        ErrorCode.MALFORMED, NO_FEED, NO_TERM, "Claim of 3 bytes; 24 expected"
    )
    assert pair.dialler.state is State.ESTABLISH, "its caller decides what an error means"


def test_a_stop_reaches_the_other_side() -> None:
    pair = Pair()
    pair.exchange()
    pair.dialler.stop()
    pair.exchange()
    assert error_in(pair.said[2][-1]) == Error(ErrorCode.STOPPED, NO_FEED, NO_TERM, "the device stops")
    assert pair.said[1][-1] == Closed(ErrorCode.STOPPED, "the device stops", orderly=True)
    pair.listener.lost("connection closed")
    assert pair.listener.events() == [Closed(ErrorCode.STOPPED, "connection closed")]


def test_a_stop_before_the_other_side_has_authenticated_reaches_it_after_authenticate() -> None:
    pair = Pair()
    pair.dialler.stop()
    pair.exchange()
    established, told = pair.said[2]
    assert isinstance(established, Established)
    assert error_in(told).code == ErrorCode.STOPPED
