"""The page of requirements is not stale, and nothing on it is open."""

from pathlib import Path

import pytest

from tests.requirements import __main__ as program
from tests.requirements.page import (
    PAGE,
    Shown,
    current,
    render,
    shown_by,
    sources,
    status,
    unknown_numbers,
    with_seen,
)
from tests.requirements.rows import SECTIONS, Row, Section

ROWS = [row for section in SECTIONS for row in section.rows]


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text() == current()[0], "run: python -m tests.requirements"


def test_every_requirement_has_a_test_or_a_reason() -> None:
    assert current()[1] == []


def test_numbers_are_unique_and_what_rows_refer_to_exists() -> None:
    numbers = [row.number for row in ROWS]
    assert len(set(numbers)) == len(numbers)
    assert {number for row in ROWS for number in row.see} <= set(numbers)


def test_no_test_carries_a_number_that_no_row_has() -> None:
    assert unknown_numbers(sources(), [row.number for row in ROWS]) == []


# How it is made

SOURCES = [
    (
        "tests/a/test_a.py",
        "def test_u1_u3a_first(): pass\nclass TestIt:\n    def test_m71_second(self): pass\n",
    ),
    ("tests/b/test_b.py", "async def test_u1_third(): pass\ndef test_udp_u3a(): pass\ndef u3a_no(): pass\n"),
]


def test_tests_are_found_by_the_numbers_their_names_begin_with() -> None:
    found = shown_by(SOURCES, ["U1", "U3a", "M7.1", "U9"])
    first, third = (
        Shown("tests/a/test_a.py", "test_u1_u3a_first"),
        Shown("tests/b/test_b.py", "test_u1_third"),
    )
    assert found == {
        "U1": [first, third],
        "U3a": [first],
        "M7.1": [Shown("tests/a/test_a.py", "test_m71_second")],
        "U9": [],
    }


def test_a_number_that_no_row_has_is_found() -> None:
    assert unknown_numbers(SOURCES, ["U1", "M1"]) == [
        Shown("tests/a/test_a.py", "test_m71_second"),
        Shown("tests/a/test_a.py", "test_u1_u3a_first"),
    ]


@pytest.mark.parametrize(
    ("unmet", "tests", "told"),
    [("", 1, "met"), ("why", 1, "in part"), ("why", 0, "not met"), ("", 0, "open")],
)
def test_what_is_said_of_a_row(unmet: str, tests: int, told: str) -> None:
    row = Row("U1", "MUST", "REQ-1", "text", unmet)
    shown = [Shown("tests/test_a.py", "test_u1_it")] * tests
    assert status(row, shown) == told
    page = render((Section("UDP", (row,)),), {"U1": shown})
    assert f"1 requirements: 1 {told}." in page
    why = [unmet] if unmet else []
    cell = "<br>".join(why + ["[test_u1_it](../tests/test_a.py)"] * tests)
    assert f"| U1 | MUST | REQ-1 | text | {told} | {cell} |\n" in page


def test_a_row_may_be_shown_by_the_shown_by_another() -> None:
    section = Section("x", (Row("U1", "", "", ""), Row("C1", "", "", "", see=("U1",))))
    seen = with_seen([section], {"U1": [Shown("p", "n")], "C1": []})
    assert seen == {"U1": [Shown("p", "n")], "C1": [Shown("p", "n")]}


def test_the_program_writes_the_page_and_says_what_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(program, "PAGE", page)
    for open_rows, exit_status in ((["U9"], 1), ([], 0)):
        monkeypatch.setattr(program, "current", lambda told=open_rows: ("text", told))
        assert program.main() == exit_status
        assert page.read_text() == "text"
        assert ("U9" in capsys.readouterr().err) == bool(exit_status)
