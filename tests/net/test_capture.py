"""Captures: what is read, passed over and refused; scapy reads and writes the same; the replay."""

import contextlib
import io
import struct
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinux, Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import PcapWriter, RawPcapReader
from twisted.internet.task import Clock

from snat.net.capture_frame import (
    SNAP_LENGTH_LIMIT,
    CaptureCounters,
    CapturedPacket,
    CaptureError,
    LinkType,
)
from snat.net.capture_pieces import PIECE
from snat.net.capture_read import CaptureReader
from snat.net.capture_write import CaptureWriter
from snat.net.replay import READY_INTERVAL, CapturePort
from snat.net.tun import READS_PER_TURN as BATCH

MAGICS = {(">", 1000): 0xA1B2C3D4, ("<", 1000): 0xA1B2C3D4, (">", 1): 0xA1B23C4D, ("<", 1): 0xA1B23C4D}
UDP_PACKET = bytes(IP(src="10.0.0.2", dst="192.0.2.1") / UDP(sport=5000, dport=53) / Raw(b"question"))
ETHERNET = bytes.fromhex("020000000001 020000000002 0800")


def capture(
    frames: list[bytes], link_type: int = LinkType.RAW, order: str = "<", unit: int = 1000, snapped: int = 0
) -> bytes:
    """A pcap file as bytes: one frame a second, each longer by so many bytes on the wire."""
    data = struct.pack(f"{order}IHHiIII", MAGICS[order, unit], 2, 4, 0, 0, 65535, link_type)
    for number, frame in enumerate(frames):
        data += struct.pack(f"{order}IIII", number, 500, len(frame), len(frame) + snapped) + frame
    return data


def read(data: bytes) -> tuple[list[CapturedPacket], CaptureCounters]:
    reader = CaptureReader(io.BytesIO(data))
    return list(reader), reader.counters


# Reading


@pytest.mark.parametrize(("order", "unit"), MAGICS)
def test_both_byte_orders_and_both_units_of_time(order: str, unit: int) -> None:
    packets, _ = read(capture([UDP_PACKET, UDP_PACKET], order=order, unit=unit))
    assert [packet.time_ns for packet in packets] == [500 * unit, 1_000_000_000 + 500 * unit]


@pytest.mark.parametrize(
    ("link_type", "header"),
    [
        (LinkType.RAW, b""),
        (LinkType.IPV4, b""),
        (LinkType.ETHERNET, ETHERNET),
        (LinkType.ETHERNET, ETHERNET[:12] + bytes.fromhex("8100 0064 0800")),
        (LinkType.ETHERNET, ETHERNET[:12] + bytes.fromhex("88a8 0064 8100 0065 0800")),
        (LinkType.LINUX_SLL, bytes.fromhex("0000 0001 0006 0200000000010000 0800")),
        (LinkType.LINUX_SLL, bytes.fromhex("0000 0001 0006 0200000000010000 8100 0064 0800")),
        (LinkType.LINUX_SLL2, bytes.fromhex("0800 0000 00000003 0001 00 06 0200000000010000")),
        (LinkType.LINUX_SLL2, bytes.fromhex("8100 0000 00000003 0001 00 06 0200000000010000 0064 0800")),
    ],
)
def test_the_packet_is_found_behind_each_link_header(link_type: LinkType, header: bytes) -> None:
    (packet,), counters = read(capture([header + UDP_PACKET + b"padding"], link_type))
    assert packet.link_header == header
    assert packet.packet == UDP_PACKET
    assert counters == CaptureCounters(records=1, packets=1)


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        (LinkType.ETHERNET, bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.0.1", psrc="10.0.0.2"))),
        (LinkType.ETHERNET, bytes(Ether() / IPv6(dst="::1") / UDP())),
        (LinkType.ETHERNET, ETHERNET[:12] + bytes.fromhex("8100 0001") * 3 + b"\x08\x00" + UDP_PACKET),
        (LinkType.RAW, bytes(IPv6(dst="::1") / UDP())),
    ],
)
def test_what_is_not_ipv4_is_passed_over(link_type: LinkType, frame: bytes) -> None:
    assert read(capture([frame], link_type)) == ([], CaptureCounters(records=1, other_protocols=1))


