"""The digest of a mapping changes with all that its entries depend on, and with nothing else."""

from dataclasses import replace

import pytest

from cli.configuration_file import read_configuration
from snat.config.model import AccessLine, AccessList, Configuration, RouteMap, RouteMapEntry
from snat.device.digest import configuration_digest
from tests.nat.records import MAPPING

TEXT = f"""\
ip nat translation port-timeout tcp 80 30
ip nat translation port-timeout udp 53 30
ip nat pool P 203.0.113.10 203.0.113.20 prefix-length 24
ip nat pool Q 203.0.113.30 203.0.113.40 prefix-length 24
ip nat inside source list 1 pool P mapping-id {MAPPING} overload
ip nat inside source list 2 pool Q overload
ip nat inside source static 10.0.0.9 203.0.113.50 mapping-id {MAPPING}
ip nat inside source static 10.0.0.8 203.0.113.51 route-map R mapping-id {MAPPING}
access-list 1 permit 10.0.0.0 0.0.0.255
access-list 2 permit 10.0.1.0 0.0.0.255
"""


def made(text: str = TEXT) -> Configuration:
    configuration, _ = read_configuration(text, "test")
    route_map = RouteMap(name="R", entries=(RouteMapEntry(sequence=10, lists=("3",)),))
    third = AccessList(name="3", lines=configuration.access_lists[0].lines)
    return replace(configuration, route_maps=(route_map,), access_lists=(*configuration.access_lists, third))


def digest(configuration: Configuration) -> int:
    return configuration_digest(configuration, MAPPING)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("203.0.113.10 203.0.113.20", "203.0.113.10 203.0.113.21"),
        ("1 permit 10.0.0.0 0.0.0.255", "1 permit 10.0.0.0 0.0.0.127"),
        ("static 10.0.0.9 203.0.113.50", "static 10.0.0.9 203.0.113.52"),
        (f"static 10.0.0.9 203.0.113.50 mapping-id {MAPPING}", "static 10.0.0.9 203.0.113.50"),
        ("ip nat pool P", "ip nat translation udp-timeout 30\nip nat pool P"),
        ("tcp 80 30", "tcp 80 31"),
        ("ip nat pool P", "ip nat filtering endpoint-independent\nip nat pool P"),
        ("ip nat pool P", "no ip nat create flow-entries\nip nat pool P"),
        ("ip nat pool P", "ip nat service sip\nip nat pool P"),
        ("ip nat pool P", "no ip nat service ftp\nip nat pool P"),
        ("ip nat pool P", "ip nat service fullrange udp port 500\nip nat pool P"),
    ],
)
def test_what_the_entries_depend_on(old: str, new: str) -> None:
    assert old in TEXT
    assert digest(made(TEXT.replace(old, new, 1))) != digest(made())


def test_route_maps_and_their_lists_too() -> None:
    configuration = made()
    denied = replace(configuration.route_maps[0].entries[0], permit=False)
    assert digest(replace(configuration, route_maps=(RouteMap(name="R", entries=(denied,)),))) != digest(
        made()
    )
    line: AccessLine = replace(configuration.access_lists[2].lines[0], permit=False)
    lists = (*configuration.access_lists[:2], AccessList(name="3", lines=(line,)))
    assert digest(replace(configuration, access_lists=lists)) != digest(made())
    unknown = replace(configuration, route_maps=())
    assert digest(unknown) != digest(made())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("203.0.113.30 203.0.113.40", "203.0.113.30 203.0.113.41"),
        ("2 permit 10.0.1.0 0.0.0.255", "2 permit 10.0.1.0 0.0.0.127"),
        ("ip nat pool P", "hostname R9\nip nat pool P"),
        ("ip nat pool P", "no ip nat tun offload\nip nat pool P"),
        ("ip nat pool P", "ip nat tun queue-length 99\nip nat pool P"),
        ("ip nat pool P", "ip nat log translations syslog\nip nat pool P"),
        ("ip nat pool P", "ip nat translation max-entries 9\nip nat pool P"),
        (
            "port-timeout tcp 80 30\nip nat translation port-timeout udp 53 30",
            "port-timeout udp 53 30\nip nat translation port-timeout tcp 80 30",
        ),
    ],
)
def test_what_is_another_matter(old: str, new: str) -> None:
    assert old in TEXT
    assert digest(made(TEXT.replace(old, new, 1))) == digest(made())
