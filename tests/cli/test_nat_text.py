"""Text -> model -> text of everything that ip nat can say."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cli.commands import TREE
from cli.commands.configuration import configuration_lines
from cli.commands.editing import in_order
from cli.commands.services import GATEWAYS
from cli.configuration_file import read_configuration
from cli.modes import CONFIG, PRIVILEGED
from cli.session import Place
from snat.config import lines
from snat.config.model import (
    AddressRange,
    Configuration,
    DynamicRule,
    Filtering,
    Limits,
    Nat,
    Pool,
    PoolType,
    PortTimeout,
    RuleKind,
    Service,
    StaticRule,
    Timeouts,
)

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,12}", fullmatch=True)
INTERFACES = st.from_regex(r"[a-z][a-z0-9.-]{0,14}", fullmatch=True)
ADDRESSES = st.integers(0x01000000, 0xDFFFFFFF).map(IPv4Address)
LISTS = st.one_of(st.integers(1, 199), st.integers(1300, 2699)).map(str) | NAMES
IDS = st.just(0) | st.integers(1, 2147483647)
PORTS = st.integers(1, 65535)
SECONDS = st.just(0) | st.integers(1, 536870)
ENTRIES = st.integers(1, 2147483647)
FLAG = st.booleans()


def few(strategy: st.SearchStrategy[Any], key: Any = lambda one: one) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=4, unique_by=key).map(tuple)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    as_block = draw(FLAG)
    ranges = st.lists(st.builds(AddressRange, ADDRESSES, ADDRESSES), max_size=3, unique=True)
    return Pool(
        name=draw(NAMES),
        ranges=tuple(draw(ranges)) if as_block else (AddressRange(draw(ADDRESSES), draw(ADDRESSES)),),
        prefix_length=draw(st.integers(1, 32)),
        as_netmask=draw(FLAG),
        as_block=as_block,
        kind=draw(st.sampled_from(PoolType)),
        add_route=draw(FLAG),
    )


@st.composite
def dynamic(draw: st.DrawFn) -> DynamicRule:
    """A rule with what the grammar of its kind has."""
    kind = draw(st.sampled_from(RuleKind))
    inside_source, outside = kind is RuleKind.INSIDE_SOURCE, kind is RuleKind.OUTSIDE_SOURCE
    by_list = kind is RuleKind.INSIDE_DESTINATION or draw(FLAG)
    to_pool = not inside_source or draw(FLAG)
    return DynamicRule(
        kind=kind,
        access_list=draw(LISTS) if by_list else "",
        route_map="" if by_list else draw(NAMES),
        pool=draw(NAMES) if to_pool else "",
        interface="" if to_pool else draw(INTERFACES),
        mapping_id=draw(IDS),
        redundancy="" if outside else draw(st.just("") | NAMES),
        reversible=inside_source and draw(FLAG),
        overload=inside_source and draw(FLAG),
        extended=inside_source and draw(FLAG),
        add_route=outside and draw(FLAG),
    )


@st.composite
def statics(draw: st.DrawFn) -> StaticRule:
    """A rule of an address, a port or a network; of outside ones there is no interface and no route-map."""
    inside = draw(FLAG)
    shape = draw(st.sampled_from(["address", "tcp", "udp", "network"]))
    port = shape in ("tcp", "udp")
    to_interface = inside and shape != "network" and draw(FLAG)
    length = draw(st.integers(1, 32)) if shape == "network" else 0
    local, global_ = (draw(ADDRESSES) for _ in range(2))
    if length:
        local, global_ = (IPv4Network((one, length), strict=False)[0] for one in (local, global_))
    return StaticRule(
        kind=RuleKind.INSIDE_SOURCE if inside else RuleKind.OUTSIDE_SOURCE,
        protocol=shape if port else "",
        local=local,
        local_port=draw(PORTS) if port else 0,
        global_=None if to_interface else global_,
        interface=draw(INTERFACES) if to_interface else "",
        global_port=draw(PORTS) if port else 0,
        prefix_length=length,
        as_netmask=length > 0 and draw(FLAG),
        mapping_id=draw(IDS),
        redundancy=draw(st.just("") | NAMES),
        route_map=draw(st.just("") | NAMES) if inside else "",
        reversible=inside and draw(FLAG),
        extendable=draw(FLAG),
        no_alias=draw(FLAG),
        no_payload=draw(FLAG),
        add_route=not inside and draw(FLAG),
    )


def _distinct(rules: tuple[StaticRule, ...]) -> bool:
    """Whether no two share an address, which would be a similar entry."""
    local = [(rule.kind, rule.local) for rule in rules]
    other = [(rule.kind, rule.global_ or rule.interface) for rule in rules]
    return len({*local}) == len(local) and len({*other}) == len(other)


def _service(service: Service) -> bool:
    return service != Service(name="ftp")  # that is on anyway


SERVICES = st.builds(
    Service,
    name=st.sampled_from(GATEWAYS),
    protocol=st.sampled_from(["", "tcp", "udp"]),
    port=st.just(0) | PORTS,
).filter(_service) | st.builds(
    Service,
    name=st.just("ftp"),
    protocol=st.sampled_from(["", "tcp", "udp"]),
    port=st.just(0) | PORTS,
    access_list=LISTS,
)
TIMES = st.builds(Timeouts, **dict.fromkeys(Timeouts.__slots__, SECONDS))
LIMITS = st.builds(
    Limits,
    total=st.just(0) | ENTRIES,
    all_host=st.just(0) | ENTRIES,
    hosts=few(st.tuples(ADDRESSES, ENTRIES), lambda one: one[0]),
    lists=few(st.tuples(LISTS, ENTRIES), lambda one: one[0]),
)


@st.composite
def settings(draw: st.DrawFn) -> Nat:
    logged = draw(FLAG)
    return Nat(
        timeouts=draw(TIMES),
        port_timeouts=draw(
            few(st.builds(PortTimeout, st.sampled_from(["tcp", "udp"]), PORTS, SECONDS), lambda one: one[:2])
        ),
        limits=draw(LIMITS),
        filtering=draw(st.sampled_from(Filtering)),
        log_translations=logged,
        log_bind_only=logged and draw(FLAG),
        services=draw(few(SERVICES)),
        no_services=draw(st.sampled_from([(), (Service(name="ftp"),)])),
        fullrange=draw(
            few(
                st.builds(
                    Service, name=st.just("fullrange"), protocol=st.sampled_from(["tcp", "udp"]), port=PORTS
                )
            )
        ),
        flow_entries=draw(FLAG),
        http_switchover=draw(FLAG),
        http_ports=draw(few(PORTS)),
        tun_offload=draw(FLAG),
        tun_queue=draw(st.integers(10, 100000)),
    )


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    def whom(rule: DynamicRule) -> object:
        return rule.kind, rule.access_list, rule.route_map

    return Configuration(
        nat=draw(settings()),
        pools=tuple(sorted(draw(few(pools(), lambda one: one.name)), key=lambda one: one.as_block)),
        dynamic_rules=in_order(draw(few(dynamic(), whom))),
        static_rules=in_order(draw(few(statics()).filter(_distinct))),
    )


def text_of(configuration: Configuration) -> str:
    return "".join(f"{line}\n" for line in configuration_lines(configuration))


@given(configurations())
def test_all_of_it_is_read_back_from_its_text(wanted: Configuration) -> None:
    text = text_of(wanted)
    read, _ = read_configuration(text, "R1")
    assert read == wanted
    assert text_of(read) == text
    assert read_configuration(text.removesuffix("end\n") + text, "R1")[0] == wanted


@given(configurations())
def test_problems_name_lines_of_the_running_configuration(wanted: Configuration) -> None:
    printed = list(configuration_lines(wanted))
    named = [lines.dynamic(one) for one in wanted.dynamic_rules]
    named += [lines.static(one) for one in wanted.static_rules]
    named += [lines.pool(one) for one in wanted.pools]
    named += [lines.service(one) for one in (*wanted.nat.services, *wanted.nat.fullrange)]
    assert [one for one in named if one not in printed] == []


@given(configurations())
def test_no_before_each_line_leaves_nothing(wanted: Configuration) -> None:
    """Rules first, since a pool in use is not removed; each ``no`` takes what it names and nothing else."""
    path = (Place(PRIVILEGED), Place(CONFIG))
    configuration = wanted
    for one in wanted.static_rules:
        configuration = TREE.edit(TREE.match(path, f"no {lines.static(one)}"), configuration)
        kept = wanted.static_rules[wanted.static_rules.index(one) + 1 :]
        assert configuration == replace(wanted, static_rules=kept)
    configuration = wanted = replace(wanted, static_rules=())
    for dynamic_rule in wanted.dynamic_rules:
        configuration = TREE.edit(TREE.match(path, f"no {lines.dynamic(dynamic_rule)}"), configuration)
        kept_rules = wanted.dynamic_rules[wanted.dynamic_rules.index(dynamic_rule) + 1 :]
        assert configuration == replace(wanted, dynamic_rules=kept_rules)
    for pool in wanted.pools:
        configuration = TREE.edit(TREE.match(path, f"no ip nat pool {pool.name}"), configuration)
    assert configuration == replace(wanted, dynamic_rules=(), pools=())
