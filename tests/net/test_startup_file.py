"""The start-up file: whole or not at all, the previous one kept, and what others did to it noticed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from cli.configuration_file import MAX_FILE
from snat.config.model import Configuration
from snat.device.refused import CommandRefused
from snat.net.startup_file import StartupFile, read_bounded
from snat.status import Change, Clock

R1, R2 = Configuration(hostname="R1"), Configuration(hostname="R2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r1.conf"


def began(path: Path, text: str | None = "hostname R1\n") -> StartupFile:
    """A file as the daemon found it."""
    if text is not None:
        path.write_text(text)
    file = StartupFile(path, lambda: Clock(seconds=5.0))
    file.began(text, R1 if text else Configuration())
    return file


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_storing_replaces_the_file_and_keeps_the_previous_one(path: Path) -> None:
    file = began(path)
    path.chmod(0o640)
    storing = file.store("hostname R2\n", R2)
    assert (storing.done, storing.refusal) == (True, "")
    assert path.read_text() == "hostname R2\n"
    previous = path.with_name("r1.conf.previous")
    assert previous.read_text() == "hostname R1\n"
    assert [each.stat().st_mode & 0o777 for each in (path, previous)] == [0o640, 0o640]
    assert names(path) == ["r1.conf", "r1.conf.previous"]
    assert file.is_stored(R2)
    assert not file.is_stored(R1)
    assert file.conflict() == ""


def test_a_file_that_was_not_there_is_for_its_owner(path: Path) -> None:
    file = began(path, None)
    assert file.read() is None
    assert file.conflict() == ""
    assert file.is_stored(Configuration())
    file.store("hostname R2\n", R2)
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path) == ["r1.conf"]


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("hostname R1\n")
    path.symlink_to(target)
    StartupFile(path).store("hostname R2\n", R2)
    assert path.is_symlink()
    assert target.read_text() == "hostname R2\n"


def test_what_another_did_is_noticed(path: Path) -> None:
    file = began(path)
    path.write_text("hostname R3\n")
    assert file.conflict() == f"{path} was changed by another since the daemon read it"
    file.store("hostname R2\n", R2)
    assert file.conflict() == ""
    path.unlink()
    assert file.conflict() == ""  # nothing is lost by writing it
    new = began(path.with_name("new.conf"), None)
    path.with_name("new.conf").write_text("hostname R4\n")
    assert new.conflict().endswith("new.conf was made by another since the daemon read it")


def test_erasing_keeps_the_previous_one(path: Path) -> None:
    file = began(path)
    assert file.erase().refusal == ""
    assert names(path) == ["r1.conf.previous"]
    assert file.read() is None
    assert not file.is_stored(R1)
    assert file.erase().refusal == ""
    assert path.with_name("r1.conf.previous").read_text() == "hostname R1\n"


def test_what_is_shown_is_what_is_in_the_file_now(path: Path) -> None:
    file = began(path)
    path.write_text("hostname R3\n")
    shown = file.read()
    assert shown is not None
    assert (shown.path, shown.text, shown.capacity) == (str(path), "hostname R3\n", MAX_FILE)
    path.write_text("")
    assert file.read() is None


def test_a_disk_that_is_full_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = began(path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snat.net.files.os.fsync", full)
    storing = file.store("hostname R2\n", R2)
    assert storing.done
    assert storing.refusal == f"{path}: No space left on device; nothing was stored"
    assert path.read_text() == "hostname R1\n"
    assert names(path) == ["r1.conf"]
    assert file.is_stored(R1)


def test_a_disk_may_take_its_time(path: Path) -> None:
    waiting: list[tuple[Callable[[], None], Deferred[None]]] = []

    def later(work: Callable[[], None]) -> "Deferred[None]":
        done: Deferred[None] = Deferred()
        waiting.append((work, done))
        return done

    file = StartupFile(path, in_thread=later)
    storing = file.store("hostname R2\n", R2)
    assert (storing.done, storing.refusal) == (False, "")
    assert file.store("hostname R3\n", R2).refusal == f"{path} is being written; try again"
    ((work, done),) = waiting
    work()
    done.callback(None)
    assert storing.done
    assert file.is_stored(R2)
    assert not file.erase().done


def test_a_fault_of_ours_is_logged_and_nobody_waits_for_it(
    path: Path, logged_failures: list[Failure]
) -> None:
    file = StartupFile(path, in_thread=lambda _: fail(LookupError("a fault")))
    storing = file.store("hostname R2\n", R2)
    assert storing.done
    assert storing.refusal == f"{path}: a fault; nothing was stored"
    assert [failure.type for failure in logged_failures] == [LookupError]
    logged_failures.clear()


def test_without_a_path_nothing_is_stored() -> None:
    file = StartupFile(None)
    assert "no start-up file" in file.store("x", R1).refusal
    assert "no start-up file" in file.erase().refusal
    assert file.read() is None
    assert file.conflict() == ""


def test_bounds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snat.net.startup_file.MAX_FILE", 12)
    file = began(path)
    assert file.read() is not None
    assert file.store("hostname R12\n", R2).refusal == "the configuration has more than 12 bytes"
    path.write_text("hostname R12\n")
    with pytest.raises(CommandRefused, match="longer than 12 bytes"):
        file.read()
    with pytest.raises(ValueError, match="longer than 12 bytes"):
        read_bounded(path)


def test_what_is_no_text_is_told(path: Path) -> None:
    file = began(path)
    path.write_bytes(b"hostname \xff\n")
    with pytest.raises(CommandRefused, match="byte 9 is not UTF-8 text"):
        file.read()


def test_a_change_is_remembered_with_its_time(path: Path) -> None:
    file = began(path)
    assert [file.last_change] == [None]
    file.changed("admin")
    assert file.last_change == Change(at=Clock(seconds=5.0), user="admin")
