"""HSRP: every ``standby`` line, what it means, how it is printed and removed."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cli.commands import TREE
from cli.grammar import Fault, LineError
from cli.shell import Shell
from cli.tree import Rejected, canonical
from cli.type7 import revealed
from snat.config.model import (
    Authentication,
    AuthenticationKind,
    Configuration,
    Standby,
    StandbyGroup,
    Track,
)
from tests.cli.fake_router import FakeRouter, output
from tests.cli.places import PLACES, edited, made, section

# the line as it is printed, as it is typed, what it says of group 1
GROUP_LINES = [
    ("standby 1 ip", "sta 1 ip", {"enabled": True}),
    ("standby 1 ip 10.0.0.1", "stan 1 i 10.0.0.1", {"enabled": True, "address": IPv4Address("10.0.0.1")}),
    ("standby 1 timers 1 4", "sta 1 ti 1 4", {"hello": 1.0, "hold": 4.0}),
    ("standby 1 timers msec 250 msec 750", "sta 1 ti m 250 m 750", {"hello": 0.25, "hold": 0.75}),
    ("standby 1 timers msec 250 1", "sta 1 ti msec 250 msec 1000", {"hello": 0.25, "hold": 1.0}),
    ("standby 1 priority 110", "sta 1 pri 110", {"priority": 110}),
    ("standby 1 priority 0", "sta 1 pri 0", {"priority": 0}),
    ("standby 1 preempt", "sta 1 pre", {"preempt": True}),
    ("standby 1 preempt", "sta 1 pre del min 0", {"preempt": True}),
    ("standby 1 preempt delay sync 5", "sta 1 pre d s 5", {"preempt": True, "preempt_sync": 5}),
    (
        "standby 1 preempt delay minimum 60 reload 10 sync 20",
        "sta 1 pre d s 20 r 10 m 60",
        {"preempt": True, "preempt_minimum": 60, "preempt_reload": 10, "preempt_sync": 20},
    ),
    ("standby 1 authentication text cisco", "sta 1 a cisco", {"authentication": Authentication(key="cisco")}),
    ("standby 1 authentication text m", "sta 1 a t m", {"authentication": Authentication(key="m")}),
    (
        "standby 1 authentication md5 key-string cisco timeout 30",
        "sta 1 a md5 key-s 7 094F471A1A0A t 30",
        {"authentication": Authentication(kind=AuthenticationKind.KEY_STRING, key="cisco", timeout=30)},
    ),
    (
        "standby 1 authentication md5 key-string s3cret",
        "sta 1 a m k 0 s3cret",
        {"authentication": Authentication(kind=AuthenticationKind.KEY_STRING, key="s3cret")},
    ),
    ("standby 1 name LAN", "sta 1 n LAN", {"name": "LAN"}),
    (
        "standby 1 mac-address 0000.0c07.ac01",
        "sta 1 m 0.C07.AC01",
        {"mac_address": bytes.fromhex("00000c07ac01")},
    ),
    ("standby 1 follow LAN", "sta 1 f LAN", {"follow": "LAN"}),
    ("standby 1 track 5", "sta 1 tr 5 decrement 10", {"tracks": (Track("5"),)}),
    ("standby 1 track 5 decrement 20", "sta 1 tr 5 d 20", {"tracks": (Track("5", 20),)}),
    ("standby 1 track 5 shutdown", "sta 1 tr 5 s", {"tracks": (Track("5", shutdown=True),)}),
    ("standby 1 track out0", "sta 1 tr out0 10", {"tracks": (Track("out0"),)}),
    ("standby 1 track out0 20", "sta 1 tr out0 20", {"tracks": (Track("out0", 20),)}),
]
# the line as it is printed, as it is typed, what it says
INTERFACE_LINES = [
    ("standby version 2", "sta v 2", {"version": 2}),
    ("standby delay minimum 30 reload 60", "sta d r 60 m 30", {"delay_minimum": 30, "delay_reload": 60}),
    ("standby mac-refresh 0", "sta mac-r 0", {"mac_refresh": 0}),
]
LINES = [
    *(("interface", line, typed) for line, typed, _ in (*GROUP_LINES, *INTERFACE_LINES)),
    ("interface", "no standby 1", "no sta 1"),
]


@pytest.mark.parametrize(("line", "typed", "says"), GROUP_LINES)
def test_a_line_of_a_group(line: str, typed: str, says: dict[str, object]) -> None:
    assert canonical(TREE.match(PLACES["interface"], typed)) == line
    configuration = edited("interface", typed, Configuration())
    assert configuration.interfaces[0].standby.groups == (replace(StandbyGroup(number=1), **says),)  # type: ignore[arg-type]
    assert section(configuration, "interface") == ["interface in0", f" {line}"]
    assert edited("interface", line, Configuration()) == configuration
    left = (StandbyGroup(number=1, preempt=True),) if "delay" in line else ()
    for taken_back in (f"no {line}", f"default {line}"):
        assert edited("interface", taken_back, configuration).interfaces[0].standby.groups == left


@pytest.mark.parametrize(("line", "typed", "says"), INTERFACE_LINES)
def test_a_line_of_all_groups(line: str, typed: str, says: dict[str, object]) -> None:
    configuration = edited("interface", typed, Configuration())
    assert configuration.interfaces[0].standby == replace(Standby(), **says)  # type: ignore[arg-type]
    assert section(configuration, "interface") == ["interface in0", f" {line}"]
    words = line.split()
    for taken_back in (f"no {line}", f"no {words[0]} {words[1]}"):
        assert edited("interface", taken_back, configuration).interfaces[0].standby == Standby()


def test_one_delay_leaves_the_other_as_it_is() -> None:
    after = edited("interface", "standby delay reload 60", made("interface in0\n standby delay minimum 30\n"))
    assert section(after, "interface")[1:] == [" standby delay minimum 30 reload 60"]


def test_without_a_number_it_is_group_0_which_is_printed() -> None:
    text = "interface in0\n standby ip 10.0.0.1\n standby priority 110\n standby 0 name LAN\n"
    assert section(made(text), "interface")[1:] == [
        *(" standby 0 ip 10.0.0.1", " standby 0 priority 110", " standby 0 name LAN")
    ]


def test_the_lines_of_a_group_stand_together() -> None:
    text = "interface in0\n standby 2 ip 10.0.0.2\n standby 1 name A\n standby 2 name B\n standby 1 ip\n"
    assert section(made(text), "interface")[1:] == [
        *(" standby 1 ip", " standby 1 name A", " standby 2 ip 10.0.0.2", " standby 2 name B")
    ]


# --- taking back

GROUP = """\
track 5 interface out1 line-protocol
interface in0
 standby 1 ip 10.0.0.1
 standby 1 ip 10.0.0.11 secondary
 standby 1 preempt delay minimum 60
 standby 1 name LAN
 standby 1 track 5 decrement 20
 standby 1 track out0
