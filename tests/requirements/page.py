"""The page doc/nat-behaviour.md: every requirement, met or not and why, and the tests that show it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.requirements.rows import SECTIONS, Row, Section

ROOT: Final = Path(__file__).parent.parent.parent
PAGE: Final = ROOT / "doc" / "nat-behaviour.md"
_NUMBER: Final = re.compile(r"[a-z]+\d+[a-z]?")
HEAD: Final = """\
# What the RFCs ask of a NAT, and what of it is met

Made by `python -m tests.requirements` from `tests/requirements/rows.py` and the names of the tests; not to be
edited. A requirement is *met* if tests carry its number, *in part* if they do and something of it is missing,
*not met* if there is only a reason why not. *open*: there is neither, and a test fails for it.
"""


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """A test that carries the number of a requirement."""

    path: str
    """From the root of the repository."""
    name: str


def token(number: str) -> str:
    """How a row's number stands in the name of a test: ``M7.1`` is ``m71``."""
    return number.lower().replace(".", "")


def shown_by(sources: Iterable[tuple[str, str]], numbers: Iterable[str]) -> dict[str, list[Shown]]:
    """The tests of each row, by its number; ``sources`` are paths and texts of Python files."""
    by_token = {token(number): number for number in numbers}
    found: dict[str, list[Shown]] = {number: [] for number in by_token.values()}
    for path, text in sources:
        for name in _test_names(ast.parse(text)):
            for one in _tokens(name):
                if one in by_token:
                    found[by_token[one]].append(Shown(path, name))
    return {number: sorted(set(tests)) for number, tests in found.items()}


def unknown_numbers(sources: Iterable[tuple[str, str]], numbers: Iterable[str]) -> list[Shown]:
    """Tests whose name begins with the letter of a row and a number that no row has."""
    known = {token(number) for number in numbers}
    letters = {one[0] for one in known}
    return sorted(
        Shown(path, name)
        for path, text in sources
        for name in _test_names(ast.parse(text))
        for one in _tokens(name)
        if one not in known and re.fullmatch(r"[a-z]\d+[a-z]?", one) and one[0] in letters
    )


def sources(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """All files of tests."""
    for path in sorted((root / "tests").rglob("test_*.py")):
        yield str(path.relative_to(root)), path.read_text()


def _test_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def _tokens(name: str) -> Iterator[str]:
    """The numbers that the name of a test begins with."""
    for word in name.removeprefix("test_").split("_"):
        if not _NUMBER.fullmatch(word):
            return
        yield word


def status(row: Row, tests: Sequence[Shown]) -> str:
    """Whether it is met."""
    if row.unmet:
        return "in part" if tests else "not met"
    return "met" if tests else "open"


def with_seen(sections: Iterable[Section], tests: Mapping[str, Sequence[Shown]]) -> dict[str, list[Shown]]:
    """The tests of each row, with those of the rows it refers to."""
    return {
        row.number: [test for number in (row.number, *row.see) for test in tests[number]]
        for section in sections
        for row in section.rows
    }


def render(sections: Sequence[Section], tests: Mapping[str, Sequence[Shown]]) -> str:
    """The whole page."""
    lines = [HEAD]
    count: dict[str, int] = {}
    for section in sections:
        lines += [f"\n## {section.title}\n\n", "| | | asked in | requirement | | why not; tests |\n"]
        lines.append("|---|---|---|---|---|---|\n")
        for row in section.rows:
            is_met = status(row, tests[row.number])
            count[is_met] = count.get(is_met, 0) + 1
            shown = [row.unmet] if row.unmet else []
            shown += [f"[{test.name}](../{test.path})" for test in tests[row.number]]
            cells = (row.number, row.level, row.source, row.text, is_met, "<br>".join(shown))
            lines.append(f"| {' | '.join(cells)} |\n")
    told = ", ".join(f"{count[one]} {one}" for one in ("met", "in part", "not met", "open") if one in count)
    lines.insert(1, f"\n{sum(count.values())} requirements: {told}.\n")
    return "".join(lines)


def current() -> tuple[str, list[str]]:
    """The page as it must be now, and the numbers of the rows that are open."""
    numbers = [row.number for section in SECTIONS for row in section.rows]
    tests = with_seen(SECTIONS, shown_by(sources(), numbers))
    rows = (row for section in SECTIONS for row in section.rows)
    return render(SECTIONS, tests), [r.number for r in rows if status(r, tests[r.number]) == "open"]
