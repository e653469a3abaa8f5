"""A session: prompts, modes, errors, configuring, and streams."""

import json
from collections.abc import Iterator
from itertools import count, islice

import pytest

from cli.shell import LINES_PER_CHUNK, Shell
from snat.device.status import Translation
from tests.cli.fake_router import CONFIGURATION, FakeRouter, configuration, output, translation

EMPTY = "hostname R1\nend\n"


def privileged(router: FakeRouter) -> Shell:
    return Shell(router, privileged=True)


def run_all(shell: Shell, text: str) -> str:
    return "".join(output(shell, line) for line in text.splitlines())


def test_the_prompts_of_all_modes(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    prompts = [shell.prompt]
    for line in (
        *("disable", "enable", "configure terminal", "crypto pki trustpoint SNAT", "ip nat stateful id 1"),
        *("primary 192.168.77.1", "backup 192.168.77.1", "interface in0", "exit", "end", "disable", "exit"),
    ):
        output(shell, line)
        prompts.append(shell.prompt)
    assert prompts == [
        *("R1#", "R1>", "R1#", "R1(config)#", "R1(ca-trustpoint)#", "R1(config-ipnat-snat)#"),
        *("R1(config-ipnat-snat-pri)#", "R1(config-ipnat-snat-bkp)#", "R1(config-if)#"),
        *("R1(config)#", "R1#", "R1>", ""),
    ]
    assert shell.closed


def test_the_prompt_of_a_configuration_mode_has_twenty_characters_of_the_host_name(
    router: FakeRouter,
) -> None:
    shell = privileged(router)
    output(shell, "conf t", "hostname abcdefghijklmnopqrstuvwxyz")
    assert shell.prompt == "abcdefghijklmnopqrst(config)#"
    output(shell, "end")
    assert shell.prompt == "abcdefghijklmnopqrstuvwxyz#"


def test_configure_terminal_says_how_to_leave(router: FakeRouter) -> None:
    assert output(privileged(router), "conf t") == (
        "Enter configuration commands, one per line.  End with CNTL/Z.\n"
    )


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("show foo", "        ^\n% Invalid input detected at '^' marker.\n\n"),  # after "R1#"
        ("sh", "% Incomplete command.\n\n"),
        ("e now", '% Ambiguous command:  "e now"\n'),
        ("show\x07", "       ^\n% Invalid input detected at '^' marker.\n\n"),
    ],
)
def test_errors_are_those_of_ios(router: FakeRouter, line: str, answer: str) -> None:
    shell = privileged(router)
    assert output(shell, line) == answer
    assert not shell.ok


def test_an_endless_line_is_refused(router: FakeRouter) -> None:
    assert "% Invalid input" in output(privileged(router), "x" * 5000)


def test_the_caret_after_do_points_into_the_typed_line(router: FakeRouter) -> None:
    shell = privileged(router)
    answer = output(shell, "conf t", "do show foo")
    assert answer.splitlines()[0].index("^") == len("R1(config)#do show ")
    assert output(shell, "do e") == '% Ambiguous command:  "do e"\n'


def test_blank_lines_and_comments_are_nothing(router: FakeRouter) -> None:
    shell = privileged(router)
    assert output(shell, "show foo") != ""
    for line in ("", "   ", "! a comment", " !"):
        assert output(shell, line) == ""
        assert shell.ok


def test_nothing_happens_before_the_output_is_asked_for(router: FakeRouter) -> None:
    shell = privileged(router)
    shell.run("disable")
    assert shell.prompt == "R1#"


# --- configuring


def test_a_line_is_verified_and_applied(router: FakeRouter) -> None:
    shell = privileged(router)
    assert output(shell, "conf t", "ip nat translation udp-timeout 120") == ""
    assert router.running.nat.timeouts.udp == 120
    assert len(router.applied) == 1


def test_the_same_lines_again_change_nothing(router: FakeRouter) -> None:
    shell = privileged(router)
    output(shell, "conf t")
    assert run_all(shell, CONFIGURATION) == ""
    assert router.applied == []


def test_a_contradiction_is_rejected_and_changes_nothing(router: FakeRouter) -> None:
    shell = privileged(router)
    answer = output(shell, "conf t", "ip nat pool POOL2 203.0.113.15 203.0.113.30 prefix-length 24")
    assert answer == (
        "% ip nat pool POOL2 203.0.113.15 203.0.113.30 prefix-length 24: the pool overlaps with pool POOL1 "
        "(203.0.113.10 to 203.0.113.20); give every pool its own addresses\n"
    )
    assert not shell.ok
    assert router.running == configuration()
    assert output(shell, "hostname R2") == ""


