"""The kernel's own helpers for PPTP and H.323 beside our gateways: what they open and rewrite is the same.

The same dialogue goes through netfilter, with ``nf_nat_pptp`` and ``nf_nat_h323`` assigned, and through our
translator. IDs and ports outside are each NAT's own choice, so the dialogue goes on with what that NAT said.
Where the two differ, a test of its own holds both to it and says why.

H.225.0 is said without what came after its first versions: the kernel cannot read a list of extensions that
is longer than it knows (it takes what is absent for present), nor a Q.931 element of one byte.
"""

import subprocess
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import pytest
from pycrate_asn1dir.H225 import H323_MESSAGES
from pycrate_asn1dir.H245 import MULTIMEDIA_SYSTEM_CONTROL
from scapy.layers.inet import IP, UDP
from scapy.layers.pptp import (
    PPTP,
    PPTPCallClearRequest,
    PPTPOutgoingCallReply,
    PPTPOutgoingCallRequest,
    PPTPSetLinkInfo,
    PPTPStartControlConnectionReply,
    PPTPStartControlConnectionRequest,
    PPTPWANErrorNotify,
)
from scapy.packet import Packet

from tests.packets import tcp, udp
from tests.system.namespaces import namespaces
from tests.system.test_kernel_oracle import KernelNat, kernel_nat
from tests.translate.alg import h323_messages as h
from tests.translate.alg.flow import Connection, Host, carried, ftp_nat
from tests.translate.alg.written_doors import packed
from tests.translate.nat import A, B, Nat, P, S, T
from tests.translate.test_gre import call, id_of

pytestmark = pytest.mark.root

HELPERS: Final = """
table ip helpers {
    ct helper pptp { type "pptp" protocol tcp; }
    ct helper calls { type "Q.931" protocol tcp; }
    chain assign {
        type filter hook prerouting priority filter;
        tcp dport 1723 ct helper set "pptp"
        tcp dport 1720 ct helper set "calls"
    }
}
"""


class Kernel:
    """Netfilter, packet by packet."""

    def __init__(self, nat: KernelNat) -> None:
        self._nat = nat

    def send(self, packet: Packet, *, from_outside: bool) -> list[Packet]:
        got = self._nat.send(bytes(packet), from_outside)
        return [] if got is None else [IP(got)]


class Ours:
    """Our translator."""

    def __init__(self, nat: Nat) -> None:
        self._nat = nat

    def send(self, packet: Packet, *, from_outside: bool) -> list[Packet]:
        return carried(self._nat, packet, from_outside=from_outside)


Through = Kernel | Ours


class Dialogue(Connection):
    """A connection from inside through either."""

    def __init__(self, nat: Through, client: tuple[str, int], server: tuple[str, int]) -> None:
        super().__init__(Nat(), client=client, server=server)
        self._through = nat
        self.open()

    def carry(self, host: Host, packet: Packet) -> list[Packet]:
        arrived = self._through.send(packet, from_outside=host is self.server)
        for one in arrived:
            self.other(host).receive(one)
        return arrived

    def tell(self, host: Host, message: bytes) -> bytes:
        """What the other end gets."""
        other = self.other(host)
        before = other.expects
        self.say(host, message)
        return other.got[before:]


@pytest.fixture(scope="module")
def netfilter() -> Iterator[KernelNat]:
    with namespaces("helpers") as (router,), kernel_nat(router) as kernel:
        nft = ["ip", "netns", "exec", router.name, "nft", "-f", "-"]
        done = subprocess.run(nft, input=HELPERS, text=True, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"this kernel has no helpers for PPTP and H.323: {done.stderr.splitlines()[0]}")
        yield kernel


@pytest.fixture(params=["kernel", "ours"])
def nat(request: pytest.FixtureRequest) -> Through:
    if request.param == "kernel":
        return Kernel(request.getfixturevalue("netfilter"))
    return Ours(ftp_nat("pptp", "H225"))


def is_kernel(nat: Through) -> bool:
    return isinstance(nat, Kernel)


PORTS = count(41000)


class Control(Dialogue):
    """A control connection of PPTP that is up."""

    def __init__(self, nat: Through, host: str = A) -> None:
        super().__init__(nat, (host, next(PORTS)), (S, 1723))
        self.tell(self.client, bytes(PPTPStartControlConnectionRequest()))
        self.tell(self.server, bytes(PPTPStartControlConnectionReply()))

    def says(self, host: Host, message: PPTP) -> PPTP:
        return type(message)(self.tell(host, bytes(message)))

    def call(self, own: int, theirs: int) -> int:
        """A call by the client; what the server knows it by."""
        asked = self.says(self.client, PPTPOutgoingCallRequest(call_id=own)).call_id
        reply = self.says(self.server, PPTPOutgoingCallReply(call_id=theirs, peer_call_id=asked))
        assert (reply.call_id, reply.peer_call_id) == (theirs, own)
        return int(asked)


