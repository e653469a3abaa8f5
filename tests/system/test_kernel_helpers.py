"""What is said through the kernel's helpers and our gateways: what comes out must be the same.

Of a SIP message the kernel also rewrites From and To, which no one uses as an address, so those are left out;
where else they differ on purpose, a test of its own says how.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from scapy.layers.inet import IP, TCP, UDP

from tests.packets import tcp, udp
from tests.system.namespaces import namespaces
from tests.system.test_kernel_oracle import KernelNat, kernel_nat
from tests.translate.alg.flow import carried, ftp_nat
from tests.translate.alg.sip_texts import message, sdp
from tests.translate.nat import A, P, S, T

pytestmark = pytest.mark.root

HELPERS: Final = """
table ip helpers {
    ct helper sip { type "sip" protocol udp; }
    ct helper irc { type "irc" protocol tcp; }
    ct helper ftp { type "ftp" protocol tcp; }
    ct helper tftp { type "tftp" protocol udp; }
    chain assign {
        type filter hook prerouting priority filter;
        udp dport 5060 ct helper set "sip"
        tcp dport 6667 ct helper set "irc"
        tcp dport 21 ct helper set "ftp"
        udp dport 69 ct helper set "tftp"
    }
}
"""


class OurNat:
    """The translator with these gateways on."""

    def __init__(self) -> None:
        self._nat = ftp_nat("ftp", "tftp", "sip", "irc")

    def send(self, packet: bytes, from_outside: bool) -> bytes | None:
        arrived = carried(self._nat, IP(packet), from_outside=from_outside)
        assert len(arrived) <= 1
        return bytes(arrived[0]) if arrived else None


@pytest.fixture
def both() -> Iterator[tuple[KernelNat, OurNat]]:
    with kernel() as theirs:
        yield theirs, OurNat()


@contextmanager
def kernel() -> Iterator[KernelNat]:
    with namespaces("router") as (router,), kernel_nat(router) as nat:
        nft = ["ip", "netns", "exec", router.name, "nft", "-f", "-"]
        subprocess.run(nft, input=HELPERS, text=True, check=True)
        yield nat


Out = tuple[str, int, str, int, bytes] | None


def came(nat: KernelNat | OurNat, packet: bytes, from_outside: bool) -> Out:
    """Addresses, ports and payload of what came out."""
    data = nat.send(packet, from_outside)
    if data is None:
        return None
    found = IP(data)
    layer = found[UDP] if UDP in found else found[TCP]
    payload = re.sub(rb"(?m)^(From|To): .*\r\n", b"", bytes(layer.payload))
    return found.src, layer.sport, found.dst, layer.dport, payload


class Line:
    """Datagrams through both; each time the same must come out of either."""

    def __init__(self, both: tuple[KernelNat, OurNat]) -> None:
        self._both = both

    def out(self, port: int, far: tuple[str, int], payload: bytes = b"x") -> Out:
        return self._same(bytes(udp(A, port, *far, payload)), False)

    def back(self, far: tuple[str, int], port: int, payload: bytes = b"x") -> Out:
        return self._same(bytes(udp(*far, P, port, payload)), True)

    def _same(self, packet: bytes, from_outside: bool) -> Out:
        theirs, ours = (came(nat, packet, from_outside) for nat in self._both)
        assert ours == theirs
        return ours


DIALOGUE: Final = """From: <sip:alice@atlanta.example>;tag=1
To: <sip:bob@biloxi.example>
Call-ID: 1@atlanta.example
CSeq: %s"""
VIA: Final = f"Via: SIP/2.0/UDP {A}:5060;branch=z9hG4bK%d"
MAPPED_VIA: Final = f"Via: SIP/2.0/UDP {P}:5060;branch=z9hG4bK%d"
ALICE: Final = f"Contact: <sip:alice@{A}:5060>"
BOB: Final = f"Contact: <sip:bob@{S}:5060>"
PROXY: Final = S, 5060


def said(start: str, sequence: str, *fields: str, body: bytes = b"") -> bytes:
    return message("\n".join([start, *fields, DIALOGUE % sequence]), body)


def test_a_call_from_inside(both: tuple[KernelNat, OurNat]) -> None:
    line = Line(both)
    invite = said(f"INVITE sip:bob@{S} SIP/2.0", "1 INVITE", VIA % 1, ALICE, body=sdp(A, 49172))
    seen = line.out(5060, PROXY, invite)
    assert seen
    assert sdp(P, 49172) in seen[4]
    line.back(PROXY, 5060, said("SIP/2.0 100 Trying", "1 INVITE", MAPPED_VIA % 1))
    assert line.back((T, 7000), 49172) is None
    ringing = said("SIP/2.0 180 Ringing", "1 INVITE", MAPPED_VIA % 1, BOB)
    assert line.back(PROXY, 5060, ringing)
    answer = said("SIP/2.0 200 OK", "1 INVITE", MAPPED_VIA % 1, BOB, body=sdp(S, 7000))
    assert line.back(PROXY, 5060, answer)
    line.out(5060, PROXY, said(f"ACK sip:bob@{S}:5060 SIP/2.0", "1 ACK", VIA % 2))
    assert line.back((S, 7000), 49172) == (S, 7000, A, 49172, b"x")
    assert line.back((S, 7001), 49173) == (S, 7001, A, 49173, b"x")
    assert line.out(49172, (S, 7000)) == (P, 49172, S, 7000, b"x")
    assert line.out(49173, (S, 7001)) == (P, 49173, S, 7001, b"x")
    bye = said(f"BYE sip:alice@{P}:5060 SIP/2.0", "1 BYE", f"Via: SIP/2.0/UDP {S}:5060;branch=z9hG4bKb")
    seen = line.back(PROXY, 5060, bye)
    assert seen
    assert seen[4].startswith(f"BYE sip:alice@{A}:5060 SIP/2.0\r\n".encode())
    line.out(5060, PROXY, said("SIP/2.0 200 OK", "1 BYE", f"Via: SIP/2.0/UDP {S}:5060;branch=z9hG4bKb"))


def test_a_call_that_ends_before_its_audio(both: tuple[KernelNat, OurNat]) -> None:
    line = Line(both)
    line.out(5060, PROXY, said(f"INVITE sip:bob@{S} SIP/2.0", "1 INVITE", VIA % 1, body=sdp(A, 49172)))
    line.out(5060, PROXY, said(f"BYE sip:bob@{S} SIP/2.0", "2 BYE", VIA % 9))
    assert line.back((S, 7000), 49172) is None


def test_the_kernel_opens_for_a_call_that_was_cancelled(both: tuple[KernelNat, OurNat]) -> None:
    line = Line(both)
    line.out(5060, PROXY, said(f"INVITE sip:bob@{S} SIP/2.0", "1 INVITE", VIA % 1, body=sdp(A, 49172)))
    line.out(5060, PROXY, said(f"CANCEL sip:bob@{S} SIP/2.0", "1 CANCEL", VIA % 1))
    audio = bytes(udp(S, 7000, P, 49172))
    theirs, ours = (came(nat, audio, True) for nat in both)
    assert theirs == (S, 7000, A, 49172, b"x")
    assert ours is None


def test_a_call_that_is_refused(both: tuple[KernelNat, OurNat]) -> None:
    line = Line(both)
    line.out(5060, PROXY, said(f"INVITE sip:bob@{S} SIP/2.0", "1 INVITE", VIA % 1, body=sdp(A, 49172)))
    line.back(PROXY, 5060, said("SIP/2.0 486 Busy Here", "1 INVITE", MAPPED_VIA % 1))
    assert line.back((S, 7000), 49172) is None


def test_the_kernel_tells_the_inside_address_of_a_rejected_stream(both: tuple[KernelNat, OurNat]) -> None:
    rejected = said(f"INVITE sip:bob@{S} SIP/2.0", "1 INVITE", VIA % 1, body=sdp(A, 0))
    theirs, ours = (came(nat, bytes(udp(A, 5060, *PROXY, rejected)), False) for nat in both)
    assert theirs
    assert ours
    assert sdp(A, 0) in theirs[4]
    assert sdp(P, 0) in ours[4]


@pytest.mark.parametrize("address", ["10.0.0.3", "198.51.100.77"])
def test_media_at_another_host_is_left(both: tuple[KernelNat, OurNat], address: str) -> None:
    line = Line(both)
    invite = said(f"INVITE sip:bob@{S} SIP/2.0", "1 INVITE", VIA % 1, body=sdp(address, 49172))
    assert line.out(5060, PROXY, invite)
    assert line.back((S, 7000), 49172) is None


def test_a_registration_and_a_call_by_it(both: tuple[KernelNat, OurNat]) -> None:
    line = Line(both)
    register = said("REGISTER sip:atlanta.example SIP/2.0", "1 REGISTER", VIA % 1, ALICE, "Expires: 600")
    seen = line.out(5060, PROXY, register)
    assert seen
    assert f"Contact: <sip:alice@{P}:5060>".encode() in seen[4]
    accepted = said(
        "SIP/2.0 200 OK", "1 REGISTER", MAPPED_VIA % 1, f"Contact: <sip:alice@{P}:5060>;expires=600"
    )
    assert line.back(PROXY, 5060, accepted)
    top = f"Via: SIP/2.0/UDP {S}:5060;branch=z9hG4bKc"
    invite = said(f"INVITE sip:alice@{P}:5060 SIP/2.0", "1 INVITE", top, BOB, body=sdp(S, 7000))
    assert line.back(PROXY, 5060, invite)
    seen = line.out(5060, PROXY, said("SIP/2.0 200 OK", "1 INVITE", top, ALICE, body=sdp(A, 49172)))
    assert seen
    assert sdp(P, 49172) in seen[4]
    assert line.back((S, 7000), 49172) == (S, 7000, A, 49172, b"x")


# IRC


class Segments:
    """A TCP connection to the server through both; each numbers it as it must."""

    def __init__(self, both: tuple[KernelNat, OurNat], port: int = 6667) -> None:
        self._both: tuple[KernelNat | OurNat, ...] = both
        self._port = port
        self._next = [1000, 5000]
        self._shift = [0, 0]
        """What each NAT added to the client's stream."""
        self._segment("S", b"")
        self._segment("SA", b"", from_outside=True)
        self._segment("A", b"")

    def client(self, text: bytes) -> Out:
        return self._segment("PA", text)

    def server(self, text: bytes) -> Out:
        return self._segment("PA", text, from_outside=True)

    def _segment(self, flags: str, payload: bytes, *, from_outside: bool = False) -> Out:
        own, other = self._next[from_outside], self._next[not from_outside]
        found: list[Out] = []
        for number, nat in enumerate(self._both):
            acknowledged = other + (self._shift[number] if from_outside else 0) if "A" in flags else 0
            ends = (S, self._port, P, 40000) if from_outside else (A, 40000, S, self._port)
            packet = tcp(*ends, flags, payload, seq=own, ack=acknowledged)
            got = came(nat, bytes(packet), from_outside)
            if got and not from_outside:
                self._shift[number] += len(got[4]) - len(payload)
            found.append(got)
        self._next[from_outside] += len(payload) + ("S" in flags)
        assert found[1] == found[0]
        return found[1]


