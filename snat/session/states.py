"""The states of a link (714 in Fig. 7) and every transition between them, as data.

``Idle``: nothing is under way. ``Connect``: TCP, TLS, then authenticate in both directions. ``Establish``:
messages flow. ``Close``: the link is over and says why; a new link is a new session.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class State(Enum):
    """State of Connection (714)."""

    IDLE = "Idle"
    CONNECT = "Connect"
    ESTABLISH = "Establish"
    CLOSE = "Close"


class Input(Enum):
    """What can happen to a link."""

    DIAL = "dial"
    """We begin to connect."""
    OPEN = "open"
    """TLS is up and the certificate is the neighbor's."""
    AUTHENTICATED = "authenticated"
    """The other side's authenticate was good."""
    REFUSED = "refused"
    """One side found fault with the other."""
    EXPIRED = "expired"
    """Silence for the hold time."""
    LOST = "lost"
    """The transport ended."""
    STOP = "stop"
    """We end it in good order."""


TRANSITIONS: Final[Mapping[tuple[State, Input], State]] = {
    (State.IDLE, Input.DIAL): State.CONNECT,
    (State.IDLE, Input.OPEN): State.CONNECT,  # the neighbor dialled
    (State.IDLE, Input.STOP): State.CLOSE,
    (State.CONNECT, Input.OPEN): State.CONNECT,
    (State.CONNECT, Input.AUTHENTICATED): State.ESTABLISH,
    (State.CONNECT, Input.REFUSED): State.CLOSE,
    (State.CONNECT, Input.EXPIRED): State.CLOSE,
    (State.CONNECT, Input.LOST): State.CLOSE,
    (State.CONNECT, Input.STOP): State.CLOSE,
    (State.ESTABLISH, Input.REFUSED): State.CLOSE,
    (State.ESTABLISH, Input.EXPIRED): State.CLOSE,
    (State.ESTABLISH, Input.LOST): State.CLOSE,
    (State.ESTABLISH, Input.STOP): State.CLOSE,
    (State.CLOSE, Input.LOST): State.CLOSE,  # the transport follows the session
    (State.CLOSE, Input.STOP): State.CLOSE,
}


class UnexpectedInput(Exception):
    """An input that the state does not know: the caller's fault."""

    def __init__(self, state: State, happened: Input) -> None:
        super().__init__(f"{happened.value} in state {state.value}")


def step(state: State, happened: Input) -> State:
    """The next state. Raises UnexpectedInput for a pair that is not in the table."""
    try:
        return TRANSITIONS[state, happened]
    except KeyError:
        raise UnexpectedInput(state, happened) from None
