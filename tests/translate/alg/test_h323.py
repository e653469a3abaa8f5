"""Calls of H.323: what is opened and rewritten, held against pycrate's reading and tshark's."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrate_asn1dir.H225 import H323_MESSAGES
from pycrate_asn1dir.H245 import MULTIMEDIA_SYSTEM_CONTROL
from scapy.layers.inet import IP, TCP
from scapy.packet import Raw
from scapy.utils import wrpcap

from snat.translate.alg.gateway import Conversation
from snat.translate.alg.h323 import H245, H323, UNREADABLE
from snat.translate.alg.h323_addresses import DOORS, LIFE, READINGS
from snat.translate.alg.h323_asn1 import LONGEST, Messages, Unreadable
from tests.translate.alg import h323_messages as h
from tests.translate.alg.written_doors import (
    GLOBAL,
    INSIDE,
    OTHER_INSIDE,
    OTHER_OUTSIDE,
    OUTSIDE,
    FakeDoors,
    Opened,
    at,
    conversation,
    edited,
    packed,
    through,
)

IN, OUT = True, False
UUIE, CONTROL, OLC = (
    H323_MESSAGES.H323_UserInformation,
    MULTIMEDIA_SYSTEM_CONTROL.MultimediaSystemControlMessage,
    MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel,
)
TCP_, UDP_ = 6, 17
FIRST = 40000
MINE = h.transport(INSIDE, 1234)


def body(message: bytes) -> bytes:
    """The H.225.0 message of a TPKT that :func:`h.q931` made."""
    return message[message.index(b"\x7e", 17) + 4 :]


class Call:
    """A call's connection; the client is inside unless told, and has said Setup."""

    def __init__(self, *, begun_inside: bool = True, started: bool = True) -> None:
        self.doors = FakeDoors(FIRST)
        self.conversation = conversation(TCP_, 1720, begun_inside=begun_inside)
        self.gateway = H323(self.conversation, self.doors)
        if started:
            self.say(not begun_inside, h.SETUP, h.setup())
            assert self.doors.refusals == {}

    def say(self, from_outside: bool, kind: int, message: bytes) -> dict[str, Any]:
        """The fields of the message as the other side gets it."""
        data = h.tpkt(h.q931(kind, message, from_caller=from_outside is not self.conversation.begun_inside))
        out = edited(data, self.gateway.take(from_outside, data))
        assert len(out) == len(data)
        value = h.decoded(UUIE, body(out))["h323-uu-pdu"]
        return {**dict(value["h323-message-body"][1]), **value}

    def connected(self, from_outside: bool, **fields: object) -> dict[str, Any]:
        return self.say(from_outside, h.CONNECT, h.connect(**fields))

    @property
    def opened(self) -> list[Opened]:
        return list(self.doors.opened.values())


PEER = at(OUTSIDE, 0)


def test_setup_says_where_the_call_comes_from() -> None:
    call = Call(started=False)
    source, destination = h.transport(INSIDE, 1720), h.transport(OUTSIDE, 1720)
    got = call.say(OUT, h.SETUP, h.setup(sourceCallSignalAddress=source, destCallSignalAddress=destination))
    assert got["sourceCallSignalAddress"] == h.transport(GLOBAL, 2025)
    assert got["destCallSignalAddress"] == destination
    assert not call.opened


def test_setup_from_outside_to_a_server_inside() -> None:
    call = Call(begun_inside=False, started=False)
    conversation = call.conversation
    to = h.transport(GLOBAL, conversation.inside_global.port)
    got = call.say(IN, h.SETUP, h.setup(destCallSignalAddress=to, h245Address=h.transport(OUTSIDE, 3333)))
    assert got["destCallSignalAddress"] == h.transport(INSIDE, conversation.inside_local.port)
    assert got["h245Address"] == h.transport(OUTSIDE, 3333)
    assert call.doors.calls == [(TCP_, at(OUTSIDE, 3333), LIFE, "h245")]


