"""SIP over UDP: what of a message is rewritten, and what is opened (nat-behaviour.md 2.9)."""

import pytest

from snat.translate.alg.gateway import Conversation, Endpoint
from snat.translate.alg.sip import MEDIA_LIFE, Sip
from tests.translate.alg.doors import (
    GLOBAL,
    INSIDE,
    OUTSIDE,
    UDP,
    FakeDoors,
    conversation,
    passed,
)
from tests.translate.alg.sip_texts import invite, lines, message, request, response, sdp


class Call:
    """A gateway of 10.1.1.10:5060, seen as 203.0.113.5:1500, talking with 192.0.2.80:5060."""

    def __init__(self, *, global_port: int = 1500, talk: Conversation | None = None) -> None:
        self.doors = FakeDoors()
        self.talk = talk or conversation(UDP, 5060, outside_port=5060, global_port=global_port)
        self.gateway = Sip(self.talk, self.doors)

    def out(self, data: bytes) -> bytes:
        return passed(self.gateway, data)

    def back(self, data: bytes) -> bytes:
        return passed(self.gateway, data, from_outside=True)

    def closed(self) -> set[int]:
        assert {protocol for protocol, _ in self.doors.closed} <= {UDP}
        return {endpoint.port for _, endpoint in self.doors.closed}


def body(data: bytes) -> bytes:
    """The body; Content-Length must be right."""
    head, _, rest = data.partition(b"\r\n\r\n")
    for name in (b"\r\nContent-Length:", b"\r\nl:"):
        if name in head:
            assert int(head.partition(name)[2].partition(b"\r\n")[0]) == len(rest)
            return rest
    raise AssertionError(head)


def test_an_invite_names_the_flow_and_the_media_as_the_outside_knows_them() -> None:
    call = Call()
    assert call.out(invite()) == (
        lines(
            f"""INVITE sip:bob@biloxi.example.com SIP/2.0
            Via: SIP/2.0/UDP 203.0.113.5:1500;branch=z9hG4bK74bf9;rport
            Max-Forwards: 70
            From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
            To: Bob <sip:bob@biloxi.example.com>
            Call-ID: 3848276298220188511@atlanta.example.com
            CSeq: 1 INVITE
            Contact: <sip:alice@203.0.113.5:1500;transport=udp>
            Content-Type: application/sdp
            Content-Length: {len(sdp()) + 4}"""
        )
        + b"\r\n"
        + sdp("203.0.113.5", 20000)
    )
    (door,) = call.doors.opened
    assert (door.protocol, door.inside, door.peer) == (UDP, Endpoint(INSIDE, 49172), Endpoint(OUTSIDE, 0))
    assert (door.life, door.pair, door.follows) == (MEDIA_LIFE, True, "")
    assert call.doors.counted == {"message": 1, "edit": 6}


def test_the_answer_comes_to_the_inside_host_as_it_wrote_its_request() -> None:
    call = Call()
    call.out(invite())
    answer = response(
        "180 Ringing", via="203.0.113.5:1500;branch=z9hG4bK74bf9;rport=1500;received=203.0.113.5"
    )
    via = b"Via: SIP/2.0/UDP 10.1.1.10:5060;branch=z9hG4bK74bf9;rport=5060;received=10.1.1.10\r\n"
    assert via in call.back(answer)


