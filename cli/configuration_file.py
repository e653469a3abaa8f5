"""Reading the text of a configuration, from a file or from anywhere else, and telling what is wrong in it.

A file has the lines of the running configuration, abbreviated or not, with any indentation. Reading goes on
after a bad line, so that all problems are told at once. The two heading lines of ``show running-config`` are
skipped, so that its saved output is a configuration file.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cli.commands import TREE
from cli.grammar import Fault, LineError
from cli.modes import CONFIG, PRIVILEGED
from cli.session import Path, Place
from cli.tree import Configures, Match, Moves, Rejected, canonical, destination
from snat.config.model import Configuration
from snat.config.verify import verify

MAX_LINE = 1024
"""Characters of a line of a configuration."""

_HEADING = re.compile(r"Building configuration\.\.\.|Current configuration : [0-9]+ bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """What is wrong in a file, and where."""

    name: str
    """Of the file."""
    line: int
    """From 1; 0: the file as a whole."""
    column: int
    """From 1."""
    text: str
    """The line."""
    reason: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}: {self.reason}"


def read_configuration(text: str, name: str) -> tuple[Configuration, tuple[FileProblem, ...]]:
    """The configuration that a text says, and its problems, in the order of its lines.

    Without problems the configuration is verified and can be applied.
    """
    reader = _Reader(name)
    for number, line in enumerate(text.split("\n"), start=1):
        reader.read(number, line.rstrip("\r"))
    reader.verify()
    return reader.configuration, tuple(sorted(reader.problems, key=lambda problem: problem.line))


def read_usable(text: str, name: str) -> tuple[Configuration, tuple[FileProblem, ...]]:
    """As :func:`read_configuration`, but the configuration is verified even if there are problems.

    Lines that are wrong are left out, and those that cannot be in force without them.
    """
    configuration, problems = read_configuration(text, name)
    if verify(configuration):
        reader = _Reader(name)
        for number, line in enumerate(text.split("\n"), start=1):
            reader.read(number, line.rstrip("\r"))
        configuration = _in_force(reader.found)
    return configuration, problems


def _in_force(lines: list[Match]) -> Configuration:
    """What is without problems of some lines: each is tried again as long as another one came into force."""
    configuration, progress = Configuration(), True
    while progress:
        progress = False
        waiting = []
        for found in lines:
            try:
                wanted = TREE.edit(found, configuration)
            except Rejected:  # what it stands in is not in force
                waiting.append(found)
                continue
            if verify(wanted):
                waiting.append(found)
            else:
                configuration, progress = wanted, True
        lines = waiting
    return configuration


def format_problems(problems: Iterable[FileProblem]) -> str:
    """Problems for a person: ``file:line:column``, the reason, the line and a caret under the place."""
    return "".join(_formatted(problem) for problem in problems)


def _formatted(problem: FileProblem) -> str:
    if not problem.line:
        return f"{problem.name}: {problem.reason}\n"
    text = "".join(character if character.isprintable() else " " for character in problem.text)
    return f"{problem}\n  {text}\n  {' ' * (problem.column - 1)}^\n"


class _Reader:
    """The state between two lines: where we are and what has been said."""

    def __init__(self, name: str) -> None:
        self.configuration = Configuration()
        self.problems: list[FileProblem] = []
        self._name = name
        self._path: Path = (Place(PRIVILEGED), Place(CONFIG))
        self._lines: dict[str, tuple[int, str]] = {}
        self.found: list[Match] = []
        """The lines that could be read."""

    def read(self, number: int, line: str) -> None:
        """One line, without its end."""
        stripped = line.strip()
        if not stripped or stripped.startswith("!") or (not self._lines and _HEADING.fullmatch(stripped)):
            return
        if len(line) > MAX_LINE:
            self._problem(number, MAX_LINE, line[:80], f"the line is longer than {MAX_LINE} characters")
        elif len(self._path) < 2:
            self._problem(number, _indent(line), line, "this line stands after the end of the configuration")
        else:
            self._understand(number, line)

    def _understand(self, number: int, line: str) -> None:
        try:
            found = TREE.match(self._path, line)
            if isinstance(found.command, Configures):
                self.configuration = TREE.edit(found, self.configuration)
                self._path = destination(found)
                self._lines[canonical(found)] = number, line
                self.found.append(found)
            elif isinstance(found.command, Moves):
                self._path = found.command.move(self._path)
            else:
                self._problem(number, _indent(line), line, "a configuration file cannot run commands")
        except LineError as fault:
            self._problem(number, fault.column, line, reason_of(fault))
        except Rejected as rejected:
            self._problem(number, _indent(line), line, str(rejected).strip("% "))

    def verify(self) -> None:
        """Add the problems of the whole."""
        for problem in verify(self.configuration):
            number, line = self._lines.get(problem.where, (0, ""))
            reason = f"{problem.what}; {problem.remedy}" if number else str(problem)
            self._problem(number, _indent(line), line, reason)

    def _problem(self, number: int, column: int, text: str, reason: str) -> None:
        self.problems.append(
            FileProblem(name=self._name, line=number, column=column + 1, text=text, reason=reason)
        )


def reason_of(fault: LineError) -> str:
    """Why a line does not match, for a reader of a file."""
    return f"not supported by snat: {fault.reason}" if fault.fault is Fault.UNSUPPORTED else fault.reason


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
