"""The checks over a whole configuration; every place they name is a line of the running configuration."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cli.commands.configuration import configuration_lines
from snat.config.interface import Standby, StandbyGroup
from snat.config.model import (
    AccessLine,
    AccessList,
    AddressRange,
    Configuration,
    ConfiguredRole,
    DynamicRule,
    Group,
    Interface,
    Peer,
    Pool,
    Side,
    Stateful,
    Trustpoint,
    VirtualAddress,
)
from snat.config.stateful import Keepalived
from snat.config.verify import verify

OURS, THEIRS = IPv4Address("192.168.77.1"), IPv4Address("192.168.77.2")
PEER = Peer(address=THEIRS, nat_id=2, name="r2.example")
GROUP = Group(
    role=ConfiguredRole.PRIMARY,
    address=OURS,
    peers=(PEER,),
    mapping_ids=(10,),
    virtual_addresses=(VirtualAddress(address=IPv4Address("10.0.0.1"), interface="in0"),),
)
POOL = Pool(
    name="POOL1",
    ranges=(AddressRange(IPv4Address("203.0.113.10"), IPv4Address("203.0.113.20")),),
    prefix_length=24,
)
OTHER_POOL = replace(
    POOL, name="POOL2", ranges=(AddressRange(IPv4Address("203.0.113.30"), IPv4Address("203.0.113.40")),)
)
RULE = DynamicRule(overload=True, access_list="1", pool="POOL1", mapping_id=10)
GOOD = Configuration(
    trustpoint=Trustpoint(name="SNAT", ca_certificate="/ca", certificate="/cert", private_key="/key"),
    stateful=Stateful(nat_id=1, groups=(GROUP,)),
    interfaces=(Interface(name="in0", side=Side.INSIDE), Interface(name="out0", side=Side.OUTSIDE)),
    pools=(POOL,),
    dynamic_rules=(RULE,),
    access_lists=(
        AccessList(name="1", lines=(AccessLine(permit=True, address=IPv4Address("10.0.0.0")),)),
        AccessList(name="2", lines=(AccessLine(permit=True, address=IPv4Address("10.0.0.0")),)),
    ),
)


def with_group(**changes: object) -> Configuration:
    return with_groups(replace(GROUP, **changes))  # type: ignore[arg-type]


def with_groups(*groups: Group) -> Configuration:
    return replace(GOOD, stateful=Stateful(nat_id=1, groups=groups))


def addresses(start: str, end: str) -> tuple[AddressRange, ...]:
    return (AddressRange(IPv4Address(start), IPv4Address(end)),)


def with_pool(start: str = "203.0.113.10", end: str = "203.0.113.20", **changes: object) -> Configuration:
    return replace(GOOD, pools=(replace(POOL, ranges=addresses(start, end), **changes),))  # type: ignore[arg-type]


BACKUP = replace(GROUP, role=ConfiguredRole.BACKUP, mapping_ids=(11,), virtual_addresses=())

# configuration, what is wrong, where, whether adding lines cures it
CASES = [
    (replace(GOOD, pools=()), "there is no pool POOL1", "ip nat inside source list 1 pool POOL1", True),
    (
        replace(GOOD, access_lists=GOOD.access_lists[1:]),
        "there is no access list 1",
        "ip nat inside source list 1",
        True,
    ),
    (
        with_group(mapping_ids=(11,)),
        "no block of ip nat Stateful id has mapping-id 10",
        "ip nat inside",
        True,
    ),
    (with_pool("203.0.113.10", "203.0.113.9"), "less than the start", "ip nat pool POOL1", False),
    (
        with_pool("203.0.0.0", "203.1.0.0", prefix_length=8),
        "65537 addresses, more than 65536",
        "ip nat pool POOL1",
        False,
    ),
    (
        with_pool(prefix_length=29),
        "203.0.113.20 is outside of the prefix 203.0.113.8/29",
        "ip nat pool",
        False,
    ),
    (
        with_pool(prefix_length=29, as_netmask=True),
        "outside of the prefix",
        "ip nat pool POOL1 203.0.113.10 203.0.113.20 netmask 255.255.255.248",
        False,
    ),
    (
        with_group(peers=(replace(PEER, nat_id=1),)),
        "NAT ID 1 is that of this router",
        "peer 192.168.77.2",
        False,
    ),
    (
        with_group(peers=(PEER, replace(PEER, port=15556))),
        "another peer of this block has NAT ID 2",
        "peer 192.168.77.2 nat-id 2 name r2.example port 15556",
        False,
    ),
    (
        with_group(
            role=ConfiguredRole.PEERS,
            peers=(PEER, replace(PEER, nat_id=3, name="r3.example", address=IPv4Address("192.168.77.3"))),
            mapping_ids=tuple(range(10, 96)),
        ),
        "3 peers share 86 mapping IDs: over 256 feeds",
        "mapping-id 95",
        False,
    ),
    (with_group(peers=(replace(PEER, address=OURS),)), "is this router itself", "peer 192.168.77.1", False),
    (
        with_groups(GROUP, replace(BACKUP, peers=(replace(PEER, name="r3.example"),))),
        "NAT ID 2 is r2.example in another block",
        "peer 192.168.77.2 nat-id 2 name r3.example",
        False,
    ),
    (
        with_groups(GROUP, replace(BACKUP, mapping_ids=(10,))),
        "2 blocks have mapping ID 10",
        "mapping-id 10",
        False,
    ),
    (replace(GOOD, trustpoint=None), "there is no trustpoint", "primary 192.168.77.1", True),
    (
        replace(GOOD, trustpoint=Trustpoint(name="SNAT", certificate="/cert")),
        "it has no ca-certificate, no private-key",
        "crypto pki trustpoint SNAT",
        True,
    ),
    (
        replace(GOOD, interfaces=(Interface(name="in0", side=Side.OUTSIDE),)),
        "interface in0 is not an inside interface",
        "virtual-address 10.0.0.1 interface in0",
        True,
    ),
    (with_group(keepalive=2.0, hold_time=2.0), "hold time 2 s is not greater", "timers 2 2", False),
    (with_group(keepalive=0.01, hold_time=0.05), "hold time 0.05 s is less", "timers msec 10 msec 50", False),
    (
        with_group(keepalive=0.05, hold_time=0.15, update_interval=0.05),
        "the update interval 50 ms is not less than the keepalive 50 ms",
        "update-interval msec 50",
        False,
    ),
    (
        with_group(pull_interval=60.0),
        "primary 192.168.77.1 is no backup",
        "pull interval 60",
        False,
    ),
    (
        replace(GOOD, dynamic_rules=(RULE, DynamicRule(overload=True, access_list="2", pool="POOL1"))),
        "pool POOL1 serves mapping-id 10 already, in the rule of list 1",
        "ip nat inside source list 2 pool POOL1 overload",
        False,
    ),
    (
        replace(GOOD, pools=(POOL, replace(OTHER_POOL, ranges=addresses("203.0.113.20", "203.0.113.40")))),
        "overlaps with pool POOL1",
        "ip nat pool POOL2",
        False,
    ),
]


def test_a_good_configuration_has_no_problems() -> None:
    assert verify(GOOD) == ()
    assert verify(Configuration()) == ()


@pytest.mark.parametrize(
    "good",
    [
        replace(GOOD, pools=(POOL, OTHER_POOL)),
        replace(GOOD, dynamic_rules=(RULE, replace(RULE, access_list="2"))),
        with_group(peers=(replace(PEER, address=OURS, port=15556),)),
        with_group(keepalive=0.03, hold_time=0.1),
        with_group(keepalive=0.051, hold_time=0.15, update_interval=0.05),
        with_group(role=ConfiguredRole.BACKUP, pull_interval=3600.0),
        with_groups(GROUP, BACKUP),
        with_pool(start="203.0.0.0", end="203.0.255.255", prefix_length=16),
    ],
)
def test_what_only_looks_like_a_problem_is_none(good: Configuration) -> None:
    assert verify(good) == ()


@pytest.mark.parametrize(("bad", "what", "where", "missing"), CASES)
def test_a_problem_names_what_where_and_what_to_do(
    bad: Configuration, what: str, where: str, missing: bool
) -> None:
    (problem,) = verify(bad)
    assert what in problem.what
    assert problem.where.startswith(where)
    assert problem.missing is missing
    assert problem.remedy
    assert problem.where in [line.strip() for line in configuration_lines(bad)]
    assert str(problem) == f"{problem.where}: {problem.what}; {problem.remedy}"


@pytest.mark.parametrize(
    ("standby", "follows"),
    [
        (None, False),
        (StandbyGroup(number=1, enabled=True, name="WAN"), False),
        (StandbyGroup(number=1, enabled=False, name="LAN"), False),
        (StandbyGroup(number=1, enabled=True, name="LAN"), True),
    ],
)
def test_a_block_follows_an_hsrp_group_that_there_is(standby: StandbyGroup | None, follows: bool) -> None:
    group = replace(GROUP, role=ConfiguredRole.REDUNDANCY, name="LAN")
    groups = () if standby is None else (standby,)
    wanted = replace(with_groups(group), interfaces=(Interface(name="lan0", standby=Standby(groups=groups)),))
    found = [one for one in verify(wanted) if "no HSRP group" in one.what]
    assert [one.where for one in found] == ([] if follows else ["redundancy LAN"])
    kept = replace(group, keepalived=Keepalived(instance="V", fifo="/run/f", track_file="/run/t"))
    assert not any("no HSRP group" in one.what for one in verify(with_groups(kept)))


def test_a_block_follows_a_group_that_elects() -> None:
    group = replace(GROUP, role=ConfiguredRole.REDUNDANCY, name="LAN")
    leader = StandbyGroup(number=1, enabled=True, name="WAN")
    follower = StandbyGroup(number=2, enabled=True, name="LAN", follow="WAN")
    interface = Interface(name="lan0", standby=Standby(groups=(leader, follower)))
    wanted = replace(with_groups(group), interfaces=(interface,))
    found = [(one.where, one.remedy) for one in verify(wanted) if "follows another one" in one.what]
    assert found == [("redundancy LAN", "name that one: redundancy WAN")]


@pytest.mark.parametrize("named", [True, False])
def test_rules_follow_hsrp_groups_that_there_are(named: bool) -> None:
    groups = (StandbyGroup(number=1, enabled=True, name="LAN"),) if named else ()
    interfaces = (*GOOD.interfaces, Interface(name="lan9", standby=Standby(groups=groups)))
    rules = tuple(replace(rule, redundancy="LAN") for rule in GOOD.dynamic_rules)
    found = verify(replace(GOOD, interfaces=interfaces, dynamic_rules=rules))
    assert ["no HSRP group" in one.what for one in found] == [] if named else [True] * len(rules)
    assert all(one.missing for one in found)


def test_all_problems_are_told_at_once() -> None:
    bad = replace(GOOD, pools=(), trustpoint=None, access_lists=())
    assert len(verify(bad)) == 3


@pytest.mark.parametrize(
    ("group", "what", "where"),
    [
        (replace(GROUP, udp=True), "speak UDP", "protocol   udp"),
    ],
)
def test_what_is_not_carried_out_yet_is_refused(group: Group, what: str, where: str) -> None:
    wanted = replace(with_groups(replace(group, mapping_ids=(10,))))
    (problem,) = verify(wanted)
    assert f"this version does not {what}" in problem.what
    assert problem.where == where
    assert not problem.missing