def talks(nat: Through, host: str, own: int, outside: int, theirs: int) -> None:
    for _ in range(2):
        (out,) = nat.send(call(host, S, theirs), from_outside=False)
        assert (out.src, out.dst, id_of(out)) == (P, S, theirs)
        (back,) = nat.send(call(S, P, outside), from_outside=True)
        assert (back.src, back.dst, id_of(back)) == (S, host, own)


def test_pptp_two_clients_of_one_server(nat: Through) -> None:
    one, other = Control(nat), Control(nat, B)
    first, second = one.call(7, 191), other.call(7, 192)
    assert first != second
    talks(nat, A, 7, first, 191)
    talks(nat, B, 7, second, 192)
    assert not nat.send(call(S, P, 9), from_outside=True)
    assert not nat.send(call(T, P, first), from_outside=True)


def test_pptp_messages_about_a_call(nat: Through) -> None:
    control = Control(nat)
    outside = control.call(8, 193)
    client, server = control.client, control.server
    assert control.says(server, PPTPSetLinkInfo(peer_call_id=outside)).peer_call_id == 8
    assert control.says(server, PPTPWANErrorNotify(peer_call_id=outside)).peer_call_id == 8
    assert control.says(client, PPTPSetLinkInfo(peer_call_id=193)).peer_call_id == 193
    assert control.says(client, PPTPCallClearRequest(call_id=8)).call_id == outside


def test_pptp_a_second_call_of_a_connection_differs(nat: Through) -> None:
    """The kernel gives a call the number of its connection's port, so there is but one (nf_nat_pptp.c)."""
    control = Control(nat)
    first, second = control.call(10, 194), control.call(11, 195)
    assert (first == second) is is_kernel(nat)
    if not is_kernel(nat):
        talks(nat, A, 10, first, 194)
        talks(nat, A, 11, second, 195)


def test_pptp_a_message_in_two_segments_differs(nat: Through) -> None:
    """The kernel looks at segments; we translate a message whose first bytes came in one piece."""
    control = Control(nat)
    data = bytes(PPTPOutgoingCallRequest(call_id=12))
    control.say(control.client, data[:20])
    control.say(control.client, data[20:])
    asked = PPTPOutgoingCallRequest(control.server.got[-168:]).call_id
    reply = PPTPOutgoingCallReply(call_id=196, peer_call_id=asked)
    assert control.says(control.server, reply).peer_call_id == 12
    assert bool(nat.send(call(S, P, asked), from_outside=True)) is not is_kernel(nat)


# H.323


class Call(Dialogue):
    """The connection of a call from inside."""

    def __init__(self, nat: Through) -> None:
        super().__init__(nat, (A, next(PORTS)), (S, 1720))

    def says(self, host: Host, kind: int, message: bytes, *, single: bool = False) -> dict[str, Any]:
        """What the other end reads of a message."""
        whole = h.q931(kind, message, from_caller=host is self.client, single=single)
        got = self.tell(host, h.tpkt(whole))
        value = h.decoded(H323_MESSAGES.H323_UserInformation, got[got.index(b"\x7e", 17) + 4 :])
        return dict(value["h323-uu-pdu"]["h323-message-body"][1])

    def connect(self, host: Host, **fields: object) -> dict[str, Any]:
        plain = {"destinationInfo": {"mc": False, "undefinedNode": False}, "conferenceID": bytes(16)}
        return self.says(host, h.CONNECT, h.signalling("connect", {**plain, **fields}))


def ours(choice: h.Choice) -> int:
    """The port of an address that must be the pool's."""
    value = choice[1][1] if choice[0] == "unicastAddress" else choice[1]
    assert value.get("ip", value.get("network")) == packed(P)
    return int(value.get("port", value.get("tsapIdentifier")))


def media(nat: Through, port: int, inside: int) -> None:
    (back,) = nat.send(udp(S, 6000, P, port), from_outside=True)
    assert (back.dst, back[UDP].dport) == (A, inside)
    (out,) = nat.send(udp(A, inside, S, 6000), from_outside=False)
    assert (out.src, out[UDP].sport) == (P, port)