def opened(make: Callable[[str], bytes], both: tuple[KernelNat, OurNat]) -> tuple[Segments, Out]:
    line = Segments(both)
    line.client(b"NICK alice\r\nUSER alice 0 * :Alice\r\n")
    line.server(b":irc 001 alice :Welcome\r\n")
    return line, line.client(make(str(int.from_bytes(bytes(map(int, A.split(".")))))))


@pytest.mark.parametrize("kind", ["SEND file %s 40001 5", "CHAT chat %s 40001"])
def test_an_offer(both: tuple[KernelNat, OurNat], kind: str) -> None:
    line, seen = opened(lambda own: f"PRIVMSG bob :\x01DCC {kind % own}\x01\r\n".encode(), both)
    assert seen
    assert str(int.from_bytes(bytes(map(int, P.split("."))))).encode() in seen[4]
    assert line.server(b":bob PRIVMSG alice :thanks\r\n")
    theirs, ours = (came(nat, bytes(tcp(T, 5000, P, 40001, "S")), True) for nat in both)
    assert ours == (T, 5000, A, 40001, b"")
    assert theirs == (S, 5000, A, 40001, b""), "the kernel says that the server calls"
    assert line.client(b"PRIVMSG bob :and now?\r\n")


@pytest.mark.parametrize("offer", ["SEND file 167772163 40001 5", "SEND file 0 40001 5"])
def test_an_offer_of_another_host(both: tuple[KernelNat, OurNat], offer: str) -> None:
    _, seen = opened(lambda _: f"PRIVMSG bob :\x01DCC {offer}\x01\r\n".encode(), both)
    assert seen
    assert offer.encode() in seen[4]
    call = bytes(tcp(T, 5000, P, 40001, "S"))
    assert [came(nat, call, True) for nat in both] == [None, None]


