"""VRRP by keepalived: a real FIFO, a real track file, and a reactor that only remembers who reads."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from snat.config.stateful import Keepalived
from snat.net.keepalived import FAULT, MAX_LINE, READY, KeepalivedInstance
from snat.net.refused import KernelRefused


class Reactor:
    def __init__(self) -> None:
        self.readers: set[object] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard


class Scene:
    def __init__(self, directory: Path) -> None:
        self.fifo, self.track = directory / "notify", directory / "track"
        self.reactor = Reactor()
        self.told: list[bool] = []
        self.instance = KeepalivedInstance(
            Keepalived(instance="VI_1", fifo=str(self.fifo), track_file=str(self.track)),
            self.reactor,  # type: ignore[arg-type]
            self.told.append,
        )

    def say(self, text: bytes) -> list[bool]:
        """Keepalived writes; what is told of it."""
        self.told.clear()
        with self.fifo.open("wb", buffering=0) as pipe:
            pipe.write(text)
        self.instance.doRead()
        return list(self.told)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    made.instance.start()
    yield made
    made.instance.stop()


def test_it_begins_in_fault_and_listens(scene: Scene) -> None:
    assert scene.track.read_bytes() == FAULT
    assert stat.S_ISFIFO(scene.fifo.stat().st_mode)
    assert scene.reactor.readers == {scene.instance}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'INSTANCE "VI_1" MASTER 150\n', [True]),
        (b'INSTANCE "VI_1" BACKUP 150\n', [False]),
        (b'INSTANCE "VI_1" FAULT 150\n', [False]),
        (b'INSTANCE "VI_1" STOP 150\n', [False]),
        (b'INSTANCE "VI_1" MASTER_RX_LOWER_PRI 150\n', []),
        (b'INSTANCE "VI_1" BACKUP 1\nINSTANCE "VI_1" MASTER 1\n', [True]),
        (b'INSTANCE "VI_10" MASTER 150\n', []),
        (b'GROUP "VI_1" MASTER 150\n', []),
        (b"\n\xff\x00\n", []),
    ],
)
def test_what_it_writes_is_told(scene: Scene, text: bytes, told: list[bool]) -> None:
    assert scene.say(text) == told


def test_a_line_may_come_in_pieces(scene: Scene) -> None:
    assert scene.say(b'INSTANCE "VI') == []
    assert scene.say(b'_1" MASTER 150') == []
    assert scene.say(b"\n") == [True]


def test_a_line_without_end_is_not_kept(scene: Scene) -> None:
    assert scene.say(b"x" * (MAX_LINE + 1)) == []
    assert scene.say(b'INSTANCE "VI_1" MASTER 150\n') == [True]


def test_nothing_to_read_is_no_fault(scene: Scene) -> None:
    scene.instance.doRead()
    assert scene.told == []


def test_the_track_file_follows_whether_it_is_ready(scene: Scene) -> None:
    scene.instance.ready(True)
    assert scene.track.read_bytes() == READY
    before = scene.track.stat().st_ino
    scene.instance.ready(True)
    assert scene.track.stat().st_ino == before  # keepalived would read it again
    scene.instance.ready(False)
    assert scene.track.read_bytes() == FAULT


def test_who_stops_is_not_master_any_more(scene: Scene) -> None:
    scene.instance.ready(True)
    scene.instance.stop()
    assert scene.track.read_bytes() == FAULT
    assert scene.reactor.readers == set()


def test_the_fifo_of_a_running_keepalived_is_used(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    os.mkfifo(scene.fifo)
    scene.instance.start()
    assert scene.say(b'INSTANCE "VI_1" MASTER 150\n') == [True]
    scene.instance.stop()


def test_another_file_in_its_place_is_refused(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.fifo.write_text("precious")
    with pytest.raises(KernelRefused, match="no FIFO"):
        scene.instance.start()
    assert scene.fifo.read_text() == "precious"


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "missing")
    with pytest.raises(KernelRefused, match=r"No such file or directory .*directory that exists"):
        scene.instance.start()
