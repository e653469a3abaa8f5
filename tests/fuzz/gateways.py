"""Gateways of binary protocols as functions of bytes: both sides say anything, in any pieces.

An input is a list of pieces: a byte (bit 0: from outside), two bytes of length, and what is said.
"""

import random
from collections.abc import Callable, Hashable, Sequence
from itertools import count
from typing import Final

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.pptp import (
    PPTP,
    PPTPCallDisconnectNotify,
    PPTPOutgoingCallReply,
    PPTPOutgoingCallRequest,
    PPTPStartControlConnectionReply,
    PPTPStartControlConnectionRequest,
    PPTPWANErrorNotify,
)

from snat.nat.tracking import TCP, UDP
from snat.translate.alg.gateway import Gateway
from snat.translate.alg.registry import GATEWAYS
from tests.translate.alg import h323_messages as h
from tests.translate.alg.written_doors import GLOBAL, INSIDE, OUTSIDE, FakeDoors, conversation, edited, packed

MOST: Final = 200
"""Pieces of an input."""
_MOST_CONTEXT: Final = 256
_FIRST: Final = 40000


def gateway(name: str, protocol: int, port: int) -> Callable[[bytes], Hashable]:
    """What becomes of a conversation that is read; by the first byte the client is inside, or not."""

    def run(data: bytes) -> Hashable:
        doors = FakeDoors(_FIRST)
        doors.names = {(packed(INSIDE), False): packed(GLOBAL), (packed(GLOBAL), True): packed(INSIDE)}
        begun_inside = not data[:1] < b"\x80"
        reads = GATEWAYS[name].gateway(conversation(protocol, port, begun_inside=begun_inside), doors)
        for from_outside, piece in _pieces(data[1:]):
            if reads.ended:
                break
            out = edited(piece, reads.take(from_outside, piece))
            assert name == "dns" or len(out) == len(piece)
        _check(reads, doors)
        return reads.ended, frozenset(doors.counts), len(doors.opened), len(doors.calls)

    return run


def _pieces(data: bytes) -> Sequence[tuple[bool, bytes]]:
    found: list[tuple[bool, bytes]] = []
    while len(data) >= 3 and len(found) < MOST:
        length = int.from_bytes(data[1:3], "big")
        found.append((bool(data[0] & 1), data[3 : 3 + length]))
        data = data[3 + length :]
    return found


def _check(reads: Gateway, doors: FakeDoors) -> None:
    """Only the inside host's own addresses are opened, to its peer; the context is short and understood."""
    assert {inside.address for _, inside in doors.opened} <= {packed(INSIDE)}
    assert {door.peer.address for door in doors.opened.values()} <= {packed(OUTSIDE)}
    context = reads.context()
    assert len(context) <= _MOST_CONTEXT
    again = type(reads)(reads.conversation, FakeDoors())
    assert again.restore(context)
    assert again.context() == context


def conversation_of(*said: tuple[bool, bytes]) -> bytes:
    """An input: the client is inside."""
    pieces = (bytes((from_outside,)) + len(data).to_bytes(2, "big") + data for from_outside, data in said)
    return b"\xff" + b"".join(pieces)


def pptp() -> list[bytes]:
    """A call with its end, and one that is refused."""
    begun: list[tuple[bool, PPTP]] = [
        (False, PPTPStartControlConnectionRequest()),
        (True, PPTPStartControlConnectionReply()),
        (False, PPTPOutgoingCallRequest(call_id=7)),
    ]
    up = (True, PPTPOutgoingCallReply(call_id=91, peer_call_id=_FIRST))
    told = (True, PPTPWANErrorNotify(peer_call_id=_FIRST))
    over = (True, PPTPCallDisconnectNotify(call_id=91))
    refused = (True, PPTPOutgoingCallReply(call_id=91, peer_call_id=_FIRST, result_code=2))
    lives = ([*begun, up, told, over], [*begun, refused], begun)
    return [conversation_of(*((side, bytes(message)) for side, message in life)) for life in lives]


def dns(*, prefixed: bool) -> list[bytes]:
    """Questions and answers about an address and its name."""
    arpa = "5.0.0.10.in-addr.arpa."
    asked = DNS(qd=[DNSQR(qname=arpa, qtype="PTR")])
    record = DNSRR(rrname=arpa, type="PTR", rdata="www.example.com.")
    address = DNSRR(rrname="www.example.com.", type="A", rdata=INSIDE)
    told = DNS(qr=1, qd=[DNSQR(qname=arpa, qtype="PTR")], an=[record], ar=[address]).compress()
    messages = [bytes(asked), bytes(told)]
    if prefixed:
        messages = [len(one).to_bytes(2, "big") + one for one in messages]
    return [conversation_of((False, messages[0]), (False, messages[1])), conversation_of((True, messages[1]))]


def calls() -> list[bytes]:
    """Setup, Connect, Facility and their end, with and without H.245 within."""
    mine, theirs = h.transport(INSIDE, 1234), h.transport(OUTSIDE, 3333)
    channel = h.channel(h.unicast(INSIDE, 5004), h.unicast(INSIDE, 5005))
    said = [
        (False, h.SETUP, h.setup(h245Address=mine, fastStart=[h.fast(channel)])),
        (True, h.CONNECT, h.connect(h245Address=theirs)),
        (False, h.CONNECT, h.connect(h245Tunnelling=True, h245Control=[h.open_channel(channel)])),
        (False, h.FACILITY, h.facility("callForwarded", alternativeAddress=mine)),
        (False, h.RELEASE_COMPLETE, h.release_complete()),
    ]
    framed = [(side, h.tpkt(h.q931(kind, message))) for side, kind, message in said]
    return [conversation_of(*framed[:number]) for number in range(1, len(framed) + 1)]


def channels() -> list[bytes]:
    """What H.245 opens."""
    mine = [h.unicast(INSIDE, port) for port in (5004, 5005, 1503)]
    said = [h.open_channel(h.channel(None, mine[1], data=mine[2])), h.acknowledge(*mine), h.round_trip()]
    return [conversation_of(*((False, h.tpkt(one)) for one in said[:number])) for number in (1, 2, 3)]


def registrations() -> list[bytes]:
    """An endpoint that registers and calls."""
    said = [
        (False, h.registration(INSIDE, 1720, 1025)),
        (True, h.confirmation(timeToLive=60)),
        (False, h.admission_request(INSIDE, 1720)),
        (True, h.admission_confirm(OUTSIDE, 11720)),
    ]
    return [conversation_of(*said[:number]) for number in range(1, len(said) + 1)]


def some_pieces(dice: random.Random) -> bytes:
    """An input without any sense."""
    lengths = (dice.choice((1, 4, 30)) for _ in count())
    said = [(dice.random() < 0.5, dice.randbytes(next(lengths))) for _ in range(dice.randint(1, 5))]
    return conversation_of(*said)


NAMES: Final = {
    "pptp": ("pptp", TCP, 1723, pptp),
    "dns over udp": ("dns", UDP, 53, lambda: dns(prefixed=False)),
    "dns over tcp": ("dns", TCP, 53, lambda: dns(prefixed=True)),
    "calls": ("H225", TCP, 1720, calls),
    "channels": ("h245", TCP, 3333, channels),
    "ras": ("ras", UDP, 1719, registrations),
}
"""Targets: gateway, protocol, port and what its inputs grow from."""
