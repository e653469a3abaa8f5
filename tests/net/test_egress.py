"""By which interface packets leave: the questions, the answers, and how long they hold."""

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from snat.net.egress import LASTS, MOST, Egress, out_interface, question

LOCALHOST = bytes((127, 0, 0, 1))


def test_a_question_is_what_pyroute2_reads_it_as() -> None:
    read = rtmsg(question(bytes((192, 0, 2, 1)), 7))
    read.decode()
    assert (read["header"]["type"], read["header"]["flags"], read["header"]["sequence_number"]) == (26, 1, 7)
    assert (read["family"], read["dst_len"], read.get("dst")) == (socket.AF_INET, 32, "192.0.2.1")


def answer(kind: int = 24, number: int = 7, **attributes: Any) -> bytes:
    made = rtmsg()
    made["family"] = socket.AF_INET
    made["attrs"] = [(f"RTA_{name}", value) for name, value in attributes.items()]
    made["header"]["type"], made["header"]["sequence_number"] = kind, number
    made.encode()
    return bytes(made.data)


@pytest.mark.parametrize(
    ("said", "index"),
    [
        (answer(DST="192.0.2.1", OIF=5, GATEWAY="203.0.113.2"), 5),
        (answer(OIF=70000), 70000),
        (answer(DST="192.0.2.1"), 0),
        (answer(kind=2), 0),
        (answer(number=8, OIF=5), 0),
        (answer(OIF=5)[:-2], 0),
        (b"", 0),
    ],
)
def test_an_answer_is_read(said: bytes, index: int) -> None:
    assert out_interface(said, 7) == index


@given(st.binary(max_size=100))
def test_no_answer_breaks_the_reader(said: bytes) -> None:
    out_interface(said, 7)
    out_interface(answer()[:28] + said, 7)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_kernel_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(), list[bytes]()
    egress = Egress(clock)

    def ask(destination: bytes) -> str:
        asked.append(destination)
        return "out0"

    monkeypatch.setattr(egress, "_ask", ask)
    for _ in range(3):
        assert egress.of(LOCALHOST) == "out0"
    assert asked == [LOCALHOST]
    clock.now += LASTS
    egress.of(LOCALHOST)
    assert len(asked) == 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    egress = Egress(Clock())
    monkeypatch.setattr(egress, "_ask", lambda _: "out0")
    for number in range(MOST + 10):
        egress.of(number.to_bytes(4, "big"))
        assert len(egress._known) <= MOST


def test_this_kernel_answers() -> None:
    egress = Egress(Clock())
    assert egress.of(LOCALHOST) == "lo"
    egress.close()
    egress.close()
    assert egress.of(LOCALHOST) == "lo", "what is known needs no socket"
