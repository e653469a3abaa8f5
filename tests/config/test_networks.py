"""Which addresses lead to inside hosts, and who answers for them."""

from ipaddress import IPv4Address

import pytest

from cli.configuration_file import read_configuration
from snat.config.networks import global_networks, routed_networks, shared_addresses

TEXT = """\
ip nat pool P 203.0.113.1 203.0.113.2 prefix-length 24
ip nat pool Q 203.0.113.8 203.0.113.15 prefix-length 24
ip nat pool OUT 10.9.9.1 10.9.9.1 prefix-length 24
ip nat pool TURNS 10.0.9.1 10.0.9.1 prefix-length 24 type rotary
ip nat inside source list 1 pool P mapping-id 10 overload
ip nat inside source list 2 pool Q
ip nat outside source list 3 pool OUT
ip nat inside destination list 4 pool TURNS
ip nat inside source static 10.0.0.9 203.0.113.20 mapping-id 10
ip nat inside source static tcp 10.0.0.8 80 203.0.113.21 80
ip nat inside source static tcp 10.0.0.8 81 203.0.113.21 81
ip nat inside source static tcp 10.0.0.8 82 203.0.113.1 82
ip nat inside source static 10.0.0.7 203.0.113.22 no-alias
ip nat inside source static tcp 10.0.0.8 83 interface out0 83
ip nat inside source static network 10.0.1.0 198.18.0.0 /24
ip nat outside source static 198.51.100.9 10.9.9.9
ip nat inside source static tcp 10.0.0.8 84 203.0.113.100 84
ip nat outside source static network 198.51.100.0 10.8.0.0 /24 add-route
ip nat outside source list 6 pool ROUTED add-route
ip nat pool ROUTED 10.9.8.0 10.9.8.3 prefix-length 24
access-list 4 permit 203.0.113.60
access-list 4 permit 203.0.113.100
access-list 4 permit 203.0.113.64 0.0.0.7
access-list 4 deny 203.0.113.61
interface out0
 ip address 203.0.113.100 255.255.255.0
"""
P = ["203.0.113.1/32", "203.0.113.2/32"]


@pytest.mark.parametrize(
    ("mapping_ids", "networks"),
    [
        (
            None,
            [*P, "203.0.113.8/29", "198.18.0.0/24", "203.0.113.20/31", "203.0.113.22/32", "203.0.113.60/32"],
        ),
        ({10}, [*P, "203.0.113.20/32"]),
        ({0}, ["203.0.113.8/29", "198.18.0.0/24", "203.0.113.1/32", "203.0.113.21/32", "203.0.113.60/32"]),
        ({7}, []),
    ],
)
def test_of_pools_and_static_rules(mapping_ids: set[int] | None, networks: list[str]) -> None:
    configuration = read_configuration(TEXT, "test")[0]
    assert [str(one) for one in global_networks(configuration, mapping_ids)] == networks


def test_routes_to_outside_hosts_are_those_that_say_so() -> None:
    configuration = read_configuration(TEXT, "test")[0]
    assert [str(one) for one in routed_networks(configuration)] == ["10.8.0.0/24", "10.9.8.0/30"]


@pytest.mark.parametrize(("kind", "ours"), [("", True), (" type rotary", False)])
def test_a_pool_that_no_rule_is_for(kind: str, ours: bool) -> None:
    """Flows of a rule that is gone still come for its addresses; hosts that took turns are hosts."""
    text = f"ip nat pool P 10.0.9.1 10.0.9.1 prefix-length 24{kind}\n"
    configuration = read_configuration(text, "test")[0]
    assert bool(global_networks(configuration)) is ours


@pytest.mark.parametrize(
    ("of_pool", "of_rule", "networks"),
    [("", "", []), (" add-route", "", ["10.9.8.0/30"]), ("", " add-route", ["10.9.8.0/30"])],
)
def test_a_pool_of_outside_hosts_says_it_as_well(of_pool: str, of_rule: str, networks: list[str]) -> None:
    text = f"""\
ip nat pool ROUTED 10.9.8.0 10.9.8.3 prefix-length 24{of_pool}
ip nat pool P 203.0.113.1 203.0.113.2 prefix-length 24 add-route
ip nat outside source list 6 pool ROUTED{of_rule}
ip nat inside source list 1 pool P overload
"""
    configuration = read_configuration(text, "test")[0]
    assert [str(one) for one in routed_networks(configuration)] == networks


@pytest.mark.parametrize(
    ("line", "shared"),
    [
        ("", False),
        ("ip nat inside source list 1 interface out0 overload", True),
        ("ip nat inside source list 1 interface out1 overload", False),
        ("ip nat inside source static tcp 10.0.0.8 83 interface out0 83", True),
        ("ip nat inside source static tcp 10.0.0.8 84 203.0.113.100 84", True),
        ("ip nat inside source static tcp 10.0.0.8 84 203.0.113.101 84", False),
        ("ip nat outside source static 203.0.113.100 10.9.9.9", False),
        ("ip nat inside destination list 5 pool TURNS", True),
    ],
)
def test_addresses_that_the_router_shares(line: str, shared: bool) -> None:
    text = f"""\
interface in0
 ip nat inside
interface out0
 ip nat outside
interface out1
 ip nat outside
ip nat pool TURNS 10.0.9.1 10.0.9.1 prefix-length 24 type rotary
access-list 1 permit any
access-list 5 permit 203.0.113.100
{line}
"""
    own = {"in0": IPv4Address("10.0.0.1"), "out0": IPv4Address("203.0.113.100")}
    configuration = read_configuration(text, "test")[0]
    assert shared_addresses(configuration, own) == ((own["out0"],) if shared else ())


FOLLOWING = """\
ip nat pool P 203.0.113.1 203.0.113.1 prefix-length 24
ip nat inside source list 1 pool P redundancy LAN mapping-id 10 overload
ip nat inside source static 10.0.0.9 203.0.113.20 redundancy WAN mapping-id 10
ip nat inside source static 10.0.0.8 203.0.113.21
"""


@pytest.mark.parametrize(
    ("active", "networks"),
    [
        ((), ["203.0.113.21/32"]),
        (("LAN",), ["203.0.113.1/32", "203.0.113.21/32"]),
        (("LAN", "WAN"), ["203.0.113.1/32", "203.0.113.20/31"]),
    ],
)
def test_who_follows_an_hsrp_group_is_answered_for_by_its_active_router(
    active: tuple[str, ...], networks: list[str]
) -> None:
    """Whoever manages its mapping."""
    configuration = read_configuration(FOLLOWING, "test")[0]
    for managed in ({0}, {0, 10}):
        assert [str(one) for one in global_networks(configuration, managed, active)] == networks
    assert len(global_networks(configuration)) == 2
