"""A neighbor can send what it likes: it is received or refused, and never raises."""

import random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.session.events import Closed, Event
from snat.session.session import Session
from snat.session.states import State
from snat.wire.header import encode
from tests.session.ends import established, greeting, opened
from tests.vectors import NAMES, vector
from tests.wire import strategies

quick = settings(deadline=None, max_examples=100)
well_formed = st.one_of(
    st.sampled_from(NAMES).map(vector),
    strategies.messages,
    st.just(greeting(2)),
    strategies.authenticates.map(lambda body: encode(body, flags=0)),
)


def consistent(side: Session, said: list[Event]) -> None:
    """At most one Closed, the last of the events, and the state says the same."""
    closings = [event for event in said if isinstance(event, Closed)]
    assert bool(closings) == (side.state is State.CLOSE)
    assert len(closings) <= 1
    if closings:
        assert said[-1] is closings[0]


@quick
@given(st.booleans(), st.lists(st.binary(max_size=120), max_size=6))
def test_any_bytes(authenticated: bool, reads: list[bytes]) -> None:
    side = established() if authenticated else opened()
    said: list[Event] = []
    for read in reads:
        side.receive_data(read, 1.0)
        said += side.events()
    consistent(side, said)


@quick
@given(st.booleans(), st.lists(well_formed, max_size=10))
def test_any_sequence_of_messages(authenticated: bool, sequence: list[bytes]) -> None:
    side = established() if authenticated else opened()
    said: list[Event] = []
    for message in sequence:
        side.receive_data(message, 1.0)
        said += side.events()
    consistent(side, said)


@quick
@given(st.lists(well_formed, max_size=6).map(b"".join), st.data())
def test_events_do_not_depend_on_how_the_stream_is_cut(stream: bytes, data: st.DataObject) -> None:
    stream = greeting(2) + stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    sides = opened(), opened()
    sides[0].receive_data(stream, 1.0)
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        sides[1].receive_data(stream[begin:end], 1.0)
    assert sides[0].events() == sides[1].events()
    assert sides[0].data_to_send() == sides[1].data_to_send()
    assert sides[0].state is sides[1].state


STEPS: Final = ("hear", "send", "expire", "forgive", "stop", "lost")
WEIGHTS: Final = (20, 4, 3, 1, 0.2, 0.2)


def live(seed: int, steps: int) -> None:
    """A session through anything that its caller may do and its neighbor may say, with time passing."""
    chosen = random.Random(seed)
    side, now, said = opened(), 0.0, list[Event]()
    for _ in range(steps):
        now += chosen.choice((0.0, 0.01, 1.0, 4.0))
        match chosen.choices(STEPS, WEIGHTS)[0]:
            case "stop":
                side.stop()
            case "expire":
                side.expire(now)
            case "forgive":
                side.forgive(now)
            case "lost":
                side.lost("gone")
            case "send":
                side.data_to_send()
            case _:
                data = chosen.choice((greeting(2), vector(chosen.choice(NAMES)), chosen.randbytes(9)))
                side.receive_data(data[: chosen.choice((len(data), len(data), 5))], now)
        said += side.events()
        deadline = side.next_deadline()
        assert (deadline is None) == (side.state is State.CLOSE), f"seed {seed}"
    consistent(side, said)


@pytest.mark.parametrize("seed", range(200))
def test_lives_of_a_session(seed: int) -> None:
    live(seed, 12)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(0, 100_000, 1000))
def test_soak_lives_of_sessions(seed: int) -> None:
    for one in range(seed, seed + 1000):
        print(f"\rseed {one}", end="")  # the last one printed is the one that failed
        live(one, 40)


@pytest.mark.soak
@settings(deadline=None, max_examples=20_000, print_blob=True)
@given(st.booleans(), st.lists(well_formed, max_size=20))
def test_soak_sequences_of_messages(authenticated: bool, sequence: list[bytes]) -> None:
    side = established() if authenticated else opened()
    side.receive_data(b"".join(sequence), 1.0)
    consistent(side, side.events())
