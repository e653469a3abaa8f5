"""Static rules: ``ip nat inside source static ...`` and its like (ios-cli.md 1.3)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.commands.editing import drop, in_order
from cli.commands.names import INTERFACE, ROUTE_MAP
from cli.commands.rules import INSIDE, MAPPING_ID, OUTSIDE, REDUNDANCY, SOURCE, VRF
from cli.commands.snat import IP_NAT
from cli.grammar import Either, Element, Options, Pattern, Values
from cli.tokens import Address, HostAddress, Keyword, Netmask, Number, PrefixLength, Unsupported
from cli.tree import Command, Configures, Rejected
from snat.config.model import Configuration, RuleKind, StaticRule

_FLAGS = ("reversible", "extendable", "no_alias", "no_payload", "add_route")
STATIC = Keyword(text="static", help="One address, port or network for another, always")


def _values(rule: StaticRule) -> dict[str, Any]:
    named = {
        "local": rule.local,
        rule.protocol: True,
        "local_port": rule.local_port,
        "global": rule.global_,
        "interface": rule.interface,
        "global_port": rule.global_port,
        "netmask" if rule.as_netmask else "length": rule.prefix_length,
        "mapping_id": rule.mapping_id,
        "redundancy": rule.redundancy,
        "route_map": rule.route_map,
    }
    values = {key: value for key, value in named.items() if key and value}
    return values | {flag: True for flag in _FLAGS if getattr(rule, flag)}


def _rule(kind: RuleKind, values: Values) -> StaticRule:
    return StaticRule(
        kind=kind,
        protocol=next((name for name in ("tcp", "udp") if name in values), ""),
        local=values["local"],
        local_port=values.get("local_port", 0),
        global_=values.get("global"),
        interface=values.get("interface", ""),
        global_port=values.get("global_port", 0),
        prefix_length=values.get("netmask", values.get("length", 0)),
        as_netmask="netmask" in values,
        mapping_id=values.get("mapping_id", 0),
        redundancy=values.get("redundancy", ""),
        route_map=values.get("route_map", ""),
        **{flag: flag in values for flag in _FLAGS},
    )


def _ends(rule: StaticRule) -> tuple[object, object]:
    """What it leads from and to."""
    where = rule.global_ if rule.global_ is not None else rule.interface
    scope = rule.kind, rule.protocol, rule.prefix_length
    return (scope, rule.local, rule.local_port), (scope, where, rule.global_port)


def _statics(kind: RuleKind, *shapes: Pattern) -> Configures:
    """The lines of one kind: of networks, of ports, of addresses."""

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        return (_values(rule) for rule in configuration.static_rules if rule.kind is kind)

    def set_(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
        rule = _rule(kind, values)
        for other in configuration.static_rules:
            if _ends(other) == _ends(rule):
                rules = tuple(rule if one is other else one for one in configuration.static_rules)
                return replace(configuration, static_rules=rules)
            if _contradict(rule, other):
                where = other.global_ if other.global_ is not None else other.interface
                raise Rejected(f"% similar static entry ({other.local} -> {where}) already exists")
        return replace(configuration, static_rules=in_order((*configuration.static_rules, rule)))

    def unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
        """Without the rule of exactly these ends: that of a port of the same addresses stays."""
        ends = _ends(_rule(kind, values))
        rules = drop(configuration.static_rules, lambda one: _ends(one) == ends)
        return replace(configuration, static_rules=rules)

    return Configures(
        pattern=(*IP_NAT, Either(*shapes)), stored=stored, set=set_, unset=unset, negatable=True
    )


def _contradict(one: StaticRule, other: StaticRule) -> bool:
    """Whether two rules share an end. The local one may be shared if both rules say ``extendable``."""
    shared = [mine == theirs for mine, theirs in zip(_ends(one), _ends(other), strict=True)]
    return shared[1] or (shared[0] and not (one.extendable and other.extendable))


def _flag(text: str, help_text: str) -> Pattern:
    return (Keyword(text=text, key=text.replace("-", "_"), help=help_text),)


def _port(key: str, whose: str) -> Number:
    return Number(key=key, low=1, high=65535, help=f"Port of the {whose} address")


_PROTOCOL = Either(
    (Keyword(text="tcp", key="tcp", help="One TCP port"),),
    (Keyword(text="udp", key="udp", help="One UDP port"),),
)
_NETWORK = Keyword(text="network", help="A whole network")
_MASK = Either(
    (Netmask(key="netmask", help="Mask of both networks"),),
    (PrefixLength(key="length", help="Length of both prefixes"),),
)
_INSIDE_OPTIONS = Options(
    (
        Keyword(text="route-map", help="Only for packets that a route-map permits"),
        ROUTE_MAP,
    ),
    _flag("reversible", "Outside hosts may begin too"),
    REDUNDANCY,
    MAPPING_ID,
    _flag("extendable", "Several rules for one address"),
    _flag("no-alias", "Do not answer ARP for the global address"),
    _flag("no-payload", "Leave addresses inside packets alone"),
    *VRF,
)
_OUTSIDE_OPTIONS = Options(
    REDUNDANCY,
    MAPPING_ID,
    _flag("extendable", "Several rules for one address"),
    _flag("no-alias", "Do not answer ARP for the local address"),
    _flag("no-payload", "Leave addresses inside packets alone"),
    _flag("add-route", "Route the local address outside"),
    *VRF,
)


def _local(key: str = "local") -> HostAddress:
    return HostAddress(key=key, help="Local address: as inside hosts see it")


def _global(key: str = "global") -> HostAddress:
    return HostAddress(key=key, help="Global address: as outside hosts see it")


_TO: Element = Either(
    (_global(),), (Keyword(text="interface", help="The address of an interface"), INTERFACE)
)
_BEGIN = (INSIDE, SOURCE, STATIC)
_OUT = (OUTSIDE, SOURCE, STATIC)

COMMANDS: tuple[Command, ...] = (
    _statics(
        RuleKind.INSIDE_SOURCE,
        (
            *(*_BEGIN, _NETWORK),
            *(Address(key="local", help="Local network"), Address(key="global", help="Global network")),
            *(_MASK, _INSIDE_OPTIONS),
        ),
        (
            *(*_BEGIN, _PROTOCOL, _local(), _port("local_port", "local")),
            *(_TO, _port("global_port", "global"), _INSIDE_OPTIONS),
        ),
        (*_BEGIN, Either((_local(),), (Unsupported(text="esp"),)), _TO, _INSIDE_OPTIONS),
    ),
    _statics(
        RuleKind.OUTSIDE_SOURCE,
        (
            *(*_OUT, _NETWORK),
            *(Address(key="global", help="Global network"), Address(key="local", help="Local network")),
            *(_MASK, _OUTSIDE_OPTIONS),
        ),
        (
            *(*_OUT, _PROTOCOL, _global(), _port("global_port", "global")),
            *(_local(), _port("local_port", "local"), _OUTSIDE_OPTIONS),
        ),
        (*_OUT, _global(), _local(), _OUTSIDE_OPTIONS),
    ),
)
