"""``| include|exclude|begin|section|count REGEX``, ``| json``, and ``| redirect|tee|append URL``.

A pipe takes lines in batches and gives lines back, so that output which nothing passes still yields.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cli.grammar import Either, Optional, Values
from cli.session import Redirect
from cli.tokens import Keyword, Line, Token

MAX_REGEX = 256
"""Characters of a regular expression."""
MAX_REPETITIONS = 3
"""Of ``*``, ``+`` and ``?`` in it. The daemon runs it: the time for a line must not explode."""

MAX_PATH = 4095
"""Bytes of a path (PATH_MAX of Linux, without its end)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPath(Token):
    """A path on the side of the terminal, which writes the file with the rights of its user."""

    @property
    def name(self) -> str:
        """``URL``, as IOS calls it."""
        return "URL"

    def read(self, word: str) -> str:
        """The path."""
        if not word.isprintable() or len(word.encode()) > MAX_PATH:
            raise ValueError(f"a path is at most {MAX_PATH} bytes, all printable")
        return word


_REGEX = Line(key="regex", help="Regular expression")
_PATH = UserPath(key="url", help="File, as your shell names it")
PIPE = Optional(
    Keyword(text="|", help="Output modifiers"),
    Either(
        (Keyword(text="append", key="append", help="Add the output to a file of yours"), _PATH),
        (Keyword(text="begin", key="begin", help="Begin with the line that matches"), _REGEX),
        (Keyword(text="count", key="count", help="Count the lines that match"), _REGEX),
        (Keyword(text="exclude", key="exclude", help="Lines that do not match"), _REGEX),
        (Keyword(text="include", key="include", help="Lines that match"), _REGEX),
        (Keyword(text="json", key="json", help="The data as JSON"),),
        (Keyword(text="redirect", key="redirect", help="Write the output into a file of yours"), _PATH),
        (Keyword(text="section", key="section", help="Lines that match, with the block below them"), _REGEX),
        (Keyword(text="tee", key="tee", help="Show the output, and write it into a file of yours"), _PATH),
    ),
)
"""At the end of every show command."""


class RegexError(ValueError):
    """A regular expression that cannot be used; its text says why."""


def compiled(text: str) -> re.Pattern[str]:
    """An IOS regular expression: ``^ $ . * + ? [] () |``, and ``_`` for a delimiter.

    Raises :class:`RegexError`. Repeated groups that themselves repeat or choose are refused, since matching
    them can take exponential time.
    """
    if len(text) > MAX_REGEX:
        raise RegexError(f"longer than {MAX_REGEX} characters")
    parts = re.findall(r"\\.|\[\^?\]?[^\]]*\]|.", text)
    if sum(part in ("*", "+", "?") for part in parts) > MAX_REPETITIONS:
        raise RegexError(f"more than {MAX_REPETITIONS} repetitions")
    _refuse_nested_repetition(parts)
    try:
        return re.compile("".join(_translated(part) for part in parts))
    except re.error as error:
        raise RegexError(str(error)) from None


def _translated(part: str) -> str:
    if part == "_":
        return r"(?:^|$|[ ,{}()])"
    if len(part) > 2 and part[0] == "[":
        return _class(part[1:-1])
    if part[0] == "\\":
        return re.escape(part[1:])
    return part if part in "^$.*+?()|[" else re.escape(part)


def _class(text: str) -> str:
    """The characters of ``[...]``; Python gives some of them, doubled, a meaning that IOS does not."""
    negation = "^" if text.startswith("^") else ""
    escaped = re.sub(r"[^\w-]", r"\\\g<0>", text.removeprefix("^")).replace("--", r"-\-")
    return f"[{negation}{escaped}]"


def _refuse_nested_repetition(parts: list[str]) -> None:
    starts: list[int] = []
    for index, part in enumerate(parts):
        if part == "(":
            if parts[index + 1 : index + 2] == ["?"]:
                raise RegexError("nothing to repeat after (")
            starts.append(index)
        elif part == ")" and starts:
            inside = parts[starts.pop() : index]
            if parts[index + 1 : index + 2] in (["*"], ["+"]) and {"*", "+", "?", "|"} & set(inside):
                raise RegexError("a repeated group may not repeat or choose inside")


class Pipe:
    """Passes lines through; the base of the others."""

    def feed(self, lines: Iterable[str]) -> Iterator[str]:
        """What goes on of some lines."""
        yield from lines

    def finish(self) -> Iterator[str]:
        """What follows the last line."""
        yield from ()


class Include(Pipe):
    """``include``, and with ``wanted`` False ``exclude``."""

    def __init__(self, regex: re.Pattern[str], wanted: bool = True) -> None:
        self._regex, self._wanted = regex, wanted

    def feed(self, lines: Iterable[str]) -> Iterator[str]:
        """The lines that match, or that do not."""
        return (line for line in lines if (self._regex.search(line) is not None) is self._wanted)


class Begin(Pipe):
    """``begin``: everything from the first line that matches."""

    def __init__(self, regex: re.Pattern[str]) -> None:
        self._regex, self._begun = regex, False

    def feed(self, lines: Iterable[str]) -> Iterator[str]:
        """The lines since then."""
        for line in lines:
            self._begun = self._begun or self._regex.search(line) is not None
            if self._begun:
                yield line


class Section(Pipe):
    """``section``: lines that match, each with the lines below that are indented deeper."""

    def __init__(self, regex: re.Pattern[str]) -> None:
        self._regex, self._indent = regex, -1

    def feed(self, lines: Iterable[str]) -> Iterator[str]:
        """The blocks. A line that matches within a block does not end it."""
        for line in lines:
            indent = len(line) - len(line.lstrip(" "))
            if 0 <= self._indent < indent:
                yield line
            elif self._regex.search(line):
                self._indent = indent
                yield line
            else:
                self._indent = -1


class Count(Pipe):
    """``count``: how many lines match."""

    def __init__(self, regex: re.Pattern[str]) -> None:
        self._regex, self._count = regex, 0

    def feed(self, lines: Iterable[str]) -> Iterator[str]:
        """Nothing yet."""
        self._count += sum(self._regex.search(line) is not None for line in lines)
        yield from ()

    def finish(self) -> Iterator[str]:
        """The number."""
        yield f"Number of lines which match regexp = {self._count}"


def redirect(values: Values) -> Redirect | None:
    """Where the output of a show command goes, if not to the terminal alone."""
    if "url" not in values:
        return None
    return Redirect(values["url"], append="append" in values, tee="tee" in values)


def pipe(values: Values) -> Pipe:
    """The pipe that a show command ends in. Raises :class:`RegexError`."""
    if "regex" not in values:
        return Pipe()
    regex = compiled(values["regex"])
    if "include" in values or "exclude" in values:
        return Include(regex, wanted="include" in values)
    if "begin" in values:
        return Begin(regex)
    return Section(regex) if "section" in values else Count(regex)
