"""RTSP: the ports of SETUP and its answer, either side being the client."""

import pytest

from snat.translate.alg.gateway import Endpoint
from snat.translate.alg.rtsp import MAX_PORTS, MAX_REQUESTS, MEDIA_LIFE, Rtsp
from tests.translate.alg.doors import INSIDE, OUTSIDE, TCP, UDP, FakeDoors, conversation, in_pieces, passed
from tests.translate.alg.sip_texts import lines, message, sdp


def stream(*, begun_inside: bool = True) -> tuple[Rtsp, FakeDoors]:
    """10.1.1.10:40000 with the server 192.0.2.80:554, or 192.0.2.80:40000 with the server 10.1.1.10:554."""
    doors = FakeDoors()
    inside, outside = (40000, 554) if begun_inside else (554, 40000)
    shown = 1500 if begun_inside else 8554
    talk = conversation(TCP, inside, outside_port=outside, global_port=shown, begun_inside=begun_inside)
    return Rtsp(talk, doors), doors


def setup(transport: str, *, number: int = 302, host: str = "192.0.2.80") -> bytes:
    return (
        lines(
            f"""SETUP rtsp://{host}/twister/audio RTSP/1.0
        CSeq: {number}
        Transport: {transport}"""
        )
        + b"\r\n"
    )


def answer(transport: str, *, number: int = 302, status: str = "200 OK") -> bytes:
    return (
        lines(
            f"""RTSP/1.0 {status}
        CSeq: {number}
        Session: 47112344
        Transport: {transport}"""
        )
        + b"\r\n"
    )


def test_a_client_s_ports_are_opened_and_named_back_in_the_answer() -> None:
    gateway, doors = stream()
    asked = setup("RTP/AVP;unicast;client_port=4588-4589")
    assert passed(gateway, asked) == setup("RTP/AVP;unicast;client_port=20000-20001")
    (door,) = doors.opened
    assert (door.protocol, door.inside, door.peer) == (UDP, Endpoint(INSIDE, 4588), Endpoint(OUTSIDE, 0))
    assert (door.life, door.pair) == (MEDIA_LIFE, True)
    said = "RTP/AVP;unicast;client_port=%s;server_port=6256-6257;source=192.0.2.80;destination=%s"
    seen = passed(gateway, answer(said % ("20000-20001", "203.0.113.5")), from_outside=True)
    assert seen == answer(said % ("4588-4589", "10.1.1.10"))
    assert len(doors.opened) == 1
    assert not doors.closed


@pytest.mark.parametrize(
    ("transport", "seen"),
    [
        ("RTP/AVP/UDP;unicast;client_port=4588", "RTP/AVP/UDP;unicast;client_port=20000"),
        (
            'RTP/AVP;unicast;destination=10.1.1.10;client_port=4588-4589;mode="PLAY"',
            'RTP/AVP;unicast;destination=203.0.113.5;client_port=20000-20001;mode="PLAY"',
        ),
        (
            "RTP/AVP/TCP;unicast;interleaved=0-1,RTP/AVP; client_port = 4588 - 4589 ;unicast",
            "RTP/AVP/TCP;unicast;interleaved=0-1,RTP/AVP; client_port = 20000 - 20001 ;unicast",
        ),
        (
            "RTP/AVP;client_port=4588-4589,RTP/AVP;client_port=4590-4591",
            "RTP/AVP;client_port=20000-20001,RTP/AVP;client_port=20002-20003",
        ),
    ],
)
def test_a_transport(transport: str, seen: str) -> None:
    gateway, _ = stream()
    assert passed(gateway, setup(transport)) == setup(seen)


