"""Frames of HSRP, judged by scapy."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.hsrp import HSRP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from snat.net.hsrp_frames import ArpRequest, arp_reply, asked, hello_frame
from snat.redundancy.hsrp_message import DESTINATIONS, HsrpMessage, Opcode, State, encode
from tests.packets import checksums_are_right

SOURCE = IPv4Address("10.0.0.2")
VIRTUAL_MAC = bytes.fromhex("00000c07ac0a")
OWN_MAC = "02:00:00:00:00:01"


def hello(priority: int = 120) -> bytes:
    message = HsrpMessage(
        version=1,
        opcode=Opcode.HELLO,
        state=State.ACTIVE,
        hello=3.0,
        hold=10.0,
        priority=priority,
        group=10,
        address=IPv4Address("10.0.0.1"),
    )
    return encode(message, None, SOURCE)


@pytest.mark.parametrize(("version", "to"), [(1, "01:00:5e:00:00:02"), (2, "01:00:5e:00:00:66")])
def test_a_hello_goes_to_the_group_from_the_virtual_mac_address(version: int, to: str) -> None:
    frame = Ether(hello_frame(hello(), SOURCE, DESTINATIONS[version], VIRTUAL_MAC))
    assert (frame.src, frame.dst) == ("00:00:0c:07:ac:0a", to)
    assert (frame[IP].src, frame[IP].dst) == (str(SOURCE), str(DESTINATIONS[version]))
    assert (frame[IP].ttl, frame[UDP].sport, frame[UDP].dport) == (1, 1985, 1985)
    assert checksums_are_right(frame[IP])


def test_what_another_implementation_reads_in_it() -> None:
    said = Ether(hello_frame(hello(), SOURCE, DESTINATIONS[1], VIRTUAL_MAC))[HSRP]
    assert (said.opcode, said.state, said.priority, said.group) == (0, 16, 120, 10)
    assert (said.hellotime, said.holdtime, said.virtualIP) == (3, 10, "10.0.0.1")


@given(st.binary(max_size=60))
def test_the_checksums_of_any_payload(data: bytes) -> None:
    frame = Ether(hello_frame(data, SOURCE, DESTINATIONS[2], VIRTUAL_MAC))
    assert checksums_are_right(IP(bytes(frame[IP])))


def test_who_asks_is_answered_with_the_virtual_mac_address() -> None:
    question = Ether(src=OWN_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(
        op=1, hwsrc=OWN_MAC, psrc="10.0.0.100", pdst="10.0.0.1"
    )
    request = asked(bytes(question))
    assert request == ArpRequest(bytes.fromhex("020000000001"), bytes((10, 0, 0, 100)), bytes((10, 0, 0, 1)))
    answer = Ether(arp_reply(request, VIRTUAL_MAC))
    assert (answer.src, answer.dst) == ("00:00:0c:07:ac:0a", OWN_MAC)
    assert (answer[ARP].op, answer[ARP].hwsrc, answer[ARP].psrc) == (2, "00:00:0c:07:ac:0a", "10.0.0.1")
    assert (answer[ARP].hwdst, answer[ARP].pdst) == (OWN_MAC, "10.0.0.100")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        bytes(Ether() / ARP(op=2, pdst="10.0.0.1")),
        bytes(Ether() / ARP(op=1, ptype=0x86DD, pdst="10.0.0.1")),
        bytes(Ether() / ARP(op=1, hwlen=8, pdst="10.0.0.1")),
        bytes(Ether() / ARP(op=1, pdst="10.0.0.1"))[:41],
    ],
)
def test_what_is_no_request_is_not_answered(frame: bytes) -> None:
    assert asked(frame) is None


@given(st.binary(max_size=80))
def test_no_frame_breaks_the_reader(frame: bytes) -> None:
    asked(frame)
