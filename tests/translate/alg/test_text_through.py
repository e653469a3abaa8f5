"""SIP, RTSP and IRC through the translator, packet by packet: media comes in where the messages say."""

import re

from scapy.layers.inet import UDP

from snat.config.nat import Filtering
from tests.packets import tcp, udp
from tests.translate.alg.flow import Connection, carried, ftp_nat
from tests.translate.alg.sip_texts import message, request, response, sdp
from tests.translate.alg.test_irc import dcc
from tests.translate.alg.test_rtsp import setup
from tests.translate.nat import A, B, Nat, P, S, T, endpoint, target


def invite(port: int = 40000, *, address: str = A) -> bytes:
    return message(
        f"""INVITE sip:bob@{S} SIP/2.0
        Via: SIP/2.0/UDP {A}:5060;branch=z9hG4bK1;rport
        Call-ID: 1
        CSeq: 1 INVITE
        Contact: <sip:alice@{A}:5060>""",
        sdp(address, port),
    )


def sip_out(nat: Nat, text: bytes) -> bytes:
    """What the proxy gets of a datagram from A."""
    (seen,) = carried(nat, udp(A, 5060, S, 5060, text), from_outside=False)
    assert seen.src == P
    return bytes(seen[UDP].payload)


def media_port(text: bytes) -> int:
    found = re.search(rb"m=audio (\d+) ", text)
    assert found
    return int(found[1])


def test_media_of_a_call_comes_in_at_the_pair_of_ports() -> None:
    nat = ftp_nat("sip")
    assert endpoint(nat.out(udp(B, 40000, T, 9))) == (P, 40000), "taken"
    seen = sip_out(nat, invite())
    port = media_port(seen)
    assert port % 2 == 0
    assert port != 40000
    assert sdp(P, port) in seen
    assert not nat.back(udp(T, 7000, P, port)), "media is between the ends of the signalling"
    assert target(nat.back(udp(S, 7000, P, port))) == (A, 40000)
    assert target(nat.back(udp(S, 7001, P, port + 1))) == (A, 40001)
    assert endpoint(nat.out(udp(A, 40000, S, 7000))) == (P, port)
    assert endpoint(nat.out(udp(A, 40001, S, 7001))) == (P, port + 1)


def test_media_that_the_inside_host_sends_first_has_the_ports_that_were_named() -> None:
    nat = ftp_nat("sip")
    assert endpoint(nat.out(udp(B, 40001, T, 9))) == (P, 40001), "taken"
    port = media_port(sip_out(nat, invite()))
    assert port != 40000
    assert endpoint(nat.out(udp(A, 40001, S, 7001))) == (P, port + 1)
    assert endpoint(nat.out(udp(A, 40000, S, 7000))) == (P, port)
    assert target(nat.back(udp(S, 7000, P, port))) == (A, 40000)


def test_bye_ends_what_was_not_used() -> None:
    nat = ftp_nat("sip")
    port = media_port(sip_out(nat, invite()))
    sip_out(nat, request("BYE", 2, call="1"))
    assert not nat.back(udp(S, 7000, P, port))
    assert not nat.back(udp(S, 7001, P, port + 1))


def test_the_signalling_comes_back_by_its_flow() -> None:
    nat = ftp_nat("sip")
    seen = sip_out(nat, invite())
    via = re.search(rb"Via: SIP/2.0/UDP ([0-9.]+):(\d+)", seen)
    assert via
    answer = response("200 OK", via=f"{P}:{int(via[2])};branch=z9hG4bK1", body=sdp(S, 7000), call="1")
    (packet,) = carried(nat, udp(S, 5060, P, int(via[2]), answer), from_outside=True)
    assert target(packet) == (A, 5060)
    assert f"Via: SIP/2.0/UDP {A}:5060;branch".encode() in bytes(packet)


def test_another_inside_host_is_not_opened() -> None:
    nat = ftp_nat("sip")
    assert sdp(B, 40000) in sip_out(nat, invite(address=B))
    assert nat.counters.expected == 0
    assert nat.translator.reader.counters["sip"]["third party"] == 1


def test_a_call_over_tcp() -> None:
    nat = ftp_nat("sip")
    line = Connection(nat, server=(S, 5060)).open()
    text = invite().replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
    cut = text.index(b"t=0")
    line.say(line.client, text[:cut])
    line.say(line.client, text[cut:])
    head, _, body = line.server.got.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body.startswith(sdp(P, media_port(body)))
    assert target(nat.back(udp(S, 7000, P, media_port(body)))) == (A, 40000)
    line.repeat(line.client, 0, len(text))
    line.say(line.client, text)
    assert line.server.got.endswith(sdp(P, media_port(body)))
    assert line.client.acknowledged == len(line.client.sent)


def test_streaming() -> None:
    nat = ftp_nat("rtsp")
    line = Connection(nat, server=(S, 554)).open()
    line.say(line.client, setup("RTP/AVP;unicast;client_port=4588-4589", host=S))
    ports = re.search(rb"client_port=(\d+)-(\d+)", line.server.got)
    assert ports
    assert target(nat.back(udp(S, 6256, P, int(ports[1])))) == (A, 4588)
    assert target(nat.back(udp(S, 6257, P, int(ports[2])))) == (A, 4589)


def test_dcc_lets_one_in_whoever_it_is() -> None:
    nat = ftp_nat("irc")
    line = Connection(nat, server=(S, 6667)).open()
    line.say(line.client, b"NICK alice\r\nUSER alice 0 * :Alice\r\n")
    line.say(line.server, b":irc 001 alice :Welcome\r\n")
    line.say(line.client, dcc("SEND a 167772162 40001 5"))  # 10.0.0.2
    offer = re.search(rb"SEND a (\d+) (\d+) 5", line.server.got)
    assert offer
    assert int(offer[1]).to_bytes(4) == bytes([203, 0, 113, 1])
    port = int(offer[2])
    (came,) = carried(nat, tcp(T, 5000, P, port, "S"), from_outside=True)
    assert target(came) == (A, 40001)
    assert not carried(nat, tcp("198.51.100.99", 5000, P, port, "S"), from_outside=True), "one, once"


def test_a_registrar_that_calls_from_another_port_is_let_in_and_read() -> None:
    nat = ftp_nat("sip", filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    text = message(
        f"""REGISTER sip:{S} SIP/2.0
        Via: SIP/2.0/UDP {A}:5060;branch=z9hG4bK1;rport
        Call-ID: 1
        CSeq: 1 REGISTER
        Contact: <sip:alice@{A}:5060>"""
    )
    contact = re.search(rb"Contact: <(sip:alice@[0-9.]+:(\d+))>", sip_out(nat, text))
    assert contact
    uri, port = contact[1].decode(), int(contact[2])
    called = message(f"INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP {S}:5070;branch=a\nCall-ID: 2\nCSeq: 1 INVITE")
    assert not carried(nat, udp(S, 5070, P, port, called), from_outside=True)
    accepted = response("200 OK", "REGISTER", via=f"{P}:{port};branch=z9hG4bK1", contact=f"<{uri}>", call="1")
    (packet,) = carried(nat, udp(S, 5060, P, port, accepted), from_outside=True)
    assert f"Contact: <sip:alice@{A}:5060>".encode() in bytes(packet)
    (packet,) = carried(nat, udp(S, 5070, P, port, called), from_outside=True)
    assert target(packet) == (A, 5060)
    assert bytes(packet[UDP].payload).startswith(f"INVITE sip:alice@{A}:5060 SIP/2.0\r\n".encode())