def test_a_port_that_the_host_did_not_write_is_not_written_in_the_answer() -> None:
    call = Call()
    assert b"UDP 203.0.113.5:1500;" in call.out(request("OPTIONS").replace(b"10.1.1.10:5060", b"10.1.1.10"))
    assert b"UDP 10.1.1.10;branch" in call.back(
        response("200 OK", "OPTIONS", via="203.0.113.5:1500;branch=z9")
    )


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Record-Route: <sip:p@10.1.1.10;lr>", "Record-Route: <sip:p@203.0.113.5:1500;lr>"),
        (
            "Route: <sip:192.0.2.80;lr>, <sip:10.1.1.10:5060;lr>",
            "Route: <sip:192.0.2.80;lr>, <sip:203.0.113.5:1500;lr>",
        ),
        ('m: "A, sip:x@10.1.1.10" <sips:a@10.1.1.10>', 'm: "A, sip:x@10.1.1.10" <sips:a@203.0.113.5:1500>'),
        ("CONTACT :sip:10.1.1.10;expires=60", "CONTACT :sip:203.0.113.5:1500;expires=60"),
        ("Contact: *", "Contact: *"),
        ("Contact: <sip:a@10.1.1.101>", "Contact: <sip:a@10.1.1.101>"),
        ("Contact: <sip:a@10.1.1.10.example>", "Contact: <sip:a@10.1.1.10.example>"),
        ("Contact: <sip:a@x;maddr=10.1.1.10>", "Contact: <sip:a@x;maddr=203.0.113.5>"),
        ("Contact: <sip:a@10.1.1.11>", "Contact: <sip:a@10.1.1.11>"),
        (
            "Contact:\r\n <sip:a@10.1.1.10>\r\n\t;expires=9",
            "Contact:\r\n <sip:a@203.0.113.5:1500>\r\n\t;expires=9",
        ),
        ("v: SIP / 2.0 / UDP 10.1.1.10 : 5060 ;branch=a", "v: SIP / 2.0 / UDP 203.0.113.5:1500 ;branch=a"),
        (
            "Via: SIP/2.0/UDP 10.1.1.10;branch=a,SIP/2.0/UDP 10.1.1.11;branch=b",
            "Via: SIP/2.0/UDP 203.0.113.5:1500;branch=a,SIP/2.0/UDP 10.1.1.11;branch=b",
        ),
        ("Via: SIP/2.0/UDP 10.1.1.10;maddr=10.1.1.10", "Via: SIP/2.0/UDP 203.0.113.5:1500;maddr=203.0.113.5"),
        ("From: <sip:a@10.1.1.10>;tag=1", "From: <sip:a@10.1.1.10>;tag=1"),
        ("To: <sip:a@10.1.1.10>", "To: <sip:a@10.1.1.10>"),
        ("i: 1@10.1.1.10", "i: 1@10.1.1.10"),
    ],
)
def test_a_header_field_from_inside(written: str, seen: str) -> None:
    call = Call()
    text = "OPTIONS sip:b@192.0.2.80 SIP/2.0\r\n%s\r\nCSeq: 1 OPTIONS\r\nl:  0 \r\n\r\n"
    assert call.out((text % written).encode()) == (text % seen).encode()


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Contact: <sip:alice@203.0.113.5:1500>", "Contact: <sip:alice@10.1.1.10:5060>"),
        ("Contact: <sip:alice@203.0.113.5:1501>", "Contact: <sip:alice@203.0.113.5:1501>"),
        ("Route: <sip:203.0.113.5:1500;lr>", "Route: <sip:10.1.1.10:5060;lr>"),
        ("Via: SIP/2.0/UDP 192.0.2.80", "Via: SIP/2.0/UDP 192.0.2.80"),
        (
            "Via: SIP/2.0/UDP h;received=203.0.113.5;rport=77",
            "Via: SIP/2.0/UDP h;received=10.1.1.10;rport=77",
        ),
    ],
)
def test_a_header_field_from_outside(written: str, seen: str) -> None:
    call = Call()
    text = "OPTIONS sip:b@10.1.1.10 SIP/2.0\r\n%s\r\nCSeq: 1 OPTIONS\r\n\r\n"
    assert call.back((text % written).encode()) == (text % seen).encode()


def test_a_request_from_outside_is_for_the_contact_that_the_host_named() -> None:
    call = Call()
    call.out(invite().replace(b"alice@10.1.1.10:5060", b"alice@10.1.1.10:5070"))
    assert call.back(request("BYE").replace(b"bob@192.0.2.80", b"alice@203.0.113.5:1500")).startswith(
        b"BYE sip:alice@10.1.1.10:5070 SIP/2.0\r\n"
    )


