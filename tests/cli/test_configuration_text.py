"""Text -> model -> text, for the whole grammar."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cli.commands.configuration import configuration_lines
from cli.configuration_file import read_configuration
from snat.config.model import (
    AddressRange,
    Configuration,
    ConfiguredRole,
    DynamicRule,
    Group,
    Nat,
    Peer,
    Pool,
    Stateful,
    Timeouts,
    Trustpoint,
    VirtualAddress,
)
from snat.config.stateful import ANY_ADDRESS
from tests.cli.fake_router import CONFIGURATION, configuration
from tests.cli.strategies import LISTS, ROUTE_MAPS, ROUTES, TRACKED, interfaces


def text_of(configuration: Configuration) -> str:
    return "".join(f"{line}\n" for line in configuration_lines(configuration))


def test_the_text_of_the_brief_is_printed_as_it_was_read() -> None:
    assert text_of(configuration(CONFIGURATION)) == CONFIGURATION


def test_an_empty_configuration_shows_its_timeouts() -> None:
    assert text_of(Configuration()).splitlines()[:3] == [
        "hostname Router",
        "!",
        "ip nat translation udp-timeout 300",
    ]


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,12}", fullmatch=True)
HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{1,5})?", fullmatch=True)
INTERFACES = st.from_regex(r"[a-z][a-z0-9.-]{0,14}", fullmatch=True)
FILES = st.one_of(st.just(""), st.from_regex(r"/[!-~]{1,20}", fullmatch=True))
ADDRESSES = st.integers(0x01000000, 0xDFFFFFFF).map(IPv4Address)
IDS = st.integers(1, 2147483647)
PORTS = st.one_of(st.just(15555), st.integers(1, 65535))
TIMES = st.one_of(st.integers(1, 254).map(float), st.integers(10, 60000).map(lambda ms: ms / 1000))


def unique(strategy: st.SearchStrategy[Any], key: Callable[[Any], Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=3, unique_by=key).map(tuple)


PEERS = st.builds(Peer, address=ADDRESSES, nat_id=IDS, name=HOSTS, port=PORTS)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """A block with the lines that its role can have."""
    role = draw(st.sampled_from(ConfiguredRole))
    shared: dict[str, Any] = {
        "address": draw(ADDRESSES),
        "port": draw(PORTS),
        "peers": draw(unique(PEERS, lambda peer: (peer.address, peer.port))),
        "mapping_ids": draw(unique(IDS, lambda mapping_id: mapping_id)),
        "keepalive": draw(TIMES),
        "hold_time": draw(TIMES),
        "maximum_entries": draw(st.just(0) | st.integers(1, 1000)),
        "maximum_bytes": draw(st.just(16384) | st.integers(1024, 32768)),
        "update_interval": draw(st.just(0.0) | st.integers(5, 100).map(lambda ms: ms / 1000)),
        "pull_interval": draw(st.just(0.0) | st.integers(1, 3600).map(float)),
        "defer": draw(st.booleans()),
    }
    if role in (ConfiguredRole.PRIMARY, ConfiguredRole.BACKUP):
        virtual = st.builds(VirtualAddress, address=ADDRESSES, interface=INTERFACES)
        return Group(role=role, virtual_addresses=draw(unique(virtual, lambda v: v.address)), **shared)
    if draw(st.booleans()):
        shared |= {"address": ANY_ADDRESS, "port": 15555}
    shared["as_queuing"] = draw(st.booleans())
    if role is ConfiguredRole.REDUNDANCY:
        return Group(role=role, name=draw(NAMES), udp=draw(st.booleans()), **shared)
    return Group(role=role, name=draw(st.just("") | NAMES), retain=draw(st.integers(0, 86400)), **shared)


GROUPS = groups()


def _group_key(group: Group) -> object:
    named = group.role in (ConfiguredRole.REDUNDANCY, ConfiguredRole.PEERS)
    return group.role, group.name if named else group.address


LIST_NAMES = st.one_of(st.integers(1, 99), st.integers(1300, 1999)).map(str)
TIMEOUT = st.integers(1, 536870)
CONFIGURATIONS = st.builds(
    Configuration,
    hostname=st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,62}", fullmatch=True),
    trustpoint=st.none()
    | st.builds(Trustpoint, name=NAMES, ca_certificate=FILES, certificate=FILES, private_key=FILES),
    stateful=st.none() | st.builds(Stateful, nat_id=IDS, groups=unique(GROUPS, _group_key)),
    interfaces=interfaces(),
    pools=unique(
        st.builds(
            Pool,
            name=NAMES,
            ranges=st.tuples(st.builds(AddressRange, ADDRESSES, ADDRESSES)),
            prefix_length=st.integers(1, 32),
            as_netmask=st.booleans(),
        ),
        lambda pool: pool.name,
    ),
    dynamic_rules=unique(
        st.builds(
            DynamicRule,
            overload=st.just(True),
            access_list=LIST_NAMES,
            pool=NAMES,
            mapping_id=st.just(0) | IDS,
        ),
        lambda rule: rule.access_list,
    ),
    access_lists=LISTS,
    route_maps=unique(ROUTE_MAPS, lambda route_map: route_map.name),
    tracked=TRACKED,
    routes=unique(ROUTES, lambda route: (route.prefix, route.next_hop, route.interface)),
    nat=st.builds(
        Nat,
        timeouts=st.builds(
            Timeouts, udp=TIMEOUT, tcp=TIMEOUT, syn=TIMEOUT, closing=TIMEOUT, finrst=TIMEOUT, icmp=TIMEOUT
        ),
    ),
)


@given(CONFIGURATIONS)
def test_every_configuration_is_read_back_from_its_text(wanted: Configuration) -> None:
    text = text_of(wanted)
    read, problems = read_configuration(text, "R1")
    assert read == wanted
    assert text_of(read) == text
    lines_with_faults = [p for p in problems if "missing: " in p.reason or "expected" in p.reason]
    assert lines_with_faults == []


@given(CONFIGURATIONS)
def test_the_text_twice_means_the_same_as_once(wanted: Configuration) -> None:
    text = text_of(wanted)
    twice = text.removesuffix("end\n") + text
    assert read_configuration(twice, "R1")[0] == wanted
