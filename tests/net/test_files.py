"""The state directory: what survives, and what becomes of a damaged or unwritable one."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from snat.nat.entry import INCARNATION_BITS
from snat.net.files import State, StateDirectory, StateError, write_durably
from snat.wire.header import Feed, Term
from tests.net.memory import Log

FEED, TERM = Feed(0, 10), Term(7, 2)
INCARNATIONS = 1 << INCARNATION_BITS


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def opened(directory: Path) -> State:
    """What a run finds and begins with that has ended since."""
    with closing(StateDirectory(directory)) as state:
        return state.open()


def test_the_incarnation_begins_at_random_and_grows_with_every_run(tmp_path: Path) -> None:
    first, *rest = [opened(tmp_path / "new" / "state").incarnation for _ in range(3)]
    assert rest == [(first + 1) % INCARNATIONS, (first + 2) % INCARNATIONS]
    others = {opened(tmp_path / str(n)).incarnation for n in range(8)}
    assert len(others) > 1
    assert all(0 <= each < INCARNATIONS for each in others)


def test_the_incarnation_is_stored_before_it_is_used(tmp_path: Path) -> None:
    state = opened(tmp_path)
    assert json.loads((tmp_path / "state.json").read_text())["incarnation"] == state.incarnation


def test_the_incarnation_begins_anew_after_the_last(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"incarnation": INCARNATIONS - 1, "terms": []}))
    assert opened(tmp_path).incarnation == 0


def test_a_renewed_incarnation_is_another_one_and_the_next_run_goes_on_from_it(tmp_path: Path) -> None:
    with closing(StateDirectory(tmp_path)) as directory:
        present = directory.open().incarnation
        directory.take_term(FEED, TERM)
        renewed = directory.renew_incarnation()
        assert renewed != present
        assert directory.state.incarnation == renewed
        stored = json.loads((tmp_path / "state.json").read_text())
        assert stored == {"incarnation": renewed, "terms": [[*FEED, *TERM]]}
    assert opened(tmp_path) == State((renewed + 1) % INCARNATIONS, {FEED: TERM})


@pytest.mark.parametrize("drawn", [0, INCARNATIONS - 2])
def test_no_draw_renews_the_present_incarnation(monkeypatch: pytest.MonkeyPatch, drawn: int) -> None:
    """Neither end of what may be drawn leads back to it."""
    directory = StateDirectory(None)
    present = directory.open().incarnation
    monkeypatch.setattr("snat.net.files.random.SystemRandom.randrange", lambda _, most: min(drawn, most - 1))
    assert directory.renew_incarnation() == (present + 1 + drawn) % INCARNATIONS != present


def test_a_renewed_incarnation_that_cannot_be_stored_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(StateDirectory(tmp_path)) as directory:
        present = directory.open().incarnation
        monkeypatch.setattr("snat.net.files.os.fsync", full)
        with pytest.raises(StateError, match="No space left on device"):
            directory.renew_incarnation()
        assert directory.state.incarnation == present
    monkeypatch.undo()
    assert opened(tmp_path).incarnation == (present + 1) % INCARNATIONS


def test_terms_survive(tmp_path: Path) -> None:
    with closing(StateDirectory(tmp_path)) as first:
        assert first.open().terms == {}
        first.take_term(FEED, Term(6, 1))
        first.take_term(FEED, TERM)
        first.take_term(Feed(0, 20), Term(1, 1))
    assert opened(tmp_path).terms == {FEED: TERM, Feed(0, 20): Term(1, 1)}


def test_without_a_directory_the_incarnation_is_random_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    directories = [StateDirectory(None) for _ in range(4)]
    assert len({each.open().incarnation for each in directories}) > 1
    directories[0].take_term(FEED, TERM)
    directories[0].renew_incarnation()
    directories[0].close()
    assert directories[0].snapshot is None
    assert list(tmp_path.iterdir()) == []


# The lock


def test_a_second_daemon_is_told_who_has_the_directory_and_changes_nothing(tmp_path: Path) -> None:
    with closing(StateDirectory(tmp_path)) as first:
        first.open()
        before = (tmp_path / "state.json").read_bytes()
        second = StateDirectory(tmp_path)
        said = rf"{tmp_path}: another snat daemon uses it \(process {os.getpid()}\); stop that one or"
        with pytest.raises(StateError, match=said):
            second.open()
        second.close()
        with pytest.raises(StateError, match="another snat daemon"):
            StateDirectory(tmp_path).open()
        assert (tmp_path / "state.json").read_bytes() == before
    opened(tmp_path)


def test_a_holder_that_has_not_signed_yet_is_refused_all_the_same(tmp_path: Path) -> None:
    with closing(StateDirectory(tmp_path)) as first:
        first.open()
        (tmp_path / "lock").write_bytes(b"")
        with pytest.raises(StateError, match="it has not said which process it is"):
            StateDirectory(tmp_path).open()
        first.sign()
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_what_was_written_into_the_lock_before_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff" * 5000)
    with closing(StateDirectory(tmp_path)) as state:
        state.open()
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_daemon_that_cannot_begin_leaves_the_directory_to_others(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(StateError):
        StateDirectory(tmp_path).open()
    (tmp_path / "state.json").rmdir()
    opened(tmp_path)


def test_a_lock_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(StateError, match=r"lock: Is a directory; give another --state-dir"):
        StateDirectory(tmp_path).open()


def test_a_file_system_without_locks_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("snat.net.files.fcntl.flock", refuse)
    with pytest.raises(StateError, match="lock: No locks available; give another --state-dir"):
        StateDirectory(tmp_path).open()


HOLDER = """\
import os, sys
from pathlib import Path
from snat.net.files import StateDirectory
state = StateDirectory(Path(sys.argv[1]))
state.open()
if sys.argv[2] == "fork" and os.fork():
    os._exit(0)