# FTP


def logged_in(both: tuple[KernelNat, OurNat]) -> Segments:
    line = Segments(both, 21)
    line.server(b"220 ready\r\n")
    line.client(b"USER alice\r\n")
    line.server(b"230 welcome\r\n")
    return line


def commas(address: str, port: int) -> bytes:
    return f"{address.replace('.', ',')},{port >> 8},{port & 255}".encode()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (b"PORT " + commas(A, 40001), b"PORT " + commas(P, 40001)),
        (f"EPRT |1|{A}|40001|".encode(), f"EPRT |1|{P}|40001|".encode()),
    ],
    ids=["PORT", "EPRT"],
)
def test_an_active_transfer(both: tuple[KernelNat, OurNat], command: bytes, expected: bytes) -> None:
    line = logged_in(both)
    seen = line.client(command + b"\r\n")
    assert seen
    assert seen[4] == expected + b"\r\n"
    assert line.server(b"200 so be it\r\n")
    calls = [came(nat, bytes(tcp(S, 20, P, 40001, "S")), True) for nat in both]
    assert calls == [(S, 20, A, 40001, b"")] * 2
    assert line.client(b"RETR file\r\n"), "numbered on as the longer command says"
    assert line.server(b"150 here it comes\r\n")


@pytest.mark.parametrize(
    "answer", [b"227 Entering Passive Mode (%s)" % commas(S, 5000), b"229 Extended (|||5000|)"]
)
def test_a_passive_transfer(both: tuple[KernelNat, OurNat], answer: bytes) -> None:
    line = logged_in(both)
    assert line.client(b"PASV\r\n" if answer.startswith(b"227") else b"EPSV\r\n")
    seen = line.server(answer + b"\r\n")
    assert seen
    assert seen[4] == answer + b"\r\n"
    calls = [came(nat, bytes(tcp(A, 40002, S, 5000, "S")), False) for nat in both]
    assert calls == [(P, 40002, S, 5000, b"")] * 2


def test_a_transfer_to_another_host_is_left_and_opens_nothing(both: tuple[KernelNat, OurNat]) -> None:
    line = logged_in(both)
    command = b"PORT " + commas("10.0.0.77", 40001) + b"\r\n"
    seen = line.client(command)
    assert seen
    assert seen[4] == command
    assert [came(nat, bytes(tcp(S, 20, P, 40001, "S")), True) for nat in both] == [None, None]


# TFTP


def test_the_answer_to_a_request_comes_from_a_new_port(both: tuple[KernelNat, OurNat]) -> None:
    line = Line(both)
    request, data = b"\0\1file\0octet\0", b"\0\3\0\1data"
    assert line.out(40000, (S, 69), request) == (P, 40000, S, 69, request)
    assert line.back((S, 5000), 40000, data) == (S, 5000, A, 40000, data)
    assert line.out(40000, (S, 5000), b"\0\4\0\1") == (P, 40000, S, 5000, b"\0\4\0\1")
    assert line.back((T, 5000), 40000, data) is None