@pytest.mark.parametrize("kind", ["alerting", "connect", "facility", "setup"])
def test_the_h245_connection_of_the_inside_host(kind: str) -> None:
    call = Call(begun_inside=kind == "setup", started=kind != "setup")
    message = {
        "alerting": lambda: (h.ALERTING, h.alerting(h245Address=MINE)),
        "connect": lambda: (h.CONNECT, h.connect(h245Address=MINE)),
        "facility": lambda: (h.FACILITY, h.facility("startH245", h245Address=MINE)),
        "setup": lambda: (h.SETUP, h.setup(h245Address=MINE)),
    }[kind]()
    assert call.say(OUT, *message)["h245Address"] == h.transport(GLOBAL, FIRST)
    assert call.opened == [Opened(TCP_, at(INSIDE, 1234), PEER, LIFE, "h245", pair=False)]


def test_the_h245_connection_of_the_outside_host() -> None:
    call = Call()
    theirs = h.transport(OUTSIDE, 3333)
    assert call.connected(IN, h245Address=theirs)["h245Address"] == theirs
    assert call.doors.calls == [(TCP_, at(OUTSIDE, 3333), LIFE, "h245")]
    call.connected(IN, h245Address=h.transport(OTHER_OUTSIDE, 3333))
    call.connected(IN, h245Address=h.transport(OUTSIDE, 0))
    assert len(call.doors.calls) == 1
    assert not call.opened


def addresses_of(olc: dict[str, Any], which: str = "forwardLogicalChannelParameters") -> tuple[Any, Any]:
    parameters = olc[which]["multiplexParameters"][1]
    return parameters.get("mediaChannel"), parameters.get("mediaControlChannel")


RTP, RTCP = h.unicast(INSIDE, 5004), h.unicast(INSIDE, 5005)
NEW_RTP, NEW_RTCP = h.unicast(GLOBAL, FIRST), h.unicast(GLOBAL, FIRST + 1)


def test_fast_start() -> None:
    call = Call(started=False)
    channels = [
        h.fast(h.channel(None, RTCP)),
        h.fast(h.channel(RTP, RTCP, reverse=True)),
        h.fast(h.channel(None, h.unicast(INSIDE, 5007))),
    ]
    got = call.say(OUT, h.SETUP, h.setup(fastStart=channels))["fastStart"]
    found = []
    for element in list(got):
        olc = h.decoded(OLC, element)
        side = "reverse" if "reverseLogicalChannelParameters" in olc else "forward"
        found.append(addresses_of(olc, f"{side}LogicalChannelParameters"))
    assert found == [(None, NEW_RTCP), (NEW_RTP, NEW_RTCP), (None, h.unicast(GLOBAL, FIRST + 3))]
    assert call.opened == [
        Opened(UDP_, at(INSIDE, 5004), PEER, LIFE, "", pair=True),
        Opened(UDP_, at(INSIDE, 5006), PEER, LIFE, "", pair=True),
    ]


def test_tunnelled_h245() -> None:
    call = Call(begun_inside=False)
    messages = [h.open_channel(h.channel(None, RTCP)), h.round_trip()]
    got = call.connected(OUT, h245Tunnelling=True, h245Control=messages)["h245Control"]
    olc = h.decoded(CONTROL, got[0])[1][1]
    assert addresses_of(olc) == (None, NEW_RTCP)
    assert got[1] == messages[1]
    assert [door.inside for door in call.opened] == [at(INSIDE, 5004)]


def test_release_closes_what_was_not_used() -> None:
    call = Call(begun_inside=False)
    call.connected(OUT, h245Address=MINE, fastStart=[h.fast(h.channel(RTP, RTCP))])
    assert len(call.opened) == 2
    call.say(OUT, h.RELEASE_COMPLETE, h.release_complete())
    assert not call.opened


# Who else's addresses are in a message