@pytest.mark.parametrize(
    ("transport", "reason"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=0-1", None),
        ("RTP/AVP;multicast;client_port=4588-4589", None),
        ("RTP/AVP;unicast;destination=10.1.1.11;client_port=4588-4589", "third party"),
        ("RTP/AVP;unicast;client_port=4588-4589;destination=victim.example", "third party"),
        ("RTP/AVP;unicast;client_port=4588-4600", "malformed ports"),
        ("RTP/AVP;unicast;client_port=65535-65536", "malformed ports"),
        ("RTP/AVP;unicast;client_port=22-23", "refused by the doors"),
        ("RTP/AVP;unicast;server_port=4588-4589", None),
    ],
)
def test_what_opens_nothing_passes_as_it_is(transport: str, reason: str | None) -> None:
    gateway, doors = stream()
    assert passed(gateway, setup(transport)) == setup(transport)
    assert not doors.opened
    assert doors.counted == {"message": 1} | ({reason: 1} if reason else {})


def test_only_setup_opens() -> None:
    gateway, doors = stream()
    text = setup("RTP/AVP;client_port=4588-4589").replace(b"SETUP", b"PLAY")
    assert passed(gateway, text) == text
    assert not doors.opened


def test_a_server_inside_is_reached_at_its_global_ports() -> None:
    gateway, doors = stream(begun_inside=False)
    asked = setup("RTP/AVP;unicast;client_port=4588-4589", host="203.0.113.5:8554")
    seen = passed(gateway, asked, from_outside=True)
    assert seen == setup("RTP/AVP;unicast;client_port=4588-4589", host="10.1.1.10:554")
    said = "RTP/AVP;unicast;client_port=4588-4589;server_port=%s;source=%s;destination=192.0.2.80"
    assert passed(gateway, answer(said % ("6256-6257", "10.1.1.10"))) == answer(
        said % ("20000-20001", "203.0.113.5")
    )
    (door,) = doors.opened
    assert (door.inside, door.peer) == (Endpoint(INSIDE, 6256), Endpoint(OUTSIDE, 0))


def test_a_server_inside_that_names_another_source_opens_nothing() -> None:
    gateway, doors = stream(begun_inside=False)
    passed(gateway, setup("RTP/AVP;client_port=4588-4589", host="203.0.113.5:8554"), from_outside=True)
    said = answer("RTP/AVP;client_port=4588-4589;server_port=6256-6257;source=10.1.1.11")
    assert passed(gateway, said) == said
    assert not doors.opened
    assert doors.counted["third party"] == 1


@pytest.mark.parametrize("split", [False, True])
def test_what_a_server_inside_describes_has_its_global_address(split: bool) -> None:
    gateway, doors = stream(begun_inside=False)
    passed(gateway, b"DESCRIBE rtsp://203.0.113.5:8554/a RTSP/1.0\r\nCSeq: 1\r\n\r\n", from_outside=True)
    text = message("RTSP/1.0 200 OK\nCSeq: 1\nContent-Base: rtsp://10.1.1.10/a/", sdp(port=0))
    body = sdp("203.0.113.5", 0)
    if split:
        at = text.index(b"v=0")
        seen = in_pieces(gateway, [text[:at], text[at:]])
        assert b"\r\n\r\n" + body + b"a=x-nat:000" in seen
        body = seen.partition(b"\r\n\r\n")[2]
    else:
        seen = passed(gateway, text)
    assert seen == message("RTSP/1.0 200 OK\nCSeq: 1\nContent-Base: rtsp://203.0.113.5:8554/a/", body)
    assert not doors.opened


def test_interleaved_frames_are_gone_over() -> None:
    gateway, _ = stream()
    frame = b"$\x00\x00\x40" + b"SETUP rtsp://x/ RTSP/1.0\r\nTransport: RTP/AVP;client_port=5000\r\n\r\n"[:64]
    asked = setup("RTP/AVP;client_port=4588-4589")
    first = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    seen = setup("RTP/AVP;client_port=20000-20001")
    assert passed(gateway, first + frame + asked + b"$\x01\x00\x00" + frame) == (
        first + frame + seen + b"$\x01\x00\x00" + frame
    )
    again = setup("RTP/AVP;client_port=5588-5589")
    for at in range(1, len(frame)):
        assert in_pieces(gateway, [frame[:at], frame[at:] + asked]) == frame + seen
    assert in_pieces(gateway, [frame[at : at + 1] for at in range(len(frame))] + [again]) == (
        frame + again.replace(b"5588-5589", b"20002-20003")
    )


