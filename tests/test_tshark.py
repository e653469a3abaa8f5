"""tshark judges what ``snat pcap`` writes: no checksum is wrong, nothing is malformed, every stream goes on.

Frames of both directions with a random mixture of what hosts send; where they were wrong they stay wrong.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from snat.__main__ import main

TEXT = """ip nat pool P 203.0.113.10 203.0.113.10 prefix-length 24
ip nat inside source list 1 pool P overload
access-list 1 permit 10.0.0.0 0.0.0.255
"""
POOL, SERVER, ROUTER = "203.0.113.10", "192.0.2.1", "192.0.2.254"
HOSTS = [f"10.0.0.{last}" for last in range(2, 8)]
FIELDS = (
    *("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status"),
    *("_ws.malformed", "ip.src", "ip.dst", "frame.len"),
)
GOOD, BAD, NOT_THERE = "1", "0", "3"


def judged(capture: Path) -> list[dict[str, list[str]]]:
    """What tshark says of each frame; the checksums of a quoted packet come behind the frame's own."""
    checks = [f"-o{layer}.check_checksum:TRUE" for layer in ("ip", "tcp", "udp")]
    wanted = [f"-e{field}" for field in FIELDS]
    command = [
        "tshark",
        "-r",
        str(capture),
        *checks,
        "-Tfields",
        "-Eseparator=;",
        "-Eaggregator=,",
        *wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = (line.split(";") for line in done.stdout.splitlines())
    return [
        {field: value.split(",") if value else [] for field, value in zip(FIELDS, line, strict=True)}
        for line in lines
    ]


def words(dice: Random, count: int) -> Raw:
    """Letters: tshark takes random bytes for all kinds of protocols."""
    return Raw(bytes(dice.choices(ascii_lowercase.encode(), k=count)))


def frames(dice: Random) -> Iterator[Any]:
    """Connections, queries and pings from inside, their answers, errors about them, some in fragments."""
    for number in range(150):
        host, port = dice.choice(HOSTS), 47000 + number
        payload = words(dice, dice.choice((1, 7, 40, 1301)))
        tos = dice.choice((0, 0x20, 0xB8))
        near = IP(src=host, dst=SERVER, id=number, tos=tos, flags=dice.choice((0, "DF")))
        far = IP(src=SERVER, dst=POOL, id=number + 5000)
        match dice.randrange(6):
            case 0:
                yield near / TCP(sport=port, dport=47654, flags="S", options=[("MSS", 1460), ("WScale", 7)])
                yield far / TCP(sport=47654, dport=port, flags="SA", ack=1)
                yield near / TCP(sport=port, dport=47654, flags="PA", seq=1, ack=1) / payload
                yield far / TCP(sport=47654, dport=port, flags="PA", seq=1, ack=1 + len(payload)) / payload
            case 1:
                yield near / UDP(sport=port, dport=47653) / payload
                yield far / UDP(sport=47653, dport=port, chksum=dice.choice((None, 0))) / payload
            case 2:
                yield near / ICMP(id=port, seq=1) / payload
                yield far / ICMP(type=0, id=port, seq=1) / payload
            case 3:
                big = IP(src=host, dst=SERVER, id=number) / UDP(sport=port, dport=47653)
                yield from fragment(big / words(dice, 3000), 1200)
            case 4:
                yield near / UDP(sport=port, dport=47653) / payload
                quoted = IP(src=POOL, dst=SERVER, ttl=1) / UDP(sport=port, dport=47653) / payload
                kind = dice.choice(({"type": 11}, {"type": 3, "code": 3}))
                yield IP(src=ROUTER, dst=POOL) / ICMP(**kind) / Raw(bytes(quoted)[: dice.choice((28, 60))])
            case 5:
                yield near / UDP(sport=port, dport=47653, chksum=0x1234) / payload  # wrong, and stays so


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("vlan", [False, True])
def test_tshark_finds_nothing_wrong_that_was_right(tmp_path: Path, seed: int, vlan: bool) -> None:
    config, source, target = (tmp_path / name for name in ("c.cfg", "in.pcap", "out.pcap"))
    config.write_text(TEXT)
    link = Ether() / Dot1Q(vlan=7) if vlan else Ether()
    wrpcap(str(source), [link / one for one in frames(Random(seed))])
    assert main(["pcap", "--config", str(config), str(source), str(target)]) == 0
    before, after = judged(source), judged(target)
    assert len(after) == len(before) > 250
    seen = Counter[str]()
    assert sum(not one["_ws.malformed"] for one in after) > 0.9 * len(after)
    for was, became in zip(before, after, strict=True):
        assert became["_ws.malformed"] == was["_ws.malformed"], "tshark calls a cut quote malformed"
        assert became["frame.len"] == was["frame.len"]
        for field in FIELDS[:4]:
            assert became[field] == was[field], field
            seen.update(f"{field} {status}" for status in became[field])
        outward = was["ip.src"][0].startswith("10.")
        assert became["ip.src" if outward else "ip.dst"][0] == (POOL if outward else became["ip.dst"][0])
        assert became["ip.dst"][0].startswith("10.") is not outward
    for field in FIELDS[:4]:
        assert seen[f"{field} {GOOD}"] > 20, f"{field} was looked at"
    assert seen[f"udp.checksum.status {BAD}"] > 5
    assert seen[f"udp.checksum.status {NOT_THERE}"] > 3
