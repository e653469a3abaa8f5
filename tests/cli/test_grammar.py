"""Patterns: options in any order, words that are not supported, ``no`` and ``default``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cli.grammar import Fault, LineError, Optional, Options, Pattern, State, Values, match, may_end, written
from cli.modes import CONFIG, PRIVILEGED
from cli.session import Place
from cli.tokens import Keyword, Number, Unsupported
from cli.tree import Configures, Tree, canonical, lines_below
from snat.config.model import Configuration

ADD = Keyword(text="add", help="")
PATTERN: Pattern = (
    ADD,
    Options(
        (Keyword(text="mapping-id", help=""), Number(key="mapping_id", low=1, high=9, help="")),
        (Keyword(text="overload", key="overload", help=""),),
        (Keyword(text="reversible", key="reversible", help=""),),
    ),
    Optional(Unsupported(text="vrf")),
)


def read(line: str) -> dict[str, Any]:
    return match([State(command=None, rest=PATTERN)], line).values


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("add", {}),
        ("add overload", {"overload": True}),
        ("add rev map 3", {"reversible": True, "mapping_id": 3}),
        ("add overload reversible mapping-id 3", {"overload": True, "reversible": True, "mapping_id": 3}),
    ],
)
def test_options_come_in_any_order(line: str, values: Values) -> None:
    assert read(line) == values


def test_options_are_written_in_their_order() -> None:
    values = {"reversible": True, "mapping_id": 3, "overload": False}
    assert written(PATTERN, values) == "add mapping-id 3 reversible"
    assert may_end(PATTERN[1:])


@pytest.mark.parametrize(
    ("line", "fault", "column"),
    [
        ("add overload overload", Fault.INVALID, 13),
        ("add mapping-id", Fault.INCOMPLETE, 14),
        ("add mapping-id overload", Fault.INVALID, 15),
        ("add overload vrf green", Fault.UNSUPPORTED, 13),
        ("add vr", Fault.UNSUPPORTED, 4),
    ],
)
def test_options_are_given_once_and_whole(line: str, fault: Fault, column: int) -> None:
    with pytest.raises(LineError) as refused:
        read(line)
    assert (refused.value.fault, refused.value.column) == (fault, column)


def test_an_unsupported_word_is_named_and_neither_helped_nor_completed() -> None:
    tree = Tree({PRIVILEGED: (), CONFIG: (SHUTDOWN, Configures(pattern=PATTERN, stored=none, set=unchanged))})
    path = (Place(PRIVILEGED), Place(CONFIG))
    with pytest.raises(LineError) as refused:
        tree.match(path, "add VRF green")
    assert refused.value.reason == "vrf"
    assert "vrf" not in dict(tree.help(path, "add ").entries)
    assert tree.complete(path, "add v", Configuration()) == ()


# --- no and default: a line whose `no` form is a line of its own


def none(_configuration: Configuration, _subject: Any) -> Iterator[Values]:
    return iter(())


def unchanged(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return configuration


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    """The host name plays the switch: ``on`` is the line, ``off`` its `no` form, else nothing is said."""
    if configuration.hostname in ("on", "off"):
        yield {"shutdown": True} | ({"no": True} if configuration.hostname == "off" else {})


def _set(name: str) -> Any:
    return lambda configuration, _subject, _values: replace(configuration, hostname=name)


SHUTDOWN = Configures(
    pattern=(Keyword(text="shutdown", key="shutdown", help=""),),
    stored=_stored,
    set=_set("on"),
    unset=_set("off"),
    default=_set("Router"),
    negatable=True,
)
MODES = {PRIVILEGED: (), CONFIG: (SHUTDOWN,)}


@pytest.mark.parametrize(
    ("typed", "lines", "text"),
    [
        ("shutdown", ["shutdown"], "shutdown"),
        ("no shutdown", ["no shutdown"], "no shutdown"),
        ("default shut", [], "default shutdown"),
    ],
)
def test_a_line_may_be_said_negated_or_not_at_all(typed: str, lines: list[str], text: str) -> None:
    tree = Tree(MODES)
    found = tree.match((Place(PRIVILEGED), Place(CONFIG)), typed)
    assert canonical(found) == text
    after = tree.edit(found, Configuration(hostname="on"))
    assert list(lines_below(MODES, after, Place(CONFIG))) == lines


def test_default_of_an_ordinary_line_is_its_no() -> None:
    ordinary = Configures(pattern=SHUTDOWN.pattern, stored=_stored, set=_set("on"), unset=_set("gone"))
    tree = Tree({PRIVILEGED: (), CONFIG: (ordinary,)})
    found = tree.match((Place(PRIVILEGED), Place(CONFIG)), "default shutdown")
    assert tree.edit(found, Configuration(hostname="on")).hostname == "gone"
    assert tree.edit(found, Configuration(hostname="x")).hostname == "x"
