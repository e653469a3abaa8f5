"""From nothing to a router that remembers: an empty configuration, saved, restarted, still there."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from snat.lab.capture import bundled_capture
from tests.system.daemons import Daemon, poll, running

ANSWERING = 10.0
"""Seconds that an answer may take."""


class User:
    """A session over the control socket that answers questions."""

    def __init__(self, control: Path) -> None:
        """Raises OSError where no daemon answers, ValueError where one hangs up without a word."""
        with ExitStack() as unless_greeted:
            self._socket = unless_greeted.enter_context(socket.socket(socket.AF_UNIX))
            self._socket.settimeout(ANSWERING)
            self._socket.connect(str(control))
            self._input = unless_greeted.enter_context(self._socket.makefile("rb"))
            self.hello = self._frame()
            unless_greeted.pop_all()
        self.prompt = self.hello["prompt"]

    def say(self, line: str, *answers: str) -> str:
        """Run a line; what was printed, questions included."""
        left = list(answers)
        self._send(request="run", line=line)
        text = ""
        while (frame := self._frame())["type"] != "end":
            text += frame.get("text", "")
            if frame["type"] == "question":
                self._send(request="answer", line=left.pop(0))
        self.prompt = frame["prompt"]
        assert not left
        return text

    def over(self) -> bool:
        """Whether the daemon hangs up, after whatever else it says."""
        return self._input.read() is not None

    def close(self) -> None:
        self._input.close()
        self._socket.close()

    def _send(self, **request: Any) -> None:
        self._socket.sendall(json.dumps({"id": 1, **request}).encode() + b"\n")

    def _frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self._input.readline())
        return frame


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose start-up file is not there yet."""
    captured = tmp_path / "in.pcap"
    captured.write_bytes(bundled_capture())
    daemon = Daemon("r1", "", directory=tmp_path, captures=(captured, tmp_path / "out.pcap"))
    (tmp_path / "r1.conf").unlink()
    with running(daemon):
        poll(lambda: answers(daemon), seconds=15.0, of=[daemon])
        yield daemon


def answers(daemon: Daemon) -> bool:
    try:
        User(daemon.control).close()
    except (OSError, ValueError):
        return False
    return True


def process(daemon: Daemon) -> int:
    assert daemon._program is not None
    return daemon._program._process.pid


LINES = (
    *("hostname R1", "enable secret very secret", "banner motd @", "interface in0", "ip nat inside"),
    *("line vty 0 4", "exec-timeout 30", "end"),
)


def configure(user: User) -> None:
    user.say("configure terminal")
    for line in LINES:
        user.say(line, *(["Welcome", "  to R1@"] if line.startswith("banner") else []))


def test_an_empty_configuration_is_saved_and_still_there_after_a_restart(
    daemon: Daemon, tmp_path: Path
) -> None:
    file = tmp_path / "r1.conf"
    user = User(daemon.control)
    assert user.prompt == "Router#"
    assert user.say("show startup-config") == "startup-config is not present\n"
    configure(user)
    said = user.say("copy running-config startup-config", "")
    assert said == "Destination filename [startup-config]? Building configuration...\n[OK]\n"
    running_text = user.say("show running-config | begin ^hostname")
    assert "very secret" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    user.close()

    assert daemon.terminate() == -signal.SIGTERM
    daemon.start()
    poll(lambda: answers(daemon), seconds=15.0, of=[daemon])
    user = User(daemon.control)
    assert user.prompt == "R1#"
    assert user.hello["banner"] == "\nWelcome\n  to R1\n"
    assert user.say("show running-config | begin ^hostname") == running_text
    user.say("disable")
    assert user.say("enable", "wrong", "very secret") == "Password: Password: "
    assert user.prompt == "R1#"
    user.close()


def test_reload_restarts_the_daemon_in_its_process_with_what_was_saved(
    daemon: Daemon, tmp_path: Path
) -> None:
    pid = process(daemon)
    user = User(daemon.control)
    configure(user)
    user.say("write memory")
    user.say("configure terminal")
    user.say("hostname R2")
    user.say("end")
    said = user.say("reload", "no", "")
    assert said == ("System configuration has been modified. Save? [yes/no]: Proceed with reload? [confirm]")
    assert user.over()
    user.close()
    poll(lambda: answers(daemon), seconds=15.0, of=[daemon])
    user = User(daemon.control)
    assert user.prompt == "R1#"
    assert process(daemon) == pid
    assert daemon.alive
    version = user.say("show version")
    assert "System returned to ROM by reload\n" in version
    assert "Last reload reason: Reload Command\n" in version
    user.close()
    assert [line for line in daemon.log() if "Reload requested by" in line]
    assert daemon.terminate() == -signal.SIGTERM


def test_what_another_wrote_into_the_file_is_not_overwritten_unasked(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "r1.conf"
    user = User(daemon.control)
    user.say("write memory")
    file.write_text("hostname R7\nnonsense\nend\n")
    refused = user.say("copy running-config startup-config", "")
    assert f"% {file} was changed by another since the daemon read it" in refused
    assert file.read_text() == "hostname R7\nnonsense\nend\n"
    said = user.say("copy startup-config running-config")
    assert "startup-config:2:1: 'nonsense' is not expected here" in said
    assert user.prompt == "R7#"
    assert "Overwrite" in user.say("write memory", "y")
    assert "hostname R7\n" in file.read_text()
    assert (tmp_path / "r1.conf.previous").read_text() == "hostname R7\nnonsense\nend\n"
    user.close()


def test_a_file_with_a_bad_line_is_used_but_for_that_line(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.terminate() == -signal.SIGTERM
    (tmp_path / "r1.conf").write_text("hostname R7\nip nat nonsense\n")
    daemon.start()
    poll(lambda: answers(daemon), seconds=15.0, of=[daemon])
    user = User(daemon.control)
    assert user.prompt == "R7#"
    user.close()
    assert any("r1.conf:2:8: 'nonsense' is not expected here" in line for line in daemon.log())


def test_an_idle_session_ends_and_a_new_one_does_not(daemon: Daemon) -> None:
    user = User(daemon.control)
    for line in ("configure terminal", "line vty 0 4", "exec-timeout 0 1"):
        user.say(line)
    idle = User(daemon.control)
    began = time.monotonic()
    frame = idle._frame()
    assert frame["type"] == "bye"
    assert idle.over()
    assert 0.5 < time.monotonic() - began < 5.0
    idle.close()
    user.close()
    assert answers(daemon)


@pytest.mark.root
def test_who_is_neither_root_nor_the_daemon_must_know_the_secret(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another account, as the kernel sees it."""
    daemon.control.chmod(0o666)
    tmp_path.chmod(0o711)
    monkeypatch.chdir(tmp_path)  # the directories above it are closed to others
    os.seteuid(65534)
    try:
        user = User(Path(daemon.control.name))
    finally:
        os.seteuid(0)
    assert user.prompt == "Router>"
    assert user.say("enable") == "% No password set\n"
    assert user.say("show running-config").endswith("% Invalid input detected at '^' marker.\n\n")
    root = User(daemon.control)
    configure(root)
    assert "nobody" in root.say("show users")
    root.close()
    assert user.say("enable", "a", "b", "c") == "Password: Password: Password: % Bad secrets\n"
    user.say("enable", "very secret")
    assert user.prompt == "R1#"
    user.close()
