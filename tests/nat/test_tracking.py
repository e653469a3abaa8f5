"""TCP states (RFC 7857 section 2), how far a connection has closed, and time-outs."""

import pytest

from snat.nat.entry import Entry, State, TimeoutClass
from snat.nat.tracking import ACK, FIN, RST, SYN, Closing, Timeouts, next_state
from tests.nat.records import record

OUT, IN = False, True
DATA = 100


def closing(*fins: bool) -> Closing:
    one = Closing()
    for side in fins:
        one.see(side, FIN | ACK, 1000, 0)
    return one


@pytest.mark.parametrize(
    ("state", "flags", "from_outside", "payload", "fins", "expected"),
    [
        # Opening
        (State.TRANSITORY, SYN, OUT, 0, None, State.TRANSITORY),
        (State.TRANSITORY, SYN | ACK, IN, 0, None, State.ESTABLISHED),
        (State.TRANSITORY, SYN | ACK, OUT, 0, None, State.ESTABLISHED),
        (State.TRANSITORY, SYN, IN, 0, None, State.TRANSITORY),
        (State.TRANSITORY, ACK, OUT, DATA, None, State.TRANSITORY),
        (State.TRANSITORY, ACK, IN, DATA, None, State.TRANSITORY),
        # Open
        (State.ESTABLISHED, ACK, OUT, DATA, None, State.ESTABLISHED),
        (State.ESTABLISHED, SYN, OUT, 0, None, State.ESTABLISHED),
        (State.ESTABLISHED, SYN, IN, 0, None, State.ESTABLISHED),
        # Closing by FIN: half-closed is not closing
        (State.ESTABLISHED, FIN | ACK, OUT, 0, (OUT,), State.ESTABLISHED),
        (State.ESTABLISHED, FIN | ACK, IN, 0, (OUT, IN), State.CLOSING),
        (State.TRANSITORY, FIN | ACK, IN, 0, (OUT, IN), State.CLOSING),
        (State.CLOSING, ACK, OUT, DATA, (OUT, IN), State.CLOSING),
        # By RST, from either side and in any state
        (State.TRANSITORY, RST, OUT, 0, (), State.CLOSING),
        (State.ESTABLISHED, RST, IN, 0, (), State.CLOSING),
        (State.ESTABLISHED, RST | ACK, OUT, 0, (), State.CLOSING),
        (State.ESTABLISHED, RST | SYN, IN, 0, (), State.CLOSING),
        # T12: what shows that it was not the end
        (State.CLOSING, ACK, OUT, DATA, (), State.ESTABLISHED),
        (State.CLOSING, ACK, IN, DATA, None, State.ESTABLISHED),
        (State.CLOSING, ACK, OUT, 0, (), State.CLOSING),
        (State.CLOSING, ACK, OUT, DATA, (OUT,), State.CLOSING),
        # T15: a new connection with the same ports
        (State.CLOSING, SYN, OUT, 0, None, State.TRANSITORY),
        (State.CLOSING, SYN, OUT, 0, (OUT, IN), State.TRANSITORY),
        (State.CLOSING, SYN, IN, 0, (OUT, IN), State.CLOSING),
        (State.CLOSING, SYN | ACK, OUT, 0, (OUT, IN), State.ESTABLISHED),
    ],
)
def test_t11_every_edge(
    state: State,
    flags: int,
    from_outside: bool,
    payload: int,
    fins: tuple[bool, ...] | None,
    expected: State,
) -> None:
    close = None if fins is None else closing(*fins)
    assert next_state(state, flags, from_outside, payload, close) == expected


def test_a_state_that_a_newer_member_invented_stays() -> None:
    assert next_state(9, ACK, OUT, DATA, None) == 9
    assert next_state(9, RST, OUT, 0, None) == State.CLOSING


@pytest.mark.parametrize("first", [OUT, IN])
def test_a_close_is_over_when_both_fins_are_acknowledged(first: bool) -> None:
    one = Closing()
    one.see(first, FIN | ACK, 501, 900)
    assert (one.begun, one.both, one.over) == (True, False, False)
    one.see(not first, ACK, 900, 501)
    assert not one.over
    one.see(not first, FIN | ACK, 901, 501)
    assert (one.both, one.over) == (True, False)
    one.see(first, ACK, 501, 901)
    assert one.over


def test_fins_that_cross_are_over_after_both_acknowledgements() -> None:
    one = Closing()
    one.see(OUT, FIN | ACK, 501, 900)
    one.see(IN, FIN | ACK, 901, 500)
    assert (one.both, one.over) == (True, False)
    one.see(OUT, ACK, 501, 901)
    one.see(IN, ACK, 901, 501)
    assert one.over


def test_an_acknowledgement_of_less_than_the_fin_does_not_count() -> None:
    one = closing(OUT, IN)
    one.see(OUT, ACK, 1000, 999)
    one.see(IN, ACK, 1000, 999)
    assert not one.over


def test_a_side_does_not_acknowledge_its_own_fin() -> None:
    one = Closing()
    one.see(OUT, FIN | ACK, 1000, 1000)
    one.see(OUT, ACK, 1000, 1000)
    one.see(IN, FIN | ACK, 1000, 5)
    one.see(OUT, ACK, 1000, 1000)
    assert not one.over


def test_a_reset_closes_nothing_by_itself() -> None:
    one = Closing()
    one.see(OUT, RST, 500, 0)
    assert not one.begun


TIMEOUTS = Timeouts(udp=300, tcp=7440, syn=240, closing=200, finrst=60, icmp=61)


@pytest.mark.parametrize(
    ("timeout_class", "state", "seconds"),
    [
        (TimeoutClass.UDP, State.OPEN, 300.0),
        (TimeoutClass.ICMP, State.OPEN, 61.0),
        (TimeoutClass.TCP, State.TRANSITORY, 240.0),
        (TimeoutClass.TCP, State.ESTABLISHED, 7440.0),
        (TimeoutClass.TCP, State.CLOSING, 200.0),
        (TimeoutClass.STATIC, State.OPEN, float("inf")),
        (99, State.OPEN, float("inf")),
    ],
)
def test_time_outs_by_class_and_state(timeout_class: int, state: int, seconds: float) -> None:
    assert TIMEOUTS.of(timeout_class, state) == seconds
    assert TIMEOUTS.finrst == 60.0


def test_calls_of_pptp_have_a_time_out_of_their_own() -> None:
    """Their entries have a call ID in the place of one port; plain GRE has none."""
    timeouts = Timeouts(udp=1, tcp=2, syn=3, closing=4, finrst=5, icmp=6, other=7, pptp=8)
    gre = Entry.unpack(record(1, protocol=47))._replace(timeout_class=TimeoutClass.OTHER)
    plain = gre._replace(
        inside_local_port=0, inside_global_port=0, outside_local_port=0, outside_global_port=0
    )
    assert timeouts.of_record(plain.pack()) == 7
    assert timeouts.of_record(plain._replace(inside_local_port=77, inside_global_port=78).pack()) == 8
    assert timeouts.of_record(plain._replace(outside_local_port=9, outside_global_port=9).pack()) == 8
