"""``show``: what is read of the router, and how it is rendered."""

from cli.grammar import Element
from cli.pipes import PIPE
from cli.tokens import Keyword

SHOW = Keyword(text="show", help="Show what the router does and knows")


def shown(*elements: Element) -> tuple[Element, ...]:
    """A show command: every one may be piped."""
    return (SHOW, *elements, PIPE)
