"""Who is active and who is standby in an HSRP group, as a table (RFC 2281 sections 5.3 to 5.7).

The table is the RFC's; its letters stand beside each name. What is ours:

- A *resign* is no input: the active router is lost at once, without the wait.
- Who begins to speak says so at once (HELLO), so that the others know a hello interval earlier.
- Whoever is active teaches its times, not only one of higher priority.
- Of two active routers that meet, the one that stays says its MAC address again, because hosts and switches
  may have heard the other last. So that it learns of the other, that one says a last hello (FAREWELL).
- A router that is **not synchronised** goes to LISTEN wherever the table says SPEAK or STANDBY, and lost
  routers are nothing to it (:func:`heeds`): it never takes the role. An active one holds it, with priority
  zero, until another has preempted or speaks as standby (YIELD).
- A timer that expires where the table has no row waits there: who becomes standby when the active router has
  long been lost becomes active in the same moment.
- A router that was paused as active for a hold time confirms the role first (STALLED).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from snat.redundancy.hsrp_message import State


class Input(Enum):
    """What can happen to a router in a group."""

    CONFIGURED = "configured"
    """a: it begins, and knows the virtual address."""
    LEARNING = "learning"
    """a: it begins, and does not."""
    DISABLED = "disabled"
    """b: by configuration, a tracked object, or because the interface is down."""
    ACTIVE_LOST = "active lost"
    """c, and i: the active timer expired, or the active router resigned."""
    STANDBY_LOST = "standby lost"
    """d: the standby timer expired."""
    HELLO_DUE = "hello due"
    """e"""
    SPEAKER_BETTER = "better speaker"
    """f: a hello of higher priority from a router in Speak."""
    ACTIVE_BETTER = "better active"
    """g: a hello of higher priority from the active router."""
    ACTIVE_WORSE = "worse active"
    """h: a hello of lower priority from it, and we may not preempt."""
    PREEMPT = "preempt"
    """h, and we may."""
    COUP = "coup"
    """j: a coup from a router of higher priority."""
    STANDBY_BETTER = "better standby"
    """k: a hello of higher priority from the standby router."""
    STANDBY_WORSE = "worse standby"
    """l: a hello of lower priority from it."""
    UNSYNCHRONISED = "unsynchronised"
    """The table is no longer proved to be the manager's."""
    YIELD = "yield"
    """Not synchronised, and a standby router, which is, can have the role."""
    STALLED = "stalled"
    """Paused for so long that others must think us lost."""


class Action(Enum):
    """What is done on the way."""

    START_ACTIVE = "A"
    START_STANDBY = "B"
    STOP_ACTIVE = "C"
    STOP_STANDBY = "D"
    LEARN = "E"
    HELLO = "F"
    COUP = "G"
    RESIGN = "H"
    ARP = "I"
    FAREWELL = "J"
    """A last hello as active: who stays active answers it, and says its MAC address again."""


class Step(NamedTuple):
    """What follows an input."""

    actions: tuple[Action, ...]
    state: State


def _step(letters: str, state: State) -> Step:
    return Step(tuple(map(Action, letters)), state)


