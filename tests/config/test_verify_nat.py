"""The checks of rules, pools and what they name; what they say of lines that are good."""

import pytest

from cli.commands.configuration import configuration_lines
from cli.configuration_file import read_configuration
from snat.config.model import Configuration
from snat.config.problem import Problem
from snat.config.verify_nat import verify_nat

BASE = """\
interface out0
 ip nat outside
ip nat pool P 203.0.113.10 203.0.113.20 prefix-length 24
ip nat pool TURNS 10.0.9.1 10.0.9.3 prefix-length 24 type rotary
access-list 1 permit 10.0.0.0 0.255.255.255
access-list 100 permit ip 10.0.0.0 0.255.255.255 any
ip access-list extended WEB
 permit tcp any any eq 80
"""
RULE = "ip nat inside source list 1 pool P overload"
STATIC = "ip nat inside source static"


def made(*lines: str) -> Configuration:
    """The configuration of the lines; whether they can be applied is what is asked here."""
    read, problems = read_configuration(BASE + "".join(f"{line}\n" for line in lines), "test")
    assert not [one for one in problems if "expected" in one.reason or "missing: " in one.reason]
    return read


def problems(*lines: str) -> list[Problem]:
    return list(verify_nat(made(*lines)))


# the line with the problem, what is wrong, whether adding lines cures it
NAMES = [
    ("ip nat inside source list 2 pool P overload", "there is no access list 2"),
    ("ip nat inside source list 1 pool Q overload", "there is no pool Q"),
    ("ip nat inside source list 1 interface out1 overload", "interface out1 is not an outside interface"),
    ("ip nat inside source route-map R pool P overload", "there is no route-map R"),
    ("ip nat inside destination list 3 pool TURNS", "there is no access list 3"),
    ("ip nat outside source list 3 pool P", "there is no access list 3"),
    (
        "ip nat inside source list 1 pool P mapping-id 10 overload",
        "no block of ip nat Stateful id has mapping-id",
    ),
    (f"{STATIC} 10.0.0.9 interface out1", "interface out1 is not an outside interface"),
    (f"{STATIC} tcp 10.0.0.9 80 interface out1 80", "interface out1 is not an outside interface"),
    (f"{STATIC} 10.0.0.9 203.0.113.30 route-map R", "there is no route-map R"),
    (f"{STATIC} 10.0.0.9 203.0.113.30 mapping-id 10", "no block of ip nat Stateful id has mapping-id 10"),
    ("ip nat translation max-entries list LAN 5", "there is no access list LAN"),
    ("ip nat service list 10 ftp tcp port 2121", "there is no access list 10"),
]
CONTRADICTIONS = [
    ("ip nat translation max-entries list 100 5", "access list 100 is extended"),
    ("ip nat translation max-entries list WEB 5", "access list WEB is extended"),
    ("ip nat inside source list 1 pool P extended", "there is no overload"),
    ("ip nat inside destination list 1 pool P", "pools of type rotary, and P is none"),
    (RULE.replace("pool P", "pool TURNS"), "TURNS is of type rotary"),
    (f"{STATIC} 10.0.0.9 203.0.113.30 reversible", "reversible belongs to a route-map"),
    (f"{STATIC} network 10.0.0.5 203.0.113.64 /28", "10.0.0.5 is no network of this length: 10.0.0.0/28 is"),
    (f"{STATIC} network 10.0.0.0 203.0.113.65 /28", "203.0.113.65 is no network of this length"),
    (
        "ip nat pool Q 203.0.113.20 203.0.113.30 prefix-length 24",
        "the pool overlaps with pool P (203.0.113.10",
    ),
    (
        f"{STATIC} 10.0.0.9 203.0.113.10",
        "the static rule overlaps with pool P (203.0.113.10 to 203.0.113.20)",
    ),
    (f"{STATIC} 10.0.0.9 203.0.113.20", "the static rule overlaps with pool P"),
    ("ip nat outside source static 198.51.100.9 203.0.113.15", "the static rule overlaps with pool P"),
    ("ip nat pool Q 203.0.113.9 203.0.113.1 prefix-length 24", "the end address is less than the start"),
    ("ip nat pool Q 198.51.100.1 198.51.100.9 prefix-length 29", "198.51.100.9 is outside of the prefix"),
]


