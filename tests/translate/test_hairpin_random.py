"""Inside hosts that send to each other and outside, in any order: whoever gets a packet can answer it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.packet import Packet

from tests.packets import echo, tcp, udp
from tests.translate.nat import A, B, Nat, P, S
from tests.translate.turned import C, G, H, paths, served

HOSTS = (A, B, C)
GLOBALS = {P, G, H}
Step = tuple[str, str, int, str, int, bool, float]
STEPS = st.tuples(
    st.sampled_from(["udp", "udp", "tcp", "echo"]),
    st.sampled_from(HOSTS),
    st.sampled_from([53, 80, 5000, 5001]),
    st.sampled_from([P, P, G, H, S]),
    st.sampled_from([53, 80, 5000, 5001, 5353, 8080]),
    st.booleans(),
    st.sampled_from([0, 0, 0, 70, 200]),
)


def packet(kind: str, source: str, sport: int, destination: str, dport: int, *, answers: bool) -> Packet:
    if kind == "udp":
        return udp(source, sport, destination, dport, flags=0 if sport == 53 else "DF")
    if kind == "tcp":
        return tcp(source, sport, destination, dport, "SA" if answers else "S")
    return echo(source, destination, sport, reply=answers)


def send(nat: Nat, sent: Packet, *, from_outside: bool) -> Packet | None:
    return nat.send(sent, from_outside, turns=not from_outside and sent.dst in GLOBALS)


def play(steps: list[Step]) -> None:
    nat = served()
    for kind, host, sport, destination, dport, answers, pause in steps:
        sent = packet(kind, host, sport, destination, dport, answers=False)
        nat.wait(pause)
        came = send(nat, sent, from_outside=False)
        if came is None:
            continue
        assert came.src in GLOBALS, "nobody sees an inside address"
        assert (came.dst in HOSTS) == (destination in GLOBALS)
        if answers:
            ports = (came.payload.id,) * 2 if kind == "echo" else (came.dport, came.sport)
            answer = packet(kind, came.dst, ports[0], came.src, ports[1], answers=True)
            back = send(nat, answer, from_outside=destination == S)
            assert back is not None, "what came can be answered"
            assert (back.src, back.dst) == (destination, host)
            if kind == "echo":
                assert back.payload.id == sport
            else:
                assert (back.sport, back.dport) == (dport, sport)
    nat.wait(20_000)
    assert len(nat.table) == 3, "the static rules'"
    assert paths(nat) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_u9_who_gets_a_packet_can_answer_it(steps: list[Step]) -> None:
    play(steps)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None)
@given(st.lists(STEPS, max_size=80))
def test_u9_who_gets_a_packet_can_answer_it_long(steps: list[Step]) -> None:
    play(steps)
