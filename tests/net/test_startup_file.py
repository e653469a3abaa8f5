"""The start-up file: replaced whole, with the previous one kept."""

import os
import stat
from pathlib import Path

import pytest

from snat.device.refused import CommandRefused
from snat.net import startup_file
from snat.net.startup_file import StartupFile


@pytest.fixture
def file(tmp_path: Path) -> StartupFile:
    path = tmp_path / "router.conf"
    path.write_text("hostname OLD\n")
    path.chmod(0o600)
    return StartupFile(path)


def test_it_need_not_be_there(tmp_path: Path) -> None:
    file = StartupFile(tmp_path / "router.conf")
    assert file.read() is None
    assert not file.changed
    file.save("hostname R1\n")
    assert file.look() == "hostname R1\n"
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["router.conf"]


def test_saving_keeps_the_previous_text_and_the_mode(file: StartupFile) -> None:
    file.read()
    file.save("hostname NEW\n")
    previous = file.path.with_name("router.conf.previous")
    assert (file.look(), previous.read_text()) == ("hostname NEW\n", "hostname OLD\n")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file.path, previous)} == {0o600}


def test_what_another_program_wrote_is_noticed_until_it_is_read_or_replaced(file: StartupFile) -> None:
    file.read()
    assert bool(file.changed) is False
    file.path.write_text("hostname OTHER\n")
    assert bool(file.changed) is True
    assert file.look() == "hostname OTHER\n"
    assert bool(file.changed) is True  # a look does not count
    file.save("hostname NEW\n")
    assert bool(file.changed) is False


def test_erasing_keeps_the_text_beside_it(file: StartupFile) -> None:
    file.erase()
    assert file.look() is None
    assert file.path.with_name("router.conf.previous").read_text() == "hostname OLD\n"
    file.erase()  # twice is no error
    assert not file.changed


def test_a_disk_that_fails_harms_nothing(file: StartupFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandRefused, match="No space left on device"):
        file.save("hostname NEW\n")
    assert file.look() == "hostname OLD\n"
    assert [one.name for one in file.path.parent.iterdir()] == ["router.conf"]


def test_what_is_no_configuration_is_refused(file: StartupFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.path.write_bytes(b"abc\xff")
    with pytest.raises(ValueError, match="byte 3 is not UTF-8"):
        file.read()
    monkeypatch.setattr(startup_file, "MAXIMUM", 3)
    with pytest.raises(ValueError, match="longer than 3 bytes"):
        file.look()
    assert file.free > 0