MALFORMED = {
    "nothing": b"",
    "part of a header": UDP_PACKET[:19],
    "header length below 20": b"\x44" + UDP_PACKET[1:],
    "header longer than the packet": b"\x4f" + UDP_PACKET[1:3] + b"\x14" + UDP_PACKET[4:],
    "total length zero": UDP_PACKET[:2] + b"\0\0" + UDP_PACKET[4:],
    "longer than the frame": UDP_PACKET[:-1],
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_packet_is_passed_over(frame: bytes) -> None:
    packets, counters = read(capture([frame, UDP_PACKET]))
    assert len(packets) == 1
    assert counters == CaptureCounters(records=2, packets=1, malformed=1)


def test_an_impossible_fraction_of_a_second_is_malformed() -> None:
    """It would not fit a record when written."""
    data = bytearray(capture([UDP_PACKET]))
    data[28:32] = b"\x40\x42\x0f\x00"  # 1 000 000 microseconds
    assert read(bytes(data)) == ([], CaptureCounters(records=1, malformed=1))


@pytest.mark.parametrize("length", [0, 13, 14, 20, 34, 41])
def test_a_packet_without_whole_headers_is_passed_over(length: int) -> None:
    frame = (ETHERNET + UDP_PACKET)[:length]
    assert read(capture([frame], LinkType.ETHERNET, snapped=9)) == (
        [],
        CaptureCounters(records=1, snapped_headers=1),
    )


@pytest.mark.parametrize("length", [42, len(ETHERNET + UDP_PACKET) - 1])
def test_a_snapped_packet_with_whole_headers_is_there(length: int) -> None:
    frame = (ETHERNET + UDP_PACKET)[:length]
    (packet,), counters = read(capture([frame], LinkType.ETHERNET, snapped=9))
    assert packet.packet == UDP_PACKET[: length - 14]
    assert packet.length == len(UDP_PACKET)
    assert counters == CaptureCounters(records=1, packets=1, snapped=1)


SNAPPED = {
    "a segment without all of its header": (bytes(IP(dst="192.0.2.1") / TCP() / Raw(b"x" * 9))[:39], 0),
    "a segment": (bytes(IP(dst="192.0.2.1") / TCP() / Raw(b"x" * 9))[:40], 1),
    "a query": (bytes(IP(dst="192.0.2.1") / ICMP() / Raw(b"x" * 9))[:28], 1),
    "an ICMP error, of which all is rewritten": (
        bytes(IP(dst="192.0.2.1") / ICMP(type=3) / IP() / UDP())[:50],
        0,
    ),
    "a later fragment": (bytes(IP(dst="192.0.2.1", proto=6, frag=9) / Raw(b"x" * 9))[:20], 1),
    "another protocol": (bytes(IP(dst="192.0.2.1", proto=47) / Raw(b"x" * 9))[:20], 1),
}


@pytest.mark.parametrize(("packet", "there"), SNAPPED.values(), ids=SNAPPED)
def test_what_must_be_there_of_a_snapped_packet(packet: bytes, there: int) -> None:
    packets, counters = read(capture([packet], snapped=9))
    assert len(packets) == there
    assert (counters.snapped, counters.snapped_headers) == (there, 1 - there)


def test_a_frame_snapped_in_its_padding_is_whole() -> None:
    packets, counters = read(capture([UDP_PACKET], snapped=9))
    assert len(packets) == 1
    assert counters.snapped == 0


@pytest.mark.parametrize("missing", range(1, 16 + len(UDP_PACKET)))
def test_a_file_cut_short_gives_what_is_whole(missing: int) -> None:
    packets, counters = read(capture([UDP_PACKET, UDP_PACKET])[:-missing])
    assert len(packets) == 1
    assert counters == CaptureCounters(records=1, packets=1, cut_short=1)


def test_a_file_without_records() -> None:
    assert read(capture([])) == ([], CaptureCounters())


# Refusing


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "capture, byte 0: is no pcap or pcapng file; give one that tcpdump -w or Wireshark wrote"),
        (b"#!/bin/sh", "byte 0: is no pcap or pcapng file"),
        (b"\x1f\x8b\x08\x00", "byte 0: is compressed; unpack it: zcat"),
        (bytes.fromhex("0a0d0d0a") + bytes(24), "byte 0: a section of no byte order; the file is damaged"),
        (capture([])[:23], "byte 4: ends within the file header"),
        (capture([])[:4] + b"\x01" + capture([])[5:], r"byte 4: has format version 1\.4"),
        (capture([], 127), r"byte 20: has link type 127; capture with one of: ethernet \(1\), raw \(101\)"),
    ],
)
def test_what_is_no_capture_is_refused_with_place_and_remedy(data: bytes, told: str) -> None:
    with pytest.raises(CaptureError, match=told):
        CaptureReader(io.BytesIO(data))


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"rubbish")
    with path.open("rb") as file, pytest.raises(CaptureError, match=r"x\.pcap, byte 0"):
        CaptureReader(file)


