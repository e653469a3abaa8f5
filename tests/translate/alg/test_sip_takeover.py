"""Another router goes on with a SIP conversation."""

import pytest

from snat.translate.alg.calls import MAX_CALLS, MAX_PORTS, MAX_TOLD, Calls, call_of
from snat.translate.alg.sip import Sip
from tests.translate.alg.doors import TCP, UDP, FakeDoors, conversation, passed
from tests.translate.alg.sip_texts import invite, request, response, sdp

TALK = conversation(TCP, 40000, outside_port=5060, global_port=1500)
CALL = invite(transport="TCP")
SEEN = b"Content-Length: %d\r\n\r\n" % len(sdp("203.0.113.5", 20000)) + sdp("203.0.113.5", 20000)


def taken_over(gateway: Sip) -> tuple[Sip, FakeDoors]:
    doors = FakeDoors()
    other = Sip(gateway.conversation, doors)
    assert other.restore(gateway.context())
    if not other.ended:
        assert other.context() == gateway.context()
    return other, doors


def test_between_messages_nothing_is_lost() -> None:
    gateway = Sip(TALK, FakeDoors())
    passed(gateway, CALL)
    passed(gateway, response("200 OK"), from_outside=True)
    other, doors = taken_over(gateway)
    answer = response("200 OK", via="203.0.113.5:1500;branch=z9")
    assert b"UDP 10.1.1.10:5060;branch=z9\r\n" in passed(other, answer, from_outside=True)
    bye = request("BYE").replace(b"bob@192.0.2.80", b"alice@203.0.113.5:1500")
    assert passed(other, bye, from_outside=True).startswith(b"BYE sip:alice@10.1.1.10:5060 ")
    assert {endpoint.port for _, endpoint in doors.closed} == {49172, 49173}
    assert passed(other, CALL).endswith(SEEN)


def test_what_was_agreed_on_outlives_a_refused_second_offer() -> None:
    gateway = Sip(TALK, FakeDoors())
    passed(gateway, CALL)
    passed(gateway, response("200 OK"), from_outside=True)
    other, doors = taken_over(gateway)
    passed(other, response("488 Not Acceptable Here", number=2), from_outside=True)
    assert not doors.closed


def test_registrations_of_datagrams_keep_what_the_host_wrote() -> None:
    gateway = Sip(conversation(UDP, 5060, outside_port=5060, global_port=1500), FakeDoors())
    passed(gateway, request("OPTIONS").replace(b"10.1.1.10:5060", b"10.1.1.10"))
    other, _ = taken_over(gateway)
    answer = response("200 OK", "OPTIONS", via="203.0.113.5:1500;branch=z9")
    assert b"UDP 10.1.1.10;branch=z9" in passed(other, answer, from_outside=True)


@pytest.mark.parametrize("at", range(1, len(CALL)))
def test_in_the_middle_of_a_message(at: int) -> None:
    gateway = Sip(TALK, FakeDoors())
    seen = passed(gateway, CALL[:at])
    other, doors = taken_over(gateway)
    seen += passed(other, CALL[at:])
    if other.ended:
        assert doors.counted == {"cut off by a takeover": 1}
        line = CALL[CALL.rfind(b"\n", 0, at) + 1 :]
        assert line.startswith(
            (b"INVITE", b"CSeq", b"Ca", b"Con", b"\r\n")
        )  # what may be Content-Length, or ends
        return
    head, _, body = seen.partition(b"\r\n\r\n")
    assert int(head.partition(b"\r\nContent-Length: ")[2]) == len(body)
    assert passed(other, CALL).endswith(SEEN)
    assert doors.ports() == [49172]


@pytest.mark.parametrize(
    "context",
    [b"", bytes(20), bytes(22), bytes(21 + 7 * (MAX_TOLD + 1))],
)
def test_a_context_that_says_nothing_is_refused(context: bytes) -> None:
    assert not Sip(TALK, FakeDoors()).restore(context)


def test_calls_are_bounded_and_the_newest_are_told() -> None:
    calls = Calls()
    for number in range(3 * MAX_CALLS):
        assert calls.opened(call_of(b"%d" % number), 5000 + number, pair=True)
    assert len(calls) == MAX_CALLS
    other = Calls()
    assert other.restore(calls.told())
    assert len(other) == MAX_TOLD
    assert other.ended(call_of(b"%d" % (3 * MAX_CALLS - 1)), all_of_it=False) == [
        (4999 + 3 * MAX_CALLS, True)
    ]
    assert not other.ended(call_of(b"1"), all_of_it=True)


def test_the_ports_of_a_call_are_bounded() -> None:
    calls = Calls()
    assert [calls.opened(b"call", port, pair=False) for port in range(MAX_PORTS + 1)] == [
        True
    ] * MAX_PORTS + [False]
    assert calls.opened(b"call", 0, pair=False)