def test_slipstream_a_call_forwarded_to_another_inside_host_opens_nothing() -> None:
    """nat-behaviour.md 2.9: a page makes an inside host say that its call goes on to any inside service."""
    call = Call(begun_inside=False)
    for forwarded in (h.transport(OTHER_INSIDE, 22), h.transport(INSIDE, 22)):
        for reason in ("callForwarded", "routeCallToGatekeeper"):
            message = h.facility(reason, alternativeAddress=forwarded)
            assert call.say(OUT, h.FACILITY, message)["alternativeAddress"] == forwarded
    assert not call.opened
    assert not call.doors.calls


def test_slipstream_other_inside_hosts_addresses_open_nothing() -> None:
    call = Call(begun_inside=False)
    other = h.transport(OTHER_INSIDE, 80)
    assert call.connected(OUT, h245Address=other)["h245Address"] == other
    channel = h.fast(h.channel(h.unicast(OTHER_INSIDE, 5004), h.unicast(OTHER_OUTSIDE, 5005)))
    assert call.connected(OUT, fastStart=[channel])["fastStart"] == [channel]
    assert not call.opened
    # Only a message with the inside host's own address is read at all.
    both = call.connected(OUT, h245Address=other, fastStart=[h.fast(h.channel(None, RTCP))])
    assert both["h245Address"] == other
    assert [door.inside for door in call.opened] == [at(INSIDE, 5004)]
    assert call.doors.refusals == {"foreign address": 1}


def test_slipstream_an_outside_host_opens_nothing_inside() -> None:
    call = Call()
    named = h.transport(INSIDE, 22)
    call.connected(IN, h245Address=named)
    call.connected(IN, h245Address=h.transport(GLOBAL, 22), fastStart=[h.fast(h.channel(RTP, RTCP))])
    assert not call.opened
    assert not call.doors.calls


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\x03\x00\x58\x21\x12\xa4\x42" + bytes(12),  # STUN: TURN's Allocate
        b"POST / HTTP/1.1\r\nHost: x:1720\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"\x04\x00\x00\x10",
        b"\x03\x01\x00\x10",
        b"\x03\x00\x00\x03",
    ],
)
def test_slipstream_a_call_behind_something_else_is_not_looked_at(said: bytes) -> None:
    call = Call(started=False)
    forged = h.tpkt(h.q931(h.SETUP, h.setup(h245Address=MINE)))
    assert through(call.gateway, OUT, said + forged, len(said)) == said + forged
    assert call.gateway.ended
    assert not call.opened
    assert call.doors.refusals == {"no TPKT": 1}


@pytest.mark.parametrize("from_outside", [IN, OUT])
@pytest.mark.parametrize("kind", [h.CONNECT, h.SETUP, h.FACILITY])
def test_what_does_not_begin_with_the_clients_setup_is_no_call(from_outside: bool, kind: int) -> None:
    call = Call(started=False)
    # Where Q.931 says Setup, H.225.0 does not.
    said = h.setup if from_outside or kind != h.SETUP else h.connect
    message = said(h245Address=MINE)
    data = h.tpkt(h.q931(kind, message))
    assert call.gateway.take(from_outside, data) == []
    assert call.gateway.ended
    assert not call.opened
    assert call.doors.refusals == {"no call": 1}


def test_an_address_that_is_there_once_more_is_in_doubt() -> None:
    """Six bytes of the user's name look like the address: it cannot be told which of them is."""
    call = Call(begun_inside=False)
    twin = packed(INSIDE) + (1234).to_bytes(2, "big")
    alias = [("url-ID", "x"), ("transportID", ("nsap", twin))]
    info = {"gatekeeper": {}, "mc": False, "undefinedNode": False}
    got = call.connected(OUT, h245Address=MINE, connectedAddress=alias, destinationInfo=info)
    assert got["h245Address"] == MINE
    assert not call.opened
    assert call.doors.refusals == {"address in doubt": 1}


