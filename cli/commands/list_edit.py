"""Edits of one access list, and of the lists of a configuration.

A remark is told apart by its text, as a line by what it says: each is in a list once. So a text that is
entered again changes nothing.
"""

from dataclasses import fields, replace
from operator import attrgetter

from cli.commands.editing import drop, put
from cli.commands.list_lines import MAX_REMARK
from cli.commands.names import STANDARD
from cli.commands.texts import checked_text
from cli.tree import Rejected
from snat.config.access import STEP
from snat.config.model import AccessLine, AccessList, Configuration, ListKind

HIGHEST_SEQUENCE = 2147483647


def kind_of_number(name: str) -> ListKind:
    """What the number of a list says of it."""
    standard = any(low <= int(name) <= high for low, high in STANDARD)
    return ListKind.STANDARD if standard else ListKind.EXTENDED


def is_regular(access_list: AccessList) -> bool:
    """Whether the lines are numbered as lines that are entered without number are: 10, 20, 30."""
    return all(line.sequence in (0, number * STEP) for number, line in enumerate(access_list.lines, start=1))


def is_block(access_list: AccessList) -> bool:
    """Whether it is printed as ``ip access-list``, with its lines below."""
    said = access_list.lines or access_list.remarks
    return not access_list.name.isdecimal() or not said or not is_regular(access_list)


def find(configuration: Configuration, name: str) -> AccessList | None:
    """The list of a name."""
    return next((one for one in configuration.access_lists if one.name == name), None)


def with_list(configuration: Configuration, access_list: AccessList) -> Configuration:
    """The configuration with the list, in the order of the running configuration."""
    lists = put(configuration.access_lists, access_list, lambda one: one.name)
    return replace(configuration, access_lists=tuple(sorted(lists, key=_running_order)))


def without_list(configuration: Configuration, name: str) -> Configuration:
    """The configuration without the list."""
    return replace(configuration, access_lists=drop(configuration.access_lists, lambda one: one.name == name))


def _running_order(access_list: AccessList) -> tuple[bool, tuple[bool, int, str]]:
    return not is_block(access_list), shown_order(access_list)


def shown_order(access_list: AccessList) -> tuple[bool, int, str]:
    """The order of ``show access-lists``: standard ones first, numbers by their size, then names."""
    number = int(access_list.name) if access_list.name.isdecimal() else HIGHEST_SEQUENCE
    return access_list.kind is ListKind.EXTENDED, number, access_list.name


def add(access_list: AccessList, line: AccessLine) -> AccessList:
    """The list with the line in its place: that of its number, else the end. Remarks before it stay above it.

    A line that the list has already changes nothing. Raises :class:`Rejected` for a number that is taken.
    """
    lines = _numbered(access_list.lines)
    same = next((one for one in lines if same_statement(one, line)), None)
    if same and line.sequence in (0, same.sequence):
        return replace(access_list, lines=lines)
    if same:
        raise Rejected(f"% Duplicate {_action(line)} statement: it has the sequence number {same.sequence}")
    if any(one.sequence == line.sequence for one in lines):
        raise Rejected(f"% Duplicate sequence number {line.sequence}")
    sequence = line.sequence or (lines[-1].sequence if lines else 0) + STEP
    if sequence > HIGHEST_SEQUENCE:
        raise Rejected("% No sequence number is left after the last line: use ip access-list resequence")
    line = replace(line, sequence=sequence, remarks=access_list.remarks)
    ordered = sorted((*lines, line), key=lambda one: one.sequence)
    return replace(access_list, lines=tuple(ordered), remarks=())


def remove(access_list: AccessList, line: AccessLine) -> AccessList:
    """The list without a line that says the same; its remarks go with it."""
    kept = drop(access_list.lines, lambda one: same_statement(one, line))
    if len(kept) == len(access_list.lines):
        raise Rejected(f"% Access list {access_list.name} has no such line")
    return replace(access_list, lines=kept)


def remove_numbered(access_list: AccessList, sequence: int) -> AccessList:
    """The list without the line of a number; its remarks go with it."""
    lines = _numbered(access_list.lines)
    kept = drop(lines, lambda one: one.sequence == sequence)
    if len(kept) == len(lines):
        raise Rejected(f"% Access list {access_list.name} has no line {sequence}")
    return replace(access_list, lines=kept)


def add_remark(access_list: AccessList, text: str) -> AccessList:
    """The list with a remark, which the next line that is entered takes with it."""
    checked_text(text, "A remark", MAX_REMARK)
    if text in _remarks(access_list):
        return access_list
    return replace(access_list, remarks=(*access_list.remarks, text))


def remove_remark(access_list: AccessList, text: str) -> AccessList:
    """The list without a remark."""
    if text not in _remarks(access_list):
        raise Rejected(f"% Access list {access_list.name} has no such remark")
    lines = tuple(
        replace(line, remarks=drop(line.remarks, lambda one: one == text)) for line in access_list.lines
    )
    return replace(access_list, lines=lines, remarks=drop(access_list.remarks, lambda one: one == text))


def resequence(access_list: AccessList, start: int, step: int) -> AccessList:
    """The list with new numbers in the same order."""
    if start + step * (len(access_list.lines) - 1) > HIGHEST_SEQUENCE:
        raise Rejected(f"% The last sequence number would be more than {HIGHEST_SEQUENCE}")
    lines = tuple(
        replace(line, sequence=start + step * index) for index, line in enumerate(access_list.lines)
    )
    return replace(access_list, lines=lines)


_SAID = attrgetter(*(one.name for one in fields(AccessLine) if one.name not in ("sequence", "remarks")))


def same_statement(line: AccessLine, other: AccessLine) -> bool:
    """Whether two lines say the same, wherever they stand."""
    # Addresses of lists of many lines differ, and are compared fastest.
    return int(line.address) == int(other.address) and _SAID(line) == _SAID(other)


def _remarks(access_list: AccessList) -> tuple[str, ...]:
    return (*access_list.remarks, *(remark for line in access_list.lines for remark in line.remarks))


def _numbered(lines: tuple[AccessLine, ...]) -> tuple[AccessLine, ...]:
    """The lines with the numbers that they have by their order, where they have none."""
    if all(line.sequence for line in lines):
        return lines
    return tuple(
        line if line.sequence else replace(line, sequence=number * STEP)
        for number, line in enumerate(lines, start=1)
    )


def _action(line: AccessLine) -> str:
    return "permit" if line.permit else "deny"
