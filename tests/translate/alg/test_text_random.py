"""Any bytes in any segments: nothing raised, memory bounded, edits in order and inside of what was given."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.translate.alg import irc, rtsp
from snat.translate.alg.calls import MAX_CALLS
from snat.translate.alg.gateway import Conversation, Doors, Gateway
from snat.translate.alg.messages import MAX_LINE, MAX_SAID
from snat.translate.alg.sip import MAX_REGISTERS, Sip
from tests.translate.alg.doors import INSIDE, TCP, UDP, FakeDoors, conversation, edited
from tests.translate.alg.sip_texts import invite, message, request, response, sdp
from tests.translate.alg.test_irc import dcc
from tests.translate.alg.test_rtsp import answer, setup

MESSAGES = 2 * (MAX_LINE + 8 * MAX_SAID)

SIP = [
    invite(),
    invite(transport="TCP", call="2"),
    invite(sdp("10.1.1.11")),
    request("BYE", 2),
    request("CANCEL"),
    request("REGISTER"),
    response("200 OK", body=sdp("192.0.2.80", 3000)),
    response("200 OK", "REGISTER"),
    response("486 Busy Here"),
    message("UPDATE sip:b@192.0.2.80 SIP/2.0\nl: 3\nCall-ID: 1\nCSeq: 1 UPDATE"),
    sdp(more="m=video 49174/2 RTP/AVP 31\na=rtcp:49180 IN IP4 10.1.1.10\nm=audio 0 RTP/AVP 0"),
    b"INVITE sip:b@10.1.1.10 SIP/2.0\r\n",
    b"Content-Type: application/sdp\r\n",
    b"Via: SIP/2.0/UDP 10.1.1.10;rport=1;received=203.0.113.5,",
    b'Contact: "\\"\\" <sip:203.0.113.5:1500>;expires=4294967296\r\n\t;x\r\n',
    b"Content-Length: 12\r\n",
    b"\r\n",
    b"\r\n\r\n",
]
RTSP = [
    setup("RTP/AVP;unicast;client_port=4588-4589,RTP/AVP;destination=10.1.1.10;client_port=65534-65535"),
    setup("RTP/AVP;client_port=4590;interleaved=0-1"),
    answer("RTP/AVP;client_port=20000-20001;server_port=6000-6001;source=10.1.1.10"),
    answer("RTP/AVP", status="461 No"),
    message("RTSP/1.0 200 OK\nCSeq: 1\nContent-Base: rtsp://10.1.1.10/a/", sdp(port=0)),
    b"TEARDOWN rtsp://10.1.1.10:554/ RTSP/1.0\r\nCSeq: 302\r\n\r\n",
    b"$\x00\x00\x05hello",
    b"$\x00\x01\x00",
    b"Transport: ",
    b"\r\n",
]
IRC = [
    b"NICK a\r\n",
    b":i 001 a :\r\n",
    dcc(f"SEND a {int.from_bytes(INSIDE)} 5000 1"),
    dcc(f'CHAT "a b" {int.from_bytes(INSIDE)} 65535'),
    dcc("ACCEPT a 5000 1"),
    b":b " + dcc("RESUME a 20000 1"),
    b"PRIVMSG x :\x01DCC ",
    b"x" * 600,
    b"\n",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A gateway, conversations of it, what it reads, and what it may store."""

    make: Callable[[Conversation, Doors], Sip | rtsp.Rtsp | irc.Irc]
    talks: list[Conversation]
    texts: list[bytes]
    most: int


def talks(protocol: int, port: int) -> list[Conversation]:
    return [
        conversation(protocol, 5060, outside_port=port, global_port=1500),
        conversation(protocol, port, outside_port=4000, begun_inside=False),
        conversation(protocol, port, outside_port=port, outside_local=bytes([10, 9, 9, 9])),
    ]