TRANSITIONS: Final[Mapping[tuple[State, Input], Step]] = {
    (State.INITIAL, Input.CONFIGURED): _step("AB", State.LISTEN),
    (State.INITIAL, Input.LEARNING): _step("AB", State.LEARN),
    (State.LEARN, Input.DISABLED): _step("CD", State.INITIAL),
    (State.LEARN, Input.CONFIGURED): _step("AB", State.LISTEN),  # an address was configured meanwhile
    (State.LEARN, Input.ACTIVE_BETTER): _step("EAB", State.LISTEN),
    (State.LEARN, Input.ACTIVE_WORSE): _step("EAB", State.LISTEN),
    (State.LISTEN, Input.DISABLED): _step("CD", State.INITIAL),
    (State.LISTEN, Input.ACTIVE_LOST): _step("ABF", State.SPEAK),
    (State.LISTEN, Input.STANDBY_LOST): _step("BF", State.SPEAK),
    (State.LISTEN, Input.ACTIVE_BETTER): _step("EA", State.LISTEN),
    (State.LISTEN, Input.ACTIVE_WORSE): _step("EA", State.LISTEN),
    (State.LISTEN, Input.PREEMPT): _step("BGFI", State.ACTIVE),
    (State.LISTEN, Input.STANDBY_BETTER): _step("B", State.LISTEN),
    (State.LISTEN, Input.STANDBY_WORSE): _step("BF", State.SPEAK),
    (State.LISTEN, Input.STALLED): _step("AB", State.LISTEN),
    (State.SPEAK, Input.DISABLED): _step("CD", State.INITIAL),
    (State.SPEAK, Input.STANDBY_LOST): _step("DF", State.STANDBY),
    (State.SPEAK, Input.HELLO_DUE): _step("F", State.SPEAK),
    (State.SPEAK, Input.SPEAKER_BETTER): _step("B", State.LISTEN),
    (State.SPEAK, Input.ACTIVE_BETTER): _step("EA", State.SPEAK),
    (State.SPEAK, Input.ACTIVE_WORSE): _step("EA", State.SPEAK),
    (State.SPEAK, Input.PREEMPT): _step("BGFI", State.ACTIVE),
    (State.SPEAK, Input.STANDBY_BETTER): _step("B", State.LISTEN),
    (State.SPEAK, Input.STANDBY_WORSE): _step("DF", State.STANDBY),
    (State.SPEAK, Input.UNSYNCHRONISED): _step("B", State.LISTEN),
    (State.SPEAK, Input.STALLED): _step("AB", State.LISTEN),
    (State.STANDBY, Input.DISABLED): _step("CD", State.INITIAL),
    (State.STANDBY, Input.ACTIVE_LOST): _step("CDFI", State.ACTIVE),
    (State.STANDBY, Input.HELLO_DUE): _step("F", State.STANDBY),
    (State.STANDBY, Input.SPEAKER_BETTER): _step("B", State.LISTEN),
    (State.STANDBY, Input.ACTIVE_BETTER): _step("EA", State.STANDBY),
    (State.STANDBY, Input.ACTIVE_WORSE): _step("EA", State.STANDBY),
    (State.STANDBY, Input.PREEMPT): _step("BGFI", State.ACTIVE),
    (State.STANDBY, Input.STANDBY_BETTER): _step("B", State.LISTEN),
    (State.STANDBY, Input.UNSYNCHRONISED): _step("B", State.LISTEN),
    (State.STANDBY, Input.STALLED): _step("A", State.STANDBY),
    (State.ACTIVE, Input.DISABLED): _step("CDH", State.INITIAL),
    (State.ACTIVE, Input.HELLO_DUE): _step("F", State.ACTIVE),
    (State.ACTIVE, Input.ACTIVE_BETTER): _step("ABJF", State.SPEAK),
    (State.ACTIVE, Input.ACTIVE_WORSE): _step("GI", State.ACTIVE),
    (State.ACTIVE, Input.COUP): _step("ABHF", State.SPEAK),
    (State.ACTIVE, Input.STANDBY_BETTER): _step("B", State.ACTIVE),
    (State.ACTIVE, Input.STANDBY_WORSE): _step("B", State.ACTIVE),
    (State.ACTIVE, Input.YIELD): _step("ABH", State.LISTEN),
    (State.ACTIVE, Input.STALLED): _step("ADF", State.STANDBY),
}
"""A pair that is missing changes nothing."""

SPEAKING: Final = frozenset({State.SPEAK, State.STANDBY, State.ACTIVE})
"""States that send hellos."""
_CANDIDATES: Final = frozenset({State.SPEAK, State.STANDBY})
_STANDBY_TIMER: Final = frozenset({Action.START_STANDBY, Action.STOP_STANDBY})
"""Who listens instead of being standby needs it: by it, it will speak once it is synchronised."""


def step(state: State, happened: Input, *, synchronised: bool = True) -> Step | None:
    """What follows; None: nothing."""
    follows = TRANSITIONS.get((state, happened))
    if follows is None or not heeds(state, happened, synchronised=synchronised):
        return None
    if not synchronised and follows.state in _CANDIDATES:
        kept = (one for one in follows.actions if one not in _STANDBY_TIMER)
        return Step((*kept, Action.START_STANDBY), State.LISTEN)
    return follows


def heeds(state: State, happened: Input, *, synchronised: bool) -> bool:
    """Whether the input means anything to a router that is, or is not, synchronised.

    Who is not takes no role that becomes free; but what it has heard it knows.
    """
    if (state, happened) not in TRANSITIONS:
        return False
    return synchronised or happened not in (Input.ACTIVE_LOST, Input.STANDBY_LOST, Input.PREEMPT)


def virtual_mac(version: int, group: int) -> bytes:
    """``0000.0c07.acXX`` in version 1, ``0000.0c9f.fXXX`` in version 2."""
    if version == 1:
        return bytes((0, 0, 0x0C, 7, 0xAC, group))
    return bytes((0, 0, 0x0C, 0x9F)) + (0xF000 | group).to_bytes(2, "big")
