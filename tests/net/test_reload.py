"""Restarts: when, by whom, and what the program becomes."""

import os
import sys
from pathlib import Path

import pytest
from twisted.internet.task import Clock as ReactorClock

from snat.device.refused import CommandRefused
from snat.net.reload import Program, Reloads, pidfile_of, reason_of_this_start
from snat.status import Clock


class Scene:
    """Reloads of a daemon that is no process."""

    def __init__(self) -> None:
        self.reactor = ReactorClock()
        self.notes: list[tuple[str, str]] = []
        self.stopped = 0
        self.reloads = Reloads(self.reactor, lambda later: Clock(seconds=later), self._note, self._stop)

    def _note(self, mnemonic: str, text: str) -> None:
        self.notes.append((mnemonic, text))

    def _stop(self) -> None:
        self.stopped += 1


def test_a_reload_at_once_leaves_time_for_its_answer() -> None:
    scene = Scene()
    scene.reloads.schedule(0.0, "admin", 2)
    assert (scene.stopped, scene.reloads.due) == (0, False)
    scene.reactor.advance(1.0)
    assert (scene.stopped, scene.reloads.due) == (1, True)
    reason = "Reload requested by admin on vty2. Reload Reason: Reload Command."
    assert scene.notes == [("SYS-5-RELOAD", reason)]
    assert scene.reloads.pending() is None


def test_a_reload_for_later_can_be_seen_and_cancelled() -> None:
    scene = Scene()
    scene.reloads.schedule(300.0, "", 0)
    scene.reactor.advance(100.0)
    pending = scene.reloads.pending()
    assert pending is not None
    assert (pending.seconds_left, pending.at.seconds, pending.line) == (200.0, 200.0, 0)
    assert scene.reloads.cancel()
    assert not scene.reloads.cancel()
    scene.reactor.advance(300.0)
    assert (scene.stopped, scene.reloads.pending()) == (0, None)
    assert scene.notes[0][0] == "SYS-5-SCHEDULED_RELOAD"


def test_the_last_order_counts() -> None:
    scene = Scene()
    scene.reloads.schedule(300.0, "a", 0)
    scene.reloads.schedule(600.0, "b", 1)
    scene.reactor.advance(400.0)
    assert scene.stopped == 0
    scene.reactor.advance(300.0)
    assert scene.stopped == 1


def test_a_daemon_that_cannot_be_ended_is_not_reloaded() -> None:
    scene = Scene()
    reloads = Reloads(scene.reactor, lambda later: Clock(seconds=later), lambda *_: None)
    with pytest.raises(CommandRefused, match="restart it from outside"):
        reloads.schedule(0.0, "admin", 0)


def test_the_program_becomes_itself_where_it_was_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, now = tmp_path / "began", tmp_path / "now"
    began.mkdir()
    now.mkdir()
    monkeypatch.chdir(began)
    program = Program("twistd.pid")
    monkeypatch.chdir(now)
    (now / "twistd.pid").write_text(str(os.getpid()))
    calls: list[tuple[str, tuple[str, ...], Path]] = []
    environment: dict[str, str] = {}
    program.begin_anew(lambda path, words: calls.append((path, words, Path.cwd())), environment)
    assert calls == [(sys.executable, tuple(sys.orig_argv), began)]
    assert list(now.iterdir()) == []
    assert reason_of_this_start(environment) == "Reload Command"
    assert reason_of_this_start(environment) == ""


def test_the_pidfile_of_another_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in ("1", "nonsense"):
        Path("twistd.pid").write_text(content)
        Program("twistd.pid").begin_anew(lambda *_: None, {})
        assert Path("twistd.pid").read_text() == content


def test_a_program_that_is_gone_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def gone(path: str, words: tuple[str, ...]) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    Program().begin_anew(gone, {})


@pytest.mark.parametrize(
    ("arguments", "pidfile"),
    [
        (["-n", "snat"], "twistd.pid"),
        (["-n", "--pidfile=", "snat"], ""),
        (["--pidfile=/run/x.pid", "snat"], "/run/x.pid"),
        (["--pid", "/run/x.pid", "snat"], "/run/x.pid"),
        (["-n", "snat", "--pidfile=no"], "twistd.pid"),
        (["--prefix", "x", "snat"], "twistd.pid"),
    ],
)
def test_where_twistd_writes_its_process_id(arguments: list[str], pidfile: str) -> None:
    assert pidfile_of(arguments) == pidfile
