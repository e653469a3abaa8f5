"""Pages of output: how much of it a terminal shows before it asks."""

import re
from itertools import count

import pytest

from cli.terminal.pager import Page, Pager


def fed(page: Page, *lines: str) -> Pager:
    pager = Pager(page)
    pager.feed("".join(f"{line}\n" for line in lines))
    return pager


def test_without_length_everything_passes() -> None:
    pager = fed(Page(0, 80), *map(str, range(500)))
    assert len(pager.take().splitlines()) == 500
    assert not pager.waits


@pytest.mark.parametrize("length", [1, 2])
def test_the_smallest_page_has_a_line(length: int) -> None:
    pager = fed(Page(length), "a", "b")
    assert pager.take() == "a\n"
    assert pager.waits


def test_output_that_fills_a_page_asks_nothing() -> None:
    pager = fed(Page(3), "a", "b")
    assert pager.take() == "a\nb\n"
    assert not pager.waits


def test_pages_and_lines() -> None:
    pager = fed(Page(4), *"abcdefghi")
    assert pager.take() == "a\nb\nc\n"
    pager.one_more(Page(4))
    assert pager.take() == "d\n"
    pager.go_on(Page(3))  # the window is smaller now
    assert pager.take() == "e\nf\n"
    pager.go_on(Page(4))
    assert pager.take() == "g\nh\ni\n"
    assert not pager.waits


def test_a_page_goes_on_with_the_next_text() -> None:
    pager = fed(Page(4), "a", "b")
    assert pager.take() == "a\nb\n"
    pager.feed("c\nd\n")
    assert pager.take() == "c\n"
    assert pager.waits


@pytest.mark.parametrize(("line", "lines"), [("", 1), ("x" * 10, 1), ("x" * 11, 2), ("x" * 31, 4)])
def test_a_long_line_takes_several_of_the_terminal(line: str, lines: int) -> None:
    assert Page(24, 10).taken(f"{line}\n") == lines


def test_long_lines_fill_a_page_sooner() -> None:
    pager = fed(Page(5, 10), "x" * 25, "y" * 15, "z")
    assert pager.take() == "x" * 25 + "\n"
    pager.one_more(Page(5, 10))
    assert pager.take() == "y" * 15 + "\n"
    pager.go_on(Page(5, 10))
    assert pager.take() == "z\n"


def test_a_line_longer_than_the_page_is_shown_all_the_same() -> None:
    pager = fed(Page(2, 10), "x" * 50, "y")
    assert pager.take() == "x" * 50 + "\n"
    assert pager.waits


def test_a_search_skips_until_a_line_matches_and_shows_a_page_from_there() -> None:
    pager = fed(Page(3), *"abc")
    assert pager.take() == "a\nb\n"
    pager.search("[xy]", Page(3))
    assert pager.take() == ""
    assert not pager.waits  # the search goes on in what comes
    pager.feed("w\nx\ny\nz\n")
    assert pager.take() == "x\ny\n"
    assert pager.waits


def test_what_is_skipped_is_not_kept() -> None:
    pager = Pager(Page(3))
    pager.search("never", Page(3))
    for number in range(1000):
        pager.feed(f"{number}\n")
        assert pager.take() == ""
        assert not pager.waits


def test_a_wrong_expression_changes_nothing() -> None:
    pager = fed(Page(3), *map(str, range(5)))
    assert pager.take() == "0\n1\n"
    with pytest.raises(re.error):
        pager.search("(", Page(3))
    assert pager.take() == ""
    assert pager.waits


def test_every_line_is_shown_once_and_in_order_however_the_user_goes_on() -> None:
    lines = [f"{number}{'x' * (number * 7 % 40)}\n" for number in range(200)]
    pager = Pager(Page(6, 10))
    shown = []
    steps = count()
    for first in range(0, 200, 13):
        pager.feed("".join(lines[first : first + 13]))
        shown.append(pager.take())
        while pager.waits:
            (pager.one_more if next(steps) % 3 else pager.go_on)(Page(6, 10))
            shown.append(pager.take())
    assert "".join(shown) == "".join(lines)
