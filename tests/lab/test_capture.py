"""The bundled capture, the one that continues it, and the packets both are made of."""

import io
from pathlib import Path

import pytest
from scapy.layers.inet import IP

from snat.lab.capture import (
    append,
    bundled_capture,
    bundled_flows,
    continuing_packets,
    flow_number,
    opening_packets,
    read,
    write,
)
from snat.lab.packets import ACK, ICMP, PROTOCOL_NAMES, PUSH, TCP, UDP, Packet, PacketError, build, parse
from snat.net.capture_read import CaptureReader

OUTSIDE = {flow.number: ("203.0.113.10", 2000 + flow.number) for flow in bundled_flows()}
EVERY_PACKET = [*opening_packets(), *continuing_packets(OUTSIDE)]
SEGMENT = Packet(
    protocol=TCP, source=("10.0.0.1", 1), destination=("10.0.0.2", 2), payload=b"odd", flags=PUSH | ACK
)


def test_the_generator_makes_the_bundled_file_byte_for_byte() -> None:
    made = io.BytesIO()
    write(made, opening_packets())
    assert made.getvalue() == bundled_capture()


def test_the_bundled_capture_begins_twenty_connections_and_more() -> None:
    protocols = [flow.protocol for flow in bundled_flows()]
    assert {protocol: protocols.count(protocol) for protocol in PROTOCOL_NAMES} == {TCP: 20, UDP: 6, ICMP: 4}
    inside = {(flow.protocol, flow.inside) for flow in bundled_flows()}
    assert len(inside) == len(protocols), "two flows share an inside endpoint"


@pytest.mark.parametrize("packet", EVERY_PACKET, ids=lambda packet: f"flow-{flow_number(packet)}")
def test_scapy_computes_the_same_bytes(packet: Packet) -> None:
    """scapy is the independent oracle: it fills in lengths and checksums itself."""
    ours = build(packet)
    theirs = IP(ours)
    for layer in (theirs, theirs.payload):
        for field in ("chksum", "len"):
            if field in layer.fields:
                layer.delfieldval(field)
    assert bytes(theirs) == ours


@pytest.mark.parametrize("packet", EVERY_PACKET, ids=lambda packet: f"flow-{flow_number(packet)}")
def test_a_packet_is_read_as_it_was_built(packet: Packet) -> None:
    assert parse(build(packet)) == packet


@pytest.mark.parametrize("at", range(len(build(SEGMENT))))
def test_a_changed_byte_is_refused_wherever_it_is(at: int) -> None:
    data = bytearray(build(SEGMENT))
    data[at] ^= 0x11
    with pytest.raises(PacketError):
        parse(bytes(data))


def test_every_packet_tells_its_flow() -> None:
    told = [flow_number(packet) for packet in opening_packets()]
    numbers = [flow.number for flow in bundled_flows()]
    assert told == numbers + numbers


def test_a_continuing_connection_goes_on_where_it_was() -> None:
    """Midstream: no SYN from inside, and sequence numbers that follow on."""
    flow = bundled_flows()[0]
    syn, data = flow.opening()
    following = flow.continuation()
    assert data.sequence == syn.sequence + 1
    assert following.sequence == data.sequence + len(data.payload)
    assert following.flags == PUSH | ACK
    answer = list(flow.replies(("203.0.113.10", 5)))[-1]
    assert following.acknowledgment == answer.sequence + len(answer.payload)


def test_packets_are_added_to_a_capture_that_is_open_already(tmp_path: Path) -> None:
    """A daemon may have opened its capture before the laboratory knows what belongs in it."""
    path = tmp_path / "later.pcap"
    with path.open("wb") as file:
        write(file, ())
    with path.open("rb") as opened:
        reader = CaptureReader(opened)
        append(path, [SEGMENT, SEGMENT])
        assert [parse(each.packet) for each in reader] == [SEGMENT, SEGMENT]


def test_a_damaged_packet_is_told_and_the_rest_read(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    with path.open("wb") as file:
        write(file, [SEGMENT, SEGMENT])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert read(path) == ([SEGMENT], ["wrong tcp checksum"])


@pytest.mark.parametrize("length", [0, 3, 23])
def test_a_capture_that_is_not_there_yet_has_no_packets(tmp_path: Path, length: int) -> None:
    path = tmp_path / "out.pcap"
    assert read(path) == ([], [])
    path.write_bytes(bundled_capture()[:length])
    assert read(path) == ([], [])
