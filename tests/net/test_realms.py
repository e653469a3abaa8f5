"""Which side a captured packet came from."""

import pytest
from scapy.layers.inet import IP, UDP

from cli.configuration_file import read_configuration
from snat.net.capture_frame import CapturedInterface, CapturedPacket, LinkType
from snat.net.offline import _Offline
from snat.net.realms import Realms

TEXT = """interface in0
 ip nat inside
interface out0
 ip nat outside
ip nat pool P 203.0.113.10 203.0.113.20 prefix-length 24
ip nat pool TURNS 10.0.0.50 10.0.0.51 prefix-length 24 type rotary
ip nat inside source static 10.0.9.9 198.51.100.77
ip nat inside source list 1 pool P overload
ip nat inside destination list 2 pool TURNS
access-list 1 permit 10.0.0.0 0.0.0.255
access-list 2 permit 198.51.100.80
"""
INSIDE, SERVER = "10.0.0.5", "192.0.2.1"


@pytest.fixture
def realms() -> Realms:
    configuration, problems = read_configuration(TEXT, "test")
    assert list(problems) == []
    flows = _Offline(configuration).translator.flows
    return Realms(configuration, lambda: flows.rules)


def packet(source: str, destination: str, interface: str = "") -> CapturedPacket:
    data = bytes(IP(src=source, dst=destination) / UDP())
    place = CapturedInterface(link_type=LinkType.RAW, name=interface)
    return CapturedPacket(0, place, data, 0, 0, len(data), len(data))


@pytest.mark.parametrize(
    ("source", "destination", "outside"),
    [
        (INSIDE, SERVER, False),
        (SERVER, "203.0.113.12", True),
        (SERVER, "203.0.113.21", False),
        (SERVER, "198.51.100.77", True),
        (SERVER, "198.51.100.80", True),
        (INSIDE, "203.0.113.12", False),
        ("10.0.9.9", "203.0.113.12", False),
        (SERVER, INSIDE, False),
    ],
)
def test_by_addresses(realms: Realms, source: str, destination: str, outside: bool) -> None:
    assert [realms.from_outside(packet(source, destination)) for _ in range(2)] == [outside] * 2


@pytest.mark.parametrize(
    ("interface", "outside"), [("in0", False), ("out0", True), ("eth7", True), ("", True)]
)
def test_the_interface_decides_if_it_is_known(realms: Realms, interface: str, outside: bool) -> None:
    assert realms.from_outside(packet(SERVER, "203.0.113.12", interface)) is outside


def test_other_rules_count_at_once() -> None:
    first, second = (
        _Offline(read_configuration(text, "test")[0]).translator.flows.rules
        for text in (TEXT, TEXT.replace("203.0.113.20", "203.0.113.11"))
    )
    rules = [first]
    realms = Realms(read_configuration(TEXT, "test")[0], lambda: rules[-1])
    assert realms.from_outside(packet(SERVER, "203.0.113.12"))
    rules.append(second)
    assert not realms.from_outside(packet(SERVER, "203.0.113.12"))
