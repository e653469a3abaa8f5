"""pcapng: sections, interfaces, the three packet blocks; scapy reads and writes the same."""

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.utils import PcapNgWriter, RawPcapNgReader

from snat.net.capture_frame import CaptureCounters, CapturedPacket, CaptureError, LinkType
from snat.net.capture_ng import MAX_BLOCK, MAX_INTERFACES
from snat.net.capture_read import CaptureReader
from snat.net.capture_write import CaptureWriter, NgWriter

PACKET = bytes(IP(src="10.0.0.2", dst="192.0.2.1") / UDP(sport=5000, dport=53) / Raw(b"question?"))
NANO = (9, b"\x09")


class Ng:
    """A pcapng file in the making."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.data = b""

    def block(self, kind: int, body: bytes) -> "Ng":
        body += bytes(-len(body) % 4)
        size = struct.pack(f"{self.order}I", len(body) + 12)
        self.data += struct.pack(f"{self.order}I", kind) + size + body + size
        return self

    def section(self, length: int = -1, major: int = 1) -> "Ng":
        return self.block(0x0A0D0D0A, struct.pack(f"{self.order}IHHq", 0x1A2B3C4D, major, 0, length))

    def interface(self, link_type: int = 101, *options: tuple[int, bytes], snap: int = 0) -> "Ng":
        told = b""
        for kind, value in options:
            told += struct.pack(f"{self.order}HH", kind, len(value)) + value + bytes(-len(value) % 4)
        if options:
            told += bytes(4)
        return self.block(1, struct.pack(f"{self.order}HHI", link_type, 0, snap) + told)

    def enhanced(self, frame: bytes = PACKET, ticks: int = 1, number: int = 0, more: int = 0) -> "Ng":
        high, low = divmod(ticks, 1 << 32)
        head = struct.pack(f"{self.order}IIIII", number, high, low, len(frame), len(frame) + more)
        return self.block(6, head + frame)

    def simple(self, frame: bytes = PACKET) -> "Ng":
        return self.block(3, struct.pack(f"{self.order}I", len(frame)) + frame)

    def obsolete(self, frame: bytes = PACKET, ticks: int = 1, number: int = 0) -> "Ng":
        head = struct.pack(f"{self.order}HHIIII", number, 7, 0, ticks, len(frame), len(frame))
        return self.block(2, head + frame)


def read(ng: Ng | bytes) -> tuple[list[CapturedPacket], CaptureCounters]:
    reader = CaptureReader(io.BytesIO(ng if isinstance(ng, bytes) else ng.data))
    return list(reader), reader.counters


def copied(data: bytes) -> bytes:
    """A capture that is read and written again as it came."""
    reader, output = CaptureReader(io.BytesIO(data)), io.BytesIO()
    writer = CaptureWriter.like(output, reader)
    while not reader.ended:
        for packet in reader.batch(2):
            writer.translated(packet, bytearray(packet.packet), packet.length)
    writer.flush()
    return output.getvalue()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("block", ["enhanced", "obsolete"])
def test_a_packet_of_each_order_and_block(order: str, block: str) -> None:
    ng = Ng(order).section().interface()
    getattr(ng, block)(PACKET, 1_000_001)
    (packet,), counters = read(ng)
    assert packet.packet == PACKET
    assert packet.time_ns == 1_000_001_000
    assert counters == CaptureCounters(records=1, packets=1)


def test_a_simple_block_has_the_time_of_the_packet_before_it() -> None:
    packets, _ = read(Ng().section().interface().enhanced(ticks=5).simple().simple())
    assert [one.time_ns for one in packets] == [5000] * 3
    assert {one.packet for one in packets} == {PACKET}


def test_a_simple_block_is_cut_at_the_snap_length() -> None:
    ng = Ng().section().interface(snap=30)
    ng.block(3, struct.pack("<I", len(PACKET)) + PACKET[:30])
    (packet,), counters = read(ng)
    assert (packet.packet, packet.length) == (PACKET[:30], len(PACKET))
    assert counters.snapped == 1


@pytest.mark.parametrize(
    ("resolution", "ticks", "time_ns"),
    [
        (b"\x06", 7, 7000),
        (b"\x09", 7, 7),
        (b"\x00", 7, 7_000_000_000),
        (b"\x0c", 7999, 7),
        (b"\x81", 3, 1_500_000_000),
        (b"\xff", 1 << 63, 1_000_000_000),
        (b"\x7f", 5, 0),
    ],
)
def test_units_of_time(resolution: bytes, ticks: int, time_ns: int) -> None:
    (packet,), _ = read(Ng().section().interface(101, (9, resolution)).enhanced(ticks=ticks))
    assert packet.time_ns == time_ns


def test_an_interface_may_begin_later() -> None:
    ng = Ng().section().interface(101, NANO, (14, struct.pack("<q", 1000))).enhanced(ticks=7)
    (packet,), _ = read(ng)
    assert packet.time_ns == 1000 * 10**9 + 7
    assert copied(ng.data) == ng.data


def test_interfaces_have_names_and_link_types() -> None:
    ethernet = bytes(Ether() / IP(dst="192.0.2.1") / UDP())
    ng = Ng().section().interface(1, (2, b"in0")).interface(101, (2, b"out0"))
    packets, _ = read(ng.enhanced(ethernet, number=0).enhanced(PACKET, number=1))
    assert [one.interface.name for one in packets] == ["in0", "out0"]
    assert [one.interface.link_type for one in packets] == [LinkType.ETHERNET, LinkType.RAW]
    assert [one.packet for one in packets] == [ethernet[14:], PACKET]


def test_frames_of_link_types_that_are_not_known_are_left_out() -> None:
    ng = Ng().section().interface(220).interface().enhanced(b"usb?", number=0).enhanced(number=1)
    packets, counters = read(ng)
    assert (len(packets), counters.other_protocols) == (1, 1)


def test_other_blocks_are_left_out_and_counted() -> None:
    ng = Ng().section().interface().block(4, bytes(4)).enhanced().block(5, bytes(12)).block(0xBAD, b"")
    packets, counters = read(ng)
    assert (len(packets), counters.other_blocks) == (1, 3)
    assert copied(ng.data) == Ng().section().interface().enhanced().data


def test_what_is_read_is_written_again() -> None:
    ng = Ng(">").section().interface(1, (2, b"in0"), NANO).interface()
    ng.enhanced(bytes(Ether() / IP(dst="192.0.2.1") / UDP()), ticks=1 << 40).enhanced(number=1)
    assert copied(ng.data) == ng.data


def test_sections_of_both_orders_may_follow_each_other() -> None:
    first = Ng().section().interface(101, NANO).enhanced(ticks=3).enhanced(ticks=4).enhanced(ticks=5)
    second = Ng(">").section().interface().enhanced(ticks=9)
    data = first.data + second.data
    assert [one.time_ns for one in read(data)[0]] == [3, 4, 5, 9000]
    assert copied(data) == data


def test_the_length_of_a_section_is_not_that_of_the_output() -> None:
    assert copied(Ng().section(length=4711).interface().enhanced().data).count(b"\xff" * 8) == 1


def test_a_snapped_packet_is_written_with_its_length_on_the_wire() -> None:
    data = Ng().section().interface().enhanced(PACKET[:30], more=len(PACKET) - 30).data
    assert copied(data) == data


REFUSED = {
    "a block of 8 bytes": Ng().section().data + struct.pack("<III", 6, 8, 8),
    "a block of 13 bytes": Ng().section().data + struct.pack("<III", 6, 13, 13),
    f"a block of {MAX_BLOCK + 4} bytes": Ng().section().data + struct.pack("<III", 9, MAX_BLOCK + 4, 0),
    "a block whose two lengths differ": Ng().section().data + struct.pack("<IIII", 9, 16, 0, 12),
    "a frame of interface 0, which there is not": Ng().section().enhanced().data,
    "a frame of 99 bytes": Ng().section().interface().block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99)).data,
    "has format version 2.0": Ng().section(major=2).data,
    f"more than {MAX_INTERFACES} interfaces": b"".join(
        [Ng().section().data, Ng().interface().data * (MAX_INTERFACES + 1)]
    ),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(data: bytes, request: pytest.FixtureRequest) -> None:
    why = next(name for name, one in REFUSED.items() if one is data)
    with pytest.raises(CaptureError, match=why):
        read(data)


def test_what_is_whole_before_the_damage_is_read() -> None:
    reader = CaptureReader(io.BytesIO(Ng().section().interface().enhanced().data + b"\xff" * 20))
    assert len(reader.batch(100)) == 1
    with pytest.raises(CaptureError, match="byte 120: a block of 4294967295 bytes"):
        reader.batch(100)


@pytest.mark.parametrize("missing", [1, 4, 40, 70])
def test_a_file_cut_short_gives_what_is_whole(missing: int) -> None:
    whole = Ng().section().interface().enhanced().enhanced().data
    packets, counters = read(whole[:-missing])
    assert (len(packets), counters.cut_short) == ((1, 1) if missing < 72 else (2, 0))


def test_a_first_section_that_is_cut_short_is_refused() -> None:
    with pytest.raises(CaptureError, match="ends within its section header"):
        read(Ng().section().data[:20])


@given(st.binary(max_size=400))
def test_arbitrary_blocks_are_read_or_refused(data: bytes) -> None:
    try:
        packets, _ = read(Ng().section().interface().data + data)
    except CaptureError:
        return
    assert all(len(one.packet) >= 20 for one in packets)


@given(st.data())
def test_damage_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(
        Ng().section().interface(1, NANO, (2, b"in0")).interface().enhanced(number=1).simple().obsolete().data
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        reader = CaptureReader(io.BytesIO(bytes(whole)))
        writer = CaptureWriter.like(io.BytesIO(), reader)
        for packet in reader:
            writer.translated(packet, bytearray(packet.packet), packet.length)
        writer.flush()
    except CaptureError:
        return
    assert reader.ended


# scapy as the oracle


def test_what_scapy_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scapy.pcapng"
    frames: list[Any] = [Ether() / IP(dst="192.0.2.1") / UDP(dport=n) for n in range(5)] + [Ether() / ARP()]
    for number, frame in enumerate(frames):
        frame.time = 1_700_000_000.5 + number
    with PcapNgWriter(str(path)) as writer:
        for frame in frames:
            writer.write(frame)
    with path.open("rb") as file:
        packets = list(CaptureReader(file))
    assert [one.packet for one in packets] == [bytes(frame[IP]) for frame in frames[:5]]
    assert [one.time_ns for one in packets] == [1_700_000_000_500_000_000 + n * 10**9 for n in range(5)]


def test_scapy_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ours.pcapng"
    reader = CaptureReader(io.BytesIO(Ng().section().interface(101, NANO, (2, b"in0")).data))
    with path.open("wb") as file:
        writer = CaptureWriter.like(file, reader)
        assert isinstance(writer, NgWriter)
        list(reader)
        writer.write(1_700_000_000_123_456_789, PACKET)
        writer.flush()
    with RawPcapNgReader(str(path)) as scapy:
        ((data, meta),) = list(scapy)
    assert data == PACKET
    assert (meta.tshigh << 32 | meta.tslow) == 1_700_000_000_123_456_789
    assert meta.linktype == 101
