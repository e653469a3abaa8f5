"""Reading the text of a configuration, from a file or from anywhere else, and telling what is wrong in it.

A file has the lines of the running configuration, abbreviated or not, with any indentation. Reading goes on
after a bad line, so that all problems are told at once. The two heading lines of ``show running-config`` are
skipped, so that its saved output is a configuration file.

A router that starts with a file that has problems drops the lines that they concern, each with the lines that
are indented deeper below it, and goes on with the rest (:func:`usable`).
"""

import re
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath

from cli.commands import TREE
from cli.grammar import Fault, LineError
from cli.modes import CONFIG, PRIVILEGED
from cli.session import Path, Place
from cli.tokens import unfinished
from cli.tree import Configures, Moves, Rejected, canonical, destination
from snat.config.model import Configuration
from snat.config.verify import verify

MAX_LINE = 1024
"""Characters of a line of a configuration."""
MAX_TEXT = 8192
"""Characters of a line of several, such as a banner."""
MAX_FILE = 16 << 20
"""Bytes of a configuration file."""
MAX_DROPPINGS = 16
"""Times that a file is read again without the lines that are wrong; each time can uncover more of them."""
LINES_AT_ONCE = 16
"""Lines that are read in a few milliseconds."""

_HEADING = re.compile(
    r"Building configuration\.\.\.|Using [0-9]+ out of [0-9]+ bytes|"
    r"Current configuration( with default configurations exposed)? : [0-9]+ bytes"
)

Problems = tuple["FileProblem", ...]


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


def read_bounded(path: FilePath) -> bytes:
    """What is in a configuration file. Raises OSError, and ValueError if it is longer than one is."""
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"longer than {MAX_FILE} bytes")
    return data


def decoded(data: bytes) -> str:
    """The text of a configuration file. Raises ValueError, with the place, for what is no text."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8 text") from None


def read_configuration(text: str, name: str) -> tuple[Configuration, Problems]:
    """The configuration that a text says, and its problems, in the order of its lines.

    Without problems the configuration is verified and can be applied.
    """
    reader = _Reader(name)
    for _ in reader.read_all(text):
        pass
    return reader.configuration, _in_order(reader.problems)


def usable(
    text: str, name: str, base: Configuration | None = None
) -> Generator[None, None, tuple[Configuration, Problems]]:
    """The configuration that a text says, added to another one, and the problems of what was left out.

    The result is verified, whatever the text is. Stops now and then, so that others get their turns.
    """
    base = base or Configuration()
    dropped: frozenset[int] = frozenset()
    problems: dict[FileProblem, None] = {}
    for _ in range(MAX_DROPPINGS):
        reader = _Reader(name, base, dropped)
        yield from reader.read_all(text)
        problems |= dict.fromkeys(reader.problems)
        if not reader.unverified:
            return reader.configuration, _in_order(problems)
        wrong = frozenset(problem.line for problem in reader.unverified if problem.line)
        if not wrong:
            break
        dropped |= wrong
    whole = FileProblem(name=name, line=0, column=1, text="", reason="nothing of it can be used")
    return base, _in_order([*problems, whole])


def what_is_usable(text: str, name: str) -> tuple[Configuration, Problems]:
    """As :func:`usable`, in one go: for who has nothing else to do."""
    reading = usable(text, name)
    while True:
        try:
            next(reading)
        except StopIteration as done:
            configuration, problems = done.value
            return configuration, problems


def _in_order(problems: Iterable[FileProblem]) -> Problems:
    return tuple(sorted(problems, key=lambda problem: problem.line))


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

    def __init__(
        self, name: str, base: Configuration | None = None, dropped: Collection[int] = frozenset()
    ) -> None:
        self.configuration = base or Configuration()
        self.problems: list[FileProblem] = []
        self.unverified: list[FileProblem] = []
        """Those of the whole."""
        self._name = name
        self._dropped = dropped
        self._path: Path = (Place(PRIVILEGED), Place(CONFIG))
        self._lines: dict[str, tuple[int, str]] = {}
        self._open: tuple[int, str, str] | None = None
        """Where a text over several lines began, what there is of it, and what it ends with."""
        self._below: int | None = None
        """The indentation of a line that was dropped: what is deeper below it would mean something else."""

    def read_all(self, text: str) -> Generator[None, None, None]:
        """Every line, then the whole; stops now and then."""
        for number, line in enumerate(text.split("\n"), start=1):
            self.read(number, line.rstrip("\r"))
            if number % LINES_AT_ONCE == 0:
                yield
        self.verify()

    def read(self, number: int, line: str) -> None:
        """One line, without its end."""
        if self._open:
            self._go_on(self._open, line)
            return
        stripped = line.strip()
        if not stripped or stripped.startswith("!") or (not self._lines and _HEADING.fullmatch(stripped)):
            return
        if self._below is not None and _indent(line) > self._below:
            return
        self._below = None
        if number in self._dropped:
            self._below = _indent(line)
        elif len(line) > MAX_LINE:
            self._problem(number, MAX_LINE, line[:80], f"the line is longer than {MAX_LINE} characters")
        elif len(self._path) < 2:
            self._problem(number, _indent(line), line, "this line stands after the end of the configuration")
        else:
            self._understand(number, line)

    def _go_on(self, begun: tuple[int, str, str], line: str) -> None:
        """One more line of a text over several."""
        number, text, delimiter = begun
        text = f"{text}\n{line}"
        self._open = None
        if len(text) > MAX_TEXT:
            self._problem(number, 0, text.split("\n")[0], f"the text has more than {MAX_TEXT} characters")
        elif delimiter in line:
            self._understand(number, text)
        else:
            self._open = number, text, delimiter

    def _understand(self, number: int, line: str) -> None:
        try:
            found = TREE.match(self._path, line)
            if delimiter := unfinished(found.values.values()):
                self._open = number, line, delimiter
            elif isinstance(found.command, Configures):
                self.configuration = TREE.edit(found, self.configuration)
                self._path = destination(found)
                self._lines[canonical(found)] = number, line
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
        if self._open:
            number, text, delimiter = self._open
            self._problem(
                number, 0, text.split("\n")[0], f"the text does not end: there is no second {delimiter}"
            )
        before = len(self.problems)
        for problem in verify(self.configuration):
            number, line = self._lines.get(problem.where, (0, ""))
            reason = f"{problem.what}; {problem.remedy}" if number else str(problem)
            self._problem(number, _indent(line), line, reason)
        self.unverified = self.problems[before:]

    def _problem(self, number: int, column: int, text: str, reason: str) -> None:
        self._below = _indent(text)
        self.problems.append(
            FileProblem(name=self._name, line=number, column=column + 1, text=text, reason=reason)
        )


def reason_of(fault: LineError) -> str:
    """Why a line does not match, for a reader of a file."""
    return f"not supported by snat: {fault.reason}" if fault.fault is Fault.UNSUPPORTED else fault.reason


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
