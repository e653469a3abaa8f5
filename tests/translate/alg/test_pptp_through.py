"""PPTP and its GRE packets through the translator: clients inside, servers inside, a takeover."""

import pytest
from scapy.layers.pptp import (
    PPTP,
    PPTPCallDisconnectNotify,
    PPTPOutgoingCallReply,
    PPTPOutgoingCallRequest,
    PPTPStartControlConnectionReply,
    PPTPStartControlConnectionRequest,
)

from snat.nat.entry import Flag
from snat.nat.table import NatTable
from snat.nat.tracking import Timeouts
from tests.packets import bare
from tests.translate.alg.flow import Connection, Host, ftp_nat, services
from tests.translate.configured import nat_by
from tests.translate.nat import A, B, Nat, P, S, T
from tests.translate.test_gre import call, id_of

GRE, PORT = 47, 1723


class Control(Connection):
    """A control connection that is up."""

    def __init__(
        self, nat: Nat, host: str = A, port: int = 40000, server: str = S, **settings: object
    ) -> None:
        super().__init__(nat, client=(host, port), server=(server, PORT), **settings)  # type: ignore[arg-type]
        self.open()
        self.say(self.client, bytes(PPTPStartControlConnectionRequest()))
        self.say(self.server, bytes(PPTPStartControlConnectionReply()))

    def tell(self, host: Host, message: PPTP) -> PPTP:
        """What the other end gets of a message."""
        other = self.other(host)
        before = other.expects
        self.say(host, bytes(message))
        return type(message)(other.got[before:])

    def call(self, own: int, theirs: int) -> int:
        """A call by the client; what the server knows it by."""
        asked = self.tell(self.client, PPTPOutgoingCallRequest(call_id=own)).call_id
        reply = self.tell(self.server, PPTPOutgoingCallReply(call_id=theirs, peer_call_id=asked))
        assert (reply.call_id, reply.peer_call_id) == (theirs, own)
        return int(asked)


def talks(nat: Nat, host: str, own: int, outside: int, theirs: int, server: str = S) -> None:
    """Packets of a call reach both ends, with the IDs that these gave."""
    for _ in range(2):
        out = nat.out(call(host, server, theirs))
        assert out is not None
        assert (out.src, out.dst, id_of(out)) == (P, server, theirs)
        back = nat.back(call(server, P, outside))
        assert back is not None
        assert (back.src, back.dst, id_of(back)) == (server, host, own)


def calls(nat: Nat) -> list[bytes]:
    return [record for record in nat.table.records() if record[22] == GRE]


def test_two_clients_and_one_server_with_the_same_id() -> None:
    nat = ftp_nat("pptp")
    one, other = Control(nat), Control(nat, B, 40001)
    first, second = one.call(7, 91), other.call(7, 92)
    assert first != second
    talks(nat, A, 7, first, 91)
    talks(nat, B, 7, second, 92)
    assert len(calls(nat)) == 4
    assert not any(record[42] & Flag.EXPECTED for record in calls(nat))
    assert nat.dropped(call(T, P, first), from_outside=True) == "filtered"
    assert nat.dropped(call(S, P, 93), from_outside=True) == "unknown_inbound"


def test_several_calls_of_one_connection_and_their_ends() -> None:
    nat = ftp_nat("pptp")
    control = Control(nat)
    ids = [control.call(own, 90 + own) for own in (1, 2, 3)]
    for own, outside in zip((1, 2, 3), ids, strict=True):
        talks(nat, A, own, outside, 90 + own)
    control.tell(control.server, PPTPCallDisconnectNotify(call_id=92))
    assert len(calls(nat)) == 4
    assert nat.dropped(call(S, P, ids[1]), from_outside=True) == "unknown_inbound"
    talks(nat, A, 3, ids[2], 93)


def test_the_first_packet_may_come_from_outside() -> None:
    nat = ftp_nat("pptp")
    outside = Control(nat).call(7, 91)
    assert id_of(nat.back(call(S, P, outside))) == 7
    assert id_of(nat.out(call(A, S, 91))) == 91


def test_a_call_that_nobody_uses_is_forgotten() -> None:
    nat = ftp_nat("pptp")
    control = Control(nat)
    outside = control.call(7, 91)
    assert len(calls(nat)) == 2
    nat.wait(301)
    assert not calls(nat)
    assert nat.dropped(call(S, P, outside), from_outside=True) == "unknown_inbound"


def test_a_call_without_packets_for_its_time_out_is_gone() -> None:
    nat = ftp_nat("pptp")
    quick = Timeouts(udp=300, tcp=7440, syn=240, closing=240, finrst=60, icmp=60, other=86400, pptp=120)
    nat.translator.flows.age_by(quick)
    outside = Control(nat).call(7, 91)
    talks(nat, A, 7, outside, 91)
    plain = nat.out(bare(A, T, GRE, b"\0\0\x08\0" + b"payload"))
    assert plain is not None
    nat.wait(100)
    talks(nat, A, 7, outside, 91)
    nat.wait(100)
    assert len(calls(nat)) == 3
    nat.wait(60)
    assert len(calls(nat)) == 1  # GRE without call IDs ages as other protocols do


def test_a_server_that_gives_two_hosts_one_id() -> None:
    """It cannot tell them apart, for it knows only our address: the second call is not let out as it."""
    nat = ftp_nat("pptp")
    one, other = Control(nat), Control(nat, B, 40001)
    first, second = one.call(7, 91), other.call(8, 91)
    talks(nat, A, 7, first, 91)
    assert nat.translator.reader.counters["pptp"]["call ID of another host"] == 1
    assert nat.dropped(call(B, S, 91), from_outside=False) == "address_taken"
    assert id_of(nat.back(call(S, P, second))) == 8


@pytest.mark.parametrize("what", [f"tcp {A} {PORT} {P} {PORT}", f"{A} {P}"])
def test_a_server_inside_behind_a_static_rule(what: str) -> None:
    """No rule is for its GRE: the call has the address of its control connection."""
    nat = nat_by(f"ip nat inside source static {what}")
    nat.translator.reader.use(services("pptp"))
    control = Control(nat, T, 40000, A, server_inside=True, called=(P, PORT))
    asked = control.tell(control.client, PPTPOutgoingCallRequest(call_id=5))
    assert asked.call_id == 5
    outside = control.tell(control.server, PPTPOutgoingCallReply(call_id=99, peer_call_id=5)).call_id
    talks(nat, A, 99, outside, 5, server=T)


def test_a_standby_goes_on() -> None:
    """Entries and contexts as they were replicated; then one more message, and more packets."""
    nat = ftp_nat("pptp")
    control = Control(nat)
    used, unused = control.call(7, 91), control.call(8, 92)
    talks(nat, A, 7, used, 91)
    table = NatTable()
    table.add(nat.table.records())
    taker = ftp_nat("pptp", table=table, nat_id=2, now=nat.now)
    taker.manage()
    control.nat = taker
    talks(taker, A, 7, used, 91)
    talks(taker, A, 8, unused, 92)
    third = control.call(9, 93)
    talks(taker, A, 9, third, 93)
    control.tell(control.server, PPTPCallDisconnectNotify(call_id=91))
    assert taker.dropped(call(S, P, used), from_outside=True) == "unknown_inbound"


def test_off_a_call_goes_by_addresses() -> None:
    nat = Nat()
    control = Control(nat)
    assert control.call(7, 91) == 7
    assert id_of(nat.out(call(A, S, 91))) == 91
    assert id_of(nat.back(call(S, P, 7))) == 7