state.sign()
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["stay", "fork"])
def test_a_killed_daemon_leaves_no_lock_and_a_forked_one_keeps_it(tmp_path: Path, how: str) -> None:
    """As twistd, which forks after it made the services unless it is told not to."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        holder = int(process.stdout.readline())
        assert (holder == process.pid) is (how == "stay")
        with pytest.raises(StateError, match=rf"\(process {holder}\)"):
            StateDirectory(tmp_path).open()
        os.kill(holder, signal.SIGKILL)
        assert process.stdout.read() == ""  # its last descriptor is closed: it is gone
    opened(tmp_path)


# Damage


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\x00garbage\x80",
        b"null",
        b'{"terms": []}',
        b'{"incarnation": 1}',
        b'{"incarnation": "1", "terms": []}',
        b'{"incarnation": Infinity, "terms": []}',
        b'{"incarnation": -1, "terms": []}',
        b'{"incarnation": 1, "terms": [[0, 10, 1]]}',
        b'{"incarnation": 1, "terms": [[0, 10, 4294967296, 1]]}',
        b'{"incarnation": 1, "terms": [[0, 10, 1.5, 1]]}',
        b'{"incarnation": 1, "terms": 3}',
    ],
)
def test_a_damaged_file_is_set_aside_and_reported(tmp_path: Path, log: Log, damaged: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(damaged)
    state = opened(tmp_path)
    assert state.terms == {}
    assert (tmp_path / "state.damaged").read_bytes() == damaged
    (line,) = log.lines()
    assert line.startswith(f"{path} is damaged (")
    assert "state.damaged" in line
    assert opened(tmp_path).incarnation == (state.incarnation + 1) % INCARNATIONS


def test_a_damaged_file_that_cannot_be_set_aside_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state.json").write_bytes(b"{")

    def refuse(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StateError, match=r"state\.json: Read-only file system; give another --state-dir"):
        StateDirectory(tmp_path).open()


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file/state: Not a directory; give another --state-dir"):
        StateDirectory(tmp_path / "file" / "state").open()


def test_a_state_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(StateError, match=r"state\.json: Is a directory; give another --state-dir"):
        StateDirectory(tmp_path).open()


def test_a_disk_that_is_full_is_a_clear_error_and_leaves_the_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(StateDirectory(tmp_path)) as directory:
        directory.open()
        before = (tmp_path / "state.json").read_bytes()
        monkeypatch.setattr("snat.net.files.os.fsync", full)
        with pytest.raises(StateError, match="No space left on device; what is not stored is not used"):
            directory.take_term(FEED, TERM)
        assert (tmp_path / "state.json").read_bytes() == before
        assert not (tmp_path / "state.json.new").exists()
        monkeypatch.undo()
        directory.take_term(FEED, TERM)
    assert opened(tmp_path).terms == {FEED: TERM}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_process_killed_in_the_middle_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def die(*_: Any) -> None:
        raise Killed

    if moment == "write":
        monkeypatch.setattr(Path, "open", lambda *_: open(os.devnull, "rb"))  # noqa: PTH123, SIM115
    monkeypatch.setattr("snat.net.files.os.fsync", die) if moment == "fsync" else None
    monkeypatch.setattr(Path, "replace", die) if moment == "replace" else None
    with pytest.raises((Killed, OSError)):
        write_durably(path, b"new and longer")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_file_is_on_the_disk_before_its_name_and_both_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace, fsync = Path.replace, os.fsync

    def record_fsync(descriptor: int) -> None:
        done.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def record_replace(path: Path, target: Path) -> Path:
        done.append(f"replace {path.name} {target.name}")
        return replace(path, target)

    monkeypatch.setattr("snat.net.files.os.fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    write_durably(tmp_path / "file", b"x")
    assert done == ["fsync file.new", "replace file.new file", f"fsync {tmp_path.name}"]
