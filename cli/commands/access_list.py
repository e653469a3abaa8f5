"""``access-list N ...``: the lines of numbered access lists (ios-cli.md 1.5)."""

from collections.abc import Iterator
from typing import Any

from cli.commands import list_edit
from cli.commands.list_lines import EXTENDED, REMARK, STANDARD, checked, line_of, values_of
from cli.commands.names import EXTENDED as EXTENDED_NUMBERS
from cli.commands.names import STANDARD as STANDARD_NUMBERS
from cli.grammar import Either, Tail, Values
from cli.tokens import Keyword, Number
from cli.tree import Command, Configures
from snat.config.model import AccessList, Configuration, ListKind


def list_number(kind: ListKind, key: str) -> Either:
    """The number of an access list."""
    (low, high), (expanded_low, expanded_high) = (
        STANDARD_NUMBERS if kind is ListKind.STANDARD else EXTENDED_NUMBERS
    )

    def known(configuration: Configuration) -> list[str]:
        numbered = (one for one in configuration.access_lists if one.name.isdecimal())
        return [one.name for one in numbered if one.kind is kind]

    help_text = f"{kind.capitalize()} access list"
    return Either(
        (Number(key=key, low=low, high=high, help=help_text, candidates=known),),
        (Number(key=key, low=expanded_low, high=expanded_high, help=f"{help_text} (expanded range)"),),
    )


def _normal(values: Values) -> Values:
    if "permit" not in values and "deny" not in values:  # a remark, or `no access-list 1`
        return values
    kind = list_edit.kind_of_number(str(values["list"]))
    return {"list": values["list"], **values_of(line_of(values, kind), kind)}


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for access_list in configuration.access_lists:
        if not list_edit.is_block(access_list):
            yield from _lines(access_list)


def _lines(access_list: AccessList) -> Iterator[Values]:
    number = int(access_list.name)
    for line in access_list.lines:
        yield from ({"list": number, "remark": remark} for remark in line.remarks)
        yield {"list": number, **values_of(line, access_list.kind)}
    yield from ({"list": number, "remark": remark} for remark in access_list.remarks)


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    name = str(values["list"])
    kind = list_edit.kind_of_number(name)
    present = list_edit.find(configuration, name) or AccessList(name=name, kind=kind)
    if "remark" in values:
        return list_edit.with_list(configuration, list_edit.add_remark(present, values["remark"]))
    line = checked(line_of(values, kind))
    return list_edit.with_list(configuration, list_edit.add(present, line))


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    """Without the line that was named; IOS removes the whole list, which is a trap. Without one: the list."""
    name = str(values["list"])
    present = list_edit.find(configuration, name)
    if present is None:
        return configuration
    if "remark" in values:
        changed = list_edit.remove_remark(present, values["remark"])
    elif "permit" in values or "deny" in values:
        changed = list_edit.remove(present, line_of(values, present.kind))
    else:
        return list_edit.without_list(configuration, name)
    if not changed.lines and not changed.remarks:
        return list_edit.without_list(configuration, name)
    return list_edit.with_list(configuration, changed)


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="access-list", help="Add a line to an access list"),
            Either(
                (list_number(ListKind.STANDARD, "list"), Tail(Either(REMARK, STANDARD))),
                (list_number(ListKind.EXTENDED, "list"), Tail(Either(REMARK, EXTENDED))),
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        normal=_normal,
        negatable=True,
    ),
)
