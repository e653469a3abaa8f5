"""Interfaces, routes and tracked objects: every line, what it means, how it is printed and removed."""

from ipaddress import IPv4Interface

import pytest

from cli.commands import TREE
from cli.grammar import Fault, LineError
from cli.shell import Shell
from cli.tree import Rejected, canonical, destination
from snat.config.model import Configuration, InterfaceAddress, Side, StaticRoute, TrackedObject
from tests.cli.fake_router import FakeRouter, output
from tests.cli.places import PLACES, edited, made, section

# place, the line as it is printed, an abbreviation
LINES = [
    ("config", "interface in0.5", "int in0.5"),
    ("interface", "description to the  LAN", "desc to the  LAN"),
    ("interface", "ip address 10.0.0.2 255.255.255.0", "ip a 10.0.0.2 255.255.255.0"),
    ("subinterface", "ip address 10.0.0.2 255.255.255.0 secondary", "ip ad 10.0.0.2 255.255.255.0 s"),
    ("interface", "ip nat inside", "ip n i"),
    ("interface", "ip unreachables", "ip u"),
    ("interface", "no ip unreachables", "no ip unr"),
    ("interface", "ip tcp adjust-mss 1360", "ip t a 1360"),
    ("interface", "shutdown", "shu"),
    ("interface", "no shutdown", "no sh"),
    ("config", "track 1 interface in0 line-protocol", "tr 1 int in0 l"),
    ("config", "track 1000 interface in0 ip routing", "tra 1000 i in0 ip r"),
    ("config", "ip route 0.0.0.0 0.0.0.0 10.0.0.254", "ip ro 0.0.0.0 0.0.0.0 10.0.0.254 1"),
    (
        "config",
        "ip route 10.8.0.0 255.255.0.0 in0 10.0.0.3 200 name EAST",
        "ip ro 10.8.0.0 255.255.0.0 in0 10.0.0.3 200 n EAST",
    ),
    ("config", "ip route 10.8.0.0 255.255.0.0 in0", "ip ro 10.8.0.0 255.255.0.0 in0"),
]


@pytest.mark.parametrize(("place", "line", "typed"), LINES)
def test_a_line_is_understood_and_printed_in_full(place: str, line: str, typed: str) -> None:
    assert canonical(TREE.match(PLACES[place], typed)) == line
    assert canonical(TREE.match(PLACES[place], line)) == line


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("interface", "description"),
        ("interface", "ip address"),
        ("interface", "ip address 10.0.0.2"),
        ("interface", "ip tcp"),
        ("interface", "ip tcp adjust-mss"),
        ("config", "track 1"),
        ("config", "track 1 interface in0"),
        ("config", "track 1 interface in0 ip"),
        ("config", "ip route 10.0.0.0"),
        ("config", "ip route 10.0.0.0 255.0.0.0"),
        ("config", "ip route 10.0.0.0 255.0.0.0 in0 name"),
    ],
)
def test_incomplete(place: str, line: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PLACES[place], line)
    assert caught.value.fault is Fault.INCOMPLETE


@pytest.mark.parametrize(
    ("place", "line", "bad"),
    [
        ("interface", "ip address 224.0.0.1 255.0.0.0", "224.0.0.1"),
        ("interface", "ip address 10.0.0.2 /24", "/24"),
        ("interface", "ip address 10.0.0.2 255.255.255.0 third", "third"),
        ("interface", "ip tcp adjust-mss 499", "499"),
        ("interface", "ip tcp adjust-mss 1461", "1461"),
        ("interface", "ip unreachables now", "now"),
        ("interface", "shutdown now", "now"),
        ("config", "track 0 interface in0 line-protocol", "0"),
        ("config", "track 1001 interface in0 line-protocol", "1001"),
        ("config", "track 1 interface in0 metric", "metric"),
        ("config", "ip route 10.0.0 255.0.0.0 in0", "10.0.0"),
        ("config", "ip route 10.0.0.0 255.0.0.0 10.0.0.256", "10.0.0.256"),
        ("config", "ip route 10.0.0.0 255.0.0.0 in0 0", "0"),
        ("config", "ip route 10.0.0.0 255.0.0.0 in0 256", "256"),
        ("config", "ip route 10.0.0.0 255.0.0.0 10.0.0.1 10.0.0.2", "10.0.0.2"),
    ],
)
def test_invalid_with_the_column_of_the_bad_word(place: str, line: str, bad: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PLACES[place], line)
    assert caught.value.fault is Fault.INVALID
    assert line[caught.value.column :].split()[0] == bad


