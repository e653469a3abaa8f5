"""Dynamic rules: ``ip nat inside source list ...`` and its like (ios-cli.md 1.3)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.commands.editing import drop, in_order, put
from cli.commands.names import ACCESS_LIST, INTERFACE, POOL, ROUTE_MAP
from cli.commands.snat import HIGHEST_ID, IP_NAT
from cli.grammar import Either, Options, Pattern, Tail, Values
from cli.tokens import Keyword, Number, Unsupported, Word
from cli.tree import Command, Configures
from snat.config.model import Configuration, DynamicRule, RuleKind

_FLAGS = ("reversible", "overload", "extended", "add_route")

MAPPING_ID = (
    Keyword(text="mapping-id", help="Share the entries with the members of this mapping ID"),
    Number(key="mapping_id", low=1, high=HIGHEST_ID, help="Mapping ID"),
)
REDUNDANCY = (
    Keyword(text="redundancy", help="Only while an HSRP group is active here"),
    Word(
        key="redundancy",
        shape=r"[A-Za-z][!-~]{0,63}",  # a number would be a redundancy group of IOS-XE
        what="the name of an HSRP group, which begins with a letter",
        help="Name of the HSRP group",
    ),
)
VRF = ((Unsupported(text="vrf"),), (Unsupported(text="match-in-vrf"),))
SOURCE = Keyword(text="source", help="Translate the source of packets")
INSIDE = Keyword(text="inside", help="Translate inside addresses")
OUTSIDE = Keyword(text="outside", help="Translate outside addresses")
_WHO = Either(
    (Keyword(text="list", help="Packets that an access list permits"), ACCESS_LIST),
    (Keyword(text="route-map", help="Packets that a route-map permits"), ROUTE_MAP),
)
_TO_POOL = (Keyword(text="pool", help="Translate to addresses of a pool"), POOL)
_TO = Either(
    _TO_POOL, (Keyword(text="interface", help="Translate to the address of an interface"), INTERFACE)
)


def _rules(kind: RuleKind, pattern: Pattern) -> Configures:
    """The lines of one kind of rule. What tells one from another is whom it is for."""

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        return (_values(rule) for rule in configuration.dynamic_rules if rule.kind is kind)

    def set_(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
        rules = put(configuration.dynamic_rules, _rule(kind, values), _key)
        return replace(configuration, dynamic_rules=in_order(rules))

    def unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
        key = _key(_rule(kind, values))
        return replace(
            configuration, dynamic_rules=drop(configuration.dynamic_rules, lambda r: _key(r) == key)
        )

    return Configures(pattern=(*IP_NAT, *pattern), stored=stored, set=set_, unset=unset)


def _key(rule: DynamicRule) -> object:
    return rule.kind, rule.access_list, rule.route_map


def _values(rule: DynamicRule) -> dict[str, Any]:
    named = {
        "list": rule.access_list,
        "route_map": rule.route_map,
        "pool": rule.pool,
        "interface": rule.interface,
        "mapping_id": rule.mapping_id,
        "redundancy": rule.redundancy,
    }
    return {key: value for key, value in named.items() if value} | {
        flag: True for flag in _FLAGS if getattr(rule, flag)
    }


def _rule(kind: RuleKind, values: Values) -> DynamicRule:
    return DynamicRule(
        kind=kind,
        access_list=values.get("list", ""),
        route_map=values.get("route_map", ""),
        pool=values.get("pool", ""),
        interface=values.get("interface", ""),
        mapping_id=values.get("mapping_id", 0),
        redundancy=values.get("redundancy", ""),
        **{flag: flag in values for flag in _FLAGS},
    )


COMMANDS: tuple[Command, ...] = (
    _rules(
        RuleKind.INSIDE_SOURCE,
        (
            *(INSIDE, SOURCE, _WHO),
            Tail(
                _TO,
                Options(
                    REDUNDANCY,
                    MAPPING_ID,
                    (Keyword(text="reversible", key="reversible", help="Outside hosts may begin too"),),
                    (Keyword(text="overload", key="overload", help="Many inside hosts share an address"),),
                    (Keyword(text="extended", key="extended", help="A port for each outside host"),),
                    (Unsupported(text="oer"),),
                    *VRF,
                ),
            ),
        ),
    ),
    _rules(
        RuleKind.INSIDE_DESTINATION,
        (
            INSIDE,
            Keyword(text="destination", help="Share load among inside hosts"),
            Keyword(text="list", help="Packets to addresses that an access list permits"),
            ACCESS_LIST,
            Tail(*_TO_POOL, Options(REDUNDANCY, MAPPING_ID)),
        ),
    ),
    _rules(
        RuleKind.OUTSIDE_SOURCE,
        (
            *(OUTSIDE, SOURCE, _WHO),
            Tail(
                *_TO_POOL,
                Options(
                    MAPPING_ID,
                    (Keyword(text="add-route", key="add_route", help="Route the local addresses outside"),),
                    *VRF,
                ),
            ),
        ),
    ),
)
