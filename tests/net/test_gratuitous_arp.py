"""Gratuitous ARP: the frame against scapy, the repeats against a clock."""

import json
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address

import pytest
from scapy.layers.l2 import ARP, Ether
from twisted.internet.task import Clock

from snat.net.gratuitous_arp import INTERVAL, REPEATS, GratuitousArp, Transmitter, announcement
from tests.system.namespaces import cable, namespaces

MAC = bytes.fromhex("020000000a01")
VIRTUAL = (IPv4Address("10.0.0.254"), "eth0")
POOL = (IPv4Address("203.0.113.10"), "eth1")


class Wire:
    """Takes what is sent, with its time; interfaces in ``down`` fail."""

    def __init__(self, clock: Clock, *, down: str = "") -> None:
        self.clock, self.down = clock, down
        self.sent: list[tuple[float, str, list[IPv4Address]]] = []

    def transmit(self, interface: str, addresses: Sequence[IPv4Address]) -> int:
        if interface == self.down:
            raise OSError(100, "Network is down")
        self.sent.append((self.clock.seconds(), interface, list(addresses)))
        return len(addresses)

    def times(self, address: tuple[IPv4Address, str]) -> list[float]:
        return [at for at, interface, sent in self.sent if interface == address[1] and address[0] in sent]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_frame_is_the_announcement_of_rfc_5227() -> None:
    frame = Ether(announcement(MAC, IPv4Address("10.0.0.254")))
    assert (frame.dst, frame.src) == ("ff:ff:ff:ff:ff:ff", "02:00:00:00:0a:01")
    arp = frame[ARP]
    assert (arp.op, arp.hwsrc, arp.hwdst) == (1, "02:00:00:00:0a:01", "00:00:00:00:00:00")
    assert arp.psrc == arp.pdst == "10.0.0.254"


def test_frame_is_byte_for_byte_what_scapy_builds() -> None:
    address = "203.0.113.10"
    oracle = Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(
        op="who-has", hwsrc=MAC, psrc=address, pdst=address, hwdst=bytes(6)
    )
    assert announcement(MAC, IPv4Address(address)) == bytes(oracle)


@pytest.mark.parametrize("hardware", [b"", b"\x02" * 5, b"\x02" * 8])
def test_a_hardware_address_of_another_length_is_the_callers_fault(hardware: bytes) -> None:
    with pytest.raises(ValueError, match="6 bytes"):
        announcement(hardware, IPv4Address("10.0.0.254"))


def test_announces_at_once_and_three_times_more(clock: Clock) -> None:
    wire = Wire(clock)
    arp = GratuitousArp(clock, wire.transmit)
    arp.announce([VIRTUAL, POOL])
    clock.pump([INTERVAL] * 10)
    assert wire.times(VIRTUAL) == wire.times(POOL) == [0, *(INTERVAL * n for n in range(1, REPEATS + 1))]
    assert arp.counters.sent == 2 * (1 + REPEATS)
    assert clock.getDelayedCalls() == []


def test_addresses_of_one_interface_leave_together(clock: Clock) -> None:
    wire = Wire(clock)
    second = (IPv4Address("203.0.113.11"), "eth1")
    GratuitousArp(clock, wire.transmit).announce([POOL, VIRTUAL, second])
    assert wire.sent == [(0, "eth1", [POOL[0], second[0]]), (0, "eth0", [VIRTUAL[0]])]


def test_withdraw_ends_the_repeats(clock: Clock) -> None:
    wire = Wire(clock)
    arp = GratuitousArp(clock, wire.transmit)
    arp.announce([VIRTUAL])
    clock.advance(INTERVAL)
    arp.withdraw()
    arp.withdraw()
    clock.pump([INTERVAL] * 10)
    assert wire.times(VIRTUAL) == [0, INTERVAL]
    assert clock.getDelayedCalls() == []


def test_a_second_claim_does_not_shorten_the_first(clock: Clock) -> None:
    wire = Wire(clock)
    arp = GratuitousArp(clock, wire.transmit)
    arp.announce([VIRTUAL])
    clock.advance(INTERVAL)
    arp.announce([POOL])
    clock.pump([INTERVAL] * 10)
    assert len(wire.times(VIRTUAL)) == len(wire.times(POOL)) == 1 + REPEATS


def test_an_interface_that_is_down_does_not_keep_the_others_from_it(clock: Clock) -> None:
    wire = Wire(clock, down="eth0")
    arp = GratuitousArp(clock, wire.transmit)
    arp.announce([VIRTUAL, POOL])
    clock.pump([INTERVAL] * 10)
    assert len(wire.times(POOL)) == 1 + REPEATS
    assert arp.counters.failed == 1 + REPEATS


def test_nothing_to_announce_sets_no_alarm(clock: Clock) -> None:
    arp = GratuitousArp(clock, Wire(clock).transmit)
    arp.announce([])
    assert clock.getDelayedCalls() == []
    assert arp.counters.sent == 0


@pytest.mark.root
def test_the_wire_has_what_was_announced_and_one_socket_serves_all() -> None:
    """Over real interfaces, one without ARP, and one that goes."""
    with namespaces("a", "b") as (here, there):
        for number in range(2):
            cable(here, f"e{number}", there, f"f{number}")
        with there.entered():
            heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        heard.settimeout(5.0)
        transmitter = Transmitter()
        with heard, here.entered():
            try:
                for interface in ("e0", "e1"):
                    (link,) = json.loads(here.ip("-j", "link", "show", interface))
                    assert transmitter(interface, [POOL[0]]) == 1
                    frame = heard.recv(100)
                    assert frame[:42] == announcement(
                        bytes.fromhex(link["address"].replace(":", "")), POOL[0]
                    )
                assert transmitter("lo", [POOL[0]]) == 0
                here.ip("link", "set", "e0", "down")
                with pytest.raises(OSError, match="down"):
                    transmitter("e0", [POOL[0]])
                here.ip("link", "del", "e0")
                with pytest.raises(OSError, match="No such device"):
                    transmitter("e0", [POOL[0]])
                assert transmitter("e1", [POOL[0]]) == 1
            finally:
                transmitter.close()
