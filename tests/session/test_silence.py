"""Deadlines: how long a side waits, and what it forgives."""

from collections.abc import Callable
from typing import Final

import pytest

from snat.session.events import Closed
from snat.session.session import AUTHENTICATE_TIME, Session
from snat.session.states import State
from snat.wire.errors import ErrorCode
from snat.wire.header import encode
from snat.wire.items import keepalive
from tests.session.ends import HOLD_TIME, established, greeting, opened, session

KEEPALIVE: Final = encode(keepalive([]))
JUST_BEFORE: Final = 0.001

Begin = Callable[[float], Session]


def over(side: Session) -> bool:
    """Whether the session has closed for silence; nothing is said to a neighbor that is not there."""
    if side.state is not State.CLOSE:
        assert side.events() == []
        return False
    (event,) = side.events()
    assert isinstance(event, Closed)
    assert (event.code, event.orderly) == (ErrorCode.HOLD_TIME, False)
    assert side.data_to_send() == b""
    return True


def expires_at(side: Session, deadline: float) -> None:
    """The session lives just before the deadline and is over at it."""
    assert side.next_deadline() == pytest.approx(deadline)
    side.expire(deadline - JUST_BEFORE)
    assert not over(side)
    side.expire(deadline + JUST_BEFORE)
    assert over(side)
    assert side.next_deadline() is None


def test_an_idle_session_waits_for_nothing() -> None:
    side = session(1, 2)
    assert side.next_deadline() is None
    side.expire(1e9)
    assert side.state is State.IDLE


def test_a_transport_has_its_time_to_come_up() -> None:
    side = session(1, 2)
    side.dial(10.0)
    expires_at(side, 10.0 + AUTHENTICATE_TIME)


@pytest.mark.parametrize("dialled", [False, True])
def test_authenticate_has_its_time_from_an_open_transport(dialled: bool) -> None:
    side = session(1, 2)
    if dialled:
        side.dial(10.0)
    side.open(12.0)
    side.data_to_send()
    expires_at(side, 12.0 + AUTHENTICATE_TIME)


def test_an_endless_authenticate_does_not_gain_time() -> None:
    """A byte now and then is no authenticate."""
    side = opened(10.0)
    stream, now = greeting(2), 10.0
    for at in range(len(stream) - 1):
        now = 10.0 + at * (AUTHENTICATE_TIME - 1) / len(stream)
        side.receive_data(stream[at : at + 1], now)
    expires_at(side, 10.0 + AUTHENTICATE_TIME)


def test_a_slow_authenticate_in_time_begins_the_hold_time() -> None:
    side = opened(10.0)
    stream = greeting(2)
    side.receive_data(stream[:40], 11.0)
    side.receive_data(stream[40:], 14.5)
    side.events()
    expires_at(side, 14.5 + HOLD_TIME)


def test_silence_for_the_hold_time_ends_an_established_link() -> None:
    expires_at(established(20.0), 20.0 + HOLD_TIME)


@pytest.mark.parametrize("data", [KEEPALIVE, KEEPALIVE[:1]])
def test_any_byte_is_a_sign_of_life_on_an_established_link(data: bytes) -> None:
    """A long message takes its time on a thin line; its sender lives."""
    side = established(20.0)
    side.receive_data(data, 22.0)
    side.events()
    expires_at(side, 22.0 + HOLD_TIME)


def test_saying_something_is_no_sign_of_the_neighbors_life() -> None:
    side = established(20.0)
    side.data_to_send()
    expires_at(side, 20.0 + HOLD_TIME)


@pytest.mark.parametrize(
    ("begun", "reason"),
    [
        (established, "no byte for 6.5 s in state Establish"),
        (opened, "no authenticate for 6.5 s in state Connect"),
    ],
)
def test_the_reason_says_what_was_missed_and_for_how_long(begun: Begin, reason: str) -> None:
    side = begun(20.0)
    side.expire(26.5)
    (event,) = side.events()
    assert isinstance(event, Closed)
    assert event.reason == reason


@pytest.mark.parametrize(("begun", "time"), [(opened, AUTHENTICATE_TIME), (established, HOLD_TIME)])
def test_a_pause_of_our_own_is_forgiven(begun: Begin, time: float) -> None:
    side = begun(20.0)
    side.forgive(40.0)
    expires_at(side, 40.0 + time)


def test_a_closed_session_forgives_nothing() -> None:
    side = established(20.0)
    side.stop()
    side.forgive(21.0)
    assert side.next_deadline() is None