class Untouchable(io.BytesIO):
    """A file of which nobody may ask more than a frame may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= SNAP_LENGTH_LIMIT + PIECE
        return super().read(size)


@pytest.mark.parametrize("length", [SNAP_LENGTH_LIMIT + 1, 0xFFFFFFFF])
def test_a_length_is_not_believed_before_it_is_checked(length: int) -> None:
    data = capture([UDP_PACKET]) + struct.pack("<IIII", 0, 0, length, length)
    reader = CaptureReader(Untouchable(data))
    packets = iter(reader)
    next(packets)
    where = 24 + 16 + len(UDP_PACKET)
    with pytest.raises(CaptureError, match=f"byte {where}: a frame of {length} bytes; the file is damaged"):
        next(packets)


def test_the_longest_frame_is_read() -> None:
    packets, _ = read(capture([UDP_PACKET + bytes(SNAP_LENGTH_LIMIT - len(UDP_PACKET))]))
    assert packets[0].packet == UDP_PACKET


def test_bits_about_the_frame_check_sequence_are_no_link_type() -> None:
    packets, _ = read(capture([ETHERNET + UDP_PACKET + b"fcs!"], 0x24000001))
    assert len(packets) == 1


@given(st.binary(max_size=300), st.sampled_from(LinkType))
def test_any_frame_is_counted_once_and_raises_nothing(frame: bytes, link_type: LinkType) -> None:
    packets, counters = read(capture([frame], link_type))
    told = counters.packets + counters.other_protocols + counters.snapped_headers + counters.malformed
    assert (counters.records, told) == (1, 1)
    assert all(len(one.packet) >= 20 and one.end <= len(one.data) for one in packets)


@given(st.binary(max_size=200))
def test_any_bytes_after_the_header_end_or_are_damage(data: bytes) -> None:
    reader = CaptureReader(io.BytesIO(capture([]) + data))
    with contextlib.suppress(CaptureError):
        deque(reader, maxlen=0)
        assert reader.ended
    assert reader.counters.records <= len(data) // 16


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(capture([]) + capture([UDP_PACKET + bytes(1000)])[24:] * 8000)
    with path.open("rb") as file:
        reader = CaptureReader(file)
        tracemalloc.start()
        try:
            number = sum(1 for _ in reader)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert number == 8000
    assert path.stat().st_size > 8_000_000
    assert peak < 8 * PIECE


# Writing


def test_what_is_written_is_read_again() -> None:
    file = io.BytesIO()
    writer = CaptureWriter(file, LinkType.ETHERNET, nanoseconds=True)
    writer.write(1_700_000_000_123_456_789, memoryview(UDP_PACKET), ETHERNET)
    writer.flush()
    (packet,), _ = read(file.getvalue())
    assert packet.time_ns == 1_700_000_000_123_456_789
    assert (packet.link_header, packet.packet) == (ETHERNET, UDP_PACKET)


def test_a_raw_capture_drops_link_headers() -> None:
    file = io.BytesIO()
    writer = CaptureWriter(file)
    writer.write(1999, UDP_PACKET, ETHERNET)
    writer.flush()
    (packet,), _ = read(file.getvalue())
    assert (packet.time_ns, packet.packet, packet.link_header) == (1000, UDP_PACKET, b"")


def test_an_ethernet_capture_wants_link_headers() -> None:
    writer = CaptureWriter(io.BytesIO(), LinkType.ETHERNET)
    with pytest.raises(ValueError, match="without link header"):
        writer.write(0, UDP_PACKET)


@pytest.mark.parametrize("link_type", LinkType)
@pytest.mark.parametrize(("order", "unit"), MAGICS)
def test_a_writer_like_its_reader(link_type: LinkType, order: str, unit: int) -> None:
    reader = CaptureReader(io.BytesIO(capture([], link_type, order, unit)))
    file = io.BytesIO()
    CaptureWriter.like(file, reader).flush()
    again = CaptureReader(io.BytesIO(file.getvalue()))
    assert again.format.interfaces == reader.format.interfaces
    assert again.format.order == order


# scapy as the oracle

SCAPY_FRAMES: dict[LinkType, list[Any]] = {
    LinkType.ETHERNET: [
        Ether() / IP(dst="192.0.2.1") / UDP(),
        Ether() / ARP(pdst="10.0.0.1", psrc="10.0.0.2"),
        Ether() / Dot1Q(vlan=7) / IP(dst="192.0.2.1", options=b"\x01" * 4) / UDP() / Raw(b"x" * 1400),
        Ether() / IPv6(dst="::1") / UDP(),
    ],
    LinkType.RAW: [IP(dst="192.0.2.1") / UDP() / Raw(b"odd")],
    LinkType.LINUX_SLL: [CookedLinux() / IP(dst="192.0.2.1") / UDP()],
}


@pytest.mark.parametrize("link_type", SCAPY_FRAMES)
@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_what_scapy_writes_is_read_as_scapy_reads_it(
    tmp_path: Path, link_type: LinkType, endianness: str, nano: bool
) -> None:
    path, frames = tmp_path / "scapy.pcap", SCAPY_FRAMES[link_type]
    for number, frame in enumerate(frames):
        frame.time = 1_700_000_000.25 + number
    with PcapWriter(str(path), linktype=int(link_type), endianness=endianness, nano=nano) as writer:
        for frame in frames:
            writer.write(frame)
    expected = [(int(frame.time * 4) * 250_000_000, bytes(frame[IP])) for frame in frames if IP in frame]
    with path.open("rb") as file:
        packets = list(CaptureReader(file))
    assert [(one.time_ns, one.packet) for one in packets] == expected


@pytest.mark.parametrize("link_type", SCAPY_FRAMES)
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_scapy_reads_what_is_written(tmp_path: Path, link_type: LinkType, nanoseconds: bool) -> None:
    path = tmp_path / "ours.pcap"
    packets, _ = read(capture([bytes(frame) for frame in SCAPY_FRAMES[link_type]], link_type))
    with path.open("wb") as file:
        writer = CaptureWriter(file, link_type, nanoseconds=nanoseconds)
        for packet in packets:
            writer.write(packet.time_ns, packet.packet, packet.link_header)
        writer.flush()
    with RawPcapReader(str(path)) as reader:
        assert (reader.linktype, reader.nano) == (link_type, nanoseconds)
        read_again = [(data, meta.sec, meta.usec) for data, meta in reader]
    fraction = 500_000 if nanoseconds else 500
    assert read_again == [
        (packet.data[packet.frame : packet.end], packet.time_ns // 10**9, fraction) for packet in packets
    ]


# The replay


class Replay:
    """A capture port on a virtual clock, and a translator that records and rewrites."""

    def __init__(
        self, frames: list[bytes], link_type: LinkType = LinkType.RAW, *, realtime: bool = False
    ) -> None:
        self.clock = Clock()
        self.ready = True
        self.passes: Callable[[bytes], bool] = lambda packet: True
        self.seen: list[tuple[bytes, bytes, bool]] = []
        self.batches: list[int] = []
        self.output = io.BytesIO()
        reader = CaptureReader(io.BytesIO(capture(frames, link_type)))
        self.port = CapturePort(
            reader,
            CaptureWriter.like(self.output, reader),
            self.clock,
            self.received,
            lambda: self.batches.append(len(self.seen)),
            lambda: self.ready,
            from_outside=lambda packet: packet.packet[16:20] == bytes([203, 0, 113, 1]),
            realtime=realtime,
        )
        self.results: list[Any] = []
        self.port.finished.addBoth(self.results.append)

    def received(self, buffer: bytearray, length: int, from_outside: bool) -> bool:
        packet = bytes(buffer[10:length])
        self.seen.append((bytes(buffer[:10]), packet, from_outside))
        buffer[0] = 0xFF
        buffer[22:26] = bytes([203, 0, 113, 1])
        return self.passes(packet)

    def run(self, turns: int = 1) -> None:
        """Turns as a reactor has them: what is called for at once comes in the next."""
        for _ in range(turns):
            for call in [each for each in self.clock.calls if each.getTime() <= self.clock.seconds()]:
                self.clock.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def written(self) -> Iterator[bytes]:
        reader = CaptureReader(io.BytesIO(self.output.getvalue()))
        return (one.data[one.frame : one.end] for one in reader)


INBOUND = bytes(IP(src="192.0.2.1", dst="203.0.113.1") / UDP(sport=53, dport=5000))


def test_the_translator_sees_a_tuns_format_and_the_realm() -> None:
    replay = Replay([UDP_PACKET, INBOUND])
    replay.port.start()
    replay.run()
    assert replay.seen == [(bytes(10), UDP_PACKET, False), (bytes(10), INBOUND, True)]


def test_what_the_translator_passes_is_written_as_it_left_it_behind_the_same_link_header() -> None:
    replay = Replay([ETHERNET + UDP_PACKET + b"padding", ETHERNET + INBOUND], LinkType.ETHERNET)
    replay.passes = lambda packet: packet == UDP_PACKET
    replay.port.start()
    replay.run()
    translated = UDP_PACKET[:12] + bytes([203, 0, 113, 1]) + UDP_PACKET[16:]
    assert list(replay.written()) == [ETHERNET + translated]
    counters = replay.port.counters
    assert (counters.packets, counters.written, counters.dropped) == (2, 1, 1)


def test_a_packet_that_the_translator_shortened_is_written_short() -> None:
    replay = Replay([UDP_PACKET])

    def shorten(buffer: bytearray, length: int, from_outside: bool) -> bool:
        buffer[12:14] = (28).to_bytes(2, "big")
        return True

    replay.port._received = shorten
    replay.port.start()
    replay.run()
    assert [len(frame) for frame in replay.written()] == [28]


def test_the_longest_packet_fits_the_buffer() -> None:
    packet = UDP_PACKET[:2] + b"\xff\xff" + UDP_PACKET[4:] + bytes(65535 - len(UDP_PACKET))
    replay = Replay([packet, UDP_PACKET])
    replay.port.start()
    replay.run()
    assert [seen[1] for seen in replay.seen] == [packet, UDP_PACKET]


def test_a_turn_of_the_reactor_replays_one_batch() -> None:
    replay = Replay([UDP_PACKET] * (2 * BATCH + 1))
    replay.port.start()
    for turn in (1, 2):
        replay.run()
        assert replay.batches[-1] == len(replay.seen) == turn * BATCH
        assert replay.results == []
    replay.run()
    assert replay.batches == [BATCH, 2 * BATCH, 2 * BATCH + 1]
    assert replay.results == [None]


def test_a_turn_passes_over_no_more_records_than_a_batch() -> None:
    replay = Replay([b"\x60"] * (3 * BATCH))
    replay.port.start()
    replay.run()
    assert replay.port.counters.records == BATCH


def test_nothing_is_replayed_until_the_device_is_ready() -> None:
    replay = Replay([UDP_PACKET])
    replay.ready = False
    replay.port.start()
    replay.run(5)
    replay.clock.pump([READY_INTERVAL] * 5)
    assert replay.seen == []
    replay.ready = True
    replay.clock.advance(READY_INTERVAL)
    assert len(replay.seen) == 1
    assert replay.results == [None]


def test_a_replay_waits_again_when_the_role_is_lost() -> None:
    replay = Replay([UDP_PACKET] * (BATCH + 1))
    replay.port.start()
    replay.run()
    replay.ready = False
    replay.clock.pump([READY_INTERVAL] * 3)
    assert len(replay.seen) == BATCH
    replay.ready = True
    replay.clock.advance(READY_INTERVAL)
    assert len(replay.seen) == BATCH + 1


def test_a_damaged_capture_fails_the_replay_after_what_was_whole() -> None:
    replay = Replay([UDP_PACKET])
    data = capture([UDP_PACKET]) + b"\xff" * 16
    replay.port._reader = CaptureReader(io.BytesIO(data))
    replay.port.start()
    replay.run(2)
    assert replay.results[0].check(CaptureError)
    assert replay.batches == [1, 1]
    assert len(list(replay.written())) == 1
    assert replay.clock.getDelayedCalls() == []


def test_a_full_disk_fails_the_replay() -> None:
    class Full(io.BytesIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    replay = Replay([UDP_PACKET])
    replay.port._writer = CaptureWriter(Full())
    replay.port.start()
    replay.run()
    assert replay.results[0].check(OSError)


def test_a_stopped_replay_goes_on_where_it_was() -> None:
    replay = Replay([UDP_PACKET] * (BATCH + 1))
    replay.port.start()
    replay.run()
    replay.port.stop()
    assert replay.clock.getDelayedCalls() == []
    assert len(list(replay.written())) == BATCH
    replay.port.start()
    replay.port.start()
    replay.run()
    assert replay.results == [None]
    assert len(list(replay.written())) == BATCH + 1


def test_a_finished_replay_does_not_start_again() -> None:
    replay = Replay([])
    replay.port.start()
    replay.run()
    replay.port.stop()
    replay.port.start()
    assert replay.clock.getDelayedCalls() == []


def test_a_replay_in_real_time_keeps_the_distances() -> None:
    """The frames are a second apart."""
    replay = Replay([UDP_PACKET] * 3, realtime=True)
    replay.port.start()
    replay.run()
    assert len(replay.seen) == 1
    assert len(list(replay.written())) == 1  # whoever looks meanwhile sees it
    replay.clock.advance(0.9)
    assert len(replay.seen) == 1
    replay.clock.advance(0.1)
    assert len(replay.seen) == 2
    replay.clock.advance(1.0)
    assert replay.results == [None]
    assert len(replay.seen) == 3


def test_a_snapped_packet_is_written_as_short_as_it_came() -> None:
    replay = Replay([])
    reader = CaptureReader(io.BytesIO(capture([UDP_PACKET[:30]], snapped=6)))
    replay.port._reader, replay.port._writer = reader, CaptureWriter.like(replay.output, reader)
    replay.port.start()
    replay.run()
    assert [len(frame) for frame in replay.written()] == [30]
    assert struct.unpack("<II", replay.output.getvalue()[32:40]) == (30, len(UDP_PACKET))