def test_an_address_that_would_be_two_things_is_in_doubt() -> None:
    call = Call(begun_inside=False)
    channel = h.fast(h.channel(h.unicast(INSIDE, 1234), RTCP))
    got = call.connected(OUT, h245Address=MINE, fastStart=[channel])
    assert got["h245Address"] == MINE
    assert [door.inside for door in call.opened] == [at(INSIDE, 5004)]
    assert call.doors.refusals == {"address in doubt": 1}


# How it comes


def test_a_header_that_comes_alone_as_netmeeting_sends_it() -> None:
    call = Call(begun_inside=False)
    data = h.tpkt(h.q931(h.CONNECT, h.connect(h245Address=MINE), from_caller=False))
    out = through(call.gateway, OUT, data, 4)
    assert h.decoded(UUIE, body(out))["h323-uu-pdu"]["h323-message-body"][1]["h245Address"] == h.transport(
        GLOBAL, FIRST
    )
    assert call.doors.refusals == {}


@settings(deadline=None)
@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_any_pieces(cuts: list[int]) -> None:
    call = Call(begun_inside=False)
    connect = h.tpkt(h.q931(h.CONNECT, h.connect(h245Address=MINE), from_caller=False))
    out = through(call.gateway, OUT, connect * 3, *cuts)
    old, new = packed(INSIDE) + b"\x04\xd2", packed(GLOBAL) + FIRST.to_bytes(2, "big")
    assert out.replace(new, old) == connect * 3
    assert out.count(old) == call.doors.counts["split message"]
    assert not call.gateway.ended


def test_several_messages_at_once_and_keepalives() -> None:
    call = Call(begun_inside=False)
    one = h.tpkt(h.q931(h.ALERTING, h.alerting(h245Address=MINE), from_caller=False))
    two = h.tpkt(h.q931(h.CONNECT, h.connect(h245Address=MINE), from_caller=False))
    out = through(call.gateway, OUT, b"\x03\0\0\x04" + one + b"\x03\0\0\x04" + two)
    assert out.count(packed(GLOBAL) + FIRST.to_bytes(2, "big")) == 2
    assert len(call.opened) == 1


def test_a_message_without_h225_passes() -> None:
    call = Call()
    for message in (
        b"\x08\x02\x12\x34\x7d",
        b"\x08",
        b"",
        b"\x08\x0f",
        b"\x08\x02\x12\x34\x07\x7e\xff\xff\x05",
    ):
        assert call.gateway.take(OUT, h.tpkt(message)) == []
    assert not call.gateway.ended


def test_a_takeover_within_a_message() -> None:
    call = Call(begun_inside=False)
    call.connected(OUT, h245Address=MINE)
    taker = H323(call.conversation, doors := FakeDoors(50000))
    assert taker.restore(call.gateway.context())
    assert taker.context() == call.gateway.context()
    tail = h.tpkt(h.q931(h.CONNECT, h.connect()))[9:]
    assert through(taker, OUT, tail) == tail
    again = h.tpkt(h.q931(h.CONNECT, h.connect(h245Address=h.transport(INSIDE, 99))))
    assert packed(GLOBAL) + (50000).to_bytes(2, "big") in through(taker, OUT, again)
    back = h.tpkt(h.q931(h.CONNECT, h.connect(h245Address=h.transport(GLOBAL, FIRST))))
    assert packed(INSIDE) + b"\x04\xd2" in through(taker, IN, back)
    assert doors.refusals == {"unknown place after takeover": 1}


def test_bounds() -> None:
    call = Call(begun_inside=False)
    for port in range(2000, 2000 + 2 * DOORS + 4, 2):
        call.connected(OUT, h245Address=h.transport(INSIDE, port))
    assert len(call.opened) == DOORS
    assert call.doors.refusals == {"too many addresses": 2}
    assert len(call.gateway.context()) <= 256
    for _ in range(READINGS):
        if not call.gateway.ended:
            call.connected(OUT, h245Address=h.transport(INSIDE, 2000))
    assert call.gateway.ended
    assert call.doors.counts["too many messages"] == 1


