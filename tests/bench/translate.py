"""The row ``translate``: packets in memory, without TUN, and captures."""

import random
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory

from scapy.layers.inet import ICMP, IP
from scapy.utils import RawPcapReader, RawPcapWriter

from cli.configuration_file import read_configuration
from snat.nat.access_list import AccessList, Line
from snat.nat.pool import SLOTS, Pool
from snat.nat.rules import Rule, Rules
from snat.nat.table import NatTable
from snat.nat.tracking import Timeouts
from snat.net import offline
from snat.net.capture_write import CaptureWriter
from snat.translate.translator import Translator
from tests.bench.clock import by_turns
from tests.bench.runs import medians
from tests.packets import buffer, udp

FLOWS = 20_000
HITS = 200_000
ERRORS = 2_000
CAPTURED = 200_000
CONFIGURATION, _ = read_configuration(
    """ip nat pool P 203.0.113.10 203.0.113.13 prefix-length 24
ip nat inside source list 1 pool P overload
access-list 1 permit 10.0.0.0 0.255.255.255
""",
    "bench",
)


def translate() -> dict[str, float]:
    """us a packet through the translator: of a known flow (10 000 hot flows), of a new one, an ICMP error."""
    packets = [
        bytes(udp(f"10.0.{n >> 12}.{n >> 4 & 255}", 2000 + n % 16, "198.51.100.7", 53)) for n in range(FLOWS)
    ]
    hot = packets[:10_000]
    warm = _translator()
    room, _ = buffer(b"")
    end = 10 + len(packets[0])
    for packet in hot:
        room[10:end] = packet
        warm.translate(room, end, False, 0.0)

    def hit() -> None:
        for _ in range(HITS // len(hot)):
            for packet in hot:
                room[10:end] = packet
                warm.translate(room, end, False, 1.0)

    def copy() -> None:
        for _ in range(HITS // len(hot)):
            for packet in hot:
                room[10:end] = packet

    def new() -> Translator:
        fresh = _translator()
        for packet in packets:
            room[10:end] = packet
            fresh.translate(room, end, False, 0.0)
        assert fresh.counters.created == FLOWS
        return fresh

    errors = _errors(warm, hot[:ERRORS])
    turns = []
    for copies, hits, news, failures in zip(
        by_turns({"us": copy}, HITS),
        by_turns({"us": hit}, HITS),
        by_turns({"us": new}, FLOWS),
        by_turns({"us": errors}, ERRORS),
        strict=True,
    ):
        loop = copies["us"]
        turns.append(
            {
                "hit_us": hits["us"] - loop,
                "new_flow_us": news["us"] - loop,
                "icmp_error_us": failures["us"] - loop,
            }
        )
    assert warm.counters.hits >= HITS
    assert warm.counters.icmp_errors == ERRORS * len(turns)
    captures = _captures(hot)
    return medians(one | other for one, other in zip(turns, captures, strict=True))


def _captures(packets: list[bytes]) -> list[dict[str, float]]:
    """us a packet of ``snat pcap`` from file to file, and of scapy's raw reader and writer that copy it."""
    with TemporaryDirectory() as directory:
        source, target = Path(directory) / "in.pcap", Path(directory) / "out.pcap"
        with source.open("wb") as file:
            writer = CaptureWriter(file)
            for number in range(CAPTURED):
                writer.write(number * 1000, packets[number % len(packets)])
            writer.flush()

        def ours() -> None:
            with source.open("rb") as read, target.open("wb") as written:
                done = offline.translate(CONFIGURATION, read, written)
            assert done.capture.written == CAPTURED

        def theirs() -> None:
            with RawPcapReader(str(source)) as read, RawPcapWriter(str(target), linktype=101) as written:
                for packet, meta in read:
                    written.write_packet(packet, sec=meta.sec, usec=meta.usec)

        turns = by_turns({"pcap_us": ours, "scapy_copy_us": theirs}, CAPTURED)
    return [one | {"pcap_packets_per_s": 1e6 / one["pcap_us"]} for one in turns]


def _errors(warm: Translator, packets: list[bytes]) -> Callable[[], None]:
    """Translates an error from a router outside about each of some packets, of flows that are known."""
    room, _ = buffer(b"")
    errors = []
    for packet in packets:
        room[10 : 10 + len(packet)] = packet
        warm.translate(room, 10 + len(packet), False, 0.0)
        quoted = IP(bytes(room[10 : 10 + len(packet)]))
        errors.append(bytes(IP(src="192.0.2.1", dst=quoted.src) / ICMP(type=11) / quoted))
    end = 10 + len(errors[0])

    def translate_errors() -> None:
        for error in errors:
            room[10:end] = error
            warm.translate(room, end, True, 1.0)

    return translate_errors


def _translator() -> Translator:
    pool = Pool(
        "P",
        [(int(IPv4Address("203.0.113.10")), int(IPv4Address("203.0.113.13")))],
        range(SLOTS),
        random.Random(1),
    )
    everyone = AccessList((Line(True, int(IPv4Address("10.0.0.0")), 0x00FFFFFF),))
    numbers = iter(range(1 << 40))
    translator = Translator(
        NatTable(),
        Rules((Rule(everyone, pool, 10),), (pool,)),
        Timeouts(udp=300, tcp=7440, syn=240, closing=240, finrst=60, icmp=60),
        identity=lambda: (1, next(numbers)),
        ttl_step=1,
        now=0.0,
    )
    translator.flows.manage(10, True, 0.0)
    return translator
