"""Calls of H.323 through the translator: what is negotiated gets through, and nothing else does."""

import pytest
from pycrate_asn1dir.H225 import H323_MESSAGES
from pycrate_asn1dir.H245 import MULTIMEDIA_SYSTEM_CONTROL
from scapy.layers.inet import UDP

from snat.nat.table import NatTable
from tests.packets import tcp, udp
from tests.translate.alg import h323_messages as h
from tests.translate.alg.flow import Connection, Host, carried, ftp_nat, services
from tests.translate.alg.written_doors import packed
from tests.translate.configured import nat_by
from tests.translate.nat import A, B, Nat, P, S, T

UUIE, CONTROL = H323_MESSAGES.H323_UserInformation, MULTIMEDIA_SYSTEM_CONTROL.MultimediaSystemControlMessage
SIGNALLING = 1720


class Dialogue(Connection):
    """A connection whose messages are in TPKT."""

    def open(self) -> "Dialogue":
        """Shake hands."""
        super().open()
        return self

    def tell(self, host: Host, message: bytes, *cuts: int) -> bytes:
        """What the other end gets of a message, in segments that end at ``cuts``."""
        other, data = self.other(host), h.tpkt(message)
        before, done = other.expects, 0
        for cut in (*cuts, len(data)):
            self.say(host, data[done:cut])
            done = cut
        return other.got[before + 4 :]


class Call(Dialogue):
    """The connection of a call from inside, or to a server inside."""

    def __init__(self, nat: Nat, *, server_inside: bool = False) -> None:
        ends = (
            {"client": (T, 40000), "server": (A, SIGNALLING)}
            if server_inside
            else {"server": (S, SIGNALLING)}
        )
        called = (P, SIGNALLING) if server_inside else None
        super().__init__(nat, server_inside=server_inside, called=called, **ends)  # type: ignore[arg-type]
        self.open()
        self.tell(self.client, h.q931(h.SETUP, h.setup()))

    def connected(self, host: Host, *cuts: int, **fields: object) -> h.Fields:
        """What the other end reads of a Connect."""
        message = h.q931(h.CONNECT, h.connect(**fields), from_caller=host is self.client)
        got = self.tell(host, message, *cuts)
        return dict(h.decoded(UUIE, got[got.index(b"\x7e", 17) + 4 :])["h323-uu-pdu"]["h323-message-body"][1])


def port_of(choice: h.Choice) -> int:
    """The port of an address, which is the pool's."""
    kind, value = choice
    if kind == "unicastAddress":
        _, value = value
        assert value["network"] == packed(P)
        return int(value["tsapIdentifier"])
    assert value["ip"] == packed(P)
    return int(value["port"])


def media(nat: Nat, port: int, host: str, inside: int, sender: str = S) -> None:
    """A datagram from outside for a port arrives, and is answered."""
    (back,) = carried(nat, udp(sender, 6000, P, port), from_outside=True)
    assert (back.dst, back[UDP].dport) == (host, inside)
    (out,) = carried(nat, udp(host, inside, sender, 6000), from_outside=False)
    assert (out.src, out[UDP].sport, out.dst) == (P, port, sender)


def channels(control: Dialogue, host: Host, *, data: bool = False) -> tuple[int, ...]:
    """RTP, RTCP and T.120 as the other end is told to send them to."""
    t120 = h.unicast(A, 1503) if data else None
    got = control.tell(host, h.acknowledge(h.unicast(A, 5004), h.unicast(A, 5005), t120))
    fields = h.decoded(CONTROL, got)[1][1]
    found = fields["forwardMultiplexAckParameters"][1]
    ports = [port_of(found["mediaChannel"]), port_of(found["mediaControlChannel"])]
    if data:
        ports.append(port_of(fields["separateStack"]["networkAddress"][1]))
    return tuple(ports)


def test_a_call_from_inside_as_netmeeting_makes_it() -> None:
    """Header and message in two segments each; H.245 to the other side; audio both ways; T.120 to us."""
    nat = ftp_nat("H225")
    call = Call(nat)
    call.connected(call.server, 4, h245Address=h.transport(S, 3333))
    control = Dialogue(nat, client=(A, 40002), server=(S, 3333)).open()
    rtp, rtcp, t120 = channels(control, control.client, data=True)
    assert (rtp & 1, rtcp) == (0, rtp + 1)
    media(nat, rtp, A, 5004)
    media(nat, rtcp, A, 5005)
    (data,) = carried(nat, tcp(S, 7000, P, t120), from_outside=True)
    assert (data.dst, data.dport) == (A, 1503)
    assert not carried(nat, udp(T, 6000, P, rtp), from_outside=True), "nobody else"
    assert nat.translator.reader.counters["h245"]["edit"] == 3