def test_what_cannot_be_read_is_given_up_after_a_while() -> None:
    call = Call()
    for _ in range(UNREADABLE):
        assert not call.gateway.ended
        call.gateway.take(OUT, h.tpkt(h.q931(h.CONNECT, b"\xff" * 9 + packed(INSIDE))))
    assert call.gateway.ended
    assert call.doors.refusals == {"unreadable message": UNREADABLE}


def test_refused_and_elsewhere() -> None:
    call = Call(begun_inside=False)
    call.doors.refuses = True
    assert call.connected(OUT, h245Address=MINE)["h245Address"] == MINE
    call.doors.refuses = False
    call.doors.address = packed("203.0.113.99")
    assert call.connected(OUT, h245Address=MINE)["h245Address"] == MINE
    assert not call.opened
    assert call.doors.refusals == {"refused": 1, "another address": 1}


def test_an_outside_host_with_two_addresses() -> None:
    """Twice NAT: the inside host knows it by another address than it has."""
    there = conversation(TCP_, 1720)
    alias = "10.99.0.7"
    twice = Conversation(
        protocol=TCP_,
        inside_local=there.inside_local,
        inside_global=there.inside_global,
        outside_local=at(alias, 1720),
        outside_global=there.outside_global,
        begun_inside=True,
    )
    doors = FakeDoors(FIRST)
    gateway = H323(twice, doors)
    setup = h.tpkt(h.q931(h.SETUP, h.setup(destCallSignalAddress=h.transport(alias, 1720))))
    assert packed(OUTSIDE) + b"\x06\xb8" in through(gateway, OUT, setup)
    connect = h.tpkt(h.q931(h.CONNECT, h.connect(h245Address=h.transport(OUTSIDE, 3333))))
    assert packed(alias) + b"\x0d\x05" in through(gateway, IN, connect)
    assert doors.calls == [(TCP_, at(OUTSIDE, 3333), LIFE, "h245")]


# H.245 on its own connection


class Channels:
    """An H.245 connection."""

    def __init__(self) -> None:
        self.doors = FakeDoors(FIRST)
        self.gateway = H245(conversation(TCP_, 3333), self.doors)

    def say(self, from_outside: bool, message: bytes) -> Any:
        data = h.tpkt(message)
        return h.decoded(CONTROL, edited(data, self.gateway.take(from_outside, data))[4:])[1]


def test_channels_both_ways() -> None:
    channels = Channels()
    channels.say(OUT, h.round_trip())
    _, olc = channels.say(OUT, h.open_channel(h.channel(None, RTCP)))
    assert addresses_of(olc) == (None, NEW_RTCP)
    # What the other side opens is its own, and what it says of ours is ours again.
    _, olc = channels.say(IN, h.open_channel(h.channel(None, h.unicast(OUTSIDE, 6001))))
    assert addresses_of(olc) == (None, h.unicast(OUTSIDE, 6001))
    _, ack = channels.say(OUT, h.acknowledge(RTP, RTCP))
    parameters = ack["forwardMultiplexAckParameters"][1]
    assert (parameters["mediaChannel"], parameters["mediaControlChannel"]) == (NEW_RTP, NEW_RTCP)
    _, echo = channels.say(IN, h.acknowledge(NEW_RTP, h.unicast(OUTSIDE, 6001)))
    assert echo["forwardMultiplexAckParameters"][1]["mediaChannel"] == RTP
    assert list(channels.doors.opened.values()) == [Opened(UDP_, at(INSIDE, 5004), PEER, LIFE, "", pair=True)]


def test_conferences_of_t120_go_both_ways() -> None:
    channels = Channels()
    mine = h.unicast(INSIDE, 1503)
    _, olc = channels.say(OUT, h.open_channel(h.channel(None, RTCP, data=mine)))
    assert olc["separateStack"]["networkAddress"][1] == h.unicast(GLOBAL, FIRST + 2) or olc["separateStack"][
        "networkAddress"
    ][1] == h.unicast(GLOBAL, FIRST)
    _, ack = channels.say(OUT, h.acknowledge(RTP, RTCP, mine))
    assert ack["separateStack"]["networkAddress"][1] == olc["separateStack"]["networkAddress"][1]
    assert (TCP_, at(INSIDE, 1503)) in channels.doors.opened
    theirs = h.unicast(OUTSIDE, 1503)
    _, ack = channels.say(IN, h.acknowledge(h.unicast(OUTSIDE, 7000), h.unicast(OUTSIDE, 7001), theirs))
    assert ack["separateStack"]["networkAddress"][1] == theirs
    assert not channels.doors.calls  # the inside host connects as to any server