@pytest.mark.parametrize(
    ("place", "line", "word"),
    [
        ("interface", "ip address dhcp", "dhcp"),
        ("interface", "ip address negotiated", "negotiated"),
        ("interface", "ip nat enable", "enable"),
        ("config", "ip route vrf A 10.0.0.0 255.0.0.0 in0", "vrf"),
        ("config", "ip route 10.0.0.0 255.0.0.0 Null0", "Null0"),
        ("config", "ip route 10.0.0.0 255.0.0.0 in0 track 1", "track"),
        ("config", "ip route 10.0.0.0 255.0.0.0 in0 permanent", "permanent"),
        ("config", "track 1 ip sla 1", "ip"),
        ("config", "track 1 list boolean and", "list"),
    ],
)
def test_what_is_not_supported_is_said(place: str, line: str, word: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PLACES[place], line)
    assert (caught.value.fault, caught.value.reason) == (Fault.UNSUPPORTED, word)


@pytest.mark.parametrize(
    ("line", "prompt"),
    [("interface eth0", "(config-if)#"), ("interface eth0.5", "(config-subif)#")],
)
def test_a_name_with_a_dot_is_that_of_a_subinterface(line: str, prompt: str) -> None:
    for place in ("config", "interface", "subinterface", "route-map"):
        assert destination(TREE.match(PLACES[place], line))[-1].mode.prompt == prompt


IN0 = """\
interface in0
 description LAN
 ip address 10.0.0.2 255.255.255.0
 ip address 10.0.1.2 255.255.255.0 secondary
 ip address 10.0.2.2 255.255.255.128 secondary
 ip nat inside
 no ip unreachables
 ip tcp adjust-mss 1360
 no shutdown
"""


def test_the_lines_mean_what_they_say() -> None:
    (interface,) = made(IN0).interfaces
    assert interface.description == "LAN"
    assert interface.addresses == (
        InterfaceAddress(IPv4Interface("10.0.0.2/24")),
        InterfaceAddress(IPv4Interface("10.0.1.2/24"), secondary=True),
        InterfaceAddress(IPv4Interface("10.0.2.2/25"), secondary=True),
    )
    assert not interface.unreachables
    assert (interface.side, interface.adjust_mss, interface.shutdown) == (Side.INSIDE, 1360, False)
    assert section(made(IN0), "interface") == IN0.splitlines()


@pytest.mark.parametrize(
    ("line", "gone", "added"),
    [
        ("no description", [" description LAN"], []),
        ("no description anything", [" description LAN"], []),
        ("no ip address 10.0.1.2 255.255.255.0 secondary", [IN0.splitlines()[3]], []),
        ("no ip address", IN0.splitlines()[2:5], []),
        ("no ip nat inside", [" ip nat inside"], []),
        ("no ip nat outside", [], []),
        ("ip unreachables", [" no ip unreachables"], []),
        ("default ip unreachables", [" no ip unreachables"], []),
        ("no ip unreachables", [], []),
        ("no ip tcp adjust-mss", [" ip tcp adjust-mss 1360"], []),
        ("no ip tcp adjust-mss 1360", [" ip tcp adjust-mss 1360"], []),
        ("shutdown", [" no shutdown"], [" shutdown"]),
        ("default shutdown", [" no shutdown"], []),
        ("no shutdown", [], []),
        ("no ip address 10.9.9.9 255.0.0.0", [], []),
        ("ip address 10.0.0.3 255.255.255.0", [IN0.splitlines()[2]], [" ip address 10.0.0.3 255.255.255.0"]),
    ],
)
def test_what_a_line_changes(line: str, gone: list[str], added: list[str]) -> None:
    before = made(IN0)
    after = edited("interface", line, before)
    lines, changed = section(before, "interface"), section(after, "interface")
    assert [text for text in lines if text not in changed] == gone
    assert [text for text in changed if text not in lines] == added
    assert edited("interface", line, after) == after


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ip address 10.0.0.0 255.255.255.0", "% Bad mask /24 for address 10.0.0.0"),
        ("ip address 10.0.0.255 255.255.255.0", "% Bad mask /24 for address 10.0.0.255"),
        ("ip address 10.0.0.9 0.0.0.0", "% Bad mask /0 for address 10.0.0.9"),
        ("ip address 10.0.0.9 255.0.255.0", "% Bad mask 0xFF00FF00 for address 10.0.0.9"),
        ("ip address 127.0.0.1 255.0.0.0", "% Not a valid host address - 127.0.0.1"),
        ("ip address 10.0.1.2 255.255.255.0", "% 10.0.1.2 is a secondary address already. Remove it first"),
        ("ip address 10.0.0.2 255.255.255.0 secondary", "% Secondary can't be same as primary"),
        ("ip address 10.1.0.9 255.255.0.0", "% 10.1.0.0 overlaps with out0"),
        ("ip address 10.1.2.3 255.255.255.255 secondary", "% 10.1.2.3 overlaps with out0"),
        ("no ip address 10.0.0.2 255.255.255.0", "% Must delete secondary before deleting primary"),
        (
            "no ip address 10.0.1.2 255.255.255.0",
            "% The configured line differs: see its mask, and whether it is secondary",
        ),
        ("description " + "x" * 241, "% A description has at most 240 characters"),
    ],
)
def test_what_cannot_be_is_rejected(line: str, reason: str) -> None:
    other = "interface out0\n ip address 10.1.2.3 255.255.255.0\n"
    with pytest.raises(Rejected) as rejected:
        edited("interface", line, made(IN0 + other))
    assert str(rejected.value) == reason


