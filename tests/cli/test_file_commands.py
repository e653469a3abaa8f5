"""``copy``, ``write``, ``erase``, ``show startup-config``: the dialogue, and what happens to the file."""

import pytest

from cli.commands.configuration import configuration_lines
from cli.configuration_file import read_configuration
from cli.session import Question
from cli.shell import Shell
from tests.cli.fake_router import FakeRouter, FakeStartup, output

SAVED = "Building configuration...\n[OK]\n"


def dialogue(shell: Shell, line: str, *answers: str) -> str:
    """All that is printed, questions included; every answer must be asked for."""
    running, given = shell.run(line), iter(answers)
    text, answer = "", None
    while True:
        try:
            said = running.send(answer)
        except StopIteration:
            break
        answer = None
        if isinstance(said, Question):
            text += said.text + "\n"
            answer = next(given)
        elif isinstance(said, str):
            text += said
    assert next(given, None) is None
    return text


def text_of(router: FakeRouter) -> str:
    return "".join(f"{line}\n" for line in configuration_lines(router.running))


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


@pytest.fixture
def shell(router: FakeRouter) -> Shell:
    return Shell(router, privileged=True)


@pytest.mark.parametrize("answer", ["", "startup-config"])
def test_copy_asks_for_the_file_and_saves(router: FakeRouter, shell: Shell, answer: str) -> None:
    said = dialogue(shell, "copy run start", answer)
    assert said == f"Destination filename [startup-config]? \n{SAVED}"
    assert router.startup.text == text_of(router)
    assert read_configuration(router.startup.text, "startup") == (router.running, ())
    assert shell.ok


def test_another_file_is_refused(router: FakeRouter, shell: Shell) -> None:
    assert "can only be copied to startup-config" in dialogue(shell, "copy run start", "flash:x")
    assert router.startup.text is None
    assert not shell.ok


@pytest.mark.parametrize("line", ["write", "wr", "write memory", "wr mem"])
def test_write_saves_without_a_question(router: FakeRouter, shell: Shell, line: str) -> None:
    assert dialogue(shell, line) == SAVED
    assert router.startup.text == text_of(router)


def test_a_file_that_another_program_changed_is_asked_for(router: FakeRouter, shell: Shell) -> None:
    router.startup = FakeStartup(text="theirs", changed=True)
    assert "was changed by another program. Overwrite it? [confirm]" in dialogue(shell, "wr", "n")
    assert router.startup.text == "theirs"
    assert not shell.ok
    assert dialogue(shell, "wr", "").endswith(SAVED)
    assert router.startup.text == text_of(router)


def test_a_disk_that_fails_is_told(router: FakeRouter, shell: Shell) -> None:
    router.startup.refusal = "/etc/snat/router.conf is not written"
    assert dialogue(shell, "wr").endswith("% /etc/snat/router.conf is not written\n")
    assert not shell.ok


def test_write_terminal_is_show_running_config(shell: Shell) -> None:
    assert dialogue(shell, "wr t") == output(shell, "show running-config")


@pytest.mark.parametrize("line", ["write erase", "erase startup-config"])
def test_erase_is_confirmed(router: FakeRouter, shell: Shell, line: str) -> None:
    router.startup.text = "hostname R1\n"
    question = "Erasing the nvram filesystem will remove all configuration files! Continue? [confirm]\n"
    assert dialogue(shell, line, "no") == f"{question}% not erased\n"
    assert router.startup.text == "hostname R1\n"
    assert dialogue(shell, line, "") == f"{question}[OK]\nErase of nvram: complete\n"
    assert router.startup.text is None


def test_the_startup_configuration_is_shown(router: FakeRouter, shell: Shell) -> None:
    assert output(shell, "show startup-config") == "startup-config is not present\n"
    router.startup.text = "hostname R1\nend\n"
    assert output(shell, "sh start") == "Using 16 out of 1016 bytes\nhostname R1\nend\n"


def test_a_closed_question_interrupts(router: FakeRouter, shell: Shell) -> None:
    running = shell.run("copy run start")
    assert isinstance(next(running), Question)
    running.close()
    assert (router.startup.text, shell.ok) == (None, False)


@pytest.mark.parametrize("line", ["copy run start", "wr", "erase start", "show start"])
def test_without_privilege_there_is_no_such_command(router: FakeRouter, line: str) -> None:
    shell = Shell(router)
    assert "% Invalid input detected" in dialogue(shell, line)
