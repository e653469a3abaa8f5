"""``show standby`` against its parsers and the text of ios-cli.md 2.3."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from ntc_templates.parse import parse_output

from cli.render_standby import duration
from cli.shell import Shell
from snat.config.interface import Authentication, AuthenticationKind, Interface, Standby, StandbyGroup
from snat.status import StandbyRouter, StandbyStatus, StandbyTrack
from tests.cli.fake_router import FakeRouter, output

GROUP = StandbyGroup(
    number=10,
    enabled=True,
    address=IPv4Address("10.0.0.1"),
    priority=110,
    preempt=True,
    preempt_minimum=60,
    authentication=Authentication(key="cisco"),
    name="SNATHSRP",
)
ACTIVE = StandbyStatus(
    interface="FastEthernet0/0",
    version=1,
    group=GROUP,
    state="Active",
    changes=2,
    changed=612.0,
    address="10.0.0.1",
    mac_address=bytes.fromhex("00000c07ac0a"),
    next_hello=1.504,
    active=StandbyRouter(address="local"),
    standby=StandbyRouter(address="10.0.0.3", priority=100, expires=9.216),
    priority=110,
    tracks=(
        StandbyTrack(target="1", up=True, decrement=10, shutdown=False),
        StandbyTrack(target="Dialer0", up=True, decrement=10, shutdown=False),
    ),
)
LISTENING = StandbyStatus(
    interface="eth1",
    version=2,
    group=StandbyGroup(
        number=300,
        hello=0.2,
        hold=0.7,
        secondary=(IPv4Address("10.0.1.2"),),
        authentication=Authentication(kind=AuthenticationKind.KEY_STRING, key="geheim"),
    ),
    state="Init",
    why="interface down",
    changes=1,
    changed=73 * 86400,
    mac_address=bytes.fromhex("00000c9ff12c"),
    priority=90,
    tracks=(StandbyTrack(target="7", up=None, decrement=10, shutdown=False),),
)
DISABLED = replace(LISTENING, group=StandbyGroup(number=5), state="Disabled", why="")

EXPECTED = """\
FastEthernet0/0 - Group 10
  State is Active
    2 state changes, last state change 00:10:12
  Virtual IP address is 10.0.0.1
  Active virtual MAC address is 0000.0c07.ac0a (MAC In Use)
    Local virtual MAC address is 0000.0c07.ac0a (v1 default)
  Hello time 3 sec, hold time 10 sec
    Next hello sent in 1.504 secs
  Authentication text, string "cisco"
  Preemption enabled, delay min 60 secs
  Active router is local
  Standby router is 10.0.0.3, priority 100 (expires in 9.216 sec)
  Priority 110 (configured 110)
    Track object 1 state Up decrement 10
    Track interface Dialer0 state Up decrement 10
  Group name is "SNATHSRP" (cfgd)
"""


def shell(*groups: StandbyStatus) -> Shell:
    return Shell(FakeRouter(standby_groups=groups))


def parsed(command: str, *groups: StandbyStatus) -> list[dict[str, Any]]:
    found = parse_output(platform="cisco_ios", command=command, data=output(shell(*groups), command))
    assert isinstance(found, list)
    return found


def test_a_group_is_shown_as_ios_does() -> None:
    assert output(shell(ACTIVE), "show standby") == EXPECTED


def test_the_parser_reads_every_group() -> None:
    first, second = parsed("show standby", ACTIVE, LISTENING)
    assert (first["interface"], first["group"], first["state"]) == ("FastEthernet0/0", "10", "Active")
    assert (first["virtual_ip"], first["priority"], first["group_name"]) == ("10.0.0.1", "110", "SNATHSRP")
    assert (first["standby_router"], first["standby_router_priority"]) == ("10.0.0.3", "100")
    assert (second["version"], second["state"], second["secondary_ips"]) == ("2", "Init", ["10.0.1.2"])
    assert (second["state_last_change"], second["active_router"]) == ("10w3d", "unknown")


def test_a_key_is_never_shown() -> None:
    assert "geheim" not in output(shell(LISTENING), "show standby all")


def test_the_parser_reads_brief() -> None:
    first, second = parsed("show standby brief", ACTIVE, LISTENING)
    assert (first["preempt"], first["active"], first["virtual_ip_address"]) == ("P", "local", "10.0.0.1")
    assert (second["interface"], second["preempt"].strip(), second["standby"]) == ("eth1", "", "unknown")


@pytest.mark.parametrize(
    ("command", "groups"),
    [
        ("sh stand", ["10", "300"]),
        ("show standby all", ["10", "300", "5"]),
        ("show standby eth1", ["300"]),
        ("show standby eth1 300", ["300"]),
        ("show standby eth1 301", []),
        ("show standby eth2", []),
    ],
)
def test_groups_are_selected(command: str, groups: list[str]) -> None:
    lines = output(shell(ACTIVE, LISTENING, DISABLED), command).splitlines()
    shown = [line.split(" - Group ")[1].split()[0] for line in lines if " - Group " in line]
    assert shown == groups


def test_delays_are_those_of_interfaces_with_groups() -> None:
    router = FakeRouter()
    standby = Standby(delay_minimum=30, delay_reload=60, groups=(GROUP,))
    router.running = replace(
        router.running, interfaces=(Interface(name="eth0", standby=standby), Interface(name="eth1"))
    )
    assert output(Shell(router), "show standby delay").splitlines() == [
        "Interface          Minimum Reload",
        "eth0               30      60",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (59.9, "00:00:59"), (86399, "23:59:59"), (86400, "1d00h"), (93600, "1d02h"),
     (604800, "1w0d"), (6307200, "10w3d")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
