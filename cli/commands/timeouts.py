"""``ip nat translation ...``: time-outs and limits (ios-cli.md 1.4)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.commands.editing import drop, put
from cli.commands.names import ACCESS_LIST
from cli.commands.snat import IP_NAT
from cli.grammar import Either, Tail, Values
from cli.tokens import HostAddress, Keyword, Number, Unsupported
from cli.tree import Command, Configures
from snat.config.model import Configuration, Limits, PortTimeout, Timeouts
from snat.config.nat import NEVER

HIGHEST_TIMEOUT = 536870
"""Seconds, as in IOS-XE (ios-cli.md 1.4)."""
HIGHEST_ENTRIES = 2147483647
TRANSLATION = (*IP_NAT, Keyword(text="translation", help="Time-outs and limits of entries"))
SHOWN = ("udp", "tcp", "syn", "finrst", "icmp", "closing")
"""Always printed, because our defaults are not those of IOS; the others only if they differ from them."""
_SECONDS = Either(
    (Number(key="seconds", low=1, high=HIGHEST_TIMEOUT, help="Seconds"),),
    (Keyword(text="never", key="never", help="They stay until they are cleared"),),
)


def _seconds(values: Values) -> int:
    return NEVER if values.get("never") else int(values["seconds"])


def _written(seconds: int) -> dict[str, Any]:
    return {"never": True} if seconds == NEVER else {"seconds": seconds}


def _timeout(word: str, attribute: str, help_text: str) -> Configures:
    """The line of one time-out."""
    normal = getattr(Timeouts(), attribute)

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        seconds = getattr(configuration.nat.timeouts, attribute)
        if attribute in SHOWN or seconds != normal:
            yield _written(seconds)

    def change(configuration: Configuration, seconds: int) -> Configuration:
        timeouts = replace(configuration.nat.timeouts, **{attribute: seconds})
        return replace(configuration, nat=replace(configuration.nat, timeouts=timeouts))

    return Configures(
        pattern=(*TRANSLATION, Keyword(text=word, help=help_text), Tail(_SECONDS)),
        stored=stored,
        set=lambda configuration, _subject, values: change(configuration, _seconds(values)),
        unset=lambda configuration, _subject, _values: change(configuration, normal),
        negatable=True,
    )


# --- port-timeout


def _port_values(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for one in configuration.nat.port_timeouts:
        yield {one.protocol: True, "port": one.port, **_written(one.seconds)}


def _port_key(values: Values) -> tuple[str, int]:
    return "tcp" if values.get("tcp") else "udp", values["port"]


def _set_port(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    one = PortTimeout(*_port_key(values), _seconds(values))
    port_timeouts = put(configuration.nat.port_timeouts, one, lambda known: known[:2])
    return replace(configuration, nat=replace(configuration.nat, port_timeouts=port_timeouts))


def _unset_port(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    kept = drop(configuration.nat.port_timeouts, lambda known: known[:2] == _port_key(values))
    return replace(configuration, nat=replace(configuration.nat, port_timeouts=kept))


# --- max-entries


def _limit_values(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    limits = configuration.nat.limits
    if limits.total:
        yield {"total": limits.total}
    if limits.all_host:
        yield {"all_host": True, "entries": limits.all_host}
    yield from ({"host": host, "entries": entries} for host, entries in limits.hosts)
    yield from ({"list": name, "entries": entries} for name, entries in limits.lists)


def _limited(configuration: Configuration, limits: Limits) -> Configuration:
    return replace(configuration, nat=replace(configuration.nat, limits=limits))


def _set_limit(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    limits = configuration.nat.limits
    if "total" in values:
        return _limited(configuration, replace(limits, total=values["total"]))
    if "all_host" in values:
        return _limited(configuration, replace(limits, all_host=values["entries"]))
    if "host" in values:
        hosts = put(limits.hosts, (values["host"], values["entries"]), lambda one: one[0])
        return _limited(configuration, replace(limits, hosts=hosts))
    lists = put(limits.lists, (values["list"], values["entries"]), lambda one: one[0])
    return _limited(configuration, replace(limits, lists=lists))


def _unset_limit(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    limits = configuration.nat.limits
    if "host" in values:
        kept = drop(limits.hosts, lambda one: one[0] == values["host"])
        return _limited(configuration, replace(limits, hosts=kept))
    if "list" in values:
        names = drop(limits.lists, lambda one: one[0] == values["list"])
        return _limited(configuration, replace(limits, lists=names))
    if "all_host" in values:
        return _limited(configuration, replace(limits, all_host=0))
    return _limited(configuration, replace(limits, total=0))


_ENTRIES = Number(key="entries", low=1, high=HIGHEST_ENTRIES, help="Entries")

COMMANDS: tuple[Command, ...] = (
    _timeout("timeout", "other", "Entries of other protocols without traffic"),
    _timeout("udp-timeout", "udp", "UDP entries without traffic"),
    _timeout("tcp-timeout", "tcp", "Established TCP connections without traffic"),
    _timeout("syn-timeout", "syn", "TCP connections that are not established"),
    _timeout("finrst-timeout", "finrst", "TCP connections closed by both sides"),
    _timeout("icmp-timeout", "icmp", "ICMP queries"),
    _timeout("closing-timeout", "closing", "TCP connections until both FINs are acknowledged, or after RST"),
    _timeout("dns-timeout", "dns", "DNS queries"),
    _timeout("pptp-timeout", "pptp", "PPTP tunnels without traffic"),
    _timeout("routemap-entry-timeout", "routemap_entry", "Entries that a route-map chose"),
    _timeout("arp-ping-timeout", "arp_ping", "Hosts that do not answer ARP"),
    Configures(
        pattern=(
            *TRANSLATION,
            Keyword(text="port-timeout", help="Entries of one outside port without traffic"),
            Either(
                (Keyword(text="tcp", key="tcp", help="A TCP port"),),
                (Keyword(text="udp", key="udp", help="A UDP port"),),
            ),
            Number(key="port", low=1, high=65535, help="Port"),
            Tail(_SECONDS),
        ),
        stored=_port_values,
        set=_set_port,
        unset=_unset_port,
    ),
    Configures(
        pattern=(
            *TRANSLATION,
            Keyword(text="max-entries", help="How many entries there may be"),
            Either(
                (
                    Keyword(text="all-host", key="all_host", help="Of each inside host"),
                    Tail(_ENTRIES),
                ),
                (
                    Keyword(text="host", help="Of one inside host"),
                    HostAddress(key="host", help="Address of the host"),
                    Tail(_ENTRIES),
                ),
                (
                    Keyword(text="list", help="Of each host that an access list permits"),
                    ACCESS_LIST,
                    Tail(_ENTRIES),
                ),
                (Unsupported(text="all-vrf"),),
                (Unsupported(text="vrf"),),
                (Unsupported(text="redundancy"),),
                (Tail(Number(key="total", low=1, high=HIGHEST_ENTRIES, help="Entries in all")),),
            ),
        ),
        stored=_limit_values,
        set=_set_limit,
        unset=_unset_limit,
        negatable=True,
    ),
)
