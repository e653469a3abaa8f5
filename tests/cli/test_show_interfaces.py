"""Interfaces, routes and neighbours as IOS prints them, and as ntc_templates reads them."""

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from ntc_templates.parse import parse_output

from cli.shell import Shell
from snat.status import ArpStatus, HopStatus, RouteStatus
from tests.cli.fake_router import INSIDE, FakeInterfaces, FakeRouter, output

NEXT = IPv4Address("203.0.113.2")
ROUTES = (
    RouteStatus(
        prefix=IPv4Network("0.0.0.0/0"),
        connected=False,
        distance=1,
        metric=100,
        hops=(HopStatus(interface="out0", gateway=NEXT),),
    ),
    RouteStatus(prefix=IPv4Network("10.0.0.0/24"), connected=True, hops=(HopStatus(interface="in0"),)),
    RouteStatus(
        prefix=IPv4Network("192.0.2.0/24"),
        connected=False,
        distance=7,
        hops=(
            HopStatus(interface="in0", gateway=IPv4Address("10.0.0.9")),
            HopStatus(interface="out0", gateway=NEXT),
        ),
    ),
    RouteStatus(
        prefix=IPv4Network("198.51.100.0/24"),
        connected=False,
        distance=1,
        hops=(HopStatus(interface="out0"),),
    ),
)
ARP = (
    ArpStatus(address=IPv4Address("10.0.0.1"), mac_address=INSIDE.mac_address, interface="in0"),
    ArpStatus(
        address=IPv4Address("10.0.0.9"),
        minutes=12,
        mac_address=bytes.fromhex("001122334455"),
        interface="in0",
    ),
    ArpStatus(address=IPv4Address("10.0.0.77"), minutes=0, interface="in0"),
)


def shell() -> Shell:
    return Shell(FakeRouter(network=FakeInterfaces(routed=ROUTES, neighbours=ARP)), privileged=False)


def parsed(command: str, typed: str = "") -> list[dict[str, Any]]:
    said = output(shell(), typed or command)
    rows: list[dict[str, Any]] = parse_output(platform="cisco_ios", command=command, data=said)
    return rows


def test_interfaces_are_read_by_the_parser_of_ios() -> None:
    rows = parsed("show interfaces", "sh interfaces")
    states = [(row["interface"], row["link_status"], row["protocol_status"]) for row in rows]
    assert states == [
        ("in0", "up", "up"),
        ("out0.10", "down", "down"),
        ("tunl0", "administratively down", "down"),
    ]
    first = {name: value for name, value in rows[0].items() if value}
    assert first == {
        "interface": "in0",
        "link_status": "up",
        "protocol_status": "up",
        "hardware_type": "veth",
        "mac_address": "562d.f871.6672",
        "bia": "562d.f871.6672",
        "description": "to the hosts",
        "ip_address": "10.0.0.1",
        "prefix_length": "24",
        "mtu": "1500",
        "bandwidth": "10000000 Kbit",
        "delay": "0 usec",
        "encapsulation": "ARPA",
        "duplex": "Full-duplex",
        "speed": "10000Mb/s",
        "queue_size": "0",
        "queue_max": "0",
        "queue_drops": "7",
        "queue_flushes": "0",
        "queue_output_drops": "10",
        "input_packets": "11",
        "input_errors": "5",
        "crc": "1",
        "frame": "2",
        "overrun": "4",
        "output_packets": "21",
        "output_errors": "9",
    }


def test_ip_interfaces_are_read_by_the_parser_of_ios() -> None:
    rows = parsed("show ip interface")
    assert [(row["interface"], row["ip_address"], row["prefix_length"], row["mtu"]) for row in rows] == [
        ("in0", ["10.0.0.1", "10.0.0.2"], ["24", "24"], "1500"),
        ("out0.10", ["203.0.113.1"], ["30"], "1492"),
        ("tunl0", [], [], ""),
    ]


def test_ip_interface_says_what_is_done_there() -> None:
    assert output(shell(), "show ip interface in0").splitlines() == [
        "in0 is up, line protocol is up",
        "  Internet address is 10.0.0.1/24",
        "  Secondary address 10.0.0.2/24",
        "  MTU is 1500 bytes",
        "  Network address translation is enabled, interface in domain inside",
        "  TCP Adjust MSS is 1300 bytes",
    ]