def test_behind_a_static_mapping_of_the_address_ports_stay() -> None:
    doors = FakeDoors(static={INSIDE: GLOBAL})
    gateway = Sip(conversation(UDP, 40000, outside_port=5060), doors)
    seen = passed(gateway, invite())
    assert b"UDP 203.0.113.5:5060;" in seen
    assert b"<sip:alice@203.0.113.5:5060;" in seen
    back = passed(gateway, request("BYE").replace(b"bob@192.0.2.80", b"alice@203.0.113.5"), from_outside=True)
    assert back.startswith(b"BYE sip:alice@10.1.1.10 SIP/2.0")


def test_an_outside_host_with_another_name_inside_is_called_by_its_own_outside() -> None:
    local = bytes([10, 9, 9, 9])
    call = Call(talk=conversation(UDP, 5060, outside_port=5060, outside_local=local))
    assert call.out(request("BYE").replace(b"192.0.2.80", b"10.9.9.9")).startswith(
        b"BYE sip:bob@192.0.2.80 SIP"
    )
    seen = call.back(response("200 OK", body=sdp("192.0.2.80", 3456)))
    assert b"Contact: <sip:bob@10.9.9.9>" in seen
    assert body(seen) == sdp("10.9.9.9", 3456)
    assert not call.doors.opened


def test_an_inside_server_answers_with_media_of_its_own() -> None:
    talk = conversation(UDP, 5060, outside_port=6000, global_port=5060, begun_inside=False)
    call = Call(talk=talk)
    asked = call.back(
        message(
            """INVITE sip:alice@203.0.113.5 SIP/2.0
            Via: SIP/2.0/UDP 192.0.2.80:6000;branch=z9hG4bK1
            Call-ID: 1
            CSeq: 1 INVITE
            Contact: <sip:bob@192.0.2.80:6000>""",
            sdp("192.0.2.80", 3456),
        )
    )
    assert asked.startswith(b"INVITE sip:alice@10.1.1.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.80:6000;")
    assert body(asked) == sdp("192.0.2.80", 3456)
    answer = response(
        "200 OK", via="192.0.2.80:6000;branch=z9hG4bK1", contact="<sip:alice@10.1.1.10>", body=sdp(), call="1"
    )
    seen = call.out(answer)
    assert b"Via: SIP/2.0/UDP 192.0.2.80:6000;branch=z9hG4bK1\r\n" in seen
    assert b"Contact: <sip:alice@203.0.113.5>" in seen
    assert body(seen) == sdp("203.0.113.5", 20000)
    (door,) = call.doors.opened
    assert door.peer == Endpoint(OUTSIDE, 0)


# Content-Length


@pytest.mark.parametrize(
    "header", ["Content-Length: %d", "l:%d", "L : \t %d ", "Content-Length:\r\n %d", "content-LENGTH:%05d"]
)
def test_content_length_is_that_of_the_new_description(header: str) -> None:
    call = Call()
    text = invite().replace(b"Content-Length: %d" % len(sdp()), (header % len(sdp())).encode())
    seen = call.out(text)
    assert seen.endswith(b"\r\n\r\n" + sdp("203.0.113.5", 20000))
    assert (header.replace("%05d", "%d") % len(sdp("203.0.113.5", 20000))).encode() + b"\r\n" in seen


def test_a_datagram_without_content_length_ends_with_its_body() -> None:
    call = Call()
    text = invite().replace(b"Content-Length: %d\r\n" % len(sdp()), b"")
    seen = call.out(text)
    assert seen.endswith(b"\r\n\r\n" + sdp("203.0.113.5", 20000))
    assert b"Content-Length" not in seen


@pytest.mark.parametrize(
    "length", [b"%d" % (len(sdp()) + 1), b"-1", b"", b"1x", b"99999999999", b"10\r\nContent-Length: 11"]
)
def test_a_datagram_with_a_wrong_content_length_passes_as_it_is(length: bytes) -> None:
    call = Call()
    text = invite().replace(b"Content-Length: %d" % len(sdp()), b"Content-Length: " + length)
    assert call.out(text) == text
    assert call.doors.counted == {"content length": 1}
    assert not call.doors.opened
    assert not call.gateway.ended
    assert call.out(invite()) != invite()


