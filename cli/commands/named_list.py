"""``ip access-list standard|extended NAME``, the lines below it, and ``ip access-list resequence``.

The lines are printed with their sequence numbers only where those are not the ones that the lines get by
themselves, so the text of a list always gives the same list again.
"""

from collections.abc import Iterator
from typing import Any

from cli.commands import list_edit
from cli.commands.access_list import list_number
from cli.commands.list_lines import REMARK, body, checked, line_of, values_of
from cli.commands.names import ACCESS_LIST, NAME
from cli.grammar import Either, Tail, Values
from cli.modes import EXTENDED_LIST, STANDARD_LIST
from cli.session import Place
from cli.tokens import Keyword, Number, Word
from cli.tree import Command, Configures, Rejected
from snat.config.model import AccessLine, AccessList, Configuration, ListKind

IP_ACCESS_LIST = (
    Keyword(text="ip", help="Internet Protocol"),
    Keyword(text="access-list", help="Access lists by name"),
)


def _named(kind: ListKind) -> Either:
    """The number or the name of a list of a kind; each has a key of its own."""
    name = Word(
        key="list",
        shape=NAME,
        what="the name of an access list: it begins with a letter, and has at most 64 characters",
        help="Name of the access list",
        candidates=lambda configuration: [one.name for one in configuration.access_lists if one.kind is kind],
    )
    return Either((list_number(kind, "number"),), (name,))


def _kind(values: Values) -> ListKind:
    return ListKind.STANDARD if "standard" in values else ListKind.EXTENDED


def _name(values: Values) -> str:
    return str(values.get("number", values.get("list")))


def _header(access_list: AccessList) -> Values:
    if access_list.name.isdecimal():
        return {str(access_list.kind): True, "number": int(access_list.name)}
    return {str(access_list.kind): True, "list": access_list.name}


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    return (_header(one) for one in configuration.access_lists if list_edit.is_block(one))


def _present(configuration: Configuration, kind: ListKind, name: str) -> AccessList:
    """The list, or an empty one of the name. Raises :class:`Rejected` for a list of the other kind."""
    present = list_edit.find(configuration, name)
    if present and present.kind is not kind:
        raise Rejected(f"% Access list {name} is {present.kind}, not {kind}")
    return present or AccessList(name=name, kind=kind)


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return list_edit.with_list(configuration, _present(configuration, _kind(values), _name(values)))


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    _present(configuration, _kind(values), _name(values))
    return list_edit.without_list(configuration, _name(values))


def _place(values: Values) -> Place:
    return Place(STANDARD_LIST if _kind(values) is ListKind.STANDARD else EXTENDED_LIST, _name(values))


def _resequence(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    present = list_edit.find(configuration, values["list"])
    if present is None:
        raise Rejected(f"% There is no access list {values['list']}")
    changed = list_edit.resequence(present, values["start"], values["step"])
    return list_edit.with_list(configuration, changed)


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            *IP_ACCESS_LIST,
            Either(
                (
                    Keyword(text="standard", key="standard", help="Compares the source"),
                    _named(ListKind.STANDARD),
                ),
                (
                    Keyword(text="extended", key="extended", help="Compares protocol, both ends and ports"),
                    _named(ListKind.EXTENDED),
                ),
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        enters=_place,
        negatable=True,
    ),
    Configures(
        pattern=(
            *IP_ACCESS_LIST,
            Keyword(text="resequence", help="Number the lines of a list anew"),
            ACCESS_LIST,
            Number(key="start", low=1, high=list_edit.HIGHEST_SEQUENCE, help="Of the first line"),
            Number(key="step", low=1, high=list_edit.HIGHEST_SEQUENCE, help="From one line to the next"),
        ),
        stored=lambda _configuration, _subject: (),
        set=_resequence,
    ),
)


def _in_list(kind: ListKind) -> Configures:
    """``[N] permit ...`` or ``remark ...`` below ``ip access-list``; the subject is the name of the list."""

    def stored(configuration: Configuration, name: str) -> Iterator[Values]:
        present = list_edit.find(configuration, name)
        return _lines(present) if present else iter(())

    def normal(values: Values) -> Values:
        if "permit" not in values and "deny" not in values:
            return values
        sequence = {key: values[key] for key in ("sequence",) if key in values}
        return sequence | values_of(line_of(values, kind), kind)

    def set_(configuration: Configuration, name: str, values: Values) -> Configuration:
        present = _present(configuration, kind, name)
        if "remark" in values:
            return list_edit.with_list(configuration, list_edit.add_remark(present, values["remark"]))
        line = checked(line_of(values, kind))
        return list_edit.with_list(configuration, list_edit.add(present, line))

    def unset(configuration: Configuration, name: str, values: Values) -> Configuration:
        present = _present(configuration, kind, name)
        if "remark" in values:
            changed = list_edit.remove_remark(present, values["remark"])
        elif "sequence" in values:
            changed = list_edit.remove_numbered(present, values["sequence"])
        else:
            changed = list_edit.remove(present, line_of(values, kind))
        return list_edit.with_list(configuration, changed)

    sequence = Number(key="sequence", low=1, high=list_edit.HIGHEST_SEQUENCE, help="Place in the list")
    return Configures(
        pattern=(Either((sequence, Tail(*body(kind))), body(kind), REMARK),),
        stored=stored,
        set=set_,
        unset=unset,
        normal=normal,
        negatable=True,
    )


def _lines(access_list: AccessList) -> Iterator[Values]:
    regular = list_edit.is_regular(access_list)
    for line in access_list.lines:
        yield from ({"remark": remark} for remark in line.remarks)
        yield (_sequence(line) if not regular else {}) | values_of(line, access_list.kind)
    yield from ({"remark": remark} for remark in access_list.remarks)


def _sequence(line: AccessLine) -> dict[str, Any]:
    return {"sequence": line.sequence}


IN_STANDARD_LIST: tuple[Command, ...] = (_in_list(ListKind.STANDARD),)
IN_EXTENDED_LIST: tuple[Command, ...] = (_in_list(ListKind.EXTENDED),)
