"""Which gateways read at which ports, by lines of the configuration."""

import random

import pytest

from cli.configuration_file import read_configuration
from snat.config import gateways
from snat.config.gateways import ON, PROTOCOLS, UNBUILT
from snat.config.verify import verify
from snat.device.device import Device
from snat.device.events import Noted
from snat.device.gateways import missed_of, services_of
from snat.nat.tracking import TCP, UDP
from snat.translate.alg.ftp import Ftp
from snat.translate.alg.gateway import Gateway
from snat.translate.alg.registry import GATEWAYS
from snat.translate.alg.tftp import Tftp
from tests.packets import buffer, udp

LISTS = "access-list 1 permit 10.0.0.5\naccess-list 2 permit 10.0.0.6\n"
FIVE, SIX, SEVEN = (bytes((10, 0, 0, last)) for last in (5, 6, 7))
NUMBERS = {"tcp": TCP, "udp": UDP}


def at(text: str) -> dict[tuple[int, int], type[Gateway]]:
    """What reads where."""
    configuration = read_configuration(f"{LISTS}{text}\n", "test")[0]
    services = services_of(configuration)
    return {
        (protocol, int.from_bytes(port, "big")): one.gateway
        for protocol, ports in services.items()
        for port, one in ports.items()
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {(TCP, 21): Ftp}),
        ("no ip nat service ftp", {}),
        ("ip nat service tftp", {(TCP, 21): Ftp, (UDP, 69): Tftp}),
        ("ip nat service tftp udp port 6969", {(TCP, 21): Ftp, (UDP, 6969): Tftp}),
        ("ip nat service ftp tcp port 2121", {(TCP, 21): Ftp, (TCP, 2121): Ftp}),
        ("no ip nat service ftp\nip nat service ftp port 2121", {(TCP, 2121): Ftp}),
    ],
)
def test_what_reads_where(text: str, expected: dict[tuple[int, int], type]) -> None:
    assert at(text) == expected


def test_all_are_all_that_there_are() -> None:
    everywhere = at("ip nat service all-algs")
    assert everywhere == {place: one.gateway for one in GATEWAYS.values() for place in one.places}


@pytest.mark.parametrize(
    ("text", "missed"),
    [("", {"tftp"}), ("ip nat service tftp", set()), ("no ip nat service tftp", {"tftp"})],
)
def test_what_is_off_and_nobody_said_so(text: str, missed: set[str]) -> None:
    found = missed_of(read_configuration(f"{text}\n", "test")[0])
    assert set(found.values()) & {"ftp", "tftp"} == missed


def test_it_is_told_once(device: Device) -> None:
    packet, end = buffer(udp("10.0.0.5", 4000, "198.51.100.7", 69, b"\0\1file\0octet\0"))
    for port in (4000, 4001, 4002):
        packet[30:32] = port.to_bytes(2, "big")
        device.packet(bytearray(packet), end, False, 0.0)
        device.turn(0.0)
    told = [one for one in device.events() if isinstance(one, Noted) and "unread" in one.text]
    assert [one.fields for one in told] == [{"gateway": "tftp"}]


@pytest.fixture
def device() -> Device:
    rule = (
        "ip nat pool P 203.0.113.9 203.0.113.9 prefix-length 24\nip nat inside source list 3 pool P overload"
    )
    text = f"{LISTS}access-list 3 permit any\n{rule}\n"
    configuration = read_configuration(text, "test")[0]
    return Device(configuration, incarnation=1, terms={}, ports=random.Random(1), ttl_step=-1, now=0.0)


def test_a_list_says_for_which_hosts() -> None:
    both = "ip nat service list 1 ftp tcp port 2121\nip nat service list 2 ftp tcp port 2121"
    services = services_of(read_configuration(f"{LISTS}{both}\n", "test")[0])
    reads = services[TCP][(2121).to_bytes(2, "big")].reads
    assert reads is not None
    assert [reads(host) for host in (FIVE, SIX, SEVEN)] == [True, True, False]
    assert services[TCP][(21).to_bytes(2, "big")].reads is None


def test_a_line_without_a_list_is_for_all() -> None:
    both = "ip nat service list 1 ftp tcp port 2121\nip nat service ftp tcp port 2121"
    services = services_of(read_configuration(f"{LISTS}{both}\n", "test")[0])
    assert services[TCP][(2121).to_bytes(2, "big")].reads is None


def test_the_configuration_knows_the_gateways_there_are() -> None:
    configured = {name for name, one in GATEWAYS.items() if one.places}
    assert configured == set(PROTOCOLS) - UNBUILT
    assert set(ON) <= set(GATEWAYS)
    for name, one in GATEWAYS.items():
        assert name == one.gateway.name
        assert {place.protocol for place in one.places} == {NUMBERS[word] for word in PROTOCOLS.get(name, ())}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ip nat service ftp udp", "ftp is not spoken over udp"),
        ("ip nat service tftp tcp port 69", "tftp is not spoken over tcp"),
        ("ip nat service ftp port 69\nip nat service tftp port 69", ""),
        ("ip nat service all-algs port 5000", "each has its own port"),
    ],
)
def test_lines_that_do_not_fit(text: str, what: str) -> None:
    problems = [one.what for one in verify(read_configuration(f"{text}\n", "test")[0])]
    assert [one for one in problems if "spoken" in one or "port" in one] == ([what] if what else [])


@pytest.mark.parametrize("name", ["H225", "ras"])
def test_what_needs_pycrate_says_so_without_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = read_configuration(f"ip nat service {name}\n", "test")[0]
    assert verify(configuration) == ()
    monkeypatch.setattr(gateways, "find_spec", lambda _: None)
    (problem,) = verify(configuration)
    assert problem.what == f"{name} needs pycrate, which is not installed"
    assert problem.remedy == "install snat-router[h323], or remove the line"
    assert verify(read_configuration("ip nat service pptp\n", "test")[0]) == ()


def test_pptp_and_dns_and_h323_at_their_ports() -> None:
    everything = at("ip nat service pptp\nip nat service dns\nip nat service H225\nip nat service ras")
    assert {place: one.name for place, one in everything.items()} == {
        (TCP, 21): "ftp",
        (TCP, 1723): "pptp",
        (UDP, 53): "dns",
        (TCP, 53): "dns",
        (TCP, 1720): "H225",
        (UDP, 1719): "ras",
    }
    assert set(at("ip nat service dns udp")) == {(TCP, 21), (UDP, 53)}


def test_dns_that_is_off_is_not_missed() -> None:
    missed = set(missed_of(read_configuration("", "test")[0]).values())
    assert "pptp" in missed
    assert "dns" not in missed
