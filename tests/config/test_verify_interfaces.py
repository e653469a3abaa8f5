"""Checks of interfaces, groups, routes and route-maps; every place they name is a line that is printed."""

import pytest

from cli.commands.configuration import configuration_lines
from cli.configuration_file import read_configuration, usable
from snat.config.model import Configuration
from snat.config.problem import Problem
from snat.config.verify import verify

UNBUILT = "this version does not"


def problems(text: str) -> tuple[Configuration, list[Problem]]:
    """What verification says of a text, but for what is not carried out yet."""
    configuration, _ = read_configuration(text, "test")
    return configuration, [one for one in verify(configuration) if UNBUILT not in one.what]


IN0 = "interface in0\n ip address 10.0.0.2 255.255.255.0\n"

# text, what is wrong, where, whether adding lines cures it
CASES = [
    (
        f"{IN0} standby 1 ip 10.0.0.1\ninterface out0\n standby 2 ip 10.0.0.1\n",
        "10.0.0.1 is the address of group 1 of in0 already",
        "standby 2 ip 10.0.0.1",
        False,
    ),
    (
        f"{IN0} standby 1 ip 10.0.0.1\n standby 1 ip 10.0.0.1 secondary\n",
        "10.0.0.1 is the address of group 1 of in0 already",
        "standby 1 ip 10.0.0.1",
        False,
    ),
    (
        f"{IN0} standby 1 ip 10.0.0.2\n",
        "10.0.0.2 is the address of in0 itself",
        "standby 1 ip 10.0.0.2",
        False,
    ),
    (
        f"{IN0} standby 1 ip\n standby 1 ip 10.0.1.1 secondary\n",
        "10.0.1.1 is in no network of in0",
        "standby 1 ip 10.0.1.1 secondary",
        False,
    ),
    (
        "interface in0\n standby 1 name A\n standby 2 name A\n",
        "group 1 of in0 has this name already",
        "standby 2 name A",
        False,
    ),
    ("interface in0\n standby 1 follow A\n", "there is no group A", "standby 1 follow A", True),
    (
        "interface in0\n standby 1 name A\n standby 1 follow A\n",
        "a group cannot follow itself",
        "standby 1 follow A",
        False,
    ),
    (
        "interface in0\n standby 1 name A\n standby 2 name B\n standby 2 follow A\n standby 3 follow B\n",
        "group B follows another one",
        "standby 3 follow B",
        False,
    ),
    (
        "interface in0\n standby 1 track 5\n",
        "there is no tracked object 5",
        "standby 1 track 5",
        True,
    ),
    (
        "track 4 interface in0 line-protocol\ninterface in0\n standby 1 track 5 decrement 20\n",
        "there is no tracked object 5",
        "standby 1 track 5 decrement 20",
        True,
    ),
    (
        "interface in0\n standby 1 track 5 shutdown\n",
        "there is no tracked object 5",
        "standby 1 track 5 shutdown",
        True,
    ),
    (
        "interface in0\n standby 1 timers 5 5\n",
        "hold time 5 s is not greater than hello time 5 s",
        "standby 1 timers 5 5",
        False,
    ),
    (
        "interface in0\n standby 1 timers msec 250 msec 100\n",
        "hold time 0.1 s is not greater than hello time 0.25 s",
        "standby 1 timers msec 250 msec 100",
        False,
    ),
    (
        f"{IN0}ip route 10.9.0.0 255.255.0.0 in0 10.0.0.2 7 name X\n",
        "the next hop 10.0.0.2 is this router itself",
        "ip route 10.9.0.0 255.255.0.0 in0 10.0.0.2 7 name X",
        False,
    ),
    (
        "route-map RM\n match ip address 1\n",
        "there is no access list 1",
        "route-map RM permit 10",
        True,
    ),
]


@pytest.mark.parametrize(("text", "what", "where", "missing"), CASES)
def test_a_problem_names_what_where_and_what_to_do(text: str, what: str, where: str, missing: bool) -> None:
    configuration, (problem,) = problems(text)
    assert (problem.what, problem.missing) == (what, missing)
    assert problem.where.startswith(where)
    assert problem.where in [line.strip() for line in configuration_lines(configuration)]
    assert problem.remedy


@pytest.mark.parametrize(
    "text",
    [
        f"{IN0} standby 1 ip 10.0.0.1\n standby 2 ip 10.0.0.3\n standby 2 ip 10.0.0.4 secondary\n",
        "interface in0\n standby 1 ip 10.0.0.1\n",
        "interface in0\n standby 1 name A\ninterface out0\n standby 1 follow A\n",
        "track 5 interface in0 line-protocol\ninterface in0\n standby 1 track 5\n standby 1 track out0\n",
        f"{IN0}interface out0\n ip address 10.0.1.2 255.255.255.0\nip route 0.0.0.0 0.0.0.0 10.0.1.1\n",
        f"{IN0} ip address 10.0.0.9 255.255.255.0 secondary\n",
        "route-map RM\n match ip address 1\naccess-list 1 permit any\n",
    ],
)
def test_what_is_right_has_no_problem(text: str) -> None:
    assert problems(text)[1] == []


def test_overlaps_of_a_configuration_that_was_made_otherwise_are_told() -> None:
    first, _ = problems(IN0)
    second, _ = problems("interface out0\n ip address 10.0.0.9 255.255.0.0\n")
    both = Configuration(interfaces=(*first.interfaces, *second.interfaces))
    told = {(one.what, one.where) for one in verify(both)}
    assert told == {
        ("10.0.0.0 overlaps with out0", "ip address 10.0.0.2 255.255.255.0"),
        ("10.0.0.0 overlaps with in0", "ip address 10.0.0.9 255.255.0.0"),
    }


@pytest.mark.parametrize(("version", "number", "wrong"), [(1, 255, False), (1, 256, True), (2, 256, False)])
def test_the_number_of_a_group_is_one_of_its_version(version: int, number: int, wrong: bool) -> None:
    """The shell lets no other be entered; here it came another way."""
    configuration, _ = problems(f"interface in0\n standby version 2\n standby {number} ip\n")
    (interface,) = configuration.interfaces
    changed = type(interface.standby)(version=version, groups=interface.standby.groups)
    made = Configuration(interfaces=(type(interface)(name="in0", standby=changed),))
    told = [one.what for one in verify(made) if UNBUILT not in one.what]
    assert told == (["version 1 has groups 0 to 255"] if wrong else [])


def test_a_router_that_starts_drops_what_it_cannot_carry_out_and_keeps_the_rest() -> None:
    text = (
        f"{IN0} standby 1 ip 10.0.0.1\n standby 1 ip 10.0.0.3 secondary\n standby 1 priority 110\n"
        " standby 1 track 5\n no shutdown\nip route 0.0.0.0 0.0.0.0 10.0.0.254\n"
    )
    reading = usable(text, "startup")
    try:
        while True:
            next(reading)
    except StopIteration as end:
        configuration, told = end.value
    assert verify(configuration) == ()
    (interface,) = configuration.interfaces
    assert interface.shutdown is False
    assert len(interface.addresses) == len(configuration.routes) == 1
    assert [(group.enabled, group.tracks) for group in interface.standby.groups] == [(True, ())]
    assert any("track 5" in str(one) for one in told)