@pytest.mark.parametrize("what", [f"tcp {A} {SIGNALLING} {P} {SIGNALLING}", f"{A} {P}"])
def test_a_call_to_a_server_inside(what: str) -> None:
    nat = nat_by(f"ip nat inside source static {what}")
    nat.translator.reader.use(services("H225"))
    call = Call(nat, server_inside=True)
    named = call.connected(call.server, h245Address=h.transport(A, 3333))["h245Address"]
    control = Dialogue(
        nat, client=(T, 40002), server=(A, 3333), called=(P, port_of(named)), server_inside=True
    ).open()
    rtp, rtcp = channels(control, control.server)
    media(nat, rtp, A, 5004, sender=T)
    media(nat, rtcp, A, 5005, sender=T)


def test_fast_start_needs_no_h245() -> None:
    nat = ftp_nat("H225")
    call = Call(nat)
    element = h.fast(h.channel(h.unicast(A, 5004), h.unicast(A, 5005), reverse=True))
    (got,) = call.connected(call.client, fastStart=[element])["fastStart"]
    olc = h.decoded(MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel, got)
    found = olc["reverseLogicalChannelParameters"]["multiplexParameters"][1]
    media(nat, port_of(found["mediaChannel"]), A, 5004)
    media(nat, port_of(found["mediaControlChannel"]), A, 5005)


def test_slipstream_a_forwarded_call_opens_nothing() -> None:
    nat = ftp_nat("H225")
    call = Call(nat)
    before = len(nat.table)
    for address in (h.transport(B, 22), h.transport(A, 22), h.transport(B, 5900)):
        message = h.facility("callForwarded", alternativeAddress=address)
        got = call.tell(call.client, h.q931(h.FACILITY, message))
        assert got.endswith(message)
    call.connected(call.client, h245Address=h.transport(B, 5000))
    call.connected(call.client, h245Address=h.transport(A, 22))
    assert len(nat.table) == before
    assert nat.counters.expected == 0
    assert nat.translator.reader.counters["H225"]["port below 1024"] == 1


def test_a_retransmission_says_the_same() -> None:
    nat = ftp_nat("H225")
    call = Call(nat)
    start = len(call.client.sent)
    call.connected(call.client, h245Address=h.transport(A, 3333))
    call.repeat(call.client, start, len(call.client.sent))
    assert call.server.got.count(packed(P)) == 1
    assert packed(A) not in call.server.got


def test_a_standby_goes_on() -> None:
    nat = ftp_nat("H225")
    call = Call(nat)
    named = call.connected(call.client, h245Address=h.transport(A, 3333))["h245Address"]
    table = NatTable()
    table.add(nat.table.records())
    taker = ftp_nat("H225", table=table, nat_id=2, now=nat.now)
    taker.manage()
    call.nat = taker
    again = call.connected(call.client, h245Address=h.transport(A, 3333))["h245Address"]
    assert again == named
    control = Dialogue(
        taker, client=(S, 40002), server=(A, 3333), called=(P, port_of(named)), server_inside=True
    ).open()
    rtp, _ = channels(control, control.server)
    media(taker, rtp, A, 5004)


def test_off_nothing_is_read() -> None:
    nat = Nat()
    call = Connection(nat, server=(S, SIGNALLING)).open()
    data = h.tpkt(h.q931(h.SETUP, h.setup(h245Address=h.transport(A, 3333))))
    call.say(call.client, data)
    assert call.server.got == data


def test_a_registration_and_a_call_by_the_gatekeeper() -> None:
    nat = ftp_nat("ras", "H225")
    (asked,) = carried(nat, udp(A, 1719, S, 1719, h.registration(A, 1720, 1719)), from_outside=False)
    fields = h.decoded(H323_MESSAGES.RasMessage, bytes(asked[UDP].payload))[1]
    named = port_of(fields["callSignalAddress"][0])
    assert port_of(fields["rasAddress"][0]) == asked[UDP].sport
    confirmed = udp(S, 1719, P, asked[UDP].sport, h.confirmation(timeToLive=120))
    assert carried(nat, confirmed, from_outside=True)
    nat.wait(60)  # longer than a gatekeeper has for its answer
    assert not carried(nat, tcp(T, 40000, P, named), from_outside=True), "not past the gatekeeper"
    call = Dialogue(nat, client=(S, 40000), server=(A, 1720), called=(P, named), server_inside=True).open()
    call.tell(call.client, h.q931(h.SETUP, h.setup()))
    message = h.q931(h.CONNECT, h.connect(h245Address=h.transport(A, 3333)), from_caller=False)
    assert packed(P) in call.tell(call.server, message)