def test_slipstream_channels_of_other_hosts() -> None:
    channels = Channels()
    channels.say(OUT, h.open_channel(h.channel(h.unicast(OTHER_INSIDE, 22), RTCP)))
    assert [door.inside for door in channels.doors.opened.values()] == [at(INSIDE, 5004)]
    assert channels.doors.refusals == {"foreign address": 1}
    channels.say(IN, h.open_channel(h.channel(RTP, h.unicast(INSIDE, 9999))))
    assert len(channels.doors.opened) == 1


def test_what_is_no_h245_ends_it() -> None:
    channels = Channels()
    channels.gateway.take(OUT, h.tpkt(b"\xff\xff\xff"))
    assert channels.gateway.ended
    assert channels.doors.refusals == {"unreadable message": 1}


# Bad input


LIBRARY = Messages()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_unreadable(data: bytes) -> None:
    for read in (LIBRARY.signalling, LIBRARY.control, LIBRARY.ras):
        try:
            found = read(data).found
        except Unreadable:
            continue
        assert all(len(one.address) == 4 and 0 <= one.port < 65536 for one in found)


SAMPLES = [
    h.setup(
        h245Address=MINE,
        fastStart=[h.fast(h.channel(RTP, RTCP))],
        sourceCallSignalAddress=h.transport(INSIDE, 1720),
    ),
    h.connect(h245Address=MINE, h245Tunnelling=True, h245Control=[h.open_channel(h.channel(RTP, RTCP))]),
    h.facility("callForwarded", alternativeAddress=h.transport(INSIDE, 22)),
    h.open_channel(h.channel(RTP, RTCP, reverse=True, data=h.unicast(INSIDE, 1503))),
    h.acknowledge(RTP, RTCP, h.unicast(INSIDE, 1503)),
    h.registration(INSIDE, 1720, 1719),
]


@settings(deadline=None)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """Whatever is damaged: nothing is raised, and only the inside host's own addresses are opened."""
    sample = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 5))):
        at_ = data.draw(st.integers(0, len(sample) - 1))
        sample[at_ : at_ + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not sample:
            return
    call, channels = Call(begun_inside=False), Channels()
    for gateway, doors, message in (
        (call.gateway, call.doors, h.tpkt(h.q931(h.CONNECT, bytes(sample)))),
        (channels.gateway, channels.doors, h.tpkt(bytes(sample))),
    ):
        for from_outside in (OUT, IN):
            out = through(gateway, from_outside, message)
            assert len(out) == len(message)
        assert {inside.address for _, inside in doors.opened} <= {packed(INSIDE)}
        assert {door.peer for door in doors.opened.values()} <= {PEER}


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60), st.booleans()), max_size=10))
def test_any_stream(said: list[tuple[bool, bytes, bool]]) -> None:
    call = Call(begun_inside=False)
    for from_outside, data, framed in said:
        message = h.tpkt(data) if framed else data
        assert len(through(call.gateway, from_outside, message, 3, 7)) == len(message)
    assert not call.opened


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_context(context: bytes) -> None:
    for kind in (H323, H245):
        gateway = kind(conversation(TCP_, 1720), FakeDoors())
        if gateway.restore(context):
            assert len(gateway.context()) <= 256


