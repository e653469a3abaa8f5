"""Requirements that need no machinery of their own: payloads, absent checksums, pools, types of ICMP."""

import random
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from snat.nat.access_list import AccessList
from snat.nat.pool import SLOTS, Pool
from snat.nat.rules import Rule, Rules
from snat.translate.packet import START
from snat.translate.translator import Verdict
from tests.packets import buffer, echo, raw_udp, tcp, udp
from tests.translate.nat import INSIDE, MAPPING, A, B, Nat, P, S, T, endpoint, permit, rules

SIP = (
    b"INVITE sip:x@198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060\r\n"
    b"Contact: <sip:a@10.0.0.2:5060>\r\n\r\nc=IN IP4 10.0.0.2\r\nm=audio 5004 RTP/AVP 0\r\n"
)


def test_u10_what_udp_carries_is_not_changed() -> None:
    out = Nat().out(udp(A, 5060, S, 5060, SIP))
    assert out is not None
    assert bytes(out[UDP].payload) == SIP


def test_t6_what_tcp_carries_is_not_changed() -> None:
    nat = Nat()
    for far_port, payload in ((5060, SIP), (6667, b"PRIVMSG x :\x01DCC SEND f 167772162 5000\x01\r\n")):
        nat.out(tcp(A, 5000, S, far_port, "S"))
        out = nat.out(tcp(A, 5000, S, far_port, "PA", payload))
        assert out is not None
        assert bytes(out[TCP].payload) == payload


@pytest.mark.parametrize("from_outside", [False, True])
@pytest.mark.parametrize("host", [A, B], ids=["port kept", "port changed"])
def test_b5_a_datagram_without_checksum_has_none_afterwards(from_outside: bool, host: str) -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    out = nat.out(udp(host, 5000, S, 53))
    assert out is not None
    packet = udp(S, 53, out.src, out.sport) if from_outside else udp(host, 5000, S, 53)
    packet[UDP].chksum = 0
    made = nat.send(packet, from_outside)
    assert made is not None
    assert made[UDP].chksum == 0


def test_c2_a_host_keeps_one_address_over_all_protocols() -> None:
    nat = Nat(rules(addresses=4))
    for number in range(20):
        host = f"10.0.1.{number}"
        addresses = {
            endpoint(nat.out(udp(host, 5000, S, 53)))[0],
            endpoint(nat.out(tcp(host, 6000, T, 80, "S")))[0],
        }
        query = nat.out(echo(host, S, 7))
        assert query is not None
        assert {*addresses, query.src} == {query.src}


def test_c3_a_pool_may_have_gaps() -> None:
    wanted = {"203.0.113.1", "203.0.113.7", "203.0.113.8", "203.0.113.9", "198.18.0.0"}
    ranges = [("203.0.113.1", "203.0.113.1"), ("203.0.113.7", "203.0.113.9"), ("198.18.0.0", "198.18.0.0")]
    numbers = [(int(IPv4Address(first)), int(IPv4Address(last))) for first, last in ranges]
    pool = Pool("GAPS", numbers, range(SLOTS), random.Random(1))
    nat = Nat(Rules((Rule(AccessList((permit(INSIDE),)), pool, MAPPING),), (pool,)))
    seen = {endpoint(nat.out(udp(f"10.0.2.{number}", 5000, S, 53)))[0] for number in range(200)}
    assert seen == wanted


def test_c13_every_port_of_an_address_is_given_out_once() -> None:
    """Of many hosts with one port, each gets another, until there are no more."""
    nat = Nat()
    far = IPv4Address(S).packed
    filled, _ = buffer(b"")

    def port_of(host: int, wanted: int) -> int | None:
        packet = raw_udp((0x0A000000 + host).to_bytes(4, "big"), wanted, far, 53)
        end = START + len(packet)
        filled[START:end] = packet
        if nat.translator.translate(filled, end, False, nat.now) is not Verdict.TO_OUTSIDE:
            return None
        return int.from_bytes(filled[START + 20 : START + 22], "big")

    for wanted, all_ports in ((600, range(1, 1024)), (5000, range(1024, 65536))):
        assert {port_of(host, wanted) for host in range(1, len(all_ports) + 1)} == set(all_ports)
        assert port_of(len(all_ports) + 1, wanted) is None


def test_m5_a_mapping_of_tcp_opens_nothing_for_udp() -> None:
    nat = Nat()
    mapped = endpoint(nat.out(tcp(A, 5000, S, 53, "S")))
    assert nat.dropped(udp(S, 53, *mapped), from_outside=True) == "unknown_inbound"


@pytest.mark.parametrize("kind", [4, 15, 16], ids=["source quench", "information request", "and its reply"])
@pytest.mark.parametrize("from_outside", [False, True])
def test_i10c_obsolete_messages_are_dropped(kind: int, from_outside: bool) -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    source, destination = (S, P) if from_outside else (A, S)
    quoted = bytes(udp(P, 5000, S, 53))[:28]
    assert nat.send(IP(src=source, dst=destination) / ICMP(type=kind) / quoted, from_outside) is None


@pytest.mark.parametrize("kind", [1, 2, 7, 19, 42, 160, 255])
@pytest.mark.parametrize("from_outside", [False, True])
def test_i11_types_that_nobody_assigned_are_dropped(kind: int, from_outside: bool) -> None:
    nat = Nat()
    nat.out(echo(A, S, 7))
    source, destination = (S, P) if from_outside else (A, S)
    packet = IP(src=source, dst=destination) / bytes(ICMP(type=kind, id=7))
    packet.proto = 1
    assert nat.send(packet, from_outside) is None
