"""The transition table is the machine: every pair is in it or an error."""

from itertools import product

import pytest

from snat.session.states import TRANSITIONS, Input, State, UnexpectedInput, step

PAIRS = list(product(State, Input))


@pytest.mark.parametrize(("state", "happened"), PAIRS)
def test_every_pair_is_in_the_table_or_an_error(state: State, happened: Input) -> None:
    if (state, happened) in TRANSITIONS:
        assert step(state, happened) is TRANSITIONS[state, happened]
        return
    with pytest.raises(UnexpectedInput, match=f"{happened.value} in state {state.value}"):
        step(state, happened)


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_can_end(state: State) -> None:
    assert state is State.IDLE or state in TRANSITIONS.values()
    assert TRANSITIONS[state, Input.STOP] is State.CLOSE


@pytest.mark.parametrize("happened", Input)
def test_every_input_leads_somewhere(happened: Input) -> None:
    assert any(of is happened for _, of in TRANSITIONS)


def test_nothing_leads_out_of_close() -> None:
    assert {then for (state, _), then in TRANSITIONS.items() if state is State.CLOSE} == {State.CLOSE}


def test_establish_is_entered_from_connect_by_authentication_alone() -> None:
    into = {pair for pair, then in TRANSITIONS.items() if then is State.ESTABLISH}
    assert into == {(State.CONNECT, Input.AUTHENTICATED)}
