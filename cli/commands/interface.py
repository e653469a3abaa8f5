"""``interface NAME`` and ``ip nat inside|outside`` under it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.commands.editing import drop, put
from cli.commands.snat import IP_NAT
from cli.grammar import Either, Values
from cli.modes import INTERFACE
from cli.session import Place
from cli.tokens import InterfaceName, Keyword
from cli.tree import Command, Configures
from snat.config.model import Configuration, Interface, Side


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    return ({"interface": interface.name} for interface in configuration.interfaces)


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return _put(configuration, _find(configuration, values["interface"]))


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    kept = drop(configuration.interfaces, lambda interface: interface.name == values["interface"])
    return replace(configuration, interfaces=kept)


def _find(configuration: Configuration, name: str) -> Interface:
    """The interface; one that was removed meanwhile comes back, as its lines follow one another."""
    found = (interface for interface in configuration.interfaces if interface.name == name)
    return next(found, Interface(name=name))


def _put(configuration: Configuration, interface: Interface) -> Configuration:
    return replace(configuration, interfaces=put(configuration.interfaces, interface, lambda i: i.name))


def _stored_side(configuration: Configuration, name: str) -> Iterator[Values]:
    if side := _find(configuration, name).side:
        yield {str(side): True}


def _set_side(configuration: Configuration, name: str, values: Values) -> Configuration:
    side = Side.INSIDE if values.get("inside") else Side.OUTSIDE
    return _put(configuration, replace(_find(configuration, name), side=side))


def _unset_side(configuration: Configuration, name: str, _values: Values) -> Configuration:
    return _put(configuration, replace(_find(configuration, name), side=None))


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="interface", help="Configure an interface"),
            InterfaceName(
                key="interface",
                help="Name of the interface, as the kernel has it",
                candidates=lambda configuration: [i.name for i in configuration.interfaces],
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        enters=lambda values: Place(INTERFACE, values["interface"]),
        separated=True,
    ),
)

IN_INTERFACE: tuple[Command, ...] = (
    Configures(
        pattern=(
            *IP_NAT,
            Either(
                (Keyword(text="inside", key="inside", help="The private network is here"),),
                (Keyword(text="outside", key="outside", help="The public network is here"),),
            ),
        ),
        stored=_stored_side,
        set=_set_side,
        unset=_unset_side,
    ),
)
