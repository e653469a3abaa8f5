"""``snat pcap``: what comes out of a capture, what is said, and what is refused."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import PcapReader, rdpcap, wrpcap

from snat.__main__ import main
from snat.capture_tool import Bar
from snat.net.capture_frame import CaptureCounters

TEXT = """ip nat pool P 203.0.113.10 203.0.113.10 prefix-length 24
ip nat inside source list 1 pool P overload
ip nat translation udp-timeout 300
ip nat translation dns-timeout 300
access-list 1 permit 10.0.0.0 0.0.0.255
"""
SERVER = "192.0.2.1"


def out(port: int, time: float = 1.0, host: int = 5) -> Any:
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    frame = frame / IP(src=f"10.0.0.{host}", dst=SERVER) / UDP(sport=port, dport=53) / Raw(b"question")
    frame.time = time
    return frame


def back(port: int, time: float = 1.0) -> Any:
    frame = Ether() / IP(src=SERVER, dst="203.0.113.10") / UDP(sport=53, dport=port) / Raw(b"answer")
    frame.time = time
    return frame


class Files:
    def __init__(self, directory: Path) -> None:
        self.config, self.source, self.target = (
            directory / name for name in ("c.cfg", "in.pcap", "out.pcap")
        )
        self.config.write_text(TEXT)

    def run(self, *frames: Any) -> int:
        wrpcap(str(self.source), list(frames))
        return main(["pcap", "--config", str(self.config), str(self.source), str(self.target)])

    def left(self) -> list[Any]:
        return list(rdpcap(str(self.target)))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def checked(frame: Any) -> Any:
    """The same, with its checksums computed anew by scapy."""
    fresh = frame.copy()
    for layer in (IP, UDP, TCP, ICMP):
        if layer in fresh:
            del fresh[layer].chksum
    return fresh.__class__(bytes(fresh))


def test_both_directions_are_translated(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.run(out(5000), back(5000, 1.5)) == 0
    there, here = files.left()
    assert (there[IP].src, there[IP].dst, there[UDP].sport) == ("203.0.113.10", SERVER, 5000)
    assert (here[IP].src, here[IP].dst, here[UDP].dport) == (SERVER, "10.0.0.5", 5000)
    assert (there[Ether].src, there.time, here.time) == ("02:00:00:00:00:01", 1.0, 1.5)
    assert there[IP].ttl == 63
    for frame in (there, here):
        assert bytes(frame) == bytes(checked(frame))
    said = capsys.readouterr()
    assert "2 records, 2 packets, 2 written" in said.out
    assert "created = 1" in said.out
    assert said.err == ""


def test_entries_age_by_the_time_of_the_capture(files: Files) -> None:
    assert files.run(out(5000, 1.0), back(5000, 299.0), out(7, 700.0, host=9), back(5000, 701.0)) == 0
    assert len(files.left()) == 3


def test_the_counters_are_one_object(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    wrpcap(str(files.source), [out(5000), Ether() / Raw(b"what?")])
    told = ["pcap", "--json", "--config", str(files.config), str(files.source), str(files.target)]
    assert main(told) == 0
    counters = json.loads(capsys.readouterr().out)
    assert counters["capture"]["other_protocols"] == 1
    assert counters["translate"]["created"] == 1
    assert counters["entries"] == 1


def test_fragments_that_waited_are_written(files: Files) -> None:
    whole = IP(src="10.0.0.5", dst=SERVER, id=7) / UDP(sport=9, dport=9) / Raw(b"x" * 1000)
    pieces = [Ether() / piece for piece in whole.fragment(400)]
    assert files.run(*reversed(pieces)) == 0
    assert sorted(one[IP].frag for one in files.left()) == [one[IP].frag for one in pieces]
    assert {one[IP].src for one in files.left()} == {"203.0.113.10"}


def test_a_pipe_in_and_out(files: Files) -> None:
    wrpcap(str(files.source), [out(port) for port in range(5000, 5010)])
    command = [sys.executable, "-m", "snat", "pcap", "--config", str(files.config), "-", "-"]
    done = subprocess.run(
        command, input=files.source.read_bytes(), capture_output=True, check=True, timeout=30
    )
    with PcapReader(io.BytesIO(done.stdout)) as reader:
        assert [one[UDP].sport for one in reader] == list(range(5000, 5010))
    assert b"10 written" in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.source.unlink(), "in.pcap: no such file or directory"),
        (lambda files: files.config.unlink(), "c.cfg: no such file or directory"),
        (lambda files: files.config.write_text("ip nat pool\n"), "c.cfg:1:12: missing: WORD"),
        (lambda files: files.source.write_bytes(b"rubbish"), "in.pcap, byte 0: is no pcap or pcapng file"),
        (lambda files: files.target.symlink_to(files.source), "is the capture that is read"),
        (lambda files: files.target.mkdir(), "out.pcap: is a directory"),
    ],
)
def test_what_cannot_be_is_told(
    files: Files, capsys: pytest.CaptureFixture[str], change: Any, said: str
) -> None:
    wrpcap(str(files.source), [out(5000)])
    change(files)
    before = files.source.read_bytes() if files.source.exists() else None
    assert main(["pcap", "--config", str(files.config), str(files.source), str(files.target)]) == 1
    assert said in capsys.readouterr().err
    assert before is None or files.source.read_bytes() == before


def test_what_was_whole_before_the_damage_is_there(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    wrpcap(str(files.source), [out(5000)])
    with files.source.open("ab") as file:
        file.write(b"\xff" * 16)
    assert main(["pcap", "--config", str(files.config), str(files.source), str(files.target)]) == 1
    assert "a frame of 4294967295 bytes; the file is damaged" in capsys.readouterr().err
    assert len(files.left()) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_for_terminals() -> None:
    source, terminal, plain = io.BytesIO(bytes(1000)), Terminal(), io.StringIO()
    now = [0.0]
    bars = [Bar(source, where, lambda: now[0]) for where in (terminal, plain)]
    now[0] = 2.0
    source.seek(500)
    for bar in bars:
        bar.show(CaptureCounters(records=3000))
        bar.show(CaptureCounters(records=3001))
        bar.end()
    assert plain.getvalue() == ""
    assert terminal.getvalue().count("3,000 records, 1,500/s") == 1
    assert f"|{'#' * 15}{' ' * 15}|  50%" in terminal.getvalue()
    assert "3,001" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")


def test_the_bar_of_a_pipe_knows_no_end() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    terminal, now = Terminal(), [0.0]
    bar = Bar(Pipe(), terminal, lambda: now[0])
    now[0] = 1.0
    bar.show(CaptureCounters(records=10))
    assert terminal.getvalue() == "\r10 records, 10/s\033[K"
