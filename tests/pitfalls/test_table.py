"""The table of pitfalls is whole, its tests exist, and its page is not stale."""

import ast
from pathlib import Path

import pytest

from tests.pitfalls import __main__ as program
from tests.pitfalls.page import PAGE, ROOT, current, missing, render
from tests.pitfalls.rows import PITFALLS, Pitfall

PURE = ("counters", "device", "nat", "redundancy", "replication", "session", "translate", "wire")
"""What takes ``now`` as an argument."""
CLOCKS = {"time", "datetime", "sched", "threading", "asyncio"}


def test_there_are_all_35_each_with_a_test() -> None:
    assert [pitfall.number for pitfall in PITFALLS] == list(range(1, 36))
    assert all(pitfall.tests for pitfall in PITFALLS)


def test_every_test_that_is_named_exists() -> None:
    assert missing(PITFALLS) == []


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text() == current(), "run: python -m tests.pitfalls"


def test_pitfall_16_nothing_below_the_net_asks_the_time() -> None:
    files = [path for name in PURE for path in sorted((ROOT / "snat").glob(f"{name}/**/*.py"))]
    files.append(ROOT / "snat" / "counters.py")
    assert len(files) > 50
    imports = {
        (path.name, name.split(".")[0])
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
    }
    assert {found for found in imports if found[1] in CLOCKS} == set()


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


# How it is made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with one test."""
    (tmp_path / "tests" / "a").mkdir(parents=True)
    (tmp_path / "tests" / "a" / "test_b.py").write_text("def test_there(): pass\ndef there(): pass\n")
    return tmp_path


def test_a_test_that_is_gone_is_found(root: Path) -> None:
    row = Pitfall(1, "", "", "", ("a/b::there", "a/b::gone", "a/c::there"))
    assert missing([row], root) == ["a/b::gone", "a/c::there"]


def test_a_row_of_the_page() -> None:
    page = render([Pitfall(7, "what", "where", "here", ("a/b::c", "d/e::f"))])
    tests = "[test_c](../tests/a/test_b.py)<br>[test_f](../tests/d/test_e.py)"
    assert page.endswith(f"| 7 | what | where | here | {tests} |\n")


def test_the_program_writes_the_page_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "PAGE", tmp_path / "page.md")
    for gone, status in ((["a/b::c"], 1), ([], 0)):
        monkeypatch.setattr(program, "missing", lambda _, told=gone: told)
        assert program.main() == status
        assert (tmp_path / "page.md").read_text() == current()
        assert ("a/b::c" in capsys.readouterr().err) == bool(status)