def test_the_brief_form_is_that_of_ios_to_the_column() -> None:
    assert output(shell(), "sh ip int bri") == (
        "Interface                  IP-Address      OK? Method Status                Protocol\n"
        "in0                        10.0.0.1        YES manual up                    up      \n"
        "out0.10                    203.0.113.1     YES other  down                  down    \n"
        "tunl0                      unassigned      YES unset  administratively down down    \n"
    )


def test_the_brief_form_is_read_by_the_parser_of_ios() -> None:
    rows = parsed("show ip interface brief")
    assert [(row["interface"], row["ip_address"], row["status"], row["proto"]) for row in rows] == [
        ("in0", "10.0.0.1", "up", "up"),
        ("out0.10", "203.0.113.1", "down", "down"),
        ("tunl0", "unassigned", "administratively down", "down"),
    ]


def test_routes_are_read_by_the_parser_of_ios() -> None:
    names = ("protocol", "network", "prefix_length", "distance", "metric", "nexthop_ip", "nexthop_if")
    assert [tuple(row[name] for name in names) for row in parsed("show ip route")] == [
        ("S", "0.0.0.0", "0", "1", "100", "203.0.113.2", "out0"),
        ("C", "10.0.0.0", "24", "", "", "", "in0"),
        ("S", "192.0.2.0", "24", "7", "0", "10.0.0.9", "in0"),
        ("S", "192.0.2.0", "24", "7", "0", "203.0.113.2", "out0"),
        ("S", "198.51.100.0", "24", "", "", "", "out0"),
    ]


def test_the_gateway_of_last_resort_is_named_or_missed() -> None:
    assert "\nGateway of last resort is 203.0.113.2 to network 0.0.0.0\n" in output(shell(), "show ip route")
    none = Shell(FakeRouter(), privileged=False)
    assert "\nGateway of last resort is not set\n" in output(none, "show ip route")


@pytest.mark.parametrize(("command", "address", "age"), [
    ("show arp", "address", "age_min"), ("show ip arp", "ip_address", "age"),
])  # fmt: skip
def test_neighbours_are_read_by_the_parser_of_ios(command: str, address: str, age: str) -> None:
    mac = "hardware_address" if command == "show arp" else "mac_address"
    rows = parsed(command)
    assert [(row[address], row[age], row[mac], row["interface"]) for row in rows] == [
        ("10.0.0.1", "-", "562d.f871.6672", "in0"),
        ("10.0.0.9", "12", "0011.2233.4455", "in0"),
        ("10.0.0.77", "0", "Incomplete", "in0"),
    ]


@pytest.mark.parametrize("command", ["show interfaces", "show ip interface", "show ip interface brief"])
def test_json_has_all_that_is_known(command: str) -> None:
    rows = json.loads(output(shell(), f"{command} | json"))
    assert [row["name"] for row in rows] == ["in0", "out0.10", "tunl0"]
    assert rows[0]["addresses"][1] == {"address": "10.0.0.2/24", "secondary": True, "configured": True}
    assert rows[0]["mac_address"] == "56:2d:f8:71:66:72"


@pytest.mark.parametrize("command", ["show ip route", "show arp"])
def test_json_of_routes_and_neighbours(command: str) -> None:
    assert len(json.loads(output(shell(), f"{command} | json"))) == (3 if "arp" in command else 4)


def test_an_interface_that_is_not_there_is_told_with_those_that_are() -> None:
    said = output(shell(), "show interfaces in9")
    assert said == "% there is no interface in9; there are: in0, out0.10, tunl0\n"


@pytest.mark.parametrize(
    ("line", "column"),
    [("show interfaces in0 in1", 20), ("show ip interface in0 up", 22), ("show ip route in0", 14)],
)
def test_what_is_too_much_is_marked(line: str, column: int) -> None:
    tested = shell()
    caret, message, *_ = output(tested, line).splitlines()
    assert caret == " " * (len(tested.prompt) + column) + "^"
    assert message == "% Invalid input detected at '^' marker."


def test_an_unknown_speed_is_not_made_up() -> None:
    unknown = FakeInterfaces(statuses=(replace(INSIDE, megabits=None, full_duplex=None),))
    said = output(Shell(FakeRouter(network=unknown), privileged=False), "show interfaces")
    assert "BW 0 Kbit/sec" in said
    assert "duplex" not in said
