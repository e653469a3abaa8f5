"""Lines and commands of the system around the router: secrets, banners, lines, sessions, as tables."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.commands import TREE
from cli.commands.configuration import configuration_lines
from cli.commands.session import PENALTY
from cli.configuration_file import read_configuration
from cli.grammar import Fault, LineError
from cli.modes import CONFIG, LINE, PRIVILEGED, USER
from cli.secret import hashed, verifies, without_secrets
from cli.session import Path, Place
from cli.shell import Shell
from cli.tree import canonical
from snat.config.model import Banners, Configuration, Line, System
from snat.config.system import DEFAULT_EXEC_TIMEOUT
from tests.cli.fake_router import FakeRouter, converse, output

TYPE8 = "$8$TnGX/fE4KGHOVU$pEhnEvxrvaynpi8j4f.EMHr6M.FzU8xnZnBr/tJdFWk"
TYPE9 = "$9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6"
"""Both of ``hashcat``: the examples of that tool, modes 9200 and 9300."""

# mode, line as the running configuration prints it, an abbreviation of it
SYSTEM_LINES = [
    ("config", f"enable secret 8 {TYPE8}", f"ena s 8 {TYPE8}"),
    ("config", f"enable secret 9 {TYPE9}", f"ena sec 9 {TYPE9}"),
    ("config", "banner motd ^Chi there^C", "ba m @hi there@"),
    ("config", "banner login ^Chi^C", "ban lo xhix and more"),
    ("config", "banner exec ^C^C", "banner e ^C^C"),
    ("config", "line vty 0 4", "lin v 0 4"),
    ("config", "line vty 3", "line vty 3 3"),
    ("config", "line con 0", "line console 0"),
    ("line", "exec-timeout 5 30", "exec 5 30"),
    ("line", "exec-timeout 0 0", "exec-t 0"),
]
PATHS: dict[str, Path] = {
    "user": (Place(USER),),
    "exec": (Place(PRIVILEGED),),
    "config": (Place(PRIVILEGED), Place(CONFIG)),
    "line": (Place(PRIVILEGED), Place(CONFIG), Place(LINE, ("vty", 0, 4))),
}


def read(text: str) -> Configuration:
    configuration, problems = read_configuration(text, "test")
    assert problems == ()
    return configuration


def text_of(configuration: Configuration) -> str:
    return "".join(f"{line}\n" for line in configuration_lines(configuration))


def system_text(system: System) -> Iterator[str]:
    """The lines that an otherwise empty configuration does not have."""
    empty = set(configuration_lines(Configuration()))
    return (line for line in configuration_lines(Configuration(system=system)) if line not in empty)


# mode, line, abbreviation
OTHERS = [
    ("exec", "copy running-config startup-config", "copy run start"),
    ("exec", "copy running-config out.txt", "cop ru out.txt"),
    ("exec", "copy startup-config running-config", "copy st ru"),
    ("exec", "copy startup-config a.txt", "copy s a.txt"),
    ("exec", "configure", "conf"),
    ("exec", "configure memory", "conf mem"),
    ("exec", "write", "wr"),
    ("exec", "write memory", "wr mem"),
    ("exec", "write erase", "wr er"),
    ("exec", "write terminal", "wr t"),
    ("exec", "erase startup-config", "er st"),
    ("exec", "reload", "rel"),
    ("exec", "reload in 5", "reload i 5"),
    ("exec", "reload at 23:59", "reload a 23:59"),
    ("exec", "reload cancel", "rel c"),
    ("exec", "show startup-config", "sh start"),
    ("exec", "show running-config all", "sh run al"),
    ("exec", "show running-config interface in0", "sh run int in0"),
    ("exec", "show running-config brief", "sh run br"),
    ("exec", "show running-config linenum", "sh run li"),
    ("exec", "show processes", "sh proc"),
    ("exec", "show processes cpu", "sh proc c"),
    ("exec", "show processes memory", "sh proc m"),
    ("exec", "show version | redirect f", "sh ver | r f"),
    ("exec", "show version | tee f", "sh ver | t f"),
    ("exec", "show version | append f", "sh ver | a f"),
    ("exec", "show version | section x", "sh ver | s x"),
    ("user", "show version", "sh ver"),
    ("user", "show clock", "sh cl"),
    ("user", "show users", "sh us"),
    ("user", "show privilege", "sh priv"),
    ("user", "show history", "sh hi"),
    ("user", "show hosts", "sh hos"),
    ("user", "show reload", "sh rel"),
    ("user", "enable 15", "en 15"),
    ("user", "logout", "lo"),
    ("user", "quit", "q"),
    ("user", "terminal length 0", "term len 0"),
    ("user", "terminal width 511", "term width 511"),
    ("user", "terminal history size 20", "ter h s 20"),
    ("user", "terminal no length", "term no len"),
    ("user", "terminal no history size", "term no hist size"),
]


@pytest.mark.parametrize(("mode", "line", "abbreviated"), OTHERS)
def test_a_command_means_the_same_abbreviated(mode: str, line: str, abbreviated: str) -> None:
    full, short = TREE.match(PATHS[mode], line), TREE.match(PATHS[mode], abbreviated)
    assert (full.command, full.values) == (short.command, short.values)


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        *(("exec", line) for line in ("copy", "copy running-config", "copy startup-config", "erase")),
        *(("exec", line) for line in ("reload in", "reload at", "show running-config interface")),
        *(
            ("exec", line)
            for line in ("show version | redirect", "show version | tee", "show version | append")
        ),
        *(("user", line) for line in ("terminal", "terminal length", "terminal history", "terminal no")),
        *(("config", line) for line in ("enable", "enable secret", "enable secret 0", "enable secret 8")),
        *(("config", line) for line in ("enable algorithm-type", "enable algorithm-type scrypt secret")),
        *(("config", line) for line in ("banner", "banner motd", "line", "line vty", "line console")),
        ("line", "exec-timeout"),
    ],
)
def test_incomplete(mode: str, line: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PATHS[mode], line)
    assert caught.value.fault is Fault.INCOMPLETE


@pytest.mark.parametrize(
    ("mode", "line", "bad"),
    [
        ("user", "enable 7", "7"),
        ("user", "logout now", "now"),
        ("user", "terminal length 513", "513"),
        ("user", "terminal width -1", "-1"),
        ("user", "terminal history size 257", "257"),
        ("user", "terminal no length 5", "5"),
        ("user", "show clock detail", "detail"),
        ("user", "show version brief", "brief"),
        ("user", "show processes", "processes"),
        ("user", "show startup-config", "startup-config"),
        ("user", "reload", "reload"),
        ("exec", "copy tftp: running-config", "tftp:"),
        ("exec", "write somewhere", "somewhere"),
        ("exec", "erase running-config", "running-config"),
        ("exec", "reload in 0", "0"),
        ("exec", "reload in 100:00", "100:00"),
        ("exec", "reload in five", "five"),
        ("exec", "reload in :5x", ":5x"),
        ("exec", "reload at 24:00", "24:00"),
        ("exec", "reload at 5", "5"),
        ("exec", "show running-config all x", "x"),
        ("exec", "show running-config interface a/b", "a/b"),
        ("config", "enable secret 8 nonsense", "nonsense"),
        ("config", f"enable secret 9 {TYPE8}", TYPE8),
        ("config", "enable algorithm-type md4 secret x", "md4"),
        ("config", "banner noise @x@", "noise"),
        ("config", "line vty 64", "64"),
        ("config", "line vty 0 64", "64"),
        ("config", "line console 1", "1"),
        ("line", "exec-timeout 35792", "35792"),
        ("line", "exec-timeout 5 60", "60"),
        ("line", "exec-timeout 5 5 5", "5"),
    ],
)
def test_invalid_with_the_column_of_the_bad_word(mode: str, line: str, bad: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PATHS[mode], line)
    assert caught.value.fault is Fault.INVALID
    assert line[caught.value.column :].split()[0] == bad


@pytest.mark.parametrize(
    ("mode", "line", "word"),
    [
        ("exec", "configure network", "network"),
        ("exec", "configure replace flash:x", "replace"),
        ("exec", "write network", "network"),
        ("config", "enable password x", "password"),
        ("config", "no enable password", "password"),
        ("config", "enable secret 5 $1$x", "5"),
        ("config", "enable secret level 5 x", "level"),
        ("config", "enable algorithm-type md5 secret x", "md5"),
        ("config", "banner incoming @x@", "incoming"),
        ("config", "line aux 0", "aux"),
        ("line", "login local", "login"),
        ("line", "no login", "login"),
        ("line", "password x", "password"),
        ("line", "transport input ssh", "transport"),
        ("line", "logging synchronous", "synchronous"),
        ("line", "no logging synchronous", "synchronous"),
    ],
)
def test_what_ios_has_and_we_have_not_is_told(mode: str, line: str, word: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PATHS[mode], line)
    assert (caught.value.fault, caught.value.reason) == (Fault.UNSUPPORTED, word)


# --- secrets


@pytest.mark.parametrize("secret", [f"8 {TYPE8}", f"9 {TYPE9}"])
def test_the_hashes_are_those_of_ios(secret: str) -> None:
    assert verifies("hashcat", secret)
    assert not verifies("hashcat ", secret)
    assert not verifies("", secret)
    assert not verifies("hashcat" * 100, secret)


@pytest.mark.parametrize("kind", ["8", "9"])
@pytest.mark.parametrize("password", ["x", "ümläut und mehr", "x" * 127])
def test_what_was_hashed_is_verified_and_is_a_line_of_the_configuration(kind: str, password: str) -> None:
    secret = hashed(password, kind)
    assert verifies(password, secret)
    assert not verifies(password + "y", secret)
    assert hashed(password, kind) != secret
    line = f"enable secret {secret}"
    assert canonical(TREE.match(PATHS["config"], line)) == line
    assert read(f"{line}\n").system.enable_secret == secret


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("enable secret open sesame", "8"),
        ("enable secret 0 open sesame", "8"),
        ("enable algorithm-type sha256 secret open sesame", "8"),
        ("ena algo scrypt sec open sesame", "9"),
    ],
)
def test_a_secret_is_hashed_on_entry(router: FakeRouter, line: str, kind: str) -> None:
    shell = Shell(router, privileged=True)
    assert output(shell, "conf t", line) == ""
    secret = router.running.system.enable_secret
    assert secret.startswith(f"{kind} ${kind}$")
    assert verifies("open sesame", secret)
    assert f"enable secret {secret}" in list(configuration_lines(router.running))
    assert "sesame" not in output(shell, "do show running-config") + output(shell, "do show history")
    assert output(shell, "no enable secret") == ""
    assert router.running.system.enable_secret == ""


def test_a_secret_that_is_held_with_other_lines_is_not_told(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    output(shell, "conf t", "no access-list 1", "enable secret open sesame")
    answer = output(shell, "end")
    assert "enable secret 8 $8$" in answer
    assert "sesame" not in answer


def test_a_secret_that_is_too_long_is_refused(router: FakeRouter) -> None:
    answer = output(Shell(router, privileged=True), "conf t", f"enable secret {'x' * 128}")
    assert answer == "% A secret has at most 127 printable characters\n"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("enable secret foo bar", "enable secret *****"),
        ("en se 0 foo", "en se *****"),
        (" do en sec foo", " do en sec *****"),
        ("no enable secret foo", "no enable secret *****"),
        ("enabel secret foo", "enabel secret *****"),
        ("conf t enable secret foo", "conf t enable secret *****"),
        ("enable algorithm-type scrypt secret foo", "enable algorithm-type scrypt secret *****"),
        ("enable secret", "enable secret"),
        ("exec-timeout 5 0", "exec-timeout 5 0"),
        ("show running-config | section interface", "show running-config | section interface"),
        ("erase startup-config", "erase startup-config"),
    ],
)
def test_what_may_be_a_secret_is_not_kept(line: str, kept: str) -> None:
    assert without_secrets(line) == kept


# --- enable


def with_secret(router: FakeRouter) -> FakeRouter:
    router.running = replace(router.running, system=System(enable_secret=f"8 {TYPE8}"))
    return router


def test_enable_without_a_secret_needs_trust(router: FakeRouter) -> None:
    shell = Shell(router)
    assert output(shell, "enable") == "% No password set\n"
    assert (shell.ok, shell.prompt) == (False, "R1>")
    trusted = Shell(router, privileged=True)
    assert output(trusted, "disable", "enable") == ""
    assert trusted.prompt == "R1#"


@pytest.mark.parametrize("privileged", [False, True])
def test_enable_asks_for_the_secret_without_showing_it(router: FakeRouter, privileged: bool) -> None:
    shell = Shell(with_secret(router), privileged=privileged)
    output(shell, "disable")
    said = converse(shell, "enable", "wrong", "hashcat")
    assert said.silent == ["Password: ", "Password: "]
    assert said.paused == PENALTY
    assert (shell.ok, shell.prompt) == (True, "R1#")
    assert converse(shell, "enable 15").text == ""


def test_three_wrong_passwords_are_enough(router: FakeRouter) -> None:
    shell = Shell(with_secret(router))
    said = converse(shell, "enable", "a", "", "c")
    assert said.text == "Password: Password: Password: % Bad secrets\n"
    assert said.paused == 3 * PENALTY
    assert (shell.ok, shell.prompt) == (False, "R1>")


# --- sessions


@pytest.mark.parametrize("word", ["exit", "logout", "quit"])
def test_leaving_the_shell(router: FakeRouter, word: str) -> None:
    shell = Shell(router, privileged=True)
    assert output(shell, word) == ""
    assert shell.closed


def test_the_terminal_is_what_the_session_says(router: FakeRouter) -> None:
    shell = Shell(router)
    terminal = shell.session.terminal
    assert output(shell, "terminal length 0", "terminal width 511", "terminal history size 2") == ""
    assert (terminal.length, terminal.width, terminal.history_size) == (0, 511, 2)
    assert output(shell, "show clock", "show history").splitlines() == ["  show clock", "  show history"]
    output(shell, "terminal no length", "terminal no width", "terminal no history size")
    assert (terminal.length, terminal.width, terminal.history_size) == (24, 80, 10)


def test_configure_asks_from_where(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    question = "Configuring from terminal, memory, or network [terminal]? "
    how = "Enter configuration commands, one per line.  End with CNTL/Z.\n"
    assert converse(shell, "configure", "").text == question + how
    assert shell.prompt == "R1(config)#"
    output(shell, "end")
    assert converse(shell, "conf", "net").text == f"{question}% Not supported by snat: network\n"
    assert converse(shell, "conf", "t").text == question + how
    output(shell, "end")
    router.startup.text = "hostname R5\n"
    converse(shell, "configure", "mem")
    assert shell.prompt == "R5#"


def test_leaving_the_configuration_is_noted_once(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True, user="admin", line=2)
    output(shell, "conf t", "interface in0", "exit")
    assert router.notes == []
    output(shell, "end")
    assert router.notes == [("SYS-5-CONFIG_I", "Configured from console by admin on vty2")]
    output(shell, "conf t", "exit")
    assert len(router.notes) == 2


# --- banners


def test_a_banner_over_several_lines(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    output(shell, "conf t")
    said = converse(
        shell,
        "banner motd #Hello,",
        "! no comment",
        "",
        "  you#",
    )
    assert said.text == "Enter TEXT message.  End with the character '#'.\n"
    assert router.running.system.banners.motd == "Hello,\n! no comment\n\n  you"
    output(shell, "banner exec @in@")
    assert shell.banner == "Hello,\n! no comment\n\n  you\nin\n"
    text = output(shell, "do show running-config")
    assert "banner motd ^CHello,\n! no comment\n\n  you^C\nbanner exec ^Cin^C\n" in text
    assert read(text) == router.running
    output(shell, "no banner motd")
    assert shell.banner == "in\n"


def test_a_banner_without_end_is_refused(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    output(shell, "conf t")
    said = converse(shell, "banner motd #", *["x" * 1000] * 9)
    assert said.text.endswith("% The text has more than 8192 characters\n")
    assert shell.prompt == "R1(config)#"
    text = "hostname R1\nbanner motd @hello\nhostname R2\n"
    configuration, problems = read_configuration(text, "test")
    assert configuration.hostname == "R1"
    assert [(p.line, p.reason) for p in problems] == [(2, "the text does not end: there is no second @")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a^Cb", "cannot have ^C in it"),
        ("x" * 4097, "at most 4096 characters"),
        ("a\x07b", "control characters"),
    ],
)
def test_a_banner_that_cannot_be_is_refused(text: str, reason: str) -> None:
    _, problems = read_configuration(f"banner motd @\n{text[:900]}\n{text[900:]}@\n", "test")
    if len(text) > 900:
        lines = "\n".join(text[at : at + 900] for at in range(0, len(text), 900))
        _, problems = read_configuration(f"banner motd @{lines}@\n", "test")
    assert reason in problems[0].reason


# --- lines


def lines_of(text: str) -> list[tuple[str, int, int, int]]:
    return [(line.kind, line.first, line.last, line.exec_timeout) for line in read(text).system.lines]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("line vty 0 4\n exec-timeout 5\nline con 0\n", [("console", 0, 0, 600), ("vty", 0, 4, 300)]),
        (
            "line vty 0 4\nline vty 2 3\n exec-timeout 0\n",
            [("vty", 0, 1, 600), ("vty", 2, 3, 0), ("vty", 4, 4, 600)],
        ),
        ("line vty 0 4\nline vty 0 15\n exec-timeout 0 7\n", [("vty", 0, 4, 7), ("vty", 5, 15, 7)]),
        ("line vty 3\nline vty 1 5\n", [("vty", 1, 2, 600), ("vty", 3, 3, 600), ("vty", 4, 5, 600)]),
        ("line vty 0 9\nno line vty 2 4\n", [("vty", 0, 1, 600), ("vty", 5, 9, 600)]),
        ("line vty 0 4\n exec-timeout 1\n no exec-timeout\n", [("vty", 0, 4, 0)]),
        ("line vty 0 4\n exec-timeout 1\n default exec-timeout\n", [("vty", 0, 4, 600)]),
    ],
)
def test_a_number_has_one_place(text: str, lines: list[tuple[str, int, int, int]]) -> None:
    assert lines_of(text) == lines


def test_lines_in_the_wrong_order_are_refused() -> None:
    _, problems = read_configuration("line vty 5 3\n", "test")
    assert "The last line, 3, is less than the first, 5" in problems[0].reason


def test_a_line_that_another_user_removed_is_told(router: FakeRouter) -> None:
    one, two = Shell(router, privileged=True), Shell(router, privileged=True)
    output(one, "conf t", "line vty 0 4")
    output(two, "conf t", "no line vty 0 4")
    assert output(one, "exec-timeout 5") == "% These lines have been removed. Enter them again\n"


def test_a_session_has_the_exec_timeout_of_its_line(router: FakeRouter) -> None:
    shells = [Shell(router, privileged=True, line=line) for line in (0, 5)]
    assert [shell.exec_timeout for shell in shells] == [DEFAULT_EXEC_TIMEOUT] * 2
    output(shells[0], "conf t", "line console 0", "exec-timeout 9", "line vty 5 6", "exec-timeout 1 30")
    assert [shell.exec_timeout for shell in shells] == [600, 90]


TIMEOUTS = st.integers(0, 35791 * 60 + 59)
TEXTS = st.text(st.sampled_from("ab !@#\n\t^ü"), max_size=40).filter(lambda text: "^C" not in text)


@st.composite
def systems(draw: st.DrawFn) -> System:
    cuts = sorted(draw(st.sets(st.integers(0, 64), max_size=5)))
    blocks = [(first, last - 1) for first, last in pairwise(cuts) if draw(st.booleans())]
    lines = [Line(kind="vty", first=first, last=last, exec_timeout=draw(TIMEOUTS)) for first, last in blocks]
    console = (
        [Line(kind="console", first=0, last=0, exec_timeout=draw(TIMEOUTS))] if draw(st.booleans()) else []
    )
    return System(
        enable_secret=draw(st.sampled_from(["", f"8 {TYPE8}", f"9 {TYPE9}"])),
        lines=(*console, *lines),
        banners=Banners(motd=draw(TEXTS), login=draw(TEXTS), exec=draw(TEXTS)),
    )


@given(systems())
def test_text_to_model_to_text(system: System) -> None:
    configuration = Configuration(system=system)
    text = text_of(configuration)
    assert read(text) == configuration
    assert text_of(read(text)) == text
