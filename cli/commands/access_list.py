"""``access-list N permit|deny``: numbered standard access lists."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from cli.commands.editing import drop, put
from cli.grammar import Either, Optional, Tail, Values
from cli.tokens import Address, HostAddress, Keyword, Number
from cli.tree import Command, Configures
from snat.config.model import AccessLine, AccessList, Configuration

EVERY_BIT = IPv4Address("255.255.255.255")


def list_number(key: str) -> Either:
    """The number of a standard access list."""
    help_text = "Standard access list"
    return Either(
        (
            Number(
                key=key,
                low=1,
                high=99,
                help=help_text,
                candidates=lambda configuration: [listed.name for listed in configuration.access_lists],
            ),
        ),
        (Number(key=key, low=1300, high=1999, help=f"{help_text} (expanded range)"),),
    )


def _line_values(name: str, line: AccessLine) -> Values:
    values: dict[str, Any] = {"list": int(name), "permit" if line.permit else "deny": True}
    if line.wildcard == EVERY_BIT:
        return values | {"any": True}
    if line.wildcard == IPv4Address(0):
        return values | {"address": line.address}
    return values | {"address": line.address, "wildcard": line.wildcard}


def _line(values: Values) -> AccessLine:
    """The line that was typed; bits that are not compared are cleared, as in IOS."""
    if values.get("any"):
        return AccessLine(permit="permit" in values, address=IPv4Address(0), wildcard=EVERY_BIT)
    wildcard = values.get("wildcard", IPv4Address(0))
    compared = int(values["address"]) & ~int(wildcard)
    return AccessLine(permit="permit" in values, address=IPv4Address(compared), wildcard=wildcard)


def _normal(values: Values) -> Values:
    if "permit" not in values and "deny" not in values:  # no access-list 1
        return values
    return _line_values(str(values["list"]), _line(values))


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for access_list in configuration.access_lists:
        for line in access_list.lines:
            yield _line_values(access_list.name, line)


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    present = _find(configuration, str(values["list"]))
    lines = put(present.lines, _line(values), lambda line: line)
    return _put(configuration, replace(present, lines=lines))


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    """Without one line; IOS removes the whole list, which is a trap: ours says what it does."""
    present = _find(configuration, str(values["list"]))
    lines = drop(present.lines, lambda line: line == _line(values))
    return _put(configuration, replace(present, lines=lines))


def _find(configuration: Configuration, name: str) -> AccessList:
    return next((known for known in configuration.access_lists if known.name == name), AccessList(name=name))


def _put(configuration: Configuration, access_list: AccessList) -> Configuration:
    lists = put(configuration.access_lists, access_list, lambda known: known.name)
    return replace(configuration, access_lists=drop(lists, lambda known: not known.lines))


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="access-list", help="Add a line to an access list"),
            list_number("list"),
            Tail(
                Either(
                    (Keyword(text="permit", key="permit", help="Addresses that belong to the list"),),
                    (
                        Keyword(
                            text="deny", key="deny", padding="  ", help="Addresses that do not belong to it"
                        ),
                    ),
                ),
                Either(
                    (Keyword(text="any", key="any", help="Any address"),),
                    (
                        Address(key="address", help="Address to match"),
                        Optional(Address(key="wildcard", help="Wildcard bits: those set are not compared")),
                    ),
                    (
                        Keyword(text="host", key="host", help="A single host"),
                        HostAddress(key="address", help="Address of the host"),
                    ),
                ),
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        normal=_normal,
    ),
)
