"""The state directory: what survives, and what becomes of a damaged or unwritable one."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from snat.nat.entry import INCARNATION_BITS
from snat.net.files import StateDirectory, StateError, write_durably
from snat.wire.header import Feed, Term
from tests.net.memory import Log

FEED, TERM = Feed(0, 10), Term(7, 2)


def test_the_incarnation_grows_with_every_run(tmp_path: Path) -> None:
    assert [StateDirectory(tmp_path / "new" / "state").open().incarnation for _ in range(3)] == [1, 2, 3]


def test_the_incarnation_is_stored_before_it_is_used(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path).open()
    assert json.loads((tmp_path / "state.json").read_text())["incarnation"] == state.incarnation


def test_the_incarnation_begins_anew_after_the_last(tmp_path: Path) -> None:
    last = (1 << INCARNATION_BITS) - 1
    (tmp_path / "state.json").write_text(json.dumps({"incarnation": last, "terms": []}))
    assert StateDirectory(tmp_path).open().incarnation == 0


def test_terms_survive(tmp_path: Path) -> None:
    first = StateDirectory(tmp_path)
    assert first.open().terms == {}
    first.take_term(FEED, Term(6, 1))
    first.take_term(FEED, TERM)
    first.take_term(Feed(0, 20), Term(1, 1))
    again = StateDirectory(tmp_path)
    assert again.open().terms == {FEED: TERM, Feed(0, 20): Term(1, 1)}


def test_without_a_directory_the_incarnation_is_random_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    directories = [StateDirectory(None) for _ in range(4)]
    assert len({each.open().incarnation for each in directories}) > 1
    directories[0].take_term(FEED, TERM)
    assert list(tmp_path.iterdir()) == []


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
    state = StateDirectory(tmp_path).open()
    assert state.terms == {}
    assert (tmp_path / "state.damaged").read_bytes() == damaged
    (line,) = log.lines()
    assert line.startswith(f"{path} is damaged (")
    assert "state.damaged" in line
    assert StateDirectory(tmp_path).open().incarnation == (state.incarnation + 1) % (1 << INCARNATION_BITS)


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
    directory = StateDirectory(tmp_path)
    directory.open()
    before = (tmp_path / "state.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snat.net.files.os.fsync", full)
    with pytest.raises(StateError, match="No space left on device; a term that is not stored is not taken"):
        directory.take_term(FEED, TERM)
    assert (tmp_path / "state.json").read_bytes() == before
    monkeypatch.undo()
    directory.take_term(FEED, TERM)
    assert StateDirectory(tmp_path).open().terms == {FEED: TERM}


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
