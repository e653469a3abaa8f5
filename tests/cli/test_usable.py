"""What a router makes of a start-up file in which something is wrong: the rest of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.configuration_file import FileProblem, usable
from snat.config.model import Configuration
from snat.config.verify import verify
from tests.cli.fake_router import CONFIGURATION, configuration


def used(text: str, base: Configuration | None = None) -> tuple[Configuration, tuple[FileProblem, ...]]:
    reading = usable(text, "r1.conf", base)
    while True:
        try:
            next(reading)
        except StopIteration as done:
            result: tuple[Configuration, tuple[FileProblem, ...]] = done.value
            return result


def test_a_good_file_is_used_whole() -> None:
    assert used(CONFIGURATION) == (configuration(), ())


def test_it_stops_now_and_then() -> None:
    assert len(list(usable("hostname R1\n" * 1000, "r1.conf"))) >= 50


def test_a_bad_line_is_left_out() -> None:
    read, problems = used(CONFIGURATION.replace("hostname R1", "hostname R1\nnonsense"))
    assert read == configuration()
    assert [(problem.line, problem.column) for problem in problems] == [(2, 1)]


def test_what_is_below_a_bad_line_does_not_go_elsewhere() -> None:
    text = "interface in0\n ip nat inside\ninterface a/b\n ip nat outside\nhostname R2\n"
    read, problems = used(text)
    assert [(each.name, each.side) for each in read.interfaces] == [("in0", "inside")]
    assert read.hostname == "R2"
    assert [problem.line for problem in problems] == [3]


def test_a_line_that_lacks_others_is_left_out() -> None:
    text = "ip nat inside source list 9 pool P overload\nhostname R2\naccess-list 9 permit any\n"
    read, problems = used(text)
    assert (read.hostname, read.dynamic_rules, len(read.access_lists)) == ("R2", (), 1)
    assert [problem.line for problem in problems] == [1]


def test_what_hangs_on_a_line_that_is_left_out_goes_too() -> None:
    text = CONFIGURATION.replace("203.0.113.20 prefix-length 24", "203.0.113.2 prefix-length 24")
    read, problems = used(text)
    assert (read.pools, read.dynamic_rules) == ((), ())
    assert read.access_lists == configuration().access_lists
    assert [problem.line for problem in problems] == [27, 28]


def test_a_block_that_cannot_be_is_left_out_with_its_lines() -> None:
    text = CONFIGURATION.replace(" private-key /path/r1.key\n", "")
    read, problems = used(text)
    assert verify(read) == ()
    assert read.interfaces == configuration().interfaces
    assert problems[0].reason.startswith("it has no private-key")


def test_lines_are_added_to_another_configuration() -> None:
    read, problems = used("hostname R2\nip nat pool POOL1\n", configuration())
    assert read.hostname == "R2"
    assert read.pools == configuration().pools
    assert [problem.line for problem in problems] == [2]


LINES = CONFIGURATION.splitlines()


@given(
    st.lists(st.sampled_from([*LINES, "nonsense", "  x", "interface a/b", "no access-list 1"]), max_size=40)
)
def test_whatever_the_file_is_the_result_can_be_applied(lines: list[str]) -> None:
    read, _ = used("\n".join(lines))
    assert verify(read) == ()


@pytest.mark.parametrize("dropped", range(len(LINES)))
def test_a_file_with_a_line_missing_gives_what_can_be_applied(dropped: int) -> None:
    read, _ = used("\n".join(line for number, line in enumerate(LINES) if number != dropped))
    assert verify(read) == ()
