"""SIP over TCP: messages in any segments, what cannot be read, and slipstreaming attempts."""

import pytest

from snat.translate.alg.messages import MAX_BODY, MAX_LINE
from snat.translate.alg.sip import Sip
from tests.translate.alg.doors import TCP, UDP, FakeDoors, conversation, in_pieces, passed
from tests.translate.alg.sip_texts import invite, message, request, response, sdp

CALL = invite(transport="TCP")


def stream(*, begun_inside: bool = True) -> tuple[Sip, FakeDoors]:
    """A connection of 10.1.1.10:40000, seen as 203.0.113.5:1500, with 192.0.2.80:5060."""
    doors = FakeDoors()
    talk = conversation(TCP, 40000, outside_port=5060, global_port=1500, begun_inside=begun_inside)
    return Sip(talk, doors), doors


def whole() -> bytes:
    """The call as it leaves when it comes in one segment."""
    return in_pieces(stream()[0], [CALL])


def messages(data: bytes) -> list[tuple[bytes, bytes]]:
    """Heads and bodies of a stream, told apart by Content-Length."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        length = int(head.partition(b"\r\nContent-Length: ")[2].partition(b"\r\n")[0])
        assert len(data) >= length
        found.append((head, data[:length]))
        data = data[length:]
    return found


def test_a_message_in_one_segment_names_the_flow_s_endpoint() -> None:
    seen = whole()
    assert b"Via: SIP/2.0/TCP 203.0.113.5:1500;" in seen
    assert b"Contact: <sip:alice@203.0.113.5:1500;transport=tcp>" in seen
    assert messages(seen)[0][1] == sdp("203.0.113.5", 20000)


def test_the_answer_names_the_ports_that_the_host_wrote_not_the_connection_s() -> None:
    gateway, _ = stream()
    passed(gateway, CALL)
    answer = response("200 OK", via="203.0.113.5:1500;branch=z9;received=203.0.113.5;rport=1500").replace(
        b"UDP", b"TCP"
    )
    seen = passed(gateway, answer, from_outside=True)
    assert b"TCP 10.1.1.10:5060;branch=z9;received=10.1.1.10;rport=40000\r\n" in seen
    bye = request("BYE").replace(b"bob@192.0.2.80", b"alice@203.0.113.5:1500")
    assert passed(gateway, bye, from_outside=True).startswith(b"BYE sip:alice@10.1.1.10:5060 SIP/2.0")


def test_several_messages_in_a_segment() -> None:
    gateway, doors = stream()
    ack, bye = request("ACK").replace(b"UDP", b"TCP"), request("BYE", 2).replace(b"UDP", b"TCP")
    seen = in_pieces(gateway, [CALL + b"\r\n\r\n" + ack + bye])
    assert seen == whole() + b"\r\n\r\n" + (ack + bye).replace(b"10.1.1.10:5060", b"203.0.113.5:1500")
    assert doors.counted["message"] == 3
    assert {endpoint.port for _, endpoint in doors.closed} == {49172, 49173}


@pytest.mark.parametrize("at", range(1, len(CALL)))
def test_a_message_over_two_segments_stays_a_message(at: int) -> None:
    gateway, doors = stream()
    next_one = request("OPTIONS", 2)
    seen = in_pieces(gateway, [CALL[:at], CALL[at:] + next_one])
    assert not gateway.ended
    (head, body), (_, nothing) = messages(seen)
    assert head.startswith(b"INVITE")
    assert not nothing
    assert b"m=audio" in body
    if at == CALL.index(b"v=0"):
        assert body.startswith(sdp("203.0.113.5", 20000) + b"a=x-nat:000")
        assert len(body) == len(sdp()) + 256
    if doors.opened:
        assert b"m=audio 20000" in body
        assert doors.ports() == [49172]
    else:
        assert b"m=audio 49172" in body
        unread = ("begun before", "unknown address", "content length begun before")
        assert any(reason in doors.counted for reason in unread)


def test_split_within_the_description_both_parts_are_rewritten() -> None:
    gateway, doors = stream()
    at = CALL.index(b"t=0 0")
    ((_, body),) = messages(in_pieces(gateway, [CALL[:at], CALL[at:]]))
    assert body.startswith(sdp("203.0.113.5", 20000) + b"a=x-nat:000")
    assert doors.ports() == [49172]


def test_a_description_without_a_last_line_end_is_filled_too() -> None:
    text = message("INVITE sip:b@192.0.2.80 SIP/2.0\nCall-ID: 1\nCSeq: 1 INVITE", sdp()[:-2])
    at = text.index(b"v=0")
    gateway, _ = stream()
    ((_, body),) = messages(in_pieces(gateway, [text[:at], text[at:]]))
    assert body.startswith(sdp("203.0.113.5", 20000) + b"a=x-nat:00")
    assert body.endswith(b"0\r\n")


def test_split_by_single_bytes_everything_passes_and_nothing_opens() -> None:
    gateway, doors = stream()
    data = CALL + request("BYE", 2)
    assert in_pieces(gateway, [data[at : at + 1] for at in range(len(data))]) == data
    assert not doors.opened
    assert not gateway.ended
    assert doors.counted["message"] == 2
    assert doors.counted["begun before"] == 3  # a Via and a Contact, then a Via
    assert doors.counted["content length begun before"] == 1


def test_a_body_of_another_kind_is_not_filled() -> None:
    gateway, _ = stream()
    text = message("INFO sip:b@192.0.2.80 SIP/2.0\nCall-ID: 1\nCSeq: 1 INFO", sdp(), kind="text/plain")
    assert in_pieces(gateway, [text[:-20], text[-20:]]) == text


def test_a_compressed_description_is_left() -> None:
    gateway, doors = stream()
    text = message("INVITE sip:b@x SIP/2.0\nCall-ID: 1\nCSeq: 1 INVITE\nContent-Encoding: gzip", sdp())
    assert in_pieces(gateway, [text[:-20], text[-20:]]) == text
    assert not doors.opened


def test_a_server_inside_is_spoken_to_first() -> None:
    gateway, doors = stream(begun_inside=False)
    asked = request("OPTIONS").replace(b"10.1.1.10", b"192.0.2.80")
    assert passed(gateway, asked, from_outside=True) == asked
    assert not gateway.ended
    gateway, doors = stream(begun_inside=False)
    passed(gateway, CALL)
    assert gateway.ended
    assert doors.counted == {"not a dialogue": 1}
    assert not doors.opened


# what cannot be read


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", "content length"),
        (b"l: 1\r\nContent-Length: 2\r\n", "content length"),
        (b"Content-Length: +5\r\n", "content length"),
        (b"Content-Length: %d\r\n" % (MAX_BODY + 1), "content length"),
        (b"Content-Length:\r\n", "content length"),
        (b"Subject: x\nl: 5\r\n", "line end"),
        (b"X" * MAX_LINE + b"\r\n", "long line"),
        (b"no colon\r\n", "malformed header"),
        (b"X: y\r\n" * 3000, "long head"),
    ],
)
def test_a_stream_that_cannot_be_told_apart_is_read_no_more(spoilt: bytes, reason: str) -> None:
    gateway, doors = stream()
    data = b"OPTIONS sip:b@192.0.2.80 SIP/2.0\r\n" + spoilt + b"\r\n" + CALL
    assert in_pieces(gateway, [data, CALL]) == data + CALL
    assert gateway.ended
    assert doors.counted[reason] == 1
    assert not doors.opened


def test_a_long_line_is_found_before_it_ends() -> None:
    gateway, _ = stream()
    passed(gateway, b"OPTIONS sip:b@192.0.2.80 SIP/2.0\r\nX: ")
    for _ in range(MAX_LINE // 16):
        passed(gateway, b"x" * 16)
        assert gateway.held <= MAX_LINE
    assert gateway.ended


def test_a_wrong_content_length_makes_the_rest_no_message() -> None:
    gateway, doors = stream()
    short = CALL.replace(b"Content-Length: %d" % len(sdp()), b"Content-Length: 20")
    passed(gateway, short)
    assert gateway.ended
    assert doors.counted["not SIP/2.0"] == 1
    assert not doors.opened


def test_a_content_length_that_reaches_into_the_next_message_hides_it() -> None:
    gateway, doors = stream()
    head = b"MESSAGE sip:b@192.0.2.80 SIP/2.0\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
    data = head % len(CALL) + CALL
    assert passed(gateway, data) == data
    assert not doors.opened
    assert gateway._readers[False].resting


# slipstreaming: what a web page can make a browser send (nat-behaviour.md 2.9)

REGISTER = message(
    """REGISTER sip:samy.pl;transport=TCP SIP/2.0
    Via: SIP/2.0/TCP 10.1.1.10:5060;branch=I9hG4bK-d8754z-c2ac7de1b3ce90f7-1---d8754z-;rport
    Contact: <sip:samy@10.1.1.10:3306;rinstance=v40f3f83b335139c;transport=TCP>
    Call-ID: YmIxZjUyN2Y
    CSeq: 1 REGISTER
    Expires: 600"""
)
POST = b"POST / HTTP/1.1\r\nHost: samy.pl:5060\r\nContent-Type: multipart/form-data\r\n\r\n--x\r\n\r\n"


@pytest.mark.parametrize("attack", [REGISTER, CALL], ids=["register", "invite"])
@pytest.mark.parametrize("padding", [0, 1371, 8192])
def test_slipstreaming_a_message_that_begins_a_segment_of_a_form(attack: bytes, padding: int) -> None:
    gateway, doors = stream()
    pieces = [POST + b"^" * padding, attack, b"\r\n--x--\r\n", attack]
    assert in_pieces(gateway, pieces) == b"".join(pieces)
    assert gateway.ended
    assert not doors.opened


def test_slipstreaming_a_request_line_of_http_with_sip_s_version_after_it() -> None:
    for first in (
        b"GET / HTTP/1.1\r\n",
        b"GET /SIP/2.0 HTTP/1.1\r\n",
        b"POST /x SIP/2.0 HTTP/1.1\r\n",
        b"get / SIP/2.0\r\n",
    ):
        gateway, doors = stream()
        assert in_pieces(gateway, [first, CALL]) == first + CALL
        assert gateway.ended
        assert not doors.opened


def test_slipstreaming_the_answer_of_the_attacker_s_server() -> None:
    gateway, doors = stream()
    passed(gateway, POST)
    assert gateway.ended
    gateway, doors = stream()
    passed(gateway, response("200 OK", "REGISTER"), from_outside=True)
    assert gateway.ended
    assert doors.counted == {"not a dialogue": 1}


@pytest.mark.parametrize("address", ["10.1.1.11", "192.168.0.1", "203.0.113.5", "192.0.2.80", "127.0.0.1"])
def test_slipstreaming_another_host_s_media(address: str) -> None:
    gateway, doors = stream()
    text = message("INVITE sip:b@192.0.2.80 SIP/2.0\nCall-ID: 1\nCSeq: 1 INVITE", sdp(address))
    assert passed(gateway, text) == text
    assert not doors.opened
    assert doors.counted["third party"] == 1


@pytest.mark.parametrize("port", [0, 22, 1023])
def test_slipstreaming_a_well_known_port(port: int) -> None:
    gateway, doors = stream()
    passed(gateway, message("INVITE sip:b@x SIP/2.0\nCall-ID: 1\nCSeq: 1 INVITE", sdp(port=port)))
    assert not doors.opened


def test_slipstreaming_register_over_a_connection_opens_nothing_even_if_accepted() -> None:
    gateway, doors = stream()
    passed(gateway, REGISTER)
    answer = response("200 OK", "REGISTER", call="YmIxZjUyN2Y", contact="<sip:samy@203.0.113.5:1500>")
    passed(gateway, answer, from_outside=True)
    assert not doors.opened


def test_slipstreaming_a_message_in_the_middle_of_a_body() -> None:
    gateway, doors = stream()
    head = b"MESSAGE sip:b@192.0.2.80 SIP/2.0\r\nContent-Length: 5000\r\n\r\n"
    assert in_pieces(gateway, [head, b"x" * 1000, CALL, REGISTER]) == head + b"x" * 1000 + CALL + REGISTER
    assert not doors.opened


def turn(username: bytes) -> bytes:
    """A TURN allocation as a browser sends it, with a user name of the page's choice (RFC 8489 section 5)."""
    attribute = b"\x00\x06" + len(username).to_bytes(2) + username
    return b"\x00\x03" + len(attribute).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + attribute


@pytest.mark.parametrize("attack", [REGISTER, CALL], ids=["register", "invite"])
def test_slipstreaming_a_turn_user_name_that_overflows_into_the_next_segment(attack: bytes) -> None:
    gateway, doors = stream()
    request = turn(b"x" * 1428 + attack)
    at = request.index(attack)
    assert in_pieces(gateway, [request[:at], request[at:], attack]) == request + attack
    assert gateway.ended
    assert not doors.opened


@pytest.mark.parametrize("attack", [REGISTER, CALL], ids=["register", "invite"])
def test_slipstreaming_a_turn_user_name_in_a_datagram(attack: bytes) -> None:
    doors = FakeDoors()
    gateway = Sip(conversation(UDP, 40000, outside_port=5060, global_port=1500), doors)
    request = turn(attack)
    assert passed(gateway, request) == request
    accepted = response("200 OK", "REGISTER", call="YmIxZjUyN2Y", contact="<sip:samy@203.0.113.5:1500>")
    passed(gateway, accepted, from_outside=True)
    assert not doors.opened
