"""Patterns of tokens, and matching a typed line against the patterns of a mode.

A pattern is a tuple of tokens and of groups of them (:class:`Optional`, :class:`Either`, :class:`Tail`).
It is walked by asking what may come first and what then remains, so a pattern needs no compilation, and
many commands that begin alike behave as one tree. The same pattern writes the line back (:func:`written`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from cli.tokens import Keyword, Line, Specificity, Token, Unsupported

Values = Mapping[str, Any]
"""What a line said, by the keys of its tokens."""


@dataclass(frozen=True, slots=True, init=False)
class Optional:
    """Elements that may be left out, together."""

    elements: "Pattern"

    def __init__(self, *elements: "Element") -> None:
        object.__setattr__(self, "elements", elements)


@dataclass(frozen=True, slots=True, init=False)
class Tail:
    """Elements that the ``no`` form may leave out: what is needed to set, but not to name, a thing."""

    elements: "Pattern"

    def __init__(self, *elements: "Element") -> None:
        object.__setattr__(self, "elements", elements)


@dataclass(frozen=True, slots=True, init=False)
class Either:
    """One of several patterns. Writing takes the first whose keys all have values."""

    branches: tuple["Pattern", ...]

    def __init__(self, *branches: "Pattern") -> None:
        object.__setattr__(self, "branches", branches)


@dataclass(frozen=True, slots=True, init=False)
class Options:
    """Patterns that may follow in any order, each once or not at all. They are written in their order."""

    patterns: tuple["Pattern", ...]

    def __init__(self, *patterns: "Pattern") -> None:
        object.__setattr__(self, "patterns", patterns)


Element = Token | Optional | Tail | Either | Options
Pattern = tuple[Element, ...]


NOT_ALONE = Tail(Either())
"""Nothing can stand here: a line that ends so is understood after ``no`` alone, where a tail is optional."""


def first(pattern: Pattern) -> Iterator[tuple[Token, Pattern]]:
    """The tokens that may come next, each with what then remains."""
    if not pattern:
        return
    element, rest = pattern[0], pattern[1:]
    if isinstance(element, Token):
        yield element, rest
    elif isinstance(element, Either):
        for branch in element.branches:
            yield from first(branch + rest)
    elif isinstance(element, Options):
        for index, pattern in enumerate(element.patterns):
            others = element.patterns[:index] + element.patterns[index + 1 :]
            yield from first((*pattern, Options(*others), *rest))
        yield from first(rest)
    else:
        yield from first(element.elements + rest)
        if isinstance(element, Optional):
            yield from first(rest)


def may_end(pattern: Pattern) -> bool:
    """Whether a line may end here: everything that remains is optional."""
    return all(
        isinstance(element, Optional | Options)
        or (isinstance(element, Either) and any(may_end(branch) for branch in element.branches))
        for element in pattern
    )


def without_tails(pattern: Pattern) -> Pattern:
    """The pattern of the ``no`` form: every tail is optional."""
    return tuple(_without_tail(element) for element in pattern)


def _without_tail(element: Element) -> Element:
    match element:
        case Tail():
            return Optional(*without_tails(element.elements))
        case Optional():
            return Optional(*without_tails(element.elements))
        case Either():
            return Either(*(without_tails(branch) for branch in element.branches))
        case Options():
            return Options(*(without_tails(pattern) for pattern in element.patterns))
    return element


def tail_keys(pattern: Pattern) -> frozenset[str]:
    """The keys of all tokens in tails: they describe a thing that the other keys name."""
    return frozenset(
        token.key
        for element in pattern
        if isinstance(element, Tail)
        for token in tokens(element.elements)
        if token.key
    )


def tokens(pattern: Pattern) -> Iterator[Token]:
    """Every token of a pattern, in the order of its declaration."""
    for element in pattern:
        if isinstance(element, Token):
            yield element
        elif isinstance(element, Either):
            for branch in element.branches:
                yield from tokens(branch)
        elif isinstance(element, Options):
            for pattern in element.patterns:
                yield from tokens(pattern)
        else:
            yield from tokens(element.elements)


def written(pattern: Pattern, values: Values) -> str:
    """The line that says these values. Raises KeyError where a value is missing that the line needs."""
    words = _written(pattern, values)
    if words is None:
        raise KeyError(f"values {sorted(values)} do not fill the pattern")
    return " ".join(words)


def _written(pattern: Pattern, values: Values) -> list[str] | None:
    line: list[str] = []
    for element in pattern:
        words = _element_written(element, values)
        if words is None:
            return None
        line += words
    return line


def _element_written(element: Element, values: Values) -> list[str] | None:
    match element:
        case Optional():
            return [] if _all_default(element.elements, values) else _written(element.elements, values) or []
        case Tail():
            return _written(element.elements, values)
        case Either():
            branches = (_written(branch, values) for branch in element.branches)
            return next((words for words in branches if words is not None), None)
        case Options():
            options = (_element_written(Optional(*pattern), values) for pattern in element.patterns)
            return [word for words in options for word in words or []]
    if isinstance(element, Unsupported):
        return None
    if isinstance(element, Keyword) and not element.key:
        return [element.write(True)]
    value = values.get(element.key)
    if value is None or (value is False and isinstance(element, Keyword)):
        return None
    return [element.write(value)]


def _all_default(pattern: Pattern, values: Values) -> bool:
    keyed = [token for token in tokens(pattern) if token.key]
    return all(token.default is not None and values.get(token.key) == token.default for token in keyed)


class Fault(StrEnum):
    """What can be wrong with a line."""

    INVALID = "invalid"
    INCOMPLETE = "incomplete"
    AMBIGUOUS = "ambiguous"
    UNSUPPORTED = "unsupported"
    """A word of IOS that this router does not have; the reason is the word."""


class LineError(Exception):
    """A line that does not match: what is wrong, at which column of the line, and why."""

    def __init__(self, fault: Fault, column: int, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault
        self.column = column
        self.reason = reason


C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Generic[C]):
    """One way to have read the line so far."""

    command: C
    rest: Pattern
    values: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)

    def after(self, token: Token, rest: Pattern, word: str, column: int) -> "State[C]":
        """The state after a word that fits the token."""
        values, columns = self.values, self.columns
        if token.key:
            values = values | {token.key: token.read(word)}
            columns = columns | {token.key: column}
        return State(command=self.command, rest=rest, values=values, columns=columns)


def split(line: str) -> list[tuple[int, str]]:
    """The words of a line with their columns."""
    return [(found.start(), found.group()) for found in re.finditer(r"[^ \t\r\n]+", line)]


def walk(states: Sequence[State[C]], line: str, words: Sequence[tuple[int, str]]) -> list[State[C]]:
    """Every way to read the words. Raises :class:`LineError` at the first that fits nothing."""
    current = list(states)
    for column, word in words:
        steps = [(state, token, rest) for state in current for token, rest in first(state.rest)]
        fitting = _most_specific(steps, word, column)
        if all(isinstance(token, Unsupported) for _, token, _ in fitting):
            assert isinstance(fitting[0][1], Unsupported)
            raise LineError(Fault.UNSUPPORTED, column, fitting[0][1].text)
        if isinstance(fitting[0][1], Line):
            return [
                state.after(token, rest, line[column:].rstrip(), column) for state, token, rest in fitting
            ]
        current = [state.after(token, rest, word, column) for state, token, rest in fitting]
    return current


Step = tuple[State[C], Token, Pattern]


def _most_specific(steps: Sequence[Step[C]], word: str, column: int) -> list[Step[C]]:
    fitting = [(step[1].specificity(word), step) for step in steps if _fits(step[1], word)]
    if not fitting:
        raise LineError(Fault.INVALID, column, _why_not([token for _, token, _ in steps], word))
    best = max(specificity for specificity, _ in fitting)
    steps = [step for specificity, step in fitting if specificity == best]
    names = sorted({token.name for _, token, _ in steps})
    if best is Specificity.PREFIX and len(names) > 1:
        raise LineError(Fault.AMBIGUOUS, column, f"'{word}' may be {' or '.join(names)}")
    return list(steps)


def _fits(token: Token, word: str) -> bool:
    try:
        token.read(word)
    except ValueError:
        return False
    return True


def _why_not(expected: Sequence[Token], word: str) -> str:
    names = _names(expected)
    if not names:
        return f"'{word}' is too much: the command ends before it"
    if len(names) > 1 or isinstance(expected[0], Keyword):
        return f"'{word}' is not expected here; possible: {', '.join(names)}"
    try:
        expected[0].read(word)
    except ValueError as reason:
        return str(reason)
    raise AssertionError("a word that fits was refused")


def _names(expected: Sequence[Token]) -> list[str]:
    """What may stand in a place, each once; what is not supported is not offered."""
    return list(dict.fromkeys(token.name for token in expected if not isinstance(token, Unsupported)))


def match(states: Sequence[State[C]], line: str) -> State[C]:
    """The one way to read a whole line. Raises :class:`LineError`."""
    reached = walk(states, line, split(line))
    ended = [state for state in reached if may_end(state.rest)]
    if not ended:
        missing = _names([token for state in reached for token, _ in first(state.rest)])
        raise LineError(Fault.INCOMPLETE, len(line.rstrip()), f"missing: {' or '.join(missing)}")
    return ended[0]


def following(reached: Sequence[State[C]]) -> tuple[list[Token], bool]:
    """The tokens that may come next, in the order of ``?``, and whether the line may end here."""
    expected = {
        token.name: token
        for state in reached
        for token, _ in first(state.rest)
        if not isinstance(token, Unsupported)
    }
    return sorted(expected.values(), key=_help_order), any(may_end(state.rest) for state in reached)


def _help_order(token: Token) -> tuple[bool, str]:
    return not isinstance(token, Keyword), token.name.lower()