def test_a_second_snat_id_has_the_error_of_ios(router: FakeRouter) -> None:
    shell = privileged(router)
    answer = output(shell, "conf t", "ip nat stateful id 10")
    assert answer == "% SNAT with id : 1 already running. Please remove and reconfigure%\n"
    assert shell.prompt == "R1(config)#"


def test_a_pool_in_use_cannot_be_destroyed(router: FakeRouter) -> None:
    shell = privileged(router)
    assert output(shell, "conf t", "no ip nat pool POOL1") == "%Pool POOL1 in use, cannot destroy\n"
    output(shell, "no ip nat inside source list 1", "no ip nat pool POOL1")
    assert router.running.pools == ()


def test_a_no_form_that_describes_another_line_is_rejected(router: FakeRouter) -> None:
    shell = privileged(router)
    answer = output(shell, "conf t", "no ip nat inside source list 1 pool OTHER overload")
    assert answer == (
        "% The configured line differs: ip nat inside source list 1 pool POOL1 mapping-id 10 overload\n"
    )
    assert router.running == configuration()


def test_what_the_router_refuses_is_told(router: FakeRouter) -> None:
    router.refusal = "in0: there is no such interface; correct the name"
    shell = privileged(router)
    assert output(shell, "conf t", "hostname R2") == f"% {router.refusal}\n"
    assert not shell.ok
    assert shell.prompt == "R1(config)#"


def test_the_running_configuration_can_be_typed_in_its_own_order() -> None:
    router = FakeRouter(running=configuration(EMPTY))
    shell = privileged(router)
    output(shell, "conf t")
    text = run_all(shell, CONFIGURATION.removesuffix("end\n"))
    assert "Not in force yet: ip nat inside source list 1" in text
    assert router.running == configuration()
    assert output(shell, "end") == ""


def test_a_line_that_lacks_others_is_held_until_they_come(router: FakeRouter) -> None:
    shell = privileged(router)
    rule = "ip nat inside source list 7 pool POOL1 mapping-id 10 overload"
    answer = output(shell, "conf t", rule)
    assert answer == f"Not in force yet: {rule}: there is no access list 7; add access-list 7 permit\n"
    assert shell.ok
    assert output(shell, "hostname R2") == ""  # told once
    assert router.running == configuration()
    output(shell, "access-list 7 permit any")
    assert [r.access_list for r in router.running.dynamic_rules] == ["1", "7"]
    assert router.running.hostname == "R2"
    assert len(router.applied) == 1


def test_what_is_held_at_the_end_is_told_and_dropped(router: FakeRouter) -> None:
    shell = privileged(router)
    answer = output(shell, "conf t", "no access-list 1", "end")
    assert answer == ("% Not in force and dropped, because other lines were missing:\n%   no access-list 1\n")
    assert not shell.ok
    assert shell.prompt == "R1#"
    assert router.running == configuration()
    assert output(shell, "conf t", "hostname R2", "end") == ""


def test_two_users_do_not_undo_each_other(router: FakeRouter) -> None:
    one, two = privileged(router), privileged(router)
    output(one, "conf t", "ip nat inside source list 7 pool POOL1 mapping-id 10 overload")
    output(two, "conf t", "hostname R2")
    output(one, "access-list 7 permit any")
    assert router.running.hostname == "R2"
    assert len(router.running.dynamic_rules) == 2


def test_a_block_that_another_user_removed_is_told(router: FakeRouter) -> None:
    one, two = privileged(router), privileged(router)
    output(one, "conf t", "ip nat stateful id 1", "primary 192.168.77.1")
    output(two, "conf t", "no ip nat inside source list 1", "no ip nat stateful id 1")
    assert output(one, "mapping-id 11") == "% primary 192.168.77.1 has been removed. Enter it again\n"


# --- streams and pipes


def endless() -> Iterator[Translation]:
    return (translation(number) for number in count())


def test_output_is_lazy_and_in_small_chunks() -> None:
    router = FakeRouter(rows=endless())
    chunks = privileged(router).run("show ip nat translations")
    first, second = (said for said in islice(chunks, 2) if isinstance(said, str))
    assert first.startswith("Pro Inside global")
    assert len(first.splitlines()) == len(second.splitlines()) == LINES_PER_CHUNK


