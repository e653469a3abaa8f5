"""``show``: what is read of the router, and how it is rendered."""

from cli import render
from cli.commands.configuration import configuration_lines
from cli.grammar import Element
from cli.pipes import PIPE
from cli.tokens import Keyword
from cli.tree import Command, Shows

SHOW = Keyword(text="show", help="Show what the router does and knows")


def shown(*elements: Element) -> tuple[Element, ...]:
    """A show command: every one may be piped."""
    return (SHOW, *elements, PIPE)


PRIVILEGED: tuple[Command, ...] = (
    Shows(
        pattern=shown(Keyword(text="running-config", help="The configuration in force")),
        read=lambda router, _values: router.running_configuration(),
        render=lambda configuration, _values: render.running_configuration(
            list(configuration_lines(configuration))
        ),
    ),
)
