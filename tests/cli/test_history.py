"""The history file: for the user only, bounded, without secrets."""

import stat
from pathlib import Path

import pytest
from prompt_toolkit.history import InMemoryHistory

from cli.terminal import history


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / history.NAME


def loaded() -> list[str]:
    """Newest first."""
    return list(history.history().load_history_strings())


def test_it_is_for_the_user_only(file: Path) -> None:
    file.write_text("")
    file.chmod(0o644)
    history.history().append_string("show run")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert loaded() == ["show run"]


@pytest.mark.parametrize(
    "line",
    [
        *("enable secret geheim", "ena s geheim", "do enable secret 0 geheim", "enable sec geheim"),
        *(
            "standby 1 authentication geheim",
            "standby 1 aut text geheim",
            "  standby 1 auth md5 key-s geheim",
        ),
        "username x password geheim",
    ],
)
def test_a_line_with_a_secret_is_not_kept(file: Path, line: str) -> None:
    kept = history.history()
    kept.append_string(line)
    assert kept.get_strings() == [line]  # as long as the program runs
    assert loaded() == []


@pytest.mark.parametrize(
    "line", ["enable", "show run | sec nat", "show run | section key x", "show privilege"]
)
def test_a_line_without_a_secret_is_kept(file: Path, line: str) -> None:
    history.history().append_string(line)
    assert loaded() == [line]


def test_of_a_long_history_the_newer_half_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_BYTES", 2000)
    kept = history.history()
    for number in range(100):
        kept.append_string(f"show {number}")
    assert file.stat().st_size > 2000
    lines = loaded()
    assert file.stat().st_size <= 1000
    assert lines == [f"show {number}" for number in range(99, 99 - len(lines), -1)]
    assert len(lines) > 10
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [history.NAME]


def test_without_a_home_it_lasts_as_long_as_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    assert isinstance(history.history(), InMemoryHistory)


def test_a_full_disk_is_no_reason_to_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    kept = history.history()
    assert isinstance(kept, history.SparingHistory)
    kept.filename = "/dev/full"
    kept.append_string("show run")
    assert kept.get_strings() == ["show run"]
