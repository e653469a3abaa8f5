"""Whole calls with the messages of RFC 3665, Alice inside: what either side reads fits what it wrote."""

import re

from snat.translate.alg.sip import Sip
from tests.translate.alg.doors import UDP, FakeDoors, conversation, passed
from tests.translate.alg.sip_texts import lines, message, sdp


def head(start: str, *fields: str) -> str:
    """A message of the dialogue of RFC 3665 section 3.2, without its Via and body."""
    return "\n".join(
        [
            start,
            *fields,
            "From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl",
            "To: Bob <sip:bob@biloxi.example.com>",
            "Call-ID: 2xTb9vxSit55XU7p8@atlanta.example.com",
        ]
    )


class Flow:
    """Alice's flow with ss1.atlanta.example.com, 192.0.2.80, that challenges and records its route."""

    def __init__(self) -> None:
        self.doors = FakeDoors()
        talk = conversation(UDP, 5060, outside_port=5060, global_port=1500)
        self.gateway = Sip(talk, self.doors)

    def alice(self, head: str, body: bytes = b"") -> str:
        """What the proxy reads."""
        seen = passed(self.gateway, message(head, body)).decode()
        assert "10.1.1.10" not in seen
        return seen

    def proxy(self, head: str, body: bytes = b"") -> str:
        """What Alice reads; nothing of the mapping is in it."""
        seen = passed(self.gateway, message(head, body), from_outside=True).decode()
        assert "203.0.113.5" not in seen
        return seen


def via(seen: str) -> str:
    """The top Via field of what the proxy read, with what it adds (RFC 3581)."""
    found = re.search(r"^Via: .*(?=\r)", seen, re.MULTILINE)
    assert found
    return found[0] + ";received=203.0.113.5;rport=1500"


BOB = "Contact: <sip:bob@198.51.100.7>"
ALICE = "Contact: <sip:alice@10.1.1.10>"
ROUTE = "Record-Route: <sip:ss1.atlanta.example.com;lr>, <sip:192.0.2.80;lr>"
VIA = "Via: SIP/2.0/UDP 10.1.1.10:5060;branch=z9hG4bK74b%d"


def test_a_session_through_a_proxy_with_a_challenge() -> None:
    """RFC 3665 section 3.2."""
    flow = Flow()
    invite = head("INVITE sip:bob@biloxi.example.com SIP/2.0", VIA % 1, ALICE, "CSeq: 1 INVITE")
    seen = flow.alice(invite, sdp())
    challenge = head("SIP/2.0 407 Proxy Authorization Required", via(seen), "CSeq: 1 INVITE")
    mine = "\r\nVia: SIP/2.0/UDP 10.1.1.10:5060;branch=z9hG4bK74b1;received=10.1.1.10;rport=5060\r\n"
    assert mine in flow.proxy(challenge)
    assert {endpoint.port for _, endpoint in flow.doors.closed} == {49172, 49173}
    flow.doors.closed.clear()
    flow.alice(head("ACK sip:bob@biloxi.example.com SIP/2.0", VIA % 1, "CSeq: 1 ACK"))

    seen = flow.alice(invite.replace("74b1", "74b2").replace("1 INVITE", "2 INVITE"), sdp())
    assert "\r\nm=audio 20000 RTP/AVP 0\r\n" in seen
    flow.proxy(head("SIP/2.0 100 Trying", via(seen), "CSeq: 2 INVITE"))
    flow.proxy(head("SIP/2.0 180 Ringing", via(seen), ROUTE, BOB, "CSeq: 2 INVITE"))
    answer = head("SIP/2.0 200 OK", via(seen), ROUTE, BOB, "CSeq: 2 INVITE")
    assert flow.proxy(answer, sdp("192.0.2.80", 3456)).endswith(sdp("192.0.2.80", 3456).decode())
    ack = head("ACK sip:bob@198.51.100.7 SIP/2.0", VIA % 3, ROUTE.removeprefix("Record-"), "CSeq: 2 ACK")
    assert "Route: <sip:ss1.atlanta.example.com;lr>, <sip:192.0.2.80;lr>\r\n" in flow.alice(ack)

    bye = head(
        "BYE sip:alice@203.0.113.5:1500 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.80:5060;branch=z9hG4bK2d4790.1",
        "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKnashds7;received=198.51.100.7",
        "CSeq: 1 BYE",
    )
    seen = flow.proxy(bye)
    assert seen.startswith("BYE sip:alice@10.1.1.10 SIP/2.0\r\n")  # as Alice wrote her Contact
    assert {endpoint.port for _, endpoint in flow.doors.closed} == {49172, 49173}
    flow.alice(
        seen.partition("\r\n")[2]
        .partition("Content-Length")[0]
        .join(["SIP/2.0 200 OK\n", ""])
        .replace("\r", "")
    )
    assert len(flow.doors.opened) == 1
    assert not flow.gateway.ended


