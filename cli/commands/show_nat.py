"""``show ip nat ...`` (ios-cli.md 2.2)."""

from collections.abc import Iterator

from cli import render_nat
from cli.commands.names import POOL
from cli.commands.selecting import place, place_words, protocol, protocol_words
from cli.commands.show import shown
from cli.commands.snat import IP_NAT
from cli.grammar import Options, Values
from cli.render import Eventual
from cli.render_nat import NatStatistics, Total
from cli.router import Router
from cli.tokens import HostAddress, Keyword, Unsupported
from cli.tree import Command, Lines, Rejected, Shows
from snat.device.selection import Selection
from snat.device.status import PoolPorts, Translation


def _selection(values: Values) -> Selection:
    first, last = values.get("first"), values.get("last")
    if first is not None and last is not None and first > last:
        raise Rejected(f"% The range ends before it begins: {first} {last}")
    return Selection(
        protocol=protocol(values),
        inside=place(values, "inside"),
        outside=place(values, "outside"),
        global_range=None if first is None or last is None else (first, last),
    )


def _read_translations(router: Router, values: Values) -> Iterator[Translation | None] | Eventual[Total]:
    selection = _selection(values)
    if "total" not in values:
        return router.nat.translations(selection, verbose="verbose" in values)
    counted = router.nat.total(selection)
    return Eventual(None if count is None else Total(total=count) for count in counted)


def _render_translations(data: Iterator[Translation | None] | Eventual[Total], _values: Values) -> Lines:
    return data.rendered(render_nat.total) if isinstance(data, Eventual) else render_nat.translations(data)


def _read_statistics(router: Router, _values: Values) -> Eventual[NatStatistics]:
    interfaces = router.running_configuration().interfaces
    return Eventual(
        None
        if table is None
        else NatStatistics(interfaces=interfaces, counters=router.statistics().counters, table=table)
        for table in router.nat.status()
    )


def _read_pool(router: Router, values: Values) -> Eventual[PoolPorts]:
    name = values["pool"]
    pools = [pool.name for pool in router.running_configuration().pools]
    if name not in pools:
        raise Rejected(f"% There is no pool {name}; configured: {', '.join(pools) or 'none'}")
    return Eventual(router.nat.pool_ports(name))


_TRANSLATIONS = (
    (protocol_words("icmp", "tcp", "udp", "gre", "esp"),),
    (
        Keyword(text="inside", help="Those of an inside host"),
        *place_words("inside", "Its address, local or global", port=True),
    ),
    (
        Keyword(text="outside", help="Those to an outside host"),
        *place_words("outside", "Its address, local or global", port=True),
    ),
    (
        Keyword(text="filter", help="Those within bounds"),
        Keyword(text="range", help="Of addresses"),
        Keyword(text="inside", help="Of inside hosts"),
        Keyword(text="global", help="As the outside sees them"),
        HostAddress(key="first", help="First address"),
        HostAddress(key="last", help="Last address"),
    ),
    (Keyword(text="verbose", key="verbose", help="With ages, flags, owner and mapping"),),
    (Keyword(text="total", key="total", help="Only how many there are"),),
    (Unsupported(text="vrf"),),
    (Unsupported(text="redundancy"),),
)

ANYBODY: tuple[Command, ...] = (
    Shows(
        pattern=shown(
            *IP_NAT,
            Keyword(text="translations", help="Entries of the NAT table"),
            Options(*_TRANSLATIONS),
        ),
        read=_read_translations,
        render=_render_translations,
    ),
    Shows(
        pattern=shown(*IP_NAT, Keyword(text="statistics", help="Counters, rules and pools")),
        read=_read_statistics,
        render=lambda data, _values: data.rendered(render_nat.statistics),
    ),
    Shows(
        pattern=shown(
            *IP_NAT,
            Keyword(text="pool", help="Addresses to translate to"),
            Keyword(text="name", help="One pool"),
            POOL,
        ),
        read=_read_pool,
        render=lambda data, _values: data.rendered(render_nat.pool_ports),
    ),
    Shows(
        pattern=shown(*IP_NAT, Keyword(text="redundancy", help="Global addresses that follow an HSRP group")),
        read=lambda router, _values: render_nat.redundancy_uses(router.running_configuration()),
        render=lambda uses, _values: render_nat.redundancy(uses),
    ),
)
"""Without privilege."""