def test_what_follows_a_short_body_in_a_datagram_is_left() -> None:
    call = Call()
    rest = b"m=audio 5000 RTP/AVP 0\r\n" + invite()
    assert call.out(invite() + rest) == Call().out(invite()) + rest
    assert call.doors.ports() == [49172]


# calls


def test_the_same_offer_again_opens_nothing_more() -> None:
    call = Call()
    assert call.out(invite()) == call.out(invite())
    assert len(call.doors.opened) == 1


def test_a_second_invite_may_move_the_media() -> None:
    call = Call()
    call.out(invite())
    call.back(response("200 OK", body=sdp("192.0.2.80", 3456)))
    assert body(call.out(invite(sdp(port=50000)))) == sdp("203.0.113.5", 20002)
    call.back(response("488 Not Acceptable Here"))
    assert call.closed() == {50000, 50001}  # the first one was agreed on
    call.out(request("BYE", 3))
    assert call.closed() == {50000, 50001, 49172, 49173}


@pytest.mark.parametrize("from_outside", [False, True])
def test_bye_ends_the_pinholes(from_outside: bool) -> None:
    call = Call()
    call.out(invite())
    call.back(response("200 OK"))
    passed(call.gateway, request("BYE", 2), from_outside=from_outside)
    assert call.closed() == {49172, 49173}


def test_cancel_ends_the_pinholes() -> None:
    call = Call()
    call.out(invite())
    call.out(request("CANCEL"))
    assert call.closed() == {49172, 49173}


@pytest.mark.parametrize(
    "status", ["302 Moved", "407 Proxy Authorization Required", "486 Busy Here", "603 Decline"]
)
def test_a_final_error_ends_the_pinholes(status: str) -> None:
    call = Call()
    call.out(invite())
    call.back(response("180 Ringing"))
    assert not call.closed()
    call.back(response(status))
    assert call.closed() == {49172, 49173}


def test_another_call_s_bye_ends_nothing() -> None:
    call = Call()
    call.out(invite())
    call.out(request("BYE", 2, call="another"))
    call.back(response("486 Busy Here", call="another"))
    call.back(response("486 Busy Here", "OPTIONS"))
    assert not call.closed()


def test_only_calls_carry_media() -> None:
    call = Call()
    text = message("MESSAGE sip:b@192.0.2.80 SIP/2.0\nCall-ID: 1\nCSeq: 1 MESSAGE", sdp())
    assert call.out(text) == text
    assert call.doors.counted == {"message": 1, "media without a call": 1}


def test_another_global_address_for_the_media_is_not_used() -> None:
    call = Call()
    call.doors.address = bytes([203, 0, 113, 6])
    seen = call.out(invite())
    assert body(seen).endswith(sdp()[sdp().index(b"s=") :])
    assert call.doors.counted["media at another address"] == 1
    assert call.closed() == {49172, 49173}


# registrations


def register(expires: str = "Expires: 7200") -> bytes:
    """F1 of RFC 3665 section 2.1, from 10.1.1.10."""
    return message(
        f"""REGISTER sips:ss2.biloxi.example.com SIP/2.0
        Via: SIP/2.0/UDP 10.1.1.10:5060;branch=z9hG4bKnashds7
        Max-Forwards: 70
        From: Bob <sips:bob@biloxi.example.com>;tag=a73kszlfl
        To: Bob <sips:bob@biloxi.example.com>
        Call-ID: 1j9FpLxk3uxtm8tn@biloxi.example.com
        CSeq: 1 REGISTER
        Contact: <sip:bob@10.1.1.10>
        {expires}"""
    )


def registered(status: str = "200 OK", *, contact: str = "<sip:bob@203.0.113.5:1500>;expires=600") -> bytes:
    return response(
        status,
        "REGISTER",
        via="203.0.113.5:1500;branch=z9hG4bKnashds7",
        contact=contact,
        call="1j9FpLxk3uxtm8tn@biloxi.example.com",
    )


