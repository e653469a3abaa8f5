"""The page doc/pitfalls.md: what went wrong elsewhere, what keeps it from happening here, and the tests."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.pitfalls.rows import PITFALLS, Pitfall

ROOT: Final = Path(__file__).parent.parent.parent
PAGE: Final = ROOT / "doc" / "pitfalls.md"
HEAD: Final = """\
# What went wrong elsewhere

Made by `python -m tests.pitfalls` from `tests/pitfalls/rows.py`; not to be edited. Other systems that
replicate the state of flows, or move roles, have had each of these faults. Here each has tests by name, and
another test fails if one of those is not there any more.

| | pitfall | where | here | tests |
|---|---|---|---|---|
"""


def path_of(test: str) -> str:
    """Of a test as the table has it: its file, from the root."""
    folder, name = test.partition("::")[0].split("/")
    return f"tests/{folder}/test_{name}.py"


def name_of(test: str) -> str:
    """The function."""
    return f"test_{test.partition('::')[2]}"


def missing(pitfalls: Iterable[Pitfall], root: Path = ROOT) -> list[str]:
    """Tests of the table that do not exist."""
    named = {test for pitfall in pitfalls for test in pitfall.tests}
    there = {path: _functions(root / path) for path in map(path_of, named)}
    return sorted(test for test in named if name_of(test) not in there[path_of(test)])


def _functions(path: Path) -> set[str]:
    if not path.exists():
        return set()
    found = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def render(pitfalls: Iterable[Pitfall]) -> str:
    """The whole page."""
    lines = [HEAD]
    for one in pitfalls:
        tests = "<br>".join(f"[{name_of(test)}](../{path_of(test)})" for test in one.tests)
        lines.append(f"| {one.number} | {one.what} | {one.elsewhere} | {one.here} | {tests} |\n")
    return "".join(lines)


def current() -> str:
    """The page as it must be now."""
    return render(PITFALLS)
