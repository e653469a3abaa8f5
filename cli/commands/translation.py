"""``ip nat translation ...-timeout``, ``ip nat pool`` and ``ip nat inside source``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.commands.access_list import list_number
from cli.commands.editing import drop, put
from cli.commands.snat import HIGHEST_ID, IP_NAT
from cli.grammar import Either, Optional, Tail, Values
from cli.tokens import HostAddress, Keyword, Netmask, Number, Word
from cli.tree import Command, Configures, Rejected
from snat.config.model import AddressRange, Configuration, DynamicRule, Pool, Timeouts

HIGHEST_TIMEOUT = 536870
"""Seconds, as in IOS-XE (ios-cli.md 1.4)."""


def _timeout(attribute: str, help_text: str) -> Configures:
    """The line of one time-out. It is always printed, because our defaults are not those of IOS."""

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        yield {"seconds": getattr(configuration.nat.timeouts, attribute)}

    def change(configuration: Configuration, seconds: int) -> Configuration:
        timeouts = replace(configuration.nat.timeouts, **{attribute: seconds})
        return replace(configuration, nat=replace(configuration.nat, timeouts=timeouts))

    return Configures(
        pattern=(
            *IP_NAT,
            Keyword(text="translation", help="Time-outs of entries"),
            Keyword(text=f"{attribute}-timeout", help=help_text),
            Tail(Number(key="seconds", low=1, high=HIGHEST_TIMEOUT, help="Seconds")),
        ),
        stored=stored,
        set=lambda configuration, _subject, values: change(configuration, values["seconds"]),
        unset=lambda configuration, _subject, _values: change(configuration, getattr(Timeouts(), attribute)),
    )


def _stored_pools(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for pool in configuration.pools:
        length = "netmask" if pool.as_netmask else "prefix_length"
        yield {
            "pool": pool.name,
            "start": pool.ranges[0].start,
            "end": pool.ranges[0].end,
            length: pool.prefix_length,
        }


def _set_pool(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    as_netmask = "netmask" in values
    pool = Pool(
        name=values["pool"],
        ranges=(AddressRange(values["start"], values["end"]),),
        prefix_length=values["netmask" if as_netmask else "prefix_length"],
        as_netmask=as_netmask,
    )
    return replace(configuration, pools=put(configuration.pools, pool, lambda pool: pool.name))


def _unset_pool(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    name = values["pool"]
    if any(rule.pool == name for rule in configuration.dynamic_rules):
        raise Rejected(f"%Pool {name} in use, cannot destroy")
    return replace(configuration, pools=drop(configuration.pools, lambda pool: pool.name == name))


def _stored_rules(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for rule in configuration.dynamic_rules:
        yield {
            "list": int(rule.access_list),
            "pool": rule.pool,
            "mapping_id": rule.mapping_id or None,
            "overload": True,
        }


def _set_rule(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    rule = DynamicRule(
        overload=True,
        access_list=str(values["list"]),
        pool=values["pool"],
        mapping_id=values.get("mapping_id", 0),
    )
    rules = put(configuration.dynamic_rules, rule, lambda rule: rule.access_list)
    return replace(configuration, dynamic_rules=rules)


def _unset_rule(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    name = str(values["list"])
    rules = drop(configuration.dynamic_rules, lambda rule: rule.access_list == name)
    return replace(configuration, dynamic_rules=rules)


COMMANDS: tuple[Command, ...] = (
    _timeout("udp", "UDP entries without traffic"),
    _timeout("tcp", "Established TCP connections without traffic"),
    _timeout("syn", "TCP connections that are not established"),
    _timeout("finrst", "TCP connections closed by both sides"),
    _timeout("icmp", "ICMP queries"),
    _timeout("closing", "TCP connections until both FINs are acknowledged, or after RST"),
    Configures(
        pattern=(
            *IP_NAT,
            Keyword(text="pool", help="Addresses to translate to"),
            Word(key="pool", help="Name of the pool"),
            Tail(
                HostAddress(key="start", help="First address"),
                HostAddress(key="end", help="Last address"),
                Either(
                    (
                        Keyword(text="netmask", help="Mask of the network of the pool"),
                        Netmask(key="netmask", help="Mask"),
                    ),
                    (
                        Keyword(text="prefix-length", help="Length of the prefix of the pool"),
                        Number(key="prefix_length", low=1, high=32, help="Bits"),
                    ),
                ),
            ),
        ),
        stored=_stored_pools,
        set=_set_pool,
        unset=_unset_pool,
    ),
    Configures(
        pattern=(
            *IP_NAT,
            Keyword(text="inside", help="Translate inside addresses"),
            Keyword(text="source", help="Translate the source of packets from inside"),
            Keyword(text="list", help="Which inside hosts"),
            list_number("list"),
            Tail(
                Keyword(text="pool", help="Pool to translate to"),
                Word(
                    key="pool",
                    help="Name of the pool",
                    candidates=lambda configuration: [pool.name for pool in configuration.pools],
                ),
                Optional(
                    Keyword(text="mapping-id", help="Share the entries with the members of this mapping ID"),
                    Number(key="mapping_id", low=1, high=HIGHEST_ID, help="Mapping ID"),
                ),
                Keyword(text="overload", key="overload", help="Many inside hosts share an address"),
            ),
        ),
        stored=_stored_rules,
        set=_set_rule,
        unset=_unset_rule,
    ),
)
