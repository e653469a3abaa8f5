"""Packets as somebody who debugs sees them."""

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet

from snat.translate.translator import Verdict
from snat.translate.watch import Sight, WatchedTranslator
from tests.packets import buffer, echo, parse, tcp, udp
from tests.translate.nat import Nat

INSIDE, OUTSIDE = "10.0.0.5", "198.51.100.7"


class Watched:
    """A translator and what was seen of it."""

    def __init__(self) -> None:
        self.nat = Nat()
        self.seen: list[Sight] = []
        self._watched = WatchedTranslator(self.nat.translator, self.seen.append)

    def send(self, packet: Packet, *, from_outside: bool = False) -> tuple[Sight, Packet]:
        """What was seen of a packet, and the packet that leaves."""
        filled, end = buffer(packet)
        verdict = self._watched.translate(filled, end, from_outside, self.nat.now)
        sight = self.seen[-1]
        assert sight.verdict is verdict
        return sight, parse(filled, end)


def octets(packet: Packet, ports: tuple[int, int] = (0, 0)) -> bytes:
    addresses = bytes(packet[IP])[12:20]
    return addresses + b"".join(port.to_bytes(2, "big") for port in ports)


@pytest.mark.parametrize("make", [udp, tcp])
def test_a_new_flow_and_one_that_is_known(make: object) -> None:
    assert callable(make)
    watched = Watched()
    packet = make(INSIDE, 40000, OUTSIDE, 53)
    packet.id = 6825
    sight, left = watched.send(packet)
    assert (sight.fast, sight.from_outside, sight.identification) == (False, False, 6825)
    assert sight.before == octets(packet, (40000, 53))
    assert sight.after == octets(left, (left.sport, 53))
    assert left.src != INSIDE
    back_again = (OUTSIDE, 53, left.src, left.sport)
    answer = tcp(*back_again, "A") if make is tcp else udp(*back_again)
    sight, back = watched.send(answer, from_outside=True)
    assert sight.verdict is Verdict.TO_INSIDE
    assert sight.fast
    assert sight.after == octets(back, (53, 40000))
    assert sight.protocol == packet.proto


def test_queries_show_their_identifier() -> None:
    watched = Watched()
    packet = echo(INSIDE, OUTSIDE, 77)
    sight, left = watched.send(packet)
    assert sight.before == octets(packet, (77, 77))
    assert sight.after == octets(left, (left[ICMP].id,) * 2)
    assert sight.detail == 8


def test_what_is_dropped_is_seen_too() -> None:
    watched = Watched()
    fragment = udp(INSIDE, 1, OUTSIDE, 2)
    fragment.flags, fragment.frag = 0, 10
    sight, _ = watched.send(fragment)
    assert sight.verdict is Verdict.DROP
    assert sight.before == octets(fragment)  # it has no ports


def test_what_is_not_ipv4_is_not() -> None:
    watched = Watched()
    filled, end = buffer(b"\x60" + bytes(60))
    watched._watched.translate(filled, end, False, 0.0)
    assert watched.seen == []


def test_it_translates_as_if_nobody_looked() -> None:
    watched, alone = Watched(), Nat()
    for port in range(1024, 1050):
        packet = tcp(INSIDE, port, OUTSIDE, 80)
        _, left = watched.send(packet)
        other = alone.out(packet)
        assert other is not None
        assert (left.src, left.dst, left.dport) == (other.src, other.dst, other.dport)
    assert watched.nat.counters.created == alone.counters.created == 26
