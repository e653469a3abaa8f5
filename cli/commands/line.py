"""``line con 0``, ``line vty A B``, and ``exec-timeout`` below them.

A line is the number of a session; all sessions come over the control socket and have a line vty. A block
of numbers that another ``line vty`` covers in part is split there, so every number has one place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, NamedTuple

from cli.grammar import Either, Optional, Tail, Values
from cli.modes import LINE
from cli.session import Place
from cli.tokens import Keyword, Number, Unsupported
from cli.tree import Command, Configures, Refuses, Rejected
from snat.config.model import Configuration, Line
from snat.config.system import DEFAULT_EXEC_TIMEOUT, HIGHEST_LINE

LONGEST: Final = 35791
"""Minutes of an exec-timeout, as in IOS."""
_REFUSED: Final = (
    *("access-class", "autocommand", "login", "password", "privilege", "session-timeout", "speed"),
    *("stopbits", "transport", "length", "width", "history"),
)


class _Block(NamedTuple):
    """The lines that a mode is about."""

    kind: str
    first: int
    last: int


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for line in sorted(configuration.system.lines, key=lambda line: (line.kind, line.first)):
        yield _normal({line.kind: True, "first": line.first, "last": line.last})


def _normal(values: Values) -> Values:
    """``line vty 3 3`` is written ``line vty 3``, which says the same."""
    alone = values.get("last") == values["first"]
    return {key: value for key, value in values.items() if not (alone and key == "last")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Console(Keyword):
    """``console``, which IOS prints as ``con``."""

    def write(self, value: Any) -> str:  # noqa: ARG002 - it has but one text
        """``con``."""
        return "con"


def _block(values: Values) -> _Block:
    kind = "console" if "console" in values else "vty"
    return _Block(kind, values["first"], values.get("last", values["first"]))


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    block = _block(values)
    if block.last < block.first:
        raise Rejected(f"% The last line, {block.last}, is less than the first, {block.first}")
    lines = tuple(_split(configuration.system.lines, block))
    for first, last in _gaps(lines, block):
        lines = (*lines, Line(kind=block.kind, first=first, last=last))
    return _with(configuration, lines)


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    block = _block(values)
    lines = _split(configuration.system.lines, block)
    return _with(configuration, tuple(line for line in lines if not _within(line, block)))


def _with(configuration: Configuration, lines: tuple[Line, ...]) -> Configuration:
    ordered = tuple(sorted(lines, key=lambda line: (line.kind, line.first)))
    return replace(configuration, system=replace(configuration.system, lines=ordered))


def _split(lines: tuple[Line, ...], block: _Block) -> Iterator[Line]:
    """The same lines, none of them both in the block and outside."""
    for line in lines:
        if line.kind != block.kind or line.last < block.first or line.first > block.last:
            yield line
            continue
        cuts = [line.first, max(line.first, block.first), min(line.last, block.last) + 1, line.last + 1]
        for first, following in pairwise(cuts):
            if first < following:
                yield replace(line, first=first, last=following - 1)


def _gaps(lines: tuple[Line, ...], block: _Block) -> Iterator[tuple[int, int]]:
    """The numbers of the block that no line has, as first and last ones."""
    at = block.first
    for line in sorted((line for line in lines if _within(line, block)), key=lambda line: line.first):
        if line.first > at:
            yield at, line.first - 1
        at = line.last + 1
    if at <= block.last:
        yield at, block.last


def _within(line: Line, block: _Block) -> bool:
    return line.kind == block.kind and block.first <= line.first and line.last <= block.last


def _lines(configuration: Configuration, block: _Block) -> list[Line]:
    return [line for line in configuration.system.lines if _within(line, block)]


def _stored_timeout(configuration: Configuration, block: _Block) -> Iterator[Values]:
    for line in _lines(configuration, block):
        if line.exec_timeout != DEFAULT_EXEC_TIMEOUT:
            yield _time(line.exec_timeout)


def _hidden_timeout(configuration: Configuration, block: _Block) -> Iterator[Values]:
    if any(line.exec_timeout == DEFAULT_EXEC_TIMEOUT for line in _lines(configuration, block)):
        yield _time(DEFAULT_EXEC_TIMEOUT)


def _time(seconds: int) -> Values:
    return {"minutes": seconds // 60, "seconds": seconds % 60}


def _set_timeout(configuration: Configuration, block: _Block, seconds: int) -> Configuration:
    if not _lines(configuration, block):
        raise Rejected("% These lines have been removed. Enter them again")
    return _with(
        configuration,
        tuple(
            replace(line, exec_timeout=seconds) if _within(line, block) else line
            for line in configuration.system.lines
        ),
    )


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="line", help="Configure sessions of the shell by their lines"),
            Either(
                (
                    Keyword(text="vty", key="vty", help="Sessions over the control socket"),
                    Number(key="first", low=0, high=HIGHEST_LINE, help="First line"),
                    Optional(Number(key="last", low=0, high=HIGHEST_LINE, help="Last line")),
                ),
                (
                    _Console(text="console", key="console", help="The console, which has no session here"),
                    Number(key="first", low=0, high=0, help="Its number"),
                ),
                (Unsupported(text="aux"),),
                (Unsupported(text="tty"),),
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        normal=_normal,
        enters=lambda values: Place(LINE, _block(values)),
        negatable=True,
        separated=True,
    ),
)

IN_LINE: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="exec-timeout", help="End sessions in which nothing is typed"),
            Tail(
                Number(key="minutes", low=0, high=LONGEST, help="Minutes; 0 0: never"),
                Optional(Number(key="seconds", low=0, high=59, help="And seconds")),
            ),
        ),
        stored=_stored_timeout,
        set=lambda configuration, block, values: _set_timeout(
            configuration, block, values["minutes"] * 60 + values.get("seconds", 0)
        ),
        unset=lambda configuration, block, _values: _set_timeout(configuration, block, 0),
        default=lambda configuration, block, _values: _set_timeout(
            configuration, block, DEFAULT_EXEC_TIMEOUT
        ),
        normal=lambda values: {"seconds": 0, **values} if "minutes" in values else values,
        negatable=True,
        hidden=_hidden_timeout,
    ),
    Refuses(
        pattern=(
            Either(
                *((Unsupported(text=word),) for word in _REFUSED),
                (Keyword(text="logging", help="Messages of the log"), Unsupported(text="synchronous")),
            ),
        ),
    ),
)