def test_a_refused_setup_ends_the_pinholes() -> None:
    gateway, doors = stream()
    passed(gateway, setup("RTP/AVP;client_port=4588-4589"))
    passed(gateway, setup("RTP/AVP;client_port=4590", number=303))
    passed(gateway, answer("RTP/AVP", status="461 Unsupported transport"), from_outside=True)
    assert doors.closed == [(UDP, Endpoint(INSIDE, 4588)), (UDP, Endpoint(INSIDE, 4589))]
    passed(gateway, answer("RTP/AVP", status="461 Unsupported transport"), from_outside=True)
    assert len(doors.closed) == 2


def test_teardown_ends_the_pinholes() -> None:
    gateway, doors = stream()
    passed(gateway, setup("RTP/AVP;client_port=4588-4589"))
    passed(gateway, b"TEARDOWN rtsp://192.0.2.80/twister RTSP/1.0\r\nCSeq: 9\r\n\r\n")
    assert (UDP, Endpoint(INSIDE, 4588)) in doors.closed


@pytest.mark.parametrize("at", range(1, len(setup("RTP/AVP;client_port=4588-4589"))))
def test_a_setup_over_two_segments(at: int) -> None:
    gateway, doors = stream()
    asked = setup("RTP/AVP;client_port=4588-4589")
    line = asked.index(b"Transport")
    seen = in_pieces(gateway, [asked[:at], asked[at:]])
    if line < at < asked.index(b"\r\n\r\n") + 2:
        assert seen == asked
        assert not doors.opened
        assert doors.counted["begun before"] == 1
    else:
        assert seen == setup("RTP/AVP;client_port=20000-20001")
    assert gateway._readers[False].resting


def test_what_is_remembered_is_bounded() -> None:
    gateway, _ = stream()
    for number in range(100):
        passed(gateway, setup(f"RTP/AVP;client_port={5000 + 2 * number}", number=number))
    assert gateway.held <= MAX_PORTS + MAX_REQUESTS


def test_another_router_goes_on_in_the_middle_of_a_frame() -> None:
    gateway, _ = stream()
    passed(gateway, setup("RTP/AVP;client_port=4588-4589") + b"$\x00\x00\x08half")
    other, _ = stream()
    assert other.restore(gateway.context())
    assert other.context() == gateway.context()
    said = answer("RTP/AVP;client_port=20000-20001")
    assert passed(other, said, from_outside=True) == answer("RTP/AVP;client_port=4588-4589")
    again = setup("RTP/AVP;client_port=4590-4591")
    assert passed(other, b"half" + again) == b"half" + again.replace(b"4590-4591", b"20000-20001")


@pytest.mark.parametrize("context", [b"", bytes(16), bytes(18), bytes(17 + 4 * MAX_PORTS + 4)])
def test_a_context_that_says_nothing_is_refused(context: bytes) -> None:
    gateway, _ = stream()
    assert not gateway.restore(context)


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\n\r\n", b"$\x00\x00\x01x", b"POST /RTSP/1.0 HTTP/1.0\r\n"]
)
def test_slipstreaming_a_setup_after_something_else(first: bytes) -> None:
    gateway, doors = stream()
    asked = setup("RTP/AVP;client_port=4588-4589")
    assert in_pieces(gateway, [first, asked, asked]) == first + asked + asked
    assert gateway.ended
    assert not doors.opened


def test_slipstreaming_a_server_that_speaks_first() -> None:
    gateway, doors = stream()
    passed(gateway, answer("RTP/AVP;client_port=20000"), from_outside=True)
    assert gateway.ended
    assert doors.counted == {"not a dialogue": 1}


def test_datagrams_are_not_read() -> None:
    assert Rtsp(conversation(UDP, 40000, outside_port=554), FakeDoors()).ended
