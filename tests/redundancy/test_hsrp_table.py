"""The table of HSRP's states, whole, against RFC 2281 section 5.7 as another notation has it."""

from itertools import product

import pytest

from snat.redundancy.hsrp import SPEAKING, TRANSITIONS, Action, Input, heeds, step, virtual_mac
from snat.redundancy.hsrp_message import State

RFC = """
        LEARN      LISTEN     SPEAK      STANDBY    ACTIVE
b       CD/1       CD/1       CD/1       CD/1       CDH/1
c       -          AB/4       -          CDFI/6     -
d       -          B/4        D/5        -          -
e       -          -          F          F          F
f       -          -          B/3        B/3        -
g       EAB/3      EA         EA         EA         AB/4
h       EAB/3      A          A          A          G
*       -          BGFI/6     BGFI/6     BGFI/6     -
j       -          -          -          -          ABH/4
k       -          B          B/3        B/3        B
l       -          B/4        D/5        -          B
"""
"""Rows are events, * is h of a router that may preempt; letters are actions, digits are next states."""
LETTERS = {
    "b": Input.DISABLED,
    "c": Input.ACTIVE_LOST,
    "d": Input.STANDBY_LOST,
    "e": Input.HELLO_DUE,
    "f": Input.SPEAKER_BETTER,
    "g": Input.ACTIVE_BETTER,
    "h": Input.ACTIVE_WORSE,
    "*": Input.PREEMPT,
    "j": Input.COUP,
    "k": Input.STANDBY_BETTER,
    "l": Input.STANDBY_WORSE,
}
OURS = {Input.CONFIGURED, Input.LEARNING, Input.UNSYNCHRONISED, Input.YIELD, Input.STALLED}
"""What the RFC has not, or in one row (a)."""
STATES = list(State)


def rows() -> list[tuple[State, Input, str, State]]:
    head, *lines = RFC.strip("\n").splitlines()
    columns = [State[name] for name in head.split()]
    found = []
    for line in lines:
        letter, *cells = line.split()
        for state, cell in zip(columns, cells, strict=True):
            actions, _, after = cell.partition("/")
            found.append(
                (state, LETTERS[letter], actions.strip("-"), STATES[int(after) - 1] if after else state)
            )
    return found


ROWS = rows()


@pytest.mark.parametrize(("state", "happened", "actions", "after"), ROWS)
def test_the_table_is_the_rfcs(state: State, happened: Input, actions: str, after: State) -> None:
    follows = step(state, happened)
    if not actions and after is state:
        assert follows is None
        return
    assert follows is not None
    assert follows.state is after
    did = {action.value for action in follows.actions}
    added = did - set(actions)
    assert set(actions) <= did
    if after in SPEAKING and state not in SPEAKING | {after}:
        added -= {"F"}  # who begins to speak says so at once
    if (state, after) in {(State.SPEAK, State.STANDBY), (State.ACTIVE, State.SPEAK)}:
        added -= {"F"}
    if happened is Input.ACTIVE_WORSE:
        added -= {"E", "I"}  # any active router teaches; and who stays active is found again
    if (state, happened) == (State.ACTIVE, Input.ACTIVE_BETTER):
        added -= {"J"}
    assert not added


def test_every_state_and_event_is_said_above_or_ours() -> None:
    said = {(state, happened) for state, happened, _, _ in ROWS}
    rest = set(product(State, Input)) - said
    assert {pair for pair in rest if pair in TRANSITIONS} == {
        (State.INITIAL, Input.CONFIGURED),
        (State.INITIAL, Input.LEARNING),
        (State.LEARN, Input.CONFIGURED),
        (State.LISTEN, Input.STALLED),
        (State.SPEAK, Input.STALLED),
        (State.STANDBY, Input.STALLED),
        (State.ACTIVE, Input.STALLED),
        (State.SPEAK, Input.UNSYNCHRONISED),
        (State.STANDBY, Input.UNSYNCHRONISED),
        (State.ACTIVE, Input.YIELD),
    }


@pytest.mark.parametrize(("state", "happened"), list(product(State, Input)))
def test_what_is_not_in_the_table_changes_nothing(state: State, happened: Input) -> None:
    assert (step(state, happened) is None) == ((state, happened) not in TRANSITIONS)


@pytest.mark.parametrize(("state", "happened"), list(product(State, Input)))
def test_who_is_not_synchronised_is_no_candidate_and_takes_no_role(state: State, happened: Input) -> None:
    follows = step(state, happened, synchronised=False)
    if follows is None:
        return
    assert follows.state not in (State.SPEAK, State.STANDBY)
    assert follows.state is not State.ACTIVE or state is State.ACTIVE
    assert heeds(state, happened, synchronised=False)


@pytest.mark.parametrize("state", [State.LISTEN, State.SPEAK, State.STANDBY])
@pytest.mark.parametrize("happened", [Input.ACTIVE_LOST, Input.STANDBY_LOST, Input.PREEMPT])
def test_a_lost_router_is_nothing_to_it(state: State, happened: Input) -> None:
    assert not heeds(state, happened, synchronised=False)


def test_timers_run_wherever_something_waits_for_them() -> None:
    """Nobody listens without both timers, nobody speaks without that of the standby router."""
    for (before, happened), follows in TRANSITIONS.items():
        did = set(follows.actions)
        if before in (State.INITIAL, State.LEARN) and follows.state is State.LISTEN:
            assert {Action.START_ACTIVE, Action.START_STANDBY} <= did, happened
        if before is State.ACTIVE and follows.state in (State.SPEAK, State.LISTEN):
            assert {Action.START_ACTIVE, Action.START_STANDBY} <= did, happened
        if before is State.STANDBY and follows.state in (State.SPEAK, State.LISTEN):
            assert Action.START_STANDBY in did, happened
        if follows.state is State.INITIAL:
            assert {Action.STOP_ACTIVE, Action.STOP_STANDBY} <= did, happened


@pytest.mark.parametrize(("before", "happened"), [pair for pair in TRANSITIONS if pair[0] in SPEAKING])
def test_who_is_not_synchronised_listens_with_the_timer_by_which_it_will_speak(
    before: State, happened: Input
) -> None:
    follows = step(before, happened, synchronised=False)
    if follows is not None and follows.state is State.LISTEN:
        assert Action.START_STANDBY in follows.actions
        assert Action.STOP_STANDBY not in follows.actions


def test_gratuitous_arp_goes_with_every_way_to_active() -> None:
    ways = [
        follows for (before, _), follows in TRANSITIONS.items() if follows.state is State.ACTIVE is not before
    ]
    assert ways
    assert all({Action.ARP, Action.HELLO} <= set(follows.actions) for follows in ways)


def test_every_state_can_be_reached_and_left() -> None:
    assert {follows.state for follows in TRANSITIONS.values()} == set(State)
    assert {before for before, _ in TRANSITIONS} == set(State)
    assert {happened for _, happened in TRANSITIONS} == set(Input)
    assert set(LETTERS.values()) | OURS == set(Input)


@pytest.mark.parametrize(
    ("version", "group", "mac"),
    [
        (1, 0, "00000c07ac00"),
        (1, 255, "00000c07acff"),
        (2, 0, "00000c9ff000"),
        (2, 300, "00000c9ff12c"),
        (2, 4095, "00000c9fffff"),
    ],
)
def test_virtual_mac_addresses(version: int, group: int, mac: str) -> None:
    assert virtual_mac(version, group) == bytes.fromhex(mac)
