"""Extended access lists against an oracle that compares texts, bit by bit and port by port."""

from ipaddress import IPv4Address
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.config.model import AccessLine, AccessList, ListKind, Ports
from snat.device.conditions import access_list_of
from snat.nat.access_list import NO_PORT, PortRange
from tests.cli.places import made
from tests.cli.strategies import BITS, lines

ACK, RST, SYN = 0x10, 0x04, 0x02


class Packet(NamedTuple):
    protocol: int
    source: int
    source_port: int
    destination: int
    destination_port: int
    flags: int
    icmp_type: int | None = None


def oracle(access_list: AccessList, packet: Packet) -> bool:
    """The first line that says nothing against the packet."""
    for line in access_list.lines:
        if not any(against(line, packet)):
            return line.permit
    return False


def against(line: AccessLine, packet: Packet) -> list[bool]:
    return [
        line.protocol is not None and line.protocol != packet.protocol,
        differ(line.address, line.wildcard, packet.source),
        differ(line.destination, line.destination_wildcard, packet.destination),
        line.ports is not None and packet.source_port not in ports(line.ports),
        line.destination_ports is not None and packet.destination_port not in ports(line.destination_ports),
        line.established and not (packet.protocol == 6 and packet.flags & (ACK | RST)),
        line.icmp_type is not None and line.icmp_type != packet.icmp_type,
    ]


def differ(address: IPv4Address, wildcard: IPv4Address, value: int) -> bool:
    texts = (f"{int(one):032b}" for one in (address, wildcard, IPv4Address(value)))
    return any(wild == "0" and ours != theirs for ours, wild, theirs in zip(*texts, strict=True))


def ports(said: Ports) -> set[int]:
    everything = set(range(65536))
    match said.operator:
        case "eq":
            return {said.low}
        case "neq":
            return everything - {said.low}
        case "lt":
            return {port for port in everything if port < said.low}
        case "gt":
            return {port for port in everything if port > said.low}
    return set(range(said.low, said.high + 1))


@st.composite
def lists_and_packets(draw: st.DrawFn) -> tuple[AccessList, Packet]:
    """A list, and a packet whose values are near those of its lines."""
    kind = draw(st.sampled_from(ListKind))
    said = tuple(draw(st.lists(lines(kind), min_size=1, max_size=4)))
    flip = st.sampled_from([0, 1, 1 << 8, 1 << 31])
    near = draw(st.sampled_from(said))
    edges = [
        (end + step) % 65536
        for one in (near.ports, near.destination_ports)
        if one
        for end in (one.low, one.high)
        for step in (-1, 0, 1)
    ]
    port = st.sampled_from([*edges, 0, 65535, NO_PORT]) | st.integers(0, 65535)
    return AccessList(name="x", kind=kind, lines=said), Packet(
        protocol=draw(st.sampled_from([near.protocol or 6, 1, 6, 17, 47])),
        source=draw(st.sampled_from([int(near.address)]) | BITS) ^ draw(flip),
        source_port=draw(port),
        destination=draw(st.sampled_from([int(near.destination)]) | BITS) ^ draw(flip),
        destination_port=draw(port),
        flags=draw(st.sampled_from([0, SYN, ACK, RST, SYN | ACK, 0xFF])),
        icmp_type=draw(st.none() | st.sampled_from([near.icmp_type, 0, 8])),
    )


@given(lists_and_packets())
def test_the_first_line_that_matches_decides(drawn: tuple[AccessList, Packet]) -> None:
    access_list, packet = drawn
    expected = oracle(access_list, packet)
    assert access_list_of(access_list).matches(*packet) is expected
    if access_list.kind is ListKind.STANDARD:
        assert access_list_of(access_list).permits(packet.source) is expected


HOST, SERVER = int(IPv4Address("10.0.0.5")), int(IPv4Address("192.0.2.1"))


@pytest.mark.parametrize(
    ("line", "packet", "expected"),
    [
        ("permit tcp any any eq www", Packet(6, HOST, 40000, SERVER, 80, SYN), True),
        ("permit tcp any any eq www", Packet(6, HOST, 40000, SERVER, 81, SYN), False),
        ("permit tcp any any eq www", Packet(17, HOST, 40000, SERVER, 80, 0), False),
        ("permit tcp any any eq www", Packet(6, HOST, NO_PORT, SERVER, NO_PORT, 0), False),
        ("permit tcp any any neq www", Packet(6, HOST, NO_PORT, SERVER, NO_PORT, 0), False),
        ("permit tcp any lt 1024 any", Packet(6, HOST, NO_PORT, SERVER, 80, 0), False),
        ("permit tcp any lt 1024 any", Packet(6, HOST, 0, SERVER, 80, 0), True),
        ("permit tcp any gt 65535 any", Packet(6, HOST, 65535, SERVER, 80, 0), False),
        ("permit tcp any any established", Packet(6, HOST, 1, SERVER, 2, SYN), False),
        ("permit tcp any any established", Packet(6, HOST, 1, SERVER, 2, RST), True),
        ("permit icmp any any echo", Packet(1, HOST, NO_PORT, SERVER, NO_PORT, 0, 8), True),
        ("permit icmp any any echo", Packet(1, HOST, NO_PORT, SERVER, NO_PORT, 0, 0), False),
        ("permit icmp any any echo-reply", Packet(1, HOST, NO_PORT, SERVER, NO_PORT, 0, 0), True),
        ("permit ip any host 192.0.2.1", Packet(47, HOST, NO_PORT, SERVER, NO_PORT, 0), True),
        ("permit ip any host 192.0.2.2", Packet(47, HOST, NO_PORT, SERVER, NO_PORT, 0), False),
        ("permit ip 10.0.0.0 0.0.0.3 any", Packet(47, HOST, NO_PORT, SERVER, NO_PORT, 0), False),
    ],
)
def test_what_a_typed_line_matches(line: str, packet: Packet, expected: bool) -> None:
    (access_list,) = made(f"ip access-list extended X\n {line}\n").access_lists
    assert access_list_of(access_list).matches(*packet) is expected


def test_an_inverted_range_has_no_port_of_a_packet_without_one() -> None:
    assert NO_PORT not in PortRange(5, 9, inverted=True)
    assert 4 in PortRange(5, 9, inverted=True)
    assert 5 not in PortRange(5, 9, inverted=True)
