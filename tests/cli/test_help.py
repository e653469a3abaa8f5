"""`?` and completion."""

import pytest

from cli.commands import TREE
from cli.modes import PRIVILEGED
from cli.session import Place
from cli.shell import Shell
from tests.cli.fake_router import FakeRouter, configuration
from tests.cli.test_commands import PATHS


def test_help_at_the_start_of_a_line_has_the_heading_and_every_command(router: FakeRouter) -> None:
    text = Shell(router, privileged=True).help("")
    assert text.splitlines()[0] == "Exec commands:"
    assert "  configure  Enter configuration mode" in text.splitlines()


def test_help_after_a_word_lists_tokens_with_their_help(router: FakeRouter) -> None:
    assert Shell(router).help("show ip snat distributed ").splitlines() == [
        "  verbose  Every link with its counters",
        "  |        Output modifiers",
        "  <cr>",
    ]


def test_help_within_a_word_lists_words_on_one_line(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    assert shell.help("en") == "enable\n"
    assert shell.help("di") == "disable\n"
    assert shell.help("show running-config") == "running-config\n"


def test_help_on_nonsense(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    assert shell.help("xyz") == "% Unrecognized command\n"
    assert shell.help("xyz ") == "% Unrecognized command\n"
    assert shell.help("e x") == '% Ambiguous command:  "e x"\n'


@pytest.mark.parametrize(
    ("mode", "line", "names"),
    [
        ("config", "access-list 1 permit ", ["any", "host", "A.B.C.D"]),
        ("config", "access-list ", ["<1-99>", "<1300-1999>"]),
        ("config", "ip nat pool P 1.2.3.4 1.2.3.5 ", ["netmask", "prefix-length"]),
        ("config", "no ip nat pool P ", ["netmask", "prefix-length", "A.B.C.D", "<cr>"]),
        ("primary", "timers ", ["msec", "<1-254>"]),
        ("primary", "maximum ", ["bytes", "entries"]),
        ("primary", "maximum bytes ", ["<1024-32768>"]),
        ("primary", "update-interval ", ["msec", "triggered"]),
        ("backup", "pull interval ", ["<1-3600>"]),
        ("backup", "no pull interval ", ["<1-3600>", "<cr>"]),
        ("primary", "peer 1.2.3.4 nat-id 2 name x ", ["port", "<cr>"]),
        ("interface", "ip nat ", ["inside", "outside"]),
        ("trustpoint", "certificate ", ["WORD"]),
        ("config", "do show ip nat ", ["pool", "redundancy", "statistics", "translations"]),
        ("exec", "show run | include ", ["LINE"]),
        ("exec", "clear ip ", ["nat", "snat"]),
        ("exec", "clear ip nat ", ["statistics", "translation"]),
        (
            "exec",
            "clear ip nat translation ",
            ["*", "esp", "forced", "gre", "icmp", "inside", "outside", "tcp", "udp"],
        ),
        (
            "user",
            "show ip nat translations ",
            [
                *("esp", "filter", "gre", "icmp", "inside", "outside", "tcp", "total", "udp", "verbose"),
                *("|", "<cr>"),
            ],
        ),
        ("user", "show ip snat peer ", ["A.B.C.D"]),
        ("exec", "clear ip snat ", ["sessions", "translation"]),
        ("exec", "clear ip snat sessions ", ["*", "A.B.C.D"]),
        ("exec", "clear ip snat translation ", ["distributed", "peer"]),
        ("exec", "clear ip snat translation peer 1.2.3.4 ", ["refresh", "<cr>"]),
    ],
)
def test_the_tokens_that_may_follow(mode: str, line: str, names: list[str]) -> None:
    assert [name for name, _ in TREE.help(PATHS[mode], line).entries] == names


@pytest.mark.parametrize(
    ("mode", "line", "words"),
    [
        ("exec", "sh", ("show",)),
        ("exec", "con", ("configure",)),
        ("exec", "clear ip snat sessions ", ("*", "192.168.77.2")),
        ("exec", "clear ip snat translation peer 1", ("192.168.77.2",)),
        ("exec", "clear ip snat translation peer 192.168.77.2 ", ("refresh",)),
        ("exec", "show ip n", ("nat",)),
        ("exec", "nonsense ", ()),
        (
            "exec",
            "show run | ",
            (*("append", "begin", "count", "exclude", "include", "json", "redirect", "section", "tee"),),
        ),
        ("config", "interface ", ("in0", "out0")),
        ("config", "interface o", ("out0",)),
        ("config", "ip nat inside source list ", ("1",)),
        ("config", "ip nat inside source list 1 pool P", ("POOL1",)),
        ("config", "no ip nat st", ("Stateful",)),
        ("config", "do sh", ("show",)),
        ("primary", "virtual-address 10.0.0.1 interface i", ("in0",)),
        ("interface", "host", ("hostname",)),
        ("interface", "ip nat po", ("pool",)),
    ],
)
def test_completion(mode: str, line: str, words: tuple[str, ...]) -> None:
    assert TREE.complete(PATHS[mode], line, configuration()) == words


def test_every_token_has_a_help_text() -> None:
    for mode, commands in TREE.modes.items():
        for command in commands:
            for name, text in TREE.help((Place(PRIVILEGED), Place(mode)), "").entries:
                assert text or name == "<cr>", command