def test_a_call_that_comes_by_the_registration() -> None:
    """RFC 3665 sections 2.1 and 3.1, Alice being called."""
    flow = Flow()
    seen = flow.alice(
        head("REGISTER sip:atlanta.example.com SIP/2.0", VIA % 1, ALICE, "CSeq: 1 REGISTER", "Expires: 3600")
    )
    (contact,) = re.findall(r"^Contact: <(.*)>(?=\r)", seen, re.MULTILINE)
    assert contact == "sip:alice@203.0.113.5:1500"
    flow.proxy(head("SIP/2.0 200 OK", via(seen), f"Contact: <{contact}>;expires=3600", "CSeq: 1 REGISTER"))
    top = "Via: SIP/2.0/UDP 192.0.2.80:5060;branch=z9hG4bK1"
    called = flow.proxy(
        head(f"INVITE {contact} SIP/2.0", top, ROUTE, BOB, "CSeq: 1 INVITE"), sdp("192.0.2.80", 3456)
    )
    assert called.startswith("INVITE sip:alice@10.1.1.10 SIP/2.0\r\n")
    answered = flow.alice(head("SIP/2.0 200 OK", top, ROUTE, ALICE, "CSeq: 1 INVITE"), sdp())
    assert f"{top}\r\n" in answered
    assert f"Contact: <{contact}>" in answered
    assert "m=audio 20000 RTP/AVP 0" in answered or "m=audio 20002 RTP/AVP 0" in answered


def test_the_torture_test_of_rfc_4475() -> None:
    """Section 3.1.1.1, a short tortuous INVITE: folds, compact names, blanks; with our addresses."""
    head = lines(
        """INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
        TO :
        @sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
        from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
        @;
        @tag = 98asjd8
        MaX-fOrWaRdS: 0068
        Call-ID: wsinv.ndaksdj@192.0.2.1
        Content-Length   : 151
        cseq: 0009
        @INVITE
        Via  : SIP  /   2.0
        @/UDP
        @   10.1.1.10;branch=390skdjuw
        s :
        NewFangledHeader:   newfangled value
        @continued newfangled value
        UnknownHeaderWithUnusualValue: ;;,,;;,;
        Content-Type: application/sdp
        Route:
        @<sip:services.example.com;lr;unknownwith=value;unknown-no-value>
        v:  SIP  / 2.0  / TCP     spindle.example.com   ;
        @branch  =   z9hG4bK9ikj8  ,
        @SIP  /    2.0   / UDP  192.168.255.111   ; branch=
        @z9hG4bK30239
        m:"Quoted string \\"\\"" <sip:jdrosen@10.1.1.10> ; newparam =
        @newvalue ;
        @secondparam ; q = 0.33"""
    ).replace(b"\n@", b"\n ")
    body = lines(
        """v=0
        o=mhandley 29739 7272939 IN IP4 10.1.1.10
        s=-
        c=IN IP4 10.1.1.10
        t=0 0
        m=audio 49217 RTP/AVP 0 12
        m=video 3227 RTP/AVP 31
        a=rtpmap:31 LPC"""
    )
    text = head.replace(b"151", b"%d" % len(body)) + b"\r\n" + body
    flow = Flow()
    seen = passed(flow.gateway, text)
    wanted = text.replace(b" 10.1.1.10;branch", b" 203.0.113.5:1500;branch").replace(
        b"@10.1.1.10>", b"@203.0.113.5:1500>"
    )
    wanted = (
        wanted.replace(b"IP4 10.1.1.10", b"IP4 203.0.113.5")
        .replace(b"49217", b"20000")
        .replace(b"3227", b"20002")
    )
    assert seen == wanted.replace(b": %d\r\n" % len(body), b": %d\r\n" % (len(body) + 5))
    assert flow.doors.ports() == [49217, 3227]
