"""Messages of RFC 3261 section 24 and RFC 3665 with the addresses of the tests, and a way to write more."""


def lines(text: str) -> bytes:
    """A message or description written with plain line ends and an indent."""
    return "".join(line.strip() + "\r\n" for line in text.strip("\n").splitlines()).encode()


def sdp(address: str = "10.1.1.10", port: int = 49172, *, more: str = "") -> bytes:
    """The description of RFC 3665 section 3.1."""
    return lines(
        f"""v=0
        o=alice 2890844526 2890844526 IN IP4 {address}
        s=-
        c=IN IP4 {address}
        t=0 0
        m=audio {port} RTP/AVP 0
        a=rtpmap:0 PCMU/8000"""
    ) + (lines(more) if more else b"")


def message(head: str, body: bytes = b"", *, kind: str = "application/sdp") -> bytes:
    """A message with Content-Type and Content-Length as they must be."""
    text = lines(head)
    if body:
        text += f"Content-Type: {kind}\r\n".encode()
    return text + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def invite(
    body: bytes | None = None,
    *,
    transport: str = "UDP",
    call: str = "3848276298220188511@atlanta.example.com",
) -> bytes:
    """F1 of RFC 3665 section 3.1: Alice, inside at 10.1.1.10, calls Bob by his proxy."""
    return message(
        f"""INVITE sip:bob@biloxi.example.com SIP/2.0
        Via: SIP/2.0/{transport} 10.1.1.10:5060;branch=z9hG4bK74bf9;rport
        Max-Forwards: 70
        From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
        To: Bob <sip:bob@biloxi.example.com>
        Call-ID: {call}
        CSeq: 1 INVITE
        Contact: <sip:alice@10.1.1.10:5060;transport={transport.lower()}>""",
        sdp() if body is None else body,
    )


def request(method: str, number: int = 1, *, call: str = "3848276298220188511@atlanta.example.com") -> bytes:
    """A request without a body in the dialogue of :func:`invite`, from inside."""
    return message(
        f"""{method} sip:bob@192.0.2.80 SIP/2.0
        Via: SIP/2.0/UDP 10.1.1.10:5060;branch=z9hG4bK74b{number}
        Max-Forwards: 70
        From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
        To: Bob <sip:bob@biloxi.example.com>;tag=8321234356
        Call-ID: {call}
        CSeq: {number} {method}"""
    )


def response(
    status: str,
    method: str = "INVITE",
    number: int = 1,
    *,
    via: str = "203.0.113.5:5060;branch=z9hG4bK74bf9;rport=5060;received=203.0.113.5",
    body: bytes = b"",
    contact: str = "<sip:bob@192.0.2.80>",
    call: str = "3848276298220188511@atlanta.example.com",
    more: str = "",
) -> bytes:
    """A response in the dialogue of :func:`invite`."""
    return message(
        f"""SIP/2.0 {status}
        Via: SIP/2.0/UDP {via}
        From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
        To: Bob <sip:bob@biloxi.example.com>;tag=8321234356
        Call-ID: {call}
        CSeq: {number} {method}
        Contact: {contact}"""
        + more,
        body,
    )
