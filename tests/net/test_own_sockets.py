"""Which ports the router itself uses: files of /proc as the kernel writes them, and this machine's own."""

import socket
import sys
from pathlib import Path

import pytest

from snat.nat.tracking import TCP, UDP
from snat.net import sysctl
from snat.net.own_sockets import MOST, listened, own_ports

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
NOBODY = "00000000:0000"
LISTENS, ESTABLISHED, UNCONNECTED = "0A", "01", "07"


def line(family: int, address: str, port: int, state: str) -> str:
    packed = socket.inet_pton(family, address)
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    shown = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"   0: {shown}:{port:04X} {NOBODY} {state} 00000000:00000000 00:00000000 00000000  0  0 1076 1\n"


def v4(address: str, port: int, state: str) -> str:
    return line(socket.AF_INET, address, port, state)


def v6(address: str, port: int, state: str) -> str:
    return line(socket.AF_INET6, address, port, state)


def written(root: Path, name: str, *lines: str) -> None:
    (root / name).write_text(f"{HEAD}\n{''.join(lines)}")


def test_those_that_listen_to_others(tmp_path: Path) -> None:
    written(
        tmp_path,
        "tcp",
        v4("0.0.0.0", 80, LISTENS),
        v4("203.0.113.1", 8080, LISTENS),
        v4("127.0.0.53", 53, LISTENS),
        v4("203.0.113.1", 443, ESTABLISHED),
    )
    written(
        tmp_path,
        "udp",
        v4("0.0.0.0", 123, UNCONNECTED),
        v4("203.0.113.1", 500, ESTABLISHED),
        v4("127.0.0.1", 323, UNCONNECTED),
    )
    assert listened(tmp_path) == {(TCP, 80), (TCP, 8080), (UDP, 123)}


def test_sockets_of_ipv6_hear_ipv4_too(tmp_path: Path) -> None:
    for name in ("tcp", "udp"):
        written(tmp_path, name)
    written(
        tmp_path,
        "tcp6",
        v6("::", 22, LISTENS),
        v6("::ffff:203.0.113.1", 81, LISTENS),
        v6("::1", 631, LISTENS),
        v6("::ffff:127.0.0.1", 8005, LISTENS),
    )
    written(tmp_path, "udp6", v6("::", 547, UNCONNECTED))
    assert listened(tmp_path) == {(TCP, 22), (TCP, 81), (UDP, 547)}


def test_of_very_many_only_some_are_looked_at(tmp_path: Path) -> None:
    """Connections are not looked at; what is unconnected is, up to a limit."""
    many = [v4("0.0.0.0", 1 + at, UNCONNECTED) for at in range(MOST + 5)]
    written(tmp_path, "udp", *many)
    written(tmp_path, "tcp", v4("0.0.0.0", 80, LISTENS), v4("203.0.113.1", 80, ESTABLISHED), "not a socket\n")
    assert len(listened(tmp_path)) == MOST + 1


def test_this_machine_is_asked() -> None:
    with socket.create_server(("0.0.0.0", 0)) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        expected = {(TCP, one.getsockname()[1]), (UDP, other.getsockname()[1])}
        assert expected <= listened()


def test_no_such_kernel_tells_nothing(tmp_path: Path) -> None:
    assert listened(tmp_path) == frozenset()


@pytest.mark.parametrize(
    ("said", "ports"),
    [
        ("", ()),
        ("8080", (range(8080, 8081),)),
        ("8080,9000-9002", (range(8080, 8081), range(9000, 9003))),
    ],
)
def test_ports_that_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, ports: tuple[range, ...]
) -> None:
    monkeypatch.setattr(sysctl, "ROOT", tmp_path)
    (tmp_path / "ipv4").mkdir()
    (tmp_path / "ipv4/ip_local_reserved_ports").write_text(f"{said}\n")
    assert sysctl.reserved_ports() == ports


def test_a_kernel_that_does_not_say_what_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysctl, "ROOT", tmp_path)
    assert sysctl.reserved_ports() == ()


def test_all_of_them_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysctl, "ROOT", tmp_path)
    (tmp_path / "ipv4").mkdir()
    (tmp_path / "ipv4/ip_local_port_range").write_text("40000\t40009\n")
    (tmp_path / "ipv4/ip_local_reserved_ports").write_text("5000-5001\n")
    with socket.create_server(("0.0.0.0", 0)) as one:
        ours = own_ports()
        listening = one.getsockname()[1]
    for protocol in (TCP, UDP):
        for port in (5000, 5001, 40000, 40009):
            assert bytes((protocol,)) + port.to_bytes(2, "big") in ours
    assert bytes((TCP,)) + listening.to_bytes(2, "big") in ours
    assert bytes((UDP,)) + (5002).to_bytes(2, "big") not in ours or (UDP, 5002) in listened()