def _nested(depth: int) -> bytes:
    """Parameters within parameters: a type of H.245 that contains itself."""
    value: Any = ("logical", 0)
    for _ in range(depth):
        value = ("genericParameter", [{"parameterIdentifier": ("standard", 0), "parameterValue": value}])
    capability = {
        "capabilityIdentifier": ("uuid", bytes(16)),
        "collapsing": [{"parameterIdentifier": ("standard", 0), "parameterValue": value}],
    }
    entry = {
        "capabilityTableEntryNumber": 1,
        "capability": (
            "receiveAndTransmitDataApplicationCapability",
            {"application": ("genericDataCapability", capability), "maxBitRate": 1},
        ),
    }
    return h.control(
        "request",
        "terminalCapabilitySet",
        {"sequenceNumber": 1, "protocolIdentifier": (0, 0, 8, 245, 0, 7), "capabilityTable": [entry]},
    )


def test_parameters_within_parameters_without_end() -> None:
    assert LIBRARY.control(_nested(3)).kind == "terminalCapabilitySet"
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        deep = _nested(800)
    finally:
        sys.setrecursionlimit(limit)
    assert len(deep) < LONGEST
    with pytest.raises(Unreadable, match="unreadable message") as refused:
        LIBRARY.control(deep)
    assert isinstance(refused.value.__cause__, RecursionError)


def test_too_long() -> None:
    with pytest.raises(Unreadable, match="message too long"):
        LIBRARY.signalling(bytes(LONGEST + 1))


def tshark_reads(path: Path, said: list[tuple[int, bytes]]) -> list[str]:
    """What tshark says of messages on connections to some ports, without what is about time and sums."""
    sequence = {1720: 1, 3333: 1}
    packets = []
    for port, data in said:
        head = TCP(sport=1025, dport=port, flags="PA", seq=sequence[port], ack=1)
        packets.append(IP(src="192.0.2.1", dst="192.0.2.2") / head / Raw(data))
        sequence[port] += len(data)
    wrpcap(str(path), packets)
    command = ["tshark", "-r", str(path), "-T", "pdml", "-d", "tcp.port==3333,h245"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "_ws.malformed" not in done.stdout
    return [found["said"] for line in done.stdout.splitlines() if (found := SHOWN.search(line))]


SHOWN = re.compile(r'name="h2(25|45)[^/]* showname="(?P<said>[^"]*)"')


@pytest.mark.skipif(which("tshark") is None, reason="needs tshark")
def test_tshark_reads_the_same_with_other_addresses(tmp_path: Path) -> None:
    """Another reader of the same bytes: every address where we wrote one, and all else as it was."""
    said = [
        (1720, h.tpkt(h.q931(h.SETUP, SAMPLES[0]))),
        (1720, h.tpkt(h.q931(h.CONNECT, SAMPLES[1]))),
        (3333, h.tpkt(SAMPLES[3])),
        (3333, h.tpkt(SAMPLES[4])),
    ]
    doors = FakeDoors(FIRST)
    gateways = {1720: H323(conversation(TCP_, 1720), doors), 3333: H245(conversation(TCP_, 3333), doors)}
    before = tshark_reads(tmp_path / "before.pcap", said)
    made = [(port, edited(data, gateways[port].take(OUT, data))) for port, data in said]
    after = tshark_reads(tmp_path / "after.pcap", made)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    address = [(f"ip: {INSIDE}", f"ip: {GLOBAL}")]
    network = [(f"network: {INSIDE}", f"network: {GLOBAL}")]
    rtp = [*network, ("tsapIdentifier: 5004", f"tsapIdentifier: {FIRST + 2}")]
    rtcp = [*network, ("tsapIdentifier: 5005", f"tsapIdentifier: {FIRST + 3}")]
    t120 = [*network, ("tsapIdentifier: 1503", f"tsapIdentifier: {FIRST + 4}")]
    control = [*address, ("port: 1234", f"port: {FIRST}")]
    assert changed == [
        *(control + address + [("port: 1720", "port: 2025")] + rtp + rtcp),
        *(control + rtp + rtcp),
        *(rtp + rtcp + t120),
        *(t120 + rtp + rtcp),
    ]