KINDS = {
    "sip-tcp": Kind(make=Sip, talks=talks(TCP, 5060), texts=SIP, most=MESSAGES + MAX_CALLS + MAX_REGISTERS),
    "sip-udp": Kind(make=Sip, talks=talks(UDP, 5060), texts=SIP, most=MESSAGES + MAX_CALLS + MAX_REGISTERS),
    "rtsp": Kind(
        make=rtsp.Rtsp,
        talks=talks(TCP, 554),
        texts=RTSP,
        most=MESSAGES + rtsp.MAX_PORTS + rtsp.MAX_REQUESTS,
    ),
    "irc": Kind(make=irc.Irc, talks=talks(TCP, 6667), texts=IRC, most=2 * irc.MAX_LINE + irc.MAX_OFFERS),
}


@st.composite
def spoken(draw: st.DrawFn, texts: list[bytes]) -> list[tuple[bool, bytes]]:
    """Segments of both directions: texts of the protocol, some spoilt, cut anywhere."""
    segments: list[tuple[bool, bytes]] = []
    piece = st.one_of(st.sampled_from(texts), st.binary(max_size=40))
    for from_outside in draw(st.lists(st.booleans(), max_size=6)):
        data = bytearray(b"".join(draw(st.lists(piece, max_size=5))))
        for at, byte in draw(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=3)):
            if at < len(data):
                data[at] = byte
        cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=8))})
        segments += [(from_outside, bytes(data[a:b])) for a, b in pairwise(cuts)]
    return segments


@pytest.mark.parametrize("name", KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_whatever_is_said(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    talk = data.draw(st.sampled_from(kind.talks))
    doors = FakeDoors()
    gateway = kind.make(talk, doors)
    takeover = data.draw(st.none() | st.integers(0, 10))
    for number, (from_outside, segment) in enumerate(data.draw(spoken(kind.texts))):
        if gateway.ended:
            break
        if number == takeover:
            context = gateway.context()
            gateway = kind.make(talk, doors)
            assert gateway.restore(context)
            if gateway.ended:
                break
        edited(segment, list(gateway.take(from_outside, segment)))
        assert gateway.held <= kind.most
        assert len(gateway.context()) <= 256
    for door in doors.opened:
        assert door.inside.address == INSIDE
        assert door.inside.port >= 1024


@pytest.mark.parametrize("name", KINDS)
@settings(deadline=None)
@given(data=st.data(), context=st.binary(max_size=300))
def test_whatever_a_context_says(name: str, data: st.DataObject, context: bytes) -> None:
    kind = KINDS[name]
    gateway: Gateway = kind.make(kind.talks[0], FakeDoors())
    if not gateway.restore(context):
        return
    for from_outside, segment in data.draw(spoken(kind.texts)):
        if gateway.ended:
            break
        edited(segment, list(gateway.take(from_outside, segment)))
        assert len(gateway.context()) <= 256


CALL = message("INVITE sip:b@192.0.2.80 SIP/2.0\nCall-ID: 1\nCSeq: 1 INVITE", sdp())


@settings(deadline=None)
@given(
    calls=st.integers(1, 4),
    cuts=st.lists(st.integers(0, 4 * len(CALL)), max_size=10),
    takeover=st.integers(0, 12) | st.none(),
)
def test_messages_stay_whole_however_they_are_cut(calls: int, cuts: list[int], takeover: int | None) -> None:
    """The other end finds as many messages, each with a body as long as it says."""
    data = CALL * calls
    doors = FakeDoors()
    talk = conversation(TCP, 5060, outside_port=5060, global_port=1500)
    gateway, seen = Sip(talk, doors), b""
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for number, (start, end) in enumerate(pairwise(borders)):
        if number == takeover:
            context, gateway = gateway.context(), Sip(talk, doors)
            assert gateway.restore(context)
        if gateway.ended:
            seen += data[start:end]
        else:
            seen += edited(data[start:end], list(gateway.take(False, data[start:end])))
    found = 0
    while seen:
        head, _, seen = seen.partition(b"\r\n\r\n")
        assert head.startswith(b"INVITE sip:b@192.0.2.80 SIP/2.0\r\n")
        length = int(head.partition(b"\r\nContent-Length: ")[2].partition(b"\r\n")[0])
        body, seen = seen[:length], seen[length:]
        assert len(body) == length
        assert b"\r\na=rtpmap:0 PCMU/8000\r\n" in body
        assert body.endswith((b"PCMU/8000\r\n", b"0\r\n"))
        found += 1
    assert found == calls
