"""Reading a configuration file: what is accepted, and what is told of the rest."""

import time

import pytest

from cli.configuration_file import format_problems, read_configuration
from cli.shell import Shell
from tests.cli.fake_router import CONFIGURATION, FakeRouter, configuration, output


def problems_of(text: str) -> list[tuple[int, int, str]]:
    return [(p.line, p.column, p.reason) for p in read_configuration(text, "r1.conf")[1]]


def test_indentation_case_abbreviation_comments_and_line_ends_do_not_matter() -> None:
    flat = "\r\n".join(line.strip() for line in CONFIGURATION.splitlines())
    shouted = CONFIGURATION.replace("interface ", "\t  INT ").replace("hostname", "! x\n\nhost")
    assert configuration(flat) == configuration(shouted) == configuration()


def test_exit_goes_up_one_mode() -> None:
    text = "interface in0\n ip nat inside\n exit\ninterface out0\nexit\nhostname R1\nend\n"
    assert [i.name for i in configuration(text).interfaces] == ["in0", "out0"]


def test_the_output_of_show_running_config_is_a_configuration_file(router: FakeRouter) -> None:
    text = output(Shell(router, privileged=True), "show running-config")
    assert text.startswith("Building configuration...")
    assert configuration(text) == router.running


def test_a_missing_end_is_no_fault() -> None:
    assert configuration(CONFIGURATION.removesuffix("end\n")) == configuration()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hostname R1\nfoo bar\n", (2, 1, "'foo' is not expected here; possible: ")),
        ("interface in0\n  ip nat sideways\n", (2, 10, "'sideways' is not expected here; possible: ")),
        ("ip nat pool P 1.2.3.4\n", (1, 22, "missing: A.B.C.D")),
        ("ip nat stateful id 0\n", (1, 20, "0 is not in 1-2147483647")),
        ("crypto pki trustpoint T\n certificate r1.pem\n", (2, 14, "'r1.pem' is not an absolute path")),
        ("interface in0\n e\n", (2, 2, "'e' may be end or exit")),
        ("show version\n", (1, 1, "'show' is not expected here")),
        ("do show running-config\n", (1, 1, "a configuration file cannot run commands")),
        ("end\nhostname R2\n", (2, 1, "this line stands after the end of the configuration")),
        ("exit\nhostname R2\n", (2, 1, "this line stands after the end of the configuration")),
        ("ip nat stateful id 1\nip nat stateful id 2\n", (2, 1, "SNAT with id : 1 already running")),
        ("hostname " + "R" * 1100, (1, 1025, "the line is longer than 1024 characters")),
        ("hostname R1\x00\n", (1, 10, "'R1\x00' is not a host name")),
    ],
)
def test_a_bad_line_is_told_with_its_place_and_reason(text: str, problem: tuple[int, int, str]) -> None:
    (line, column, reason), *_ = problems_of(text)
    assert (line, column) == problem[:2]
    assert reason.startswith(problem[2])


def test_reading_goes_on_after_a_bad_line() -> None:
    read, problems = read_configuration("foo\nhostname R7\nbar\n", "r1.conf")
    assert read.hostname == "R7"
    assert [problem.line for problem in problems] == [1, 3]


def test_problems_of_the_whole_point_at_their_line() -> None:
    text = CONFIGURATION.replace("pool POOL1 mapping-id 10", "pool POOL2 mapping-id 10")
    assert problems_of(text) == [(28, 1, "there is no pool POOL2; add ip nat pool POOL2")]


def test_a_problem_points_at_a_line_that_was_abbreviated() -> None:
    text = CONFIGURATION.replace("timers msec 100 msec 350", "tim ms 3000 m 2000")
    assert problems_of(text) == [
        (13, 5, "hold time 2 s is not greater than keepalive 3 s; use a hold time of three keepalives")
    ]


def test_problems_are_formatted_for_a_person() -> None:
    _, problems = read_configuration("interface in0\n ip nat\tsideways\n", "r1.conf")
    assert format_problems(problems) == (
        "r1.conf:2:9: 'sideways' is not expected here; possible: inside, outside\n"
        "   ip nat sideways\n"
        "          ^\n"
    )


def test_a_thousand_lines_are_read_in_reasonable_time() -> None:
    text = "".join(f"access-list 1 permit 10.{n // 256}.{n % 256}.0 0.0.0.255\n" for n in range(1000))
    begin = time.perf_counter()
    read, _ = read_configuration(text, "r1.conf")
    assert len(read.access_lists[0].lines) == 1000
    assert time.perf_counter() - begin < 10