@pytest.mark.parametrize("mask", ["255.255.255.254", "255.255.255.255"])
def test_every_address_of_a_tiny_network_is_a_host(mask: str) -> None:
    line = f"ip address 10.0.0.0 {mask}"
    assert f" {line}" in section(edited("interface", line, Configuration()), "interface")


def test_a_secondary_address_needs_a_primary_one() -> None:
    with pytest.raises(Rejected, match="needs a primary one"):
        edited("interface", "ip address 10.0.0.2 255.0.0.0 secondary", Configuration())


# --- routes, tracked objects

ROUTES = """\
track 1 interface in0 line-protocol
ip route 0.0.0.0 0.0.0.0 10.0.0.254
ip route 0.0.0.0 0.0.0.0 10.0.0.253 200 name SPARE
ip route 0.0.0.0 0.0.0.0 in0 10.0.0.254
"""


def test_routes_and_objects_mean_what_they_say() -> None:
    configuration = made(ROUTES)
    assert configuration.tracked == (TrackedObject(number=1, interface="in0"),)
    assert [(str(route.next_hop), route.interface, route.distance) for route in configuration.routes] == [
        *(("10.0.0.254", "", 1), ("10.0.0.253", "", 200), ("10.0.0.254", "in0", 1))
    ]
    assert section(configuration, "track", "ip route") == ROUTES.splitlines()


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("no ip route 0.0.0.0 0.0.0.0 10.0.0.254", [2, 3]),
        ("no ip route 0.0.0.0 0.0.0.0 10.0.0.253 200 name SPARE", [1, 3]),
        ("no ip route 0.0.0.0 0.0.0.0 in0 10.0.0.254", [1, 2]),
        ("no ip route 0.0.0.0 0.0.0.0 in0", [1, 2, 3]),
        ("no ip route 0.0.0.0 0.0.0.0", []),
        ("no ip route 10.0.0.0 255.0.0.0", [1, 2, 3]),
    ],
)
def test_a_route_is_removed_by_its_next_hop_and_all_by_their_prefix(line: str, left: list[int]) -> None:
    after = edited("config", line, made(ROUTES))
    assert section(after, "ip route") == [ROUTES.splitlines()[number] for number in left]


def test_a_route_that_is_entered_again_takes_another_distance() -> None:
    after = edited("config", "ip route 0.0.0.0 0.0.0.0 10.0.0.254 7", made(ROUTES))
    assert [route.distance for route in after.routes] == [7, 200, 1]
    assert isinstance(after.routes[0], StaticRoute)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ip route 10.0.0.1 255.0.0.0 in0", "%Inconsistent address and mask"),
        ("ip route 10.0.0.0 255.0.255.0 in0", "% Bad mask 0xFF00FF00 for address 10.0.0.0"),
        ("no ip route 10.0.0.0 0.255.0.0 in0", "% Bad mask 0xFF0000 for address 10.0.0.0"),
        (
            "track 1 interface out0 line-protocol",
            "% Cannot change tracked object 1 - delete old config first",
        ),
    ],
)
def test_routes_and_objects_that_cannot_be_are_rejected(line: str, reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        edited("config", line, made(ROUTES))
    assert str(rejected.value) == reason


def test_a_tracked_object_is_removed() -> None:
    assert edited("config", "no track 1", made(ROUTES)).tracked == ()
    assert edited("config", "no track 1 interface in0 line-protocol", made(ROUTES)).tracked == ()
    with pytest.raises(Rejected, match="The configured line differs"):
        edited("config", "no track 1 interface out0 line-protocol", made(ROUTES))


# --- through the shell


def test_errors_of_addresses_as_ios_prints_them() -> None:
    router = FakeRouter()
    shell = Shell(router, privileged=True)
    lines = ("conf t", "int in0", "ip address 10.0.0.2 255.255.255.0", "int out0")
    said = output(shell, *lines, "ip address 10.0.0.9 255.255.255.0")
    assert said == "% 10.0.0.0 overlaps with in0\n"
    assert shell.prompt == "R1(config-if)#"
    assert output(shell, "ip address 10.1.0.0 255.255.0.0") == "% Bad mask /16 for address 10.1.0.0\n"
    assert output(shell, "interface in0.7") == ""
    assert shell.prompt == "R1(config-subif)#"