def test_h323_setup(nat: Through) -> None:
    call_ = Call(nat)
    addresses = {
        "sourceCallSignalAddress": h.transport(A, 1720),
        "destCallSignalAddress": h.transport(S, 1720),
        "h245Address": h.transport(A, 3301),
    }
    got = call_.says(call_.client, h.SETUP, h.setup(**addresses))
    assert ours(got["sourceCallSignalAddress"]) == call_.server.peer[1]  # type: ignore[index]
    assert got["destCallSignalAddress"] == addresses["destCallSignalAddress"]
    port = ours(got["h245Address"])
    (arrived,) = nat.send(tcp(S, 5000, P, port), from_outside=True)
    assert (arrived.dst, arrived.dport) == (A, 3301)
    assert not nat.send(tcp(T, 5000, P, port), from_outside=True)


def test_h323_fast_start(nat: Through) -> None:
    call_ = Call(nat)
    element = h.fast(h.channel(h.unicast(A, 5004), h.unicast(A, 5005), reverse=True))
    (got,) = call_.says(call_.client, h.SETUP, h.setup(fastStart=[element]))["fastStart"]
    olc = h.decoded(MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel, got)
    found = olc["reverseLogicalChannelParameters"]["multiplexParameters"][1]
    media(nat, ours(found["mediaChannel"]), 5004)
    media(nat, ours(found["mediaControlChannel"]), 5005)


def test_h323_channels_by_h245(nat: Through) -> None:
    call_ = Call(nat)
    call_.says(call_.client, h.SETUP, h.setup())
    theirs = h.transport(S, 3302)
    assert call_.connect(call_.server, h245Address=theirs)["h245Address"] == theirs
    control = Dialogue(nat, (A, next(PORTS)), (S, 3302))
    type_ = MULTIMEDIA_SYSTEM_CONTROL.MultimediaSystemControlMessage
    asked = h.tpkt(h.open_channel(h.channel(None, h.unicast(A, 5015))))
    olc = h.decoded(type_, control.tell(control.client, asked)[4:])[1][1]
    found = olc["forwardLogicalChannelParameters"]["multiplexParameters"][1]
    media(nat, ours(found["mediaControlChannel"]), 5015)
    ack = h.tpkt(h.acknowledge(h.unicast(A, 5024), h.unicast(A, 5025), h.unicast(A, 1503)))
    fields = h.decoded(type_, control.tell(control.client, ack)[4:])[1][1]
    found = fields["forwardMultiplexAckParameters"][1]
    media(nat, ours(found["mediaChannel"]), 5024)
    media(nat, ours(found["mediaControlChannel"]), 5025)
    t120 = ours(fields["separateStack"]["networkAddress"][1])
    (arrived,) = nat.send(tcp(S, 5000, P, t120), from_outside=True)
    assert (arrived.dst, arrived.dport) == (A, 1503)


def test_h323_a_third_partys_address_opens_nothing(nat: Through) -> None:
    call_ = Call(nat)
    named = h.transport(B, 3303)
    assert call_.says(call_.client, h.SETUP, h.setup(h245Address=named))["h245Address"] == named
    assert not nat.send(tcp(S, 5000, P, 3303), from_outside=True)


def test_h323_a_forwarded_call_differs(nat: Through) -> None:
    """The kernel lets the other side call whom the message names, any service of any inside host.

    It does not where both are behind one router and gateway, which is by routes of the first namespace here
    and so does not help (``callforward_filter``). That is how NAT slipstreaming reached all hosts inside.
    """
    call_ = Call(nat)
    call_.says(call_.client, h.SETUP, h.setup())
    forwarded = h.transport(B, 2222)
    message = h.facility("callForwarded", alternativeAddress=forwarded)
    got = call_.says(call_.client, h.FACILITY, message)["alternativeAddress"]
    if is_kernel(nat):
        (arrived,) = nat.send(tcp(S, 5000, P, ours(got)), from_outside=True)
        assert (arrived.dst, arrived.dport) == (B, 2222)
    else:
        assert got == forwarded
        assert not nat.send(tcp(S, 5000, P, 2222), from_outside=True)


def test_h323_a_single_byte_element_differs(nat: Through) -> None:
    """The kernel takes it for one with a length, and does not find the message behind it."""
    call_ = Call(nat)
    named = h.transport(A, 3304)
    got = call_.says(call_.client, h.SETUP, h.setup(h245Address=named), single=True)["h245Address"]
    assert (got == named) is is_kernel(nat)
