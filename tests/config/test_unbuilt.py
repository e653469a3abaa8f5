"""Every line of ip nat that this version does not carry out is refused, and none that it does."""

import pytest

from cli.configuration_file import read_configuration
from snat.config.problem import Problem
from snat.config.unbuilt import unbuilt_lists, unbuilt_translation
from snat.config.verify import verify

RULE = "ip nat inside source list 1 pool P overload"
STATIC = "ip nat inside source static"


def refused(text: str) -> list[Problem]:
    return list(unbuilt_translation(read_configuration(f"{text}\n", "test")[0]))


# the line, and the beginning of the line that the problem tells
UNBUILT = [
    ("ip nat inside source list 1 pool P reversible overload", "ip nat inside source list 1"),
    ("ip nat inside source list 1 pool P overload extended", "ip nat inside source list 1"),
    ("ip nat inside source list 1 interface out0", "ip nat inside source list 1"),
    ("ip nat translation routemap-entry-timeout 30", "ip nat translation routemap-entry-timeout"),
    ("ip nat translation arp-ping-timeout 30", "ip nat translation arp-ping-timeout"),
    ("no ip nat create flow-entries", "no ip nat create flow-entries"),
    ("no ip nat switchover replication http", "no ip nat switchover replication http"),
    ("ip nat switchover replication http port 8080", "ip nat switchover replication http"),
    ("ip nat service ldap", "ip nat service"),
    ("ip nat service fullrange udp port 500", "ip nat service fullrange"),
]


@pytest.mark.parametrize(("line", "where"), UNBUILT)
def test_it_is_refused(line: str, where: str) -> None:
    (problem,) = refused(line)
    assert problem.what.startswith("this version does not ")
    assert problem.where.startswith(where)
    assert problem.remedy
    assert not problem.missing, "no other line cures it"


@pytest.mark.parametrize(
    "line",
    [
        RULE,
        "ip nat inside source list 1 pool P mapping-id 10 overload",
        "ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24",
        "ip nat inside source list 1 pool P",
        "ip nat inside source route-map R pool P reversible",
        "ip nat inside source list 1 interface out0 overload",
        "ip nat inside destination list 1 pool P",
        "ip nat outside source list 1 pool P",
        f"{STATIC} 10.0.0.9 203.0.113.20 mapping-id 10 extendable no-alias no-payload",
        f"{STATIC} tcp 10.0.0.9 80 203.0.113.20 8080",
        f"{STATIC} tcp 10.0.0.9 80 interface out0 8080",
        f"{STATIC} 10.0.0.9 203.0.113.20 route-map R reversible",
        f"{STATIC} network 10.0.0.0 203.0.113.0 /24",
        "ip nat outside source static 198.51.100.9 10.9.9.9",
        "ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24 type rotary",
        "ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24 type match-host",
        "ip nat translation timeout 60",
        "ip nat pool P netmask 255.255.255.0",
        *(
            f"ip nat translation {word}-timeout 77"
            for word in ("udp", "tcp", "syn", "finrst", "icmp", "closing")
        ),
        "ip nat translation udp-timeout never",
        "ip nat translation dns-timeout 30",
        "ip nat translation port-timeout tcp 80 30",
        "ip nat translation max-entries 5",
        "ip nat filtering address-dependent",
        "ip nat filtering endpoint-independent",
        "ip nat filtering address-port-dependent",
        "no ip nat settings pap",
        "no ip nat service ftp",
        "ip nat service list 1 ftp tcp port 2121",
        "ip nat service tftp",
        "ip nat service sip udp port 5070",
        "ip nat service rtsp",
        "ip nat service irc tcp port 6668",
        "ip nat service all-algs",
        "no ip nat tun offload",
        "ip nat tun queue-length 500",
    ],
)
def test_what_is_carried_out_is_not(line: str) -> None:
    assert refused(line) == []


LISTS = """\
access-list 1 permit 10.0.0.0 0.0.0.255
access-list 2 permit 10.0.0.0 0.0.0.255 log
access-list 100 permit tcp any any eq 80
interface out0
 ip nat outside
"""
OTHER = "interface out1\n ip nat outside\n"
MAP = "route-map R permit 10\n match "


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("ip nat inside source list 2 pool P overload", "ip nat inside source list 2", "log"),
        (f"{MAP}ip address 1 2\nip nat inside source route-map R pool P overload", "route-map R", "log"),
    ],
)
def test_what_of_lists_and_route_maps_is_refused(text: str, where: str, what: str) -> None:
    configuration = read_configuration(f"{LISTS}{text}\n", "test")[0]
    (problem,) = unbuilt_lists(configuration)
    assert problem.where.startswith(where)
    assert what in problem.what


@pytest.mark.parametrize(
    "text",
    [
        "ip nat inside source list 100 pool P overload",
        f"{MAP}interface out0\nip nat inside source route-map R pool P overload",
        f"{OTHER}{MAP}interface out0\n{STATIC} 10.0.0.9 203.0.113.20 route-map R",
        f"{MAP}ip address 2",
    ],
)
def test_what_of_them_is_not(text: str) -> None:
    assert list(unbuilt_lists(read_configuration(f"{LISTS}{text}\n", "test")[0])) == []


def test_each_time_out_has_its_own_reason() -> None:
    told = {refused(line)[0].what for line, where in UNBUILT if where.endswith("-timeout")}
    assert len(told) == 2


def test_it_is_part_of_verifying() -> None:
    configuration = read_configuration("ip nat translation arp-ping-timeout 30\n", "test")[0]
    assert [one.what for one in verify(configuration)] == [
        "this version does not ask by ARP whether an inside host is still there yet"
    ]
