"""What a terminal makes of what a daemon says, on capable and on plain terminals."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from cli.terminal import interactive
from cli.terminal.frames import ControlError
from cli.terminal.pager import ERASE, MORE
from tests.cli.scripted import HELLO, Behaves, Frame, Person, ScriptedDaemon, meet, until

Said = pytest.CaptureFixture[str]
Make = Callable[..., Person]
BOTH = pytest.mark.parametrize("plain", [False, True], ids=["capable", "plain"])


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys


@pytest.fixture
def make(tmp_path: Path, keys: PipeInput) -> Make:
    def person(behaves: Behaves, *, plain: bool = False, hello: Frame | None = None) -> Person:
        daemon = ScriptedDaemon(str(tmp_path / "control.sock"), behaves, hello)
        return Person(daemon, keys, plain=plain)

    return person


async def echoes(daemon: ScriptedDaemon, request: Frame) -> None:
    """A command prints itself; help and completion know `show`."""
    if request["request"] == "run":
        daemon.say(type="text", id=request["id"], text=f"ran {request['line']!r}\n")
        daemon.end(request)
    elif request["request"] == "help":
        daemon.say(type="help", id=request["id"], text=f"help on {request['line']!r}\n")
    elif request["request"] == "complete":
        words = [word for word in ("show", "shutdown") if word.startswith(request["line"])]
        daemon.say(type="candidates", id=request["id"], words=words)


async def asks(daemon: ScriptedDaemon, request: Frame) -> None:
    """`run` asks for a password, and ends with the answer or with an interrupt."""
    if request["request"] == "run":
        asks.number = request["id"]  # type: ignore[attr-defined]
        daemon.say(type="question", id=request["id"], text="Password: ", echo=False)
        return
    command = {"id": asks.number}  # type: ignore[attr-defined]
    if request["request"] == "answer":
        daemon.say(type="text", id=command["id"], text="thanks\n")
        daemon.end(command)
    else:
        daemon.end(command, ok=False, interrupted=True)


def talk(person: Person, dialogue: Callable[[], Awaitable[None]]) -> int:
    return meet(person.daemon, person, dialogue)


# --- lines


@BOTH
def test_lines_are_run_and_leaving_ends_well(make: Make, capsys: Said, plain: bool) -> None:
    person = make(echoes, plain=plain, hello=HELLO | {"banner": "Welcome\n"})

    async def dialogue() -> None:
        person.type("show a\rshow b\rexit\r")

    assert talk(person, dialogue) == 0
    text = capsys.readouterr().out
    assert re.search(r"Welcome\n.*ran 'show a'\n.*ran 'show b'\n", text, re.DOTALL)


@BOTH
@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("shox\x08w", "show"),
        ("nonsense\x15show", "show"),
        ("show nonsense\x17all", "show all"),
        ("a\x16?b", "a?b"),
        ("nonsense\x03show", "show"),
        ("shut\t", "shutdown "),
        ("show\tall", "show all"),
    ],
)
def test_keys_edit_the_line(make: Make, plain: bool, typed: str, line: str) -> None:
    person = make(echoes, plain=plain)

    async def dialogue() -> None:
        await person.at_prompt()
        begun, tab, rest = typed.partition("\t")
        person.type(begun + tab)
        if tab:  # who types on is not waited for
            await until(lambda: current(person) == line.removesuffix(rest))
        person.type(f"{rest}\r")
        await until(lambda: person.daemon.lines("run"))
        person.type("exit\r")

    talk(person, dialogue)
    assert person.daemon.lines("run") == [line, "exit"]


def current(person: Person) -> str:
    """What has been typed of the line so far."""
    return person.conversation.lines.typed


@BOTH
def test_a_question_mark_helps_at_once_and_the_line_is_shown_again(
    make: Make, capsys: Said, plain: bool
) -> None:
    person = make(echoes, plain=plain)

    async def dialogue() -> None:
        await person.at_prompt()
        person.type("do sh?")
        await until(lambda: person.daemon.lines("help"))
        await until(lambda: "help on" in shown(capsys))
        assert person.daemon.lines("run") == []
        person.type("ow\r")
        await until(lambda: person.daemon.lines("run"))
        person.type("exit\r")

    talk(person, dialogue)
    assert person.daemon.lines("help") == ["do sh"]
    assert person.daemon.lines("run") == ["do show", "exit"]
    text = shown(capsys)
    assert "R1#do sh?\nhelp on 'do sh'\n" in text
    if plain:
        assert "help on 'do sh'\nR1#do show\n" in text


_SHOWN: dict[int, str] = {}


def shown(capsys: Said) -> str:
    """All that was printed so far."""
    _SHOWN[id(capsys)] = _SHOWN.get(id(capsys), "") + capsys.readouterr().out
    return _SHOWN[id(capsys)]


@BOTH
@pytest.mark.parametrize(("prompt", "lines"), [("R1(config-if)#", ["end", "exit"]), ("R1#", ["exit"])])
def test_ctrl_z_is_end_in_a_configuration_mode_only(
    make: Make, plain: bool, prompt: str, lines: list[str]
) -> None:
    person = make(echoes, plain=plain, hello=HELLO | {"prompt": prompt})

    async def dialogue() -> None:
        person.type("\x1aexit\r")

    talk(person, dialogue)
    assert person.daemon.lines("run") == lines


@BOTH
def test_ctrl_d_leaves_at_an_empty_line(make: Make, plain: bool) -> None:
    person = make(echoes, plain=plain)

    async def dialogue() -> None:
        person.type("\x04")

    assert talk(person, dialogue) == 0
    assert person.daemon.requests == []


def test_pasted_lines_run_one_by_one_and_the_last_can_be_finished(make: Make, capsys: Said) -> None:
    person = make(echoes)

    async def dialogue() -> None:
        await person.at_prompt()
        person.type("\x1b[200~interface in0\r\n description what?\r\n\r\nex\x1b[201~")
        await person.until_requests(3)
        person.type("it\r")

    talk(person, dialogue)
    assert person.daemon.lines("run") == ["interface in0", " description what?", "", "exit"]
    assert person.daemon.lines("help") == []
    assert "R1# description what?\n" in capsys.readouterr().out
    assert " description what?" in person.history.get_strings()


def test_ctrl_c_forgets_the_lines_that_were_pasted(make: Make) -> None:
    running = asyncio.Event()

    async def hangs(daemon: ScriptedDaemon, request: Frame) -> None:
        if request["request"] == "interrupt":
            daemon.end({"id": 1}, ok=False, interrupted=True)
        running.set()

    person = make(hangs)

    async def dialogue() -> None:
        await person.at_prompt()
        person.type("\x1b[200~one\ntwo\nthree\n\x1b[201~")
        await running.wait()
        person.type("\x03")
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert person.daemon.lines("run") == ["one", "exit"]


# --- questions


@BOTH
def test_a_secret_is_neither_shown_nor_kept(make: Make, capsys: Said, plain: bool) -> None:
    person = make(asks, plain=plain)

    async def dialogue() -> None:
        person.type("enable\r")
        await person.until_requests(1)
        await person.at_prompt()
        person.type("gehein\x08m?\r")
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert person.daemon.lines("answer") == ["geheim?"]
    text = capsys.readouterr().out
    assert "thanks\n" in text
    assert "g" not in text.replace("thanks", "").replace("enable", "").replace("exit", "")
    assert not any("geh" in line for line in person.history.get_strings())


@BOTH
@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_ctrl_c_at_a_question_ends_the_command(make: Make, plain: bool, key: str) -> None:
    person = make(asks, plain=plain)

    async def dialogue() -> None:
        person.type("enable\r")
        await person.until_requests(1)
        await person.at_prompt()
        person.type(key)
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert [request["request"] for request in person.daemon.requests] == ["run", "interrupt", "run"]


# --- pages


def pages(text: str, after: str = "") -> Behaves:
    """`run` says so much text a hundred times over, and ends when it is interrupted."""

    async def behaves(daemon: ScriptedDaemon, request: Frame) -> None:
        if request["request"] == "run":
            for _ in range(100):
                daemon.say(type="text", id=request["id"], text=text)
        else:
            daemon.end({"id": 1}, ok=False, interrupted=True)
            if after:
                daemon.say(type="log", text=after)

    return behaves


@BOTH
@pytest.mark.parametrize("key", ["q", "x", "\x03", "\x1a"])
def test_other_keys_end_the_output(make: Make, capsys: Said, plain: bool, key: str) -> None:
    person = make(pages("line\n" * 10), plain=plain)

    async def dialogue() -> None:
        person.type("show\r")
        await until(lambda: MORE in shown(capsys))
        person.type(key)
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert [request["request"] for request in person.daemon.requests] == ["run", "interrupt", "run"]
    assert shown(capsys).count("line\n") == 39  # of 40 rows


@BOTH
def test_space_enter_and_search_go_on(make: Make, capsys: Said, plain: bool) -> None:
    numbered = "".join(f"line {number}\n" for number in range(1000))
    person = make(pages(numbered), plain=plain)

    async def dialogue() -> None:
        person.type("show\r")
        for number, key in enumerate((" ", "\r", "/line 50[05]\r", "/(\r", "/\x03", "\n", "q"), start=1):
            await until(lambda: shown(capsys).count(MORE) == number)  # noqa: B023 - awaited here
            person.type(key)
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    parts = shown(capsys).split(f"{MORE}{ERASE}")
    numbers = [[int(number) for number in re.findall(r"^line (\d+)$", part, re.MULTILINE)] for part in parts]
    assert numbers[:3] == [list(range(39)), list(range(39, 78)), [78]]
    assert numbers[3] == list(range(500, 539))
    assert "filtering...\n" in parts[3]
    assert "% Failed to compile regular expression" in parts[4]
    assert numbers[4:] == [[], [], [539], []]


def test_the_length_of_the_session_counts_unless_it_is_the_default(make: Make, capsys: Said) -> None:
    person = make(pages("line\n"), hello=HELLO | {"terminal": {"length": 10}})

    async def dialogue() -> None:
        person.type("show\r")
        await until(lambda: MORE in shown(capsys))
        person.type("q")
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert shown(capsys).count("line\n") == 9


def test_while_a_page_is_looked_at_nothing_more_is_read(make: Make, capsys: Said) -> None:
    written = 0

    async def endless(daemon: ScriptedDaemon, request: Frame) -> None:
        nonlocal written
        if request["request"] == "run":
            writing.append(asyncio.create_task(write(daemon, request)))
        else:
            writing[0].cancel()
            daemon.end({"id": 1}, ok=False, interrupted=True)

    async def write(daemon: ScriptedDaemon, request: Frame) -> None:
        nonlocal written
        while True:
            daemon.say(type="text", id=request["id"], text="x" * 60 + "\n")
            written += 1
            await daemon.drained()

    writing: list[asyncio.Task[None]] = []
    person = make(endless)

    async def dialogue() -> None:
        person.type("show\r")
        await until(lambda: MORE in shown(capsys))
        before = -1
        while before != written:  # until the daemon has to wait
            before = written
            await asyncio.sleep(0.1)
        person.type("q")
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert 39 < written < 60_000  # 100 bytes each: what sockets and one reader hold, and no more


def test_ctrl_c_ends_a_command_that_says_nothing(make: Make) -> None:
    person = make(pages(""))

    async def dialogue() -> None:
        person.type("show\r")
        await person.until_requests(1)
        person.type("typed ahead\x03")
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert person.daemon.lines("run") == ["show", "exit"]


def test_what_is_typed_while_a_command_runs_is_the_next_line(make: Make) -> None:
    async def waits(daemon: ScriptedDaemon, request: Frame) -> None:
        await until(lambda: typed.is_set())
        daemon.end(request)

    typed = asyncio.Event()
    person = make(waits)

    async def dialogue() -> None:
        person.type("show\r")
        await person.until_requests(1)
        person.type("exit\r")
        await asyncio.sleep(0.05)
        typed.set()

    talk(person, dialogue)
    assert person.daemon.lines("run") == ["show", "exit"]


# --- files


def into(path: Path, *, texts: int = 1, append: bool = False, tee: bool = False) -> Behaves:
    async def behaves(daemon: ScriptedDaemon, request: Frame) -> None:
        if request["request"] == "interrupt":
            daemon.end({"id": 1}, ok=False, interrupted=True)
            return
        daemon.say(type="redirect", id=request["id"], path=str(path), append=append, tee=tee)
        for _ in range(texts):
            daemon.say(type="text", id=request["id"], text="l\u00efne\n" * 100)
        if texts == 1:
            daemon.end(request)

    return behaves


@pytest.mark.parametrize(
    ("append", "tee", "kept", "lines"),
    [(False, False, 100, 0), (True, False, 101, 0), (False, True, 100, 100)],
)
def test_output_goes_into_a_file(
    make: Make, capsys: Said, tmp_path: Path, append: bool, tee: bool, kept: int, lines: int
) -> None:
    file = tmp_path / "out"
    file.write_text("before\n")
    person = make(into(file, append=append, tee=tee), hello=HELLO | {"terminal": {"length": 0}})

    async def dialogue() -> None:
        person.type("show\rexit\r")

    talk(person, dialogue)
    assert len(file.read_text(encoding="utf-8").splitlines()) == kept
    assert capsys.readouterr().out.count("l\u00efne\n") == lines


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none/out", "No such file or directory"),
        (".", "Is a directory"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_a_file_that_cannot_be_written_ends_the_command_and_is_told(
    make: Make, capsys: Said, tmp_path: Path, name: str, why: str
) -> None:
    file = tmp_path / name
    person = make(into(file, texts=200))

    async def dialogue() -> None:
        person.type("show\r")
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert capsys.readouterr().out == f"% {file}: {why}; give another file\n"
    assert [request["request"] for request in person.daemon.requests] == ["run", "interrupt", "run"]


# --- what happens beside


@BOTH
def test_the_log_appears_above_the_line(make: Make, capsys: Said, plain: bool) -> None:
    person = make(echoes, plain=plain)

    async def dialogue() -> None:
        await person.at_prompt()
        person.type("sho")
        await until(lambda: current(person) == "sho")
        person.daemon.say(type="log", text="%SNAT-5-ONE: 1\n")
        person.daemon.say(type="log", text="%SNAT-5-TWO: 2\n")
        await until(lambda: "TWO" in shown(capsys))
        person.type("w\r")
        await until(lambda: person.daemon.lines("run"))
        person.type("exit\r")

    talk(person, dialogue)
    assert person.daemon.lines("run") == ["show", "exit"]
    text = shown(capsys)
    assert text.index("ONE") < text.index("TWO") < text.index("ran 'show'")
    if plain:
        assert "R1#sho\n%SNAT-5-ONE: 1\nR1#sho\n%SNAT-5-TWO: 2\nR1#show\n" in text


def test_the_log_at_a_page_puts_the_question_below_it(make: Make, capsys: Said) -> None:
    async def behaves(daemon: ScriptedDaemon, request: Frame) -> None:
        if request["request"] == "run":
            daemon.say(type="text", id=request["id"], text="line\n" * 50)
        else:
            daemon.end({"id": 1}, ok=False, interrupted=True)

    person = make(behaves)

    async def dialogue() -> None:
        person.type("show\r")
        await until(lambda: MORE in shown(capsys))
        person.daemon.say(type="log", text="%SNAT-5-ONE: 1\n")
        await until(lambda: shown(capsys).count(MORE) == 2)
        person.type("q")
        await person.until_requests(2)
        person.type("exit\r")

    talk(person, dialogue)
    assert f"{MORE}{ERASE}%SNAT-5-ONE: 1\n{MORE}{ERASE}" in shown(capsys)


@BOTH
@pytest.mark.parametrize("typed", ["", "half a li"])
def test_a_daemon_that_goes_is_found_again(make: Make, capsys: Said, plain: bool, typed: str) -> None:
    person = make(echoes, plain=plain, hello=HELLO | {"banner": "Welcome\n"})

    async def dialogue() -> None:
        await person.at_prompt()
        person.type(typed)
        await until(lambda: current(person) == typed)
        person.daemon.hang_up()
        await until(lambda: person.daemon.connections == 2)
        await person.at_prompt()
        person.type("show\rexit\r")

    talk(person, dialogue)
    assert person.daemon.lines("run") == ["show", "exit"]
    lost = r"% Connection to the router lost; reconnecting \.\.\..*\nWelcome\n% Connected again\n"
    assert re.search(lost, capsys.readouterr().out)


@BOTH
@pytest.mark.parametrize("while_", ["question", "page", "silence"])
def test_a_daemon_that_goes_while_a_command_runs_is_found_again(
    make: Make, capsys: Said, plain: bool, while_: str
) -> None:
    async def behaves(daemon: ScriptedDaemon, request: Frame) -> None:
        if while_ == "question":
            daemon.say(type="question", id=request["id"], text="Password: ", echo=False)
        elif while_ == "page":
            daemon.say(type="text", id=request["id"], text="line\n" * 50)

    person = make(behaves, plain=plain)

    async def dialogue() -> None:
        person.type("reload\r")
        await person.until_requests(1)
        if while_ == "question":
            await person.at_prompt()
        elif while_ == "page":
            await until(lambda: MORE in shown(capsys))
        person.daemon.hang_up()
        if while_ == "page":
            person.type(" ")
        await until(lambda: person.daemon.connections == 2)
        await person.at_prompt()
        person.type("exit\r")

    assert talk(person, dialogue) == 0
    assert person.daemon.lines("run") == ["reload", "exit"]


def test_a_daemon_that_does_not_come_back_is_given_up(
    make: Make, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactive, "TRIES", (0.01, 0.01))
    person = make(echoes)

    async def dialogue() -> None:
        await person.at_prompt()
        await person.daemon.stop()
        Path(person.daemon.path).unlink()

    with pytest.raises(ControlError, match="There is no control socket"):
        talk(person, dialogue)
    assert "Connected again" not in capsys.readouterr().out


@BOTH
def test_a_session_that_the_daemon_ends_is_not_begun_again(make: Make, capsys: Said, plain: bool) -> None:
    person = make(echoes, plain=plain)

    async def dialogue() -> None:
        await person.at_prompt()
        person.daemon.say(type="bye", text="\nThis session ends\n")
        person.daemon.hang_up()

    assert talk(person, dialogue) == 0
    assert capsys.readouterr().out.endswith("\nThis session ends\n")
    assert person.daemon.connections == 1


@BOTH
def test_a_refused_command_is_told_and_the_next_one_runs(make: Make, capsys: Said, plain: bool) -> None:
    async def behaves(daemon: ScriptedDaemon, request: Frame) -> None:
        daemon.say(type="refused", id=request["id"], reason="a command is running")

    person = make(behaves, plain=plain)

    async def dialogue() -> None:
        person.type("show\r" + "x" * 17000 + "\rexit\r")

    assert talk(person, dialogue) == 0
    assert person.daemon.lines("run") == ["show", "exit"]
    assert "% The daemon refused: a command is running\n" in capsys.readouterr().out


def test_a_refusal_of_all_ends_the_program(make: Make) -> None:
    async def behaves(daemon: ScriptedDaemon, request: Frame) -> None:
        daemon.say(type="refused", id=None, reason="a request is a JSON object")
        daemon.hang_up()

    person = make(behaves)

    async def dialogue() -> None:
        person.type("show\r")

    with pytest.raises(ControlError, match="The daemon refused: a request is a JSON object"):
        talk(person, dialogue)


@pytest.mark.parametrize(
    ("hello", "told"),
    [
        (HELLO | {"protocol": 2}, "does not speak version 1"),
        ({"type": "text", "text": ""}, "does not speak version 1"),
        ({"kind": "hello"}, "is not a snat daemon"),
    ],
)
def test_a_greeting_of_something_else_is_told(make: Make, hello: Frame, told: str) -> None:
    person = make(echoes, hello=hello)

    async def dialogue() -> None:
        pass

    with pytest.raises(ControlError, match=told):
        talk(person, dialogue)
