"""``show``: what is read of the router, and how it is rendered."""

from cli import render
from cli.commands.snat import IP_NAT, IP_SNAT
from cli.grammar import Element, Optional
from cli.pipes import PIPE
from cli.tokens import Keyword
from cli.tree import Command, Shows

SHOW = Keyword(text="show", help="Show what the router does and knows")


def shown(*elements: Element) -> tuple[Element, ...]:
    """A show command: every one may be piped."""
    return (SHOW, *elements, PIPE)


ANYBODY: tuple[Command, ...] = (
    Shows(
        pattern=shown(*IP_NAT, Keyword(text="translations", help="Entries of the NAT table")),
        read=lambda router, _values: router.translations(),
        render=lambda rows, _values: render.translations(rows),
    ),
    Shows(
        pattern=shown(*IP_NAT, Keyword(text="statistics", help="Counters")),
        read=lambda router, _values: render.NatStatistics(
            interfaces=router.running_configuration().interfaces, counters=router.statistics().counters
        ),
        render=lambda statistics, _values: render.statistics(statistics),
    ),
    Shows(
        pattern=shown(
            *IP_SNAT,
            Keyword(text="distributed", help="Redundancy groups, neighbors and feeds"),
            Optional(Keyword(text="verbose", key="verbose", help="Every link with its counters")),
        ),
        read=lambda router, _values: router.distributed(),
        render=lambda groups, values: render.distributed(groups, verbose="verbose" in values),
    ),
)
"""Without privilege."""