@pytest.mark.parametrize(("line", "what"), NAMES)
def test_what_a_line_names_is_missing(line: str, what: str) -> None:
    (problem,) = problems(line)
    assert what in problem.what
    assert problem.missing
    assert problem.where == line


@pytest.mark.parametrize(("line", "what"), CONTRADICTIONS)
def test_what_cannot_be_is_no_matter_of_what_is_missing(line: str, what: str) -> None:
    (problem,) = problems(line)
    assert what in problem.what
    assert not problem.missing
    assert problem.where == line


@pytest.mark.parametrize(
    "lines",
    [
        (RULE,),
        (f"{STATIC} 10.0.0.9 203.0.113.9",),
        (f"{STATIC} 10.0.0.9 203.0.113.21",),
        (f"{STATIC} tcp 10.0.0.9 80 203.0.113.10 80",),  # the other ports are the pool's
        (f"{STATIC} 10.0.0.9 interface out0",),
        (f"{STATIC} network 10.0.0.16 203.0.113.64 /28",),
        ("ip nat outside source static 203.0.113.15 10.9.9.9",),  # global there is another's own
        ("ip nat inside source list 1 interface out0 overload extended",),
        ("ip nat pool Q prefix-length 24",),  # nobody uses it yet
        ("ip nat translation max-entries list 1 5", "ip nat service list 1 ftp tcp port 2121"),
    ],
)
def test_what_only_looks_like_a_problem_is_none(lines: tuple[str, ...]) -> None:
    assert problems(*lines) == []


def test_a_static_network_may_not_have_a_pool_in_it() -> None:
    line = f"{STATIC} network 10.0.0.0 203.0.113.0 /24"
    (problem,) = problems(line)
    assert "the pool overlaps with the static rule of 10.0.0.0 (203.0.113.0 to 203.0.113.255)" in problem.what
    assert problem.where.startswith("ip nat pool P ")


def test_a_rule_needs_addresses_in_its_pool_which_may_come_below_it() -> None:
    block = "ip nat pool B prefix-length 24"
    rule = "ip nat inside source list 1 pool B overload"
    (problem,) = problems(block, rule)
    assert "the pool has no addresses" in problem.what
    assert (problem.where, problem.missing) == (block, True)
    assert problems(block, " address 198.51.100.1 198.51.100.9", rule) == []


def test_every_range_of_a_pool_counts() -> None:
    ranges = (" address 198.51.100.1 198.51.100.9", " address 203.0.113.15 203.0.113.16")
    (problem,) = problems("ip nat pool B prefix-length 24", *ranges)
    assert "the pool overlaps with pool P" in problem.what


def test_a_route_map_is_told_as_whom_the_pool_serves() -> None:
    configuration = made(
        "ip nat inside source list 1 pool P mapping-id 10 overload",
        "ip nat inside source route-map R pool P overload",
    )
    found = [one.what for one in verify_nat(configuration) if "serves" in one.what]
    assert found == ["pool P serves mapping-id 10 already, in the rule of list 1"]
    turned = made("ip nat inside source route-map R pool P mapping-id 10 overload", RULE)
    found = [one.what for one in verify_nat(turned) if "serves" in one.what]
    assert found == ["pool P serves mapping-id 10 already, in the rule of route-map R"]


def test_the_lines_of_the_problems_are_lines_of_the_running_configuration() -> None:
    for line, _ in (*NAMES, *CONTRADICTIONS):
        assert line in list(configuration_lines(made(line)))


def test_an_address_of_its_own_is_told_by_its_span() -> None:
    both = (f"{STATIC} 10.0.0.9 203.0.113.40", f"{STATIC} network 10.1.0.0 203.0.113.32 /28")
    (problem,) = problems(*both)
    assert "overlaps with the static rule of 10.1.0.0 (203.0.113.32 to 203.0.113.47)" in problem.what
    assert problem.where == both[0]


@pytest.mark.parametrize(
    "other", ["ip nat inside source list 2 pool P", "ip nat outside source list 2 pool P"]
)
def test_a_pool_is_for_one_thing(other: str) -> None:
    (problem,) = problems(RULE, "access-list 2 permit any", other)
    assert problem.what == "pool P is for inside hosts that share addresses already, in the rule of list 1"
    assert problem.where == other