@pytest.mark.parametrize("pipe", ["include nothing", "begin nothing", "section nothing", "count .", "json"])
def test_a_filter_yields_even_when_nothing_passes(pipe: str) -> None:
    shell = privileged(FakeRouter(rows=endless()))
    chunks = shell.run(f"show ip nat translations | {pipe}")
    assert len(list(islice(chunks, 50))) == 50
    chunks.close()
    assert not shell.ok


def test_json_of_rows_is_one_document() -> None:
    router = FakeRouter(rows=iter([translation(0), translation(1, protocol=17)]))
    rows = json.loads(output(privileged(router), "show ip nat translations | json"))
    assert [row["protocol"] for row in rows] == [6, 17]
    assert rows[0]["inside_global"] == {"address": "203.0.113.10", "port": 1024}
    assert json.loads(output(privileged(router), "show ip nat translations | json")) == []


@pytest.mark.parametrize(
    "command", ["running-config", "ip nat statistics", "ip snat distributed", "ip snat distributed verbose"]
)
def test_every_show_has_json(router: FakeRouter, command: str) -> None:
    assert json.loads(output(privileged(router), f"show {command} | json"))


def test_json_of_the_configuration(router: FakeRouter) -> None:
    data = json.loads(output(privileged(router), "show running-config | json"))
    assert data["hostname"] == "R1"
    assert data["pools"][0]["ranges"][0]["start"] == "203.0.113.10"
    assert data["stateful"]["groups"][0]["role"] == "primary"


@pytest.mark.parametrize(
    ("pipe", "lines"),
    [
        ("include ^ip nat pool", ["ip nat pool POOL1 203.0.113.10 203.0.113.20 prefix-length 24"]),
        ("i ^hostname|^end", ["hostname R1", "end"]),
        ("section ^interface in", ["interface in0", " ip nat inside"]),
        ("section peer", ["    peer 192.168.77.2 nat-id 2 name r2.snat.example"]),
        ("section access", ["access-list 1 permit 10.0.0.0 0.0.0.255"]),
        ("count timeout", ["Number of lines which match regexp = 6"]),
        ("begin ^access", ["access-list 1 permit 10.0.0.0 0.0.0.255", "end"]),
        ("exclude [a-z.!]", [""]),
        ("include _id_", ["ip nat Stateful id 1"]),
        ("include nat-id 2 name (r1|r2)", ["    peer 192.168.77.2 nat-id 2 name r2.snat.example"]),
        ("include [)(]|nothing{2}", []),
        ("include [[&&||~~^x]ostname [^a-q]1", []),
        ("include ^[--h]ostname [^a-q]1", ["hostname R1"]),
        ("include private\\.key|r1\\.key", [" private-key /path/r1.key"]),
    ],
)
def test_pipes(router: FakeRouter, pipe: str, lines: list[str]) -> None:
    assert output(privileged(router), f"show running-config | {pipe}").splitlines() == lines


@pytest.mark.parametrize(
    "regex", ["(a+)+$", "(a|a)*b", ".*.*.*.*x", "(", "[", "a" * 257, "(?=x)", "(a*)+", "*"]
)
def test_a_regular_expression_that_cannot_be_used_is_refused(router: FakeRouter, regex: str) -> None:
    shell = privileged(router)
    answer = output(shell, f"show running-config | include {regex}")
    assert answer.startswith("% Failed to compile regular expression: ")
    assert not shell.ok


ORDERS = pytest.mark.parametrize(
    ("line", "call"),
    [
        ("clear ip nat translation *", "nat.clear()"),
        ("clear ip snat sessions *", "clear_sessions(None)"),
        ("clear ip snat sessions 192.168.77.2", "clear_sessions(192.168.77.2)"),
        ("clear ip snat translation distributed *", "refresh(None, forget=True)"),
        ("clear ip snat translation peer 192.168.77.2", "refresh(192.168.77.2, forget=True)"),
        ("clear ip snat translation peer 192.168.77.2 refresh", "refresh(192.168.77.2, forget=False)"),
    ],
)


@ORDERS
def test_an_order_is_obeyed_without_a_word(router: FakeRouter, line: str, call: str) -> None:
    shell = privileged(router)
    assert output(shell, line) == ""
    assert output(shell, "conf t", f"do {line}") == ""
    assert shell.ok
    assert router.ordered == [call, call]


@ORDERS
def test_an_order_is_refused_with_the_reason(router: FakeRouter, line: str, call: str) -> None:
    router.refusal = "R2 manages them: clear them there"
    shell = privileged(router)
    assert output(shell, line) == "% R2 manages them: clear them there\n"
    assert not shell.ok
    assert call not in router.ordered
