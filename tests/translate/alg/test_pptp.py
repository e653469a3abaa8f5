"""PPTP's call IDs, in messages as scapy makes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.pptp import (
    PPTP,
    PPTPCallClearRequest,
    PPTPCallDisconnectNotify,
    PPTPEchoRequest,
    PPTPIncomingCallConnected,
    PPTPIncomingCallReply,
    PPTPIncomingCallRequest,
    PPTPOutgoingCallReply,
    PPTPOutgoingCallRequest,
    PPTPSetLinkInfo,
    PPTPStartControlConnectionReply,
    PPTPStartControlConnectionRequest,
    PPTPStopControlConnectionRequest,
    PPTPWANErrorNotify,
)

from snat.nat.tracking import GRE
from snat.translate.alg.pptp import CALLS, LIFE, Pptp
from tests.translate.alg.written_doors import (
    INSIDE,
    OUTSIDE,
    FakeDoors,
    at,
    conversation,
    edited,
    packed,
    through,
)

IN, OUT = True, False
"""From outside, or not."""
START = PPTPStartControlConnectionRequest(), PPTPStartControlConnectionReply()
FIRST = 40000


class Session:
    """A control connection that has begun; client inside unless told."""

    def __init__(self, *, begun_inside: bool = True, started: bool = True) -> None:
        self.doors = FakeDoors(FIRST)
        self.conversation = conversation(6, 1723, begun_inside=begun_inside)
        self.pptp = Pptp(self.conversation, self.doors)
        if started:
            self.say(not begun_inside, START[0])
            self.say(begun_inside, START[1])

    def say(self, from_outside: bool, message: PPTP) -> PPTP:
        """The message as the other side gets it."""
        data = bytes(message)
        return type(message)(edited(data, self.pptp.take(from_outside, data)))

    def outgoing(self, own: int = 7, theirs: int = 7) -> int:
        """A call that an inside client makes: its ID as the server knows it."""
        asked = self.say(OUT, PPTPOutgoingCallRequest(call_id=own)).call_id
        reply = PPTPOutgoingCallReply(call_id=theirs, peer_call_id=asked)
        assert self.say(IN, reply).peer_call_id == own
        return int(asked)


def test_client_inside() -> None:
    session = Session()
    assert session.outgoing(own=5, theirs=99) == FIRST
    opened = session.doors.opened[GRE, at(INSIDE, 5)]
    assert (opened.peer, opened.life, opened.follows, opened.pair) == (at(OUTSIDE, 99), LIFE, "", False)
    # What names the server's ID stays as it is; what names ours does not.
    assert session.say(OUT, PPTPSetLinkInfo(peer_call_id=99)).peer_call_id == 99
    assert session.say(IN, PPTPSetLinkInfo(peer_call_id=FIRST)).peer_call_id == 5
    assert session.say(IN, PPTPWANErrorNotify(peer_call_id=FIRST)).peer_call_id == 5
    assert session.say(OUT, PPTPCallClearRequest(call_id=5)).call_id == FIRST
    assert session.say(IN, PPTPCallDisconnectNotify(call_id=99)).call_id == 99
    assert not session.doors.opened
    assert session.doors.counts == {"message": 9, "edit": 5}


def test_server_inside() -> None:
    session = Session(begun_inside=False)
    assert session.say(IN, PPTPOutgoingCallRequest(call_id=5)).call_id == 5
    assert not session.doors.opened
    reply = session.say(OUT, PPTPOutgoingCallReply(call_id=99, peer_call_id=5))
    assert (reply.call_id, reply.peer_call_id) == (FIRST, 5)
    assert list(session.doors.opened) == [(GRE, at(INSIDE, 99))]
    assert session.say(IN, PPTPSetLinkInfo(peer_call_id=FIRST)).peer_call_id == 99
    assert session.say(IN, PPTPCallClearRequest(call_id=5)).call_id == 5
    assert session.say(OUT, PPTPCallDisconnectNotify(call_id=99)).call_id == FIRST
    assert not session.doors.opened


def test_an_incoming_call_to_a_client_inside() -> None:
    session = Session()
    assert session.say(IN, PPTPIncomingCallRequest(call_id=99)).call_id == 99
    reply = session.say(OUT, PPTPIncomingCallReply(call_id=5, peer_call_id=99))
    assert (reply.call_id, reply.peer_call_id) == (FIRST, 99)
    assert session.say(IN, PPTPIncomingCallConnected(peer_call_id=FIRST)).peer_call_id == 5


def test_an_incoming_call_from_a_concentrator_inside() -> None:
    session = Session()
    assert session.say(OUT, PPTPIncomingCallRequest(call_id=5)).call_id == FIRST
    reply = session.say(IN, PPTPIncomingCallReply(call_id=99, peer_call_id=FIRST))
    assert (reply.call_id, reply.peer_call_id) == (99, 5)
    assert session.say(OUT, PPTPIncomingCallConnected(peer_call_id=99)).peer_call_id == 99


def test_several_calls_of_one_connection() -> None:
    session = Session()
    ids = [session.outgoing(own=own, theirs=own + 500) for own in range(1, 6)]
    assert len(set(ids)) == 5
    for own, outside in enumerate(ids, 1):
        assert session.say(IN, PPTPWANErrorNotify(peer_call_id=outside)).peer_call_id == own
    session.say(IN, PPTPCallDisconnectNotify(call_id=503))
    assert session.say(IN, PPTPWANErrorNotify(peer_call_id=ids[2])).peer_call_id == ids[2]
    assert session.doors.refusals == {"unknown call": 1}


def test_a_call_that_is_refused_leaves_no_door() -> None:
    session = Session()
    asked = session.say(OUT, PPTPOutgoingCallRequest(call_id=5)).call_id
    reply = PPTPOutgoingCallReply(call_id=0, peer_call_id=asked, result_code=3)
    assert session.say(IN, reply).peer_call_id == 5
    assert not session.doors.opened
    server = Session(begun_inside=False)
    server.say(IN, PPTPOutgoingCallRequest(call_id=5))
    refusal = PPTPOutgoingCallReply(call_id=9, peer_call_id=5, result_code=2)
    assert server.say(OUT, refusal).call_id == 9
    assert not server.doors.opened


def test_messages_without_ids_pass() -> None:
    session = Session()
    for message in (PPTPEchoRequest(), PPTPStopControlConnectionRequest()):
        assert bytes(session.say(OUT, message)) == bytes(message)
    assert session.doors.counts == {"message": 4}


def test_several_messages_at_once_and_a_tail() -> None:
    session = Session()
    asked = [bytes(PPTPOutgoingCallRequest(call_id=own)) for own in (1, 2, 3)]
    data = b"".join(asked)
    # The third comes in two pieces, the first of which has its ID.
    out = through(session.pptp, OUT, data, 168 * 2 + 20)
    assert [PPTPOutgoingCallRequest(out[at : at + 168]).call_id for at in (0, 168, 336)] == [
        FIRST,
        FIRST + 2,
        FIRST + 4,
    ]


@settings(deadline=None)
@given(cut=st.integers(1, 17))
def test_a_message_whose_first_bytes_are_split_is_counted(cut: int) -> None:
    session = Session()
    data = bytes(PPTPOutgoingCallRequest(call_id=5))
    assert through(session.pptp, OUT, data, cut) == data
    assert not session.doors.opened
    assert session.doors.refusals == {"split message": 1}
    assert session.outgoing() == FIRST  # and the next one is found


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: x:1723\r\n\r\n" + bytes(PPTPOutgoingCallRequest(call_id=5)),
        bytes(PPTPOutgoingCallRequest(call_id=5)),  # without asking for a connection
        bytes(START[1]),
        bytes(START[0])[:8] + b"\0\x02" + bytes(START[0])[10:],
        b"\x00\x0c\x00\x01\x1a\x2b\x3c\x4e" + bytes(4),
        b"\xff\xff" + bytes(START[0])[2:],
        b"\x00\x0b" + bytes(START[0])[2:],
    ],
)
def test_what_does_not_begin_as_pptp_opens_nothing(data: bytes) -> None:
    session = Session(started=False)
    assert through(session.pptp, OUT, data) == data
    assert session.pptp.ended
    assert not session.doors.opened
    assert sum(session.doors.refusals.values()) == 1


def test_a_call_before_the_server_granted_the_connection() -> None:
    session = Session(started=False)
    session.say(OUT, START[0])
    assert session.say(OUT, PPTPOutgoingCallRequest(call_id=5)).call_id == 5
    assert not session.doors.opened
    assert session.doors.refusals == {"call before the connection": 1}


def test_a_server_that_refuses_the_connection() -> None:
    session = Session(started=False)
    session.say(OUT, START[0])
    session.say(IN, PPTPStartControlConnectionReply(result_code=5))
    assert session.pptp.ended
    assert session.doors.refusals == {"connection refused": 1}


def test_a_server_that_speaks_first() -> None:
    session = Session(started=False)
    session.pptp.take(IN, bytes(START[1]))
    session.say(OUT, START[0])
    session.say(OUT, PPTPOutgoingCallRequest(call_id=5))
    assert not session.doors.opened


def test_call_id_0_and_calls_without_number() -> None:
    session = Session()
    assert session.say(OUT, PPTPOutgoingCallRequest(call_id=0)).call_id == 0
    assert session.doors.refusals == {"call ID 0": 1}
    for own in range(1, CALLS + 2):
        session.say(OUT, PPTPOutgoingCallRequest(call_id=own))
    assert session.doors.refusals == {"call ID 0": 1, "too many calls": 1}
    assert len(session.doors.opened) == CALLS
    assert len(session.pptp.context()) <= 256
    assert session.say(OUT, PPTPOutgoingCallRequest(call_id=1)).call_id == FIRST  # asked once more


def test_a_refused_door_changes_nothing() -> None:
    session = Session()
    session.doors.refuses = True
    assert session.say(OUT, PPTPOutgoingCallRequest(call_id=5)).call_id == 5
    assert session.say(OUT, PPTPCallClearRequest(call_id=5)).call_id == 5
    assert session.doors.refusals == {"refused": 1, "unknown call": 1}


def test_a_door_at_another_address_is_of_no_use() -> None:
    session = Session()
    session.doors.address = packed("203.0.113.99")
    assert session.say(OUT, PPTPOutgoingCallRequest(call_id=5)).call_id == 5
    assert not session.doors.opened
    assert session.doors.refusals == {"another address": 1}


def test_ids_that_the_server_makes_up_are_nobodys() -> None:
    session = Session()
    session.outgoing(own=5)
    for message in (PPTPSetLinkInfo, PPTPWANErrorNotify, PPTPIncomingCallConnected, PPTPOutgoingCallReply):
        assert session.say(IN, message(peer_call_id=1)).peer_call_id == 1
    assert session.doors.refusals == {"unknown call": 4}
    assert len(session.doors.opened) == 1


def test_a_takeover_within_a_message() -> None:
    session = Session()
    outside = session.outgoing(own=5, theirs=99)
    taker = Pptp(session.conversation, doors := FakeDoors(50000))
    assert taker.restore(session.pptp.context())
    assert taker.context() == session.pptp.context()
    tail = bytes(PPTPOutgoingCallRequest())[-30:]
    assert through(taker, IN, tail) == tail
    said = PPTPWANErrorNotify(through(taker, IN, bytes(PPTPWANErrorNotify(peer_call_id=outside))))
    assert said.peer_call_id == 5
    assert (
        PPTPOutgoingCallRequest(through(taker, OUT, bytes(PPTPOutgoingCallRequest(call_id=6)))).call_id
        == 50000
    )
    assert doors.refusals == {"unknown place after takeover": 1}
    # Now the place is known, and what is no message ends it.
    through(taker, IN, bytes(40))
    assert taker.ended


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_context_is_restored_or_refused(context: bytes) -> None:
    gateway = Pptp(conversation(6, 1723), FakeDoors())
    if gateway.restore(context):
        assert len(gateway.context()) <= len(context) <= 256
        again = Pptp(conversation(6, 1723), FakeDoors())
        assert again.restore(gateway.context())
        assert again.context() == gateway.context()


MESSAGES = st.sampled_from(
    [
        bytes(message)
        for kind in (
            PPTPOutgoingCallRequest,
            PPTPOutgoingCallReply,
            PPTPIncomingCallRequest,
            PPTPIncomingCallReply,
            PPTPCallClearRequest,
            PPTPCallDisconnectNotify,
        )
        for message in (kind(call_id=0), kind(call_id=1), kind(call_id=FIRST))
    ]
    + [
        bytes(kind(peer_call_id=peers))
        for kind in (PPTPSetLinkInfo, PPTPWANErrorNotify, PPTPIncomingCallConnected)
        for peers in (0, 1, FIRST)
    ]
    + [bytes(one) for one in START]
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), MESSAGES | st.binary(max_size=40), st.integers(1, 300)), max_size=20)
)
def test_any_bytes_in_any_pieces(said: list[tuple[bool, bytes, int]]) -> None:
    session = Session()
    for from_outside, data, cut in said:
        out = through(session.pptp, from_outside, data, cut)
        assert len(out) == len(data)
        assert len(session.pptp.context()) <= 256
    assert {inside.address for _, inside in session.doors.opened} <= {packed(INSIDE)}
    assert {door.peer.address for door in session.doors.opened.values()} <= {packed(OUTSIDE)}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), MESSAGES), max_size=12),
    st.lists(st.integers(1, 2000), max_size=6),
)
def test_pieces_make_no_difference_but_for_what_they_split(
    said: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    whole, cut = Session(), Session()
    outward = b"".join(data for from_outside, data in said if not from_outside)
    one, other = through(whole.pptp, OUT, outward), through(cut.pptp, OUT, outward, *cuts)
    assert cut.pptp.ended == whole.pptp.ended
    if not cut.doors.counts["split message"]:
        assert one == other
    assert set(cut.doors.opened) <= set(whole.doors.opened)