"""


@pytest.mark.parametrize(
    ("line", "gone", "added"),
    [
        ("no standby 1 ip", [0, 1], []),
        ("no standby 1 ip 10.0.0.11 secondary", [1], []),
        ("no standby 1 preempt", [2], []),
        ("no standby 1 preempt delay", [2], [" standby 1 preempt"]),
        ("no standby 1 preempt delay minimum 60", [2], [" standby 1 preempt"]),
        ("no standby 1 name", [3], []),
        ("no standby 1 track 5", [4], []),
        ("no standby 1 track out0", [5], []),
        ("no standby 1 track 6", [], []),
        ("no standby 1 timers", [], []),
        ("no standby 1 authentication", [], []),
        ("no standby 2 name", [], []),
        ("no standby 2 preempt delay", [], []),
        ("standby 1 track 5 shutdown", [4], [" standby 1 track 5 shutdown"]),
        ("standby 1 ip 10.0.0.2", [0], [" standby 1 ip 10.0.0.2"]),
        ("no standby 1", [0, 1, 2, 3, 4, 5], []),
        ("no standby 2", [], []),
    ],
)
def test_what_a_line_changes(line: str, gone: list[int], added: list[str]) -> None:
    before = made(GROUP)
    after = edited("interface", line, before)
    lines, changed = section(before, "interface"), section(after, "interface")
    assert [text for text in lines if text not in changed] == [GROUP.splitlines()[2 + one] for one in gone]
    assert [text for text in changed if text not in lines] == added
    assert edited("interface", line, after) == after


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no standby 1 ip 10.0.0.9", "% The virtual address is not 10.0.0.9"),
        ("no standby 1 ip 10.0.0.1", "% Must delete secondary before deleting primary"),
        (
            "standby 2 ip 10.0.0.9 secondary",
            "% A secondary address needs a virtual one. Enter standby ip first",
        ),
        ("standby 256 name X", "% Version 1 of HSRP has groups 0 to 255, not 256"),
    ],
)
def test_what_cannot_be_is_rejected(line: str, reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        edited("interface", line, made(GROUP))
    assert str(rejected.value) == reason


def test_groups_of_version_2_keep_the_version() -> None:
    configuration = made("interface in0\n standby version 2\n standby 4095 name X\n")
    for line in ("no standby version", "standby version 1"):
        with pytest.raises(Rejected, match="Version 1 of HSRP has groups 0 to 255, not 4095"):
            edited("interface", line, configuration)


# --- faults


@pytest.mark.parametrize(
    "line",
    [
        *("standby", "standby 1", "standby 1 timers", "standby 1 timers 1", "standby 1 timers msec"),
        *("standby 1 priority", "standby 1 preempt delay", "standby 1 preempt delay minimum"),
        *("standby 1 authentication", "standby 1 authentication md5", "standby 1 authentication text"),
        *("standby 1 authentication md5 key-string", "standby 1 authentication md5 key-string 7"),
        *("standby 1 name", "standby 1 mac-address", "standby 1 follow", "standby 1 track"),
        *("standby 1 track 5 decrement", "standby version", "standby delay", "standby delay minimum"),
        *("standby mac-refresh",),
    ],
)
def test_incomplete(line: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PLACES["interface"], line)
    assert caught.value.fault is Fault.INCOMPLETE


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("standby 4096 ip", "4096"),
        ("standby 1 ip 224.0.0.1", "224.0.0.1"),
        ("standby 1 ip 10.0.0.1 third", "third"),
        ("standby 1 timers 0 3", "0"),
        ("standby 1 timers 1 256", "256"),
        ("standby 1 timers msec 14 1", "14"),
        ("standby 1 timers 1 msec 3001", "3001"),
        ("standby 1 priority 256", "256"),
        ("standby 1 preempt delay minimum 3601", "3601"),
        ("standby 1 preempt delay minimum 1 minimum 2", "minimum"),
        ("standby 1 authentication toolongtext", "toolongtext"),
        ("standby 1 authentication md5 key-string 7 0", "0"),
        ("standby 1 authentication md5 key-string 7 99FF", "99FF"),
        ("standby 1 authentication md5 key-string x timeout 32768", "32768"),
        ("standby 1 name " + "x" * 26, "x" * 26),
        ("standby 1 mac-address 0000.0c07", "0000.0c07"),
        ("standby 1 mac-address 0100.0c07.ac01", "0100.0c07.ac01"),
        ("standby 1 mac-address 0.0.0", "0.0.0"),
        ("standby 1 track 5 20", "20"),
        ("standby 1 track 5 decrement 256", "256"),
        ("standby 1 track out0 shutdown", "shutdown"),
        ("standby 1 track 5000", "5000"),
        ("standby version 3", "3"),
        ("standby delay minimum 10001", "10001"),
        ("standby mac-refresh 256", "256"),
    ],
)
def test_invalid_with_the_column_of_the_bad_word(line: str, bad: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PLACES["interface"], line)
    assert caught.value.fault is Fault.INVALID
    assert line[caught.value.column :].startswith(bad)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("standby use-bia", "use-bia"),
        ("no standby use-bia", "use-bia"),
        ("standby redirects", "redirects"),
        ("standby redirect timers 1 2", "redirect"),
        ("standby bfd", "bfd"),
        ("standby 1 authentication md5 key-chain K", "key-chain"),
    ],
)
def test_what_is_not_supported_is_said(line: str, word: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PLACES["interface"], line)
    assert (caught.value.fault, caught.value.reason) == (Fault.UNSUPPORTED, word)


# --- type 7


@pytest.mark.parametrize(
    ("hidden", "key"),
    [("094F471A1A0A", "cisco"), ("02050D480809", "cisco"), ("1511021F0725", "cisco")],
)
def test_type_7_is_read(hidden: str, key: str) -> None:
    assert revealed(hidden) == key


@pytest.mark.parametrize("word", ["", "09", "094", "5399", "0G00", "00" + "64" * 65, "0073"])
def test_what_is_no_key_of_type_7(word: str) -> None:
    with pytest.raises(ValueError, match="is not a key of type 7"):
        revealed(word)


# --- through the shell


def test_a_group_runs_once_it_has_an_address() -> None:
    router = FakeRouter()
    shell = Shell(router, privileged=True)
    assert output(shell, "conf t", "int in0", "standby 1 priority 110") == ""
    assert router.running.interfaces[0].standby.groups == (StandbyGroup(number=1, priority=110),)
    assert output(shell, "standby 1 ip 10.0.0.1") == ""
    (group,) = router.running.interfaces[0].standby.groups
    assert (group.enabled, group.address) == (True, IPv4Address("10.0.0.1"))