def opening_registration(call: Call) -> None:
    call.doors.fixed[Endpoint(INSIDE, 5060)] = call.talk.inside_global.port


def test_register_opens_nothing_until_it_is_accepted() -> None:
    call = Call()
    opening_registration(call)
    assert b"Contact: <sip:bob@203.0.113.5:1500>" in call.out(register())
    assert not call.doors.opened
    assert b"Contact: <sip:bob@10.1.1.10>;expires=600" in call.back(registered())
    (door,) = call.doors.opened
    assert (door.inside, door.peer) == (Endpoint(INSIDE, 5060), Endpoint(OUTSIDE, 0))
    assert (door.life, door.follows) == (600, "sip")
    assert not call.closed()


@pytest.mark.parametrize(
    ("contact", "life"),
    [
        ("<sip:bob@203.0.113.5:1500>", 3600),
        ("<sip:bob@203.0.113.5:1500>;expires=99999", 3600),
        ("<sip:b@192.0.2.1>;expires=7, <sip:bob@203.0.113.5:1500>;expires=90", 90),
        ("<sip:bob@203.0.113.5:1501>;expires=7", 3600),
    ],
)
def test_a_registration_lasts_as_long_as_the_registrar_says(contact: str, life: int) -> None:
    call = Call()
    opening_registration(call)
    call.out(register())
    call.back(registered(contact=contact))
    assert [door.life for door in call.doors.opened] == [life]


def test_an_end_of_registration_opens_nothing() -> None:
    call = Call()
    call.out(register("Expires: 0"))
    call.back(registered(contact="<sip:bob@203.0.113.5:1500>;expires=0"))
    assert not call.doors.opened


def test_a_registration_that_is_refused_or_was_not_asked_for_opens_nothing() -> None:
    call = Call()
    call.back(registered())
    call.out(register())
    call.back(registered("401 Unauthorized"))
    call.back(registered())
    assert not call.doors.opened


def test_a_register_from_outside_opens_nothing() -> None:
    call = Call(talk=conversation(UDP, 5060, outside_port=5060, begun_inside=False))
    call.back(register())
    call.out(registered())
    assert not call.doors.opened


def test_a_registration_that_the_doors_give_another_port_is_closed() -> None:
    call = Call()
    call.out(register())
    call.back(registered())
    assert call.doors.counted["registered elsewhere"] == 1
    assert call.closed() == {5060}


# what is no SIP


@pytest.mark.parametrize(
    "keepalive", [b"\r\n\r\n", b"\x00", b"jaK\x00", b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)]
)
def test_what_keeps_a_flow_alive_passes(keepalive: bytes) -> None:
    call = Call()
    assert call.out(keepalive) == keepalive
    assert call.out(invite()) != invite()
    assert call.out(keepalive) == keepalive


def test_a_first_datagram_that_is_not_sip_ends_the_gateway() -> None:
    call = Call()
    text = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + register()
    assert call.out(text) == text
    assert call.gateway.ended
    assert call.doors.counted == {"not SIP/2.0": 1}


def test_a_later_datagram_that_is_not_sip_passes() -> None:
    call = Call()
    call.out(invite())
    text = b"x" * 10 + invite(call="2")
    assert call.out(text) == text
    assert not call.gateway.ended
    assert call.doors.counted["not SIP/2.0"] == 1


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (b"SUBJECT\r\n", "malformed header"),
        (b"Subject: " + b"x" * 4096 + b"\r\n", "long line"),
        (b"Subject: x\r\n" * 1500, "long head"),
        (b"Subject: x\n", "line end"),
    ],
)
def test_a_spoilt_head_passes_as_it_is(spoilt: bytes, reason: str) -> None:
    call = Call()
    call.out(invite(call="1"))
    text = invite().replace(b"CSeq:", spoilt + b"CSeq:")
    assert call.out(text) == text
    assert call.doors.counted[reason] == 1
    assert len(call.doors.opened) == 1
