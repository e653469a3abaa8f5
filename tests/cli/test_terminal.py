"""`snat-cli` against a shell in another process, on a real UNIX socket."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cli.terminal import client
from cli.terminal.__main__ import main
from cli.terminal.client import Connection
from cli.terminal.frames import VERSION, ControlError

DAEMON = """
import sys
from itertools import count
from pathlib import Path
from twisted.internet import reactor
from cli.shell import Shell
from snat.net.control import ControlSocket
from tests.cli.fake_router import FakeRouter, translation
router = FakeRouter(rows=(translation(number) for number in count()))
ControlSocket(reactor, Path(sys.argv[1]), lambda _visitor: Shell(router, privileged=True)).startService()
print("listening", flush=True)
reactor.run()
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The control socket of a daemon in another process."""
    path = str(tmp_path_factory.mktemp("control") / "control.sock")
    with subprocess.Popen([sys.executable, "-c", DAEMON, path], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"listening\n"
        yield path
        daemon.kill()


def snat_cli(
    path: str, *arguments: str, script: str | None = None, commands: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    options = [option for command in commands for option in ("-c", command)]
    return subprocess.run(
        [sys.executable, "-m", "cli.terminal", "--control", path, *options, *arguments],
        input=script,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_command_prints_its_output(path: str) -> None:
    done = snat_cli(path, commands=["show running-config | include hostname"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "hostname R1\n", "")


def test_commands_share_a_session(path: str) -> None:
    done = snat_cli(path, commands=["conf t", "interface in0", "do show run | include ^end", "end"])
    assert done.returncode == 0
    assert done.stdout.endswith("CNTL/Z.\nend\n")


def test_an_error_goes_to_standard_error_below_its_line_and_ends_with_1(path: str) -> None:
    done = snat_cli(path, commands=["show foo", "show running-config"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "R1#show foo\n        ^\n% Invalid input detected at '^' marker.\n\n"


def test_a_script_on_standard_input(path: str) -> None:
    done = snat_cli(path, script="! a comment\n\nshow run | include ^hostname\nexit\nshow foo\n")
    assert (done.returncode, done.stdout) == (0, "hostname R1\n")


def test_a_script_stops_at_its_first_error(path: str) -> None:
    done = snat_cli(path, script="foo\nshow run\n")
    assert (done.returncode, done.stdout) == (1, "")


def test_output_that_nobody_reads_on_ends_quietly(path: str) -> None:
    arguments = [sys.executable, "-m", "cli.terminal", "--control", path, "-c", "show ip nat translations"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("Pro ")
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr.read() == ""


def test_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    done = snat_cli(str(tmp_path / "none.sock"), commands=["show run"])
    assert done.returncode == 2
    assert "Is the daemon running?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_socket_whose_daemon_was_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    assert main(["--control", str(stale), "-c", "show run"]) == 2
    assert "It has been killed" in capsys.readouterr().err


def test_a_socket_without_permission(
    path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_socket: socket.socket, _address: str) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "connect", refuse)  # root, who may run this, is never refused
    assert main(["--control", path, "-c", "show run"]) == 2
    assert "No permission to use" in capsys.readouterr().err


def test_the_program_imports_nothing_of_the_router_and_no_prompt_toolkit() -> None:
    code = (
        "import sys, cli.terminal.__main__;"
        "print([m for m in sys.modules if m.split('.')[0] in ('snat', 'twisted', 'prompt_toolkit')"
        " or m in ('cli.tree', 'cli.shell', 'cli.commands')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_daemon_that_leaves_is_told(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(ControlError, match="hangs up at once: it stops, or has too many users"):
            Connection(str(path))
        thread.join()


def test_the_next_line_answers_a_question(path: str) -> None:
    done = snat_cli(path, script="copy running-config startup-config\nstartup-config\nshow run | i ^host\n")
    assert (done.returncode, done.stdout) == (0, "Building configuration...\n[OK]\nhostname R1\n")
    commands = ["copy running-config startup-config", "startup-config"]
    assert snat_cli(path, commands=commands).stdout == "Building configuration...\n[OK]\n"


def test_a_question_that_nothing_answers_ends_with_1(path: str) -> None:
    done = snat_cli(path, commands=["copy running-config startup-config"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("snat-cli: nothing answers: Destination filename")


def test_output_goes_into_a_file_of_the_user(path: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    done = snat_cli(path, commands=[f"show run | redirect {file}", f"show run | tee {file}"])
    assert done.returncode == 0
    assert done.stdout == file.read_text()
    assert "hostname R1\n" in done.stdout
    length = len(done.stdout)
    done = snat_cli(path, commands=[f"show run | append {file}"])
    assert (done.returncode, done.stdout) == (0, "")
    assert len(file.read_text()) == 2 * length


@pytest.mark.parametrize("file", ["/dev/full", "/nonexistent/out"])
def test_a_file_that_cannot_be_written_ends_with_1(path: str, file: str) -> None:
    done = snat_cli(path, commands=[f"show run | redirect {file}", "show run"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"snat-cli: {file}: No ")
    assert done.stderr.endswith("; give another file\n")


def test_a_script_that_is_not_text_is_told_where(path: str) -> None:
    arguments = [sys.executable, "-m", "cli.terminal", "--control", path]
    done = subprocess.run(arguments, input=b"show r\xffn\n", capture_output=True, timeout=30)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"% Invalid input detected" in done.stderr


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.9\r\n", "is not a snat daemon"),
        (b'{"type": "hello", "protocol": 2}\n', "install the same version of snat-cli as of snat"),
        (b"", "has said nothing for"),
    ],
)
def test_what_answers_and_is_no_daemon_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, told: str
) -> None:
    monkeypatch.setattr(client, "GREETING", 0.2)
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(said)
                connection.recv(1)  # until the other side leaves

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ControlError, match=told):
            Connection(str(path))
        thread.join()


def test_a_daemon_that_falls_silent_is_given_up_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "GREETING", 0.2)
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b'{"type": "hello", "protocol": %d, "prompt": "R1>"}\n' % VERSION)
                while connection.recv(100):  # until the other side leaves
                    pass

        thread = threading.Thread(target=greet)
        thread.start()
        connection = Connection(str(path), bounded=True)
        with pytest.raises(ControlError, match="has said nothing for"):
            next(connection.run("show version"))
        connection.close()
        thread.join()
